/* SPDX-License-Identifier: Apache-2.0 */
/* Who is denied a lock and waits is called when it is free, in the order of asking, and finds it free.
 * RFC 8881 §9.6, §18.10, §20.11. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/state/lock.h"
#include "tests/lab/mds_user_locks.h"

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS };

static struct mds_lab lab;
static struct user u, other, third;
static struct user_fh root, file;
static struct user_open mine, theirs, its; /* "f" */
static struct user_lock held;              /* all of it, by U */

static void open_f(struct user *who, struct user_open *ret)
{
        *ret = USER_OPEN();
        assert_int_equal(user_open(who, &root, "f", ret), NFS4_OK);
}

static int setup(void **state)
{
        (void)state;
        mds_lab_start(&lab, NULL);
        lab.back_channels = true;
        user_start(&u, &lab, "client", 1, 0, 0);
        user_start(&other, &lab, "other", 2, 0, 0);
        user_start(&third, &lab, "third", 3, 0, 0);
        root = user_root(&u);
        assert_int_equal(user_touch(&u, &root, "f", 0644, &file), NFS4_OK);
        open_f(&u, &mine);
        open_f(&other, &theirs);
        open_f(&third, &its);
        held = USER_LOCK(.by = &mine.stateid, .owner = "holder");
        assert_int_equal(user_lock(&u, &file, &held), NFS4_OK);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        user_answer_held(&u);
        user_answer_held(&other);
        user_answer_held(&third);
        mds_lab_stop(&lab);
        return 0;
}

static uint32_t waiters(void)
{
        return locks_waiters_count(lab.mds.locks);
}

static enum nfsstat4 ask(struct user *who, const struct user_open *open, uint32_t type, const char *owner)
{
        struct user_lock l = USER_LOCK(.by = &open->stateid, .type = type, .owner = owner);

        return user_lock(who, &file, &l);
}

static void release(void)
{
        struct stateid s = held.stateid;

        held.by = &s;
        assert_int_equal(user_locku(&u, &file, &held), NFS4_OK);
        mds_lab_run_ms(&lab, 1);
}

/* MS pass, in which all are alive. */
static void pass(uint32_t ms)
{
        while (ms > 0) {
                uint32_t step = ms < 10 * SECOND_MS ? ms : 10 * SECOND_MS;

                mds_lab_run_ms(&lab, step);
                assert_int_equal(user_renew(&u), NFS4_OK);
                assert_int_equal(user_renew(&other), NFS4_OK);
                assert_int_equal(user_renew(&third), NFS4_OK);
                ms -= step;
        }
}

static void who_waits_is_called_when_it_is_free(void **state)
{
        (void)state;
        assert_true(mine.rflags & OPEN4_RESULT_MAY_NOTIFY_LOCK);
        assert_int_equal(ask(&other, &theirs, WRITEW_LT, "waiter"), NFS4ERR_DENIED);
        pass(5 * SECOND_MS);
        assert_int_equal(other.back.calls, 0);
        release();
        assert_int_equal(other.back.calls, 1);
        assert_int_equal(other.back.opnum, OP_CB_NOTIFY_LOCK);
        assert_memory_equal(&other.back.fh, &file, sizeof(file));
        assert_int_equal(other.back.clientid, other.clientid);
        assert_string_equal(other.back.lock_owner, "waiter");
        assert_int_equal(ask(&other, &theirs, WRITEW_LT, "waiter"), NFS4_OK);
        assert_int_equal(waiters(), 0);
        pass(5 * SECOND_MS);
        assert_int_equal(other.back.calls, 1);
        assert_int_equal(u.back.calls, 0);
}

static void what_is_offered_is_kept_for_a_second(void **state)
{
        struct user_lock test = USER_LOCK();

        (void)state;
        assert_int_equal(ask(&other, &theirs, WRITEW_LT, "waiter"), NFS4ERR_DENIED);
        release();
        assert_int_equal(ask(&u, &mine, WRITE_LT, "holder"), NFS4ERR_DENIED);
        assert_int_equal(user_lockt(&third, &file, &test), NFS4ERR_DENIED);
        assert_int_equal(test.denied_clientid, other.clientid);
        assert_string_equal(test.denied_owner, "waiter");
        pass(SECOND_MS);
        assert_int_equal(waiters(), 0);
        assert_int_equal(ask(&u, &mine, WRITE_LT, "holder"), NFS4_OK);
}

