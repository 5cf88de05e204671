/* SPDX-License-Identifier: Apache-2.0 */
/* A holder of a delegation that does not answer a recall, answers wrong, or is gone, holds nobody up for
 * longer than the lease; and what is reclaimed after a restart of the metadata server, and what is not. RFC
 * 8881 §10.4.5, §10.4.6, §18.46.3, §8.4.3, §18.16. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/state/delegation.h"
#include "mds/state/recovery.h"
#include "nfs4/codec.h"
#include "tests/lab/mds_user_locks.h"

enum { READ = OPEN4_SHARE_ACCESS_READ, WRITE = OPEN4_SHARE_ACCESS_WRITE };

static struct mds_lab lab;
static struct user u, other;
static struct user_fh root, f;
static struct user_open held; /* f, open by u, with a delegation */

static void hold(struct user *who, const char *name, struct user_open *ret)
{
        *ret = USER_OPEN(.access = READ, .want = OPEN4_SHARE_ACCESS_WANT_READ_DELEG);
        assert_int_equal(user_open(who, &root, name, ret), NFS4_OK);
        assert_int_equal(ret->delegation, OPEN_DELEGATE_READ);
}

static int setup(void **state)
{
        (void)state;
        mds_lab_start_delegating(&lab, &u, &other);
        root = user_root(&u);
        assert_int_equal(user_touch(&u, &root, "f", 0666, &f), NFS4_OK);
        hold(&u, "f", &held);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        user_answer_held(&u);
        user_answer_held(&other);
        mds_lab_stop(&lab);
        return 0;
}

static uint32_t delegations(void)
{
        return delegations_count(lab.mds.delegations);
}

static enum nfsstat4 claim(struct user_open *ret)
{
        *ret = USER_OPEN(.access = READ, .claim = CLAIM_DELEG_CUR_FH, .by = held.delegated,
                         .owner = "another");
        return user_open(&u, &f, NULL, ret);
}

static void open_write(struct user *who)
{
        user_open_begin(who, &root, "f", &USER_OPEN(.access = WRITE));
}

/* --- who does not give it back */

static void assert_revoked(void)
{
        struct user_open w = USER_OPEN(.access = WRITE), o;
        struct user_attrs before, after;

        assert_int_equal(delegations(), 0);
        assert_int_equal(user_renew(&u), NFS4_OK);
        assert_true(u.status_flags & SEQ4_STATUS_RECALLABLE_STATE_REVOKED);
        assert_int_equal(user_open(&other, &root, "f", &w), NFS4_OK);
        assert_int_equal(user_test_stateid(&u, &held.delegated), NFS4ERR_DELEG_REVOKED);
        assert_int_equal(user_read(&u, &f, &held.delegated), NFS4ERR_DELEG_REVOKED);
        assert_int_equal(claim(&o), NFS4ERR_DELEG_REVOKED);
        assert_int_equal(user_getattr(&u, &f, &before), NFS4_OK);
        assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4ERR_DELEG_REVOKED);
        assert_int_equal(user_getattr(&u, &f, &after), NFS4_OK);
        assert_true(after.change > before.change); /* or Linux keeps its pages for ever */
        assert_int_equal(user_free_stateid(&u, &held.delegated), NFS4_OK);
        assert_int_equal(user_test_stateid(&u, &held.delegated), NFS4ERR_BAD_STATEID);
        assert_int_equal(user_renew(&u), NFS4_OK);
        assert_false(u.status_flags & SEQ4_STATUS_RECALLABLE_STATE_REVOKED);
}

/* For nearly a lease it is waited for, and then no more. */
static void assert_waits_for_a_lease(void)
{
        struct user_open w = USER_OPEN(.access = WRITE);

        assert_int_equal(user_open(&other, &root, "f", &w), NFS4ERR_DELAY);
        user_renew_for(LAB_LEASE_SECONDS - 5, &u, &other);
        assert_int_equal(delegations(), 1);
        assert_int_equal(user_open(&other, &root, "f", &w), NFS4ERR_DELAY);
        user_renew_for(10, &u, &other);
        assert_revoked();
}

