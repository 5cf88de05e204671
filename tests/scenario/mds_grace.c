/* SPDX-License-Identifier: Apache-2.0 */
/* After a restart of the metadata server its clients reclaim what they had, in a grace period in which nobody
 * gets anything new; and only what they had. RFC 8881 §8.4.2, §8.4.3, §18.51. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/state/layout.h"
#include "mds/state/open.h"
#include "mds/state/recovery.h"
#include "nfs4/codec.h"
#include "tests/lab/mds_lab.h"

enum { FIRST_LIFE = 1, SECOND_LIFE = 2, LEASE_MS = LAB_LEASE_SECONDS * 1000 };

static struct mds_lab lab;
static struct user u, other;
static struct user_fh root;
static struct user_open o; /* "f", open by u */

static int setup(void **state)
{
        (void)state;
        mds_lab_start(&lab, NULL);
        assert_int_equal(user_connect(&u, &lab, "client", 1, 0, FIRST_LIFE), NFS4_OK);
        assert_int_equal(user_reclaim_complete(&u), NFS4_OK);
        user_start(&other, &lab, "other", 2, 0, 0);
        root = user_root(&u);
        o = USER_CREATE(.how = UNCHECKED4);
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4_OK);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

static bool in_grace(void)
{
        return recovery_in_grace(lab.mds.recovery);
}

/* u is back, and may or may not reclaim. */
static void back(void)
{
        assert_int_equal(user_connect(&u, &lab, "client", 1, 0, FIRST_LIFE), NFS4_OK);
}

static enum nfsstat4 reclaim(struct user *who, const struct user_fh *file, struct user_open *ret)
{
        ret->claim = CLAIM_PREVIOUS;
        ret->create = false;
        return user_open(who, file, NULL, ret);
}

static enum nfsstat4 open_f(struct user *who, uint32_t deny)
{
        struct user_open again = USER_OPEN(.deny = deny);
        enum nfsstat4 status = user_open(who, &root, "f", &again);

        return status == NFS4_OK ? user_close(who, &again.fh, &again.stateid) : status;
}

static enum nfsstat4 cut(struct user *who, const struct stateid *s)
{
        struct attr_set set = { .size = 0 };

        bitmap_set(&set.mask, FATTR4_SIZE);
        return user_setattr(who, &o.fh, s, &set);
}

static void without_records_there_is_no_grace(void **state)
{
        (void)state;
        mds_lab_restart(&lab, true);
        assert_true(in_grace()); /* u had something */
        back();
        assert_int_equal(user_reclaim_complete(&u), NFS4_OK);
        assert_false(in_grace());
        /* Who has opened something once has a record, who only looks around has none. */
        mds_lab_stop(&lab);
        mds_lab_start(&lab, NULL);
        user_start(&u, &lab, "client", 1, 0, 0);
        root = user_root(&u);
        mds_lab_restart(&lab, true);
        assert_false(in_grace());
        user_start(&u, &lab, "client", 1, 0, 0);
        assert_int_equal(u.status_flags, 0);
        assert_int_equal(user_touch(&u, &root, "g", 0644, NULL), NFS4_OK);
}

static void a_client_reclaims_and_grace_ends_at_once(void **state)
{
        struct user_open first = o;
        struct stateid layout;

        (void)state;
        mds_lab_restart(&lab, true);
        back();
        assert_int_equal(open_f(&u, 0), NFS4ERR_GRACE);
        assert_int_equal(u.status_flags, SEQ4_STATUS_RESTART_RECLAIM_NEEDED);
        assert_int_equal(reclaim(&u, &first.fh, &o), NFS4_OK);
        assert_int_equal(o.stateid.seqid, 1);
        assert_memory_not_equal(o.stateid.other, first.stateid.other, NFS4_OTHER_SIZE);
        assert_int_equal(reclaim(&u, &first.fh, &o), NFS4_OK);
        assert_int_equal(o.stateid.seqid, 2);
        assert_int_equal(user_layoutget(&u, &o.fh, &first.stateid, &layout), NFS4ERR_BAD_STATEID);
        assert_int_equal(user_layoutget(&u, &o.fh, &o.stateid, &layout), NFS4_OK);
        assert_int_equal(cut(&u, &first.stateid), NFS4ERR_BAD_STATEID);
        assert_int_equal(cut(&u, &o.stateid), NFS4_OK);
        assert_true(in_grace());
        assert_int_equal(user_reclaim_complete(&u), NFS4_OK);
        assert_false(in_grace());
        assert_int_equal(reclaim(&u, &first.fh, &first), NFS4ERR_NO_GRACE);
        assert_int_equal(u.status_flags, 0);
        assert_int_equal(user_layoutget(&u, &o.fh, &o.stateid, &layout), NFS4_OK);
        assert_int_equal(user_close(&u, &o.fh, &o.stateid), NFS4_OK);
}

