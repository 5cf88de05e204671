/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: operations that wait, and are woken before and after the engine parks; replies that wait for
 * the disk. */
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
        bring_about(CONFIRMED, &s);
        return 0;
}

static void begin(void)
{
        lab_begin_in(&k, &lab, &s, 0, false);
}

/* Behind SEQUENCE's result. */
static enum nfsstat4 call(void)
{
        enum nfsstat4 status = lab_call(&k);

        if (k.results > 0)
                assert_int_equal(lab_result(&k, OP_SEQUENCE), NFS4_OK);
        return status;
}

/* --- waiting */

static void put_wait(uint32_t times, bool early)
{
        lab_op(&k, LAB_OP_WAIT);
        xdr_put_u32(k.x, times);
        xdr_put_bool(k.x, early);
}

static void an_operation_waits_until_it_is_woken(void **unused)
{
        (void)unused;
        begin();
        put_wait(3, false);
        lab_op(&k, LAB_OP_COUNT);
        lab_send(&k);
        for (int i = 0; i < 3; i++) {
                nfs4_lab_run_ms(&lab, 1000);
                assert_false(k.ended);
                assert_int_equal(lab.count, 0);
                assert_true(nfs4_lab_release(&lab));
        }
        nfs4_lab_run_ms(&lab, 1);
        assert_int_equal(k.status, NFS4_OK);
        assert_int_equal(lab.count, 1);
        lab_result(&k, OP_SEQUENCE);
        lab_result(&k, LAB_OP_WAIT);
        assert_int_equal(xdr_get_u32(&k.in), 3);
}

static void it_may_be_woken_before_it_waits(void **unused)
{
        (void)unused;
        begin();
        put_wait(5, true);
        put_wait(0, false);
        put_wait(1, true);
        assert_int_equal(call(), NFS4_OK);
        lab_result(&k, LAB_OP_WAIT);
        assert_int_equal(xdr_get_u32(&k.in), 5);
}

static void others_go_on_meanwhile(void **unused)
{
        (void)unused;
        begin();
        put_wait(1, false);
        lab_send(&k);
        for (int i = 0; i < 10; i++)
                assert_int_equal(lab_ping(&lab, &s, 1), NFS4_OK);
        assert_false(k.ended);
        nfs4_lab_release(&lab);
        nfs4_lab_run_ms(&lab, 1);
        assert_int_equal(k.status, NFS4_OK);
}

static void it_goes_on_when_its_connection_is_gone(void **unused)
{
        (void)unused;
        begin();
        put_wait(1, false);
        lab_op(&k, LAB_OP_COUNT);
        lab_send(&k);
        nfs4_lab_close_conns(&lab);
        nfs4_lab_run_ms(&lab, 1);
        assert_int_equal(lab.count, 0);
        nfs4_lab_release(&lab);
        assert_int_equal(lab.count, 1);
}

static void its_client_may_go_under_it(void **unused)
{
        (void)unused;
        begin();
        put_wait(1, false);
        lab_op(&k, LAB_OP_COUNT);
        lab_send(&k);
        client_destroy(&lab.nfs, client_by_id(&lab.nfs, s.clientid));
        assert_int_equal(lab.nfs.clients.count, 0);
        nfs4_lab_release(&lab);
        nfs4_lab_run_ms(&lab, 1);
        assert_int_equal(k.status, NFS4_OK);
}

static void a_reply_waits_for_the_disk(void **unused)
{
        (void)unused;
        lab.hold_commits = true;
        begin();
        lab_op(&k, LAB_OP_COUNT);
        lab_send(&k);
        nfs4_lab_run_ms(&lab, 1000);
        assert_false(k.ended);
        assert_int_equal(lab.count, 1);
        nfs4_lab_commit(&lab);
        nfs4_lab_run_ms(&lab, 1);
        assert_int_equal(k.status, NFS4_OK);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_session, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(an_operation_waits_until_it_is_woken),
                TEST(it_may_be_woken_before_it_waits),
                TEST(others_go_on_meanwhile),
                TEST(it_goes_on_when_its_connection_is_gone),
                TEST(its_client_may_go_under_it),
                TEST(a_reply_waits_for_the_disk),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