static void who_only_promises_loses_it(void **state)
{
        (void)state;
        assert_waits_for_a_lease();
        assert_int_equal(u.back.calls, 1);
}

static void who_says_nothing_loses_it(void **state)
{
        (void)state;
        u.back.mute = true;
        assert_waits_for_a_lease();
}

static void who_only_delays_loses_it(void **state)
{
        (void)state;
        u.back.answer = NFS4ERR_DELAY;
        assert_waits_for_a_lease();
}

static void who_makes_no_sense_loses_it(void **state)
{
        (void)state;
        u.back.garbage = true;
        assert_waits_for_a_lease();
        assert_true(u.back.calls > 50); /* it was asked again and again */
}

/* There is nothing that it could let go of: it is not told, or it would look for it for ever. */
static void who_does_not_know_it_is_believed_after_a_while(void **state)
{
        struct user_open w = USER_OPEN(.access = WRITE);

        (void)state;
        u.back.answer = NFS4ERR_BAD_STATEID;
        assert_int_equal(user_open(&other, &root, "f", &w), NFS4ERR_DELAY);
        assert_int_equal(user_open(&other, &root, "f", &w), NFS4ERR_DELAY);
        user_renew_for(5, &u, &other);
        assert_int_equal(user_open(&other, &root, "f", &w), NFS4_OK);
        assert_int_equal(user_renew(&u), NFS4_OK);
        assert_int_equal(u.status_flags, 0);
        assert_int_equal(user_test_stateid(&u, &held.delegated), NFS4ERR_BAD_STATEID);
}

/* The OPEN's answer may be on its way, for longer than that: it is asked a few times more. */
static void however_late_it_says_so_first(void **state)
{
        struct user_open w = USER_OPEN(.access = WRITE);

        (void)state;
        u.back.answer = NFS4ERR_DELAY;
        assert_int_equal(user_open(&other, &root, "f", &w), NFS4ERR_DELAY);
        user_renew_for(7, &u, &other);
        u.back.answer = NFS4ERR_BAD_STATEID;
        user_renew_for(3, &u, &other);
        assert_int_equal(delegations(), 1);
        user_renew_for(5, &u, &other);
        assert_int_equal(delegations(), 0);
}

/* Linux says BAD_STATEID while it is returning it: it has opens to reclaim first. */
static void unless_it_was_about_to_return_it(void **state)
{
        struct user_open o;

        (void)state;
        u.back.answer = NFS4ERR_BAD_STATEID;
        open_write(&other);
        user_send(&other);
        mds_lab_run_ms(&lab, 500);
        assert_int_equal(claim(&o), NFS4_OK);
        assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4_OK);
        assert_true(user_ended(&other));
        assert_int_equal(user_wait(&other), NFS4_OK);
}

static void a_holder_whose_lease_has_run_out_is_not_asked(void **state)
{
        struct user_open w = USER_OPEN(.access = WRITE);

        (void)state;
        for (int i = 0; i < LAB_LEASE_SECONDS / 10 + 1; i++) {
                mds_lab_run_ms(&lab, 10000);
                assert_int_equal(user_renew(&other), NFS4_OK);
        }
        assert_int_equal(delegations(), 1); /* nobody minded */
        assert_int_equal(user_open(&other, &root, "f", &w), NFS4_OK);
        assert_int_equal(u.back.calls, 0);
        assert_int_equal(user_renew(&u), NFS4_OK);
        assert_true(u.status_flags & SEQ4_STATUS_EXPIRED_SOME_STATE_REVOKED);
        assert_int_equal(user_test_stateid(&u, &held.delegated), NFS4ERR_EXPIRED);
        assert_int_equal(user_free_stateid(&u, &held.delegated), NFS4_OK);
        assert_int_equal(user_free_stateid(&u, &held.stateid), NFS4_OK);
        assert_int_equal(user_renew(&u), NFS4_OK);
        assert_int_equal(u.status_flags, 0);
}

