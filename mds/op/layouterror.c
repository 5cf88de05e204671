/* SPDX-License-Identifier: Apache-2.0 */
/* LAYOUTERROR and LAYOUTSTATS, RFC 7862 §15.6 and §15.7: a client tells what it met, or how much it read and
 * wrote, under a layout. The RFC leaves it to the server what to make of that. We: count, and tell the
 * operator (pnfs/reports.h). Stock Linux sends neither with the files layout. */
#include "mds/mds.h"
#include "mds/ops.h"
#include "mds/pnfs/reports.h"
#include "mds/state/layout.h"
#include "nfs4/codec.h"

enum { ERRORS_MAX = 32 /* looked at, of one call */, STATS_BYTES = 2 * 16 };

struct layouterror_args {
        uint64_t offset, length;
        struct stateid stateid;
        uint32_t type;
        uint32_t count;
        struct {
                uint8_t device[NFS4_DEVICEID_SIZE];
                uint32_t status, opnum;
        } errors[ERRORS_MAX];
};

static void decode_range(struct layouterror_args *a, struct xdr_in *x)
{
        a->offset = xdr_get_u64(x);
        a->length = xdr_get_u64(x);
        get_stateid(x, &a->stateid);
        a->count = 0;
}

static void decode_errors(struct compound *c, struct xdr_in *x)
{
        struct layouterror_args *a = OP_ARGS(c, struct layouterror_args);
        uint32_t count, rest;

        decode_range(a, x);
        a->type = LAYOUT4_NFSV4_1_FILES;
        count = xdr_get_u32(x);
        rest = count > ERRORS_MAX ? count - ERRORS_MAX : 0;
        for (; a->count < count - rest && !x->bad; a->count++) {
                xdr_get_fixed(x, a->errors[a->count].device, NFS4_DEVICEID_SIZE);
                a->errors[a->count].status = xdr_get_u32(x);
                a->errors[a->count].opnum = xdr_get_u32(x);
        }
        for (; rest > 0 && !x->bad; rest--)
                xdr_get_bytes(x, NFS4_DEVICEID_SIZE + 8);
}

static void decode_stats(struct compound *c, struct xdr_in *x)
{
        struct layouterror_args *a = OP_ARGS(c, struct layouterror_args);

        decode_range(a, x);
        xdr_get_bytes(x, STATS_BYTES);
        xdr_get_bytes(x, NFS4_DEVICEID_SIZE);
        a->type = xdr_get_u32(x);
        xdr_get_opaque(x, 65536);
}

static enum nfsstat4 check(struct compound *c)
{
        struct layouterror_args *a = OP_ARGS(c, struct layouterror_args);
        enum nfsstat4 status = compound_stateid(c, &a->stateid);
        struct layout_state *state;

        if (status != NFS4_OK)
                return status;
        if (a->type != LAYOUT4_NFSV4_1_FILES)
                return NFS4ERR_UNKNOWN_LAYOUTTYPE;
        status = layout_find(mds_of(c)->layouts, c->client, &a->stateid, &state);
        if (status != NFS4_OK)
                return status;
        return state->fileid == c->fh.fileid ? NFS4_OK : NFS4ERR_BAD_STATEID;
}

static enum nfsstat4 take_errors(struct compound *c)
{
        const struct layouterror_args *a = OP_ARGS(c, struct layouterror_args);
        enum nfsstat4 status = check(c);

        for (uint32_t i = 0; status == NFS4_OK && i < a->count; i++)
                report_error(mds_of(c)->reports, c->client, a->errors[i].device, a->errors[i].status,
                             a->errors[i].opnum);
        return status;
}

static enum nfsstat4 take_stats(struct compound *c)
{
        enum nfsstat4 status = check(c);

        if (status == NFS4_OK)
                report_stats(mds_of(c)->reports);
        return status;
}

const struct nfs4_op op_layouterror = {
        .name = "LAYOUTERROR",
        .flags = OP_NEEDS_FH,
        .reply_max = 8,
        .decode = decode_errors,
        .execute = take_errors,
};

const struct nfs4_op op_layoutstats = {
        .name = "LAYOUTSTATS",
        .flags = OP_NEEDS_FH,
        .reply_max = 8,
        .decode = decode_stats,
        .execute = take_stats,
};
