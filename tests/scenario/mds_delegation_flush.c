/* SPDX-License-Identifier: Apache-2.0 */
/* Who has much to write when its delegation is called back has longer than a lease, for as long as it gets on
 * with it, but not without end. RFC 8881 §10.2, §10.4.5, §10.4.6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/pnfs/size.h"
#include "mds/state/delegation.h"
#include "nfs4/codec.h"
#include "tests/lab/mds_user_locks.h"

enum { READ = OPEN4_SHARE_ACCESS_READ, BOTH = OPEN4_SHARE_ACCESS_BOTH };

static struct mds_lab lab;
static struct user u, other;
static struct user_fh root, f;
static struct user_open held; /* f, open by u, with a delegation for writing */
static struct user_attrs at;  /* what f was like then */

static int start(void **state)
{
        (void)state;
        mds_lab_start_delegating(&lab, &u, &other);
        root = user_root(&u);
        assert_int_equal(user_touch(&u, &root, "f", 0666, &f), NFS4_OK);
        held = USER_OPEN(.access = BOTH, .want = OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG);
        assert_int_equal(user_open(&u, &root, "f", &held), NFS4_OK);
        assert_int_equal(held.delegation, OPEN_DELEGATE_WRITE);
        assert_int_equal(user_getattr(&u, &f, &at), NFS4_OK);
        return 0;
}

static int stop(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

static uint32_t delegations(void)
{
        return delegations_count(lab.mds.delegations);
}

static void second(void)
{
        mds_lab_run_ms(&lab, 1000);
        assert_int_equal(user_renew(&u), NFS4_OK);
        assert_int_equal(user_renew(&other), NFS4_OK);
}

/* f is written to under u's layout, one second long; what conflicts is asked for now and then. */
static void write_a_second(struct lab_object *object)
{
        struct user_open r = USER_OPEN(.access = READ);

        object->mtime_ns = env_wall(&lab.v.env);
        object->size += 1000;
        second();
        if (object->size % 20000 == 0 && delegations() > 0)
                assert_int_equal(user_open(&other, &root, "f", &r), NFS4ERR_DELAY);
}

static struct lab_object *start_flushing(void)
{
        struct lab_object *object = lab_ds_object(&lab.ds[1], at.fileid);
        struct user_open r = USER_OPEN(.access = READ);
        struct stateid layout;

        assert_int_equal(user_layoutget(&u, &f, &held.delegated, &layout), NFS4_OK);
        *object = (struct lab_object){ .fileid = at.fileid, .there = true };
        size_mark(lab.mds.sizes, at.fileid, lab.ds[1].server->id);
        assert_int_equal(user_open(&other, &root, "f", &r), NFS4ERR_DELAY);
        assert_int_equal(u.back.opnum, OP_CB_RECALL);
        return object;
}

static void who_is_still_writing_keeps_it_longer(void **state)
{
        struct lab_object *object = start_flushing();

        (void)state;
        for (int i = 0; i < 2 * LAB_LEASE_SECONDS + 10; i++)
                write_a_second(object);
        assert_int_equal(delegations(), 1);
        assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4_OK);
        assert_int_equal(user_open(&other, &root, "f", &USER_OPEN(.access = READ)), NFS4_OK);
}

static void until_it_writes_no_more(void **state)
{
        struct lab_object *object = start_flushing();

        (void)state;
        for (int i = 0; i < LAB_LEASE_SECONDS + 10; i++)
                write_a_second(object);
        assert_int_equal(delegations(), 1);
        for (int i = 0; i < LAB_LEASE_SECONDS && delegations() > 0; i++)
                second();
        assert_int_equal(delegations(), 0);
        assert_int_equal(user_test_stateid(&u, &held.delegated), NFS4ERR_DELEG_REVOKED);
}

static void or_for_four_leases_at_the_most(void **state)
{
        uint64_t since = env_now(&lab.v.env), passed = 0, lease = LAB_LEASE_SECONDS * UINT64_C(1000000000);
        struct lab_object *object = start_flushing();

        (void)state;
        while (delegations() > 0 && passed < 6 * lease) {
                write_a_second(object);
                passed = env_now(&lab.v.env) - since;
        }
        assert_in_range(passed, 4 * lease - lease / 10, 4 * lease + lease / 2 + lease / 10);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
        const struct CMUnitTest tests[] = {
                TEST(who_is_still_writing_keeps_it_longer),
                TEST(until_it_writes_no_more),
                TEST(or_for_four_leases_at_the_most),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
