/* SPDX-License-Identifier: Apache-2.0 */
/* The compound engine: see compound.h. Read compound_run() first. */
#include "nfs4/compound.h"

#include "nfs4/codec.h"
#include "nfs4/ops.h"
#include "nfs4/server.h"

static uint32_t op_limit(const struct compound *c)
{
        return c->minor == 1 ? NFS4_OP_LIMIT_MINOR1 : NFS4_OP_LIMIT;
}

/* The position rules of §2.10.2 and §18.46.3: SEQUENCE first, and only first; what may come without it is
 * alone. */
static enum nfsstat4 check_position(const struct compound *c)
{
        bool first = c->op_index == 0;

        if (c->opnum == OP_SEQUENCE)
                return first ? NFS4_OK : NFS4ERR_SEQUENCE_POS;
        if (first && !(c->op && c->op->flags & OP_NO_SEQUENCE))
                return NFS4ERR_OP_NOT_IN_SESSION;
        if (first && c->op->flags & OP_SOLE && c->op_count != 1)
                return NFS4ERR_NOT_ONLY_OP;
        return NFS4_OK;
}

static enum nfsstat4 check_handles(const struct compound *c)
{
        if (c->op->flags & OP_NEEDS_FH && !c->has_fh)
                return NFS4ERR_NOFILEHANDLE;
        if (c->op->flags & OP_NEEDS_SAVED_FH && !c->has_saved_fh)
                return NFS4ERR_NOFILEHANDLE;
        return NFS4_OK;
}

static uint32_t reply_limit(const struct compound *c)
{
        return c->session && c->session->fore.max_response < BUF_LARGE ? c->session->fore.max_response
                                                                       : BUF_LARGE;
}

uint32_t compound_reply_room(const struct compound *c)
{
        uint32_t used = xdr_out_length(&c->call.out), limit = reply_limit(c);

        return used < limit ? limit - used : 0;
}

/* Whether MORE bytes of results fit the session and, when asked, the cache (§2.10.6.4). */
static enum nfsstat4 check_fits(const struct compound *c, uint32_t more)
{
        uint32_t length = xdr_out_length(&c->call.out) + more;

        if (length > reply_limit(c))
                return NFS4ERR_REP_TOO_BIG;
        if (c->cache_this && length - c->body_at > c->session->fore.max_response_cached)
                return NFS4ERR_REP_TOO_BIG_TO_CACHE;
        return NFS4_OK;
}

/* Before something that cannot be taken back runs, its worst reply must fit, and there is memory for it. */
static enum nfsstat4 check_reply_room(struct compound *c)
{
        uint32_t worst = c->op->reply_max + COMPOUND_HEAD_RESERVE;

        if (!(c->op->flags & OP_MUTATES))
                return NFS4_OK;
        call_need_head(&c->call, worst);
        if (xdr_room(&c->call.out) < worst)
                return NFS4ERR_DELAY;
        return check_fits(c, c->op->reply_max);
}

/* Decode the next operation; what is wrong with it before it runs becomes its result. */
static enum compound_phase next_op(struct compound *c)
{
        struct xdr_in *x = &c->call.args;

        if (c->status != NFS4_OK || c->op_index == c->op_count)
                return C_COMMIT;
        c->opnum = xdr_get_u32(x);
        c->op = NULL;
        c->decode_status = NFS4_OK;
        c->waits = 0;
        if (x->bad) {
                c->opnum = OP_ILLEGAL;
                c->status = NFS4ERR_BADXDR;
                return C_ENCODE;
        }
        if (c->opnum < 3 || c->opnum >= op_limit(c)) {
                c->opnum = OP_ILLEGAL;
                c->status = NFS4ERR_OP_ILLEGAL;
                return C_ENCODE;
        }
        c->op = c->server->ops[c->opnum];
        c->status = check_position(c);
        if (c->status == NFS4_OK && !c->op)
                c->status = NFS4ERR_NOTSUPP;
        if (c->status == NFS4_OK && c->op->decode)
                c->op->decode(c, x);
        if (c->status == NFS4_OK && x->bad)
                c->status = NFS4ERR_BADXDR;
        if (c->status == NFS4_OK)
                c->status = check_handles(c);
        if (c->status == NFS4_OK)
                c->status = c->decode_status;
        if (c->status == NFS4_OK)
                c->status = check_reply_room(c);
        return c->status == NFS4_OK ? C_ADMIT : C_ENCODE;
}