static void others_wait(void **state)
{
        struct user_open theirs = USER_OPEN();
        struct user_fh dir;

        (void)state;
        mds_lab_restart(&lab, true);
        user_start(&other, &lab, "other", 2, 0, 0);
        assert_int_equal(other.status_flags, 0);
        assert_int_equal(reclaim(&other, &o.fh, &theirs), NFS4ERR_NO_GRACE); /* it had nothing */
        assert_int_equal(open_f(&other, 0), NFS4ERR_GRACE);
        assert_int_equal(cut(&other, NULL), NFS4ERR_GRACE);
        assert_int_equal(user_mkdir(&other, &root, "d", 0755, &dir), NFS4_OK); /* names are nobody's state */
        assert_int_equal(user_lookup(&other, &root, "f", NULL), NFS4_OK);
        back();
        assert_int_equal(user_reclaim_complete(&u), NFS4_OK);
        assert_int_equal(open_f(&other, OPEN4_SHARE_DENY_BOTH), NFS4_OK);
}

static void one_who_died_too_is_waited_for_no_longer_than_a_lease(void **state)
{
        struct user_open theirs = USER_OPEN();
        struct recovery_status status;

        (void)state;
        assert_int_equal(user_open(&other, &root, "f", &theirs), NFS4_OK);
        mds_lab_restart(&lab, true);
        back();
        assert_int_equal(reclaim(&u, &o.fh, &o), NFS4_OK);
        assert_int_equal(user_reclaim_complete(&u), NFS4_OK);
        status = recovery_status(lab.mds.recovery);
        assert_true(status.in_grace && status.waits_for == 1);
        assert_in_range(status.left_ns, (LEASE_MS - 100) * 1000000ull, LEASE_MS * 1000000ull);
        mds_lab_run_ms(&lab, LEASE_MS / 2);
        assert_int_equal(open_f(&u, 0), NFS4ERR_GRACE);
        mds_lab_run_ms(&lab, LEASE_MS / 2 - 50);
        assert_int_equal(open_f(&u, 0), NFS4ERR_GRACE);
        mds_lab_run_ms(&lab, 50);
        assert_false(in_grace());
        assert_int_equal(open_f(&u, 0), NFS4_OK);
        assert_int_equal(recovery_status(lab.mds.recovery).took_ns / 1000000, LEASE_MS);
}

/* The client, not the server, forgot: a new instance. */
static void one_who_restarted_has_nothing_to_reclaim(void **state)
{
        (void)state;
        mds_lab_restart(&lab, true);
        assert_int_equal(user_connect(&u, &lab, "client", 1, 0, SECOND_LIFE), NFS4_OK);
        assert_false(in_grace());
        assert_int_equal(reclaim(&u, &o.fh, &o), NFS4ERR_NO_GRACE);
        assert_int_equal(u.status_flags, 0);
        mds_lab_restart(&lab, true);
        assert_false(in_grace());
        user_start(&u, &lab, "client", 1, 0, 0);
}

static void a_name_is_not_taken_by_another_principal(void **state)
{
        (void)state;
        mds_lab_restart(&lab, true);
        assert_int_equal(user_connect(&other, &lab, "client", 2, 1000, FIRST_LIFE), NFS4ERR_CLID_INUSE);
        assert_int_equal(user_connect(&other, &lab, "client", 2, 1000, SECOND_LIFE), NFS4ERR_CLID_INUSE);
        back();
        assert_int_equal(reclaim(&u, &o.fh, &o), NFS4_OK);
}

