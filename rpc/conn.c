/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's life, and its receiving side. */
#include "rpc/conn.h"

#include <errno.h>

#include "base/log.h"
#include "rpc/internal.h"

enum { READS_A_TURN = 4 }; /* then the other connections get their turn */

struct conn *conn_ref(struct conn *c)
{
        CHECK(c->refs > 0);
        c->refs++;
        return c;
}

void conn_unref(struct conn *c)
{
        CHECK(c->refs > 0);
        if (--c->refs > 0)
                return;
        CHECK(!c->stream && list_empty(&c->calls));
        list_remove(&c->turn.node);
        list_remove(&c->in_server);
        slab_put(&c->server->conns, c);
}

bool conn_is_closed(const struct conn *c)
{
        return c->stream == NULL;
}

const struct netaddr *conn_peer(const struct conn *c)
{
        return &c->peer;
}

const struct netaddr *conn_local(const struct conn *c)
{
        return &c->local;
}

struct env *conn_env(const struct conn *c)
{
        return c->server->env;
}

void *conn_data(const struct conn *c)
{
        return c->data;
}

void conn_set_data(struct conn *c, void *data)
{
        c->data = data;
}

void conn_on_close(struct conn *c, void (*fn)(void *arg, struct conn *), void *arg)
{
        c->on_close = fn;
        c->on_close_arg = arg;
}

/* --- the end */

static void tell_closed(struct conn *c)
{
        for (const struct rpc_program *p = c->server->programs; p->prog != 0; p++)
                if (p->conn_closed)
                        p->conn_closed(p->service, c);
        if (c->on_close)
                c->on_close(c->on_close_arg, c);
}

void conn_close(struct conn *c)
{
        struct stream *stream = c->stream;

        if (!stream)
                return;
        c->stream = NULL;
        stream->ops->close(stream);
        timer_stop(&c->half.timer);
        timer_stop(&c->unread.timer);
        list_remove(&c->in_waiting);
        list_remove(&c->in_server);
        c->server->open_count--;
        record_reader_reset(&c->in);
        c->has_record = c->lacks_buffer = false;
        client_lose_all(c);
        conn_drop_queue(c);
        tell_closed(c);
        server_wake(c->server); /* its buffers are free */
        conn_unref(c);
}

void conn_fail(struct conn *c, enum conn_fault fault, const char *why)
{
        char peer[NETADDR_TEXT];

        if (fault == CONN_SLOW)
                c->server->stats.closed_slow++;
        else
                c->server->stats.closed_bad++;
        log_warn("conn-closed", "peer=%s why=%s", netaddr_format(&c->peer, peer), why);
        conn_close(c);
}

static void half_stalled(struct timer *t)
{
        struct conn *c = CONTAINER(t, struct conn, half.timer);

        if (watch_stalled(&c->half))
                conn_fail(c, CONN_SLOW, c->spoke ? "half a record" : "never said a word");
}

static void unread_stalled(struct timer *t)
{
        struct conn *c = CONTAINER(t, struct conn, unread.timer);

        if (watch_stalled(&c->unread))
                conn_fail(c, CONN_SLOW, "does not read");
}

/* --- records in */

/* False: the record is a call that has to wait. */
static bool take_record(struct conn *c)
{
        struct xdr_in x = xdr_in_of(c->record);
        uint32_t kind;

        xdr_get_u32(&x); /* xid */
        kind = xdr_get_u32(&x);
        if (kind == RPC_REPLY && !x.bad) {
                c->has_record = false;
                client_reply(c, c->record);
                return true;
        }
        if (!call_has_room(c))
                return false;
        c->has_record = false;
        call_dispatch(c, c->record);
        return true;
}

static void take_records(struct conn *c)
{
        while (c->stream) {
                if (!c->has_record) {
                        int n = record_next(&c->in, &c->record);

                        if (n == -EMSGSIZE)
                                conn_fail(c, CONN_BAD, "record too long");
                        else if (n < 0)
                                conn_fail(c, CONN_BAD, "too many fragments");
                        if (n <= 0)
                                return;
                        c->has_record = c->spoke = true;
                        c->records++;
                }
                if (!take_record(c))
                        return;
        }
}

