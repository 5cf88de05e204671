/* SPDX-License-Identifier: Apache-2.0 */
/* Calls and replies on a connection: dispatch, errors of the RPC layer, order, gathering, payloads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lab/rpc_lab.h"

static struct rpc_lab lab;
static struct raw_peer *peer;
static const struct stream_pair_conf straight = { .seed = 1 };
static const struct stream_pair_conf torn = {
        .seed = 7, .split = true, .max_delay_ns = 100000, .buffer_bytes = 9000
};

static int setup(void **state)
{
        (void)state;
        rpc_lab_start(&lab, 1, &lab_limits, 64 << 20);
        peer = rpc_lab_peer(&lab, &straight);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        rpc_lab_stop(&lab);
        raw_peer_free(peer);
        return 0;
}

static const struct rpc_stats *stats(void)
{
        return rpc_server_stats(lab.server);
}

static void a_call_is_answered(void **state)
{
        struct xdr_in x;

        (void)state;
        raw_call(peer, 77, LAB_ECHO, "12345678", 8);
        rpc_lab_run_ms(&lab, 1);
        x = raw_expect(peer, 77, RPC_SUCCESS);
        assert_int_equal(xdr_left(&x), 8);
        assert_memory_equal(x.p, "12345678", 8);
        assert_int_equal(stats()->calls, 1);
}

/* 24 bytes of header before the results, always: Linux places READ data by it. */
static void a_null_reply_is_24_bytes(void **state)
{
        struct slice record;

        (void)state;
        raw_call(peer, 1, LAB_NULL, "", 0);
        rpc_lab_run_ms(&lab, 1);
        assert_true(raw_next(peer, &record));
        assert_int_equal(record.length, 24);
}

static void replies_may_come_in_any_order(void **state)
{
        (void)state;
        for (uint32_t xid = 1; xid <= 5; xid++)
                raw_call(peer, xid, LAB_HOLD, "abcd", 4);
        rpc_lab_run_ms(&lab, 1);
        assert_int_equal(lab.service.held_count, 5);
        for (int i = 0; i < 3; i++)
                lab_release(&lab.service, true);
        raw_call(peer, 6, LAB_NULL, "", 0);
        rpc_lab_run_ms(&lab, 1);
        lab_release_all(&lab.service);
        rpc_lab_run_ms(&lab, 1);
        for (int i = 0; i < 6; i++)
                raw_expect(peer, (const uint32_t[]){ 5, 4, 3, 6, 1, 2 }[i], RPC_SUCCESS);
}

/* A count of the server's own reads and writes: the other end of the pair. */
static void one_read_and_one_write_serve_many_calls(void **state)
{
        struct stream *ends[2];
        struct raw_peer *other;

        (void)state;
        stream_pair_new(&lab.v.env, &straight, ends);
        rpc_server_accept(lab.server, ends[1]);
        other = raw_peer_new(ends[0]);
        for (uint32_t xid = 0; xid < 60; xid++)
                raw_call(other, xid, LAB_ECHO, "abcdefgh", 8);
        rpc_lab_run_ms(&lab, 1);
        for (uint32_t xid = 0; xid < 60; xid++)
                raw_expect(other, xid, RPC_SUCCESS);
        assert_int_equal(stream_pair_calls(ends[1]).reads, 1);
        assert_int_equal(stream_pair_calls(ends[1]).writes, 2); /* 48 messages fit the first for sure */
        raw_call(other, 1, LAB_NULL, "", 0);
        rpc_lab_run_ms(&lab, 1);
        assert_int_equal(stream_pair_calls(ends[1]).reads, 2);
        assert_int_equal(stream_pair_calls(ends[1]).writes, 3);
        raw_peer_free(other);
}

static void check_blob(struct raw_peer *p, uint32_t xid, uint32_t length)
{
        struct xdr_in x = raw_expect(p, xid, RPC_SUCCESS);
        struct slice data = xdr_get_opaque(&x, UINT32_MAX);

        assert_int_equal(data.length, length);
        for (uint32_t i = 0; i < length; i++)
                assert_int_equal(data.data[i], (uint8_t)(i * 7));
        assert_false(x.bad);
        assert_int_equal(xdr_left(&x), 0);
}

