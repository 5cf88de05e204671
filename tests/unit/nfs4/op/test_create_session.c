/* SPDX-License-Identifier: Apache-2.0 */
/* CREATE_SESSION (RFC 8881 §18.36): its replay, its channels, and what happens to the client's incarnation of
 * before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/nfs4/support.h"

static void create_session_is_replayed(void **unused)
{
        struct lab_session s, again;

        (void)unused;
        assert_int_equal(exchange("verifier", 0, &s), NFS4_OK);
        assert_int_equal(create(&s, s.create_seqid), NFS4_OK);
        again = s;
        assert_int_equal(create(&again, s.create_seqid), NFS4_OK);
        assert_memory_equal(&again, &s, sizeof(s));
        assert_int_equal(lab.nfs.clients.session_count, 1);
        assert_int_equal(lab.confirmed, 1);
        assert_int_equal(create(&again, s.create_seqid + 1), NFS4_OK);
        assert_memory_not_equal(again.id, s.id, sizeof(s.id));
        assert_int_equal(lab.nfs.clients.session_count, 2);
}

static void create_session_out_of_order_is_refused(void **unused)
{
        struct lab_session s;

        (void)unused;
        assert_int_equal(exchange("verifier", 0, &s), NFS4_OK);
        assert_int_equal(create(&s, s.create_seqid - 1), NFS4ERR_SEQ_MISORDERED); /* nothing to replay */
        assert_int_equal(create(&s, s.create_seqid + 1), NFS4ERR_SEQ_MISORDERED);
        assert_int_equal(create(&s, s.create_seqid), NFS4_OK);
        assert_int_equal(create(&s, s.create_seqid + 2), NFS4ERR_SEQ_MISORDERED);
        assert_int_equal(create(&s, s.create_seqid - 1), NFS4ERR_SEQ_MISORDERED);
        s.clientid++;
        assert_int_equal(create(&s, s.create_seqid), NFS4ERR_STALE_CLIENTID);
}

static void a_replayed_create_session_waits_for_the_disk_as_well(void **unused)
{
        struct lab_session s;
        struct client *client;

        (void)unused;
        assert_int_equal(exchange("verifier", 0, &s), NFS4_OK);
        assert_int_equal(create(&s, s.create_seqid), NFS4_OK);
        client = client_by_id(&lab.nfs, s.clientid);
        client->create_commit_seq = 4711;
        lab.hold_commits = true;
        lab_begin(&k, &lab, conn, 1);
        lab_op(&k, OP_CREATE_SESSION);
        xdr_put_u64(k.x, s.clientid);
        xdr_put_u32(k.x, s.create_seqid);
        xdr_put_u32(k.x, 0);
        for (int i = 0; i < 2 * 7; i++)
                xdr_put_u32(k.x, 0);
        xdr_put_u32(k.x, 0);
        xdr_put_u32(k.x, 0);
        lab_send(&k);
        assert_int_equal(CONTAINER(lab.uncommitted.next, struct compound, commit_node)->commit_seq, 4711);
        nfs4_lab_commit(&lab);
        nfs4_lab_run_ms(&lab, 1);
        assert_true(k.ended);
}

static void confirming_is_for_the_principal_that_came(void **unused)
{
        struct lab_session s;

        (void)unused;
        assert_int_equal(exchange("verifier", 0, &s), NFS4_OK);
        lab_cred.uid = 1000;
        assert_int_equal(create(&s, s.create_seqid), NFS4ERR_CLID_INUSE);
        assert_int_equal(create(&s, s.create_seqid), NFS4ERR_CLID_INUSE);
        lab_cred.uid = 0;
        assert_int_equal(create(&s, s.create_seqid), NFS4_OK);
        lab_cred.uid = 1000;
        assert_int_equal(create(&s, s.create_seqid + 1), NFS4_OK); /* confirmed: any may */
}

static void channels_are_negotiated(void **unused)
{
        static const struct channel_attrs huge = { 99,         UINT32_MAX, UINT32_MAX,
                                                   UINT32_MAX, UINT32_MAX, UINT32_MAX };
        struct lab_session s;

        (void)unused;
        assert_int_equal(exchange("verifier", 0, &s), NFS4_OK);
        assert_int_equal(lab_create_session(&lab, &s, 1, 0, &lab_fore, &lab_back), NFS4_OK);
        assert_memory_equal(&s.fore, &lab_fore, sizeof(s.fore)); /* what Linux asks, to the byte */
        assert_memory_equal(&s.back, &lab_back, sizeof(s.back));
        assert_int_equal(lab_create_session(&lab, &s, 2, 0, &huge, &huge), NFS4_OK);
        assert_int_equal(s.fore.headerpad, 0);
        assert_in_range(s.fore.max_request, 1049620, BUF_LARGE);
        assert_in_range(s.fore.max_response, 1049480, BUF_LARGE);
        assert_int_equal(s.fore.max_response_cached, SESSION_MAX_CACHED);
        assert_int_equal(s.fore.max_ops, COMPOUND_MAX_OPS);
        assert_int_equal(s.fore.max_requests, SESSION_FIRST_SLOTS);
        assert_int_equal(s.back.max_requests, SESSION_BACK_SLOTS);
        lab.nfs.limits.slots_per_session = 5;
        assert_int_equal(lab_create_session(&lab, &s, 3, 0, &huge, &huge), NFS4_OK);
        assert_int_equal(s.fore.max_requests, 5);
        destroy_session(&s);
        lab.nfs.limits.slots_per_session = SESSION_MAX_SLOTS; /* as the others were made */
}