static bool may_take_buffer(const struct conn *c)
{
        const struct rpc_server *s = c->server;

        return s->limits.max_pool_bytes == 0 || c->pending_count > 0 ||
               bufpool_in_use_bytes(s->pool) < s->limits.max_pool_bytes;
}

/* One read; false: nothing more for now. A read that filled less than it was given has emptied the socket. */
static bool receive(struct conn *c)
{
        struct iovec iov;
        int64_t n;

        if (!record_space(&c->in, &iov, may_take_buffer(c))) {
                c->lacks_buffer = true;
                server_wait(c);
                return false;
        }
        n = c->stream->ops->readv(c->stream, &iov, 1);
        if (n == -EAGAIN)
                return false;
        if (n <= 0) {
                conn_close(c);
                return false;
        }
        c->bytes_in += (uint64_t)n;
        c->server->stats.bytes_in += (uint64_t)n;
        record_received(&c->in, (uint32_t)n);
        take_records(c);
        return (uint64_t)n == iov.iov_len;
}

/* --- readiness */

static bool paused(const struct conn *c)
{
        return c->has_record || c->lacks_buffer;
}

/* A record is watched from the read that brought its first byte, not while it is we who make it wait. */
static void watch_input(struct conn *c)
{
        if (paused(c) || (c->spoke && !record_partial(&c->in))) {
                watch_end(&c->half);
                return;
        }
        if (c->half.on && c->half_record == c->records)
                return;
        c->half_record = c->records;
        watch_begin(&c->half);
}

/* After anything that may have changed what C waits for. */
static void settle(struct conn *c)
{
        unsigned want;

        if (!c->stream)
                return;
        want = (paused(c) ? 0 : STREAM_READ) | (c->blocked ? STREAM_WRITE : 0);
        if (!c->has_record)
                record_release_idle(&c->in);
        watch_input(c);
        if (want != c->wanted) {
                c->wanted = want;
                c->stream->ops->want(c->stream, want);
        }
}

void conn_resume(struct conn *c)
{
        conn_ref(c);
        c->lacks_buffer = false;
        take_records(c);
        settle(c);
        conn_unref(c);
}

static void on_ready(struct stream *stream, unsigned events)
{
        struct conn *c = conn_ref(stream->owner);

        c->read_ns = env_now(c->server->env);
        if (events & STREAM_WRITE) {
                conn_flush(c);
                if (c->has_record)
                        take_records(c);
        }
        if (events & STREAM_READ)
                for (int i = 0; i < READS_A_TURN && c->stream && !paused(c) && receive(c); i++)
                        ;
        settle(c);
        conn_unref(c);
}

static void on_turn(struct task *task)
{
        struct conn *c = conn_ref(CONTAINER(task, struct conn, turn));

        client_run_lost(c);
        if (!c->blocked)
                conn_flush(c);
        if (c->has_record)
                take_records(c);
        settle(c);
        conn_unref(c);
}

/* --- the beginning */

static void init_lists(struct conn *c)
{
        list_init(&c->in_server);
        list_init(&c->in_waiting);
        list_init(&c->calls);
        list_init(&c->queue);
        list_init(&c->lost);
        for (int i = 0; i < RPC_PENDING_BUCKETS; i++)
                list_init(&c->pending[i]);
}

struct conn *conn_new(struct rpc_server *s, struct stream *stream, bool accepted)
{
        struct conn *c = slab_get(&s->conns);

        if (!c)
                return NULL;
        init_lists(c);
        c->server = s;
        c->stream = stream;
        c->local = stream->local;
        c->peer = stream->peer;
        c->refs = 1;
        c->spoke = !accepted;
        list_init(&c->turn.node);
        c->turn.run = on_turn;
        watch_init(&c->half, c, &c->bytes_in, half_stalled);
        watch_init(&c->unread, c, &c->bytes_out, unread_stalled);
        record_reader_init(&c->in, s->pool, s->limits.max_record);
        c->next_xid = (uint32_t)env_random_u64(s->env);
        list_push(&s->open, &c->in_server);
        s->open_count++;
        stream->owner = c;
        stream->ready = on_ready;
        settle(c);
        return c;
}
