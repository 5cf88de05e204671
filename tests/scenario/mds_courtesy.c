/* SPDX-License-Identifier: Apache-2.0 */
/* What a client holds when its lease runs out stays its own until somebody wants it; then it is taken away,
 * for good, and the client is told. RFC 8881 §8.3, §8.4.3, §8.5, §18.46.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/fleet/fleet.h"
#include "mds/state/layout.h"
#include "mds/state/open.h"
#include "mds/state/recovery.h"
#include "nfs4/codec.h"
#include "tests/lab/mds_user_locks.h"

enum { VERIFIER = 1, LEASE_MS = LAB_LEASE_SECONDS * 1000 };

static struct mds_lab lab;
static struct user u, other, third;
static struct user_fh root;
static struct user_open f, g; /* open by u, who lets nobody write f */

static int setup(void **state)
{
        (void)state;
        mds_lab_start(&lab, NULL);
        third.lab = NULL;
        assert_int_equal(user_connect(&u, &lab, "client", 1, 0, VERIFIER), NFS4_OK);
        assert_int_equal(user_reclaim_complete(&u), NFS4_OK);
        user_start(&other, &lab, "other", 2, 0, 0);
        root = user_root(&u);
        f = USER_CREATE(.how = UNCHECKED4, .deny = OPEN4_SHARE_DENY_WRITE);
        g = USER_CREATE(.how = UNCHECKED4);
        assert_int_equal(user_open(&u, &root, "f", &f), NFS4_OK);
        assert_int_equal(user_open(&u, &root, "g", &g), NFS4_OK);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

/* u is silent for longer than its lease; other is not. */
static void lapse(void)
{
        for (int i = 0; i < 4; i++) {
                mds_lab_run_ms(&lab, LEASE_MS / 3);
                assert_int_equal(user_renew(&other), NFS4_OK);
                if (third.lab)
                        assert_int_equal(user_renew(&third), NFS4_OK);
        }
}

static enum nfsstat4 open_by(struct user *who, const char *name, uint32_t deny)
{
        struct user_open again = USER_OPEN(.deny = deny);
        enum nfsstat4 status = user_open(who, &root, name, &again);

        return status == NFS4_OK ? user_close(who, &again.fh, &again.stateid) : status;
}

static enum nfsstat4 use(const struct user_open *open)
{
        struct attr_set set = { .size = 0 };

        bitmap_set(&set.mask, FATTR4_SIZE);
        return user_setattr(&u, &open->fh, &open->stateid, &set);
}

static enum nfsstat4 test_stateid(const struct stateid *s)
{
        user_begin(&u);
        xdr_put_u32(user_op(&u, OP_TEST_STATEID), 1);
        put_stateid(u.x, s);
        assert_int_equal(user_call(&u), NFS4_OK);
        user_result(&u, OP_TEST_STATEID);
        assert_int_equal(xdr_get_u32(&u.in), 1);
        return xdr_get_u32(&u.in);
}

static enum nfsstat4 free_stateid(struct user *who, const struct stateid *s)
{
        user_begin(who);
        put_stateid(user_op(who, OP_FREE_STATEID), s);
        return user_call(who);
}

static void who_comes_back_in_time_has_lost_nothing(void **state)
{
        (void)state;
        lapse();
        mds_lab_run_ms(&lab, 10 * LEASE_MS);
        assert_int_equal(lab.mds.nfs.clients.courtesy_count, 1);
        user_start(&other, &lab, "other", 2, 0, 0);         /* it had nothing to be courteous about */
        assert_int_equal(open_by(&other, "g", 0), NFS4_OK); /* not in anybody's way */
        assert_int_equal(use(&g), NFS4_OK);
        assert_int_equal(use(&f), NFS4_OK);
        assert_int_equal(u.status_flags, 0);
        assert_int_equal(lab.mds.nfs.clients.courtesy_count, 0);
        assert_int_equal(open_by(&other, "f", 0), NFS4ERR_SHARE_DENIED);
}

/* To the second, and not before. */
static void what_is_in_the_way_goes_when_the_lease_has_run_out(void **state)
{
        (void)state;
        mds_lab_run_ms(&lab, LEASE_MS / 2);
        assert_int_equal(user_renew(&other), NFS4_OK);
        mds_lab_run_ms(&lab, LEASE_MS / 2 - 100);
        assert_int_equal(open_by(&other, "f", 0), NFS4ERR_SHARE_DENIED);
        mds_lab_run_ms(&lab, 100);
        assert_int_equal(open_by(&other, "f", 0), NFS4_OK);
}

static void who_comes_back_too_late_is_told(void **state)
{
        (void)state;
        lapse();
        assert_int_equal(open_by(&other, "f", 0), NFS4_OK);
        assert_int_equal(use(&f), NFS4ERR_EXPIRED);
        assert_int_equal(u.status_flags, SEQ4_STATUS_EXPIRED_SOME_STATE_REVOKED);
        assert_int_equal(user_close(&u, &f.fh, &f.stateid), NFS4ERR_EXPIRED);
        assert_int_equal(test_stateid(&f.stateid), NFS4ERR_EXPIRED);
        assert_int_equal(test_stateid(&g.stateid), NFS4_OK);
        assert_int_equal(use(&g), NFS4_OK);
        assert_int_equal(free_stateid(&other, &f.stateid), NFS4ERR_BAD_STATEID); /* not its own */
        assert_int_equal(free_stateid(&u, &f.stateid), NFS4_OK);
        assert_int_equal(free_stateid(&u, &f.stateid), NFS4ERR_BAD_STATEID);
        assert_int_equal(test_stateid(&f.stateid), NFS4ERR_BAD_STATEID);
        assert_int_equal(u.status_flags, 0);
        assert_int_equal(open_by(&u, "f", 0), NFS4_OK);
}

/* Nor may it write without a stateid meanwhile: Linux does, what it had under way. */
static void who_has_not_let_go_of_what_it_lost_writes_nothing(void **state)
{
        static const struct stateid anonymous;

        (void)state;
        lapse();
        assert_int_equal(open_by(&other, "f", 0), NFS4_OK);
        assert_int_equal(user_write(&u, &f.fh, &anonymous), NFS4ERR_EXPIRED);
        assert_int_equal(user_write(&other, &f.fh, &anonymous), NFS4_OK);
        assert_int_equal(user_write(&u, &g.fh, &g.stateid), NFS4_OK);
        assert_int_equal(free_stateid(&u, &f.stateid), NFS4_OK);
        assert_int_equal(user_write(&u, &f.fh, &anonymous), NFS4_OK);
}

static void who_has_lost_everything_is_told_so(void **state)
{
        (void)state;
        assert_int_equal(user_close(&u, &g.fh, &g.stateid), NFS4_OK);
        lapse();
        assert_int_equal(open_by(&other, "f", 0), NFS4_OK);
        assert_int_equal(user_renew(&u), NFS4_OK);
        assert_int_equal(u.status_flags, SEQ4_STATUS_EXPIRED_SOME_STATE_REVOKED);
        assert_int_equal(free_stateid(&u, &f.stateid), NFS4_OK);
        assert_int_equal(user_renew(&u), NFS4_OK);
        assert_int_equal(u.status_flags, 0);
}

/* Somebody alive is in the way too: then nobody has to yield. */
static void nothing_is_taken_for_nothing(void **state)
{
        struct user_open mine = USER_CREATE(.how = UNCHECKED4), theirs;

        (void)state;
        mine.access = OPEN4_SHARE_ACCESS_READ;
        mine.deny = OPEN4_SHARE_DENY_WRITE;
        theirs = mine;
        user_start(&third, &lab, "third", 3, 0, 0);
        assert_int_equal(user_open(&u, &root, "h", &mine), NFS4_OK);
        assert_int_equal(user_open(&third, &root, "h", &theirs), NFS4_OK);
        lapse();
        assert_int_equal(open_by(&other, "h", 0), NFS4ERR_SHARE_DENIED);
        assert_int_equal(test_stateid(&mine.stateid), NFS4_OK);
}

/* The record goes with the first thing that is lost, and comes back when the client knows. */
static void what_was_taken_away_is_not_reclaimed(void **state)
{
        (void)state;
        lapse();
        assert_int_equal(open_by(&other, "f", OPEN4_SHARE_DENY_BOTH), NFS4_OK);
        mds_lab_restart(&lab, true);
        assert_int_equal(user_connect(&u, &lab, "client", 1, 0, VERIFIER), NFS4_OK);
        f.claim = CLAIM_PREVIOUS;
        f.create = false;
        assert_int_equal(user_open(&u, &f.fh, NULL, &f), NFS4ERR_NO_GRACE);
}

static void who_knows_what_it_lost_may_reclaim_the_rest(void **state)
{
        (void)state;
        lapse();
        assert_int_equal(open_by(&other, "f", 0), NFS4_OK);
        assert_int_equal(open_by(&u, "g", 0), NFS4_OK); /* its record does not come back by this */
        mds_lab_restart(&lab, true);
        assert_int_equal(user_connect(&u, &lab, "client", 1, 0, VERIFIER), NFS4_OK);
        assert_false(recovery_may_reclaim(client_by_id(&lab.mds.nfs, u.clientid)));
        assert_int_equal(user_reclaim_complete(&u), NFS4_OK);
        user_start(&other, &lab, "other", 2, 0, 0);
        assert_int_equal(user_open(&u, &root, "f", &f), NFS4_OK);
        assert_int_equal(user_open(&u, &root, "g", &g), NFS4_OK);
        lapse();
        assert_int_equal(open_by(&other, "f", 0), NFS4_OK);
        assert_int_equal(free_stateid(&u, &f.stateid), NFS4_OK);
        mds_lab_restart(&lab, true);
        assert_int_equal(user_connect(&u, &lab, "client", 1, 0, VERIFIER), NFS4_OK);
        g.claim = CLAIM_PREVIOUS;
        g.create = false;
        assert_int_equal(user_open(&u, &g.fh, NULL, &g), NFS4_OK);
}

/* --- layouts: no data server serves who has lost the file, before anybody else has it */

static void its_handles_are_refused_first(void **state)
{
        struct stateid layout;
        uint32_t fences = lab.ds[1].fences;

        (void)state;
        assert_int_equal(user_layoutget(&u, &f.fh, &f.stateid, &layout), NFS4_OK);
        lab.ds[0].server->trusted_until_ns = 0;
        lab.ds[1].deaf = CTL_FENCE;
        lab.ds[1].server->trusted_until_ns = env_now(&lab.v.env) + 4 * (uint64_t)LEASE_MS * 1000000;
        lapse();
        assert_int_equal(open_by(&other, "f", 0), NFS4ERR_DELAY);
        assert_int_equal(open_by(&other, "f", 0), NFS4ERR_DELAY);
        assert_int_equal(lab.ds[1].fences, fences + 1);
        assert_int_equal(opens_count(lab.mds.opens), 2);
        for (int i = 0; i < 6; i++) {
                mds_lab_run_ms(&lab, LEASE_MS / 2); /* the deaf data server has no trust any more */
                assert_int_equal(user_renew(&other), NFS4_OK);
        }
        assert_int_equal(open_by(&other, "f", 0), NFS4_OK);
        assert_int_equal(layouts_count(lab.mds.layouts), 0);
        assert_int_equal(use(&f), NFS4ERR_EXPIRED);
}

static void who_comes_back_while_they_are_told_keeps_the_file(void **state)
{
        struct stateid layout;

        (void)state;
        assert_int_equal(user_layoutget(&u, &f.fh, &f.stateid, &layout), NFS4_OK);
        lab.ds[1].deaf = CTL_FENCE;
        lapse();
        assert_int_equal(open_by(&other, "f", 0), NFS4ERR_DELAY);
        assert_int_equal(user_renew(&u), NFS4_OK);
        call_reply(lab.ds[1].unanswered[0]);
        lab.ds[1].unanswered_count = 0;
        lab.ds[1].deaf = 0;
        mds_lab_run_ms(&lab, 10);
        assert_int_equal(open_by(&other, "f", 0), NFS4ERR_SHARE_DENIED);
        assert_int_equal(use(&f), NFS4_OK);
        assert_int_equal(user_layoutget(&u, &f.fh, &f.stateid, &layout), NFS4_OK);
        mds_lab_restart(&lab, true);
        assert_int_equal(user_connect(&u, &lab, "client", 1, 0, VERIFIER), NFS4_OK);
        f.claim = CLAIM_PREVIOUS;
        f.create = false;
        assert_int_equal(user_open(&u, &f.fh, NULL, &f), NFS4_OK);
}

static void a_store_that_refuses_lets_nothing_be_taken(void **state)
{
        (void)state;
        lapse();
        store_memory_fail_write(lab.store, 1, -28); /* the first is the record of other */
        assert_int_equal(open_by(&other, "g", 0), NFS4_OK);
        assert_int_equal(open_by(&other, "f", 0), NFS4ERR_DELAY);
        assert_int_equal(open_by(&other, "f", 0), NFS4_OK);
}

static void a_file_without_a_name_goes_with_who_had_it(void **state)
{
        struct user_open theirs = USER_OPEN(.claim = CLAIM_FH, .deny = OPEN4_SHARE_DENY_WRITE);

        (void)state;
        assert_int_equal(user_remove(&other, &root, "f"), NFS4_OK);
        lapse();
        assert_int_equal(user_open(&other, &f.fh, NULL, &theirs), NFS4ERR_STALE);
        assert_int_equal(use(&f), NFS4ERR_STALE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(who_comes_back_in_time_has_lost_nothing),
                TEST(what_is_in_the_way_goes_when_the_lease_has_run_out),
                TEST(who_comes_back_too_late_is_told),
                TEST(who_has_not_let_go_of_what_it_lost_writes_nothing),
                TEST(who_has_lost_everything_is_told_so),
                TEST(nothing_is_taken_for_nothing),
                TEST(what_was_taken_away_is_not_reclaimed),
                TEST(who_knows_what_it_lost_may_reclaim_the_rest),
                TEST(its_handles_are_refused_first),
                TEST(who_comes_back_while_they_are_told_keeps_the_file),
                TEST(a_store_that_refuses_lets_nothing_be_taken),
                TEST(a_file_without_a_name_goes_with_who_had_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
