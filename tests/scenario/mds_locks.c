/* SPDX-License-Identifier: Apache-2.0 */
/* LOCK, LOCKT and LOCKU: ranges, owners, stateids, what ends a lock, and what a lock's stateid is good for.
 * RFC 8881 §9, §18.10 to §18.12, §18.38. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/state/client.h"
#include "mds/state/lock.h"
#include "mds/state/open.h"
#include "tests/lab/mds_user_locks.h"

static struct mds_lab lab;
static struct user u, other;
static struct user_fh root, file;
static struct user_open mine, theirs; /* "f", open for both */

static int setup(void **state)
{
        (void)state;
        mds_lab_start(&lab, NULL);
        user_start(&u, &lab, "client", 1, 0, 0);
        user_start(&other, &lab, "other", 2, 0, 0);
        root = user_root(&u);
        mine = USER_CREATE(.how = UNCHECKED4);
        theirs = USER_OPEN();
        assert_int_equal(user_open(&u, &root, "f", &mine), NFS4_OK);
        assert_int_equal(user_open(&other, &root, "f", &theirs), NFS4_OK);
        file = mine.fh;
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

static void assert_denied_by(const struct user_lock *l, const struct user *who, const char *owner,
                             uint32_t type, uint64_t offset, uint64_t length)
{
        assert_int_equal(l->denied_clientid, who->clientid);
        assert_string_equal(l->denied_owner, owner);
        assert_int_equal(l->denied_type, type);
        assert_int_equal(l->denied_offset, offset);
        assert_int_equal(l->denied_length, length);
}

static void who_is_in_the_way_is_told_in_full(void **state)
{
        struct user_lock a = USER_LOCK(.by = &mine.stateid, .offset = 10, .length = 5, .owner = "first"),
                         b = USER_LOCK(.by = &theirs.stateid, .offset = 14, .length = 1), c = b;

        (void)state;
        assert_int_equal(user_lock(&u, &file, &a), NFS4_OK);
        assert_int_equal(a.stateid.seqid, 1);
        assert_int_equal(user_lock(&other, &file, &b), NFS4ERR_DENIED);
        assert_denied_by(&b, &u, "first", WRITE_LT, 10, 5);
        b.type = READ_LT;
        assert_int_equal(user_lockt(&other, &file, &b), NFS4ERR_DENIED);
        assert_denied_by(&b, &u, "first", WRITE_LT, 10, 5);
        c.offset = 15;
        c.length = 0;
        assert_int_equal(user_lockt(&other, &file, &c), NFS4_OK);
        assert_int_equal(user_lock(&other, &file, &c), NFS4_OK);
        a = USER_LOCK(.by = &mine.stateid, .offset = 1000, .length = 1, .type = READ_LT);
        assert_int_equal(user_lock(&u, &file, &a), NFS4ERR_DENIED);
        assert_denied_by(&a, &other, "locker", WRITE_LT, 15, NFS4_UINT64_MAX);
        assert_int_equal(locks_count(lab.mds.locks), 2);
}

static void owners_are_of_their_client(void **state)
{
        struct user_lock a = USER_LOCK(.by = &mine.stateid), b = USER_LOCK(.by = &theirs.stateid), c = a;

        (void)state;
        assert_int_equal(user_lock(&u, &file, &a), NFS4_OK);
        assert_int_equal(user_lockt(&u, &file, &a), NFS4_OK);           /* its own is not in its way */
        assert_int_equal(user_lock(&other, &file, &b), NFS4ERR_DENIED); /* the same name */
        c.owner = "another";
        assert_int_equal(user_lock(&u, &file, &c), NFS4ERR_DENIED);
        assert_denied_by(&c, &u, "locker", WRITE_LT, 0, NFS4_UINT64_MAX);
        b.by = &a.stateid;
        b.known = true;
        assert_int_equal(user_lock(&other, &file, &b), NFS4ERR_BAD_STATEID);
        assert_int_equal(user_locku(&other, &file, &b), NFS4ERR_BAD_STATEID);
}

static void readers_share_and_an_upgrade_waits_for_the_last(void **state)
{
        struct user_lock a = USER_LOCK(.by = &mine.stateid, .type = READ_LT, .length = 100),
                         b = USER_LOCK(.by = &theirs.stateid, .type = READ_LT, .length = 100), up = a;

        (void)state;
        assert_int_equal(user_lock(&u, &file, &a), NFS4_OK);
        assert_int_equal(user_lock(&other, &file, &b), NFS4_OK);
        up = USER_LOCK(.by = &a.stateid, .known = true, .offset = 40, .length = 20);
        assert_int_equal(user_lock(&u, &file, &up), NFS4ERR_DENIED);
        b.by = &b.stateid;
        assert_int_equal(user_locku(&other, &file, &b), NFS4_OK);
        assert_int_equal(b.stateid.seqid, 2);
        assert_int_equal(user_lock(&u, &file, &up), NFS4_OK);
        assert_int_equal(up.stateid.seqid, 2);
        assert_int_equal(locks_count(lab.mds.locks), 3);
        up.by = &up.stateid;
        up.type = READ_LT;
        assert_int_equal(user_lock(&u, &file, &up), NFS4_OK); /* and down again */
        assert_int_equal(up.stateid.seqid, 3);
        assert_int_equal(locks_count(lab.mds.locks), 1);
}

static void ranges_that_are_none(void **state)
{
        static const struct {
                uint64_t offset, length;
                enum nfsstat4 status;
        } cases[] = {
                { 0, 0, NFS4ERR_INVAL },
                { UINT64_MAX, 0, NFS4ERR_INVAL },
                { UINT64_MAX, 1, NFS4ERR_INVAL },
                { UINT64_MAX - 1, 2, NFS4ERR_INVAL },
                { 2, UINT64_MAX - 1, NFS4ERR_INVAL },
                { UINT64_MAX - 1, 1, NFS4_OK },
                { 1, UINT64_MAX - 1, NFS4_OK },
                { UINT64_MAX, UINT64_MAX, NFS4_OK },
                { 0, UINT64_MAX, NFS4_OK },
        };
        struct user_lock first = USER_LOCK(.by = &mine.stateid, .length = 1);

        (void)state;
        assert_int_equal(user_lock(&u, &file, &first), NFS4_OK);
        for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct user_lock l = USER_LOCK(.offset = cases[i].offset, .length = cases[i].length);

                first.stateid.seqid = 0;
                l.no_length = true;
                l.by = &first.stateid;
                l.known = true;
                assert_int_equal(user_lockt(&u, &file, &l), cases[i].status);
                assert_int_equal(user_lock(&u, &file, &l), cases[i].status);
                assert_int_equal(user_locku(&u, &file, &l), cases[i].status);
        }
}