static void in_the_order_of_asking(void **state)
{
        (void)state;
        assert_int_equal(ask(&third, &its, WRITEW_LT, "first"), NFS4ERR_DENIED);
        assert_int_equal(ask(&other, &theirs, WRITEW_LT, "second"), NFS4ERR_DENIED);
        assert_int_equal(ask(&third, &its, WRITEW_LT, "first"), NFS4ERR_DENIED); /* it polls */
        release();
        assert_int_equal(third.back.calls, 1);
        assert_int_equal(other.back.calls, 0);
        assert_int_equal(ask(&third, &its, WRITEW_LT, "first"), NFS4_OK);
        assert_int_equal(other.back.calls, 0);
        assert_int_equal(user_close(&third, &file, &its.stateid), NFS4_OK);
        mds_lab_run_ms(&lab, 1);
        assert_int_equal(other.back.calls, 1);
        assert_string_equal(other.back.lock_owner, "second");
}

static void readers_are_called_together(void **state)
{
        (void)state;
        assert_int_equal(ask(&third, &its, READW_LT, "reader"), NFS4ERR_DENIED);
        assert_int_equal(ask(&other, &theirs, READW_LT, "reader"), NFS4ERR_DENIED);
        held.type = READ_LT;
        assert_int_equal(user_lock(&u, &file, &held), NFS4_OK); /* a downgrade makes room as well */
        mds_lab_run_ms(&lab, 1);
        assert_int_equal(third.back.calls, 1);
        assert_int_equal(other.back.calls, 1);
        assert_int_equal(ask(&other, &theirs, READW_LT, "reader"), NFS4_OK);
        assert_int_equal(ask(&third, &its, READW_LT, "reader"), NFS4_OK);
}

static void all_of_a_range_must_be_free(void **state)
{
        struct user_lock wish = USER_LOCK(.by = &theirs.stateid, .type = WRITEW_LT, .offset = 50,
                                          .length = 100),
                         part = USER_LOCK(.by = &held.stateid, .length = 100);

        (void)state;
        assert_int_equal(user_lock(&other, &file, &wish), NFS4ERR_DENIED);
        assert_int_equal(user_locku(&u, &file, &part), NFS4_OK);
        mds_lab_run_ms(&lab, 1);
        assert_int_equal(other.back.calls, 0);
        part.by = &part.stateid;
        part.offset = 100;
        part.length = 50;
        assert_int_equal(user_locku(&u, &file, &part), NFS4_OK);
        mds_lab_run_ms(&lab, 1);
        assert_int_equal(other.back.calls, 1);
}

static void who_does_not_wait_is_not_called(void **state)
{
        (void)state;
        assert_int_equal(ask(&other, &theirs, WRITE_LT, "waiter"), NFS4ERR_DENIED);
        assert_int_equal(waiters(), 0);
        assert_int_equal(ask(&other, &theirs, WRITEW_LT, "waiter"), NFS4ERR_DENIED);
        assert_int_equal(waiters(), 1);
        assert_int_equal(ask(&other, &theirs, WRITE_LT, "waiter"), NFS4ERR_DENIED); /* not any more */
        assert_int_equal(waiters(), 0);
        assert_int_equal(ask(&third, &its, WRITEW_LT, "waiter"), NFS4ERR_DENIED);
        assert_int_equal(user_close(&third, &file, &its.stateid), NFS4_OK);
        assert_int_equal(waiters(), 0);
        release();
        assert_int_equal(other.back.calls + third.back.calls, 0);
}

