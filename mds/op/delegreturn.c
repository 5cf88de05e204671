/* SPDX-License-Identifier: Apache-2.0 */
/* DELEGRETURN, RFC 8881 §18.6: the client gives a delegation back, asked (CB_RECALL) or not; opens that it
 * had under it are open states by now (CLAIM_DELEG_CUR_FH). Who waits for the file goes on.
 *
 * One that was revoked meanwhile is an error, and the change attribute of the file moves: Linux 6.1 asks for
 * attributes in front of DELEGRETURN and takes all that has changed for its own doing, so that its pages,
 * from before what others did without it, would stay for ever (seen with a client that had been cut off). */
#include "mds/op/change.h"
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

/* A new change attribute makes its client look. WHY is the answer in any case. */
static enum nfsstat4 too_late(struct compound *c, enum nfsstat4 why)
{
        struct txn *t = txn_begin(mds_of(c)->meta);
        struct inode *inode = txn_edit(t, c->fh.fileid);

        if (inode) {
                txn_touch(t, inode, false);
                change_commit(c, t);
        } else {
                txn_abort(t);
        }
        return why;
}

static enum nfsstat4 execute(struct compound *c)
{
        struct delegreturn_args *a = OP_ARGS(c, struct delegreturn_args);
        struct delegation *one;
        enum nfsstat4 status = compound_stateid(c, &a->stateid);

        if (status == NFS4_OK)
                status = delegation_find(mds_of(c)->delegations, c->client, &a->stateid, &one);
        if (status == NFS4ERR_DELEG_REVOKED || status == NFS4ERR_EXPIRED)
                return too_late(c, status);
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
