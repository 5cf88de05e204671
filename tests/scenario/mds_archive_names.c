/* SPDX-License-Identifier: Apache-2.0 */
/* What is renamed, removed or given other owners and modes here is so in the bucket, and no bytes are sent
 * for it. */
#include <stdlib.h>

#include "nfs4/codec.h"
#include "tests/scenario/archive.h"

enum { MANY = 64 /* the lab's data servers keep count of so many removed files */ };

/* --- removals */

static void an_object_goes_when_the_grace_is_over(void **state)
{
        struct repo *repo = repo_by_number(a.lab.mds.tier, 1);

        (void)state;
        make(&a.train, "f", 1000);
        seconds(7);
        assert_int_equal(user_remove(&a.u, &a.train, "f"), NFS4_OK);
        seconds(50);
        assert_non_null(bucket_find(&a.bucket, "f"));
        assert_true(archive_is_deleted(&a.lab.mds, repo, slice_str("f"),
                                       slice_str(bucket_find(&a.bucket, "f")->etag)));
        seconds(15);
        assert_null(bucket_find(&a.bucket, "f"));
        /* What was sent of it may still arrive. */
        assert_true(archive_is_deleted(&a.lab.mds, repo, slice_str("f"), slice_str("etag1")));
        seconds(1100);
        assert_false(archive_is_deleted(&a.lab.mds, repo, slice_str("f"), slice_str("etag1")));
}

/* Not so many a second. */
static void many_go_as_soon_as_they_may(void **state)
{
        char name[16];

        (void)state;
        for (unsigned i = 0; i < MANY; i++) {
                snprintf(name, sizeof(name), "f%u", i);
                make(&a.train, name, 1000);
        }
        seconds(20);
        a.bucket.latency_ns = 10000000;
        assert_int_equal(a.bucket.count, MANY);
        for (unsigned i = 0; i < MANY; i++) {
                snprintf(name, sizeof(name), "f%u", i);
                assert_int_equal(user_remove(&a.u, &a.train, name), NFS4_OK);
        }
        seconds(58);
        assert_int_equal(a.bucket.count, MANY);
        seconds(4);
        assert_int_equal(a.bucket.count, 0);
}

static void what_was_never_sent_leaves_nothing(void **state)
{
        (void)state;
        make(&a.train, "f", 1000);
        assert_int_equal(user_remove(&a.u, &a.train, "f"), NFS4_OK);
        seconds(100);
        assert_int_equal(a.bucket.uploads + a.bucket.heads + a.bucket.deletes, 0);
}

static void a_removed_file_that_was_changed_in_s3_stays_there(void **state)
{
        (void)state;
        make(&a.train, "f", 1000);
        seconds(7);
        assert_int_equal(user_remove(&a.u, &a.train, "f"), NFS4_OK);
        bucket_put(&a.bucket, "f", "from elsewhere");
        seconds(65);
        assert_string_equal(bucket_find(&a.bucket, "f")->body, "from elsewhere");
        assert_int_equal(a.bucket.deletes, 0);
}

static void a_file_made_anew_replaces_the_one_that_was_removed(void **state)
{
        struct user_fh fh;

        (void)state;
        make(&a.train, "f", 1000);
        seconds(7);
        assert_int_equal(user_remove(&a.u, &a.train, "f"), NFS4_OK);
        fh = make(&a.train, "f", 2000);
        seconds(70);
        assert_int_equal(bucket_find(&a.bucket, "f")->size, 2000);
        assert_true(is_archived(&fh));
        assert_int_equal(a.bucket.count, 1);
        assert_int_equal(a.bucket.deletes, 0);
}

/* --- renames, owners and modes */

static void a_rename_copies_inside_s3(void **state)
{
        struct user_fh fh = make(&a.train, "f", 1000);

        (void)state;
        seconds(7);
        assert_int_equal(user_rename(&a.u, &a.train, "f", &a.train, "g"), NFS4_OK);
        seconds(10);
        assert_null(bucket_find(&a.bucket, "f"));
        assert_int_equal(bucket_find(&a.bucket, "g")->size, 1000);
        assert_true(is_archived(&fh));
        assert_int_equal(a.bucket.uploads, 1);
}

