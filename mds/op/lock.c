/* SPDX-License-Identifier: Apache-2.0 */
/* LOCK, RFC 8881 §18.10 (and §9 for what locks are).
 *
 * The RFC: locks a range for the lock-owner that the arguments name with the open's stateid, or that a lock
 * stateid stands for; READ_LT wants an open for reading, WRITE_LT one for writing; the answer to a conflict
 * says which lock is in the way. We: any range of 64 bits, so never BAD_RANGE or LOCK_RANGE; an upgrade or a
 * downgrade of a part is one step; no search for deadlocks. READW_LT and WRITEW_LT are answered at once, and
 * who asked is called when it may try again (mds/state/lock.h). */
#include "mds/op/lock.h"

#include "mds/ops.h"
#include "mds/state/open.h"
#include "mds/state/recovery.h"

struct lock_args {
        uint32_t type;
        bool reclaim, new_owner;
        struct lock_bytes bytes;
        struct stateid stateid; /* of the open with a new owner, else of the locks */
        struct slice owner;     /* new_owner */
};
struct lock_res {
        struct stateid stateid;
        struct lock_denied denied;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct lock_args *a = OP_ARGS(c, struct lock_args);

        a->type = lock_get_type(x);
        a->reclaim = xdr_get_bool(x);
        lock_get_bytes(x, &a->bytes);
        a->new_owner = xdr_get_bool(x);
        if (!a->new_owner) {
                get_stateid(x, &a->stateid);
                xdr_get_u32(x); /* lock_seqid: means nothing with sessions */
                return;
        }
        xdr_get_u32(x); /* open_seqid: as well */
        get_stateid(x, &a->stateid);
        xdr_get_u32(x);
        a->owner = lock_get_owner(x);
}

/* Whose lock it becomes, and under which open. */
static enum nfsstat4 find_locker(struct compound *c, struct lock_args *a, struct slice *ret_owner,
                                 struct open_state **ret_open)
{
        struct mds *mds = mds_of(c);
        struct lock_state *state;
        enum nfsstat4 status = compound_stateid(c, &a->stateid);

        if (status != NFS4_OK)
                return status;
        *ret_owner = a->owner;
        if (a->new_owner)
                return open_find(mds->opens, c->client, &a->stateid, ret_open);
        status = lock_find(mds->locks, c->client, &a->stateid, &state);
        if (status != NFS4_OK)
                return status;
        *ret_owner = lock_owner_name(state);
        *ret_open = state->open;
        return NFS4_OK;
}

static enum nfsstat4 check_mode(const struct open_state *open, enum range_kind kind)
{
        uint32_t needed = kind == RANGE_WRITE ? OPEN4_SHARE_ACCESS_WRITE : OPEN4_SHARE_ACCESS_READ;

        return open->access & needed ? NFS4_OK : NFS4ERR_OPENMODE;
}

static enum nfsstat4 take(struct compound *c, struct open_state *open, const struct lock_wish *wish)
{
        struct lock_res *r = OP_RES(c, struct lock_res);
        struct lock_state *state;
        enum nfsstat4 status = lock_take(mds_of(c)->locks, open, wish, &state, &r->denied);

        if (status == NFS4_OK) {
                r->stateid = state->stateid;
                compound_set_stateid(c, &r->stateid);
        }
        return status;
}

static enum nfsstat4 execute(struct compound *c)
{
        struct lock_args *a = OP_ARGS(c, struct lock_args);
        struct open_state *open;
        struct lock_wish wish;
        enum nfsstat4 status = lock_wish_of(c, a->type, &a->bytes, &wish);

        if (status == NFS4_OK)
                status = find_locker(c, a, &wish.owner, &open);
        if (status != NFS4_OK)
                return status;
        if (open->fileid != c->fh.fileid)
                return NFS4ERR_BAD_STATEID;
        status = check_mode(open, wish.kind);
        if (status == NFS4_OK)
                status = a->reclaim ? recovery_reclaim(c) : recovery_admit(c);
        if (status == NFS4_OK)
                status = recovery_record(c);
        if (status == NFS4_OK)
                status = take(c, open, &wish);
        return status == NFS4ERR_DENIED && a->reclaim ? NFS4ERR_RECLAIM_CONFLICT : status;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct lock_res *r = OP_RES(c, struct lock_res);

        if (status == NFS4_OK)
                put_stateid(x, &r->stateid);
        if (status == NFS4ERR_DENIED)
                lock_put_denied(x, &r->denied);
}

const struct nfs4_op op_lock = {
        .name = "LOCK",
        .flags = OP_NEEDS_FH | OP_MUTATES | OP_ENCODES_ERRORS,
        .reply_max = 8 + LOCK_DENIED_MAX,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
