/* SPDX-License-Identifier: Apache-2.0 */
/* DELEGRETURN, RFC 8881 §18.6: the client gives a delegation back, asked (CB_RECALL) or not; opens that it
 * had under it are open states by now (CLAIM_DELEG_CUR_FH). Who waits for the file goes on. */
#include "mds/op/close.h"
#include "mds/ops.h"
#include "mds/state/delegation.h"
#include "nfs4/codec.h"

struct delegreturn_args {
        struct stateid stateid;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        get_stateid(x, &OP_ARGS(c, struct delegreturn_args)->stateid);
}

static enum nfsstat4 execute(struct compound *c)
{
        struct delegreturn_args *a = OP_ARGS(c, struct delegreturn_args);
        struct delegation *one;
        enum nfsstat4 status = compound_stateid(c, &a->stateid);

        if (status == NFS4_OK)
                status = delegation_find(mds_of(c)->delegations, c->client, &a->stateid, &one);
        if (status != NFS4_OK)
                return status;
        if (one->fileid != c->fh.fileid)
                return NFS4ERR_BAD_STATEID;
        delegation_end(one, c->client);
        return close_layout(c, c->fh.fileid);
}

const struct nfs4_op op_delegreturn = {
        .name = "DELEGRETURN",
        .flags = OP_NEEDS_FH | OP_MUTATES,
        .reply_max = 8,
        .decode = decode,
        .execute = execute,
};
