/* SPDX-License-Identifier: Apache-2.0 */
/* REMOVE, RFC 8881 §18.25: takes a name away, and with its last name the object.
 *
 * The RFC: a directory must be empty; a file that is open may stay for its openers. We: it stays, until the last CLOSE
 * (ns/orphan.c); its objects go by the reaper. One transaction: entry, directory, inode, orphan record. */
#include <errno.h>

#include "mds/ns/orphan.h"
#include "mds/op/dir.h"
#include "mds/ops.h"

struct remove_args {
        struct slice name;
};
struct remove_res {
        struct change_info info;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        OP_ARGS(c, struct remove_args)->name = xdr_get_opaque(x, UINT32_MAX);
}

static enum nfsstat4 drop(struct compound *c, uint64_t dir_id, uint64_t fileid, struct slice name)
{
        struct mds *mds = mds_of(c);
        struct remove_res *r = OP_RES(c, struct remove_res);
        struct txn *t = txn_begin(mds->meta);
        struct inode *dir = txn_edit(t, dir_id), *object = dir ? txn_edit(t, fileid) : NULL;
        struct orphan orphan = { 0 };
        int e = object ? txn_unlink(t, dir_id, name) : -EIO;

        if (e < 0) {
                txn_abort(t);
                return nfs4_status_from_errno(e);
        }
        r->info = (struct change_info){ .atomic = true, .before = dir->change };
        txn_touch(t, dir, true);
        r->info.after = dir->change;
        txn_touch(t, object, false);
        if (object->type == NF4DIR) {
                dir->nlink--;
                txn_delete_inode(t, fileid);
        } else if (--object->nlink == 0) {
                orphan_unlinked(mds, t, object, &orphan);
        }
        e = txn_commit(t, &c->commit_seq);
        if (e == 0)
                orphan_finish(mds, &orphan);
        return nfs4_status_from_errno(e);
}

static enum nfsstat4 execute(struct compound *c)
{
        struct slice name = OP_ARGS(c, struct remove_args)->name;
        const struct inode *dir, *object;
        struct caller who;
        enum nfsstat4 status = check_name(name);

        if (status == NFS4_OK)
                status = dir_get(c, &c->fh, MAY_WRITE | MAY_SEARCH, &who, &dir);
        if (status == NFS4_OK)
                status = dir_lookup(c, dir, name, &object);
        if (status != NFS4_OK)
                return status;
        if (!sticky_allows(&who, dir, object))
                return NFS4ERR_ACCESS;
        if (object->type == NF4DIR && object->size > 0)
                return NFS4ERR_NOTEMPTY;
        return drop(c, dir->fileid, object->fileid, name);
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        (void)status;
        put_change_info(x, &OP_RES(c, struct remove_res)->info);
}

const struct nfs4_op op_remove = {
        .name = "REMOVE",
        .flags = OP_NEEDS_FH | OP_MUTATES,
        .reply_max = 28,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
