/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of our own: both directions of one connection, deadlines, late replies, giving up at every moment,
 * broken ends. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lab/rpc_lab.h"

#define SECOND 1000000000ull

static struct rpc_lab lab;
static struct rpc_server *dialler; /* the other end has programs too */
static struct lab_service service; /* of the dialler */
static struct rpc_program programs[2];
static struct conn *conn; /* the dialler's end */

struct waiter {
        struct rpc_req req;
        int done;
        enum rpc_result result;
        uint32_t word; /* of the results */
        uint32_t left;
        bool close; /* the connection, from inside done() */
};

static void on_done(struct rpc_req *req, enum rpc_result result, struct xdr_in *results)
{
        struct waiter *w = CONTAINER(req, struct waiter, req);

        w->done++;
        w->result = result;
        assert_true((result == RPC_DONE) == (results != NULL));
        if (w->close)
                conn_close(conn);
        if (results) {
                w->word = xdr_get_u32(results);
                w->left = xdr_left(results);
        }
}

static int start(const struct stream_pair_conf *conf)
{
        struct stream *ends[2];

        rpc_lab_start(&lab, 1, &lab_limits, 64 << 20);
        lab_service_init(&service, lab.pool);
        lab_programs(&service, programs);
        dialler = rpc_server_new(&lab.v.env, lab.pool, programs, &lab_limits);
        stream_pair_new(&lab.v.env, conf, ends);
        conn = conn_ref(rpc_server_adopt(dialler, ends[0]));
        rpc_server_accept(lab.server, ends[1]);
        return 0;
}

static int setup(void **state)
{
        static const struct stream_pair_conf straight = { .seed = 1 };

        (void)state;
        return start(&straight);
}

static int setup_torn(void **state)
{
        static const struct stream_pair_conf torn = {
                .seed = 3, .split = true, .max_delay_ns = 10000, .buffer_bytes = 5000
        };

        (void)state;
        return start(&torn);
}

static int teardown(void **state)
{
        (void)state;
        lab_release_all(&service);
        lab_release_all(&lab.service);
        conn_unref(conn);
        rpc_server_free(dialler);
        rpc_lab_stop(&lab);
        return 0;
}

static void begin(struct waiter *w, struct conn *on, uint32_t proc, uint32_t arg)
{
        static const struct rpc_cred cred = { .flavor = RPC_AUTH_SYS, .uid = 1 };

        *w = (struct waiter){ .req.done = on_done };
        assert_int_equal(rpc_req_begin(&w->req, on, LAB_PROGRAM, LAB_VERSION, proc, &cred, false), 0);
        xdr_put_u32(&w->req.out, arg);
}

static void call(struct waiter *w, uint32_t proc, uint32_t arg)
{
        begin(w, conn, proc, arg);
        rpc_req_send(&w->req, SECOND);
}

static void a_call_is_answered(void **state)
{
        struct waiter w;

        (void)state;
        call(&w, LAB_ECHO, 4711);
        assert_int_equal(w.done, 0);
        rpc_lab_run_ms(&lab, 10);
        assert_int_equal(w.done, 1);
        assert_int_equal(w.result, RPC_DONE);
        assert_int_equal(w.word, 4711);
        assert_int_equal(bufpool_in_use_bytes(lab.pool), 0);
        call(&w, LAB_ECHO, 4712); /* used again */
        rpc_lab_run_ms(&lab, 10);
        assert_int_equal(w.word, 4712);
}

static void replies_find_their_calls_in_any_order(void **state)
{
        struct waiter w[100];

        (void)state;
        for (uint32_t i = 0; i < 100; i++)
                call(&w[i], LAB_HOLD, i);
        rpc_lab_run_ms(&lab, 10);
        for (uint32_t i = 0; lab_release(&lab.service, i % 3); i++)
                ;
        rpc_lab_run_ms(&lab, 10);
        for (uint32_t i = 0; i < 100; i++) {
                assert_int_equal(w[i].result, RPC_DONE);
                assert_int_equal(w[i].word, i);
        }
}

static void first_conn(void *arg, struct conn *c)
{
        *(struct conn **)arg = c;
}

