/* SPDX-License-Identifier: Apache-2.0 */
/* CREATE, RFC 8881 §18.4: directories, symlinks, fifos, sockets, devices. Regular files are OPEN's (BADTYPE
 * here).
 *
 * The RFC: EXIST when the name is taken, whatever it names; the new object becomes the current one. We:
 * devices are made by root only (mknod(2)); a set-gid directory gives its group. */
#include "mds/op/change.h"
#include "mds/ops.h"
#include "mds/tier/archive.h"

struct create_args {
        uint32_t type, rdev_major, rdev_minor;
        struct slice target, name;
        struct attr_set attrs;
};
struct create_res {
        struct change_info cinfo;
};

static enum nfsstat4 check_type(const struct create_args *a)
{
        if (a->type != NF4LNK)
                return a->type == NF4REG || a->type > NF4FIFO || a->type == 0 ? NFS4ERR_BADTYPE : NFS4_OK;
        if (a->target.length == 0 || memchr(a->target.data, 0, a->target.length))
                return NFS4ERR_INVAL;
        return a->target.length > NFS4_MAXPATH ? NFS4ERR_NAMETOOLONG : NFS4_OK;
}

static void decode(struct compound *c, struct xdr_in *x)
{
        struct create_args *a = OP_ARGS(c, struct create_args);
        enum nfsstat4 attrs_status;

        a->type = xdr_get_u32(x);
        a->target = a->type == NF4LNK ? xdr_get_opaque(x, UINT32_MAX) : (struct slice){ 0 };
        a->rdev_major = a->type == NF4BLK || a->type == NF4CHR ? xdr_get_u32(x) : 0;
        a->rdev_minor = a->type == NF4BLK || a->type == NF4CHR ? xdr_get_u32(x) : 0;
        a->name = xdr_get_opaque(x, UINT32_MAX);
        attrs_decode(x, &a->attrs, &attrs_status);
        c->decode_status = check_type(a);
        if (c->decode_status == NFS4_OK)
                c->decode_status = check_name(a->name);
        if (c->decode_status == NFS4_OK)
                c->decode_status = attrs_status;
        if (c->decode_status == NFS4_OK)
                c->decode_status = change_check_new(&a->attrs, (uint8_t)a->type);
}

static enum nfsstat4 check(struct compound *c, const struct create_args *a, struct subject *dir)
{
        const struct inode *child;
        enum nfsstat4 status = subject_dir(c, &c->fh, PERM_X, dir);

        if (status != NFS4_OK)
                return status == NFS4ERR_SYMLINK ? NFS4ERR_NOTDIR : status;
        if (dir->pseudo)
                return pseudo_lookup(dir->pseudo, a->name) ? NFS4ERR_EXIST : NFS4ERR_ROFS;
        status = subject_child(c, dir, a->name, &child);
        if (status != NFS4ERR_NOENT)
                return status == NFS4_OK ? NFS4ERR_EXIST : status;
        status = subject_may_add(dir, (uint8_t)a->type);
        if (status != NFS4_OK)
                return status;
        if (a->type == NF4DIR)
                status = archive_may_name(mds_of(c), dir->inode, a->name);
        if (status != NFS4_OK)
                return status;
        if ((a->type == NF4BLK || a->type == NF4CHR) && dir->who.uid != 0)
                return NFS4ERR_PERM;
        return NFS4_OK;
}

static enum nfsstat4 make(struct compound *c, struct txn *t, const struct subject *dir, struct fh *ret)
{
        const struct create_args *a = OP_ARGS(c, struct create_args);
        struct change_info *cinfo = &OP_RES(c, struct create_res)->cinfo;
        struct inode *inode, *parent;
        enum nfsstat4 status = change_new(c, t, dir, (uint8_t)a->type, &a->attrs, &inode, &parent);

        if (status != NFS4_OK)
                return status;
        inode->rdev_major = a->rdev_major;
        inode->rdev_minor = a->rdev_minor;
        if (a->type == NF4LNK) {
                inode->size = a->target.length;
                txn_put_symlink(t, inode->fileid, a->target);
        }
        cinfo->before = parent->change;
        status = change_link(mds_of(c), t, parent, a->name, inode);
        if (status != NFS4_OK)
                return status;
        change_dir(t, parent, cinfo);
        *ret = inode_fh(dir->fh.export_id, inode);
        return NFS4_OK;
}

static enum nfsstat4 execute(struct compound *c)
{
        struct subject dir;
        struct fh fh;
        enum nfsstat4 status = check(c, OP_ARGS(c, struct create_args), &dir);
        struct txn *t;

        if (status != NFS4_OK)
                return status;
        t = txn_begin(mds_of(c)->meta);
        status = make(c, t, &dir, &fh);
        if (status != NFS4_OK) {
                txn_abort(t);
                return status;
        }
        status = change_commit(c, t);
        if (status == NFS4_OK)
                compound_set_fh(c, &fh);
        return status;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        (void)status;
        put_change_info(x, &OP_RES(c, struct create_res)->cinfo);
        put_bitmap(x, &OP_ARGS(c, struct create_args)->attrs.mask);
}

const struct nfs4_op op_create = {
        .name = "CREATE",
        .flags = OP_NEEDS_FH | OP_MUTATES | OP_PSEUDO | OP_NAMES,
        .reply_max = 8 + 20 + 16,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