static enum compound_phase admit_op(struct compound *c)
{
        const struct nfs4_hooks *hooks = c->server->hooks;

        c->admitted = false;
        if (hooks->admit && c->op->flags & OP_NAMES) {
                c->waiting = true;
                c->woken = false;
                c->status = hooks->admit(c);
                if (c->status == NFS4_WAIT) {
                        c->waits++;
                        return c->woken ? C_ADMIT : C_PARKED;
                }
                c->waiting = false;
                c->waits = 0;
        }
        c->admitted = true;
        return c->status == NFS4_OK ? C_EXECUTE : C_ENCODE;
}

static enum compound_phase run_op(struct compound *c, enum nfsstat4 (*step)(struct compound *))
{
        const struct nfs4_hooks *hooks = c->server->hooks;

        CHECK(step != NULL);
        c->waiting = true;
        c->woken = false;
        if (hooks->op_begin)
                hooks->op_begin(c);
        c->status = step(c);
        if (hooks->op_end)
                hooks->op_end(c, c->status);
        if (c->status == NFS4_WAIT) {
                c->waits++;
                if (!c->woken)
                        return C_PARKED;
                return C_RESUME;
        }
        c->waiting = false;
        return C_ENCODE;
}

static void count_op(struct compound *c)
{
        struct nfs4_op_metrics *m = &c->server->op_metrics[c->opnum < NFS4_OP_LIMIT ? c->opnum : 0];
        uint64_t now = env_now(c->server->env);

        metric_add(&m->calls, 1);
        if (c->status != NFS4_OK)
                metric_add(&m->errors, 1);
        histogram_add(&m->latency, now - c->op_started_ns);
        c->op_started_ns = now;
}

/* No reply has more payloads, or there was no memory for a longer head. */
static enum nfsstat4 why_full(const struct xdr_out *x)
{
        return x->ref_count == XDR_MAX_REFS ? NFS4ERR_REP_TOO_BIG : NFS4ERR_DELAY;
}

/* Append the result: opnum, status, and what the operation adds. What does not fit becomes an error. */
static enum compound_phase encode_op(struct compound *c)
{
        struct xdr_out *x = &c->call.out;
        enum nfsstat4 fits;

        c->op_at = xdr_head_length(x);
        call_need_head(&c->call, c->op ? c->op->reply_max + COMPOUND_HEAD_RESERVE : COMPOUND_HEAD_RESERVE);
        xdr_put_u32(x, c->opnum);
        xdr_put_u32(x, c->status);
        if (c->op && c->op->encode && (c->status == NFS4_OK || c->op->flags & OP_ENCODES_ERRORS))
                c->op->encode(c, x, c->status);
        fits = x->full ? why_full(x) : check_fits(c, 0);
        if (fits != NFS4_OK && !c->abandoned_reply) {
                xdr_truncate(x, c->op_at);
                c->status = fits;
                xdr_put_u32(x, c->opnum);
                xdr_put_u32(x, c->status);
        }
        CHECK(!x->full);
        count_op(c);
        c->op_index++;
        return c->abandoned_reply ? C_REPLY : C_DECODE;
}

/* All results stand; the reply leaves when what it tells is durable. */
static enum compound_phase commit(struct compound *c)
{
        xdr_patch_u32(&c->call.out, c->body_at, c->status);
        xdr_patch_u32(&c->call.out, c->count_at, c->op_index);
        if (c->server->hooks->commit && !c->server->hooks->commit(c))
                return C_PARKED;
        return C_REPLY;
}