static void payloads_go_out_by_reference(void **state)
{
        static const uint32_t lengths[] = { 1, 2, 3, 4, 65536, 1048576 };

        (void)state;
        for (uint32_t i = 0; i < 6; i++) {
                uint32_t n = htobe32(lengths[i]);

                raw_call(peer, i, LAB_BLOB, &n, 4);
        }
        rpc_lab_run_ms(&lab, 10);
        for (uint32_t i = 0; i < 6; i++)
                check_blob(peer, i, lengths[i]);
        assert_int_equal(bufpool_in_use_bytes(lab.pool), 0);
}

static void send_sum(struct raw_peer *p, uint32_t xid, uint32_t length)
{
        uint8_t *args = malloc(8 + (size_t)length);
        struct xdr_out x;

        xdr_out_init(&x, args, 8 + length);
        xdr_put_u32(&x, length);
        memset(xdr_reserve(&x, (length + 3) & ~3u), 3, (length + 3) & ~3u);
        raw_call(p, xid, LAB_SUM, args, xdr_head_length(&x));
        free(args);
}

static void a_mebibyte_arrives(void **state)
{
        (void)state;
        for (uint32_t i = 0; i < 4; i++)
                send_sum(peer, i, 1048576 - i * 4);
        rpc_lab_run_ms(&lab, 10);
        for (uint32_t i = 0; i < 4; i++) {
                struct xdr_in x = raw_expect(peer, i, RPC_SUCCESS);

                assert_int_equal(xdr_get_u32(&x), 1048576 - i * 4);
                assert_int_equal(xdr_get_u32(&x), 3 * (1048576 - i * 4));
        }
        assert_int_equal(bufpool_in_use_bytes(lab.pool), 0);
}

static void an_idle_connection_holds_no_buffer(void **state)
{
        (void)state;
        raw_call(peer, 1, LAB_HOLD, "", 0);
        raw_call(peer, 2, LAB_NULL, "", 0);
        rpc_lab_run_ms(&lab, 1);
        assert_int_equal(bufpool_in_use_bytes(lab.pool), BUF_SMALL);
        lab_release_all(&lab.service);
        assert_int_equal(bufpool_in_use_bytes(lab.pool), 0);
}

/* --- errors of the RPC layer */

static void put_header(struct xdr_out *x, uint32_t rpcvers, uint32_t prog, uint32_t vers, uint32_t flavor)
{
        for (int i = 0; i < 10; i++)
                xdr_put_u32(x, (const uint32_t[]){ 5, RPC_CALL, rpcvers, prog, vers, 0, flavor, 0, 0, 0 }[i]);
}

static struct xdr_in answer(uint32_t rpcvers, uint32_t prog, uint32_t vers, uint32_t flavor)
{
        uint8_t bytes[64];
        struct xdr_out x;
        struct slice record;

        xdr_out_init(&x, bytes, sizeof(bytes));
        put_header(&x, rpcvers, prog, vers, flavor);
        raw_send_record(peer, bytes, xdr_head_length(&x), 0);
        rpc_lab_run_ms(&lab, 1);
        assert_true(raw_next(peer, &record));
        return xdr_in_of(record);
}

static void expect_words(struct xdr_in x, unsigned count, const uint32_t *words)
{
        assert_int_equal(xdr_left(&x), 4 * count);
        for (unsigned i = 0; i < count; i++)
                assert_int_equal(xdr_get_u32(&x), words[i]);
}