static void calls_go_both_ways(void **state)
{
        struct waiter there[20], back[20];
        struct conn *accepted = NULL;

        (void)state;
        rpc_server_each_conn(lab.server, first_conn, &accepted);
        for (uint32_t i = 0; i < 20; i++) {
                call(&there[i], i % 2 ? LAB_ECHO : LAB_BLOB, 100 + i);
                begin(&back[i], accepted, i % 2 ? LAB_BLOB : LAB_ECHO, 200 + i);
                rpc_req_send(&back[i].req, 100 * SECOND);
        }
        rpc_lab_run_ms(&lab, 900);
        for (uint32_t i = 0; i < 20; i++) {
                assert_int_equal(there[i].result, RPC_DONE);
                assert_int_equal(there[i].word, 100 + i);
                assert_int_equal(back[i].result, RPC_DONE);
                assert_int_equal(back[i].word, 200 + i);
        }
}

static void refusals_are_told(void **state)
{
        struct waiter w[3];

        (void)state;
        call(&w[0], LAB_FAIL, 0);
        call(&w[1], 1234, 0);
        w[2] = (struct waiter){ .req.done = on_done };
        assert_int_equal(rpc_req_begin(&w[2].req, conn, 99, 1, 0, NULL, false), 0);
        rpc_req_send(&w[2].req, SECOND);
        rpc_lab_run_ms(&lab, 10);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(w[i].done, 1);
                assert_int_equal(w[i].result, RPC_REFUSED);
        }
}

static void arguments_that_do_not_fit_are_refused(void **state)
{
        struct waiter w;

        (void)state;
        begin(&w, conn, LAB_ECHO, 0);
        while (!w.req.out.full)
                xdr_put_u64(&w.req.out, 0);
        rpc_req_send(&w.req, SECOND);
        assert_int_equal(w.done, 0);
        rpc_lab_run_ms(&lab, 10);
        assert_int_equal(w.result, RPC_REFUSED);
        assert_int_equal(bufpool_in_use_bytes(lab.pool), 0);
}

static void a_large_request_and_a_linked_one(void **state)
{
        struct waiter large = { .req.done = on_done }, linked;
        struct buf *buf = buf_get(lab.pool, 500000);
        uint8_t *room;

        (void)state;
        assert_int_equal(rpc_req_begin(&large.req, conn, LAB_PROGRAM, LAB_VERSION, LAB_SUM, NULL, true), 0);
        xdr_put_u32(&large.req.out, 1048576);
        room = xdr_reserve(&large.req.out, 1048576);
        assert_non_null(room);
        memset(room, 1, 1048576);
        rpc_req_send(&large.req, SECOND);
        memset(buf->data, 2, 500000);
        begin(&linked, conn, LAB_SUM, 500000);
        xdr_put_ref(&linked.req.out, buf, buf->data, 500000);
        rpc_req_send(&linked.req, SECOND);
        rpc_lab_run_ms(&lab, 900);
        assert_int_equal(large.result, RPC_DONE);
        assert_int_equal(large.word, 1048576);
        assert_int_equal(linked.result, RPC_DONE);
        assert_int_equal(linked.word, 500000);
        assert_int_equal(bufpool_in_use_bytes(lab.pool), 0);
}

static void a_late_reply_is_ignored(void **state)
{
        struct waiter w, after;

        (void)state;
        call(&w, LAB_HOLD, 1);
        rpc_lab_run_ms(&lab, 999);
        assert_int_equal(w.done, 0);
        rpc_lab_run_ms(&lab, 2);
        assert_int_equal(w.done, 1);
        assert_int_equal(w.result, RPC_TIMED_OUT);
        lab_release_all(&lab.service);
        call(&after, LAB_ECHO, 2);
        rpc_lab_run_ms(&lab, 10);
        assert_int_equal(w.done, 1);
        assert_int_equal(after.word, 2);
        assert_int_equal(rpc_server_stats(dialler)->stray_replies, 1);
}

