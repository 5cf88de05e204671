/* SPDX-License-Identifier: Apache-2.0 */
/* The peer against a server of the shared operations: calls, slots, the lease, the farewell. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/nfs4/peer_support.h"

static void it_comes_up(void **unused)
{
        (void)unused;
        assert_false(peer_ready(peer));
        nfs4_lab_run_ms(&lab, 10);
        assert_true(peer_ready(peer));
        assert_null(state);
        assert_int_equal(changes, 1);
        assert_int_equal(peer_slots(peer), SLOTS);
        assert_true(client_by_id(&lab.nfs, peer_clientid(peer))->reclaim_complete);
        assert_int_equal(lab.connects, 1);
}

static void calls_wait_until_it_is_up(void **unused)
{
        struct one fast = { .call = { .done = on_done, .encode = encode } }, o;

        (void)unused;
        assert_int_equal(peer_run(peer, &fast.call, true), -EAGAIN);
        run(&o, LAB_OP_COUNT, 0);
        nfs4_lab_run_ms(&lab, 10);
        assert_int_equal(o.status, NFS4_OK);
        assert_int_equal(o.done, 1);
        assert_int_equal(fast.done, 0);
}

static void a_call_may_run_again_from_done(void **unused)
{
        struct one o;

        (void)unused;
        run(&o, LAB_OP_COUNT, 0);
        o.again = true;
        nfs4_lab_run_ms(&lab, 10);
        assert_int_equal(o.done, 2);
        assert_int_equal(o.word, 2);
}

static void errors_are_the_callers(void **unused)
{
        struct one o;

        (void)unused;
        run(&o, LAB_OP_FAIL, NFS4ERR_NOSPC);
        nfs4_lab_run_ms(&lab, 10);
        assert_int_equal(o.result, RPC_DONE);
        assert_int_equal(o.status, NFS4ERR_NOSPC);
        assert_works();
        assert_int_equal(changes, 1);
}

static void what_is_over_the_slots_waits(void **unused)
{
        struct one o[3 * SLOTS];

        (void)unused;
        for (unsigned i = 0; i < 3 * SLOTS; i++)
                run(&o[i], LAB_OP_WAIT, 1);
        for (unsigned i = 0; i < 3 * SLOTS; i++) {
                unsigned held = 0;

                nfs4_lab_run_ms(&lab, 10);
                LIST_FOR_EACH(node, &lab.held)
                        held++;
                assert_int_equal(held, 3 * SLOTS - i < SLOTS ? 3 * SLOTS - i : SLOTS);
                nfs4_lab_release(&lab);
                nfs4_lab_run_ms(&lab, 10);
                assert_int_equal(o[i].status, NFS4_OK);
                assert_int_equal(o[i].done, 1);
        }
}

static void the_server_gives_more_slots_to_who_uses_them(void **unused)
{
        struct peer_conf c = conf();
        struct one *o = calloc(600, sizeof(*o));

        (void)unused;
        peer_free(peer);
        c.slots = 200;
        peer = peer_new(lab.dialler, &lab.v.env, &c, on_state, &lab);
        for (unsigned i = 0; i < 600; i++)
                run(&o[i], LAB_OP_COUNT, 0);
        nfs4_lab_run_ms(&lab, 100);
        assert_int_equal(peer_slots(peer), 200); /* asked for; 64 at first */
        for (unsigned i = 0; i < 600; i++)
                assert_int_equal(o[i].status, NFS4_OK);
        assert_int_equal(lab.count, 600);
        free(o);
}

/* --- what is refused without the session being lost */

static void too_many_operations_concern_only_that_call(void **unused)
{
        struct one o = { .call = { .done = on_done, .encode = encode }, .opnum = LAB_OP_COUNT, .ops = 40 };

        (void)unused;
        assert_int_equal(peer_run(peer, &o.call, true), 0);
        nfs4_lab_run_ms(&lab, 10);
        assert_int_equal(o.result, RPC_DONE);
        assert_int_equal(o.status, NFS4ERR_TOO_MANY_OPS);
        assert_int_equal(lab.count, 0);
        assert_works();
        assert_int_equal(changes, 1);
}

static void a_request_that_is_too_long_is_refused(void **unused)
{
        struct one o = { .call = { .done = on_done, .encode = encode }, .opnum = LAB_OP_BLOB, .ops = 10000 };

        (void)unused;
        assert_int_equal(peer_run(peer, &o.call, true), 0);
        nfs4_lab_run_ms(&lab, 10);
        assert_int_equal(o.result, RPC_REFUSED);
        assert_works();
        assert_int_equal(changes, 1);
}

