/* SPDX-License-Identifier: Apache-2.0 */
/* OPEN, RFC 8881 §18.16.
 *
 * The RFC: looks a regular file up, makes it when asked, and gives an open stateid with a share reservation;
 * UNCHECKED takes what is there (and cuts it when the size asked is 0), GUARDED and the exclusive ways want
 * a new file, the exclusive ways know their own retry by a verifier. We: the verifier has a place of its own
 * in the inode, so that no attribute is spoiled and suppattr_exclcreat is all that can be set. CLAIM_NULL,
 * CLAIM_FH, CLAIM_PREVIOUS after a restart of ours (mds/state/recovery.h), and opens under a delegation that
 * is being given back; delegations where they are worth it (mds/state/delegation.h), and who wishes for one
 * and gets none is told why; who wants one instead of an open (RFC 9754) gets no open stateid with it, and
 * never closes: the delegation is its open, until it is given back. OPEN4_RESULT_PRESERVE_UNLINKED is not
 * promised: an unlinked file outlives a restart of ours only when it is reclaimed in time, so Linux keeps
 * renaming open files that it removes. */
#include "mds/op/open.h"

#include "mds/ops.h"
#include "nfs4/callback.h"

enum { DELEGATION_MAX = 4 + 16 + 4 + 12 + 16 };

static enum nfsstat4 find_by_name(struct compound *c, const struct open_args *a, struct open_target *ret)
{
        enum nfsstat4 status = subject_dir(c, &c->fh, PERM_X, &ret->dir);

        if (status != NFS4_OK)
                return status == NFS4ERR_SYMLINK ? NFS4ERR_NOTDIR : status;
        if (ret->dir.pseudo) {
                if (pseudo_lookup(ret->dir.pseudo, a->name))
                        return NFS4ERR_ISDIR;
                return a->create ? NFS4ERR_ROFS : NFS4ERR_NOENT;
        }
        ret->file.who = ret->dir.who;
        status = subject_child(c, &ret->dir, a->name, &ret->file.inode);
        if (status == NFS4_OK)
                ret->file.fh = inode_fh(ret->dir.fh.export_id, ret->file.inode);
        else
                ret->file.inode = NULL;
        return status;
}

static enum nfsstat4 execute(struct compound *c)
{
        struct open_args *a = OP_ARGS(c, struct open_args);
        struct open_target target = { 0 };
        enum nfsstat4 status = open_check_args(c, a);

        *OP_RES(c, struct open_res) = (struct open_res){ 0 };
        if (status != NFS4_OK)
                return status;
        if (open_is_by_name(a)) {
                status = find_by_name(c, a, &target);
                if (status == NFS4ERR_NOENT && a->create && a->claim == CLAIM_NULL)
                        return open_new(c, &target);
        } else {
                status = subject_of(c, &c->fh, &target.file);
                if (status == NFS4_OK && target.file.pseudo)
                        status = NFS4ERR_ISDIR;
        }
        return status == NFS4_OK ? open_existing(c, &target) : status;
}

/* Nothing of it has been done yet, or it is half done. */
static enum nfsstat4 resume(struct compound *c)
{
        return OP_WAIT(c, struct open_wait)->step == OPEN_RECALLING ? execute(c) : open_resume(c);
}

/* open_delegation4. The limit for one for writing is a file of no bytes: we keep no space for what clients
 * have in their caches, so they are to write it with the last close, as without a delegation, while there is
 * somebody who can be told that the disks are full (§10.4.1). The permissions that come with a delegation say
 * nothing: who opens asks by ACCESS (§10.4.1 leaves that to us). */
static void put_delegation(struct xdr_out *x, const struct open_delegation *d)
{
        xdr_put_u32(x, d->type);
        if (d->type == OPEN_DELEGATE_NONE_EXT) {
                xdr_put_u32(x, d->why);
                if (d->why == WND4_CONTENTION || d->why == WND4_RESOURCE)
                        xdr_put_bool(x, false); /* nobody is called when one can be had */
        } else if (is_delegated(d)) {
                put_stateid(x, &d->stateid);
                xdr_put_bool(x, d->recall);
                if (d->type != OPEN_DELEGATE_READ) {
                        xdr_put_u32(x, NFS_LIMIT_SIZE);
                        xdr_put_u64(x, 0);
                }
                xdr_put_u32(x, ACE4_ACCESS_ALLOWED_ACE_TYPE);
                xdr_put_u32(x, 0); /* flags */
                xdr_put_u32(x, 0); /* mask */
                xdr_put_u32(x, 0); /* who */
        }
}

/* §20.11: who can be called is told that it may be when a lock is free, and asks more rarely by itself. */
static uint32_t result_flags(const struct compound *c)
{
        return OPEN4_RESULT_LOCKTYPE_POSIX |
               (OP_RES(c, struct open_res)->only_delegated ? OPEN4_RESULT_NO_OPEN_STATEID : 0) |
               (callback_possible(c->client) ? OPEN4_RESULT_MAY_NOTIFY_LOCK : 0);
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct open_res *r = OP_RES(c, struct open_res);

        (void)status;
        put_stateid(x, &r->stateid);
        put_change_info(x, &r->cinfo);
        xdr_put_u32(x, result_flags(c));
        put_bitmap(x, &r->attrset);
        put_delegation(x, &r->delegation);
}

static struct slice acts_on(struct compound *c, bool saved)
{
        const struct open_args *a = OP_ARGS(c, struct open_args);

        return saved || !open_is_by_name(a) ? slice_str("") : a->name;
}

const struct nfs4_op op_open = {
        .name = "OPEN",
        .flags = OP_NEEDS_FH | OP_MUTATES | OP_PSEUDO | OP_NAMES,
        .reply_max = 8 + 16 + 20 + 4 + 16 + DELEGATION_MAX,
        .decode = open_decode,
        .execute = execute,
        .resume = resume,
        .encode = encode,
        .acts_on = acts_on,
};
