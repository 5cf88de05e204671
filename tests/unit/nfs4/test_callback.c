/* SPDX-License-Identifier: Apache-2.0 */
/* The back channel: CB_COMPOUND with CB_SEQUENCE (RFC 8881 §20.2, §20.9), its slots, and answers of all
 * kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/nfs4/callback_support.h"

static void a_callback_is_answered(void **unused)
{
        (void)unused;
        assert_answered(NFS4_OK);
        assert_int_equal(end.arg, 4711);
        assert_int_equal(end.refers.seqid, 0);
        assert_memory_equal(end.session, s.id, sizeof(s.id));
        assert_int_equal(end.seqid, 1);
        end.operation = NFS4ERR_NOMATCHING_LAYOUT;
        assert_answered(NFS4ERR_NOMATCHING_LAYOUT);
        assert_int_equal(end.seqid, 2);
        assert_int_equal(end.slot, 0);
        assert_int_equal(status_flags(&s), 0);
}

/* §2.10.6.3 */
static void it_refers_to_a_call_that_may_not_have_been_answered(void **unused)
{
        struct referring refers = { .session = "0123456789abcde", .slot = 7, .seqid = 99 };
        struct one o;

        (void)unused;
        send_with(&o, 60, refers);
        nfs4_lab_run_ms(&lab, 1);
        assert_done(&o, NFS4_OK);
        assert_memory_equal(&end.refers, &refers, sizeof(refers));
}

/* The answer to CREATE_SESSION must not be overtaken. */
static void a_session_is_not_used_before_its_client_does(void **unused)
{
        struct lab_session other = s;
        struct one o;

        (void)unused;
        assert_int_equal(destroy_session(&s), NFS4_OK);
        assert_int_equal(lab_create_session(&lab, &other, 2, CREATE_SESSION4_FLAG_CONN_BACK_CHAN, &lab_fore,
                                            &lab_back),
                         NFS4_OK);
        send_one(&o);
        assert_int_equal(end.calls, 0);
        assert_int_equal(lab_ping(&lab, &other, 0), NFS4_OK);
        nfs4_lab_run_ms(&lab, 1);
        assert_done(&o, NFS4_OK);
        assert_memory_equal(end.session, other.id, sizeof(other.id));
}

/* §20.9.4: the sequence id moves on only when CB_SEQUENCE was taken. */
static void a_refused_sequence_leaves_its_slot(void **unused)
{
        struct one o;

        (void)unused;
        end.sequence = NFS4ERR_DELAY;
        end.refuse = 3;
        send_one(&o);
        assert_int_equal(o.done, 0);
        nfs4_lab_run_ms(&lab, 1000);
        assert_done(&o, NFS4_OK);
        assert_int_equal(end.calls, 4);
        assert_int_equal(end.seqid, 1);
}

static void an_operation_that_is_delayed_is_a_new_request(void **unused)
{
        struct one o;

        (void)unused;
        end.operation = NFS4ERR_DELAY;
        end.refuse = 3;
        send_one(&o);
        assert_int_equal(o.done, 0);
        nfs4_lab_run_ms(&lab, 1000);
        assert_done(&o, NFS4_OK);
        assert_int_equal(end.calls, 4);
        assert_int_equal(end.seqid, 4);
        assert_int_equal(end.encoded, 4);
}

/* Whoever only ever answers DELAY is asked about once a second until time is up. */
static void delayed_for_ever(void **unused)
{
        struct one o;

        (void)unused;
        end.operation = NFS4ERR_DELAY;
        send_one(&o);
        nfs4_lab_run_ms(&lab, 59000);
        assert_int_equal(o.done, 0);
        nfs4_lab_run_ms(&lab, 2000);
        assert_done(&o, NFS4ERR_CB_PATH_DOWN);
        assert_in_range(end.calls, 55, 75);
        end.operation = NFS4_OK;
        assert_answered(NFS4_OK);
}

static void each_slot_has_one_call_and_the_rest_wait(void **unused)
{
        struct one o[SESSION_BACK_SLOTS + 1];

        (void)unused;
        end.hold = true;
        for (int i = 0; i <= SESSION_BACK_SLOTS; i++)
                send_one(&o[i]);
        assert_int_equal(end.held_count, SESSION_BACK_SLOTS);
        end.slot = 5;
        answer(end.held[5]);
        end.held[5] = end.held[--end.held_count];
        nfs4_lab_run_ms(&lab, 1);
        assert_done(&o[5], NFS4_OK);
        assert_int_equal(end.held_count, SESSION_BACK_SLOTS); /* the last one has its slot */
        assert_int_equal(end.slot, 5);
        assert_int_equal(end.seqid, 2);
        answer_held();
        for (int i = 0; i <= SESSION_BACK_SLOTS; i++)
                assert_done(&o[i], NFS4_OK);
}

