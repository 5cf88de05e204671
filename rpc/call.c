/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the peer: from a record to a program, and their replies. */
#include "base/log.h"
#include "rpc/internal.h"

bool call_has_room(struct conn *c)
{
        const struct rpc_limits *limits = &c->server->limits;

        if (c->call_count >= limits->max_calls_per_conn || c->queued_bytes >= limits->max_reply_bytes)
                return false; /* resumed when one of its own replies has gone out */
        if (c->server->calls.in_use < limits->max_calls)
                return true;
        server_wait(c);
        return false;
}

static void call_free(struct call *call)
{
        struct conn *c = call->conn;
        struct rpc_server *s = c->server;

        xdr_out_release(&call->out);
        buf_unref(call->big_head);
        list_remove(&call->node);
        c->call_count--;
        slab_put(&s->calls, call);
        conn_unref(c);
        server_wake(s);
}

static void reply_sent(struct rpc_sending *m)
{
        call_free(CONTAINER(m, struct call, sending));
}

/* The arguments are done with: they may have been the last that kept their buffer. */
static void release_record(struct call *call)
{
        struct conn *c = call->conn;
        bool shared = call->record == c->in.buf;

        buf_unref(call->record);
        call->record = NULL;
        call->args = (struct xdr_in){ .bad = true };
        if (shared && !c->has_record)
                record_release_idle(&c->in);
}

void call_reply(struct call *call)
{
        struct conn *c = call->conn;

        if (call->out.full) {
                log_error("reply-too-long", "prog=%u proc=%u", call->header.prog, call->header.proc);
                call_reply_error(call, RPC_SYSTEM_ERR);
                return;
        }
        release_record(call);
        if (conn_is_closed(c))
                call_free(call);
        else
                conn_queue(c, &call->sending, &call->out, reply_sent);
}

static void empty_reply(struct call *call)
{
        xdr_out_release(&call->out);
        xdr_out_init(&call->out, call->out.start, (uint32_t)(call->out.end - call->out.start));
}

void call_need_head(struct call *call, uint32_t bytes)
{
        struct xdr_out *x = &call->out;
        uint32_t length = xdr_head_length(x), wanted = length + bytes + RPC_HEADROOM;
        struct buf *bigger;

        if (xdr_room(x) >= bytes || wanted > BUF_LARGE)
                return;
        bigger = buf_get(call->conn->server->pool, wanted);
        if (!bigger)
                return;
        memcpy(bigger->data + RPC_HEADROOM, x->start, length);
        x->start = bigger->data + RPC_HEADROOM;
        x->p = x->start + length;
        x->end = bigger->data + bigger->capacity;
        buf_unref(call->big_head);
        call->big_head = bigger;
}

void call_reply_error(struct call *call, enum rpc_accept stat)
{
        empty_reply(call);
        rpc_put_accepted(&call->out, call->header.xid, stat);
        call_reply(call);
}

/* RFC 5531 §9: the version of RPC, who calls, then what for. NULL: CALL was answered. */
static const struct rpc_program *find_program(const struct rpc_server *s, struct call *call)
{
        const struct rpc_header *h = &call->header;
        uint32_t low = UINT32_MAX, high = 0;

        if (h->rpcvers != RPC_VERS || h->auth != RPC_AUTH_OK) {
                rpc_put_denied(&call->out, h->xid, h->rpcvers != RPC_VERS ? RPC_AUTH_OK : h->auth);
                return NULL;
        }
        for (const struct rpc_program *p = s->programs; p->prog != 0; p++) {
                if (p->prog != h->prog)
                        continue;
                if (p->vers == h->vers) {
                        rpc_put_accepted(&call->out, h->xid, RPC_SUCCESS);
                        return p;
                }
                low = p->vers < low ? p->vers : low;
                high = p->vers > high ? p->vers : high;
        }
        if (high >= low)
                rpc_put_mismatch(&call->out, h->xid, low, high);
        else
                rpc_put_accepted(&call->out, h->xid, RPC_PROG_UNAVAIL);
        return NULL;
}

static struct call *call_new(struct conn *c, const struct rpc_header *header, struct xdr_in args)
{
        struct rpc_server *s = c->server;
        struct call *call = slab_get_raw(&s->calls);

        if (!call)
                return NULL;
        call->conn = conn_ref(c);
        list_push(&c->calls, &call->node);
        c->call_count++;
        call->header = *header;
        call->record = buf_ref(c->in.buf);
        call->args = args;
        call->big_head = NULL;
        xdr_out_init(&call->out, (uint8_t *)call + s->call_bytes + RPC_HEADROOM, RPC_HEAD_BYTES);
        call->arrived_ns = c->read_ns;
        return call;
}

void call_dispatch(struct conn *c, struct slice record)
{
        struct rpc_server *s = c->server;
        struct xdr_in x = xdr_in_of(record);
        const struct rpc_program *program;
        struct rpc_header header;
        struct call *call;

        if (!rpc_get_call(&x, &header)) {
                conn_fail(c, CONN_BAD, "not an RPC call");
                return;
        }
        call = call_new(c, &header, x);
        if (!call) {
                log_error("out-of-memory", "what=%s", "RPC call");
                conn_close(c);
                return;
        }
        program = find_program(s, call);
        if (program) {
                s->stats.calls++;
                program->dispatch(program->service, call);
        } else {
                s->stats.rejected++;
                call_reply(call);
        }
}
