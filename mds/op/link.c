/* SPDX-License-Identifier: Apache-2.0 */
/* LINK, RFC 8881 §18.9: the saved object gets another name, in the current directory. ISDIR for directories,
 * XDEV across file systems and into or out of repos (mds/tier/archive.h), MLINK at the limit of links, NOENT
 * for an object that has no name any more (linkat(2)). Who has a delegation of it gives that back first
 * (mds/state/delegation.h). */
#include "mds/op/change.h"
#include "mds/ops.h"
#include "mds/state/delegation.h"
#include "mds/tier/archive.h"

struct link_args {
        struct slice name;
};
struct link_res {
        struct change_info cinfo;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct link_args *a = OP_ARGS(c, struct link_args);

        a->name = xdr_get_opaque(x, UINT32_MAX);
        c->decode_status = check_name(a->name);
}

static enum nfsstat4 check_dir(struct compound *c, struct slice name, struct subject *dir)
{
        const struct inode *taken;
        enum nfsstat4 status = subject_dir(c, &c->fh, PERM_X, dir);

        if (status != NFS4_OK)
                return status == NFS4ERR_SYMLINK ? NFS4ERR_NOTDIR : status;
        if (dir->pseudo)
                return NFS4ERR_ROFS;
        status = subject_child(c, dir, name, &taken);
        if (status != NFS4ERR_NOENT)
                return status == NFS4_OK ? NFS4ERR_EXIST : status;
        return subject_may_add(dir, NF4REG);
}

static enum nfsstat4 check(struct compound *c, struct subject *file, struct subject *dir)
{
        enum nfsstat4 status = subject_of(c, &c->saved_fh, file);

        if (status != NFS4_OK)
                return status;
        if (file->pseudo || file->inode->type == NF4DIR)
                return NFS4ERR_ISDIR;
        status = check_dir(c, OP_ARGS(c, struct link_args)->name, dir);
        if (status != NFS4_OK)
                return status;
        if (file->fh.export_id != dir->fh.export_id)
                return NFS4ERR_XDEV;
        if (file->inode->nlink == 0)
                return NFS4ERR_NOENT;
        return archive_may_link(mds_of(c), file->inode, dir->inode, OP_ARGS(c, struct link_args)->name);
}

static enum nfsstat4 add_name(struct compound *c, struct txn *t, const struct subject *file,
                              const struct subject *dir)
{
        struct change_info *cinfo = &OP_RES(c, struct link_res)->cinfo;
        struct inode *inode = txn_edit(t, file->inode->fileid), *parent = txn_edit(t, dir->inode->fileid);
        enum nfsstat4 status;

        if (!inode || !parent)
                return NFS4ERR_IO;
        cinfo->before = parent->change;
        status = change_link(mds_of(c), t, parent, OP_ARGS(c, struct link_args)->name, inode);
        if (status != NFS4_OK)
                return status;
        txn_touch(t, inode, false);
        change_dir(t, parent, cinfo);
        return NFS4_OK;
}

static enum nfsstat4 execute(struct compound *c)
{
        struct subject file, dir;
        enum nfsstat4 status = check(c, &file, &dir);
        struct txn *t;

        if (status == NFS4_OK)
                status = delegation_conflict_by_change(c, file.inode->fileid,
                                                       OP_WAIT(c, struct delegation_wait));
        if (status != NFS4_OK)
                return status;
        t = txn_begin(mds_of(c)->meta);
        status = add_name(c, t, &file, &dir);
        if (status == NFS4_OK)
                return change_commit(c, t);
        txn_abort(t);
        return status;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        (void)status;
        put_change_info(x, &OP_RES(c, struct link_res)->cinfo);
}

const struct nfs4_op op_link = {
        .name = "LINK",
        .flags = OP_NEEDS_FH | OP_NEEDS_SAVED_FH | OP_MUTATES | OP_PSEUDO | OP_NAMES,
        .reply_max = 28,
        .decode = decode,
        .execute = execute,
        .resume = execute,
        .encode = encode,
};
