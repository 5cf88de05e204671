/* SPDX-License-Identifier: Apache-2.0 */
/* OPEN, RFC 8881 §18.16.
 *
 * The RFC: looks a regular file up, makes it when asked, and gives an open stateid with a share reservation;
 * UNCHECKED takes what is there (and cuts it when the size asked is 0), GUARDED and the exclusive ways want
 * a new file, the exclusive ways know their own retry by a verifier. We: the verifier has a place of its own
 * in the inode, so that no attribute is spoiled and suppattr_exclcreat is all that can be set. CLAIM_NULL,
 * CLAIM_FH, and CLAIM_PREVIOUS after a restart of ours (mds/state/recovery.h); no delegations, and who
 * wishes for one is told why not. OPEN4_RESULT_PRESERVE_UNLINKED is not promised: an unlinked file outlives
 * a restart of ours only when it is reclaimed in time, so Linux keeps renaming open files that it removes. */
#include "mds/op/open.h"

#include "mds/ops.h"
#include "nfs4/callback.h"

enum { WANT_NONE = 0, WANT_CANCEL = 0x0500, WND4_CANCELLED = 7 };

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
        const struct open_args *a = OP_ARGS(c, struct open_args);
        struct open_target target = { 0 };
        enum nfsstat4 status = open_check_args(c, a);

        *OP_RES(c, struct open_res) = (struct open_res){ 0 };
        if (status != NFS4_OK)
                return status;
        if (a->claim == CLAIM_NULL) {
                status = find_by_name(c, a, &target);
                if (status == NFS4ERR_NOENT && a->create)
                        return open_new(c, &target);
        } else {
                status = subject_of(c, &c->fh, &target.file);
                if (status == NFS4_OK && target.file.pseudo)
                        status = NFS4ERR_ISDIR;
        }
        return status == NFS4_OK ? open_existing(c, &target) : status;
}

/* open_delegation4 of a server without delegations. */
static void put_no_delegation(struct xdr_out *x, uint32_t want)
{
        uint32_t kind = want & OPEN4_SHARE_ACCESS_WANT_DELEG_MASK;

        if (want == WANT_NONE) {
                xdr_put_u32(x, OPEN_DELEGATE_NONE);
                return;
        }
        xdr_put_u32(x, OPEN_DELEGATE_NONE_EXT);
        if (kind == OPEN4_SHARE_ACCESS_WANT_NO_DELEG) {
                xdr_put_u32(x, WND4_NOT_WANTED);
        } else if (kind == WANT_CANCEL) {
                xdr_put_u32(x, WND4_CANCELLED);
        } else {
                xdr_put_u32(x, WND4_RESOURCE);
                xdr_put_bool(x, false); /* will not signal when one can be had */
        }
}

/* §20.11: who can be called is told that it may be when a lock is free, and asks more rarely by itself. */
static uint32_t result_flags(const struct compound *c)
{
        return OPEN4_RESULT_LOCKTYPE_POSIX |
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
        put_no_delegation(x, OP_ARGS(c, struct open_args)->want);
}

const struct nfs4_op op_open = {
        .name = "OPEN",
        .flags = OP_NEEDS_FH | OP_MUTATES | OP_PSEUDO,
        .reply_max = 8 + 16 + 20 + 4 + 16 + 12,
        .decode = open_decode,
        .execute = execute,
        .resume = open_resume,
        .encode = encode,
};
