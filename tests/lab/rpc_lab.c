/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/rpc_lab.h"

#include <errno.h>
#include <stdlib.h>

const struct rpc_limits lab_limits = {
        .max_connections = 16,
        .max_calls = 256,
        .max_calls_per_conn = 128,
        .max_record = 1024 * 1024 + 4096,
        .stall_ms = 5000,
        .max_reply_bytes = 8 * 1024 * 1024,
};

/* --- the program */

void lab_service_init(struct lab_service *s, struct bufpool *pool)
{
        *s = (struct lab_service){ .pool = pool };
        list_init(&s->held);
}

static void echo(struct call *call)
{
        xdr_put_fixed(&call->out, call->args.p, xdr_left(&call->args));
        call_reply(call);
}

static void hold(struct lab_service *s, struct call *call)
{
        struct lab_call *c = CONTAINER(call, struct lab_call, call);

        list_push(&s->held, &c->held);
        s->held_count++;
}

static void blob(struct lab_service *s, struct call *call)
{
        uint32_t n = xdr_get_u32(&call->args);
        struct buf *buf = n <= BUF_LARGE ? buf_get(s->pool, n) : NULL;

        if (!buf) {
                call_reply_error(call, RPC_SYSTEM_ERR);
                return;
        }
        for (uint32_t i = 0; i < n; i++)
                buf->data[i] = (uint8_t)(i * 7);
        xdr_put_u32(&call->out, n);
        xdr_put_ref(&call->out, buf, buf->data, n);
        call_reply(call);
}

static void sum(struct call *call)
{
        struct slice data = xdr_get_opaque(&call->args, UINT32_MAX);
        uint32_t total = 0;

        for (uint32_t i = 0; i < data.length; i++)
                total += data.data[i];
        xdr_put_u32(&call->out, data.length);
        xdr_put_u32(&call->out, total);
        call_reply(call);
}

static void overflow(struct call *call)
{
        for (int i = 0; i < RPC_HEAD_BYTES; i++)
                xdr_put_u32(&call->out, 1);
        call_reply(call);
}

static void long_head(struct call *call)
{
        uint32_t n = xdr_get_u32(&call->args);

        for (uint32_t i = 0; i < n && !call->out.full; i++) {
                if (i % 4096 == 0)
                        call_need_head(call, n - i < 4096 ? (n - i) * 4 : 16384);
                xdr_put_u32(&call->out, i);
        }
        call_reply(call);
}

static void lab_dispatch(void *service, struct call *call)
{
        struct lab_service *s = service;

        s->dispatched++;
        switch (call->header.proc) {
        case LAB_NULL: call_reply(call); return;
        case LAB_ECHO: echo(call); return;
        case LAB_HOLD: hold(s, call); return;
        case LAB_BLOB: blob(s, call); return;
        case LAB_SUM: sum(call); return;
        case LAB_FAIL:
                xdr_put_u32(&call->out, 42); /* to be replaced */
                call_reply_error(call, RPC_SYSTEM_ERR);
                return;
        case LAB_OVERFLOW: overflow(call); return;
        case LAB_CLOSE:
                conn_close(call->conn);
                call_reply(call);
                return;
        case LAB_GARBAGE: call_reply_error(call, RPC_GARBAGE_ARGS); return;
        case LAB_LONG: long_head(call); return;
        default: call_reply_error(call, RPC_PROC_UNAVAIL);
        }
}

static void lab_conn_closed(void *service, struct conn *conn)
{
        (void)conn;
        ((struct lab_service *)service)->conns_closed++;
}

void lab_programs(struct lab_service *s, struct rpc_program ret[2])
{
        ret[0] = (struct rpc_program){ .prog = LAB_PROGRAM,
                                       .vers = LAB_VERSION,
                                       .call_bytes = sizeof(struct lab_call),
                                       .dispatch = lab_dispatch,
                                       .conn_closed = lab_conn_closed,
                                       .service = s };
        ret[1] = (struct rpc_program){ 0 };
}

bool lab_release(struct lab_service *s, bool newest)
{
        struct lab_call *c;

        if (list_empty(&s->held))
                return false;
        c = CONTAINER(newest ? s->held.prev : s->held.next, struct lab_call, held);
        list_remove(&c->held);
        s->held_count--;
        echo(&c->call);
        return true;
}

void lab_release_all(struct lab_service *s)
{
        while (lab_release(s, false))
                ;
}

/* --- the raw peer */

/* The size of a buffer for LENGTH bytes: a power of two. */
static size_t capacity(size_t length)
{
        size_t bytes = 64;

        while (bytes <= length)
                bytes *= 2;
        return bytes;
}

static uint8_t *append(uint8_t *to, size_t *length, const void *data, size_t n)
{
        if (!to || capacity(*length + n) != capacity(*length))
                to = realloc(to, capacity(*length + n));
        CHECK(to != NULL);
        memcpy(to + *length, data, n);
        *length += n;
        return to;
}

static void raw_want(struct raw_peer *p)
{
        if (p->stream)
                p->stream->ops->want(p->stream,
                                     (p->deaf ? 0 : STREAM_READ) | (p->out_length > 0 ? STREAM_WRITE : 0));
}

static void raw_end(struct raw_peer *p)
{
        p->stream->ops->close(p->stream);
        p->stream = NULL;
        p->ended = true;
}

