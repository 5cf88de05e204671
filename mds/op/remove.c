/* SPDX-License-Identifier: Apache-2.0 */
/* REMOVE, RFC 8881 §18.25: takes a name away, of any object; directories must be empty (NOTEMPTY).
 *
 * The RFC: an object that is open may live on. We: it does, until its last CLOSE (mds/ns/orphan.h); else a
 * last name gone means that the inode goes in the same transaction and the reaper gets its objects. Who has a
 * delegation of it gives that back first (mds/state/delegation.h). */
#include "mds/ns/orphan.h"
#include "mds/op/change.h"
#include "mds/ops.h"
#include "mds/state/delegation.h"

struct remove_args {
        struct slice name;
};
struct remove_res {
        struct change_info cinfo;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct remove_args *a = OP_ARGS(c, struct remove_args);

        a->name = xdr_get_opaque(x, UINT32_MAX);
        c->decode_status = check_name(a->name);
}

static enum nfsstat4 check(struct compound *c, struct slice name, struct subject *dir,
                           const struct inode **ret_child)
{
        enum nfsstat4 status = subject_dir(c, &c->fh, PERM_X, dir);

        if (status != NFS4_OK)
                return status == NFS4ERR_SYMLINK ? NFS4ERR_NOTDIR : status;
        if (dir->pseudo)
                return pseudo_lookup(dir->pseudo, name) ? NFS4ERR_ROFS : NFS4ERR_NOENT;
        status = subject_child(c, dir, name, ret_child);
        if (status == NFS4_OK)
                status = subject_may_remove(dir, *ret_child);
        if (status == NFS4_OK && change_is_full_dir(*ret_child))
                status = NFS4ERR_NOTEMPTY;
        return status;
}

static enum nfsstat4 take(struct compound *c, struct txn *t, const struct subject *dir,
                          const struct inode *child, struct orphan *orphan)
{
        struct change_info *cinfo = &OP_RES(c, struct remove_res)->cinfo;
        struct inode *parent = txn_edit(t, dir->inode->fileid), *inode = txn_edit(t, child->fileid);
        int r;

        if (!parent || !inode)
                return NFS4ERR_IO;
        cinfo->before = parent->change;
        r = txn_unlink(t, parent->fileid, OP_ARGS(c, struct remove_args)->name);
        if (r < 0)
                return nfs4_status_from_errno(r);
        change_unlink(mds_of(c), t, parent, OP_ARGS(c, struct remove_args)->name, inode, orphan);
        change_dir(t, parent, cinfo);
        return NFS4_OK;
}

static enum nfsstat4 execute(struct compound *c)
{
        const struct inode *child;
        struct subject dir;
        struct orphan orphan;
        enum nfsstat4 status = check(c, OP_ARGS(c, struct remove_args)->name, &dir, &child);
        struct txn *t;

        if (status == NFS4_OK)
                status = delegation_conflict_by_change(c, child->fileid, OP_WAIT(c, struct delegation_wait));
        if (status != NFS4_OK)
                return status;
        t = txn_begin(mds_of(c)->meta);
        status = take(c, t, &dir, child, &orphan);
        if (status != NFS4_OK) {
                txn_abort(t);
                return status;
        }
        status = change_commit(c, t);
        if (status == NFS4_OK)
                orphan_finish(mds_of(c), &orphan, c->client);
        return status;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        (void)status;
        put_change_info(x, &OP_RES(c, struct remove_res)->cinfo);
}

static struct slice acts_on(struct compound *c, bool saved)
{
        return saved ? slice_str("") : OP_ARGS(c, struct remove_args)->name;
}

const struct nfs4_op op_remove = {
        .name = "REMOVE",
        .flags = OP_NEEDS_FH | OP_MUTATES | OP_PSEUDO | OP_NAMES,
        .reply_max = 28,
        .decode = decode,
        .execute = execute,
        .resume = execute,
        .encode = encode,
        .acts_on = acts_on,
};