static void finish(struct compound *c)
{
        metric_add(&c->server->bytes_out, xdr_out_length(&c->call.out));
        slot_finish(c);
        call_reply(&c->call);
}

static void compound_run(struct compound *c) /* the only function in the server that waits */
{
        for (;;)
                switch (c->phase) {
                case C_DECODE: c->phase = next_op(c); break;
                case C_ADMIT: c->phase = admit_op(c); break;
                case C_EXECUTE: c->phase = run_op(c, c->op->execute); break;
                case C_RESUME: c->phase = run_op(c, c->op->resume); break;
                case C_ENCODE: c->phase = encode_op(c); break;
                case C_COMMIT: c->phase = commit(c); break;
                case C_REPLY: finish(c); return;
                case C_PARKED: return;
                }
}

void compound_wake(struct compound *c)
{
        CHECK(c->waiting);
        c->woken = true;
        if (c->phase != C_PARKED)
                return; /* still inside execute() or admit(): the engine sees it */
        c->phase = c->admitted ? C_RESUME : C_ADMIT;
        compound_run(c);
}

void compound_committed(struct compound *c)
{
        CHECK(c->phase == C_PARKED);
        c->phase = C_REPLY;
        compound_run(c);
}

/* COMPOUND4args up to the operations, COMPOUND4res up to the results. False: garbage. */
static bool begin(struct compound *c)
{
        struct xdr_in *x = &c->call.args;
        struct xdr_out *out = &c->call.out;
        struct slice tag = xdr_get_opaque(x, NFS4_OPAQUE_LIMIT);

        c->minor = xdr_get_u32(x);
        c->op_count = xdr_get_u32(x);
        if (x->bad)
                return false;
        c->body_at = xdr_head_length(out);
        xdr_put_u32(out, NFS4_OK);
        xdr_put_slice(out, tag);
        c->count_at = xdr_head_length(out);
        xdr_put_u32(out, 0);
        CHECK(!out->full);
        if (c->minor != 1 && c->minor != 2)
                c->status = NFS4ERR_MINOR_VERS_MISMATCH;
        else if (!is_utf8(tag)) /* utf8str_cs: §14.5 */
                c->status = NFS4ERR_INVAL;
        return true;
}

void compound_dispatch(void *service, struct call *call)
{
        struct compound *c = CONTAINER(call, struct compound, call);
        struct nfs4_server *s = service;

        memset((char *)c + sizeof(*call), 0, offsetof(struct compound, args) - sizeof(*call));
        list_init(&c->commit_node);
        c->server = s;
        c->op_started_ns = call->arrived_ns;
        metric_add(&s->bytes_in, xdr_left(&call->args));
        if (call->header.proc == NFSPROC4_NULL) {
                call_reply(call);
                return;
        }
        if (call->header.proc != NFSPROC4_COMPOUND) {
                call_reply_error(call, RPC_PROC_UNAVAIL);
                return;
        }
        if (!begin(c)) {
                call_reply_error(call, RPC_GARBAGE_ARGS);
                return;
        }
        c->phase = c->status == NFS4_OK ? C_DECODE : C_COMMIT;
        compound_run(c);
}

enum nfsstat4 compound_stateid(struct compound *c, struct stateid *inout)
{
        if (!stateid_is_current(inout))
                return NFS4_OK;
        if (!c->has_stateid)
                return NFS4ERR_BAD_STATEID;
        *inout = c->stateid;
        return NFS4_OK;
}

void compound_set_stateid(struct compound *c, const struct stateid *s)
{
        c->stateid = *s;
        c->has_stateid = true;
}

void compound_set_fh(struct compound *c, const struct fh *fh)
{
        c->fh = *fh;
        c->has_fh = true;
        c->has_stateid = false;
}
