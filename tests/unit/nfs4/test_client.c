/* SPDX-License-Identifier: Apache-2.0 */
/* Clients: bounds, DESTROY_CLIENTID (RFC 8881 §18.50), and leases on a clock of our own (§8.3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/nfs4/support.h"

static void clients_are_bounded(void **unused)
{
        struct lab_session s;
        char owner[] = "owner a";

        (void)unused;
        lab.nfs.limits.clients = 3;
        lab_cred.uid = 0;
        for (int i = 0; i < 3; i++, owner[6]++)
                lab_session_start(&lab, owner, &s);
        assert_int_equal(lab_exchange_id(&lab, conn, owner, "verifier", 0, &s), NFS4ERR_DELAY);
        assert_int_equal(lab.nfs.clients_refused.value, 1);
        nfs4_lab_run_ms(&lab, 2 * LEASE_MS);
        assert_int_equal(lab_exchange_id(&lab, conn, owner, "verifier", 0, &s), NFS4_OK);
}

/* A flood of EXCHANGE_IDs pushes itself out, and nobody else. */
static void who_never_makes_a_session_makes_way(void **unused)
{
        struct lab_session s, flood;
        char owner[] = "owner a";

        (void)unused;
        lab.nfs.limits.clients = 3;
        lab_cred.uid = 0;
        lab_session_start(&lab, "good", &s);
        for (int i = 0; i < 20; i++, owner[6]++)
                assert_int_equal(lab_exchange_id(&lab, conn, owner, "verifier", 0, &flood), NFS4_OK);
        assert_int_equal(lab.nfs.clients.count, 3);
        assert_int_equal(lab_ping(&lab, &s, 0), NFS4_OK);
        lab_session_start(&lab, "also good", &s);
        assert_int_equal(lab.nfs.clients_refused.value, 0);
}

static void sessions_of_a_client_are_bounded(void **unused)
{
        struct lab_session s, other;

        (void)unused;
        bring_about(CONFIRMED, &s);
        lab.nfs.limits.sessions_per_client = 2;
        assert_int_equal(create(&s, 2), NFS4_OK);
        assert_int_equal(create(&s, 3), NFS4ERR_NOSPC);
        assert_int_equal(lab.nfs.sessions_refused.value, 1);
        lab_cred.uid = 0;
        lab_session_start(&lab, "other", &other); /* others have theirs */
        lab.nfs.limits.sessions = 3;
        assert_int_equal(create(&other, 2), NFS4ERR_DELAY);
}

/* The counter in client ids is 24 bits wide. */
static void client_ids_stay_unique_when_the_counter_wraps(void **unused)
{
        struct lab_session a, b;

        (void)unused;
        assert_int_equal(lab_exchange_id(&lab, conn, "a", "verifier", 0, &a), NFS4_OK);
        lab.nfs.clients.next_number += 0xffffff;
        assert_int_equal(lab_exchange_id(&lab, conn, "b", "verifier", 0, &b), NFS4_OK);
        assert_true(a.clientid != b.clientid);
}

/* --- DESTROY_CLIENTID */

static void a_client_is_destroyed_when_nothing_is_left_of_it(void **unused)
{
        struct lab_session s, other;

        (void)unused;
        bring_about(CONFIRMED, &s);
        assert_int_equal(lab_exchange_id(&lab, conn, "other", "verifier", 0, &other), NFS4_OK);
        assert_int_equal(destroy_client(0), NFS4ERR_STALE_CLIENTID);
        assert_int_equal(destroy_client(s.clientid), NFS4ERR_CLIENTID_BUSY);
        lab_begin_in(&k, &lab, &s, 0, false);
        lab_op(&k, OP_DESTROY_CLIENTID);
        xdr_put_u64(k.x, s.clientid);
        assert_int_equal(lab_call(&k), NFS4ERR_CLIENTID_BUSY);
        lab_begin_in(&k, &lab, &s, 0, false);
        lab_op(&k, OP_DESTROY_CLIENTID);
        xdr_put_u64(k.x, other.clientid);
        assert_int_equal(lab_call(&k), NFS4_OK);
        assert_int_equal(destroy_session(&s), NFS4_OK);
        lab.has_state = true;
        assert_int_equal(destroy_client(s.clientid), NFS4ERR_CLIENTID_BUSY);
        lab.has_state = false;
        assert_int_equal(destroy_client(s.clientid), NFS4_OK);
        assert_int_equal(destroy_client(s.clientid), NFS4ERR_STALE_CLIENTID);
        assert_int_equal(lab.nfs.clients.count, 0);
}

/* --- leases */

static void a_lease_runs_out(void **unused)
{
        struct lab_session s;

        (void)unused;
        bring_about(CONFIRMED, &s);
        nfs4_lab_run_ms(&lab, LEASE_MS - 1000);
        assert_int_equal(lab_ping(&lab, &s, 0), NFS4_OK); /* renewed */
        nfs4_lab_run_ms(&lab, LEASE_MS - 1000);
        assert_int_equal(lab.nfs.clients.count, 1);
        nfs4_lab_run_ms(&lab, LEASE_MS / 4);
        assert_int_equal(lab.nfs.clients.count, 0);
        assert_int_equal(lab.nfs.clients.session_count, 0);
        assert_int_equal(lab.gone, 1);
        assert_int_equal(lab_ping(&lab, &s, 0), NFS4ERR_BADSESSION);
}

