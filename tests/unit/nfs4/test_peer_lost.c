/* SPDX-License-Identifier: Apache-2.0 */
/* The peer when connections break, servers fall silent or restart, and sessions are lost. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/nfs4/peer_support.h"

/* --- losing the connection */

static void it_comes_back(void **unused)
{
        (void)unused;
        nfs4_lab_close_conns(&lab);
        nfs4_lab_run_ms(&lab, 1);
        assert_false(peer_ready(peer));
        assert_string_equal(state, "the connection closed");
        nfs4_lab_run_ms(&lab, 200);
        assert_null(state);
        assert_works();
        assert_int_equal(lab.nfs.clients.session_count, 1); /* the old one was destroyed */
        assert_int_equal(lab.nfs.clients.count, 1);
}

static void the_new_session_comes_when_the_old_one_is_at_rest(void **unused)
{
        struct one under_way[SLOTS], waits;

        (void)unused;
        for (int i = 0; i < SLOTS; i++)
                run(&under_way[i], LAB_OP_WAIT, 1);
        run(&waits, LAB_OP_COUNT, 0);
        nfs4_lab_run_ms(&lab, 1);
        nfs4_lab_close_conns(&lab);
        nfs4_lab_run_ms(&lab, 1);
        for (int i = 0; i < SLOTS; i++) {
                assert_int_equal(under_way[i].done, 1);
                assert_int_equal(under_way[i].result, RPC_LOST);
        }
        nfs4_lab_run_ms(&lab, 5000);
        assert_false(peer_ready(peer));
        assert_int_equal(waits.done, 0);
        while (nfs4_lab_release(&lab))
                ;
        nfs4_lab_run_ms(&lab, 100);
        assert_true(peer_ready(peer));
        assert_int_equal(waits.status, NFS4_OK);
        assert_int_equal(lab.nfs.clients.session_count, 1);
}

static void an_answer_that_got_lost_is_asked_for_again(void **unused)
{
        (void)unused;
        lab.hold_commits = true;
        nfs4_lab_run_ms(&lab, 1);
        nfs4_lab_commit(&lab); /* EXCHANGE_ID */
        nfs4_lab_run_ms(&lab, 1);
        assert_int_equal(lab.nfs.clients.session_count,
                         1); /* CREATE_SESSION was executed; its reply is on its way */
        nfs4_lab_close_conns(&lab);
        nfs4_lab_commit(&lab);
        lab.hold_commits = false;
        nfs4_lab_run_ms(&lab, 1000);
        assert_true(peer_ready(peer));
        assert_int_equal(lab.nfs.clients.session_count, 1); /* the same one */
        assert_int_equal(lab.confirmed, 1);
}

static void a_server_that_is_away_is_tried_again_and_again(void **unused)
{
        struct one o;

        (void)unused;
        lab.unreachable = true;
        nfs4_lab_close_conns(&lab);
        nfs4_lab_run_ms(&lab, 1);
        run(&o, LAB_OP_COUNT, 0);
        nfs4_lab_run_ms(&lab, 10000);
        assert_in_range(lab.connects, 6, 12);
        assert_string_equal(state, "cannot connect");
        assert_int_equal(changes, 3);
        lab.unreachable = false;
        nfs4_lab_run_ms(&lab, 4000);
        assert_int_equal(o.status, NFS4_OK);
        assert_int_equal(o.done, 1);
        assert_int_equal(changes, 4);
}

static void who_waits_too_long_for_a_session_is_told(void **unused)
{
        struct one o[3];

        (void)unused;
        lab.unreachable = true;
        nfs4_lab_close_conns(&lab);
        nfs4_lab_run_ms(&lab, 1);
        for (int i = 0; i < 3; i++)
                run(&o[i], LAB_OP_COUNT, 0);
        nfs4_lab_run_ms(&lab, (TIMEOUT_SECONDS - 1) * 1000);
        assert_int_equal(o[0].done, 0);
        nfs4_lab_run_ms(&lab, 5000);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(o[i].done, 1);
                assert_int_equal(o[i].result, RPC_TIMED_OUT);
        }
}

