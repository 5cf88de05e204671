/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions and their connections: DESTROY_SESSION (RFC 8881 §18.37), BIND_CONN_TO_SESSION (§18.34),
 * BACKCHANNEL_CTL (§18.33), connections that come by themselves (§2.10.3.1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/nfs4/support.h"

static struct lab_session s;

static int setup_session(void **unused)
{
        setup(unused);
        assert_int_equal(exchange("verifier", 0, &s), NFS4_OK);
        assert_int_equal(lab_create_session(&lab, &s, 1, CREATE_SESSION4_FLAG_CONN_BACK_CHAN, &lab_fore,
                                            &lab_back),
                         NFS4_OK);
        return 0;
}

static struct session *session(void)
{
        return session_by_id(&lab.nfs, s.id);
}

static void put_id(uint32_t opnum, const struct lab_session *of)
{
        lab_op(&k, opnum);
        xdr_put_fixed(k.x, of->id, sizeof(of->id));
}

/* sr_status_flags of a SEQUENCE on slot 5. */
static uint32_t status_flags(void)
{
        lab_begin_in(&k, &lab, &s, 5, false);
        assert_int_equal(lab_call(&k), NFS4_OK);
        xdr_get_bytes(&k.in, 8 + NFS4_SESSIONID_SIZE + 16);
        return xdr_get_u32(&k.in);
}

/* --- DESTROY_SESSION */

static void a_session_is_destroyed_alone(void **unused)
{
        (void)unused;
        assert_int_equal(destroy_session(&s), NFS4_OK);
        assert_int_equal(destroy_session(&s), NFS4ERR_BADSESSION);
        assert_int_equal(lab_ping(&lab, &s, 0), NFS4ERR_BADSESSION);
        assert_int_equal(lab.nfs.clients.session_count, 0);
        assert_int_equal(lab.nfs.clients.count, 1);
}

static void not_with_others_behind_it(void **unused)
{
        (void)unused;
        lab_begin(&k, &lab, conn, 1);
        put_id(OP_DESTROY_SESSION, &s);
        lab_op(&k, OP_PUTROOTFH);
        assert_int_equal(lab_call(&k), NFS4ERR_NOT_ONLY_OP);
        lab_begin_in(&k, &lab, &s, 0, false);
        put_id(OP_DESTROY_SESSION, &s);
        lab_op(&k, OP_PUTROOTFH);
        assert_int_equal(lab_call(&k), NFS4ERR_NOT_ONLY_OP);
        assert_non_null(session());
}

static void it_may_be_the_last_of_its_own_compound(void **unused)
{
        (void)unused;
        lab_begin_in(&k, &lab, &s, 0, true);
        lab_op(&k, LAB_OP_COUNT);
        put_id(OP_DESTROY_SESSION, &s);
        assert_int_equal(lab_call(&k), NFS4_OK);
        assert_null(session());
}

static void it_may_be_anywhere_in_another_sessions_compound(void **unused)
{
        struct lab_session other = s;

        (void)unused;
        assert_int_equal(create(&other, 2), NFS4_OK);
        lab_begin_in(&k, &lab, &other, 0, true);
        put_id(OP_DESTROY_SESSION, &s);
        lab_op(&k, LAB_OP_COUNT);
        assert_int_equal(lab_call(&k), NFS4_OK);
        assert_int_equal(lab.count, 1);
        assert_null(session());
}

static void not_while_requests_are_inside(void **unused)
{
        static struct lab_compound slow;

        (void)unused;
        lab_begin_in(&slow, &lab, &s, 0, true);
        lab_op(&slow, LAB_OP_WAIT);
        xdr_put_u32(slow.x, 1);
        xdr_put_bool(slow.x, false);
        lab_send(&slow);
        assert_int_equal(destroy_session(&s), NFS4ERR_DELAY);
        nfs4_lab_release(&lab);
        nfs4_lab_run_ms(&lab, 1);
        assert_int_equal(destroy_session(&s), NFS4_OK);
}

/* --- connections */

static enum nfsstat4 bind_to(struct conn *to, uint32_t direction)
{
        lab_begin(&k, &lab, to, 1);
        put_id(OP_BIND_CONN_TO_SESSION, &s);
        xdr_put_u32(k.x, direction);
        xdr_put_bool(k.x, false);
        return lab_call(&k);
}

static uint32_t granted(void)
{
        assert_int_equal(lab_result(&k, OP_BIND_CONN_TO_SESSION), NFS4_OK);
        xdr_get_bytes(&k.in, NFS4_SESSIONID_SIZE);
        return xdr_get_u32(&k.in);
}

static unsigned bindings(void)
{
        unsigned n = 0;

        LIST_FOR_EACH(node, &session()->conns)
                n++;
        return n;
}

/* That is how nconnect works. */
static void a_connection_is_bound_by_using_it(void **unused)
{
        struct conn *second = nfs4_lab_dial(&lab);

        (void)unused;
        assert_int_equal(bindings(), 1);
        s.conn = second;
        assert_int_equal(lab_ping(&lab, &s, 0), NFS4_OK);
        assert_int_equal(lab_ping(&lab, &s, 0), NFS4_OK);
        assert_int_equal(bindings(), 2);
        conn_close(second);
        nfs4_lab_run_ms(&lab, 1);
        assert_int_equal(bindings(), 1);
        s.conn = conn;
        assert_int_equal(status_flags(), 0); /* the back channel is on the first */
}

static void directions_are_granted(void **unused)
{
        static const struct {
                uint32_t asked, given;
        } of[] = { { CDFC4_FORE, CDFS4_FORE },
                   { CDFC4_BACK, CDFS4_BACK },
                   { CDFC4_FORE_OR_BOTH, CDFS4_BOTH },
                   { CDFC4_BACK_OR_BOTH, CDFS4_BOTH } };

        (void)unused;
        for (size_t i = 0; i < sizeof(of) / sizeof(*of); i++) {
                assert_int_equal(bind_to(conn, of[i].asked), NFS4_OK);
                assert_int_equal(granted(), of[i].given);
        }
        assert_int_equal(bindings(), 1);
        lab.nfs.back_channel = false; /* a data server */
        assert_int_equal(bind_to(conn, CDFC4_FORE_OR_BOTH), NFS4_OK);
        assert_int_equal(granted(), CDFS4_FORE);
        assert_int_equal(bind_to(conn, CDFC4_BACK), NFS4ERR_INVAL);
        assert_int_equal(bind_to(conn, 4), NFS4ERR_BADXDR);
        s.id[0] ^= 1;
        assert_int_equal(bind_to(conn, CDFC4_FORE), NFS4ERR_BADSESSION);
}

static void binding_is_done_alone(void **unused)
{
        (void)unused;
        lab_begin_in(&k, &lab, &s, 0, false);
        put_id(OP_BIND_CONN_TO_SESSION, &s);
        xdr_put_u32(k.x, CDFC4_FORE);
        xdr_put_bool(k.x, false);
        assert_int_equal(lab_call(&k), NFS4ERR_NOT_ONLY_OP);
        lab_begin(&k, &lab, conn, 1);
        put_id(OP_BIND_CONN_TO_SESSION, &s);
        xdr_put_u32(k.x, CDFC4_FORE);
        xdr_put_bool(k.x, false);
        lab_op(&k, OP_PUTROOTFH);
        assert_int_equal(lab_call(&k), NFS4ERR_NOT_ONLY_OP);
}

/* §18.46.3: told as long as it is so. */
static void a_lost_back_channel_is_told_until_it_is_bound_again(void **unused)
{
        (void)unused;
        assert_int_equal(status_flags(), 0);
        conn_close(conn);
        conn = s.conn = nfs4_lab_dial(&lab);
        nfs4_lab_run_ms(&lab, 1);
        for (int i = 0; i < 2; i++)
                assert_int_equal(status_flags(), SEQ4_STATUS_CB_PATH_DOWN | SEQ4_STATUS_CB_PATH_DOWN_SESSION);
        assert_int_equal(bind_to(conn, CDFC4_BACK_OR_BOTH), NFS4_OK);
        assert_int_equal(status_flags(), 0);
        session()->back_fault = true;
        assert_int_equal(status_flags(), SEQ4_STATUS_BACKCHANNEL_FAULT);
        assert_int_equal(bind_to(conn, CDFC4_BACK), NFS4_OK);
        assert_int_equal(status_flags(), 0);
}

static void one_connection_serves_many_sessions(void **unused)
{
        struct lab_session all[5];

        (void)unused;
        for (uint32_t i = 0; i < 5; i++) {
                all[i] = s;
                assert_int_equal(create(&all[i], 2 + i), NFS4_OK);
        }
        assert_int_equal(destroy_session(&all[2]), NFS4_OK);
        assert_int_equal(lab_ping(&lab, &all[1], 0), NFS4_OK);
        assert_int_equal(lab_ping(&lab, &all[3], 0), NFS4_OK);
        conn_close(conn);
        nfs4_lab_run_ms(&lab, 1);
        assert_int_equal(bindings(), 0);
        conn = s.conn = nfs4_lab_dial(&lab);
        assert_int_equal(lab_ping(&lab, &s, 0), NFS4_OK);
}

static void backchannel_ctl(void **unused)
{
        (void)unused;
        lab_begin_in(&k, &lab, &s, 0, false);
        lab_op(&k, OP_BACKCHANNEL_CTL);
        xdr_put_u32(k.x, 0x40000123);
        xdr_put_u32(k.x, 2); /* RPCSEC_GSS, which we cannot speak; AUTH_SYS */
        xdr_put_u32(k.x, RPC_AUTH_GSS);
        xdr_put_u32(k.x, 1);
        xdr_put_u32(k.x, 0);
        xdr_put_u32(k.x, 0);
        xdr_put_u32(k.x, RPC_AUTH_SYS);
        xdr_put_u32(k.x, 5);
        xdr_put_string(k.x, "machine");
        xdr_put_u32(k.x, 7);
        xdr_put_u32(k.x, 11);
        xdr_put_u32(k.x, 1);
        xdr_put_u32(k.x, 13);
        assert_int_equal(lab_call(&k), NFS4_OK);
        assert_int_equal(session()->cb_program, 0x40000123);
        assert_int_equal(session()->cb_flavor, RPC_AUTH_SYS);
        assert_int_equal(session()->cb_uid, 7);
        assert_int_equal(session()->cb_gid, 11);
        lab_begin_in(&k, &lab, &s, 0, false);
        lab_op(&k, OP_BACKCHANNEL_CTL);
        xdr_put_u32(k.x, 1);
        xdr_put_u32(k.x, 0);
        assert_int_equal(lab_call(&k), NFS4ERR_NOENT);
        assert_int_equal(session()->cb_program, 0x40000123);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_session, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_session_is_destroyed_alone),
                TEST(not_with_others_behind_it),
                TEST(it_may_be_the_last_of_its_own_compound),
                TEST(it_may_be_anywhere_in_another_sessions_compound),
                TEST(not_while_requests_are_inside),
                TEST(a_connection_is_bound_by_using_it),
                TEST(directions_are_granted),
                TEST(binding_is_done_alone),
                TEST(a_lost_back_channel_is_told_until_it_is_bound_again),
                TEST(one_connection_serves_many_sessions),
                TEST(backchannel_ctl),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
