/* SPDX-License-Identifier: Apache-2.0 */
/* What was exported comes back as it was, and what others have said of an object is not lost when its file is
 * sent again. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/scenario/archive.h"
#include "tests/lab/mds_user_xattrs.h"

static struct slice xattr_of(const struct user_fh *fh, const char *name)
{
        struct slice value;

        assert_int_equal(user_getxattr(&a.u, fh, name, &value), NFS4_OK);
        return value;
}

/* MTIME 0: as it is. */
static void set_mode(const struct user_fh *fh, uint32_t mode, uint32_t uid, int64_t mtime)
{
        struct attr_set set = { .mode = mode, .uid = uid, .time_modify = mtime };

        bitmap_set(&set.mask, FATTR4_MODE);
        bitmap_set(&set.mask, FATTR4_OWNER);
        if (mtime)
                bitmap_set(&set.mask, FATTR4_TIME_MODIFY_SET);
        assert_int_equal(user_setattr(&a.u, fh, NULL, &set), NFS4_OK);
}

static const char *says(const char *key, const char *name)
{
        const char *value;

        assert_non_null(bucket_find(&a.bucket, key));
        value = bucket_metadata(bucket_find(&a.bucket, key), name);
        return value ? value : "nothing";
}

/* All of it is here, as after a read. */
static void warm(const struct user_fh *fh)
{
        uint64_t fileid = archive_lab_fileid(&a, fh), seq;
        struct txn *t = txn_begin(a.lab.mds.meta);
        struct inode *inode = txn_edit(t, fileid);

        inode->flags &= (uint8_t)~INODE_COLD;
        assert_int_equal(txn_commit(t, &seq), 0);
}

static void what_others_have_said_is_said_again(void **state)
{
        struct user_fh fh, link;

        (void)state;
        OBJECT("f", "1", "owner-of-the-data", "Ann", "mode", "33188", "uid", "1003", "mtime", "1600000002.5",
               "md5chksum", "of the old bytes", ":content-type", "text/csv", ":cache-control", "no-cache",
               "file-mtime", "1600000002500000000ns");
        OBJECT("link", "f", "mode", "41471", "colour", "blue");
        look(&a.train, "f", &fh);
        look(&a.train, "link", &link);
        warm(&fh);
        set_mode(&fh, 0600, 1004, 0);
        seconds(10);
        assert_int_equal(a.bucket.copies, 1);
        assert_string_equal(says("f", "owner-of-the-data"), "Ann");
        assert_string_equal(says("f", ":content-type"), "text/csv");
        assert_string_equal(says("f", ":cache-control"), "no-cache");
        assert_string_equal(says("f", "md5chksum"), "of the old bytes");
        assert_string_equal(says("f", "mode"), "33152"); /* 0100600, as s3fs has it */
        assert_string_equal(says("f", "uid"), "1004");
        assert_string_equal(says("f", "mtime"), "1600000002.500000000");
        assert_string_equal(says("f", "file-owner"), "1004");
        written(&fh, 5);
        seconds(10);
        assert_int_equal(a.bucket.uploads, 1);
        assert_string_equal(says("f", "owner-of-the-data"), "Ann");
        assert_string_equal(says("f", ":content-type"), "text/csv");
        assert_string_equal(says("f", "md5chksum"), "nothing");
        assert_int_equal(user_rename(&a.u, &a.train, "link", &a.train, "moved"), NFS4_OK);
        seconds(10);
        assert_string_equal(says("moved", "colour"), "blue");
        assert_string_equal(bucket_find(&a.bucket, "moved")->body, "f");
}