static void a_call_without_answer_ends_with_its_connection(void **unused)
{
        struct one silent, other;

        (void)unused;
        run(&silent, LAB_OP_WAIT, 1);
        nfs4_lab_run_ms(&lab, 5000);
        run(&other, LAB_OP_WAIT, 1);
        nfs4_lab_run_ms(&lab, (TIMEOUT_SECONDS - 6) * 1000);
        assert_int_equal(silent.done, 0);
        nfs4_lab_run_ms(&lab, 1500);
        assert_int_equal(silent.result, RPC_TIMED_OUT);
        assert_int_equal(silent.done, 1);
        assert_int_equal(other.result, RPC_LOST);
        assert_int_equal(other.done, 1);
        assert_string_equal(state, "no answer in time");
        while (nfs4_lab_release(&lab))
                ;
        nfs4_lab_run_ms(&lab, 1000);
        assert_works();
}

static void a_setup_without_answer_is_tried_again(void **unused)
{
        (void)unused;
        lab.hold_commits = true;
        nfs4_lab_run_ms(&lab, TIMEOUT_SECONDS * 1000 + 50);
        assert_string_equal(state, "no answer in time");
        lab.hold_commits = false;
        nfs4_lab_run_ms(&lab, 1000);
        assert_works();
        nfs4_lab_commit(&lab);
}

/* --- losing the session */

static void a_lost_session_is_made_anew(void **unused)
{
        struct one o;

        (void)unused;
        session_destroy(&lab.nfs, CONTAINER(client_by_id(&lab.nfs, peer_clientid(peer))->sessions.next,
                                            struct session, in_client));
        run(&o, LAB_OP_COUNT, 0);
        nfs4_lab_run_ms(&lab, 10);
        assert_int_equal(o.result, RPC_LOST);
        assert_int_equal(o.status, NFS4ERR_BADSESSION);
        assert_string_equal(state, "NFS4ERR_BADSESSION");
        nfs4_lab_run_ms(&lab, 200);
        assert_works();
        assert_int_equal(lab.nfs.clients.count, 1);
}

static void a_lost_client_is_made_anew(void **unused)
{
        struct one o;
        uint64_t old = peer_clientid(peer);

        (void)unused;
        client_destroy(&lab.nfs, client_by_id(&lab.nfs, old));
        run(&o, LAB_OP_COUNT, 0);
        nfs4_lab_run_ms(&lab, 300);
        assert_int_equal(o.result, RPC_LOST);
        assert_works();
        assert_true(peer_clientid(peer) != old);
}

static void a_restarted_server_gets_a_new_client(void **unused)
{
        uint64_t old = peer_clientid(peer);

        (void)unused;
        nfs4_lab_restart(&lab);
        nfs4_lab_run_ms(&lab, 300);
        assert_works();
        assert_true(peer_clientid(peer) != old);
}

static void a_sequence_id_that_went_wrong_costs_the_session(void **unused)
{
        struct one o;
        struct session *session = CONTAINER(client_by_id(&lab.nfs, peer_clientid(peer))->sessions.next,
                                            struct session, in_client);

        (void)unused;
        session->slots[0].seqid += 5;
        run(&o, LAB_OP_COUNT, 0);
        nfs4_lab_run_ms(&lab, 10);
        assert_int_equal(o.status, NFS4ERR_SEQ_MISORDERED);
        assert_int_equal(o.result, RPC_LOST);
        nfs4_lab_run_ms(&lab, 200);
        assert_works();
}

static void a_server_of_another_version_is_named(void **unused)
{
        struct peer_conf c = conf();

        (void)unused;
        peer_free(peer);
        c.minor = 3;
        peer = peer_new(lab.dialler, &lab.v.env, &c, on_state, &lab);
        nfs4_lab_run_ms(&lab, 10);
        assert_string_equal(state, "NFS4ERR_MINOR_VERS_MISMATCH");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                UP(it_comes_back),
                UP(the_new_session_comes_when_the_old_one_is_at_rest),
                NEW(an_answer_that_got_lost_is_asked_for_again),
                UP(a_server_that_is_away_is_tried_again_and_again),
                UP(who_waits_too_long_for_a_session_is_told),
                UP(a_call_without_answer_ends_with_its_connection),
                NEW(a_setup_without_answer_is_tried_again),
                UP(a_lost_session_is_made_anew),
                UP(a_lost_client_is_made_anew),
                UP(a_restarted_server_gets_a_new_client),
                UP(a_sequence_id_that_went_wrong_costs_the_session),
                NEW(a_server_of_another_version_is_named),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
