/* SPDX-License-Identifier: Apache-2.0 */
/* A data server that is too full gets room: what S3 has leaves it, the coldest first, and no more than is
 * needed. What is changed, pinned or in use stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/tier/evict.h"
#include "nfs4/codec.h"
#include "tests/lab/mds_user_xattrs.h"
#include "tests/lab/repo_lab.h"

enum { FILES = 8, BYTES = 40000, TOTAL = 1000000 };
#define DAY INT64_C(86400000000000)

static struct mds_lab lab;
static struct s3_model s3;
static struct user su;
static struct user_fh root;
static struct user_fh files[FILES];
static uint64_t fileids[FILES];
static char keys[FILES][16];

static const struct inode *inode(int file)
{
        const struct inode *i;

        assert_int_equal(meta_inode(lab.mds.meta, fileids[file], &i), 0);
        return i;
}

static bool is_cold(int file)
{
        return inode(file)->flags & INODE_COLD;
}

/* File I was opened I days ago. */
static void set_opened(int i)
{
        struct txn *t = txn_begin(lab.mds.meta);
        uint64_t seq;

        txn_edit(t, fileids[i])->atime = (int64_t)env_wall(lab.mds.env) - i * DAY;
        assert_int_equal(txn_commit(t, &seq), 0);
}

static void make_file(int i)
{
        struct user_attrs attrs;

        snprintf(keys[i], sizeof(keys[i]), "f%d", i);
        assert_int_equal(user_touch(&su, &root, keys[i], 0644, &files[i]), NFS4_OK);
        assert_int_equal(user_getattr(&su, &files[i], &attrs), NFS4_OK);
        fileids[i] = attrs.fileid;
        repo_lab_archive(&lab, &s3, fileids[i], keys[i], BYTES);
        set_opened(i);
}

static void fill_disks(uint64_t used)
{
        for (int i = 0; i < LAB_DATA_SERVERS; i++) {
                lab.ds[i].server->space_total = TOTAL;
                lab.ds[i].server->space_free = TOTAL - used;
        }
}

static int setup(void **state)
{
        (void)state;
        s3 = (struct s3_model){ .latency_ns = 5000000 };
        mds_lab_start(&lab, NULL);
        lab.conf.release = (struct mds_release_conf){ .high = 85, .low = 75 };
        repo_lab_link(&lab, &s3);
        user_start(&su, &lab, "root", 1, 0, 0);
        root = user_root(&su);
        for (int i = 0; i < FILES; i++)
                make_file(i);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        s3_model_free(&s3);
        return 0;
}

static void check_cold(const char *wanted)
{
        for (int i = 0; i < FILES; i++)
                if (is_cold(i) != (wanted[i] == 'c'))
                        fail_msg("file %d is %s", i, is_cold(i) ? "cold" : "here");
}

static void nothing_leaves_below_the_mark(void **state)
{
        (void)state;
        fill_disks(TOTAL * 85 / 100);
        mds_lab_run_ms(&lab, 40000);
        check_cold("--------");
        lab.conf.release.low = 0;
        fill_disks(TOTAL * 85 / 100 + 1);
        mds_lab_run_ms(&lab, 1500);
        check_cold("cccccccc");
}

/* The data server that has FILE: it is smaller than a stripe unit. */
static const struct server *server_of(int file)
{
        return fleet_file_server(lab.mds.fleet, inode(file), inode(file)->first);
}

/* Each data server wants less than one file. */
static void the_coldest_leave_and_no_more_than_is_needed(void **state)
{
        char wanted[FILES + 1] = "--------";

        (void)state;
        for (int i = FILES - 1; i >= 0; i--) {
                wanted[i] = 'c';
                for (int colder = FILES - 1; colder > i; colder--)
                        if (server_of(colder) == server_of(i))
                                wanted[i] = '-';
        }
        lab.conf.release.low = 84;
        fill_disks(TOTAL * 85 / 100 + 1);
        mds_lab_run_ms(&lab, 1500);
        check_cold(wanted);
        mds_lab_run_ms(&lab, 3000); /* until heartbeats may have come nothing more is done */
        check_cold(wanted);
        fill_disks(TOTAL * 84 / 100);
        mds_lab_run_ms(&lab, 60000);
        check_cold(wanted);
}

static void what_is_pinned_changed_or_open_stays(void **state)
{
        struct user_open open = USER_OPEN();
        struct stateid layout;
        struct attr_set set = { .mode = 0600, .mode_mask = 07777 };

        (void)state;
        assert_int_equal(user_setxattr(&su, &files[7], SETXATTR4_EITHER, "nacre.hsm", slice_str("pin")),
                         NFS4_OK);
        bitmap_set(&set.mask, FATTR4_MODE);
        assert_int_equal(user_setattr(&su, &files[6], NULL, &set), NFS4_OK);
        assert_int_equal(user_open(&su, &root, "f5", &open), NFS4_OK);
        assert_int_equal(user_layoutget(&su, &open.fh, &open.stateid, &layout), NFS4_OK);
        s3_model_delete(&s3, "/bucket/p/f4");
        fill_disks(TOTAL);
        mds_lab_run_ms(&lab, 2500);
        assert_false(is_cold(7) || is_cold(6) || is_cold(4));
        assert_true(is_cold(3) && is_cold(2));
}

static void what_is_old_leaves_though_there_is_room(void **state)
{
        (void)state;
        fill_disks(0);
        lab.conf.release.age_days = 5;
        mds_lab_run_ms(&lab, 6 * 3600 * 1000);
        check_cold("-----ccc");
        lab.conf.release.age_days = 0;
}

static void an_open_is_noted_once_an_hour(void **state)
{
        struct user_open open = USER_OPEN(.access = OPEN4_SHARE_ACCESS_READ);
        struct user_attrs before, after;
        int64_t noted;

        (void)state;
        assert_int_equal(user_getattr(&su, &files[3], &before), NFS4_OK);
        assert_int_equal(user_open(&su, &root, "f3", &open), NFS4_OK);
        assert_int_equal(user_getattr(&su, &files[3], &after), NFS4_OK);
        noted = after.atime;
        assert_true(noted > before.atime + 2 * DAY);
        assert_true(after.change == before.change && after.ctime == before.ctime);
        mds_lab_run_ms(&lab, 60000);
        assert_int_equal(user_open(&su, &root, "f3", &open), NFS4_OK);
        assert_true(inode(3)->atime == noted);
        assert_int_equal(user_setxattr(&su, &files[3], SETXATTR4_EITHER, "nacre.hsm", slice_str("release")),
                         NFS4_OK);
        assert_false(inode(3)->flags & INODE_USED_OLD);
        assert_int_equal(user_open(&su, &root, "f3", &open), NFS4_OK);
        assert_true(inode(3)->flags & INODE_USED_OLD); /* some of it may come here */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(nothing_leaves_below_the_mark),
                TEST(the_coldest_leave_and_no_more_than_is_needed),
                TEST(what_is_pinned_changed_or_open_stays),
                TEST(what_is_old_leaves_though_there_is_room),
                TEST(an_open_is_noted_once_an_hour),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
