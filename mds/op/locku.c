/* SPDX-License-Identifier: Apache-2.0 */
/* LOCKU, RFC 8881 §18.12: unlocks a range, whatever of it is locked; what was locked around it stays. The
 * stateid stays good, even when nothing is locked any more (§8.2.4). */
#include "mds/op/lock.h"
#include "mds/ops.h"

struct locku_args {
        struct stateid stateid;
        struct lock_bytes bytes;
};
struct locku_res {
        struct stateid stateid;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct locku_args *a = OP_ARGS(c, struct locku_args);

        lock_get_type(x); /* of no meaning */
        xdr_get_u32(x);   /* seqid: as little, with sessions */
        get_stateid(x, &a->stateid);
        lock_get_bytes(x, &a->bytes);
}

static enum nfsstat4 execute(struct compound *c)
{
        struct locku_args *a = OP_ARGS(c, struct locku_args);
        struct locks *locks = mds_of(c)->locks;
        struct lock_state *state;
        uint64_t first, last;
        enum nfsstat4 status = lock_range(&a->bytes, &first, &last);

        if (status == NFS4_OK)
                status = compound_stateid(c, &a->stateid);
        if (status == NFS4_OK)
                status = lock_find(locks, c->client, &a->stateid, &state);
        if (status != NFS4_OK)
                return status;
        if (lock_fileid(state) != c->fh.fileid)
                return NFS4ERR_BAD_STATEID;
        status = lock_release(locks, state, first, last);
        if (status != NFS4_OK)
                return status;
        OP_RES(c, struct locku_res)->stateid = state->stateid;
        compound_set_stateid(c, &state->stateid);
        return NFS4_OK;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        (void)status;
        put_stateid(x, &OP_RES(c, struct locku_res)->stateid);
}

const struct nfs4_op op_locku = {
        .name = "LOCKU",
        .flags = OP_NEEDS_FH | OP_MUTATES,
        .reply_max = 24,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