static void only_files_are_locked(void **state)
{
        struct user_lock l = USER_LOCK(.by = &mine.stateid);
        struct user_fh link, another;

        (void)state;
        assert_int_equal(user_symlink(&u, &root, "l", "f"), NFS4_OK);
        assert_int_equal(user_lookup(&u, &root, "l", &link), NFS4_OK);
        assert_int_equal(user_touch(&u, &root, "g", 0644, &another), NFS4_OK);
        assert_int_equal(user_lock(&u, &root, &l), NFS4ERR_ISDIR);
        assert_int_equal(user_lockt(&u, &root, &l), NFS4ERR_ISDIR);
        assert_int_equal(user_lock(&u, &link, &l), NFS4ERR_SYMLINK);
        assert_int_equal(user_lockt(&u, &link, &l), NFS4ERR_SYMLINK);
        assert_int_equal(user_lock(&u, &another, &l), NFS4ERR_BAD_STATEID);
        l.type = WRITEW_LT + 1;
        assert_int_equal(user_lock(&u, &file, &l), NFS4ERR_BADXDR);
}

static void the_open_must_allow_it(void **state)
{
        struct user_open r = USER_OPEN(.access = OPEN4_SHARE_ACCESS_READ, .owner = "r"),
                         w = USER_OPEN(.access = OPEN4_SHARE_ACCESS_WRITE, .owner = "w");
        struct user_lock l = USER_LOCK(.by = &r.stateid), up;

        (void)state;
        assert_int_equal(user_open(&u, &root, "f", &r), NFS4_OK);
        assert_int_equal(user_open(&u, &root, "f", &w), NFS4_OK);
        assert_int_equal(user_lock(&u, &file, &l), NFS4ERR_OPENMODE);
        l.type = READ_LT;
        assert_int_equal(user_lock(&u, &file, &l), NFS4_OK);
        up = USER_LOCK(.by = &l.stateid, .known = true, .type = WRITEW_LT);
        assert_int_equal(user_lock(&u, &file, &up), NFS4ERR_OPENMODE);
        assert_int_equal(user_close(&u, &file, &r.stateid), NFS4_OK);
        l = USER_LOCK(.by = &w.stateid, .type = READW_LT);
        assert_int_equal(user_lock(&u, &file, &l), NFS4ERR_OPENMODE);
        l.type = WRITE_LT;
        assert_int_equal(user_lock(&u, &file, &l), NFS4_OK);
}

