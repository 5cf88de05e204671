/* SPDX-License-Identifier: Apache-2.0 */
/* OPEN_DOWNGRADE, RFC 8881 §18.18: less access or deny for an open, among what its OPENs asked for. */
#include "mds/ops.h"
#include "mds/state/open.h"
#include "nfs4/codec.h"

struct downgrade_args {
        struct stateid stateid;
        uint32_t access, deny;
};
struct downgrade_res {
        struct stateid stateid;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct downgrade_args *a = OP_ARGS(c, struct downgrade_args);

        get_stateid(x, &a->stateid);
        xdr_get_u32(x); /* seqid of 4.0 */
        a->access = xdr_get_u32(x);
        a->deny = xdr_get_u32(x);
}

static enum nfsstat4 execute(struct compound *c)
{
        struct downgrade_args *a = OP_ARGS(c, struct downgrade_args);
        struct opens *opens = mds_of(c)->opens;
        struct open_state *open;
        uint32_t access = a->access & ~(uint32_t)OPEN4_SHARE_ACCESS_WANT_DELEG_MASK;
        enum nfsstat4 status = compound_stateid(c, &a->stateid);

        if (status != NFS4_OK)
                return status;
        if (access == 0 || access > OPEN4_SHARE_ACCESS_BOTH || a->deny > OPEN4_SHARE_DENY_BOTH)
                return NFS4ERR_INVAL;
        status = open_find(opens, c->client, &a->stateid, &open);
        if (status != NFS4_OK)
                return status;
        if (open->fileid != c->fh.fileid)
                return NFS4ERR_BAD_STATEID;
        status = open_downgrade(opens, open, (uint8_t)access, (uint8_t)a->deny);
        if (status != NFS4_OK)
                return status;
        OP_RES(c, struct downgrade_res)->stateid = open->stateid;
        compound_set_stateid(c, &open->stateid);
        return NFS4_OK;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        (void)status;
        put_stateid(x, &OP_RES(c, struct downgrade_res)->stateid);
}

const struct nfs4_op op_open_downgrade = {
        .name = "OPEN_DOWNGRADE",
        .flags = OP_NEEDS_FH | OP_MUTATES,
        .reply_max = 24,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