static void a_refused_sequence_does_not_renew(void **unused)
{
        struct lab_session s;

        (void)unused;
        bring_about(CONFIRMED, &s);
        nfs4_lab_run_ms(&lab, LEASE_MS - 1000);
        s.seqid[0] = 5;
        assert_int_equal(lab_ping(&lab, &s, 0), NFS4ERR_SEQ_MISORDERED);
        nfs4_lab_run_ms(&lab, LEASE_MS / 2);
        assert_int_equal(lab.nfs.clients.count, 0);
}

static void a_client_with_a_request_inside_does_not_expire(void **unused)
{
        struct lab_session s;

        (void)unused;
        bring_about(CONFIRMED, &s);
        lab_begin_in(&k, &lab, &s, 0, false);
        lab_op(&k, LAB_OP_WAIT);
        xdr_put_u32(k.x, 1);
        xdr_put_bool(k.x, false);
        lab_send(&k);
        nfs4_lab_run_ms(&lab, 3 * LEASE_MS);
        assert_int_equal(lab.nfs.clients.count, 1);
        nfs4_lab_release(&lab);
        nfs4_lab_run_ms(&lab, 1);
        assert_int_equal(k.status, NFS4_OK);
        nfs4_lab_run_ms(&lab, LEASE_MS / 4);
        assert_int_equal(lab.nfs.clients.count, 0);
}

static void a_courtesy_client_may_come_back(void **unused)
{
        struct lab_session s;

        (void)unused;
        lab.courtesy = true;
        bring_about(CONFIRMED, &s);
        nfs4_lab_run_ms(&lab, 5 * LEASE_MS);
        assert_true(client_by_id(&lab.nfs, s.clientid)->expired);
        assert_int_equal(lab_ping(&lab, &s, 0), NFS4_OK);
        assert_false(client_by_id(&lab.nfs, s.clientid)->expired);
        assert_int_equal(lab.gone, 0);
        assert_false(clients_make_room(&lab.nfs));
        nfs4_lab_run_ms(&lab, 2 * LEASE_MS);
        assert_true(client_lapsed(&lab.nfs, client_by_id(&lab.nfs, s.clientid)));
        assert_int_equal(lab.nfs.clients.courtesy_count, 1);
        assert_true(clients_make_room(&lab.nfs)); /* memory is short */
        assert_int_equal(lab.gone, 1);
        assert_int_equal(lab.nfs.clients.count + lab.nfs.clients.courtesy_count, 0);
}

static void courtesy_ends_after_a_day(void **unused)
{
        struct lab_session s;

        (void)unused;
        lab.courtesy = true;
        bring_about(CONFIRMED, &s);
        nfs4_lab_run_ms(&lab, 23 * 3600 * 1000);
        assert_int_equal(lab.nfs.clients.courtesy_count, 1);
        nfs4_lab_run_ms(&lab, 3600 * 1000 + LEASE_MS);
        assert_int_equal(lab.nfs.clients.count, 0);
}

/* Whom nobody has heard of for long makes way for those who come. */
static void courtesy_ends_at_the_limit(void **unused)
{
        struct lab_session s, other;

        (void)unused;
        lab.courtesy = true;
        lab.nfs.limits.clients = 1;
        bring_about(CONFIRMED, &s);
        assert_int_equal(lab_exchange_id(&lab, conn, "other", "verifier", 0, &other), NFS4ERR_DELAY);
        nfs4_lab_run_ms(&lab, 2 * LEASE_MS);
        assert_int_equal(lab_exchange_id(&lab, conn, "other", "verifier", 0, &other), NFS4_OK);
        assert_null(client_by_id(&lab.nfs, s.clientid));
}

static void each_client_has_its_own_lease(void **unused)
{
        struct lab_session s[5];
        char owner[] = "owner 0";

        (void)unused;
        lab_cred.uid = 0;
        for (int i = 0; i < 5; i++, owner[6]++)
                lab_session_start(&lab, owner, &s[i]);
        for (int i = 0; i < 4; i++) {
                nfs4_lab_run_ms(&lab, LEASE_MS / 2);
                assert_int_equal(lab_ping(&lab, &s[1], 0), NFS4_OK);
                assert_int_equal(lab_ping(&lab, &s[3], 0), NFS4_OK);
        }
        assert_int_equal(lab.nfs.clients.count, 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(clients_are_bounded),
                TEST(who_never_makes_a_session_makes_way),
                TEST(sessions_of_a_client_are_bounded),
                TEST(client_ids_stay_unique_when_the_counter_wraps),
                TEST(a_client_is_destroyed_when_nothing_is_left_of_it),
                TEST(a_lease_runs_out),
                TEST(a_refused_sequence_does_not_renew),
                TEST(a_client_with_a_request_inside_does_not_expire),
                TEST(a_courtesy_client_may_come_back),
                TEST(courtesy_ends_after_a_day),
                TEST(courtesy_ends_at_the_limit),
                TEST(each_client_has_its_own_lease),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