static void rpc_errors_are_told(void **state)
{
        (void)state;
        expect_words(answer(2, 4711, 1, 0), 6, (const uint32_t[]){ 5, 1, 0, 0, 0, RPC_PROG_UNAVAIL });
        expect_words(answer(2, LAB_PROGRAM, 1, 0), 8,
                     (const uint32_t[]){ 5, 1, 0, 0, 0, RPC_PROG_MISMATCH, 3, 3 });
        expect_words(answer(3, LAB_PROGRAM, 3, 0), 6, (const uint32_t[]){ 5, 1, 1, RPC_MISMATCH, 2, 2 });
        expect_words(answer(2, LAB_PROGRAM, 3, 6), 5,
                     (const uint32_t[]){ 5, 1, 1, RPC_AUTH_ERROR, RPC_AUTH_REJECTEDCRED });
        expect_words(answer(2, LAB_PROGRAM, 3, 1), 5,
                     (const uint32_t[]){ 5, 1, 1, RPC_AUTH_ERROR, RPC_AUTH_BADCRED });
        expect_words(answer(2, LAB_PROGRAM, 3, 3), 5,
                     (const uint32_t[]){ 5, 1, 1, RPC_AUTH_ERROR, RPC_AUTH_TOOWEAK });
        assert_int_equal(stats()->rejected, 6);
        assert_int_equal(stats()->calls, 0);
        assert_int_equal(rpc_server_connections(lab.server), 1);
}

static void program_errors_are_told(void **state)
{
        (void)state;
        raw_call(peer, 1, LAB_FAIL, "", 0);
        raw_call(peer, 2, LAB_OVERFLOW, "", 0);
        raw_call(peer, 3, 999, "", 0);
        raw_call(peer, 4, LAB_GARBAGE, "", 0);
        rpc_lab_run_ms(&lab, 1);
        assert_int_equal(raw_expect(peer, 1, RPC_SYSTEM_ERR).bad, false);
        raw_expect(peer, 2, RPC_SYSTEM_ERR);
        raw_expect(peer, 3, RPC_PROC_UNAVAIL);
        raw_expect(peer, 4, RPC_GARBAGE_ARGS);
}

static void a_head_may_outgrow_its_place(void **state)
{
        static const uint32_t words[] = { 100, 4096, 20000, 250000, 300000 };

        (void)state;
        for (uint32_t i = 0; i < 5; i++) {
                uint32_t n = htobe32(words[i]);

                raw_call(peer, i, LAB_LONG, &n, 4);
        }
        rpc_lab_run_ms(&lab, 10);
        for (uint32_t i = 0; i < 4; i++) {
                struct xdr_in x = raw_expect(peer, i, RPC_SUCCESS);

                assert_int_equal(xdr_left(&x), words[i] * 4);
                for (uint32_t j = 0; j < words[i]; j++)
                        assert_int_equal(xdr_get_u32(&x), j);
        }
        raw_expect(peer, 4, RPC_SYSTEM_ERR); /* more than BUF_LARGE */
        assert_int_equal(bufpool_in_use_bytes(lab.pool), 0);
}

static void garbage_closes_the_connection(void **state)
{
        static const uint8_t no_header[][40] = {
                { 0 },                                  /* nothing */
                { 0, 0, 0, 1 },                         /* an xid */
                { 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 2 }, /* neither call nor reply */
                { 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2 }, /* the first words of a call */
        };
        static const uint32_t lengths[] = { 0, 4, 40, 12 };

        (void)state;
        for (uint32_t i = 0; i < 4; i++) {
                struct raw_peer *p = rpc_lab_peer(&lab, &straight);

                raw_send_record(p, no_header[i], lengths[i], 0);
                rpc_lab_run_ms(&lab, 1);
                assert_true(p->ended);
                assert_int_equal(stats()->closed_bad, i + 1);
                raw_peer_free(p);
        }
        assert_int_equal(rpc_server_connections(lab.server), 1);
}

/* --- the end of a connection */

static void replies_to_a_closed_connection_vanish(void **state)
{
        (void)state;
        for (uint32_t xid = 1; xid <= 3; xid++)
                raw_call(peer, xid, LAB_HOLD, "abcd", 4);
        rpc_lab_run_ms(&lab, 1);
        peer->stream->ops->close(peer->stream);
        peer->stream = NULL;
        rpc_lab_run_ms(&lab, 1);
        assert_int_equal(rpc_server_connections(lab.server), 0);
        assert_int_equal(lab.service.conns_closed, 1);
        assert_int_equal(lab.service.held_count, 3);
        lab_release_all(&lab.service);
        rpc_lab_run_ms(&lab, 1);
}

