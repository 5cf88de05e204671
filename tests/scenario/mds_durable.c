/* SPDX-License-Identifier: Apache-2.0 */
/* No reply before what it tells is on disk: neither a change nor what somebody else changed and this one saw.
 * After a crash everything acknowledged is there. RFC 8881 §2.10.6 has no word for less. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nfs4/codec.h"
#include "tests/lab/mds_lab.h"

static struct mds_lab lab;
static struct user u, other;
static struct user_fh root;

static int setup(void **state)
{
        (void)state;
        mds_lab_start(&lab, NULL);
        user_start(&u, &lab, "client", 1, 0, 0);
        user_start(&other, &lab, "other", 2, 0, 0);
        root = user_root(&u);
        store_memory_set_sync_ns(lab.store, 50 * 1000000ull);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        store_memory_set_sync_ns(lab.store, 0);
        mds_lab_stop(&lab);
        return 0;
}

static void send_mkdir(struct user *who, const char *name)
{
        user_begin(who);
        user_putfh(who, &root);
        xdr_put_u32(user_op(who, OP_CREATE), NF4DIR);
        xdr_put_string(who->x, name);
        user_put_attrs(who->x, &(struct attr_set){ 0 });
        user_send(who);
}

static void send_lookup(struct user *who, const char *name)
{
        user_begin(who);
        user_putfh(who, &root);
        xdr_put_string(user_op(who, OP_LOOKUP), name);
        user_send(who);
}

static void a_change_waits_for_the_disk(void **state)
{
        (void)state;
        send_mkdir(&u, "a");
        for (int i = 0; i < 20; i++)
                assert_false(user_ended(&u));
        mds_lab_run_ms(&lab, 100);
        assert_true(u.ended && u.status == NFS4_OK);
}

static void who_saw_it_waits_too(void **state)
{
        struct user_fh old;
        struct user_attrs attrs;

        (void)state;
        assert_int_equal(user_mkdir(&u, &root, "old", 0755, &old), NFS4_OK);
        mds_lab_run_ms(&lab, 1000);
        send_mkdir(&u, "new");
        send_lookup(&other, "new");
        assert_false(user_ended(&other));
        mds_lab_run_ms(&lab, 200);
        assert_true(other.ended && other.status == NFS4_OK);
        send_mkdir(&u, "newer");
        assert_int_equal(user_getattr(&other, &old, &attrs), NFS4_OK); /* nothing to do with it */
        assert_false(u.ended);
        mds_lab_run_ms(&lab, 200);
        send_mkdir(&u, "newest");
        send_lookup(&other, "newest-but-one"); /* that it is not there may be news as well */
        mds_lab_run_ms(&lab, 200);
        assert_true(other.ended && other.status == NFS4ERR_NOENT);
}

static void a_crash_keeps_what_was_acknowledged(void **state)
{
        char name[16];

        (void)state;
        for (int i = 0; i < 20; i++) {
                snprintf(name, sizeof(name), "d%d", i);
                assert_int_equal(user_mkdir(&u, &root, name, 0755, NULL), NFS4_OK);
        }
        assert_int_equal(user_remove(&u, &root, "d7"), NFS4_OK);
        assert_int_equal(user_rename(&u, &root, "d8", &root, "moved"), NFS4_OK);
        send_mkdir(&u, "lost");
        assert_false(user_ended(&u));
        mds_lab_restart(&lab, true);
        user_start(&u, &lab, "client", 1, 0, 0);
        for (int i = 0; i < 20; i++) {
                snprintf(name, sizeof(name), "d%d", i);
                assert_int_equal(user_lookup(&u, &root, name, NULL),
                                 i == 7 || i == 8 ? NFS4ERR_NOENT : NFS4_OK);
        }
        assert_int_equal(user_lookup(&u, &root, "moved", NULL), NFS4_OK);
        assert_int_equal(user_lookup(&u, &root, "lost", NULL), NFS4ERR_NOENT);
}

static void stateids_of_the_last_start_are_bad(void **state)
{
        struct user_open o = USER_CREATE(.how = UNCHECKED4);

        (void)state;
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4_OK);
        mds_lab_restart(&lab, true);
        user_start(&u, &lab, "client", 1, 0, 0);
        assert_int_equal(user_close(&u, &o.fh, &o.stateid), NFS4ERR_BAD_STATEID);
        user_begin(&u);
        xdr_put_u32(user_op(&u, OP_TEST_STATEID), 1);
        put_stateid(u.x, &o.stateid);
        assert_int_equal(user_call(&u), NFS4_OK);
        user_result(&u, OP_TEST_STATEID);
        assert_int_equal(xdr_get_u32(&u.in), 1);
        assert_int_equal(xdr_get_u32(&u.in), NFS4ERR_BAD_STATEID);
        user_begin(&u);
        put_stateid(user_op(&u, OP_FREE_STATEID), &o.stateid);
        assert_int_equal(user_call(&u), NFS4ERR_BAD_STATEID);
        assert_int_equal(user_open(&u, &o.fh, NULL, &USER_OPEN(.claim = CLAIM_FH)),
                         NFS4_OK); /* handles are for ever */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_change_waits_for_the_disk),
                TEST(who_saw_it_waits_too),
                TEST(a_crash_keeps_what_was_acknowledged),
                TEST(stateids_of_the_last_start_are_bad),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
