/* SPDX-License-Identifier: Apache-2.0 */
/* LOCKT, RFC 8881 §18.11: would this lock be denied, and by whom? An owner's own locks are not in its way. It
 * needs no open, and says nothing about the future. */
#include "mds/op/lock.h"
#include "mds/ops.h"
#include "mds/state/delegation.h"
#include "mds/state/recovery.h"

struct lockt_args {
        uint32_t type;
        struct lock_bytes bytes;
        struct slice owner;
};
struct lockt_res {
        struct lock_denied denied;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct lockt_args *a = OP_ARGS(c, struct lockt_args);

        a->type = lock_get_type(x);
        lock_get_bytes(x, &a->bytes);
        a->owner = lock_get_owner(x);
}

static enum nfsstat4 execute(struct compound *c)
{
        const struct lockt_args *a = OP_ARGS(c, struct lockt_args);
        struct mds *mds = mds_of(c);
        struct lock_wish wish;
        enum nfsstat4 status = lock_wish_of(c, a->type, &a->bytes, &wish);

        if (status != NFS4_OK)
                return status;
        if (recovery_in_grace(mds->recovery))
                return NFS4ERR_GRACE; /* who has it locked may not have reclaimed it yet */
        /* Who holds a delegation locks without us (§10.4.2). */
        status = a->type == READ_LT || a->type == READW_LT
                         ? delegation_conflict_by_reading(c, c->fh.fileid, OP_WAIT(c, struct delegation_wait))
                         : delegation_conflict(c, c->fh.fileid, OP_WAIT(c, struct delegation_wait));
        if (status != NFS4_OK)
                return status;
        wish.owner = a->owner;
        return lock_test(mds->locks, &wish, &OP_RES(c, struct lockt_res)->denied);
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        if (status == NFS4ERR_DENIED)
                lock_put_denied(x, &OP_RES(c, struct lockt_res)->denied);
}

const struct nfs4_op op_lockt = {
        .name = "LOCKT",
        .flags = OP_NEEDS_FH | OP_ENCODES_ERRORS,
        .reply_max = 8 + LOCK_DENIED_MAX,
        .decode = decode,
        .execute = execute,
        .resume = execute,
        .encode = encode,
};
