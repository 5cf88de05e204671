/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what: POSIX permission bits, set-id bits, the sticky bit, chmod, chown, utimes. RFC 8881 §18.30,
 * §18.1, §6.2.4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nfs4/codec.h"
#include "tests/lab/mds_lab.h"

static struct mds_lab lab;
static struct user su, alice, bob; /* 0:0, 100:100 with group 300, 200:200 */
static struct user_fh root;

static int setup(void **state)
{
        (void)state;
        mds_lab_start(&lab, NULL);
        user_start(&su, &lab, "root", 1, 0, 0);
        user_start(&alice, &lab, "alice", 2, 100, 100);
        user_start(&bob, &lab, "bob", 3, 200, 200);
        alice.cred.gid_count = 1;
        alice.cred.gids[0] = 300;
        root = user_root(&su);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

static struct user_attrs attrs(const struct user_fh *fh)
{
        struct user_attrs a;

        assert_int_equal(user_getattr(&su, fh, &a), NFS4_OK);
        return a;
}

static enum nfsstat4 chmod_as(struct user *u, const struct user_fh *fh, uint32_t mode)
{
        struct attr_set set = { .mode = mode };

        bitmap_set(&set.mask, FATTR4_MODE);
        return user_setattr(u, fh, NULL, &set);
}

static enum nfsstat4 chown_as(struct user *u, const struct user_fh *fh, int uid, int gid)
{
        struct attr_set set = { .uid = (uint32_t)uid, .gid = (uint32_t)gid };

        if (uid >= 0)
                bitmap_set(&set.mask, FATTR4_OWNER);
        if (gid >= 0)
                bitmap_set(&set.mask, FATTR4_OWNER_GROUP);
        return user_setattr(u, fh, NULL, &set);
}

static enum nfsstat4 utimes_as(struct user *u, const struct user_fh *fh, bool now, int64_t time)
{
        struct attr_set set = {
                .atime_now = now, .mtime_now = now, .time_access = time, .time_modify = time
        };

        bitmap_set(&set.mask, FATTR4_TIME_ACCESS_SET);
        bitmap_set(&set.mask, FATTR4_TIME_MODIFY_SET);
        return user_setattr(u, fh, NULL, &set);
}

static enum nfsstat4 truncate_as(struct user *u, const struct user_fh *fh, const struct stateid *s,
                                 uint64_t size)
{
        struct attr_set set = { .size = size };

        bitmap_set(&set.mask, FATTR4_SIZE);
        return user_setattr(u, fh, s, &set);
}

/* A file of alice's in a directory of everybody's. */
static struct user_fh alices(uint32_t mode)
{
        struct user_fh dir, file;

        assert_int_equal(user_mkdir(&su, &root, "all", 0777, &dir), NFS4_OK);
        assert_int_equal(user_touch(&alice, &dir, "file", mode, &file), NFS4_OK);
        return file;
}

static void owner_group_and_others(void **state)
{
        struct user_fh file = alices(0640);
        struct user carol;

        (void)state;
        assert_int_equal(attrs(&file).uid, 100);
        assert_int_equal(attrs(&file).gid, 100);
        user_start(&carol, &lab, "carol", 4, 400, 100); /* in alice's group */
        assert_int_equal(user_access(&alice, &file), ACCESS4_READ | ACCESS4_MODIFY | ACCESS4_EXTEND);
        assert_int_equal(user_access(&carol, &file), ACCESS4_READ);
        assert_int_equal(user_access(&bob, &file), 0);
        assert_int_equal(user_access(&su, &file), ACCESS4_READ | ACCESS4_MODIFY | ACCESS4_EXTEND);
        assert_int_equal(user_open(&bob, &file, NULL, &USER_OPEN(.claim = CLAIM_FH, .access = 1)),
                         NFS4ERR_ACCESS);
        assert_int_equal(user_open(&carol, &file, NULL, &USER_OPEN(.claim = CLAIM_FH, .access = 1)), NFS4_OK);
        assert_int_equal(user_open(&carol, &file, NULL, &USER_OPEN(.claim = CLAIM_FH, .access = 2)),
                         NFS4ERR_ACCESS);
        assert_int_equal(chmod_as(&alice, &file, 0711), NFS4_OK);
        assert_int_equal(user_access(&bob, &file), ACCESS4_EXECUTE);
        assert_int_equal(user_access(&su, &file),
                         ACCESS4_READ | ACCESS4_MODIFY | ACCESS4_EXTEND | ACCESS4_EXECUTE);
        /* Who may execute may have it read for that. */
        assert_int_equal(user_open(&bob, &file, NULL, &USER_OPEN(.claim = CLAIM_FH, .access = 1)), NFS4_OK);
}

static void directories_are_searched_read_and_written(void **state)
{
        struct user_fh dir, sub;

        (void)state;
        assert_int_equal(user_mkdir(&su, &root, "d", 0755, &dir), NFS4_OK);
        assert_int_equal(user_mkdir(&su, &dir, "sub", 0755, &sub), NFS4_OK);
        assert_int_equal(user_access(&bob, &dir), ACCESS4_READ | ACCESS4_LOOKUP);
        assert_int_equal(user_mkdir(&bob, &dir, "x", 0755, NULL), NFS4ERR_ACCESS);
        assert_int_equal(user_mkdir(&bob, &dir, "sub", 0755, NULL), NFS4ERR_EXIST);
        assert_int_equal(user_remove(&bob, &dir, "sub"), NFS4ERR_ACCESS);
        assert_int_equal(user_touch(&bob, &dir, "f", 0644, NULL), NFS4ERR_ACCESS);
        assert_int_equal(chmod_as(&su, &dir, 0744), NFS4_OK);
        assert_int_equal(user_lookup(&bob, &dir, "sub", NULL), NFS4ERR_ACCESS);
        assert_int_equal(user_rename(&bob, &root, "d", &root, "e"), NFS4ERR_ACCESS);
}

static void chmod_is_the_owner_s(void **state)
{
        struct user_fh file = alices(0644);

        (void)state;
        assert_int_equal(chmod_as(&bob, &file, 0777), NFS4ERR_PERM);
        assert_int_equal(chmod_as(&alice, &file, 0600), NFS4_OK);
        assert_int_equal(attrs(&file).mode, 0600);
        assert_int_equal(chmod_as(&su, &file, 04755), NFS4_OK);
        assert_int_equal(attrs(&file).mode, 04755);
}

static void set_gid_needs_the_group(void **state)
{
        struct user_fh file = alices(0644);

        (void)state;
        assert_int_equal(chmod_as(&alice, &file, 02755), NFS4_OK);
        assert_int_equal(attrs(&file).mode, 02755);
        assert_int_equal(chown_as(&su, &file, -1, 999), NFS4_OK);
        assert_int_equal(attrs(&file).mode, 0755); /* chown takes it away, from root too */
        assert_int_equal(chmod_as(&alice, &file, 06755), NFS4_OK);
        assert_int_equal(attrs(&file).mode, 04755);
}

static void chown_is_root_s_chgrp_the_owner_s(void **state)
{
        struct user_fh file = alices(0644);

        (void)state;
        assert_int_equal(chown_as(&alice, &file, 200, -1), NFS4ERR_PERM);
        assert_int_equal(chown_as(&bob, &file, 200, -1), NFS4ERR_PERM);
        assert_int_equal(chown_as(&alice, &file, 100, 300), NFS4_OK); /* a group of hers */
        assert_int_equal(attrs(&file).gid, 300);
        assert_int_equal(chown_as(&alice, &file, -1, 200), NFS4ERR_PERM);
        assert_int_equal(chown_as(&su, &file, 200, 200), NFS4_OK);
        assert_int_equal(attrs(&file).uid, 200);
        assert_int_equal(chmod_as(&alice, &file, 0777), NFS4ERR_PERM);
        assert_int_equal(chmod_as(&bob, &file, 06777), NFS4_OK);
        assert_int_equal(chown_as(&bob, &file, -1, 200), NFS4_OK);
        assert_int_equal(attrs(&file).mode, 0777);
}

static void times_are_the_owner_s_now_is_a_writer_s(void **state)
{
        struct user_fh file = alices(0646);

        (void)state;
        assert_int_equal(utimes_as(&alice, &file, false, 5), NFS4_OK);
        assert_int_equal(attrs(&file).mtime, 5);
        assert_int_equal(attrs(&file).atime, 5);
        assert_true(attrs(&file).ctime > 5);
        assert_int_equal(utimes_as(&bob, &file, false, 6), NFS4ERR_PERM);
        assert_int_equal(utimes_as(&bob, &file, true, 0), NFS4_OK);
        assert_true(attrs(&file).mtime > 1000000000);
        assert_int_equal(chmod_as(&alice, &file, 0644), NFS4_OK);
        assert_int_equal(utimes_as(&bob, &file, true, 0), NFS4ERR_ACCESS);
}

static void sticky_directories_keep_what_is_others(void **state)
{
        struct user_fh dir;

        (void)state;
        assert_int_equal(user_mkdir(&su, &root, "tmp", 01777, &dir), NFS4_OK);
        assert_int_equal(user_touch(&alice, &dir, "a", 0666, NULL), NFS4_OK);
        assert_int_equal(user_touch(&bob, &dir, "b", 0666, NULL), NFS4_OK);
        assert_int_equal(user_remove(&bob, &dir, "a"), NFS4ERR_ACCESS);
        assert_int_equal(user_rename(&bob, &dir, "a", &dir, "c"), NFS4ERR_ACCESS);
        assert_int_equal(user_rename(&bob, &dir, "b", &dir, "a"), NFS4ERR_ACCESS); /* over hers */
        assert_int_equal(user_rename(&bob, &dir, "b", &dir, "c"), NFS4_OK);
        assert_int_equal(user_remove(&su, &dir, "a"), NFS4_OK);
        assert_int_equal(user_remove(&bob, &dir, "c"), NFS4_OK);
}

static void set_gid_directories_give_their_group(void **state)
{
        struct user_fh dir, sub, file;

        (void)state;
        assert_int_equal(user_mkdir(&su, &root, "d", 0777, &dir), NFS4_OK);
        assert_int_equal(chown_as(&su, &dir, -1, 777), NFS4_OK);
        assert_int_equal(chmod_as(&su, &dir, 02777), NFS4_OK);
        assert_int_equal(user_mkdir(&alice, &dir, "sub", 0755, &sub), NFS4_OK);
        assert_int_equal(user_touch(&alice, &dir, "file", 02755, &file), NFS4_OK);
        assert_int_equal(attrs(&sub).gid, 777);
        assert_int_equal(attrs(&sub).mode, 02755);
        assert_int_equal(attrs(&file).gid, 777);
        assert_int_equal(attrs(&file).mode, 0755); /* a group that is not hers */
}

static void truncate_asks_the_mode_ftruncate_the_open(void **state)
{
        struct user_fh file = alices(0644);
        struct user_open o = USER_OPEN(.claim = CLAIM_FH),
                         r = USER_OPEN(.claim = CLAIM_FH, .access = 1, .owner = "reader");

        (void)state;
        assert_int_equal(truncate_as(&bob, &file, NULL, 10), NFS4ERR_ACCESS);
        assert_int_equal(truncate_as(&alice, &file, NULL, 10), NFS4_OK);
        assert_int_equal(attrs(&file).size, 10);
        assert_int_equal(user_open(&alice, &file, NULL, &o), NFS4_OK);
        assert_int_equal(user_open(&alice, &file, NULL, &r), NFS4_OK);
        assert_int_equal(chmod_as(&alice, &file, 0444), NFS4_OK);
        assert_int_equal(truncate_as(&alice, &file, NULL, 20), NFS4ERR_ACCESS);
        assert_int_equal(truncate_as(&alice, &file, &r.stateid, 20), NFS4ERR_OPENMODE);
        assert_int_equal(truncate_as(&alice, &file, &o.stateid, 20), NFS4_OK);
        assert_int_equal(attrs(&file).size, 20);
        assert_int_equal(truncate_as(&su, &root, NULL, 20), NFS4ERR_ISDIR);
        assert_int_equal(truncate_as(&su, &file, NULL, UINT64_MAX), NFS4ERR_FBIG);
}

static void truncate_takes_set_id_bits(void **state)
{
        struct user_fh file = alices(0644);

        (void)state;
        assert_int_equal(chmod_as(&su, &file, 06777), NFS4_OK);
        assert_int_equal(truncate_as(&su, &file, NULL, 1), NFS4_OK);
        assert_int_equal(attrs(&file).mode, 06777);
        assert_int_equal(truncate_as(&bob, &file, NULL, 2), NFS4_OK);
        assert_int_equal(attrs(&file).mode, 0777);
}

static void truncate_meets_a_deny(void **state)
{
        struct user_fh file = alices(0666);
        struct user_open o = USER_OPEN(.claim = CLAIM_FH, .access = 1, .deny = OPEN4_SHARE_DENY_WRITE);

        (void)state;
        assert_int_equal(user_open(&alice, &file, NULL, &o), NFS4_OK);
        assert_int_equal(truncate_as(&bob, &file, NULL, 1), NFS4ERR_LOCKED);
        assert_int_equal(user_close(&alice, &file, &o.stateid), NFS4_OK);
        assert_int_equal(truncate_as(&bob, &file, NULL, 1), NFS4_OK);
}

static void devices_are_root_s(void **state)
{
        struct user_fh dir;

        (void)state;
        assert_int_equal(user_mkdir(&su, &root, "d", 0777, &dir), NFS4_OK);
        for (int i = 0; i < 2; i++) {
                struct user *u = i == 0 ? &bob : &su;

                user_begin(u);
                user_putfh(u, &dir);
                xdr_put_u32(user_op(u, OP_CREATE), NF4CHR);
                xdr_put_u64(u->x, 1ull << 32 | 3);
                xdr_put_string(u->x, "null");
                user_put_attrs(u->x, &(struct attr_set){ 0 });
                assert_int_equal(user_call(u), i == 0 ? NFS4ERR_PERM : NFS4_OK);
        }
}

static void a_directory_that_moves_must_be_writable(void **state)
{
        struct user_fh from, to, dir;

        (void)state;
        assert_int_equal(user_mkdir(&su, &root, "from", 0777, &from), NFS4_OK);
        assert_int_equal(user_mkdir(&su, &root, "to", 0777, &to), NFS4_OK);
        assert_int_equal(user_mkdir(&alice, &from, "dir", 0755, &dir), NFS4_OK);
        assert_int_equal(user_rename(&bob, &from, "dir", &from, "same-parent"), NFS4_OK);
        assert_int_equal(user_rename(&bob, &from, "same-parent", &to, "dir"), NFS4ERR_ACCESS);
        assert_int_equal(user_rename(&alice, &from, "same-parent", &to, "dir"), NFS4_OK);
}

static void a_failed_setattr_sets_nothing(void **state)
{
        struct user_fh file = alices(0666);
        struct attr_set set = { .size = 100, .mode = 0777 };
        struct user_attrs before = attrs(&file), after;

        (void)state;
        bitmap_set(&set.mask, FATTR4_SIZE);
        bitmap_set(&set.mask, FATTR4_MODE);
        assert_int_equal(user_setattr(&bob, &file, NULL, &set), NFS4ERR_PERM);
        user_result(&bob, OP_PUTFH);
        user_result(&bob, OP_SETATTR);
        assert_int_equal(xdr_get_u32(&bob.in), 0); /* attrsset: nothing */
        after = attrs(&file);
        assert_int_equal(before.change, after.change);
        assert_int_equal(before.mode, after.mode);
        assert_int_equal(before.size, after.size);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(owner_group_and_others),
                TEST(directories_are_searched_read_and_written),
                TEST(chmod_is_the_owner_s),
                TEST(set_gid_needs_the_group),
                TEST(chown_is_root_s_chgrp_the_owner_s),
                TEST(times_are_the_owner_s_now_is_a_writer_s),
                TEST(sticky_directories_keep_what_is_others),
                TEST(set_gid_directories_give_their_group),
                TEST(truncate_asks_the_mode_ftruncate_the_open),
                TEST(truncate_takes_set_id_bits),
                TEST(truncate_meets_a_deny),
                TEST(devices_are_root_s),
                TEST(a_directory_that_moves_must_be_writable),
                TEST(a_failed_setattr_sets_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
