/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a client can be called is found out before it matters, by a CB_COMPOUND that holds CB_SEQUENCE
 * alone (RFC 8881 §2.10.3.1, §10.2, §20.9). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/nfs4/callback_support.h"

static uint32_t probes;
static bool mute;

static void answer_probe(struct nfs4_lab *l, struct call *call)
{
        struct xdr_in *x = &call->args;

        (void)l;
        xdr_get_bytes(x, 4 + 4 + 4); /* no tag, minor version, ident */
        if (xdr_get_u32(x) != 1) {   /* one operation */
                x->p -= 16;
                on_callback(l, call);
                return;
        }
        probes++;
        assert_int_equal(xdr_get_u32(x), OP_CB_SEQUENCE);
        xdr_get_fixed(x, end.session, sizeof(end.session));
        end.seqid = xdr_get_u32(x);
        xdr_get_bytes(x, 16);
        assert_true(!x->bad && xdr_left(x) == 0);
        if (mute) {
                end.held[end.held_count++] = call;
                return;
        }
        xdr_put_u32(&call->out, NFS4_OK);
        xdr_put_u32(&call->out, 0);
        xdr_put_u32(&call->out, 1);
        xdr_put_u32(&call->out, OP_CB_SEQUENCE);
        xdr_put_u32(&call->out, NFS4_OK);
        xdr_put_fixed(&call->out, end.session, sizeof(end.session));
        for (int i = 0; i < 4; i++)
                xdr_put_u32(&call->out, 0);
        call_reply(call);
}

static void start(bool probing, uint32_t flags)
{
        probes = 0;
        lab.on_callback = answer_probe;
        lab.nfs.probe_back_channel = probing;
        assert_int_equal(exchange("verifier", 0, &s), NFS4_OK);
        assert_int_equal(lab_create_session(&lab, &s, 1, flags, &lab_fore, &lab_back), NFS4_OK);
        nfs4_lab_run_ms(&lab, 1);
        assert_int_equal(probes, 0); /* not before the client has used it */
        assert_int_equal(lab_ping(&lab, &s, 0), NFS4_OK);
        nfs4_lab_run_ms(&lab, 1);
        client = client_by_id(&lab.nfs, s.clientid);
}

static int setup_probes(void **unused)
{
        setup(unused);
        memset(&end, 0, sizeof(end));
        mute = false;
        return 0;
}

static void one_that_answers_is_proven_with_its_first_session(void **unused)
{
        (void)unused;
        start(true, CREATE_SESSION4_FLAG_CONN_BACK_CHAN);
        assert_int_equal(probes, 1);
        assert_int_equal(end.seqid, 1);
        assert_true(callback_proven(client));
        assert_answered(NFS4_OK);
        assert_int_equal(end.seqid, 2);
        assert_int_equal(lab_ping(&lab, &s, 0), NFS4_OK);
        nfs4_lab_run_ms(&lab, 1);
        assert_int_equal(probes, 1);
}

static void without_a_back_channel_it_is_not(void **unused)
{
        (void)unused;
        start(true, 0);
        assert_int_equal(probes, 0);
        assert_false(callback_proven(client));
}

static void a_server_that_needs_no_proof_asks_for_none(void **unused)
{
        (void)unused;
        start(false, CREATE_SESSION4_FLAG_CONN_BACK_CHAN);
        assert_int_equal(probes, 0);
        assert_false(callback_proven(client));
        assert_answered(NFS4_OK); /* which is proof as well */
        assert_true(callback_proven(client));
}

static void one_that_says_nothing_is_not_proven(void **unused)
{
        struct one o;

        (void)unused;
        mute = true;
        start(true, CREATE_SESSION4_FLAG_CONN_BACK_CHAN);
        assert_int_equal(probes, 1);
        assert_false(callback_proven(client));
        nfs4_lab_run_ms(&lab, 11000);
        assert_false(callback_proven(client));
        assert_int_equal(status_flags(&s), SEQ4_STATUS_CB_PATH_DOWN | SEQ4_STATUS_CB_PATH_DOWN_SESSION);
        mute = false;
        answer_held(); /* too late */
        bind(&s, s.conn);
        send_one(&o);
        nfs4_lab_run_ms(&lab, 5000);
        assert_done(&o, NFS4_OK);
        assert_true(callback_proven(client));
}

static void a_connection_that_ends_takes_the_proof_with_it(void **unused)
{
        (void)unused;
        start(true, CREATE_SESSION4_FLAG_CONN_BACK_CHAN);
        conn_close(s.conn);
        nfs4_lab_run_ms(&lab, 1);
        assert_false(callback_proven(client));
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_probes, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(one_that_answers_is_proven_with_its_first_session),
                TEST(without_a_back_channel_it_is_not),
                TEST(a_server_that_needs_no_proof_asks_for_none),
                TEST(one_that_says_nothing_is_not_proven),
                TEST(a_connection_that_ends_takes_the_proof_with_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