static void channels_that_are_too_small_are_refused(void **unused)
{
        struct channel_attrs small[] = { lab_fore, lab_fore, lab_fore, lab_fore };
        struct lab_session s;

        (void)unused;
        small[0].max_request = 20;
        small[1].max_response = 0;
        small[2].max_ops = 1;
        small[3].max_requests = 0;
        assert_int_equal(exchange("verifier", 0, &s), NFS4_OK);
        for (int i = 0; i < 4; i++) {
                assert_int_equal(lab_create_session(&lab, &s, 1, 0, &small[i], &lab_back), NFS4ERR_TOOSMALL);
                assert_int_equal(lab_create_session(&lab, &s, 1, 0, &lab_fore, &small[i]), NFS4ERR_TOOSMALL);
        }
        assert_int_equal(lab.nfs.clients.session_count, 0);
        assert_int_equal(create(&s, 1), NFS4_OK); /* a refusal does not use the sequence id up */
}

static void session_flags(void **unused)
{
        struct lab_session s;

        (void)unused;
        assert_int_equal(exchange("verifier", 0, &s), NFS4_OK);
        assert_int_equal(lab_create_session(&lab, &s, 1, 0xf, &lab_fore, &lab_back), NFS4ERR_INVAL);
        assert_int_equal(lab_create_session(&lab, &s, 1, 3, &lab_fore, &lab_back), NFS4_OK);
        assert_int_equal(s.flags, CREATE_SESSION4_FLAG_CONN_BACK_CHAN); /* never PERSIST */
        lab.nfs.back_channel = false;
        assert_int_equal(lab_create_session(&lab, &s, 2, 3, &lab_fore, &lab_back), NFS4_OK);
        assert_int_equal(s.flags, 0);
}

static void sessions_are_bounded(void **unused)
{
        struct lab_session s;

        (void)unused;
        lab.nfs.limits.sessions = 2;
        assert_int_equal(exchange("verifier", 0, &s), NFS4_OK);
        assert_int_equal(create(&s, 1), NFS4_OK);
        assert_int_equal(create(&s, 2), NFS4_OK);
        assert_int_equal(create(&s, 3), NFS4ERR_DELAY);
        assert_int_equal(destroy_session(&s), NFS4_OK);
        assert_int_equal(create(&s, 3), NFS4_OK);
}

/* §18.35.4 case 5: the old state goes when the new incarnation is confirmed, and not under its requests. */
static void a_restarted_client_waits_for_the_requests_of_before(void **unused)
{
        static struct lab_compound slow;
        struct lab_session old, now;

        (void)unused;
        bring_about(CONFIRMED, &old);
        lab_begin_in(&slow, &lab, &old, 0, false);
        lab_op(&slow, LAB_OP_WAIT);
        xdr_put_u32(slow.x, 1);
        xdr_put_bool(slow.x, false);
        lab_send(&slow);
        assert_int_equal(exchange("VERIFIER", 0, &now), NFS4_OK);
        assert_int_equal(lab_ping(&lab, &old, 1), NFS4_OK);
        assert_int_equal(create(&now, now.create_seqid), NFS4ERR_DELAY);
        assert_int_equal(lab.gone, 0);
        nfs4_lab_release(&lab);
        nfs4_lab_run_ms(&lab, 1);
        assert_int_equal(slow.status, NFS4_OK);
        assert_int_equal(create(&now, now.create_seqid), NFS4_OK);
        assert_int_equal(lab.gone, 1);
        assert_int_equal(lab_ping(&lab, &old, 1), NFS4ERR_BADSESSION);
        assert_int_equal(lab_ping(&lab, &now, 0), NFS4_OK);
}

static void it_may_be_confirmed_in_a_session_of_before(void **unused)
{
        struct lab_session old, now;

        (void)unused;
        bring_about(CONFIRMED, &old);
        assert_int_equal(exchange("VERIFIER", 0, &now), NFS4_OK);
        lab_begin_in(&k, &lab, &old, 0, true);
        lab_op(&k, OP_CREATE_SESSION);
        xdr_put_u64(k.x, now.clientid);
        xdr_put_u32(k.x, now.create_seqid);
        xdr_put_u32(k.x, 0);
        for (int i = 0; i < 2; i++) {
                xdr_put_u32(k.x, 0);
                for (int j = 0; j < 5; j++)
                        xdr_put_u32(k.x, 1024);
                xdr_put_u32(k.x, 0);
        }
        xdr_put_u32(k.x, 0);
        xdr_put_u32(k.x, 0);
        assert_int_equal(lab_call(&k), NFS4_OK);
        assert_int_equal(lab_ping(&lab, &old, 0), NFS4ERR_BADSESSION);
        assert_int_equal(lab.nfs.clients.count, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(create_session_is_replayed),
                TEST(create_session_out_of_order_is_refused),
                TEST(a_replayed_create_session_waits_for_the_disk_as_well),
                TEST(confirming_is_for_the_principal_that_came),
                TEST(channels_are_negotiated),
                TEST(channels_that_are_too_small_are_refused),
                TEST(session_flags),
                TEST(sessions_are_bounded),
                TEST(a_restarted_client_waits_for_the_requests_of_before),
                TEST(it_may_be_confirmed_in_a_session_of_before),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
