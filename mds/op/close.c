/* SPDX-License-Identifier: Apache-2.0 */
/* CLOSE, RFC 8881 §18.2: ends an open and its share reservation.
 *
 * The RFC: the stateid given back is never to be used again; since sessions it is the invalid special one.
 * We: the last close of a file without a name deletes it. A layout that is to be returned on close
 * (§12.5.5.1) goes with the client's last one, also when the client forgot to send its LAYOUTRETURN; a
 * delegation keeps it until DELEGRETURN. */
#include "mds/op/close.h"

#include "mds/ns/orphan.h"
#include "mds/ops.h"
#include "mds/state/delegation.h"
#include "mds/state/layout.h"
#include "mds/state/open.h"
#include "mds/tier/archive.h"
#include "nfs4/codec.h"

struct close_args {
        uint32_t seqid; /* means nothing with sessions */
        struct stateid stateid;
};

static const struct stateid invalid = { .seqid = UINT32_MAX };

static void decode(struct compound *c, struct xdr_in *x)
{
        struct close_args *a = OP_ARGS(c, struct close_args);

        a->seqid = xdr_get_u32(x);
        get_stateid(x, &a->stateid);
}

enum nfsstat4 close_layout(struct compound *c, uint64_t fileid)
{
        struct mds *mds = mds_of(c);
        struct layout_state *layout = layout_of(mds->layouts, c->client, fileid);
        bool gone;

        if (!layout || !layout->return_on_close || opens_has_open(mds->opens, c->client, fileid) ||
            delegation_of(mds->delegations, c->client, fileid))
                return NFS4_OK;
        return layout_return(mds->layouts, layout, LAYOUTIOMODE4_ANY, 0, &c->commit_seq, &gone);
}

static enum nfsstat4 execute(struct compound *c)
{
        struct close_args *a = OP_ARGS(c, struct close_args);
        struct mds *mds = mds_of(c);
        struct open_state *state;
        uint64_t fileid;
        enum nfsstat4 status = compound_stateid(c, &a->stateid);

        if (status == NFS4_OK)
                status = open_find(mds->opens, c->client, &a->stateid, &state);
        if (status != NFS4_OK)
                return status;
        fileid = state->fileid;
        if (fileid != c->fh.fileid)
                return NFS4ERR_BAD_STATEID;
        if (open_close(mds->opens, state))
                orphan_closed(mds, fileid, c->client);
        else
                archive_closed(mds, fileid);
        compound_set_stateid(c, &invalid);
        return close_layout(c, fileid);
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        (void)c;
        (void)status;
        put_stateid(x, &invalid);
}

const struct nfs4_op op_close = {
        .name = "CLOSE",
        .flags = OP_NEEDS_FH | OP_MUTATES,
        .reply_max = 24,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
