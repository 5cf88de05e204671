/* SPDX-License-Identifier: Apache-2.0 */
/* Real sockets on the real loop: calls, large data both ways, many connections; and what a call costs in
 * steady state: no allocation, one read, one write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/loop.h"
#include "rpc/tls.h"
#include "tests/lab/heap_count.h"
#include "tests/lab/rpc_lab.h"

/* --- a stream that counts */

struct counted {
        struct stream stream; /* first */
        struct stream *lower;
};

static uint64_t reads, writes;

static int64_t counted_readv(struct stream *s, const struct iovec *iov, int count)
{
        struct stream *lower = CONTAINER(s, struct counted, stream)->lower;

        reads++;
        return lower->ops->readv(lower, iov, count);
}

static int64_t counted_writev(struct stream *s, const struct iovec *iov, int count)
{
        struct stream *lower = CONTAINER(s, struct counted, stream)->lower;

        writes++;
        return lower->ops->writev(lower, iov, count);
}

static void counted_want(struct stream *s, unsigned events)
{
        struct stream *lower = CONTAINER(s, struct counted, stream)->lower;

        lower->ops->want(lower, events);
}

static void counted_close(struct stream *s)
{
        struct counted *c = CONTAINER(s, struct counted, stream);

        c->lower->ops->close(c->lower);
        free(c);
}

static void counted_ready(struct stream *lower, unsigned events)
{
        struct counted *c = lower->owner;

        c->stream.ready(&c->stream, events);
}

static const struct stream_ops counted_ops = { counted_readv, counted_writev, counted_want, counted_close };

static struct stream *count_stream(void *arg, struct stream *lower)
{
        struct counted *c = calloc(1, sizeof(*c));

        (void)arg;
        c->stream = (struct stream){ .ops = &counted_ops, .local = lower->local, .peer = lower->peer };
        c->lower = lower;
        lower->owner = c;
        lower->ready = counted_ready;
        return &c->stream;
}

/* --- one process, two servers: one accepts, one dials */

static struct loop *loop;
static struct env *env;
static struct bufpool *pool;
static struct lab_service service;
static struct rpc_program programs[2];
static struct rpc_server *server, *dialler;
static struct listener *listener;
static struct netaddr address;

static void on_accept(void *arg, struct stream *stream)
{
        (void)arg;
        rpc_server_accept(server, stream);
}

static int setup(void **state)
{
        const struct netaddr any = { .family = 4, .bytes = { 127, 0, 0, 1 } };

        (void)state;
        loop = loop_new();
        env = loop_env(loop);
        pool = bufpool_new(256 << 20);
        lab_service_init(&service, pool);
        lab_programs(&service, programs);
        server = rpc_server_new(env, pool, programs, &lab_limits);
        dialler = rpc_server_new(env, pool, programs, &lab_limits);
        assert_int_equal(env->ops->listen(env, &any, on_accept, NULL, &listener), 0);
        address = loop_listener_address(listener);
        reads = writes = 0;
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        env->ops->unlisten(env, listener);
        rpc_server_free(dialler);
        rpc_server_free(server);
        assert_int_equal(bufpool_in_use_bytes(pool), 0);
        bufpool_free(pool);
        loop_free(loop);
        return 0;
}

static struct conn *dial(void)
{
        struct stream *stream;

        assert_int_equal(env->ops->connect(env, &address, &stream), 0);
        return rpc_server_adopt(dialler, stream);
}

struct waiter {
        struct rpc_req req;
        struct conn *conn;
        uint32_t proc, arg, left;
        enum rpc_result result;
        uint32_t got; /* bytes of results */
};

static unsigned under_way;

static void send_next(struct waiter *w);

static void on_done(struct rpc_req *req, enum rpc_result result, struct xdr_in *results)
{
        struct waiter *w = CONTAINER(req, struct waiter, req);

        w->result = result;
        w->got = results ? xdr_left(results) : 0;
        if (w->left > 0)
                send_next(w);
        else if (--under_way == 0)
                loop_stop(loop);
}

static void send_next(struct waiter *w)
{
        bool large = w->proc == LAB_SUM;

        w->left--;
        assert_int_equal(rpc_req_begin(&w->req, w->conn, LAB_PROGRAM, LAB_VERSION, w->proc, NULL, large), 0);
        xdr_put_u32(&w->req.out, w->arg);
        if (large)
                memset(xdr_reserve(&w->req.out, w->arg), 1, w->arg);
        rpc_req_send(&w->req, 20000000000u);
}

