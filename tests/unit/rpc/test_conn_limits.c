/* SPDX-License-Identifier: Apache-2.0 */
/* The bounds of a server: slow, silent, greedy and hostile peers cost what the limits say, and no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lab/rpc_lab.h"

static struct rpc_lab lab;
static struct rpc_limits limits;
static const struct stream_pair_conf straight = { .seed = 1 };

static int setup(void **state)
{
        (void)state;
        limits = lab_limits;
        return 0;
}

static void start(size_t pool_bytes)
{
        rpc_lab_start(&lab, 1, &limits, pool_bytes);
}

static const struct rpc_stats *stats(void)
{
        return rpc_server_stats(lab.server);
}

static uint32_t replies(struct raw_peer *p)
{
        struct slice record;
        uint32_t count = 0;

        while (raw_next(p, &record))
                count++;
        return count;
}

static void send_calls(struct raw_peer *p, uint32_t count, uint32_t proc, uint32_t arg)
{
        arg = htobe32(arg);
        for (uint32_t xid = 0; xid < count; xid++)
                raw_call(p, xid, proc, &arg, 4);
}

/* The mark of a record of LENGTH bytes, and SENT bytes of it. */
static void send_half(struct raw_peer *p, uint32_t length, uint32_t sent)
{
        uint32_t mark = htobe32(0x80000000u | length);
        uint8_t *bytes = calloc(1, (size_t)sent + 1);

        raw_send(p, &mark, 4);
        raw_send(p, bytes, sent);
        free(bytes);
}

/* --- time */

static void half_a_record_is_closed(void **state)
{
        struct raw_peer *p;

        (void)state;
        start(64 << 20);
        p = rpc_lab_peer(&lab, &straight);
        raw_call(p, 1, LAB_NULL, "", 0);
        rpc_lab_run_ms(&lab, 60000); /* between records silence is fine */
        assert_false(p->ended);
        send_half(p, 1000, 500);
        rpc_lab_run_ms(&lab, limits.stall_ms - 10);
        assert_false(p->ended);
        rpc_lab_run_ms(&lab, 20);
        assert_true(p->ended);
        assert_int_equal(stats()->closed_slow, 1);
        raw_peer_free(p);
        rpc_lab_stop(&lab);
}

static void a_dribble_is_half_a_record(void **state)
{
        struct raw_peer *p;
        uint32_t ms = 0;

        (void)state;
        start(64 << 20);
        p = rpc_lab_peer(&lab, &straight);
        send_half(p, 100000, 0);
        for (; !p->ended && ms < 60000; ms += 100) {
                raw_send(p, "x", 1);
                rpc_lab_run_ms(&lab, 100);
        }
        assert_true(ms <= limits.stall_ms + 200);
        raw_peer_free(p);
        rpc_lab_stop(&lab);
}

/* A mebibyte at 64 KiB a stall period is slow, but it moves. */
static void a_slow_line_is_not_a_stall(void **state)
{
        static uint8_t piece[32768];
        struct raw_peer *p;

        (void)state;
        start(64 << 20);
        p = rpc_lab_peer(&lab, &straight);
        send_half(p, 1 << 20, 0);
        for (int i = 0; i < 31; i++) {
                raw_send(p, piece, sizeof(piece));
                rpc_lab_run_ms(&lab, limits.stall_ms / 3);
        }
        assert_false(p->ended);
        raw_peer_free(p);
        rpc_lab_stop(&lab);
}

static void a_peer_that_never_speaks_is_closed(void **state)
{
        struct raw_peer *p;

        (void)state;
        start(64 << 20);
        p = rpc_lab_peer(&lab, &straight);
        rpc_lab_run_ms(&lab, limits.stall_ms + 10);
        assert_true(p->ended);
        assert_int_equal(stats()->closed_slow, 1);
        raw_peer_free(p);
        rpc_lab_stop(&lab);
}

static void a_peer_that_does_not_read_is_closed(void **state)
{
        struct raw_peer *p;

        (void)state;
        start(64 << 20);
        p = rpc_lab_peer(&lab, &straight);
        raw_deaf(p, true);
        send_calls(p, 3, LAB_BLOB, 500000);
        rpc_lab_run_ms(&lab, limits.stall_ms - 10);
        assert_int_equal(rpc_server_connections(lab.server), 1);
        rpc_lab_run_ms(&lab, 20);
        assert_int_equal(rpc_server_connections(lab.server), 0);
        assert_int_equal(stats()->closed_slow, 1);
        assert_int_equal(bufpool_in_use_bytes(lab.pool), 0);
        raw_peer_free(p);
        rpc_lab_stop(&lab);
}

static void a_peer_that_reads_slowly_is_served(void **state)
{
        struct stream_pair_conf narrow = { .seed = 1, .buffer_bytes = 50000 };
        struct raw_peer *p;

        (void)state;
        start(64 << 20);
        p = rpc_lab_peer(&lab, &narrow);
        send_calls(p, 3, LAB_BLOB, 500000);
        for (int i = 0; i < 40; i++) { /* at least two buffers full a stall period */
                raw_deaf(p, true);
                rpc_lab_run_ms(&lab, limits.stall_ms / 3);
                raw_deaf(p, false);
                virtual_env_run(&lab.v, 1);
        }
        assert_false(p->ended);
        assert_int_equal(replies(p), 3);
        raw_peer_free(p);
        rpc_lab_stop(&lab);
}

