/* SPDX-License-Identifier: Apache-2.0 */
/* What objects say of themselves in their metadata is what the files are: nobody sees or acts on a guess. */
#include <stdio.h>
#include <stdlib.h>

#include "nfs4/codec.h"
#include "mds/tier/sweep.h"
#include "tests/scenario/archive.h"

static int setup_with_owners(void **state)
{
        (void)state;
        archive_lab_start(&a, "uid: 7\ngid: 8");
        a.bucket.lists = true;
        return 0;
}

static bool is_owned(const struct user_attrs *attrs, uint32_t uid, uint32_t gid, uint32_t mode)
{
        return attrs->uid == uid && attrs->gid == gid && attrs->mode == mode;
}

/* READDIR with owners: how many entries there are, and how many of them say DELAY instead. */
static unsigned list(const struct user_fh *dir, unsigned *ret_untold)
{
        struct bitmap4 asked = { 0 }, given;
        unsigned count = 0;

        bitmap_set(&asked, FATTR4_RDATTR_ERROR);
        bitmap_set(&asked, FATTR4_TYPE);
        user_begin(&a.u);
        user_putfh(&a.u, dir);
        xdr_put_u64(user_op(&a.u, OP_READDIR), 0);
        xdr_put_u64(a.u.x, 0);
        xdr_put_u32(a.u.x, 65536);
        xdr_put_u32(a.u.x, 65536);
        put_bitmap(a.u.x, &asked);
        assert_int_equal(user_call(&a.u), NFS4_OK);
        user_result(&a.u, OP_PUTFH);
        user_result(&a.u, OP_READDIR);
        xdr_get_u64(&a.u.in);
        for (*ret_untold = 0; xdr_get_bool(&a.u.in); count++) {
                xdr_get_u64(&a.u.in);
                xdr_get_opaque(&a.u.in, NFS4_MAXNAME);
                get_bitmap(&a.u.in, &given);
                *ret_untold += !bitmap_has(&given, FATTR4_TYPE);
                xdr_get_opaque(&a.u.in, UINT32_MAX);
        }
        return count;
}

/* --- what others write */

static void the_words_of_fsx_s3fs_and_rclone(void **state)
{
        struct user_attrs f;

        (void)state;
        OBJECT("fsx", "1", "file-permissions", "0100640", "file-owner", "1001", "file-group", "1002",
               "file-mtime", "1600000000123456789ns", "file-atime", "1600000001000");
        OBJECT("s3fs", "1", "mode", "33188", "uid", "1003", "gid", "1004", "mtime", "1600000002");
        OBJECT("rclone", "1", "mode", "100600", "uid", "1005", "gid", "1006", "mtime", "1600000003.5");
        OBJECT("iso", "1", "mtime", "2020-09-13T12:26:40.25Z");
        f = look(&a.train, "fsx", NULL);
        assert_true(is_owned(&f, 1001, 1002, 0640));
        assert_true(f.mtime == 1600000000123456789 && f.atime == 1600000001000000000);
        f = look(&a.train, "s3fs", NULL);
        assert_true(is_owned(&f, 1003, 1004, 0644) && f.mtime == 1600000002000000000);
        assert_true(f.atime == f.mtime);
        f = look(&a.train, "rclone", NULL);
        assert_true(is_owned(&f, 1005, 1006, 0600) && f.mtime == 1600000003500000000);
        f = look(&a.train, "iso", NULL);
        assert_true(is_owned(&f, 7, 8, 0644) && f.mtime == 1600000000250000000);
}

static void nonsense_says_nothing(void **state)
{
        static const char *const modes[] = { "", "-1", "0x1ff", "777777777", "0040755", "33188 ", "0o644" };
        struct user_attrs f;
        char name[8];

        (void)state;
        for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
                snprintf(name, sizeof(name), "f%u", i);
                OBJECT(name, "1", "file-permissions", modes[i], "file-owner", "4294967295", "file-group",
                       "wheel", "file-mtime", "yesterday");
        }
        for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
                snprintf(name, sizeof(name), "f%u", i);
                f = look(&a.train, name, NULL);
                assert_true(is_owned(&f, 7, 8, 0644));
                assert_int_equal(f.mtime, INT64_C(1767323045) * 1000000000); /* the listing's */
        }
}

