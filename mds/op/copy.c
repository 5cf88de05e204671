/* SPDX-License-Identifier: Apache-2.0 */
/* COPY, RFC 7862 §15.2.
 *
 * The RFC: the saved file's range goes into the current file, by the server; a count of 0 means to the end; a
 * range that reaches beyond the end of the source is INVAL; the server answers when it is done
 * (cr_synchronous), and may then have copied less than asked; or, if the client allows it, before that, with
 * a stateid, and tells the end by CB_OFFLOAD. We: what is copied in half a second is answered like that.
 * After it, a client that allows it gets a stateid (state/offload.h); any other what was copied until then,
 * and goes on from there. What is told is FILE_SYNC, at once or by CB_OFFLOAD, so COMMIT has nothing left to
 * do. Nothing is copied between servers of different clusters: a source server is NOTSUPP, as is COPY_NOTIFY.
 */
#include "mds/op/copy.h"

#include "mds/ops.h"
#include "mds/state/offload.h"
#include "nfs4/codec.h"

enum { NL4_NETADDR = 3, SOURCE_SERVERS_MAX = 64 };

struct copy_args {
        struct copy_range range;
        bool consecutive, synchronous;
        uint32_t source_servers;
};
struct copy_res {
        struct copy_prepare prepare;
        struct offload *copy;
        uint64_t done;
        bool goes_on;
        struct stateid stateid; /* then */
};

static void skip_netloc(struct xdr_in *x)
{
        uint32_t type = xdr_get_u32(x);

        if (type < 1 || type > NL4_NETADDR)
                x->bad = true;
        xdr_get_opaque(x, UINT32_MAX);
        if (type == NL4_NETADDR)
                xdr_get_opaque(x, UINT32_MAX);
}

static void decode(struct compound *c, struct xdr_in *x)
{
        struct copy_args *a = OP_ARGS(c, struct copy_args);

        get_copy_range(x, &a->range);
        a->consecutive = xdr_get_bool(x);
        a->synchronous = xdr_get_bool(x);
        a->source_servers = xdr_get_u32(x);
        if (a->source_servers > SOURCE_SERVERS_MAX)
                x->bad = true;
        for (uint32_t i = 0; i < a->source_servers && !x->bad; i++)
                skip_netloc(x);
}

/* Everything is there but the bytes. */
static enum nfsstat4 start(struct compound *c)
{
        struct copy_args *a = OP_ARGS(c, struct copy_args);
        struct copy_res *r = OP_RES(c, struct copy_res);
        const struct inode *source, *file;
        enum nfsstat4 status = copy_prepare(c, &a->range, &r->prepare);

        if (status != NFS4_OK || a->range.count == 0)
                return status;
        status = copy_files(c, &source, &file);
        if (status != NFS4_OK)
                return status;
        r->copy = offload_begin(c, a->range.source_offset, a->range.offset, a->range.count);
        return r->copy ? NFS4_WAIT : NFS4ERR_DELAY;
}

static enum nfsstat4 execute(struct compound *c)
{
        *OP_RES(c, struct copy_res) = (struct copy_res){ 0 };
        return OP_ARGS(c, struct copy_args)->source_servers > 0 ? NFS4ERR_NOTSUPP : start(c);
}

static enum nfsstat4 resume(struct compound *c)
{
        struct copy_res *r = OP_RES(c, struct copy_res);

        if (r->prepare.step != PREPARED)
                return start(c);
        if (offload_has_ended(r->copy))
                return offload_end(r->copy, &r->done);
        if (!OP_ARGS(c, struct copy_args)->synchronous) {
                r->goes_on = offload_detach(r->copy, c, &r->stateid);
                if (r->goes_on)
                        return NFS4_OK;
        }
        offload_stop(r->copy, c);
        return NFS4_WAIT;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct copy_res *r = OP_RES(c, struct copy_res);

        (void)status;
        xdr_put_u32(x, r->goes_on ? 1 : 0);
        if (r->goes_on)
                put_stateid(x, &r->stateid);
        xdr_put_u64(x, r->done);
        xdr_put_u32(x, FILE_SYNC4);
        xdr_put_fixed(x, c->server->write_verifier, NFS4_VERIFIER_SIZE);
        xdr_put_bool(x, true); /* consecutive */
        xdr_put_bool(x, !r->goes_on);
}

const struct nfs4_op op_copy = {
        .name = "COPY",
        .flags = OP_NEEDS_FH | OP_NEEDS_SAVED_FH | OP_MUTATES,
        .reply_max = 8 + 48,
        .decode = decode,
        .execute = execute,
        .resume = resume,
        .encode = encode,
};