static void extended_attributes_as_s3fs_has_them(void **state)
{
        struct user_fh fh;

        (void)state;
        OBJECT("f", "1", "xattr",
               "%7B%22user.one%22%3A%22Zmlyc3Q%3D%22%2C%22security.x%22%3A%22eA%3D%3D%22%2C%22user.none%22%3A%22%22%7D");
        OBJECT("bad", "1", "xattr", "%7B%22user.one%22%3A%22Zm%zz");
        look(&a.train, "f", &fh);
        assert_true(slice_equal(xattr_of(&fh, "one"), slice_str("first")));
        assert_int_equal(xattr_of(&fh, "none").length, 0);
        assert_int_equal(user_count_xattrs(&a.u, &fh), 2);
        warm(&fh);
        assert_int_equal(user_removexattr(&a.u, &fh, "none"), NFS4_OK);
        assert_int_equal(user_setxattr(&a.u, &fh, SETXATTR4_EITHER, "two", slice_str("\xff\"")), NFS4_OK);
        seconds(10);
        assert_non_null(strstr(says("f", "xattr"), "%22user.one%22%3A%22Zmlyc3Q%3D%22"));
        assert_non_null(strstr(says("f", "xattr"), "%22user.two%22%3A%22%2FyI%3D%22"));
        assert_null(strstr(says("f", "xattr"), "none"));
        look(&a.train, "bad", &fh);
        assert_int_equal(user_count_xattrs(&a.u, &fh), 0);
}

static void too_much_is_cut_at_what_s3_takes(void **state)
{
        struct user_fh fh = make(&a.train, "f", 1000);
        uint8_t long_value[3000] = { 0 };

        (void)state;
        assert_int_equal(user_setxattr(&a.u, &fh, SETXATTR4_EITHER, "long", slice_of(long_value, 3000)),
                         NFS4_OK);
        assert_int_equal(user_setxattr(&a.u, &fh, SETXATTR4_EITHER, "short", slice_str("1")), NFS4_OK);
        seconds(10);
        assert_string_equal(says("f", "xattr"), "%7B%22user.short%22%3A%22MQ%3D%3D%22%7D");
        assert_true(is_archived(&fh));
}

static void what_changes_of_a_directory_while_it_is_sent_is_sent_too(void **state)
{
        struct user_fh d;

        (void)state;
        assert_int_equal(user_mkdir(&a.u, &a.train, "d", 0750, &d), NFS4_OK);
        a.bucket.latency_ns = 500000000;
        while (a.bucket.puts == 0) /* it is there, and the answer under way */
                mds_lab_run_ms(&a.lab, 100);
        set_mode(&d, 0750, 0, 1234567890000000000);
        assert_int_equal(user_setxattr(&a.u, &d, SETXATTR4_EITHER, "of", slice_str("d")), NFS4_OK);
        seconds(10);
        assert_string_equal(says("d/", "file-mtime"), "1234567890000000000ns");
        assert_string_not_equal(says("d/", "xattr"), "nothing");
        assert_int_equal(a.bucket.puts, 2);
}

/* Swift's answer to a long value is 500. */
static void where_long_values_do_not_go_the_content_does(void **state)
{
        struct user_fh fh = make(&a.train, "f", 1000);
        uint8_t long_value[300] = { 0 };

        (void)state;
        a.bucket.short_values = true;
        assert_int_equal(user_setxattr(&a.u, &fh, SETXATTR4_EITHER, "long", slice_of(long_value, 300)),
                         NFS4_OK);
        seconds(10);
        assert_null(bucket_find(&a.bucket, "f"));
        seconds(70);
        assert_string_equal(says("f", "xattr"), "nothing");
        assert_string_equal(says("f", "file-owner"), "0");
}

/* One more repo, NAME at /NAME, of PREFIX of the bucket. */
static struct user_fh link_prefix(const char *name, const char *prefix)
{
        struct repo_conf conf;
        struct user_fh fh;
        char error[512], text[512];

        snprintf(text, sizeof(text),
                 "path: /%s\nurl: s3://bucket/%s\nendpoint: http://s3.lab\nexport: new,changed\n"
                 "export_delay: 5\nmanifest: no\n",
                 name, prefix);
        assert_int_equal(repo_conf_load_text(name, text, strlen(text), &conf, error, sizeof(error)), 0);
        assert_int_equal(repo_link(a.lab.mds.tier, name, &conf, error, sizeof(error)), 0);
        repo_conf_free(&conf);
        assert_int_equal(user_lookup(&a.u, &a.root, name, &fh), NFS4_OK);
        return fh;
}