/* --- numbers */

static void one_connection_too_many_is_closed(void **state)
{
        struct raw_peer *p[4];

        (void)state;
        limits.max_connections = 3;
        start(64 << 20);
        for (int i = 0; i < 4; i++)
                p[i] = rpc_lab_peer(&lab, &straight);
        rpc_lab_run_ms(&lab, 1);
        assert_true(p[3]->ended);
        assert_int_equal(rpc_server_connections(lab.server), 3);
        assert_int_equal(stats()->refused, 1);
        assert_int_equal(stats()->accepted, 4);
        raw_peer_free(p[0]);
        rpc_lab_run_ms(&lab, 1);
        p[0] = rpc_lab_peer(&lab, &straight);
        send_calls(p[0], 1, LAB_NULL, 0);
        rpc_lab_run_ms(&lab, 1);
        assert_int_equal(replies(p[0]), 1);
        for (int i = 0; i < 4; i++)
                raw_peer_free(p[i]);
        rpc_lab_stop(&lab);
}

static void a_connection_has_so_many_calls_at_a_time(void **state)
{
        struct raw_peer *greedy, *other;

        (void)state;
        limits.max_calls_per_conn = 10;
        start(64 << 20);
        greedy = rpc_lab_peer(&lab, &straight);
        other = rpc_lab_peer(&lab, &straight);
        send_calls(greedy, 35, LAB_HOLD, 0);
        send_calls(other, 3, LAB_HOLD, 0);
        rpc_lab_run_ms(&lab, 2 * limits.stall_ms); /* it is we who make it wait */
        assert_int_equal(lab.service.held_count, 13);
        while (lab.service.held_count > 0) {
                lab_release_all(&lab.service);
                rpc_lab_run_ms(&lab, 1);
                assert_true(lab.service.held_count <= 10);
        }
        assert_int_equal(replies(greedy), 35);
        assert_int_equal(replies(other), 3);
        raw_peer_free(greedy);
        raw_peer_free(other);
        rpc_lab_stop(&lab);
}

static void a_server_has_so_many_calls_at_a_time(void **state)
{
        struct raw_peer *p[8];
        uint32_t rounds = 0;

        (void)state;
        limits.max_calls = 20;
        start(64 << 20);
        for (int i = 0; i < 8; i++) {
                p[i] = rpc_lab_peer(&lab, &straight);
                send_calls(p[i], 30, LAB_HOLD, 0);
        }
        rpc_lab_run_ms(&lab, 1);
        while (lab.service.held_count > 0) {
                assert_true(lab.service.held_count <= 20);
                lab_release(&lab.service, rounds++ % 2);
                rpc_lab_run_ms(&lab, 1);
        }
        assert_int_equal(rounds, 240);
        for (int i = 0; i < 8; i++) {
                assert_int_equal(replies(p[i]), 30);
                raw_peer_free(p[i]);
        }
        rpc_lab_stop(&lab);
}

static void waiting_connections_may_close(void **state)
{
        struct raw_peer *p[3];

        (void)state;
        limits.max_calls = 2;
        start(64 << 20);
        for (int i = 0; i < 3; i++) {
                p[i] = rpc_lab_peer(&lab, &straight);
                send_calls(p[i], 2, LAB_HOLD, 0);
                rpc_lab_run_ms(&lab, 1);
        }
        raw_peer_free(p[1]);
        lab_release_all(&lab.service);
        rpc_lab_run_ms(&lab, 1);
        assert_int_equal(lab.service.held_count, 2);
        lab_release_all(&lab.service);
        rpc_lab_run_ms(&lab, 1);
        raw_peer_free(p[0]);
        raw_peer_free(p[2]);
        rpc_lab_stop(&lab);
}

/* --- bytes */

static void a_record_too_long_is_closed(void **state)
{
        struct raw_peer *p;

        (void)state;
        limits.max_record = 100000;
        start(64 << 20);
        p = rpc_lab_peer(&lab, &straight);
        send_half(p, 100001, 10);
        rpc_lab_run_ms(&lab, 1);
        assert_true(p->ended);
        assert_int_equal(stats()->closed_bad, 1);
        assert_int_equal(bufpool_in_use_bytes(lab.pool), 0);
        raw_peer_free(p);
        rpc_lab_stop(&lab);
}

static void a_flood_of_empty_fragments_is_closed(void **state)
{
        static const uint8_t zeros[64000];
        struct raw_peer *p;

        (void)state;
        start(64 << 20);
        p = rpc_lab_peer(&lab, &straight);
        raw_send(p, zeros, sizeof(zeros));
        rpc_lab_run_ms(&lab, 1);
        assert_true(p->ended);
        assert_int_equal(stats()->closed_bad, 1);
        raw_peer_free(p);
        rpc_lab_stop(&lab);
}