static void a_holder_that_comes_back_is_asked_then(void **state)
{
        struct user back = { 0 };
        struct user_open w = USER_OPEN(.access = WRITE);

        (void)state;
        conn_close(u.conn);
        mds_lab_run_ms(&lab, 10);
        assert_int_equal(user_open(&other, &root, "f", &w), NFS4ERR_DELAY);
        assert_int_equal(user_session_again(&back, &u), NFS4_OK);
        assert_int_equal(user_renew(&back), NFS4_OK);
        mds_lab_run_ms(&lab, 10);
        assert_int_equal(back.back.calls, 1);
        assert_int_equal(user_delegreturn(&back, &f, &held.delegated), NFS4_OK);
        assert_int_equal(user_open(&other, &root, "f", &w), NFS4_OK);
}

/* --- the export policy */

static void who_loses_access_is_asked_for_it(void **state)
{
        (void)state;
        mds_lab_export(&lab, "exports:\n  - path: /\n    rules:\n      - clients: '*'\n        access: ro\n");
        assert_int_equal(u.back.calls, 0);
        mds_lab_export(&lab,
                       "exports:\n  - path: /\n    rules:\n      - clients: 192.0.2.2\n        access: rw\n");
        assert_int_equal(u.back.opnum, OP_CB_RECALL);
        assert_int_equal(user_read(&u, &f, &held.delegated), NFS4ERR_ACCESS);
        assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4_OK);
        assert_int_equal(delegations(), 0);
}

/* Its handles are stale: it could not even return it. */
static void with_the_export_it_is_gone(void **state)
{
        (void)state;
        assert_int_equal(user_mkdir(&u, &root, "d", 0755, NULL), NFS4_OK);
        mds_lab_export(&lab,
                       "exports:\n  - path: /d\n    rules:\n      - clients: '*'\n        access: rw\n");
        assert_int_equal(u.back.calls, 0);
        assert_int_equal(delegations(), 0);
        assert_int_equal(user_renew(&u), NFS4_OK);
        assert_true(u.status_flags & SEQ4_STATUS_RECALLABLE_STATE_REVOKED);
        assert_int_equal(user_test_stateid(&u, &held.delegated), NFS4ERR_DELEG_REVOKED);
}

/* --- after a restart of ours */

static enum nfsstat4 reclaim(uint32_t had, struct user_open *ret)
{
        *ret = USER_OPEN(.access = READ, .claim = CLAIM_PREVIOUS, .had = had);
        return user_open(&u, &f, NULL, ret);
}

static void restart(bool delegations_on)
{
        lab.conf.delegations = delegations_on;
        mds_lab_restart(&lab, true);
        assert_int_equal(user_connect(&u, &lab, "client", 1, 0, 0x1122334455667788), NFS4_OK);
        user_start(&other, &lab, "other", 2, 0, 0);
}

static void it_is_reclaimed(void **state)
{
        struct user_open o;

        (void)state;
        restart(true);
        assert_int_equal(user_remove(&other, &root, "f"), NFS4ERR_GRACE);
        assert_int_equal(reclaim(OPEN_DELEGATE_READ, &o), NFS4_OK);
        assert_int_equal(o.delegation, OPEN_DELEGATE_READ);
        assert_false(o.recall);
        assert_memory_not_equal(o.delegated.other, held.delegated.other, NFS4_OTHER_SIZE);
        assert_int_equal(user_test_stateid(&u, &held.delegated), NFS4ERR_BAD_STATEID);
        assert_int_equal(user_reclaim_complete(&u), NFS4_OK);
        assert_false(recovery_in_grace(lab.mds.recovery));
        held = o;
        assert_int_equal(user_remove(&other, &root, "f"), NFS4ERR_DELAY);
        assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4_OK);
        assert_int_equal(user_remove(&other, &root, "f"), NFS4_OK);
}