static void it_waits_for_buffers(void **unused)
{
        struct buf *taken[8192], *buf;
        unsigned count = 0;
        struct one o;

        (void)unused;
        while ((buf = buf_get(lab.pool, BUF_SMALL)))
                taken[count++] = buf;
        run(&o, LAB_OP_COUNT, 0);
        nfs4_lab_run_ms(&lab, 100);
        assert_int_equal(o.done, 0);
        while (count > 0)
                buf_unref(taken[--count]);
        nfs4_lab_run_ms(&lab, 100);
        assert_int_equal(o.status, NFS4_OK);
        assert_int_equal(o.done, 1);
}

/* --- the lease */

static void an_idle_peer_keeps_its_lease(void **unused)
{
        (void)unused;
        nfs4_lab_run_ms(&lab, 1000000);
        assert_int_equal(lab.nfs.clients.count, 1);
        assert_int_equal(changes, 1);
        assert_in_range(lab.nfs.op_metrics[OP_SEQUENCE].calls.value, 1000 / 30, 1000 / 30 + 3);
        assert_int_equal(lab.nfs.op_metrics[OP_GETATTR].calls.value, 1);
}

/* A third of what the server announces, and a guess that is short enough before it has. */
static void the_shortest_lease_is_kept(void **unused)
{
        (void)unused;
        lab.nfs.lease_seconds = 10;
        nfs4_lab_restart(&lab);
        lab.nfs.lease_seconds = 10;
        nfs4_lab_run_ms(&lab, 300000);
        assert_int_equal(lab.nfs.clients.count, 1);
        assert_in_range(lab.nfs.op_metrics[OP_SEQUENCE].calls.value, 300 / 4, 300 / 3 + 3);
        lab.ops[OP_GETATTR] = NULL;
        nfs4_lab_restart(&lab);
        nfs4_lab_run_ms(&lab, 60000);
        assert_true(peer_ready(peer));
        assert_int_equal(lab.nfs.clients.count, 1);
}

static void a_busy_peer_does_not_renew(void **unused)
{
        uint64_t before;

        (void)unused;
        nfs4_lab_run_ms(&lab, 2000); /* it has asked how long the lease is */
        before = lab.nfs.op_metrics[OP_SEQUENCE].calls.value;
        for (int i = 0; i < 100; i++) {
                assert_works();
                nfs4_lab_run_ms(&lab, 1000);
        }
        assert_int_equal(lab.nfs.op_metrics[OP_SEQUENCE].calls.value - before, 100);
}

/* Its own SEQUENCE waits for a slot when the connection goes. */
static void a_renewal_that_waits_is_forgotten(void **unused)
{
        struct one o[SLOTS];

        (void)unused;
        nfs4_lab_run_ms(&lab, 2000);
        for (int i = 0; i < SLOTS; i++)
                run(&o[i], LAB_OP_WAIT, 1);
        nfs4_lab_run_ms(&lab, 61000); /* two thirds of the lease */
        nfs4_lab_close_conns(&lab);
        while (nfs4_lab_release(&lab))
                ;
        nfs4_lab_run_ms(&lab, 1000);
        assert_works();
        nfs4_lab_run_ms(&lab, 100000);
        assert_int_equal(lab.nfs.clients.count, 1);
}

/* --- leaving */

static bool left;

static void on_left(void *arg)
{
        assert_ptr_equal(arg, &lab);
        assert_false(left);
        left = true;
}

static void on_left_free(void *arg)
{
        on_left(arg);
        peer_free(peer);
        peer = NULL;
}

static void it_says_farewell(void **unused)
{
        (void)unused;
        left = false;
        peer_shutdown(peer, on_left_free, &lab);
        assert_false(left);
        nfs4_lab_run_ms(&lab, 10);
        assert_true(left);
        assert_int_equal(lab.nfs.clients.count, 0);
        assert_int_equal(lab.nfs.clients.session_count, 0);
}

