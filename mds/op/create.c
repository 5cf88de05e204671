/* SPDX-License-Identifier: Apache-2.0 */
/* CREATE, RFC 8881 §18.4: a new directory, symlink, device, socket or fifo; files are made by OPEN (BADTYPE here).
 *
 * The RFC: the new object becomes the current file handle; change_info is of the directory. We: entry, inode, symlink
 * target and directory in one transaction, so change_info is atomic. Device nodes need root, as mknod(2) does. */
#include "mds/op/dir.h"
#include "mds/ops.h"

struct create_args {
        uint32_t type, major, minor;
        struct slice target, name;
        struct attr_set set;
        enum nfsstat4 set_status;
};
struct create_res {
        struct change_info info;
        struct bitmap4 set;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct create_args *a = OP_ARGS(c, struct create_args);

        a->type = xdr_get_u32(x);
        a->target = (struct slice){ 0 };
        a->major = a->minor = 0;
        if (a->type == NF4LNK) {
                a->target = xdr_get_opaque(x, UINT32_MAX);
        } else if (a->type == NF4BLK || a->type == NF4CHR) {
                a->major = xdr_get_u32(x);
                a->minor = xdr_get_u32(x);
        }
        a->name = xdr_get_opaque(x, UINT32_MAX);
        attrs_decode(x, &a->set, &a->set_status);
}

static enum nfsstat4 check_args(const struct create_args *a)
{
        enum nfsstat4 status;

        if (a->type < NF4DIR || a->type > NF4FIFO)
                return NFS4ERR_BADTYPE;
        status = check_name(a->name);
        if (status != NFS4_OK)
                return status;
        if (a->type == NF4LNK && (a->target.length == 0 || memchr(a->target.data, 0, a->target.length)))
                return NFS4ERR_INVAL;
        if (a->type == NF4LNK && a->target.length > NFS4_MAXPATH)
                return NFS4ERR_NAMETOOLONG;
        if (a->set_status == NFS4_OK && bitmap_has(&a->set.mask, FATTR4_SIZE))
                return NFS4ERR_INVAL;
        return a->set_status;
}

static enum nfsstat4 make(struct compound *c, const struct create_args *a, const struct caller *who, uint64_t dir_id)
{
        struct mds *mds = mds_of(c);
        struct create_res *r = OP_RES(c, struct create_res);
        struct txn *t = txn_begin(mds->meta);
        struct inode *dir = txn_edit(t, dir_id), *fresh;
        enum nfsstat4 status = dir ? new_object(t, who, dir, (uint8_t)a->type, &a->set, &fresh) : NFS4ERR_IO;
        struct fh fh;
        int e;

        if (status != NFS4_OK) {
                txn_abort(t);
                return status;
        }
        fresh->rdev_major = a->major;
        fresh->rdev_minor = a->minor;
        if (a->type == NF4LNK) {
                fresh->size = a->target.length;
                txn_put_symlink(t, fresh->fileid, a->target);
        }
        r->info = (struct change_info){ .atomic = true, .before = dir->change };
        e = txn_link(t, dir_id, a->name, fresh->fileid, fresh->type);
        if (e < 0) {
                txn_abort(t);
                return nfs4_status_from_errno(e);
        }
        dir->nlink += a->type == NF4DIR ? 1 : 0;
        txn_touch(t, dir, true);
        r->info.after = dir->change;
        fh = object_fh(&c->fh, fresh);
        e = txn_commit(t, &c->commit_seq);
        if (e < 0)
                return nfs4_status_from_errno(e);
        compound_set_fh(c, &fh);
        return NFS4_OK;
}

static enum nfsstat4 execute(struct compound *c)
{
        const struct create_args *a = OP_ARGS(c, struct create_args);
        const struct inode *dir, *there;
        struct caller who;
        enum nfsstat4 status = check_args(a);

        if (status == NFS4_OK)
                status = dir_get(c, &c->fh, MAY_SEARCH, &who, &dir);
        if (status != NFS4_OK)
                return status;
        status = dir_lookup(c, dir, a->name, &there);
        if (status == NFS4_OK)
                return NFS4ERR_EXIST;
        if (status != NFS4ERR_NOENT)
                return status;
        status = dir_get(c, &c->fh, MAY_WRITE | MAY_SEARCH, &who, &dir);
        if (status != NFS4_OK)
                return status;
        if (dir->nlink == 0)
                return NFS4ERR_NOENT;
        if ((a->type == NF4BLK || a->type == NF4CHR) && who.uid != 0)
                return NFS4ERR_PERM;
        OP_RES(c, struct create_res)->set = a->set.mask;
        return make(c, a, &who, dir->fileid);
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct create_res *r = OP_RES(c, struct create_res);

        (void)status;
        put_change_info(x, &r->info);
        put_bitmap(x, &r->set);
}

const struct nfs4_op op_create = {
        .name = "CREATE",
        .flags = OP_NEEDS_FH | OP_MUTATES,
        .reply_max = 8 + 20 + 16,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