static void a_given_up_call_is_forgotten(void **state)
{
        struct waiter w[4];

        (void)state;
        begin(&w[0], conn, LAB_ECHO, 0);
        rpc_req_cancel(&w[0].req); /* never sent */
        call(&w[1], LAB_ECHO, 1);
        rpc_req_cancel(&w[1].req); /* queued */
        call(&w[2], LAB_HOLD, 2);
        call(&w[3], LAB_ECHO, 3);
        rpc_lab_run_ms(&lab, 10);
        rpc_req_cancel(&w[2].req); /* sent */
        lab_release_all(&lab.service);
        rpc_req_cancel(&w[3].req); /* done: nothing */
        rpc_lab_run_ms(&lab, 2000);
        assert_int_equal(lab.service.dispatched, 2);
        assert_int_equal(w[0].done + w[1].done + w[2].done, 0);
        assert_int_equal(w[3].done, 1);
        assert_int_equal(rpc_server_stats(dialler)->stray_replies, 1);
        assert_int_equal(bufpool_in_use_bytes(lab.pool), 0);
}

/* Half of it is on the wire when it is given up: the rest follows, or what comes next would be garbage. */
static void what_was_begun_is_finished(void **state)
{
        struct waiter large = { .req.done = on_done }, after;
        struct buf *buf = buf_get(lab.pool, 700000);

        (void)state;
        memset(buf->data, 5, 700000);
        begin(&large, conn, LAB_SUM, 700000);
        xdr_put_ref(&large.req.out, buf, buf->data, 700000);
        rpc_req_send(&large.req, SECOND);
        env_run_tasks(&lab.v.env); /* 256 KiB of it fit between us */
        rpc_req_cancel(&large.req);
        memset(&large, 0xff, sizeof(large));
        call(&after, LAB_ECHO, 6);
        rpc_lab_run_ms(&lab, 900);
        assert_int_equal(after.result, RPC_DONE);
        assert_int_equal(after.word, 6);
        assert_int_equal(lab.service.dispatched, 2);
        assert_int_equal(bufpool_in_use_bytes(lab.pool), 0);
}

/* --- the end */

static void a_broken_connection_loses_all_calls(void **state)
{
        struct waiter w[50];
        struct conn *accepted = NULL;

        (void)state;
        for (uint32_t i = 0; i < 50; i++)
                call(&w[i], LAB_HOLD, i);
        rpc_lab_run_ms(&lab, 10);
        rpc_server_each_conn(lab.server, first_conn, &accepted);
        conn_close(accepted);
        rpc_lab_run_ms(&lab, 10);
        assert_true(conn_is_closed(conn));
        for (uint32_t i = 0; i < 50; i++) {
                assert_int_equal(w[i].done, 1);
                assert_int_equal(w[i].result, RPC_LOST);
        }
        assert_int_equal(rpc_req_begin(&w[0].req, conn, 1, 1, 1, NULL, false), -ENOTCONN);
}

static void done_never_comes_from_inside(void **state)
{
        struct waiter sent, begun, lost, given_up;

        (void)state;
        call(&sent, LAB_HOLD, 1);
        call(&given_up, LAB_HOLD, 1);
        begin(&begun, conn, LAB_ECHO, 2);
        begin(&lost, conn, LAB_ECHO, 2);
        conn_close(conn);
        rpc_req_send(&lost.req, SECOND);
        assert_int_equal(sent.done + lost.done, 0);
        rpc_req_cancel(&begun.req);
        rpc_req_cancel(&given_up.req);
        rpc_lab_run_ms(&lab, 1);
        assert_int_equal(sent.done, 1);
        assert_int_equal(lost.done, 1);
        assert_int_equal(sent.result, RPC_LOST);
        assert_int_equal(lost.result, RPC_LOST);
        assert_int_equal(begun.done + given_up.done, 0);
        assert_int_equal(bufpool_in_use_bytes(lab.pool), 0);
}

static void done_may_close_the_connection(void **state)
{
        struct waiter w, other;

        (void)state;
        call(&w, LAB_ECHO, 3);
        call(&other, LAB_ECHO, 4);
        w.close = true;
        rpc_lab_run_ms(&lab, 10);
        assert_int_equal(w.word, 3); /* the results are still there */
        assert_int_equal(w.result, RPC_DONE);
        assert_int_equal(other.result, RPC_LOST);
}