static void stateids(void **state)
{
        struct user_lock a = USER_LOCK(.by = &mine.stateid, .length = 10), b = a;
        struct stateid first;

        (void)state;
        assert_int_equal(user_lock(&u, &file, &a), NFS4_OK);
        first = a.stateid;
        b.offset = 20;
        assert_int_equal(user_lock(&u, &file, &b), NFS4_OK); /* it did not have the stateid yet */
        assert_memory_equal(a.stateid.other, b.stateid.other, NFS4_OTHER_SIZE);
        assert_int_equal(b.stateid.seqid, 2);
        a = USER_LOCK(.by = &first, .known = true, .length = 10);
        assert_int_equal(user_lock(&u, &file, &a), NFS4ERR_OLD_STATEID);
        assert_int_equal(user_locku(&u, &file, &a), NFS4ERR_OLD_STATEID);
        first.seqid = 3;
        assert_int_equal(user_locku(&u, &file, &a), NFS4ERR_BAD_STATEID);
        first.seqid = 0;
        assert_int_equal(user_locku(&u, &file, &a), NFS4_OK);
        assert_int_equal(a.stateid.seqid, 3);
        a.by = &mine.stateid;
        assert_int_equal(user_lock(&u, &file, &a), NFS4ERR_BAD_STATEID); /* an open's is not a lock's */
        assert_int_equal(user_locku(&u, &file, &a), NFS4ERR_BAD_STATEID);
        b.known = false;
        b.by = &first;
        assert_int_equal(user_lock(&u, &file, &b), NFS4ERR_BAD_STATEID); /* nor the other way round */
        assert_int_equal(user_test_stateid(&u, &first), NFS4_OK);
        assert_int_equal(user_test_stateid(&other, &first), NFS4ERR_BAD_STATEID);
}

static void a_stateid_outlives_its_ranges_until_it_is_freed(void **state)
{
        struct user_lock l = USER_LOCK(.by = &mine.stateid);
        struct stateid s;

        (void)state;
        assert_int_equal(user_lock(&u, &file, &l), NFS4_OK);
        s = l.stateid;
        assert_int_equal(user_free_stateid(&u, &s), NFS4ERR_LOCKS_HELD);
        assert_int_equal(user_free_stateid(&u, &mine.stateid), NFS4ERR_LOCKS_HELD);
        l.by = &s;
        assert_int_equal(user_locku(&u, &file, &l), NFS4_OK);
        s = l.stateid;
        assert_int_equal(locks_count(lab.mds.locks), 0);
        assert_int_equal(user_test_stateid(&u, &s), NFS4_OK);
        assert_int_equal(user_read(&u, &file, &s), NFS4_OK);
        assert_int_equal(user_free_stateid(&u, &s), NFS4_OK);
        assert_int_equal(user_free_stateid(&u, &s), NFS4ERR_BAD_STATEID);
        assert_int_equal(user_test_stateid(&u, &s), NFS4ERR_BAD_STATEID);
}