/* The owner is free to go; the slot is not lost by it. */
static void one_that_is_forgotten(void **unused)
{
        struct one o, waiting;

        (void)unused;
        end.hold = true;
        send_one(&o);
        callback_forget(o.cb);
        assert_int_equal(end.held_count, 1);
        answer_held();
        assert_int_equal(o.done, 0);
        assert_int_equal(end.slot, 0);
        assert_answered(NFS4_OK);
        assert_int_equal(end.slot, 0);
        conn_close(conn);
        nfs4_lab_run_ms(&lab, 1);
        send_one(&waiting);
        callback_forget(waiting.cb);
        nfs4_lab_run_ms(&lab, 61000);
        assert_int_equal(waiting.done, 0);
}

static void a_client_that_goes(void **unused)
{
        struct one sent, waiting;

        (void)unused;
        end.hold = true;
        send_one(&sent);
        assert_int_equal(destroy_session(&s), NFS4_OK);
        send_one(&waiting);
        assert_int_equal(destroy_client(s.clientid), NFS4_OK);
        assert_done(&sent, NFS4ERR_CB_PATH_DOWN);
        assert_done(&waiting, NFS4ERR_CB_PATH_DOWN);
}

/* Garbage from a client is no answer. */
static void answer_garbage(struct nfs4_lab *l, struct call *call)
{
        (void)l;
        end.calls++;
        xdr_put_u32(&call->out, 0);
        xdr_put_u32(&call->out, 0);
        xdr_put_u32(&call->out, end.arg++ % 3);
        if (end.arg % 2)
                xdr_put_u32(&call->out, OP_CB_RECALL);
        call_reply(call);
}

static void answers_that_make_no_sense(void **unused)
{
        struct one o;

        (void)unused;
        lab.on_callback = answer_garbage;
        send_one(&o);
        nfs4_lab_run_ms(&lab, 30000);
        assert_int_equal(o.done, 0);
        assert_in_range(end.calls, 20, 45);
        assert_int_equal(status_flags(&s), SEQ4_STATUS_BACKCHANNEL_FAULT);
        nfs4_lab_run_ms(&lab, 31000);
        assert_done(&o, NFS4ERR_CB_PATH_DOWN);
}

/* CB_SEQUENCE is fine, but what follows is not the answer to what was asked. */
static void answer_something_else(struct nfs4_lab *l, struct call *call)
{
        struct xdr_out *x = &call->out;

        (void)l;
        xdr_put_u32(x, 0);
        xdr_put_u32(x, 0);
        xdr_put_u32(x, 2);
        xdr_put_u32(x, OP_CB_SEQUENCE);
        xdr_put_u32(x, 0);
        xdr_put_fixed(x, s.id, sizeof(s.id));
        for (int i = 0; i < 4; i++)
                xdr_put_u32(x, 1);
        xdr_put_u32(x, OP_CB_GETATTR);
        xdr_put_u32(x, 0);
        call_reply(call);
}

static void an_answer_to_another_question(void **unused)
{
        struct one o;

        (void)unused;
        lab.on_callback = answer_something_else;
        send_one(&o);
        assert_done(&o, NFS4ERR_SERVERFAULT);
        lab.on_callback = on_callback;
        assert_answered(NFS4_OK);
        assert_int_equal(end.seqid, 2);
        assert_int_equal(session()->back_fault, false);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_callback_is_answered),
                TEST(it_refers_to_a_call_that_may_not_have_been_answered),
                TEST(a_session_is_not_used_before_its_client_does),
                TEST(a_refused_sequence_leaves_its_slot),
                TEST(an_operation_that_is_delayed_is_a_new_request),
                TEST(delayed_for_ever),
                TEST(each_slot_has_one_call_and_the_rest_wait),
                TEST(one_that_is_forgotten),
                TEST(a_client_that_goes),
                TEST(answers_that_make_no_sense),
                TEST(an_answer_to_another_question),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