static void closing_inside_a_call_is_fine(void **state)
{
        (void)state;
        raw_call(peer, 1, LAB_CLOSE, "", 0);
        raw_call(peer, 2, LAB_NULL, "", 0); /* already received, never looked at */
        rpc_lab_run_ms(&lab, 1);
        assert_true(peer->ended);
        assert_int_equal(lab.service.dispatched, 1);
}

static void closing_drops_what_was_queued(void **state)
{
        uint32_t n = htobe32(1000000);

        (void)state;
        raw_deaf(peer, true);
        for (uint32_t xid = 0; xid < 5; xid++)
                raw_call(peer, xid, LAB_BLOB, &n, 4);
        rpc_lab_run_ms(&lab, 1);
        assert_true(bufpool_in_use_bytes(lab.pool) > 0);
        peer->stream->ops->close(peer->stream);
        peer->stream = NULL;
        rpc_lab_run_ms(&lab, 1);
        assert_int_equal(rpc_server_connections(lab.server), 0);
        assert_int_equal(bufpool_in_use_bytes(lab.pool), 0);
}

static void count_closed(void *arg, struct conn *c)
{
        assert_true(conn_is_closed(c));
        ++*(int *)arg;
}

static void close_each(void *arg, struct conn *c)
{
        conn_on_close(c, count_closed, arg);
        conn_set_data(c, arg);
        assert_ptr_equal(conn_data(c), arg);
        assert_int_equal(conn_peer(c)->port, 1);
        assert_int_equal(conn_local(c)->port, 2);
        assert_ptr_equal(conn_env(c), &lab.v.env);
        conn_ref(c);
        conn_close(c);
        conn_close(c);
        conn_unref(c);
}

static void whoever_asked_is_told_of_the_end(void **state)
{
        int closed = 0;

        (void)state;
        rpc_server_each_conn(lab.server, close_each, &closed);
        assert_int_equal(closed, 1);
        assert_int_equal(lab.service.conns_closed, 1);
        rpc_lab_run_ms(&lab, 1);
        assert_true(peer->ended);
}

/* --- torn streams */

static bool all_answered(void *arg)
{
        struct raw_peer *p = arg;
        size_t taken = p->taken;
        struct slice record;
        int count = 0;

        while (raw_next(p, &record))
                count++;
        p->taken = taken;
        return count == 40;
}

static void torn_streams_carry_the_same(void **state)
{
        (void)state;
        for (uint64_t seed = 0; seed < 20; seed++) {
                struct stream_pair_conf conf = torn;
                struct raw_peer *p;

                conf.seed = seed;
                p = rpc_lab_peer(&lab, &conf);
                for (uint32_t xid = 0; xid < 40; xid++) {
                        uint32_t n = htobe32(xid * xid * 40);

                        if (xid % 4 == 3)
                                send_sum(p, xid, 70000);
                        else
                                raw_call(p, xid, xid % 4 ? LAB_BLOB : LAB_ECHO, &n, 4);
                }
                assert_true(virtual_env_run_until(&lab.v, 100000000000, all_answered, p));
                for (uint32_t xid = 0; xid < 40; xid++) {
                        if (xid % 4 == 1 || xid % 4 == 2)
                                check_blob(p, xid, xid * xid * 40);
                        else
                                raw_expect(p, xid, RPC_SUCCESS);
                }
                raw_peer_free(p);
                rpc_lab_run_ms(&lab, 1);
        }
        assert_int_equal(stats()->closed_bad, 0);
        assert_int_equal(bufpool_in_use_bytes(lab.pool), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_call_is_answered),
                TEST(a_null_reply_is_24_bytes),
                TEST(replies_may_come_in_any_order),
                TEST(one_read_and_one_write_serve_many_calls),
                TEST(payloads_go_out_by_reference),
                TEST(a_mebibyte_arrives),
                TEST(an_idle_connection_holds_no_buffer),
                TEST(rpc_errors_are_told),
                TEST(program_errors_are_told),
                TEST(a_head_may_outgrow_its_place),
                TEST(garbage_closes_the_connection),
                TEST(replies_to_a_closed_connection_vanish),
                TEST(closing_inside_a_call_is_fine),
                TEST(closing_drops_what_was_queued),
                TEST(whoever_asked_is_told_of_the_end),
                TEST(torn_streams_carry_the_same),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