static void a_close_unlocks(void **state)
{
        struct user_lock a = USER_LOCK(.by = &mine.stateid), b = USER_LOCK(.by = &theirs.stateid);

        (void)state;
        assert_int_equal(user_lock(&u, &file, &a), NFS4_OK);
        assert_int_equal(user_lock(&other, &file, &b), NFS4ERR_DENIED);
        assert_int_equal(user_close(&u, &file, &mine.stateid), NFS4_OK);
        assert_int_equal(user_test_stateid(&u, &a.stateid), NFS4ERR_BAD_STATEID);
        assert_int_equal(user_lock(&other, &file, &b), NFS4_OK);
}

/* Two opens of one lock-owner: its locks are one set, which is there as long as one of the opens has some. */
static void an_owner_with_two_opens(void **state)
{
        struct user_open second = USER_OPEN(.owner = "second");
        struct user_lock a = USER_LOCK(.by = &mine.stateid, .length = 10),
                         b = USER_LOCK(.by = &second.stateid, .offset = 5, .length = 10),
                         c = USER_LOCK(.by = &theirs.stateid, .length = 1);

        (void)state;
        assert_int_equal(user_open(&u, &root, "f", &second), NFS4_OK);
        assert_int_equal(user_lock(&u, &file, &a), NFS4_OK);
        assert_int_equal(user_lock(&u, &file, &b), NFS4_OK);
        assert_memory_not_equal(a.stateid.other, b.stateid.other, NFS4_OTHER_SIZE);
        assert_int_equal(locks_count(lab.mds.locks), 1);
        assert_int_equal(user_close(&u, &file, &mine.stateid), NFS4_OK);
        assert_int_equal(user_lock(&other, &file, &c), NFS4ERR_DENIED);
        assert_denied_by(&c, &u, "locker", WRITE_LT, 0, 15);
        assert_int_equal(user_close(&u, &file, &second.stateid), NFS4_OK);
        assert_int_equal(user_lock(&other, &file, &c), NFS4_OK);
}

/* §8.4.3: a lock whose client's lease has run out is there until somebody else wants it. */
static void who_does_not_renew_loses_its_locks_to_others(void **state)
{
        struct user_lock a = USER_LOCK(.by = &mine.stateid), b = USER_LOCK(.by = &theirs.stateid), again = a;

        (void)state;
        assert_int_equal(user_lock(&u, &file, &a), NFS4_OK);
        for (int seconds = 0; seconds < LAB_LEASE_SECONDS - 5; seconds += 5) {
                mds_lab_run_ms(&lab, 5000);
                assert_int_equal(user_lock(&other, &file, &b), NFS4ERR_DENIED);
        }
        mds_lab_run_ms(&lab, 10000);
        assert_int_equal(user_lockt(&u, &file, &a), NFS4_OK); /* it is back in time */
        assert_int_equal(user_lock(&other, &file, &b), NFS4ERR_DENIED);
        for (int seconds = 0; seconds < LAB_LEASE_SECONDS; seconds += 5) {
                mds_lab_run_ms(&lab, 5000);
                assert_int_equal(user_renew(&other), NFS4_OK);
        }
        assert_int_equal(locks_count(lab.mds.locks), 1);
        assert_int_equal(user_lock(&other, &file, &b), NFS4_OK);
        assert_int_equal(user_test_stateid(&u, &a.stateid), NFS4ERR_EXPIRED);
        again.by = &a.stateid;
        again.known = true;
        assert_int_equal(user_lock(&u, &file, &again), NFS4ERR_EXPIRED);
        assert_int_equal(user_locku(&u, &file, &again), NFS4ERR_EXPIRED);
        assert_int_equal(user_read(&u, &file, &a.stateid), NFS4ERR_EXPIRED);
        assert_true(u.status_flags & SEQ4_STATUS_EXPIRED_SOME_STATE_REVOKED);
        assert_int_equal(user_free_stateid(&u, &a.stateid), NFS4_OK);
        assert_int_equal(user_free_stateid(&u, &mine.stateid), NFS4_OK);
        assert_int_equal(user_renew(&u), NFS4_OK);
        assert_int_equal(u.status_flags, 0);
}