/* COUNT calls, one after the other, on each of DEPTH waiters that use CONNS in turn. */
static void run_calls(struct conn **conns, unsigned conn_count, unsigned depth, uint32_t count, uint32_t proc,
                      uint32_t arg)
{
        struct waiter *w = calloc(depth, sizeof(*w));

        for (unsigned i = 0; i < depth; i++) {
                w[i] = (struct waiter){ .req.done = on_done,
                                        .conn = conns[i % conn_count],
                                        .proc = proc,
                                        .arg = arg,
                                        .left = count };
                under_way++;
                send_next(&w[i]);
        }
        loop_run(loop);
        for (unsigned i = 0; i < depth; i++)
                assert_int_equal(w[i].result, RPC_DONE);
        free(w);
}

static void calls_over_sockets(void **state)
{
        struct conn *c = dial();

        (void)state;
        run_calls(&c, 1, 50, 200, LAB_ECHO, 1);
        assert_int_equal(rpc_server_stats(server)->calls, 10000);
}

static void large_data_both_ways(void **state)
{
        struct conn *c = dial();

        (void)state;
        run_calls(&c, 1, 16, 20, LAB_SUM, 1048576);
        run_calls(&c, 1, 16, 20, LAB_BLOB, 1048576);
        assert_true(rpc_server_stats(server)->bytes_in > 320u * 1048576);
        assert_true(rpc_server_stats(server)->bytes_out > 320u * 1048576);
}

static void many_connections(void **state)
{
        struct conn *c[16];

        (void)state;
        for (int i = 0; i < 16; i++)
                c[i] = dial();
        run_calls(c, 16, 64, 50, LAB_ECHO, 1);
        assert_int_equal(rpc_server_connections(server), 16);
}

static void steady_state_allocates_nothing(void **state)
{
        struct conn *c = dial();
        static const struct {
                uint32_t proc, arg;
        } mix[] = { { LAB_ECHO, 1 }, { LAB_BLOB, 4096 }, { LAB_BLOB, 1048576 }, { LAB_SUM, 1048576 } };
        uint32_t calls = heap_is_counted() ? 50 : 2; /* sanitizers are slow, and have their own heap */

        (void)state;
        for (int i = 0; i < 4; i++)
                run_calls(&c, 1, 32, calls, mix[i].proc, mix[i].arg); /* warm */
        for (int i = 0; i < 4; i++) {
                uint64_t before = heap_count();

                run_calls(&c, 1, 32, calls, mix[i].proc, mix[i].arg);
                assert_int_equal(heap_count() - before, heap_is_counted()); /* run_calls' own */
        }
}

/* One call at a time: one read and one write each, on the server's side. */
static void a_call_costs_one_read_and_one_write(void **state)
{
        struct conn *c;

        (void)state;
        rpc_server_wrap(server, count_stream, NULL);
        c = dial();
        run_calls(&c, 1, 1, 1000, LAB_ECHO, 1);
        assert_int_equal(reads, 1000);
        assert_int_equal(writes, 1000);
        run_calls(&c, 1, 32, 100, LAB_ECHO, 1); /* many at a time: fewer than that */
        assert_true(reads < 2000);
        assert_true(writes < 2000);
}

static struct stream *wrap_tls(void *arg, struct stream *stream)
{
        return tls_stream_new(arg, stream, true);
}

static void calls_over_tls(void **state)
{
        struct tls_context *tls = tls_context_new(env, (const uint8_t[32]){ 9 });
        struct stream *stream;
        struct conn *c;

        (void)state;
        rpc_server_wrap(server, wrap_tls, tls);
        assert_int_equal(env->ops->connect(env, &address, &stream), 0);
        c = rpc_server_adopt(dialler, tls_stream_new(tls, stream, false));
        run_calls(&c, 1, 16, 100, LAB_ECHO, 1);
        run_calls(&c, 1, 8, 10, LAB_SUM, 1048576);
        run_calls(&c, 1, 8, 10, LAB_BLOB, 1048576);
        rpc_server_free(dialler);
        rpc_server_free(server);
        tls_context_free(tls);
        dialler = server = NULL;
}

static void stop(void *arg, struct conn *c)
{
        assert_true(conn_is_closed(c));
        *(bool *)arg = true;
        loop_stop(loop);
}

static void a_refused_connection_is_closed(void **state)
{
        struct stream *stream;
        bool closed = false;

        (void)state;
        address.port = 1; /* nobody there */
        if (env->ops->connect(env, &address, &stream) == 0) {
                conn_on_close(rpc_server_adopt(dialler, stream), stop, &closed);
                loop_run(loop);
                assert_true(closed);
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(calls_over_sockets),
                TEST(large_data_both_ways),
                TEST(many_connections),
                TEST(steady_state_allocates_nothing),
                TEST(a_call_costs_one_read_and_one_write),
                TEST(calls_over_tls),
                TEST(a_refused_connection_is_closed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
