/* SPDX-License-Identifier: Apache-2.0 */
/* What a slow, silent or greedy peer costs at the NFS doors of both servers, with the limits of production: a
 * bounded buffer, and then it is closed (DESIGN: everything has its size at birth). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lab/door_lab.h"

static uint64_t closed_slow(void)
{
        return rpc_server_stats(door.rpc)->closed_slow;
}

/* One that begins a door_record of 1 MiB and falls silent. */
static struct raw_peer *dial_and_stall(uint32_t sent)
{
        static uint8_t bytes[1 << 20];
        uint32_t mark = htobe32(0x80000000u | sizeof(bytes));
        struct raw_peer *p = door_dial();

        raw_send(p, &mark, 4);
        raw_send(p, bytes, sent);
        door_run_ms(10);
        return p;
}

static void half_a_record_costs_one_buffer_and_is_closed(void **state)
{
        struct raw_peer *p = dial_and_stall(300000), *good = door_dial();

        (void)state;
        door_is_served(good);
        assert_in_range(bufpool_in_use_bytes(door.pool), 1, BUF_LARGE + BUF_SMALL);
        door_run_ms(2 * DOOR_PATIENCE_MS); /* at first it did move */
        assert_true(p->ended);
        assert_int_equal(closed_slow(), 1);
        assert_int_equal(bufpool_in_use_bytes(door.pool), 0);
        door_is_served(good); /* it was silent for as long, but between records */
        raw_peer_free(p);
        raw_peer_free(good);
        door_run_ms(10);
}

static void who_never_speaks_is_closed(void **state)
{
        struct raw_peer *p = door_dial();

        (void)state;
        door_run_ms(DOOR_PATIENCE_MS);
        assert_true(p->ended);
        assert_int_equal(closed_slow(), 1);
        assert_int_equal(rpc_server_connections(door.rpc), 0);
        raw_peer_free(p);
}

/* Replies that door_nobody reads stop the calls: what waits is bounded, and then it is closed. */
static void who_does_not_read_is_closed(void **state)
{
        struct raw_peer *p = door_dial();

        (void)state;
        raw_deaf(p, true);
        for (uint32_t xid = 0; xid < 30000; xid++)
                door_exchange_id(p, xid, &door_nobody, 1, 0);
        door_run_ms(1000);
        assert_true(rpc_server_stats(door.rpc)->calls < 30000);
        door_run_ms(2 * DOOR_PATIENCE_MS);
        assert_int_equal(closed_slow(), 1);
        assert_int_equal(rpc_server_connections(door.rpc), 0);
        raw_peer_free(p);
        door_run_ms(10);
}

static void a_record_that_is_too_long_is_closed_at_its_mark(void **state)
{
        static const uint32_t lengths[] = { RPC_RECORD_MAX + 1, 0x7fffffff };
        struct raw_peer *good = door_dial();

        (void)state;
        for (int i = 0; i < 2; i++) {
                struct raw_peer *p = door_dial();
                uint32_t mark = htobe32(lengths[i]);

                raw_send(p, &mark, 4);
                door_run_ms(10);
                assert_true(p->ended);
                raw_peer_free(p);
        }
        assert_int_equal(rpc_server_stats(door.rpc)->closed_bad, 2);
        door_is_served(good);
        raw_peer_free(good);
        door_run_ms(10);
}

static void bytes_that_are_no_calls_are_closed(void **state)
{
        static const uint8_t noise[] = "\x80\x00\x00\x10GET / HTTP/1.1\r\n";
        struct raw_peer *p = door_dial();

        (void)state;
        raw_send(p, noise, sizeof(noise) - 1);
        door_run_ms(10);
        assert_true(p->ended);
        assert_int_equal(rpc_server_stats(door.rpc)->closed_bad, 1);
        raw_peer_free(p);
}

static void one_connection_too_many_is_closed(void **state)
{
        struct raw_peer *peers[DOOR_CONNECTIONS], *late;

        (void)state;
        for (int i = 0; i < DOOR_CONNECTIONS; i++)
                peers[i] = door_dial();
        for (int i = 0; i < DOOR_CONNECTIONS; i++)
                door_is_served(peers[i]);
        late = door_dial();
        door_run_ms(10);
        assert_true(late->ended);
        assert_int_equal(rpc_server_stats(door.rpc)->refused, 1);
        raw_peer_free(late);
        raw_peer_free(peers[0]);
        door_run_ms(10);
        peers[0] = door_dial();
        for (int i = 0; i < DOOR_CONNECTIONS; i++) {
                door_is_served(peers[i]);
                raw_peer_free(peers[i]);
        }
        door_run_ms(10);
}

/* As many as there may be begin large records, more than there is memory for: it is not exceeded, and whoever
 * speaks is served when the first of them are given up. */
static void greedy_peers_cannot_take_all_memory(void **state)
{
        struct raw_peer *greedy[DOOR_CONNECTIONS - 1], *good = door_dial();

        (void)state;
        for (int i = 0; i < DOOR_CONNECTIONS - 1; i++)
                greedy[i] = dial_and_stall(100000);
        assert_in_range(bufpool_in_use_bytes(door.pool), DOOR_MEMORY / 4, DOOR_MEMORY);
        door_null(good, 1, 0);
        door_run_ms(DOOR_PATIENCE_MS / 6);
        raw_expect(good, 1, RPC_SUCCESS);
        door_run_ms(2 * DOOR_PATIENCE_MS);
        for (int i = 0; i < DOOR_CONNECTIONS - 1; i++) {
                assert_true(greedy[i]->ended);
                raw_peer_free(greedy[i]);
        }
        assert_int_equal(bufpool_in_use_bytes(door.pool), 0);
        door_is_served(good);
        raw_peer_free(good);
        door_run_ms(10);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                DOOR_BOTH(half_a_record_costs_one_buffer_and_is_closed),
                DOOR_BOTH(who_never_speaks_is_closed),
                DOOR_BOTH(who_does_not_read_is_closed),
                DOOR_BOTH(a_record_that_is_too_long_is_closed_at_its_mark),
                DOOR_BOTH(bytes_that_are_no_calls_are_closed),
                DOOR_BOTH(one_connection_too_many_is_closed),
                DOOR_BOTH(greedy_peers_cannot_take_all_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