static void freeing_the_server_pays_its_debts(void **state)
{
        struct waiter w, unsent;
        struct stream *ends[2];
        static const struct stream_pair_conf straight = { .seed = 1 };
        struct rpc_server *s = rpc_server_new(&lab.v.env, lab.pool, programs, &lab_limits);
        struct conn *c;

        (void)state;
        stream_pair_new(&lab.v.env, &straight, ends);
        rpc_server_accept(lab.server, ends[1]);
        c = rpc_server_adopt(s, ends[0]);
        begin(&w, c, LAB_HOLD, 0);
        rpc_req_send(&w.req, SECOND);
        begin(&unsent, c, LAB_HOLD, 0);
        while (!unsent.req.out.full)
                xdr_put_u64(&unsent.req.out, 0);
        rpc_req_send(&unsent.req, SECOND);
        rpc_server_free(s);
        assert_int_equal(w.done, 1);
        assert_int_equal(w.result, RPC_LOST);
        assert_int_equal(unsent.done, 1);
        rpc_lab_run_ms(&lab, 10);
}

static void without_buffers_there_is_no_call(void **state)
{
        struct waiter w = { 0 };
        struct buf *all[2000];
        unsigned count = 0;

        (void)state;
        while ((all[count] = buf_get(lab.pool, BUF_SMALL)))
                count++;
        assert_int_equal(rpc_req_begin(&w.req, conn, 1, 1, 1, NULL, false), -ENOBUFS);
        rpc_req_cancel(&w.req);
        while (count > 0)
                buf_unref(all[--count]);
}

/* Replies to calls of ours are received although the server's share of the pool is used up. */
static void replies_come_in_when_calls_may_not(void **state)
{
        struct rpc_limits tight = lab_limits;
        struct stream *ends[2];
        static const struct stream_pair_conf straight = { .seed = 1 };
        struct buf *used = buf_get(lab.pool, BUF_LARGE);
        struct rpc_server *s;
        struct waiter w;

        (void)state;
        tight.max_pool_bytes = BUF_LARGE;
        s = rpc_server_new(&lab.v.env, lab.pool, programs, &tight);
        stream_pair_new(&lab.v.env, &straight, ends);
        rpc_server_accept(lab.server, ends[1]);
        begin(&w, rpc_server_adopt(s, ends[0]), LAB_ECHO, 8);
        rpc_req_send(&w.req, SECOND);
        rpc_lab_run_ms(&lab, 100);
        assert_int_equal(w.done, 1);
        assert_int_equal(w.word, 8);
        buf_unref(used);
        rpc_server_free(s);
}

/* A peer that answers what was not asked, and twice. */
static void strays_are_counted(void **state)
{
        struct raw_peer *p;
        uint8_t bytes[64];
        struct xdr_out x;
        static const struct stream_pair_conf straight = { .seed = 1 };

        (void)state;
        p = rpc_lab_peer(&lab, &straight);
        for (uint32_t i = 0; i < 10; i++) {
                xdr_out_init(&x, bytes, sizeof(bytes));
                rpc_put_accepted(&x, i, RPC_SUCCESS);
                raw_send_record(p, bytes, xdr_head_length(&x), 0);
        }
        rpc_lab_run_ms(&lab, 10);
        assert_int_equal(rpc_server_stats(lab.server)->stray_replies, 10);
        assert_false(p->ended);
        raw_peer_free(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TORN(name) cmocka_unit_test_setup_teardown(name, setup_torn, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_call_is_answered),
                TEST(replies_find_their_calls_in_any_order),
                TEST(calls_go_both_ways),
                TORN(calls_go_both_ways),
                TEST(refusals_are_told),
                TEST(arguments_that_do_not_fit_are_refused),
                TEST(a_large_request_and_a_linked_one),
                TORN(a_large_request_and_a_linked_one),
                TEST(a_late_reply_is_ignored),
                TEST(a_given_up_call_is_forgotten),
                TEST(what_was_begun_is_finished),
                TORN(what_was_begun_is_finished),
                TEST(a_broken_connection_loses_all_calls),
                TEST(done_never_comes_from_inside),
                TEST(done_may_close_the_connection),
                TEST(freeing_the_server_pays_its_debts),
                TEST(without_buffers_there_is_no_call),
                TEST(replies_come_in_when_calls_may_not),
                TEST(strays_are_counted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