static void who_leaves_has_no_record(void **state)
{
        (void)state;
        assert_int_equal(user_close(&u, &o.fh, &o.stateid), NFS4_OK);
        user_begin(&u);
        xdr_put_fixed(user_op(&u, OP_DESTROY_SESSION), u.session, NFS4_SESSIONID_SIZE);
        assert_int_equal(user_call(&u), NFS4_OK);
        user_begin(&other);
        xdr_put_u64(user_op(&other, OP_DESTROY_CLIENTID), u.clientid);
        assert_int_equal(user_call(&other), NFS4_OK);
        mds_lab_restart(&lab, true);
        assert_false(in_grace());
}

/* §8.4.3, the first edge case: the lease ran out, somebody else had the file, then we restart. */
static void what_was_lost_with_the_lease_is_not_reclaimed(void **state)
{
        (void)state;
        mds_lab_run_ms(&lab, LEASE_MS / 2);
        user_renew(&other);
        mds_lab_run_ms(&lab, LEASE_MS * 3 / 4);
        assert_int_equal(open_f(&other, OPEN4_SHARE_DENY_BOTH), NFS4_OK);
        mds_lab_restart(&lab, true);
        back();
        assert_int_equal(reclaim(&u, &o.fh, &o), NFS4ERR_NO_GRACE);
}

/* The second: a grace period missed, somebody else had the file, then we restart again. */
static void what_was_lost_with_a_grace_period_is_not_reclaimed(void **state)
{
        (void)state;
        mds_lab_restart(&lab, true);
        mds_lab_run_ms(&lab, LEASE_MS);
        user_start(&other, &lab, "other", 2, 0, 0);
        assert_int_equal(open_f(&other, OPEN4_SHARE_DENY_BOTH), NFS4_OK);
        mds_lab_restart(&lab, true);
        assert_true(in_grace()); /* other may */
        back();
        assert_int_equal(reclaim(&u, &o.fh, &o), NFS4ERR_NO_GRACE);
}

/* Until then it may: a second restart within the grace period begins another one. */
static void a_restart_in_the_grace_period(void **state)
{
        struct user_open second = USER_CREATE(.how = UNCHECKED4);

        (void)state;
        assert_int_equal(user_open(&u, &root, "g", &second), NFS4_OK);
        mds_lab_restart(&lab, true);
        back();
        assert_int_equal(reclaim(&u, &o.fh, &o), NFS4_OK);
        mds_lab_restart(&lab, true);
        back();
        assert_int_equal(reclaim(&u, &o.fh, &o), NFS4_OK);
        assert_int_equal(reclaim(&u, &second.fh, &second), NFS4_OK);
        assert_int_equal(user_reclaim_complete(&u), NFS4_OK);
        mds_lab_restart(&lab, true);
        back();
        assert_int_equal(reclaim(&u, &o.fh, &o), NFS4_OK);
}

static void reclaims_that_contradict_each_other(void **state)
{
        struct user_open theirs = USER_OPEN();

        (void)state;
        assert_int_equal(user_open(&other, &root, "f", &theirs), NFS4_OK);
        mds_lab_restart(&lab, true);
        back();
        o.deny = OPEN4_SHARE_DENY_WRITE;
        assert_int_equal(reclaim(&u, &o.fh, &o), NFS4_OK);
        assert_int_equal(user_connect(&other, &lab, "other", 2, 0, 0x1122334455667788), NFS4_OK);
        assert_int_equal(reclaim(&other, &o.fh, &theirs), NFS4ERR_RECLAIM_CONFLICT);
        theirs.access = OPEN4_SHARE_ACCESS_READ;
        assert_int_equal(reclaim(&other, &o.fh, &theirs), NFS4_OK);
        assert_int_equal(user_reclaim_complete(&other), NFS4_OK);
        assert_int_equal(user_reclaim_complete(&u), NFS4_OK);
        assert_int_equal(open_f(&other, 0), NFS4ERR_SHARE_DENIED);
}

