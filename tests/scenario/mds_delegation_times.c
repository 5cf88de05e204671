/* SPDX-License-Identifier: Apache-2.0 */
/* A client that keeps a file's times while it has a delegation for writing answers for them, and sets them
 * when it returns it. RFC 9754 (time_deleg_access, time_deleg_modify), RFC 8881 §10.4.3, §18.30. */
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
#define MS INT64_C(1000000)

static struct mds_lab lab;
static struct user u, other;
static struct user_fh root, f;
static struct user_open held; /* f, open by u, with a delegation for writing and its times */
static struct user_attrs at;  /* what f was like then */

static struct user_attrs attrs(struct user *who)
{
        struct user_attrs a;

        assert_int_equal(user_getattr(who, &f, &a), NFS4_OK);
        return a;
}

static struct user_open open_wishing(uint32_t access, uint32_t wish)
{
        struct user_open o =
                USER_OPEN(.access = access, .want = wish | OPEN4_SHARE_ACCESS_WANT_DELEG_TIMESTAMPS);

        assert_int_equal(user_open(&u, &root, "f", &o), NFS4_OK);
        return o;
}

static int start(void **state)
{
        (void)state;
        mds_lab_start_delegating(&lab, &u, &other);
        u.minor = other.minor = 2;
        root = user_root(&u);
        assert_int_equal(user_touch(&u, &root, "f", 0666, &f), NFS4_OK);
        held = open_wishing(BOTH, OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG);
        assert_int_equal(held.delegation, OPEN_DELEGATE_WRITE_ATTRS_DELEG);
        at = attrs(&u);
        u.back.change = at.change;
        u.back.size = at.size;
        u.back.atime = at.atime;
        u.back.mtime = at.mtime;
        mds_lab_run_ms(&lab, 1000);
        return 0;
}

static int stop(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

static struct attr_set times(int64_t atime, int64_t mtime)
{
        struct attr_set set = { .time_deleg_access = atime, .time_deleg_modify = mtime };

        bitmap_set(&set.mask, FATTR4_TIME_DELEG_ACCESS);
        bitmap_set(&set.mask, FATTR4_TIME_DELEG_MODIFY);
        return set;
}

static enum nfsstat4 set_times(const struct stateid *s, int64_t atime, int64_t mtime)
{
        struct attr_set set = times(atime, mtime);

        return user_setattr(&u, &f, s, &set);
}

/* As Linux does: both in one compound. */
static enum nfsstat4 return_with(int64_t atime, int64_t mtime)
{
        struct attr_set set = times(atime, mtime);

        user_begin(&u);
        user_putfh(&u, &f);
        put_stateid(user_op(&u, OP_SETATTR), &held.delegated);
        user_put_attrs(u.x, &set);
        put_stateid(user_op(&u, OP_DELEGRETURN), &held.delegated);
        return user_call(&u);
}

/* There is nothing to keep: reading does not move atime. */
static void with_one_for_reading_there_are_none(void **state)
{
        struct user_open o;

        (void)state;
        assert_int_equal(user_close(&u, &f, &held.stateid), NFS4_OK);
        assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4_OK);
        o = open_wishing(READ, OPEN4_SHARE_ACCESS_WANT_READ_DELEG);
        assert_int_equal(o.delegation, OPEN_DELEGATE_READ);
        assert_int_equal(set_times(&o.delegated, at.atime, at.mtime), NFS4ERR_INVAL);
}

static void they_are_set_when_it_is_returned(void **state)
{
        struct user_attrs a;

        (void)state;
        assert_int_equal(return_with(at.atime + 3 * MS, at.mtime + 4 * MS), NFS4_OK);
        a = attrs(&other);
        assert_int_equal(a.atime, at.atime + 3 * MS);
        assert_int_equal(a.mtime, at.mtime + 4 * MS);
        assert_int_equal(a.ctime, a.mtime); /* not now */
        assert_true(a.change > at.change);
        assert_int_equal(u.back.calls, 0);
}