static void of_directories_their_markers(void **state)
{
        struct user_attrs d;
        struct user_fh fh;

        (void)state;
        OBJECT("d/", "", "file-permissions", "0040750", "file-owner", "1001", "file-group", "1002",
               "file-mtime", "1600000000000000000ns");
        bucket_put(&a.bucket, "d/f", "1");
        bucket_put(&a.bucket, "plain/f", "1");
        OBJECT("s3fs/", "", "mode", "16832", "uid", "1003");
        d = look(&a.train, "d", &fh);
        assert_int_equal(d.type, NF4DIR);
        assert_true(is_owned(&d, 1001, 1002, 0750) && d.mtime == 1600000000000000000);
        look(&fh, "f", NULL);
        assert_int_equal(user_getattr(&a.u, &fh, &d), NFS4_OK);
        assert_int_equal(d.mtime, 1600000000000000000); /* its names were there all the time */
        d = look(&a.train, "plain", NULL);
        assert_true(is_owned(&d, 7, 8, 0755));
        d = look(&a.train, "s3fs", NULL);
        assert_true(is_owned(&d, 1003, 8, 0700));
}

static void symlinks(void **state)
{
        struct user_attrs dir, l;
        struct user_fh fh;

        (void)state;
        OBJECT("fsx", "where/to", "file-permissions", "0120777", "file-owner", "1001", "file-mtime",
               "1600000000000000000ns");
        OBJECT("s3fs", "../there", "mode", "41471");
        OBJECT("none", "", "file-permissions", "0120777"); /* of no target */
        list(&a.train, &(unsigned){ 0 });
        assert_int_equal(user_getattr(&a.u, &a.train, &dir), NFS4_OK);
        l = look(&a.train, "fsx", &fh);
        assert_int_equal(l.type, NF4LNK);
        assert_true(is_owned(&l, 1001, 8, 0777) && l.mtime == 1600000000000000000 && l.size == 8);
        assert_true(slice_equal(user_readlink(&a.u, &fh), slice_str("where/to")));
        look(&a.train, "s3fs", &fh);
        assert_true(slice_equal(user_readlink(&a.u, &fh), slice_str("../there")));
        assert_int_equal(look(&a.train, "none", NULL).type, NF4REG);
        seconds(60);
        assert_int_equal(a.bucket.puts + a.bucket.uploads + a.bucket.copies, 0); /* S3 has all of it */
        assert_int_equal(dir.mtime, look(&a.root, "train", NULL).mtime);
        archive_lab_crash(&a);
        look(&a.train, "fsx", &fh);
        assert_true(slice_equal(user_readlink(&a.u, &fh), slice_str("where/to")));
}

/* --- when */

static void make_many(unsigned count)
{
        char key[16];

        for (unsigned i = 0; i < count; i++) {
                snprintf(key, sizeof(key), "f%03u", i);
                OBJECT(key, "1", "file-permissions", "0100600", "file-owner", "1001");
        }
}

static unsigned undescribed(void)
{
        unsigned untold;

        list(&a.train, &untold);
        return untold;
}

static void in_the_background_with_nobody_asking(void **state)
{
        (void)state;
        make_many(100);
        a.bucket.latency_ns = 50000000;
        assert_true(undescribed() > 50); /* the listing shows names at once, but no guesses */
        seconds(1);
        assert_int_equal(undescribed(), 0);
        assert_int_equal(a.bucket.heads, 100);
        seconds(600);
        assert_int_equal(a.bucket.heads, 100); /* each once */
}

static void a_restart_goes_on(void **state)
{
        unsigned heads;

        (void)state;
        make_many(100);
        a.bucket.latency_ns = 200000000;
        assert_true(undescribed() > 50);
        mds_lab_run_ms(&a.lab, 500);
        heads = a.bucket.heads;
        assert_in_range(heads, 1, 60);
        archive_lab_crash(&a);
        seconds(5);
        assert_int_equal(undescribed(), 0);
        assert_in_range(a.bucket.heads, 100, 100 + 44); /* only what was under way is asked for again */
}

/* Who looks at one has it before all others. */
static void who_waits_is_first(void **state)
{
        struct user_attrs f;

        (void)state;
        make_many(100);
        a.bucket.latency_ns = 200000000;
        assert_true(undescribed() > 50);
        f = look(&a.train, "f099", NULL);
        assert_true(is_owned(&f, 1001, 8, 0600));
        assert_true(undescribed() > 50);
}