static void farewell_waits_for_what_is_under_way(void **unused)
{
        struct one o, late = { .call = { .done = on_done, .encode = encode } };

        (void)unused;
        run(&o, LAB_OP_WAIT, 1);
        nfs4_lab_run_ms(&lab, 1);
        left = false;
        peer_shutdown(peer, on_left, &lab);
        assert_int_equal(peer_run(peer, &late.call, false), -EAGAIN);
        nfs4_lab_run_ms(&lab, 1000);
        assert_false(left);
        nfs4_lab_release(&lab);
        nfs4_lab_run_ms(&lab, 10);
        assert_int_equal(o.status, NFS4_OK);
        assert_true(left);
        assert_int_equal(lab.nfs.clients.count, 0);
}

static void farewell_ends_when_the_server_goes(void **unused)
{
        (void)unused;
        lab.hold_commits = true;
        left = false;
        peer_shutdown(peer, on_left, &lab);
        nfs4_lab_run_ms(&lab, 1000);
        assert_false(left);
        nfs4_lab_close_conns(&lab);
        nfs4_lab_run_ms(&lab, 10);
        assert_true(left);
        nfs4_lab_commit(&lab);
        nfs4_lab_run_ms(&lab, 60000);
        assert_int_equal(lab.connects, 1);
}

static void farewell_to_a_silent_server_ends_in_time(void **unused)
{
        (void)unused;
        lab.hold_commits = true;
        left = false;
        peer_shutdown(peer, on_left, &lab);
        nfs4_lab_run_ms(&lab, TIMEOUT_SECONDS * 1000 + 100);
        assert_true(left);
        nfs4_lab_commit(&lab);
}

static void farewell_without_a_session_is_short(void **unused)
{
        struct one o;

        (void)unused;
        lab.unreachable = true;
        nfs4_lab_run_ms(&lab, 1000);
        run(&o, LAB_OP_COUNT, 0);
        left = false;
        peer_shutdown(peer, on_left, &lab);
        assert_false(left);
        nfs4_lab_run_ms(&lab, 1);
        assert_true(left);
        assert_int_equal(o.done, 0);
        peer_free(peer);
        peer = NULL;
        assert_int_equal(o.result, RPC_LOST);
        assert_int_equal(o.done, 1);
}

static void freeing_ends_all_calls(void **unused)
{
        struct one o[SLOTS + 3];

        (void)unused;
        for (int i = 0; i < SLOTS + 3; i++)
                run(&o[i], LAB_OP_WAIT, 1);
        nfs4_lab_run_ms(&lab, 1);
        peer_free(peer);
        peer = NULL;
        for (int i = 0; i < SLOTS + 3; i++) {
                assert_int_equal(o[i].result, RPC_LOST);
                assert_int_equal(o[i].done, 1);
        }
        nfs4_lab_run_ms(&lab, 100);
}

static void it_may_be_freed_from_done(void **unused)
{
        struct one o[SLOTS + 1];

        (void)unused;
        for (int i = 0; i < SLOTS + 1; i++)
                run(&o[i], LAB_OP_COUNT, 0);
        o[1].free_peer = true;
        nfs4_lab_run_ms(&lab, 10);
        assert_int_equal(o[0].status, NFS4_OK);
        assert_int_equal(o[1].result, RPC_DONE);
        for (int i = 0; i < SLOTS + 1; i++)
                assert_int_equal(o[i].done, 1);
}

static void it_may_be_freed_while_setting_up(void **unused)
{
        (void)unused;
        lab.hold_commits = true;
        nfs4_lab_run_ms(&lab, 10);
        peer_free(peer);
        peer = NULL;
        nfs4_lab_commit(&lab);
        nfs4_lab_run_ms(&lab, 10);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                NEW(it_comes_up),
                NEW(calls_wait_until_it_is_up),
                UP(a_call_may_run_again_from_done),
                UP(errors_are_the_callers),
                UP(what_is_over_the_slots_waits),
                NEW(the_server_gives_more_slots_to_who_uses_them),
                UP(too_many_operations_concern_only_that_call),
                UP(a_request_that_is_too_long_is_refused),
                UP(it_waits_for_buffers),
                UP(an_idle_peer_keeps_its_lease),
                UP(the_shortest_lease_is_kept),
                UP(a_busy_peer_does_not_renew),
                UP(a_renewal_that_waits_is_forgotten),
                UP(it_says_farewell),
                UP(farewell_waits_for_what_is_under_way),
                UP(farewell_ends_when_the_server_goes),
                UP(farewell_to_a_silent_server_ends_in_time),
                NEW(farewell_without_a_session_is_short),
                UP(freeing_ends_all_calls),
                UP(it_may_be_freed_from_done),
                NEW(it_may_be_freed_while_setting_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