/* What OPEN looked at before the restart is not looked at again. */
static void the_owner_may_have_changed_the_mode(void **state)
{
        struct user_open theirs = USER_CREATE(.how = GUARDED4);
        struct attr_set set = { .mode = 0 };
        struct user_fh dir;

        (void)state;
        assert_int_equal(user_mkdir(&u, &root, "d", 0777, &dir), NFS4_OK);
        user_start(&other, &lab, "third", 3, 1000, 1000);
        assert_int_equal(user_open(&other, &dir, "x", &theirs), NFS4_OK);
        bitmap_set(&set.mask, FATTR4_MODE);
        assert_int_equal(user_setattr(&other, &theirs.fh, NULL, &set), NFS4_OK);
        mds_lab_restart(&lab, true);
        assert_int_equal(user_connect(&other, &lab, "third", 3, 1000, 0x1122334455667788), NFS4_OK);
        assert_int_equal(reclaim(&other, &theirs.fh, &theirs), NFS4_OK);
}

static void who_is_reclaiming_at_the_end_gets_more_time(void **state)
{
        (void)state;
        mds_lab_restart(&lab, true);
        mds_lab_run_ms(&lab, LEASE_MS - 1000);
        back();
        for (int i = 0; i < LEASE_MS / 1000 - 2; i++) {
                assert_int_equal(reclaim(&u, &o.fh, &o), NFS4_OK);
                mds_lab_run_ms(&lab, 1000);
        }
        assert_true(in_grace());
        mds_lab_run_ms(&lab, 5000); /* a second lease, no more */
        assert_false(in_grace());
        assert_int_equal(reclaim(&u, &o.fh, &o), NFS4ERR_NO_GRACE);
        assert_int_equal(user_renew(&u), NFS4_OK);
        /* What it has reclaimed is its own, also after the next restart. */
        assert_int_equal(opens_count(lab.mds.opens), 1);
        assert_int_equal(user_reclaim_complete(&u), NFS4_OK);
        mds_lab_restart(&lab, true);
        back();
        assert_int_equal(reclaim(&u, &o.fh, &o), NFS4_OK);
}

static void who_did_not_finish_reclaims_nothing_the_next_time(void **state)
{
        (void)state;
        mds_lab_restart(&lab, true);
        back();
        assert_int_equal(reclaim(&u, &o.fh, &o), NFS4_OK);
        mds_lab_run_ms(&lab, LEASE_MS / 2);
        user_renew(&u);
        mds_lab_run_ms(&lab, LEASE_MS / 2 + 100);
        assert_false(in_grace());
        assert_int_equal(open_f(&u, 0), NFS4ERR_GRACE); /* not before RECLAIM_COMPLETE */
        mds_lab_restart(&lab, false);
        back();
        assert_int_equal(reclaim(&u, &o.fh, &o), NFS4ERR_NO_GRACE);
}

/* --- with the grace period, other things */

static void a_file_without_a_name_waits_for_who_had_it_open(void **state)
{
        struct user_attrs a;

        (void)state;
        assert_int_equal(user_remove(&other, &root, "f"), NFS4_OK);
        mds_lab_restart(&lab, true);
        back();
        assert_int_equal(reclaim(&u, &o.fh, &o), NFS4_OK);
        assert_int_equal(user_reclaim_complete(&u), NFS4_OK);
        assert_int_equal(user_getattr(&u, &o.fh, &a), NFS4_OK);
        assert_int_equal(a.links, 0);
        assert_int_equal(user_close(&u, &o.fh, &o.stateid), NFS4_OK);
        assert_int_equal(user_getattr(&u, &o.fh, &a), NFS4ERR_STALE);
}

static void a_file_that_is_removed_before_it_is_reclaimed(void **state)
{
        struct user_fh unclaimed;
        struct user_attrs a;

        (void)state;
        assert_int_equal(user_touch(&u, &root, "g", 0644, &unclaimed), NFS4_OK);
        mds_lab_restart(&lab, true);
        user_start(&other, &lab, "other", 2, 0, 0);
        assert_int_equal(user_remove(&other, &root, "f"), NFS4_OK);
        assert_int_equal(user_remove(&other, &root, "g"), NFS4_OK);
        assert_int_equal(user_getattr(&other, &unclaimed, &a), NFS4_OK);
        back();
        assert_int_equal(reclaim(&u, &o.fh, &o), NFS4_OK);
        assert_int_equal(user_reclaim_complete(&u), NFS4_OK);
        assert_int_equal(user_getattr(&u, &o.fh, &a), NFS4_OK);
        assert_int_equal(user_getattr(&u, &unclaimed, &a), NFS4ERR_STALE);
}