static void reading_moves_nothing_else(void **state)
{
        struct user_attrs a;

        (void)state;
        assert_int_equal(return_with(at.atime + 3 * MS, at.mtime), NFS4_OK);
        a = attrs(&other);
        assert_int_equal(a.atime, at.atime + 3 * MS);
        assert_int_equal(a.mtime, at.mtime);
        assert_int_equal(a.ctime, at.ctime);
        assert_int_equal(a.change, at.change);
}

/* utimes(2) set it so, before: what is read later is no reason to move ctime there. */
static void not_even_with_data_from_the_future(void **state)
{
        int64_t future = (int64_t)env_wall(&lab.v.env) + 3600 * 1000 * MS;
        struct attr_set set = { .time_modify = future }, read = { .time_deleg_access = at.atime + 3 * MS };
        int64_t ctime;

        (void)state;
        bitmap_set(&set.mask, FATTR4_TIME_MODIFY_SET);
        bitmap_set(&read.mask, FATTR4_TIME_DELEG_ACCESS);
        assert_int_equal(user_setattr(&u, &f, &held.delegated, &set), NFS4_OK);
        ctime = attrs(&u).ctime;
        assert_int_equal(user_setattr(&u, &f, &held.delegated, &read), NFS4_OK);
        assert_int_equal(attrs(&u).atime, at.atime + 3 * MS);
        assert_int_equal(attrs(&u).mtime, future);
        assert_int_equal(attrs(&u).ctime, ctime);
}

static void what_is_as_it_was_is_no_change(void **state)
{
        (void)state;
        assert_int_equal(return_with(at.atime, at.mtime), NFS4_OK);
        assert_int_equal(attrs(&other).change, at.change);
        assert_int_equal(attrs(&other).ctime, at.ctime);
}

/* Its clock is ahead of ours. */
static void no_time_is_in_the_future(void **state)
{
        int64_t now = (int64_t)env_wall(&lab.v.env);
        struct user_attrs a;

        (void)state;
        assert_int_equal(return_with(now + 3600 * 1000 * MS, now + 3600 * 1000 * MS), NFS4_OK);
        a = attrs(&other);
        assert_true(a.mtime >= now && a.mtime < now + 1000 * MS);
        assert_int_equal(a.atime, a.mtime);
        assert_int_equal(a.ctime, a.mtime);
}

/* utimes(2) on the holder: ctime stays, the change attribute tells. */
static void a_time_that_a_program_has_set_counts(void **state)
{
        struct user_attrs a;

        (void)state;
        assert_int_equal(return_with(5, 7), NFS4_OK);
        a = attrs(&other);
        assert_int_equal(a.atime, 5);
        assert_int_equal(a.mtime, 7);
        assert_int_equal(a.ctime, at.ctime);
        assert_true(a.change > at.change);
}

/* What the data servers have of its writes comes before, and does not undo it. */
static void data_that_are_on_their_way_do_not_undo_them(void **state)
{
        struct lab_object *object = lab_ds_object(&lab.ds[1], at.fileid);
        int64_t mtime = at.mtime + 5 * MS;

        (void)state;
        *object = (struct lab_object){ .fileid = at.fileid,
                                       .there = true,
                                       .settled = true,
                                       .size = 5000,
                                       .mtime_ns = env_wall(&lab.v.env) };
        size_mark(lab.mds.sizes, at.fileid, lab.ds[1].server->id);
        assert_int_equal(return_with(at.atime, mtime), NFS4_OK);
        assert_int_equal(attrs(&other).size, 5000);
        assert_int_equal(attrs(&other).mtime, mtime);
}

static void only_its_holder_sets_them(void **state)
{
        static const struct stateid anonymous = { 0 };
        struct attr_set set = times(at.atime, at.mtime), both = set;

        (void)state;
        assert_int_equal(set_times(&anonymous, at.atime, at.mtime), NFS4ERR_BAD_STATEID);
        assert_int_equal(set_times(&held.stateid, at.atime, at.mtime), NFS4ERR_BAD_STATEID);
        assert_int_equal(user_setattr(&other, &f, &held.delegated, &set), NFS4ERR_BAD_STATEID);
        bitmap_set(&both.mask, FATTR4_MODE);
        assert_int_equal(user_setattr(&u, &f, &held.delegated, &both), NFS4ERR_INVAL);
        assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4_OK);
        assert_int_equal(set_times(&held.delegated, at.atime, at.mtime), NFS4ERR_BAD_STATEID);
}