static void an_open_does_not_act_on_a_guess(void **state)
{
        struct user_open o = USER_OPEN(.access = OPEN4_SHARE_ACCESS_READ);
        struct user other;

        (void)state;
        OBJECT("secret", "1", "file-permissions", "0100600", "file-owner", "1001");
        OBJECT("own", "1", "file-permissions", "0100600", "file-owner", "1002");
        OBJECT("d/", "", "file-permissions", "0040700", "file-owner", "1001");
        bucket_put(&a.bucket, "d/f", "1");
        a.bucket.latency_ns = 200000000;
        user_start(&other, &a.lab, "other", 2, 1002, 1002);
        assert_int_equal(user_open(&other, &a.train, "secret", &o), NFS4ERR_ACCESS);
        assert_int_equal(user_open(&other, &a.train, "own", &o), NFS4_OK);
        assert_int_equal(user_close(&other, &o.fh, &o.stateid), NFS4_OK);
        assert_int_equal(user_lookup(&other, &a.train, "d", &o.fh), NFS4_OK);
        assert_int_equal(user_lookup(&other, &o.fh, "f", NULL), NFS4ERR_ACCESS);
}

static void names_are_moved_and_removed_meanwhile(void **state)
{
        struct user_attrs f;

        (void)state;
        make_many(3);
        assert_int_equal(user_rename(&a.u, &a.train, "f000", &a.train, "moved"), NFS4_OK);
        assert_int_equal(user_remove(&a.u, &a.train, "f001"), NFS4_OK);
        f = look(&a.train, "moved", NULL);
        assert_true(is_owned(&f, 1001, 8, 0600));
        seconds(80);
        assert_null(bucket_find(&a.bucket, "f001"));
}

/* --- when S3 does not say */

static void sweep(void)
{
        assert_int_equal(sweep_start(a.lab.mds.tier, repo_by_name(a.lab.mds.tier, "train"), false), 0);
        seconds(10);
}

static void set_mode(const struct user_fh *fh, uint32_t mode)
{
        struct attr_set set = { .mode = mode };

        bitmap_set(&set.mask, FATTR4_MODE);
        assert_int_equal(user_setattr(&a.u, fh, NULL, &set), NFS4_OK);
}

static void refused_the_defaults_stand_until_a_sweep(void **state)
{
        struct user_attrs f;
        struct user_fh fh[2];
        unsigned heads;

        (void)state;
        make_many(2);
        a.bucket.head_status = 403;
        f = look(&a.train, "f000", &fh[0]);
        assert_true(is_owned(&f, 7, 8, 0644));
        look(&a.train, "f001", &fh[1]);
        assert_int_equal(a.bucket.heads, 6); /* three times each */
        assert_non_null(strstr(repo_by_name(a.lab.mds.tier, "train")->problem, "S3AccessDenied"));
        set_mode(&fh[1], 0604);
        a.bucket.head_status = 0;
        sweep();
        f = look(&a.train, "f000", NULL);
        assert_true(is_owned(&f, 1001, 8, 0600));
        f = look(&a.train, "f001", NULL);
        assert_true(is_owned(&f, 7, 8, 0604)); /* what was said here stands */
        heads = a.bucket.heads;
        sweep();
        assert_int_equal(a.bucket.heads, heads);
}

static void what_passes_is_waited_for(void **state)
{
        struct user_attrs f;

        (void)state;
        make_many(1);
        list(&a.train, &(unsigned){ 0 });
        a.bucket.head_status = 503;
        seconds(30);
        assert_int_equal(user_lookup(&a.u, &a.train, "f000", NULL), NFS4ERR_DELAY); /* not for ever */
        assert_int_equal(undescribed(), 1);
        a.bucket.head_status = 0;
        seconds(60);
        assert_int_equal(undescribed(), 0);
        f = look(&a.train, "f000", NULL);
        assert_true(is_owned(&f, 1001, 8, 0600));
}

static void a_repo_that_is_gone_stands_in_nobodys_way(void **state)
{
        struct user_attrs f;

        (void)state;
        make_many(30);
        a.bucket.latency_ns = 200000000;
        assert_true(undescribed() > 5);
        assert_int_equal(repo_unlink(a.lab.mds.tier, repo_by_name(a.lab.mds.tier, "train")), 0);
        f = look(&a.train, "f029", NULL);
        assert_true(is_owned(&f, 7, 8, 0644));
        assert_int_equal(undescribed(), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup_with_owners, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(the_words_of_fsx_s3fs_and_rclone),
                TEST(nonsense_says_nothing),
                TEST(of_directories_their_markers),
                TEST(symlinks),
                TEST(in_the_background_with_nobody_asking),
                TEST(a_restart_goes_on),
                TEST(who_waits_is_first),
                TEST(an_open_does_not_act_on_a_guess),
                TEST(names_are_moved_and_removed_meanwhile),
                TEST(refused_the_defaults_stand_until_a_sweep),
                TEST(what_passes_is_waited_for),
                TEST(a_repo_that_is_gone_stands_in_nobodys_way),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