/* §9.1.2, §18.43: what a lock's stateid is good for is what its open is good for. */
static void io_and_layouts_by_a_lock(void **state)
{
        struct user_open r = USER_OPEN(.access = OPEN4_SHARE_ACCESS_READ, .owner = "r");
        struct user_lock rw = USER_LOCK(.by = &mine.stateid, .length = 1),
                         ro = USER_LOCK(.by = &r.stateid, .type = READ_LT, .offset = 1, .owner = "r");
        struct attr_set set = { .size = 5 };
        struct user_fh another;
        struct stateid layout;

        (void)state;
        bitmap_set(&set.mask, FATTR4_SIZE);
        assert_int_equal(user_open(&u, &root, "f", &r), NFS4_OK);
        assert_int_equal(user_lock(&u, &file, &rw), NFS4_OK);
        assert_int_equal(user_lock(&u, &file, &ro), NFS4_OK);
        assert_int_equal(user_read(&u, &file, &rw.stateid), NFS4_OK);
        assert_int_equal(user_write(&u, &file, &rw.stateid), NFS4_OK);
        assert_int_equal(user_setattr(&u, &file, &rw.stateid, &set), NFS4_OK);
        assert_int_equal(user_read(&u, &file, &ro.stateid), NFS4_OK);
        assert_int_equal(user_write(&u, &file, &ro.stateid), NFS4ERR_OPENMODE);
        assert_int_equal(user_setattr(&u, &file, &ro.stateid, &set), NFS4ERR_OPENMODE);
        assert_int_equal(user_layoutget(&u, &file, &ro.stateid, &layout), NFS4ERR_OPENMODE);
        assert_int_equal(user_layoutget(&u, &file, &rw.stateid, &layout), NFS4_OK);
        assert_int_equal(user_touch(&u, &root, "g", 0644, &another), NFS4_OK);
        assert_int_equal(user_read(&u, &another, &rw.stateid), NFS4ERR_BAD_STATEID);
        assert_int_equal(user_layoutget(&u, &another, &rw.stateid, &layout), NFS4ERR_BAD_STATEID);
        assert_int_equal(user_read(&other, &file, &rw.stateid), NFS4ERR_BAD_STATEID);
}

/* §16.2.3.1.2: LOCK, WRITE, LOCKU and CLOSE in one compound, each with the current stateid. */
static void the_current_stateid(void **state)
{
        static const struct stateid current = { .seqid = 1 };

        (void)state;
        user_begin(&u);
        user_putfh(&u, &file);
        xdr_put_u32(user_op(&u, OP_LOCK), WRITE_LT);
        xdr_put_bool(u.x, false);
        xdr_put_u64(u.x, 0);
        xdr_put_u64(u.x, NFS4_UINT64_MAX);
        xdr_put_bool(u.x, true);
        xdr_put_u32(u.x, 0);
        put_stateid(u.x, &mine.stateid);
        xdr_put_u32(u.x, 0);
        xdr_put_u64(u.x, 0);
        xdr_put_string(u.x, "locker");
        put_stateid(user_op(&u, OP_WRITE), &current);
        xdr_put_u64(u.x, 0);
        xdr_put_u32(u.x, FILE_SYNC4);
        xdr_put_string(u.x, "");
        xdr_put_u32(user_op(&u, OP_LOCKU), WRITE_LT);
        xdr_put_u32(u.x, 0);
        put_stateid(u.x, &current);
        xdr_put_u64(u.x, 0);
        xdr_put_u64(u.x, NFS4_UINT64_MAX);
        put_stateid(user_op(&u, OP_FREE_STATEID), &current);
        assert_int_equal(user_call(&u), NFS4_OK);
        assert_int_equal(locks_count(lab.mds.locks), 0);
}