static void raw_write(struct raw_peer *p)
{
        struct iovec iov = { p->out, p->out_length };
        int64_t n;

        if (p->out_length == 0)
                return;
        n = p->stream->ops->writev(p->stream, &iov, 1);
        if (n < 0 && n != -EAGAIN)
                p->out_length = 0; /* closed by the peer; its last bytes can still be read */
        if (n <= 0)
                return;
        memmove(p->out, p->out + n, p->out_length - (size_t)n);
        p->out_length -= (size_t)n;
}

static void raw_ready(struct stream *stream, unsigned events)
{
        struct raw_peer *p = stream->owner;
        uint8_t bytes[65536];
        struct iovec iov = { bytes, sizeof(bytes) };

        if (events & STREAM_WRITE)
                raw_write(p);
        if (events & STREAM_READ) {
                int64_t n = stream->ops->readv(stream, &iov, 1);

                if (n == 0 || (n < 0 && n != -EAGAIN)) {
                        p->error = n;
                        raw_end(p);
                        return;
                }
                if (n > 0)
                        p->in = append(p->in, &p->in_length, bytes, (size_t)n);
        }
        raw_want(p);
}

struct raw_peer *raw_peer_new(struct stream *stream)
{
        struct raw_peer *p = calloc(1, sizeof(*p));

        CHECK(p != NULL);
        p->stream = stream;
        stream->owner = p;
        stream->ready = raw_ready;
        raw_want(p);
        return p;
}

void raw_peer_free(struct raw_peer *p)
{
        if (p->stream)
                p->stream->ops->close(p->stream);
        free(p->in);
        free(p->out);
        free(p);
}

void raw_send(struct raw_peer *p, const void *data, size_t length)
{
        p->out = append(p->out, &p->out_length, data, length);
        raw_want(p);
}

void raw_deaf(struct raw_peer *p, bool deaf)
{
        p->deaf = deaf;
        raw_want(p);
}

void raw_send_record(struct raw_peer *p, const void *data, uint32_t length, uint32_t fragment)
{
        const uint8_t *from = data;

        do {
                uint32_t n = fragment && length > fragment ? fragment : length;
                uint32_t mark = htobe32(n | (n == length ? 0x80000000u : 0));

                raw_send(p, &mark, 4);
                raw_send(p, from, n);
                from += n;
                length -= n;
        } while (length > 0);
}

void raw_call(struct raw_peer *p, uint32_t xid, uint32_t proc, const void *args, uint32_t length)
{
        static const struct rpc_cred cred = {
                .flavor = RPC_AUTH_SYS, .uid = 1000, .gid = 100, .gid_count = 2, .gids = { 100, 4 }
        };
        uint8_t *record = malloc(1024 + (size_t)length);
        struct xdr_out x;

        CHECK(record != NULL);
        xdr_out_init(&x, record, 1024 + length);
        rpc_put_call(&x, xid, LAB_PROGRAM, LAB_VERSION, proc, &cred, "lab");
        xdr_put_fixed(&x, args, length);
        raw_send_record(p, record, xdr_head_length(&x), 0);
        free(record);
}

bool raw_next(struct raw_peer *p, struct slice *ret)
{
        uint32_t mark;

        if (p->in_length - p->taken < 4)
                return false;
        memcpy(&mark, p->in + p->taken, 4);
        mark = be32toh(mark);
        CHECK(mark & 0x80000000u); /* we never send fragments */
        mark &= 0x7fffffffu;
        if (p->in_length - p->taken - 4 < mark)
                return false;
        *ret = slice_of(p->in + p->taken + 4, mark);
        p->taken += 4 + (size_t)mark;
        return true;
}

struct xdr_in raw_expect(struct raw_peer *p, uint32_t xid, uint32_t stat)
{
        struct slice record = { 0 };
        struct xdr_in x;

        CHECK(raw_next(p, &record));
        x = xdr_in_of(record);
        CHECK(xdr_get_u32(&x) == xid);
        CHECK(xdr_get_u32(&x) == RPC_REPLY);
        CHECK(xdr_get_u32(&x) == RPC_MSG_ACCEPTED);
        CHECK(xdr_get_u32(&x) == RPC_AUTH_NONE);
        CHECK(xdr_get_u32(&x) == 0);
        CHECK(xdr_get_u32(&x) == stat);
        CHECK(!x.bad);
        return x;
}

/* --- the lab */

void rpc_lab_start(struct rpc_lab *lab, uint64_t seed, const struct rpc_limits *limits, size_t pool_bytes)
{
        virtual_env_init(&lab->v, seed);
        lab->pool = bufpool_new(pool_bytes);
        CHECK(lab->pool != NULL);
        lab_service_init(&lab->service, lab->pool);
        lab_programs(&lab->service, lab->programs);
        lab->server = rpc_server_new(&lab->v.env, lab->pool, lab->programs, limits);
        CHECK(lab->server != NULL);
}

void rpc_lab_stop(struct rpc_lab *lab)
{
        lab_release_all(&lab->service);
        rpc_server_free(lab->server);
        CHECK(bufpool_in_use_bytes(lab->pool) == 0);
        bufpool_free(lab->pool);
        virtual_env_destroy(&lab->v);
}

struct raw_peer *rpc_lab_peer(struct rpc_lab *lab, const struct stream_pair_conf *conf)
{
        struct stream *ends[2];

        stream_pair_new(&lab->v.env, conf, ends);
        rpc_server_accept(lab->server, ends[1]);
        return raw_peer_new(ends[0]);
}

void rpc_lab_run_ms(struct rpc_lab *lab, uint64_t ms)
{
        virtual_env_run(&lab->v, ms * 1000000);
}