/* With so many reply bytes waiting, no more calls are begun: what one peer holds of the pool is bounded. */
static void unread_replies_stop_the_calls(void **state)
{
        struct raw_peer *p;

        (void)state;
        limits.max_reply_bytes = 1000000;
        start(64 << 20);
        p = rpc_lab_peer(&lab, &straight);
        raw_deaf(p, true);
        send_calls(p, 100, LAB_BLOB, 300000);
        rpc_lab_run_ms(&lab, 10);
        assert_true(lab.service.dispatched <= 6);
        raw_deaf(p, false);
        rpc_lab_run_ms(&lab, 10);
        assert_int_equal(replies(p), 100);
        raw_peer_free(p);
        rpc_lab_stop(&lab);
}

static void send_sums(struct raw_peer *p, uint32_t count, uint32_t length)
{
        uint8_t *args = calloc(1, 4 + (size_t)length);
        uint32_t n = htobe32(length);

        memcpy(args, &n, 4);
        for (uint32_t xid = 0; xid < count; xid++)
                raw_call(p, xid, LAB_SUM, args, 4 + length);
        free(args);
}

/* Twelve peers with large records share a pool that holds three: all are served in the end. */
static void little_memory_makes_peers_wait(void **state)
{
        struct stream_pair_conf conf = { .split = true, .max_delay_ns = 1000000, .buffer_bytes = 300000 };
        struct raw_peer *p[12];

        (void)state;
        limits.max_pool_bytes = 2 * BUF_LARGE;
        start(3 * BUF_LARGE + 16 * BUF_SMALL);
        for (int i = 0; i < 12; i++) {
                conf.seed = (uint64_t)i;
                p[i] = rpc_lab_peer(&lab, &conf);
                send_sums(p[i], 10, 900000);
        }
        rpc_lab_run_ms(&lab, 20000);
        assert_int_equal(stats()->closed_slow, 0);
        for (int i = 0; i < 12; i++) {
                assert_int_equal(replies(p[i]), 10);
                raw_peer_free(p[i]);
        }
        rpc_lab_stop(&lab);
}

/* Those who hold the pool with half records are closed, sooner when others need it. */
static void half_records_cannot_hold_the_pool(void **state)
{
        struct raw_peer *bad[10], *good;

        (void)state;
        start(4 * BUF_LARGE);
        for (int i = 0; i < 10; i++) {
                bad[i] = rpc_lab_peer(&lab, &straight);
                send_half(bad[i], 1 << 20, 200000);
        }
        rpc_lab_run_ms(&lab, 100);
        assert_true(bufpool_in_use_bytes(lab.pool) > 3 * BUF_LARGE);
        good = rpc_lab_peer(&lab, &straight);
        send_sums(good, 5, 1000000);
        rpc_lab_run_ms(&lab, 3 * limits.stall_ms);
        assert_int_equal(replies(good), 5);
        rpc_lab_run_ms(&lab, 3 * limits.stall_ms);
        assert_int_equal(stats()->closed_slow, 10);
        for (int i = 0; i < 10; i++)
                raw_peer_free(bad[i]);
        raw_peer_free(good);
        rpc_lab_stop(&lab);
}

/* Buffers that somebody outside rpc/ gives back are noticed too. */
static void buffers_from_elsewhere_are_noticed(void **state)
{
        struct raw_peer *p;
        struct buf *all[4];

        (void)state;
        start(4 * BUF_SMALL);
        for (int i = 0; i < 4; i++)
                all[i] = buf_get(lab.pool, BUF_SMALL);
        p = rpc_lab_peer(&lab, &straight);
        send_calls(p, 3, LAB_NULL, 0);
        rpc_lab_run_ms(&lab, 2 * limits.stall_ms);
        assert_false(p->ended);
        assert_int_equal(replies(p), 0);
        for (int i = 0; i < 4; i++)
                buf_unref(all[i]);
        rpc_lab_run_ms(&lab, 20);
        assert_int_equal(replies(p), 3);
        raw_peer_free(p);
        rpc_lab_stop(&lab);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(half_a_record_is_closed),
                TEST(a_dribble_is_half_a_record),
                TEST(a_slow_line_is_not_a_stall),
                TEST(a_peer_that_never_speaks_is_closed),
                TEST(a_peer_that_does_not_read_is_closed),
                TEST(a_peer_that_reads_slowly_is_served),
                TEST(one_connection_too_many_is_closed),
                TEST(a_connection_has_so_many_calls_at_a_time),
                TEST(a_server_has_so_many_calls_at_a_time),
                TEST(waiting_connections_may_close),
                TEST(a_record_too_long_is_closed),
                TEST(a_flood_of_empty_fragments_is_closed),
                TEST(unread_replies_stop_the_calls),
                TEST(little_memory_makes_peers_wait),
                TEST(half_records_cannot_hold_the_pool),
                TEST(buffers_from_elsewhere_are_noticed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