static void after_a_restart_locks_are_reclaimed(void **state)
{
        struct user_lock a = USER_LOCK(.by = &mine.stateid, .length = 10), b = a;
        struct user_open again = USER_OPEN(.claim = CLAIM_PREVIOUS);

        (void)state;
        assert_int_equal(user_lock(&u, &file, &a), NFS4_OK);
        a.reclaim = true;
        a.owner = "another";
        assert_int_equal(user_lock(&u, &file, &a), NFS4ERR_NO_GRACE);
        mds_lab_restart(&lab, true);
        assert_int_equal(user_connect(&other, &lab, "other", 2, 0, 0x1122334455667788), NFS4_OK);
        assert_int_equal(user_connect(&u, &lab, "client", 1, 0, 0x1122334455667788), NFS4_OK);
        assert_int_equal(user_test_stateid(&u, &a.stateid), NFS4ERR_BAD_STATEID);
        assert_int_equal(user_open(&u, &file, NULL, &again), NFS4_OK);
        b.by = &again.stateid;
        assert_int_equal(user_lockt(&u, &file, &b), NFS4ERR_GRACE);
        assert_int_equal(user_lock(&u, &file, &b), NFS4ERR_GRACE);
        b.reclaim = true;
        assert_int_equal(user_lock(&u, &file, &b), NFS4_OK);
        assert_int_equal(b.stateid.seqid, 1);
        again = USER_OPEN(.claim = CLAIM_PREVIOUS);
        assert_int_equal(user_open(&other, &file, NULL, &again), NFS4_OK);
        a = USER_LOCK(.by = &again.stateid, .reclaim = true, .offset = 9, .length = 1);
        assert_int_equal(user_lock(&other, &file, &a), NFS4ERR_RECLAIM_CONFLICT);
        assert_int_equal(user_reclaim_complete(&u), NFS4_OK);
        assert_int_equal(user_reclaim_complete(&other), NFS4_OK);
        a.reclaim = false;
        assert_int_equal(user_lock(&other, &file, &a), NFS4ERR_DENIED);
        assert_denied_by(&a, &u, "locker", WRITE_LT, 0, 10);
}

static void a_client_has_only_so_many(void **state)
{
        enum { MANY = 40000 };
        struct user_lock l = USER_LOCK(.by = &mine.stateid, .length = 1), whole;
        enum nfsstat4 status = NFS4_OK;
        const struct mds_client *m = NULL;
        struct stateid s;
        uint64_t taken = 0;

        (void)state;
        assert_int_equal(user_lock(&u, &file, &l), NFS4_OK);
        s = l.stateid;
        s.seqid = 0; /* the newest */
        l = USER_LOCK(.by = &s, .known = true, .length = 1);
        LIST_FOR_EACH(node, &lab.mds.nfs.clients.lru)
                if (CONTAINER(node, struct client, in_lru)->clientid == u.clientid)
                        m = CONTAINER(node, struct client, in_lru)->role;
        assert_int_equal(m->locks, 2); /* a range and a state */
        for (uint64_t i = 1; i < MANY && status == NFS4_OK; i++) {
                l.offset = 2 * i;
                status = user_lock(&u, &file, &l);
                taken += status == NFS4_OK;
        }
        assert_int_equal(status, NFS4ERR_DELAY);
        assert_in_range(taken, 30000, 33000);
        l.offset = MANY * 4;
        assert_int_equal(user_lock(&other, &file,
                                   &USER_LOCK(.by = &theirs.stateid, .offset = 1, .length = 1)),
                         NFS4_OK); /* he has his own */
        whole = USER_LOCK(.by = &s);
        assert_int_equal(user_locku(&u, &file, &whole), NFS4_OK);
        assert_int_equal(m->locks, 1);
        assert_int_equal(user_lock(&u, &file, &l), NFS4_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(who_is_in_the_way_is_told_in_full),
                TEST(owners_are_of_their_client),
                TEST(readers_share_and_an_upgrade_waits_for_the_last),
                TEST(ranges_that_are_none),
                TEST(only_files_are_locked),
                TEST(the_open_must_allow_it),
                TEST(stateids),
                TEST(a_stateid_outlives_its_ranges_until_it_is_freed),
                TEST(a_close_unlocks),
                TEST(an_owner_with_two_opens),
                TEST(who_does_not_renew_loses_its_locks_to_others),
                TEST(io_and_layouts_by_a_lock),
                TEST(the_current_stateid),
                TEST(after_a_restart_locks_are_reclaimed),
                TEST(a_client_has_only_so_many),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