/* Names and attributes wait for nobody else, and for nothing that is never delegated. */
static void only_for_delegations_that_may_come_back_others_wait(void **state)
{
        struct user third = { 0 };
        struct attr_set mode = { .mode = 0600 };
        struct user_open o;

        (void)state;
        assert_int_equal(user_touch(&other, &root, "g", 0666, NULL), NFS4_OK);
        assert_int_equal(user_open(&other, &root, "g", &USER_OPEN(.access = READ)), NFS4_OK);
        mds_lab_restart(&lab, true);
        user_start(&third, &lab, "third", 3, 0, 0);
        bitmap_set(&mode.mask, FATTR4_MODE);
        assert_int_equal(user_mkdir(&third, &root, "d", 0755, NULL), NFS4_OK);
        assert_int_equal(user_setattr(&third, &root, NULL, &mode), NFS4_OK);
        assert_int_equal(user_remove(&third, &root, "d"), NFS4_OK);
        assert_int_equal(user_remove(&third, &root, "g"), NFS4ERR_GRACE);
        assert_int_equal(user_connect(&u, &lab, "client", 1, 0, 0x1122334455667788), NFS4_OK);
        assert_int_equal(user_setattr(&u, &f, NULL, &mode), NFS4_OK); /* its own is not in its way */
        assert_int_equal(reclaim(OPEN_DELEGATE_READ, &o), NFS4_OK);
        assert_int_equal(user_reclaim_complete(&u), NFS4_OK);
        assert_true(recovery_in_grace(lab.mds.recovery)); /* for the other, who had none */
        assert_int_equal(user_setattr(&third, &f, NULL, &mode), NFS4ERR_DELAY);
        assert_int_equal(user_remove(&third, &root, "g"), NFS4_OK);
}

static void switched_off_it_is_called_back_at_once(void **state)
{
        struct user_open o;

        (void)state;
        restart(false);
        assert_int_equal(reclaim(OPEN_DELEGATE_READ, &o), NFS4_OK);
        assert_int_equal(o.delegation, OPEN_DELEGATE_READ);
        assert_true(o.recall);
        assert_int_equal(u.back.calls, 1);
        assert_int_equal(user_delegreturn(&u, &f, &o.delegated), NFS4_OK);
        assert_int_equal(user_reclaim_complete(&u), NFS4_OK);
}

/* §8.4.3: what was taken from it is not reclaimed. */
static void what_was_revoked_is_not_reclaimed(void **state)
{
        struct user_open w = USER_OPEN(.access = WRITE), o;

        (void)state;
        u.back.mute = true;
        assert_int_equal(user_open(&other, &root, "f", &w), NFS4ERR_DELAY);
        user_renew_for(LAB_LEASE_SECONDS + 2, &u, &other);
        assert_int_equal(user_open(&other, &root, "f", &w), NFS4_OK);
        user_answer_held(&u);
        restart(true);
        assert_int_equal(reclaim(OPEN_DELEGATE_READ, &o), NFS4ERR_NO_GRACE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(who_only_promises_loses_it),
                TEST(who_says_nothing_loses_it),
                TEST(who_only_delays_loses_it),
                TEST(who_makes_no_sense_loses_it),
                TEST(who_does_not_know_it_is_believed_after_a_while),
                TEST(however_late_it_says_so_first),
                TEST(unless_it_was_about_to_return_it),
                TEST(a_holder_whose_lease_has_run_out_is_not_asked),
                TEST(a_holder_that_comes_back_is_asked_then),
                TEST(who_loses_access_is_asked_for_it),
                TEST(with_the_export_it_is_gone),
                TEST(it_is_reclaimed),
                TEST(only_for_delegations_that_may_come_back_others_wait),
                TEST(switched_off_it_is_called_back_at_once),
                TEST(what_was_revoked_is_not_reclaimed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