static void a_rename_over_another_replaces_its_object(void **state)
{
        struct user_fh fh;

        (void)state;
        make(&a.train, "f", 1000);
        seconds(7);
        fh = make(&a.train, "f.tmp", 2000);
        assert_int_equal(user_rename(&a.u, &a.train, "f.tmp", &a.train, "f"), NFS4_OK);
        seconds(70);
        assert_int_equal(bucket_find(&a.bucket, "f")->size, 2000);
        assert_int_equal(a.bucket.count, 1);
        assert_true(is_archived(&fh));
}

static void what_is_in_a_renamed_directory_follows(void **state)
{
        struct user_fh dir, inner;
        struct user_fh fh;

        (void)state;
        assert_int_equal(user_mkdir(&a.u, &a.train, "d", 0755, &dir), NFS4_OK);
        assert_int_equal(user_mkdir(&a.u, &dir, "in", 0755, &inner), NFS4_OK);
        make(&dir, "f", 1000);
        fh = make(&inner, "g", 1000);
        seconds(7);
        assert_int_equal(user_rename(&a.u, &a.train, "d", &a.train, "e"), NFS4_OK);
        make(&dir, "new", 1000);
        seconds(30);
        assert_int_equal(a.bucket.count, 5);
        assert_non_null(bucket_find(&a.bucket, "e/"));
        assert_non_null(bucket_find(&a.bucket, "e/f"));
        assert_non_null(bucket_find(&a.bucket, "e/new"));
        assert_non_null(bucket_find(&a.bucket, "e/in/"));
        assert_non_null(bucket_find(&a.bucket, "e/in/g"));
        assert_true(is_archived(&fh));
}

static void files_move_in_and_out(void **state)
{
        struct user_fh fh = make(&a.root, "f", 1000);

        (void)state;
        assert_int_equal(user_rename(&a.u, &a.root, "f", &a.train, "f"), NFS4_OK);
        seconds(7);
        assert_non_null(bucket_find(&a.bucket, "f"));
        assert_true(is_archived(&fh));
        assert_int_equal(user_rename(&a.u, &a.train, "f", &a.root, "f"), NFS4_OK);
        seconds(70);
        assert_int_equal(a.bucket.count, 0);
}

static void a_directory_with_something_in_it_does_not_cross(void **state)
{
        struct user_fh dir;

        (void)state;
        assert_int_equal(user_mkdir(&a.u, &a.train, "d", 0755, &dir), NFS4_OK);
        make(&dir, "f", 1000);
        assert_int_equal(user_rename(&a.u, &a.train, "d", &a.root, "d"), NFS4ERR_XDEV);
}

static void a_new_mode_sends_no_bytes(void **state)
{
        struct user_fh fh = make(&a.train, "f", 1000);
        struct attr_set set = { .mode = 0600 };

        (void)state;
        seconds(7);
        bitmap_set(&set.mask, FATTR4_MODE);
        assert_int_equal(user_setattr(&a.u, &fh, NULL, &set), NFS4_OK);
        assert_false(is_archived(&fh));
        seconds(7);
        assert_string_equal(bucket_metadata(bucket_find(&a.bucket, "f"), "file-permissions"), "0100600");
        assert_int_equal(a.bucket.uploads, 1);
        assert_int_equal(a.bucket.copies, 1);
        assert_true(is_archived(&fh));
}

/* --- second names */

