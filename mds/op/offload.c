/* SPDX-License-Identifier: Apache-2.0 */
/* OFFLOAD_CANCEL, RFC 7862 §15.8, and OFFLOAD_STATUS, §15.9: copies that go on in the background.
 *
 * The RFC: the current file is the copy's target, and a stateid with seqid 0 does not name one (§4.8). CANCEL
 * ends a copy; COMPLETE_ALREADY when it has ended by itself. STATUS tells the bytes copied so far, and when
 * it has ended how. We: when CANCEL is answered nothing is written any more, and there is no CB_OFFLOAD; one
 * that has ended by itself is the client's to ask about until it has answered CB_OFFLOAD. */
#include "mds/ops.h"
#include "mds/state/offload.h"
#include "nfs4/codec.h"

struct offload_args {
        struct stateid stateid;
};
struct offload_res {
        struct offload *copy; /* CANCEL */
        uint64_t done;
        bool ended;
        enum nfsstat4 status; /* how */
};

static void decode(struct compound *c, struct xdr_in *x)
{
        get_stateid(x, &OP_ARGS(c, struct offload_args)->stateid);
}

static enum nfsstat4 find(struct compound *c, struct offload **ret)
{
        return offload_find(c->client, c->fh.fileid, &OP_ARGS(c, struct offload_args)->stateid, ret);
}

static enum nfsstat4 cancel(struct compound *c)
{
        struct offload_res *r = OP_RES(c, struct offload_res);
        enum nfsstat4 status = find(c, &r->copy);

        if (status != NFS4_OK)
                return status;
        if (offload_has_ended(r->copy))
                return NFS4ERR_COMPLETE_ALREADY;
        offload_stop(r->copy, c);
        return NFS4_WAIT;
}

static enum nfsstat4 cancelled(struct compound *c)
{
        struct offload_res *r = OP_RES(c, struct offload_res);

        offload_end(r->copy, &r->done);
        return NFS4_OK;
}

static enum nfsstat4 look(struct compound *c)
{
        struct offload_res *r = OP_RES(c, struct offload_res);
        struct offload *copy;
        enum nfsstat4 status = find(c, &copy);

        if (status != NFS4_OK)
                return status;
        r->done = offload_done(copy);
        r->ended = offload_has_ended(copy);
        r->status = r->ended ? offload_result(copy) : NFS4_OK;
        return NFS4_OK;
}

static void encode_status(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct offload_res *r = OP_RES(c, struct offload_res);

        (void)status;
        xdr_put_u64(x, r->done);
        xdr_put_u32(x, r->ended ? 1 : 0);
        if (r->ended)
                xdr_put_u32(x, r->status);
}

const struct nfs4_op op_offload_cancel = {
        .name = "OFFLOAD_CANCEL",
        .flags = OP_NEEDS_FH | OP_MUTATES,
        .reply_max = 8,
        .decode = decode,
        .execute = cancel,
        .resume = cancelled,
};

const struct nfs4_op op_offload_status = {
        .name = "OFFLOAD_STATUS",
        .flags = OP_NEEDS_FH,
        .reply_max = 8 + 16,
        .decode = decode,
        .execute = look,
        .encode = encode_status,
};