static void they_cannot_be_asked_for(void **state)
{
        struct bitmap4 asked = { 0 };

        (void)state;
        bitmap_set(&asked, FATTR4_TIME_DELEG_MODIFY);
        user_begin(&u);
        user_putfh(&u, &f);
        put_bitmap(user_op(&u, OP_GETATTR), &asked);
        assert_int_equal(user_call(&u), NFS4ERR_INVAL);
}

/* --- while it is held */

static void its_holder_is_asked_for_them(void **state)
{
        struct user_attrs a;

        (void)state;
        a = attrs(&other);
        assert_int_equal(u.back.opnum, OP_CB_GETATTR);
        assert_true(u.back.asked_times);
        assert_int_equal(a.change, at.change); /* nothing is new */
        u.back.mtime = at.mtime + 10 * MS;
        u.back.atime = at.atime + 20 * MS;
        a = attrs(&other);
        assert_int_equal(a.mtime, at.mtime + 10 * MS);
        assert_int_equal(a.atime, at.atime + 20 * MS);
        assert_true(a.change > at.change);
        assert_int_equal(attrs(&other).change, a.change);
        u.back.mtime += 3600 * 1000 * MS;
        assert_true(attrs(&other).mtime <= (int64_t)env_wall(&lab.v.env));
}

/* What it writes reaches the data servers later than it happened. */
static void what_it_says_counts_more_than_the_data_servers(void **state)
{
        struct lab_object *object = lab_ds_object(&lab.ds[1], at.fileid);

        (void)state;
        u.back.mtime = at.mtime + 10 * MS;
        u.back.change++;
        *object = (struct lab_object){
                .fileid = at.fileid, .there = true, .size = 5000, .mtime_ns = env_wall(&lab.v.env)
        };
        size_mark(lab.mds.sizes, at.fileid, lab.ds[1].server->id);
        assert_int_equal(attrs(&other).mtime, at.mtime + 10 * MS);
        assert_int_equal(return_with(at.atime, at.mtime + 10 * MS), NFS4_OK);
        assert_int_equal(attrs(&other).mtime, at.mtime + 10 * MS);
}

static void it_is_reclaimed_with_them(void **state)
{
        struct user_open o =
                USER_OPEN(.access = BOTH, .claim = CLAIM_PREVIOUS, .had = OPEN_DELEGATE_WRITE_ATTRS_DELEG);

        (void)state;
        mds_lab_restart(&lab, true);
        assert_int_equal(user_connect(&u, &lab, "client", 1, 0, 0x1122334455667788), NFS4_OK);
        u.minor = 2;
        assert_int_equal(user_open(&u, &f, NULL, &o), NFS4_OK);
        assert_int_equal(o.delegation, OPEN_DELEGATE_WRITE_ATTRS_DELEG);
        held = o;
        assert_int_equal(return_with(5, 7), NFS4_OK);
        assert_int_equal(user_reclaim_complete(&u), NFS4_OK);
        assert_int_equal(attrs(&u).mtime, 7);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
        const struct CMUnitTest tests[] = {
                TEST(with_one_for_reading_there_are_none),
                TEST(they_are_set_when_it_is_returned),
                TEST(reading_moves_nothing_else),
                TEST(not_even_with_data_from_the_future),
                TEST(what_is_as_it_was_is_no_change),
                TEST(no_time_is_in_the_future),
                TEST(a_time_that_a_program_has_set_counts),
                TEST(data_that_are_on_their_way_do_not_undo_them),
                TEST(only_its_holder_sets_them),
                TEST(they_cannot_be_asked_for),
                TEST(its_holder_is_asked_for_them),
                TEST(what_it_says_counts_more_than_the_data_servers),
                TEST(it_is_reclaimed_with_them),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
