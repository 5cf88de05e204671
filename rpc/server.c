/* SPDX-License-Identifier: Apache-2.0 */
/* What the connections of one loop have in common: programs, limits, call objects, listeners. */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "rpc/internal.h"

#define RETRY_NS 10000000u

/* --- connections that wait for calls or buffers */

static void on_wake(struct task *task)
{
        struct rpc_server *s = CONTAINER(task, struct rpc_server, wake);
        struct list waiting = LIST_INIT(waiting);

        list_splice(&waiting, &s->waiting);
        for (struct list *node; (node = list_pop(&waiting));)
                conn_resume(CONTAINER(node, struct conn, in_waiting));
}

static bool somebody_lacks_a_buffer(const struct rpc_server *s)
{
        LIST_FOR_EACH(node, &s->waiting)
                if (CONTAINER(node, struct conn, in_waiting)->lacks_buffer)
                        return true;
        return false;
}

/* While memory is short, who fell silent inside a record has an eighth of the time: one goes each try. */
static void close_a_slow_one(struct rpc_server *s)
{
        uint64_t patience_ns = (uint64_t)s->limits.stall_ms * 1000000 / 8, now = env_now(s->env);

        LIST_FOR_EACH(node, &s->open) {
                struct conn *c = CONTAINER(node, struct conn, in_server);

                if (c->half.on && c->in.buf && now - c->read_ns >= patience_ns) {
                        conn_fail(c, CONN_SLOW, "half a record when memory is short");
                        return;
                }
        }
}

static void on_retry(struct timer *t)
{
        struct rpc_server *s = CONTAINER(t, struct rpc_server, retry);

        if (somebody_lacks_a_buffer(s))
                close_a_slow_one(s);
        on_wake(&s->wake);
}

/* Calls and closing connections wake those who wait; the timer is for buffers that others give back. */
void server_wait(struct conn *c)
{
        struct rpc_server *s = c->server;

        if (list_empty(&c->in_waiting))
                list_push(&s->waiting, &c->in_waiting);
        if (!timer_running(&s->retry))
                timer_start(s->env, &s->retry, RETRY_NS);
}

void server_wake(struct rpc_server *s)
{
        if (!list_empty(&s->waiting) && !s->stopping)
                env_defer(s->env, &s->wake);
}

/* --- streams in */

static struct conn *adopt(struct rpc_server *s, struct stream *stream, bool accepted)
{
        struct conn *c = NULL;

        if (!s->stopping && s->open_count < s->limits.max_connections)
                c = conn_new(s, stream, accepted);
        if (!c) {
                char peer[NETADDR_TEXT];

                s->stats.refused++;
                log_warn("conn-refused", "peer=%s open=%u limit=%u", netaddr_format(&stream->peer, peer),
                         s->open_count, s->limits.max_connections);
                stream->ops->close(stream);
        }
        return c;
}

struct conn *rpc_server_adopt(struct rpc_server *s, struct stream *stream)
{
        return adopt(s, stream, false);
}

void rpc_server_accept(struct rpc_server *s, struct stream *stream)
{
        s->stats.accepted++;
        if (s->wrap)
                stream = s->wrap(s->wrap_arg, stream);
        if (stream)
                adopt(s, stream, true);
        else
                s->stats.refused++;
}

static void on_accept(void *arg, struct stream *stream)
{
        rpc_server_accept(arg, stream);
}

void rpc_server_wrap(struct rpc_server *s, struct stream *(*wrap)(void *arg, struct stream *), void *arg)
{
        s->wrap = wrap;
        s->wrap_arg = arg;
}

int rpc_server_listen(struct rpc_server *s, const struct netaddr *addr)
{
        int error;

        if (s->listener_count == RPC_MAX_LISTENERS)
                return -ENOSPC;
        error = s->env->ops->listen(s->env, addr, on_accept, s, &s->listeners[s->listener_count]);
        if (!error)
                s->listener_count++;
        return error;
}

void rpc_server_stop_listening(struct rpc_server *s)
{
        while (s->listener_count > 0)
                s->env->ops->unlisten(s->env, s->listeners[--s->listener_count]);
}

/* --- the server */

static size_t largest_call(const struct rpc_program *programs)
{
        size_t bytes = sizeof(struct call);

        for (const struct rpc_program *p = programs; p->prog != 0; p++)
                if (p->call_bytes > bytes)
                        bytes = p->call_bytes;
        return (bytes + 63) & ~(size_t)63;
}

struct rpc_server *rpc_server_new(struct env *env, struct bufpool *pool, const struct rpc_program *programs,
                                  const struct rpc_limits *limits)
{
        struct rpc_server *s = calloc(1, sizeof(*s));

        if (!s)
                return NULL;
        CHECK(limits->max_record <= RPC_RECORD_MAX);
        s->env = env;
        s->pool = pool;
        s->programs = programs;
        s->limits = *limits;
        s->call_bytes = largest_call(programs);
        slab_init(&s->calls, s->call_bytes + RPC_HEADROOM + RPC_HEAD_BYTES, limits->max_calls);
        /* Each closed connection that is still in memory is held by a call or by somebody's reference. */
        slab_init(&s->conns, sizeof(struct conn), 2 * limits->max_connections + limits->max_calls);
        list_init(&s->open);
        list_init(&s->broken);
        list_init(&s->waiting);
        list_init(&s->wake.node);
        s->wake.run = on_wake;
        s->retry.fire = on_retry;
        return s;
}

void rpc_server_free(struct rpc_server *s)
{
        if (!s)
                return;
        s->stopping = true;
        rpc_server_stop_listening(s);
        while (!list_empty(&s->open))
                conn_close(CONTAINER(s->open.next, struct conn, in_server));
        while (!list_empty(&s->broken))
                client_run_lost(CONTAINER(s->broken.next, struct conn, in_server));
        timer_stop(&s->retry);
        list_remove(&s->wake.node);
        CHECK(s->calls.in_use == 0);
        CHECK(s->conns.in_use == 0);
        slab_destroy(&s->calls);
        slab_destroy(&s->conns);
        free(s);
}

uint32_t rpc_server_connections(const struct rpc_server *s)
{
        return s->open_count;
}

/* EACH may close the connection it is given. */
void rpc_server_each_conn(struct rpc_server *s, void (*each)(void *arg, struct conn *), void *arg)
{
        LIST_FOR_EACH_SAFE(node, &s->open)
                each(arg, CONTAINER(node, struct conn, in_server));
}

const struct rpc_stats *rpc_server_stats(const struct rpc_server *s)
{
        return &s->stats;
}
