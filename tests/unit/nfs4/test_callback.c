/* SPDX-License-Identifier: Apache-2.0 */
/* The back channel: CB_COMPOUND with CB_SEQUENCE (RFC 8881 §20.2, §20.9), its slots, and what goes wrong on
 * it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nfs4/callback.h"
#include "tests/unit/nfs4/support.h"

static struct lab_session s;
static struct client *client;

/* What the client's end saw last, and what it answers. */
static struct {
        uint32_t calls, seqid, slot, arg;
        uint8_t session[NFS4_SESSIONID_SIZE];
        enum nfsstat4 sequence, operation;
        bool hold;
        struct call *held[SESSION_BACK_SLOTS];
        uint32_t held_count;
} end;

static void answer(struct call *call)
{
        struct xdr_out *x = &call->out;
        bool ok = end.sequence == NFS4_OK;

        xdr_put_u32(x, ok ? end.operation : end.sequence);
        xdr_put_u32(x, 0);
        xdr_put_u32(x, ok ? 2 : 1);
        xdr_put_u32(x, OP_CB_SEQUENCE);
        xdr_put_u32(x, end.sequence);
        if (ok) {
                xdr_put_fixed(x, end.session, sizeof(end.session));
                xdr_put_u32(x, end.seqid);
                xdr_put_u32(x, end.slot);
                xdr_put_u32(x, 15);
                xdr_put_u32(x, 15);
                xdr_put_u32(x, OP_CB_RECALL_ANY);
                xdr_put_u32(x, end.operation);
        }
        call_reply(call);
}

static void on_callback(struct nfs4_lab *l, struct call *call)
{
        struct xdr_in *x = &call->args;

        assert_ptr_equal(l, &lab);
        end.calls++;
        xdr_get_opaque(x, 100);
        assert_int_equal(xdr_get_u32(x), 1); /* minor version of the session */
        xdr_get_u32(x);
        assert_int_equal(xdr_get_u32(x), 2);
        assert_int_equal(xdr_get_u32(x), OP_CB_SEQUENCE);
        xdr_get_fixed(x, end.session, sizeof(end.session));
        end.seqid = xdr_get_u32(x);
        end.slot = xdr_get_u32(x);
        assert_in_range(xdr_get_u32(x), end.slot, SESSION_BACK_SLOTS - 1);
        assert_int_equal(xdr_get_u32(x), 0);
        assert_int_equal(xdr_get_u32(x), 0); /* no referring calls */
        assert_int_equal(xdr_get_u32(x), OP_CB_RECALL_ANY);
        end.arg = xdr_get_u32(x);
        assert_false(x->bad);
        if (end.hold)
                end.held[end.held_count++] = call;
        else
                answer(call);
}

static int setup_back(void **unused)
{
        setup(unused);
        memset(&end, 0, sizeof(end));
        lab.on_callback = on_callback;
        assert_int_equal(exchange("verifier", 0, &s), NFS4_OK);
        assert_int_equal(lab_create_session(&lab, &s, 1, CREATE_SESSION4_FLAG_CONN_BACK_CHAN, &lab_fore,
                                            &lab_back),
                         NFS4_OK);
        client = client_by_id(&lab.nfs, s.clientid);
        return 0;
}

static int teardown_back(void **unused)
{
        while (end.held_count > 0)
                answer(end.held[--end.held_count]);
        return teardown(unused);
}

struct one {
        struct callback cb;
        uint32_t done;
        enum nfsstat4 status;
};

static void on_done(struct callback *cb, enum nfsstat4 status)
{
        struct one *o = CONTAINER(cb, struct one, cb);

        o->done++;
        o->status = status;
}

static void encode(void *arg, struct xdr_out *x)
{
        xdr_put_u32(x, *(uint32_t *)arg);
}

static int send_one(struct one *o, uint32_t arg)
{
        *o = (struct one){ .cb.done = on_done };
        return callback_send(&lab.nfs, client, &o->cb, OP_CB_RECALL_ANY, encode, &arg);
}

static void assert_answered(enum nfsstat4 expected)
{
        struct one o;

        assert_int_equal(send_one(&o, 4711), 0);
        assert_int_equal(o.done, 0);
        nfs4_lab_run_ms(&lab, 1);
        assert_int_equal(o.done, 1);
        assert_int_equal(o.status, expected);
}

static struct session *session(void)
{
        return session_by_id(&lab.nfs, s.id);
}

static void a_callback_is_answered(void **unused)
{
        (void)unused;
        assert_answered(NFS4_OK);
        assert_int_equal(end.arg, 4711);
        assert_memory_equal(end.session, s.id, sizeof(s.id));
        assert_int_equal(end.seqid, 1);
        end.operation = NFS4ERR_NOMATCHING_LAYOUT;
        assert_answered(NFS4ERR_NOMATCHING_LAYOUT);
        assert_int_equal(end.seqid, 2);
        assert_int_equal(end.slot, 0);
        assert_false(session()->back_fault);
}

/* §20.9.4: the sequence id moves on only when CB_SEQUENCE was taken. */
static void a_refused_sequence_leaves_its_slot(void **unused)
{
        (void)unused;
        end.sequence = NFS4ERR_DELAY;
        assert_answered(NFS4ERR_DELAY);
        end.sequence = NFS4_OK;
        assert_answered(NFS4_OK);
        assert_int_equal(end.seqid, 1);
}

