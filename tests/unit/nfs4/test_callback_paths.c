/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on a back channel when connections, sessions and answers get lost (RFC 8881 §2.10.6.1.3, §20.9.4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/nfs4/callback_support.h"

static void without_a_connection_it_waits_for_one(void **unused)
{
        struct one o;

        (void)unused;
        conn_close(conn);
        nfs4_lab_run_ms(&lab, 1);
        send_one(&o);
        assert_int_equal(o.done, 0);
        conn = s.conn = nfs4_lab_dial(&lab);
        assert_int_equal(status_flags(&s), SEQ4_STATUS_CB_PATH_DOWN | SEQ4_STATUS_CB_PATH_DOWN_SESSION);
        assert_int_equal(end.calls, 0); /* a connection that is only used is none for callbacks */
        bind(&s, conn);
        assert_done(&o, NFS4_OK);
        assert_int_equal(status_flags(&s), 0);
}

static void without_a_connection_time_runs_out(void **unused)
{
        struct one o;

        (void)unused;
        conn_close(conn);
        nfs4_lab_run_ms(&lab, 1);
        send_one(&o);
        nfs4_lab_run_ms(&lab, 61000);
        assert_done(&o, NFS4ERR_CB_PATH_DOWN);
}

static void a_client_that_does_not_speak_it(void **unused)
{
        struct one o;

        (void)unused;
        lab.on_callback = NULL;
        send_one(&o);
        nfs4_lab_run_ms(&lab, 3000);
        assert_int_equal(o.done, 0);
        assert_int_equal(status_flags(&s), SEQ4_STATUS_BACKCHANNEL_FAULT);
        lab.on_callback = on_callback;
        nfs4_lab_run_ms(&lab, 1000);
        assert_done(&o, NFS4_OK);
        assert_int_equal(end.slot, 0); /* the slots stay usable */
}

/* The request goes out again as it was, in its slot; the client has it, so it is told as much. */
static void an_answer_that_never_comes(void **unused)
{
        struct one o;

        (void)unused;
        end.hold = true;
        send_one(&o);
        nfs4_lab_run_ms(&lab, 12000);
        assert_int_equal(o.done, 0);
        assert_int_equal(status_flags(&s), SEQ4_STATUS_CB_PATH_DOWN | SEQ4_STATUS_CB_PATH_DOWN_SESSION);
        end.hold = false;
        end.sequence = NFS4ERR_RETRY_UNCACHED_REP;
        end.refuse = 1;
        conn = nfs4_lab_dial(&lab);
        bind(&s, conn);
        assert_done(&o, NFS4_OK);
        assert_int_equal(end.calls, 3);
        assert_int_equal(end.slot, 0);
        assert_int_equal(end.seqid, 2);
        assert_int_equal(status_flags(&s), 0);
}

/* Only the same request may follow in the slot of one that the client is still busy with. */
static void the_client_is_still_at_the_first_try(void **unused)
{
        struct one o, other;

        (void)unused;
        end.hold = true;
        send_one(&o);
        conn_close(conn);
        nfs4_lab_run_ms(&lab, 1);
        end.hold = false;
        end.sequence = NFS4ERR_DELAY;
        conn = s.conn = nfs4_lab_dial(&lab);
        bind(&s, conn);
        assert_int_equal(end.seqid, 1);
        end.sequence = NFS4_OK;
        send_one(&other);
        assert_done(&other, NFS4_OK);
        assert_int_equal(end.slot, 1);
        nfs4_lab_run_ms(&lab, 1000);
        assert_done(&o, NFS4_OK);
        assert_int_equal(end.slot, 0);
        assert_int_equal(end.seqid, 1);
}

/* The client had taken it, and says so in the operation's place (§2.10.6.1.3 leaves it the choice). */
static void the_client_had_executed_the_first_try(void **unused)
{
        struct one o;

        (void)unused;
        end.hold = true;
        send_one(&o);
        conn_close(conn);
        nfs4_lab_run_ms(&lab, 1);
        end.hold = false;
        end.operation = NFS4ERR_RETRY_UNCACHED_REP;
        end.refuse = 1;
        conn = s.conn = nfs4_lab_dial(&lab);
        bind(&s, conn);
        assert_done(&o, NFS4_OK);
        assert_int_equal(end.calls, 3);
        assert_int_equal(end.seqid, 2);
}

static void another_connection_of_the_session_takes_over(void **unused)
{
        struct conn *second = nfs4_lab_dial(&lab);
        struct one o;

        (void)unused;
        bind(&s, second);
        end.hold = true;
        send_one(&o);
        end.hold = false;
        conn_close(conn);
        nfs4_lab_run_ms(&lab, 1);
        assert_done(&o, NFS4_OK);
        assert_int_equal(end.calls, 2);
        assert_int_equal(end.slot, 0);
        assert_int_equal(end.seqid, 1);
        conn = second;
}

static void second_session(struct lab_session *ret)
{
        *ret = s;
        memset(ret->seqid, 0, sizeof(ret->seqid));
        ret->conn = nfs4_lab_dial(&lab);
        assert_int_equal(lab_create_session(&lab, ret, 2, CREATE_SESSION4_FLAG_CONN_BACK_CHAN, &lab_fore,
                                            &lab_back),
                         NFS4_OK);
        assert_int_equal(lab_ping(&lab, ret, 0), NFS4_OK);
}

static void another_session_takes_over(void **unused)
{
        struct lab_session other;
        struct one o;

        (void)unused;
        second_session(&other);
        end.hold = true;
        send_one(&o);
        end.hold = false;
        conn_close(conn);
        nfs4_lab_run_ms(&lab, 1);
        assert_done(&o, NFS4_OK);
        assert_memory_equal(end.session, other.id, sizeof(other.id));
        assert_int_equal(status_flags(&other), 0);
        conn = s.conn = other.conn; /* nobody knows where the slot of the first stands */
        assert_int_equal(status_flags(&s), SEQ4_STATUS_CB_PATH_DOWN_SESSION | SEQ4_STATUS_BACKCHANNEL_FAULT);
}

static void a_session_that_goes(void **unused)
{
        struct lab_session other;
        struct one o[3];

        (void)unused;
        end.hold = true;
        for (int i = 0; i < 3; i++)
                send_one(&o[i]);
        assert_int_equal(destroy_session(&s), NFS4_OK);
        assert_int_equal(o[0].done + o[1].done + o[2].done, 0);
        end.hold = false;
        second_session(&other);
        nfs4_lab_run_ms(&lab, 1);
        for (int i = 0; i < 3; i++)
                assert_done(&o[i], NFS4_OK);
        assert_memory_equal(end.session, other.id, sizeof(other.id));
}

/* §20.9.4: that session, or that slot, is of no use. */
static void refusals_that_another_try_does_not_mend(void **unused)
{
        static const enum nfsstat4 of_session[] = { NFS4ERR_BADSESSION, NFS4ERR_DEADSESSION,
                                                    NFS4ERR_CONN_NOT_BOUND_TO_SESSION };
        static const enum nfsstat4 of_slot[] = { NFS4ERR_BADSLOT, NFS4ERR_SEQ_MISORDERED,
                                                 NFS4ERR_SEQ_FALSE_RETRY, NFS4ERR_RETRY_UNCACHED_REP };
        struct one o;

        (void)unused;
        for (uint32_t i = 0; i < sizeof(of_session) / sizeof(of_session[0]); i++) {
                end.sequence = of_session[i];
                end.refuse = 1;
                send_one(&o);
                nfs4_lab_run_ms(&lab, 5000);
                assert_int_equal(o.done, 0);
                assert_int_equal(status_flags(&s),
                                 SEQ4_STATUS_CB_PATH_DOWN | SEQ4_STATUS_CB_PATH_DOWN_SESSION);
                bind(&s, conn);
                assert_done(&o, NFS4_OK);
                assert_int_equal(end.slot, 0);
        }
        for (uint32_t i = 0; i < sizeof(of_slot) / sizeof(of_slot[0]); i++) {
                end.sequence = of_slot[i];
                end.refuse = 1;
                send_one(&o);
                nfs4_lab_run_ms(&lab, 1000);
                assert_done(&o, NFS4_OK);
                assert_int_equal(end.slot, i + 1);
                assert_int_equal(status_flags(&s), SEQ4_STATUS_BACKCHANNEL_FAULT);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(without_a_connection_it_waits_for_one),
                TEST(without_a_connection_time_runs_out),
                TEST(a_client_that_does_not_speak_it),
                TEST(an_answer_that_never_comes),
                TEST(the_client_is_still_at_the_first_try),
                TEST(the_client_had_executed_the_first_try),
                TEST(another_connection_of_the_session_takes_over),
                TEST(another_session_takes_over),
                TEST(a_session_that_goes),
                TEST(refusals_that_another_try_does_not_mend),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