/* The record is one write for as long as a client uses files. */
static void opening_costs_no_further_writes(void **state)
{
        struct user_open again = USER_OPEN();
        uint64_t before;

        (void)state;
        before = lab.store->stats.batches;
        assert_int_equal(user_open(&u, &root, "f", &again), NFS4_OK);
        assert_int_equal(lab.store->stats.batches, before);
        assert_int_equal(user_open(&other, &root, "f", &again), NFS4_OK);
        assert_int_equal(lab.store->stats.batches, before + 1);
        assert_int_equal(user_open(&other, &root, "f", &again), NFS4_OK);
        assert_int_equal(lab.store->stats.batches, before + 1);
}

static void run_leases(unsigned count)
{
        for (unsigned i = 0; i < 4 * count; i++) {
                mds_lab_run_ms(&lab, LEASE_MS / 4);
                assert_int_equal(user_renew(&u), NFS4_OK);
        }
}

/* It stays while its client has something, and is written again when that comes back to open files. */
static void a_mount_that_nobody_uses_has_no_record(void **state)
{
        (void)state;
        run_leases(3);
        mds_lab_restart(&lab, true);
        assert_true(in_grace());
        back();
        assert_int_equal(reclaim(&u, &o.fh, &o), NFS4_OK);
        assert_int_equal(user_reclaim_complete(&u), NFS4_OK);
        assert_int_equal(user_close(&u, &o.fh, &o.stateid), NFS4_OK);
        run_leases(2);
        assert_int_equal(open_f(&u, 0), NFS4_OK);
        mds_lab_restart(&lab, true);
        assert_true(in_grace());
        back();
        assert_int_equal(user_reclaim_complete(&u), NFS4_OK);
        run_leases(2);
        mds_lab_restart(&lab, false);
        assert_false(in_grace());
}

/* While a record says that its client may reclaim, nobody else gets what it had. */
static void a_store_that_refuses_keeps_the_grace_period(void **state)
{
        (void)state;
        mds_lab_restart(&lab, true);
        user_start(&other, &lab, "other", 2, 0, 0);
        store_memory_fail_write(lab.store, 0, -28);
        mds_lab_run_ms(&lab, LEASE_MS / 2);
        assert_int_equal(user_renew(&other), NFS4_OK);
        mds_lab_run_ms(&lab, LEASE_MS / 2);
        assert_true(in_grace());
        assert_int_equal(open_f(&other, 0), NFS4ERR_GRACE);
        mds_lab_run_ms(&lab, 1000);
        assert_false(in_grace());
        assert_int_equal(open_f(&other, 0), NFS4_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(without_records_there_is_no_grace),
                TEST(a_client_reclaims_and_grace_ends_at_once),
                TEST(others_wait),
                TEST(one_who_died_too_is_waited_for_no_longer_than_a_lease),
                TEST(one_who_restarted_has_nothing_to_reclaim),
                TEST(a_name_is_not_taken_by_another_principal),
                TEST(who_leaves_has_no_record),
                TEST(what_was_lost_with_the_lease_is_not_reclaimed),
                TEST(what_was_lost_with_a_grace_period_is_not_reclaimed),
                TEST(a_restart_in_the_grace_period),
                TEST(reclaims_that_contradict_each_other),
                TEST(the_owner_may_have_changed_the_mode),
                TEST(who_is_reclaiming_at_the_end_gets_more_time),
                TEST(who_did_not_finish_reclaims_nothing_the_next_time),
                TEST(a_file_without_a_name_waits_for_who_had_it_open),
                TEST(a_file_that_is_removed_before_it_is_reclaimed),
                TEST(opening_costs_no_further_writes),
                TEST(a_mount_that_nobody_uses_has_no_record),
                TEST(a_store_that_refuses_keeps_the_grace_period),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
