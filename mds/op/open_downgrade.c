/* SPDX-License-Identifier: Apache-2.0 */
/* OPEN_DOWNGRADE, RFC 8881 §18.18: an open gives up a part of its access and deny. What is left must be the
 * union of what some of its OPENs asked for (INVAL). Wishes for delegations in share_access mean nothing
 * here. */
#include "mds/ops.h"
#include "mds/state/open.h"
#include "nfs4/codec.h"

struct open_downgrade_args {
        struct stateid stateid;
        uint32_t seqid, access, deny;
};
struct open_downgrade_res {
        struct stateid stateid;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct open_downgrade_args *a = OP_ARGS(c, struct open_downgrade_args);

        get_stateid(x, &a->stateid);
        a->seqid = xdr_get_u32(x);
        a->access = xdr_get_u32(x) & ~(uint32_t)OPEN4_SHARE_ACCESS_WANT_DELEG_MASK;
        a->deny = xdr_get_u32(x);
}

static enum nfsstat4 execute(struct compound *c)
{
        struct open_downgrade_args *a = OP_ARGS(c, struct open_downgrade_args);
        struct opens *opens = mds_of(c)->opens;
        struct open_state *state;
        enum nfsstat4 status;

        if (a->access < OPEN4_SHARE_ACCESS_READ || a->access > OPEN4_SHARE_ACCESS_BOTH ||
            a->deny > OPEN4_SHARE_DENY_BOTH)
                return NFS4ERR_INVAL;
        status = compound_stateid(c, &a->stateid);
        if (status == NFS4_OK)
                status = open_find(opens, c->client, &a->stateid, &state);
        if (status != NFS4_OK)
                return status;
        if (state->fileid != c->fh.fileid)
                return NFS4ERR_BAD_STATEID;
        status = open_downgrade(opens, state, (uint8_t)a->access, (uint8_t)a->deny);
        if (status != NFS4_OK)
                return status;
        OP_RES(c, struct open_downgrade_res)->stateid = state->stateid;
        compound_set_stateid(c, &state->stateid);
        return NFS4_OK;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        (void)status;
        put_stateid(x, &OP_RES(c, struct open_downgrade_res)->stateid);
}

const struct nfs4_op op_open_downgrade = {
        .name = "OPEN_DOWNGRADE",
        .flags = OP_NEEDS_FH | OP_MUTATES,
        .reply_max = 24,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