static void each_slot_has_one_call(void **unused)
{
        struct one o[SESSION_BACK_SLOTS + 1];

        (void)unused;
        end.hold = true;
        for (int i = 0; i < SESSION_BACK_SLOTS; i++)
                assert_int_equal(send_one(&o[i], 0), 0);
        assert_int_equal(send_one(&o[SESSION_BACK_SLOTS], 0), -EBUSY);
        nfs4_lab_run_ms(&lab, 1);
        assert_int_equal(end.held_count, SESSION_BACK_SLOTS);
        end.slot = 5;
        answer(end.held[5]);
        end.held[5] = end.held[--end.held_count];
        nfs4_lab_run_ms(&lab, 1);
        assert_int_equal(o[5].status, NFS4_OK);
        assert_int_equal(send_one(&o[5], 0), 0);
        nfs4_lab_run_ms(&lab, 1);
        assert_int_equal(end.slot, 5);
        assert_int_equal(end.seqid, 2);
        while (end.held_count > 0)
                answer(end.held[--end.held_count]);
        nfs4_lab_run_ms(&lab, 1);
        for (int i = 0; i < SESSION_BACK_SLOTS; i++)
                assert_int_equal(o[i].done, 1);
}

static void without_a_back_channel_there_is_no_call(void **unused)
{
        struct one o;

        (void)unused;
        conn_close(conn);
        nfs4_lab_run_ms(&lab, 1);
        assert_int_equal(send_one(&o, 0), -ENOTCONN);
}

static void a_client_that_does_not_speak_it(void **unused)
{
        (void)unused;
        lab.on_callback = NULL;
        for (int i = 0; i < 2 * SESSION_BACK_SLOTS; i++) /* the slots stay usable */
                assert_answered(NFS4ERR_CB_PATH_DOWN);
        assert_true(session()->back_fault);
        lab.on_callback = on_callback;
        assert_answered(NFS4_OK);
}

static void an_answer_that_never_comes(void **unused)
{
        struct one o;

        (void)unused;
        end.hold = true;
        assert_int_equal(send_one(&o, 0), 0);
        nfs4_lab_run_ms(&lab, 60000);
        assert_int_equal(o.done, 1);
        assert_int_equal(o.status, NFS4ERR_CB_PATH_DOWN);
        assert_true(session()->back_fault);
        end.hold = false;
        assert_answered(NFS4_OK);
        assert_int_equal(end.slot, 1); /* nobody knows the sequence id of the first */
}

static void a_connection_that_breaks(void **unused)
{
        struct one o;

        (void)unused;
        end.hold = true;
        assert_int_equal(send_one(&o, 0), 0);
        nfs4_lab_run_ms(&lab, 1);
        conn_close(conn);
        nfs4_lab_run_ms(&lab, 1);
        assert_int_equal(o.done, 1);
        assert_int_equal(o.status, NFS4ERR_CB_PATH_DOWN);
}

static void a_session_that_goes(void **unused)
{
        struct one o[3];

        (void)unused;
        end.hold = true;
        for (int i = 0; i < 3; i++)
                assert_int_equal(send_one(&o[i], 0), 0);
        nfs4_lab_run_ms(&lab, 1);
        assert_int_equal(destroy_session(&s), NFS4_OK);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(o[i].done, 1);
                assert_int_equal(o[i].status, NFS4ERR_CB_PATH_DOWN);
        }
        assert_int_equal(send_one(&o[0], 0), -ENOTCONN);
}

static void any_session_of_the_client_will_do(void **unused)
{
        struct lab_session other = s;

        (void)unused;
        assert_int_equal(lab_create_session(&lab, &other, 2, CREATE_SESSION4_FLAG_CONN_BACK_CHAN, &lab_fore,
                                            &lab_back),
                         NFS4_OK);
        assert_int_equal(destroy_session(&s), NFS4_OK);
        assert_answered(NFS4_OK);
        assert_memory_equal(end.session, other.id, sizeof(other.id));
}

/* Garbage from a client is no answer. */
static void answer_garbage(struct nfs4_lab *l, struct call *call)
{
        (void)l;
        xdr_put_u32(&call->out, 0);
        xdr_put_u32(&call->out, 0);
        xdr_put_u32(&call->out, end.arg++ % 3);
        if (end.arg % 2)
                xdr_put_u32(&call->out, OP_CB_RECALL);
        call_reply(call);
}

static void answers_that_make_no_sense(void **unused)
{
        (void)unused;
        lab.on_callback = answer_garbage;
        for (int i = 0; i < 6; i++)
                assert_answered(NFS4ERR_CB_PATH_DOWN);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_back, teardown_back)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_callback_is_answered),
                TEST(a_refused_sequence_leaves_its_slot),
                TEST(each_slot_has_one_call),
                TEST(without_a_back_channel_there_is_no_call),
                TEST(a_client_that_does_not_speak_it),
                TEST(an_answer_that_never_comes),
                TEST(a_connection_that_breaks),
                TEST(a_session_that_goes),
                TEST(any_session_of_the_client_will_do),
                TEST(answers_that_make_no_sense),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