/* Inside a repo that exports they do (mds_links.c). */
static void no_file_is_in_and_outside_a_repo(void **state)
{
        struct repo *repo = repo_by_number(a.lab.mds.tier, 1);
        struct user_fh in, out, symlink;

        (void)state;
        in = make(&a.train, "in", 1000);
        out = make(&a.root, "out", 1000);
        assert_int_equal(user_symlink(&a.u, &a.train, "symlink", "in"), NFS4_OK);
        look(&a.train, "symlink", &symlink);
        for (int archived = 0; archived < 2; archived++) {
                assert_int_equal(user_link(&a.u, &in, &a.root, "second"), NFS4ERR_XDEV);
                assert_int_equal(user_link(&a.u, &symlink, &a.root, "second"), NFS4ERR_XDEV);
                assert_int_equal(user_link(&a.u, &out, &a.train, "second"), NFS4ERR_XDEV);
                seconds(10);
        }
        assert_true(is_archived(&in));
        assert_int_equal(a.bucket.count, 2);
        assert_int_equal(user_link(&a.u, &in, &a.train, "second"), NFS4_OK);
        assert_int_equal(user_rename(&a.u, &a.train, "second", &a.root, "second"), NFS4ERR_XDEV);
        assert_int_equal(user_rename(&a.u, &a.train, "in", &a.root, "in"), NFS4ERR_XDEV);
        repo->conf.export = 0;
        assert_int_equal(user_link(&a.u, &in, &a.train, "third"), NFS4ERR_XDEV);
        assert_int_equal(user_link(&a.u, &out, &a.train, "third"), NFS4_OK);
        assert_int_equal(user_link(&a.u, &out, &a.root, "third"), NFS4_OK);
}

static void what_has_left_gets_one(void **state)
{
        struct user_fh fh = make(&a.train, "f", 1000);

        (void)state;
        seconds(7);
        assert_int_equal(user_rename(&a.u, &a.train, "f", &a.root, "f"), NFS4_OK);
        assert_int_equal(user_link(&a.u, &fh, &a.root, "g"), NFS4_OK);
        seconds(70);
        assert_int_equal(a.bucket.count, 0);
}

/* mv(1) copies it then. */
static void what_has_two_names_does_not_come_in(void **state)
{
        struct user_fh fh = make(&a.root, "f", 1000);

        (void)state;
        assert_int_equal(user_link(&a.u, &fh, &a.root, "g"), NFS4_OK);
        assert_int_equal(user_rename(&a.u, &a.root, "f", &a.train, "f"), NFS4ERR_XDEV);
        assert_int_equal(user_remove(&a.u, &a.root, "g"), NFS4_OK);
        assert_int_equal(user_rename(&a.u, &a.root, "f", &a.train, "f"), NFS4_OK);
        seconds(7);
        assert_true(is_archived(&fh));
}

/* What was made before the repo exported is no member, and does not become one with several names. */
static void what_had_two_names_before_stays_here(void **state)
{
        struct repo *repo = repo_by_number(a.lab.mds.tier, 1);
        unsigned exports = repo->conf.export;
        struct user_fh fh, dir;

        (void)state;
        assert_int_equal(user_mkdir(&a.u, &a.train, "d", 0755, &dir), NFS4_OK);
        repo->conf.export = 0;
        fh = make(&a.train, "f", 1000);
        assert_int_equal(user_link(&a.u, &fh, &a.train, "g"), NFS4_OK);
        repo->conf.export = exports;
        assert_int_equal(user_rename(&a.u, &a.train, "f", &dir, "f"), NFS4ERR_XDEV);
        assert_int_equal(user_rename(&a.u, &a.train, "f", &a.train, "h"), NFS4_OK);
        seconds(10);
        assert_int_equal(a.bucket.count, 1);
        assert_int_equal(user_remove(&a.u, &a.train, "g"), NFS4_OK);
        assert_int_equal(user_rename(&a.u, &a.train, "h", &dir, "h"), NFS4_OK);
        seconds(10);
        assert_int_equal(bucket_find(&a.bucket, "d/h")->size, 1000);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                T(an_object_goes_when_the_grace_is_over),
                T(many_go_as_soon_as_they_may),
                T(what_was_never_sent_leaves_nothing),
                T(a_removed_file_that_was_changed_in_s3_stays_there),
                T(a_file_made_anew_replaces_the_one_that_was_removed),
                T(a_rename_copies_inside_s3),
                T(a_rename_over_another_replaces_its_object),
                T(what_is_in_a_renamed_directory_follows),
                T(files_move_in_and_out),
                T(a_directory_with_something_in_it_does_not_cross),
                T(a_new_mode_sends_no_bytes),
                T(no_file_is_in_and_outside_a_repo),
                T(what_has_left_gets_one),
                T(what_has_two_names_does_not_come_in),
                T(what_had_two_names_before_stays_here),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
