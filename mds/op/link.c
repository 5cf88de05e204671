/* SPDX-License-Identifier: Apache-2.0 */
/* LINK, RFC 8881 §18.9: one more name, in the current directory, for the saved file handle's object (no directory). */
#include <errno.h>

#include "mds/op/dir.h"
#include "mds/ops.h"

enum { LINK_MAX_COUNT = 65000 };

struct link_args {
        struct slice name;
};
struct link_res {
        struct change_info info;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        OP_ARGS(c, struct link_args)->name = xdr_get_opaque(x, UINT32_MAX);
}

static enum nfsstat4 add(struct compound *c, uint64_t dir_id, uint64_t fileid, struct slice name)
{
        struct link_res *r = OP_RES(c, struct link_res);
        struct txn *t = txn_begin(mds_of(c)->meta);
        struct inode *dir = txn_edit(t, dir_id), *object = dir ? txn_edit(t, fileid) : NULL;
        int e = object ? txn_link(t, dir_id, name, fileid, object->type) : -EIO;

        if (e < 0) {
                txn_abort(t);
                return nfs4_status_from_errno(e);
        }
        object->nlink++;
        txn_touch(t, object, false);
        r->info = (struct change_info){ .atomic = true, .before = dir->change };
        txn_touch(t, dir, true);
        r->info.after = dir->change;
        return nfs4_status_from_errno(txn_commit(t, &c->commit_seq));
}

static enum nfsstat4 execute(struct compound *c)
{
        struct slice name = OP_ARGS(c, struct link_args)->name;
        const struct inode *object, *dir, *there;
        struct caller who;
        enum nfsstat4 status = check_name(name);

        if (status == NFS4_OK)
                status = object_get(c, &c->saved_fh, &object);
        if (status != NFS4_OK)
                return status;
        if (object->type == NF4DIR)
                return NFS4ERR_ISDIR;
        status = dir_get(c, &c->fh, MAY_WRITE | MAY_SEARCH, &who, &dir);
        if (status != NFS4_OK)
                return status;
        if (c->fh.export_id != c->saved_fh.export_id)
                return NFS4ERR_XDEV;
        status = dir_lookup(c, dir, name, &there);
        if (status != NFS4ERR_NOENT)
                return status == NFS4_OK ? NFS4ERR_EXIST : status;
        if (object->nlink == 0 || dir->nlink == 0)
                return NFS4ERR_NOENT; /* unlinked, only open any more */
        if (object->nlink >= LINK_MAX_COUNT)
                return NFS4ERR_MLINK;
        return add(c, dir->fileid, object->fileid, name);
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        (void)status;
        put_change_info(x, &OP_RES(c, struct link_res)->info);
}

const struct nfs4_op op_link = {
        .name = "LINK",
        .flags = OP_NEEDS_FH | OP_NEEDS_SAVED_FH | OP_MUTATES,
        .reply_max = 28,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