static void who_has_not_asked_for_a_minute_is_forgotten(void **state)
{
        (void)state;
        assert_int_equal(ask(&other, &theirs, WRITEW_LT, "waiter"), NFS4ERR_DENIED);
        assert_int_equal(ask(&third, &its, WRITEW_LT, "waiter"), NFS4ERR_DENIED);
        pass(MINUTE_MS / 2);
        assert_int_equal(ask(&third, &its, WRITEW_LT, "waiter"), NFS4ERR_DENIED);
        pass(MINUTE_MS / 2);
        release();
        assert_int_equal(other.back.calls, 0);
        assert_int_equal(third.back.calls, 1);
        assert_int_equal(waiters(), 1);
}

static void who_does_not_understand_is_not_waited_for(void **state)
{
        (void)state;
        other.back.answer = NFS4ERR_NOTSUPP;
        assert_int_equal(ask(&other, &theirs, WRITEW_LT, "waiter"), NFS4ERR_DENIED);
        assert_int_equal(ask(&third, &its, WRITEW_LT, "waiter"), NFS4ERR_DENIED);
        release();
        assert_int_equal(other.back.calls, 1);
        assert_int_equal(third.back.calls, 1);
        assert_int_equal(ask(&third, &its, WRITEW_LT, "waiter"), NFS4_OK);
}

static void who_says_nothing_holds_up_the_next_for_a_second(void **state)
{
        (void)state;
        other.back.mute = true;
        assert_int_equal(ask(&other, &theirs, WRITEW_LT, "waiter"), NFS4ERR_DENIED);
        assert_int_equal(ask(&third, &its, WRITEW_LT, "waiter"), NFS4ERR_DENIED);
        release();
        assert_int_equal(third.back.calls, 0);
        mds_lab_run_ms(&lab, SECOND_MS);
        assert_int_equal(third.back.calls, 1);
        assert_int_equal(ask(&third, &its, WRITEW_LT, "waiter"), NFS4_OK);
        assert_int_equal(ask(&other, &theirs, WRITEW_LT, "waiter"), NFS4ERR_DENIED);
        assert_int_equal(waiters(), 1);
}

/* It need not ask again for the lease of who holds the lock to be looked at. */
static void a_lock_whose_holder_is_gone_goes_to_who_waits(void **state)
{
        (void)state;
        for (int seconds = 0; seconds < LAB_LEASE_SECONDS - 10; seconds += 10) {
                assert_int_equal(ask(&other, &theirs, WRITEW_LT, "waiter"), NFS4ERR_DENIED);
                mds_lab_run_ms(&lab, 10 * SECOND_MS);
        }
        assert_int_equal(other.back.calls, 0);
        mds_lab_run_ms(&lab, (12 + LAB_LEASE_SECONDS / 8) * SECOND_MS); /* leases are looked at this often */
        assert_int_equal(other.back.calls, 1);
        assert_int_equal(ask(&other, &theirs, WRITEW_LT, "waiter"), NFS4_OK);
        assert_int_equal(user_test_stateid(&u, &held.stateid), NFS4ERR_EXPIRED);
}

static void who_cannot_be_called_is_not_remembered(void **state)
{
        static struct user deaf;
        struct user_open open;

        (void)state;
        lab.back_channels = false;
        user_start(&deaf, &lab, "deaf", 4, 0, 0);
        open_f(&deaf, &open);
        assert_false(open.rflags & OPEN4_RESULT_MAY_NOTIFY_LOCK);
        assert_int_equal(ask(&deaf, &open, WRITEW_LT, "waiter"), NFS4ERR_DENIED);
        assert_int_equal(waiters(), 0);
        release();
        assert_int_equal(ask(&deaf, &open, WRITEW_LT, "waiter"), NFS4_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(who_waits_is_called_when_it_is_free),
                TEST(what_is_offered_is_kept_for_a_second),
                TEST(in_the_order_of_asking),
                TEST(readers_are_called_together),
                TEST(all_of_a_range_must_be_free),
                TEST(who_does_not_wait_is_not_called),
                TEST(who_has_not_asked_for_a_minute_is_forgotten),
                TEST(who_does_not_understand_is_not_waited_for),
                TEST(who_says_nothing_holds_up_the_next_for_a_second),
                TEST(a_lock_whose_holder_is_gone_goes_to_who_waits),
                TEST(who_cannot_be_called_is_not_remembered),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