/* The bucket once more, at another path. */
static struct user_fh link_again(void)
{
        return link_prefix("again", "");
}

static void what_was_exported_comes_back(void **state)
{
        struct user_fh d, f, e, again, x, y;

        (void)state;
        assert_int_equal(user_mkdir(&a.u, &a.train, "d", 0750, &d), NFS4_OK);
        f = make(&d, "f", 1000);
        e = make(&d, "empty", 0);
        assert_int_equal(user_symlink(&a.u, &d, "link", "../f"), NFS4_OK);
        assert_int_equal(user_setxattr(&a.u, &f, SETXATTR4_EITHER, "colour", slice_str("blue")), NFS4_OK);
        assert_int_equal(user_setxattr(&a.u, &d, SETXATTR4_EITHER, "of", slice_str("a directory")), NFS4_OK);
        set_mode(&f, 04711, 1001, 1234567890123456789);
        set_mode(&e, 0, 4294967294, -1500000000);
        seconds(10);
        set_mode(&d, 01777, 1002, 987654321);
        seconds(10);
        again = link_again();
        expect_same(&a.train, &again, "d", &x, &y);
        assert_true(slice_equal(xattr_of(&y, "of"), slice_str("a directory")));
        expect_same(&x, &y, "empty", NULL, NULL);
        expect_same(&x, &y, "link", &f, &e);
        assert_true(slice_equal(user_readlink(&a.u, &e), slice_str("../f")));
        expect_same(&x, &y, "f", &f, &e);
        assert_true(slice_equal(xattr_of(&e, "colour"), slice_str("blue")));
}

/* What is linked has the object PREFIX/; a whole bucket has none. */
static void the_linked_directory_itself(void **state)
{
        struct user_fh one, two;
        struct user_attrs attrs;
        struct archive_status status;

        (void)state;
        one = link_prefix("one", "p/");
        set_mode(&one, 01775, 1001, 1234567890123456789);
        seconds(10);
        assert_string_equal(says("p/", "file-permissions"), "041775");
        make(&one, "f", 0);
        seconds(10);
        two = link_prefix("two", "p/");
        look(&two, "f", NULL);
        attrs = look(&a.root, "two", NULL);
        assert_true(attrs.mode == 01775 && attrs.uid == 1001 && attrs.mtime == 1234567890123456789);
        seconds(10);
        assert_string_equal(says("p/", "file-permissions"), "041775");
        set_mode(&a.train, 0700, 1001, 0); /* of the bucket itself */
        seconds(10);
        archive_status(&a.lab.mds, repo_by_name(a.lab.mds.tier, "train"), &status);
        assert_true(status.pending == 0 && status.failed == 0);
}

/* As programs make folders. */
static void an_object_of_it_that_says_nothing_changes_nothing(void **state)
{
        struct user_attrs before, after;
        struct user_fh one;

        (void)state;
        bucket_put(&a.bucket, "p/", "");
        bucket_put(&a.bucket, "p/f", "1");
        one = link_prefix("one", "p/");
        before = look(&a.root, "one", NULL);
        look(&one, "f", NULL);
        after = look(&a.root, "one", NULL);
        assert_true(before.mode == after.mode && before.uid == after.uid && before.mtime == after.mtime);
        seconds(10);
        assert_int_equal(a.bucket.puts, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup_with_listings, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(what_others_have_said_is_said_again),
                TEST(extended_attributes_as_s3fs_has_them),
                TEST(too_much_is_cut_at_what_s3_takes),
                TEST(where_long_values_do_not_go_the_content_does),
                TEST(what_changes_of_a_directory_while_it_is_sent_is_sent_too),
                TEST(what_was_exported_comes_back),
                TEST(the_linked_directory_itself),
                TEST(an_object_of_it_that_says_nothing_changes_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
