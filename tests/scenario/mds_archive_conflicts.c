/* SPDX-License-Identifier: Apache-2.0 */
/* What is brought to a bucket that refuses, that knows no conditions, or where somebody else was first. */
#include <stdlib.h>

#include "nfs4/codec.h"
#include "tests/scenario/archive.h"

/* --- trouble */

static void what_s3_refuses_is_tried_again_and_told(void **state)
{
        struct archive_status status;
        struct user_fh fh;

        (void)state;
        fh = make(&a.train, "f", 1000);
        a.bucket.status = 403;
        seconds(100);
        archive_status(&a.lab.mds, repo_by_number(a.lab.mds.tier, 1), &status);
        assert_int_equal(status.pending, 1);
        assert_int_equal(status.failed, 1);
        assert_int_equal(status.bytes, 1000);
        assert_true(status.oldest_ns > 90000000000ull);
        a.bucket.status = 0;
        assert_int_equal(archive_now(&a.lab.mds, archive_lab_fileid(&a, &fh)), 0);
        seconds(1);
        assert_true(is_archived(&fh));
        archive_status(&a.lab.mds, repo_by_number(a.lab.mds.tier, 1), &status);
        assert_int_equal(status.pending, 0);
}

/* It is the same each time, until the file is another. */
static void what_no_data_server_makes_sense_of_is_not_tried_again(void **state)
{
        struct archive_status status;
        struct user_fh fh;

        (void)state;
        a.bucket.nonsense = true;
        fh = make(&a.train, "f", 1000);
        seconds(100);
        assert_int_equal(a.bucket.uploads, 1);
        archive_status(&a.lab.mds, repo_by_number(a.lab.mds.tier, 1), &status);
        assert_int_equal(status.failed, 1);
        a.bucket.nonsense = false;
        written(&fh, 2000);
        seconds(7);
        assert_true(is_archived(&fh));
        assert_int_equal(bucket_find(&a.bucket, "f")->size, 2000);
}

static void a_store_without_conditions_is_looked_at_before(void **state)
{
        struct user_fh fh;

        (void)state;
        a.bucket.no_conditions = true;
        fh = make(&a.train, "f", 1000);
        seconds(7);
        assert_true(is_archived(&fh));
        written(&fh, 2000);
        seconds(7);
        assert_true(is_archived(&fh));
        assert_true(a.bucket.heads >= 2);
}

/* --- conflicts */

static void keep_both(void **state)
{
        struct user_fh fh = make(&a.train, "f", 1000), other;

        (void)state;
        seconds(7);
        bucket_put(&a.bucket, "f", "theirs");
        written(&fh, 2000);
        seconds(7);
        assert_int_equal(bucket_find(&a.bucket, "f")->size, 2000);
        assert_true(is_archived(&fh));
        assert_string_equal(bucket_find(&a.bucket, "f.s3-conflict-etag2")->body, "theirs");
        assert_int_equal(user_lookup(&a.u, &a.train, "f.s3-conflict-etag2", &other), NFS4_OK);
}

static void who_is_first_in_s3_is_kept_too(void **state)
{
        struct user_fh fh;

        (void)state;
        bucket_put(&a.bucket, "f", "theirs");
        fh = make(&a.train, "f", 1000);
        seconds(7);
        assert_int_equal(bucket_find(&a.bucket, "f")->size, 1000);
        assert_string_equal(bucket_find(&a.bucket, "f.s3-conflict-etag1")->body, "theirs");
        assert_true(is_archived(&fh));
}

static void s3_wins(void **state)
{
        struct user_fh fh, now;
        const struct inode *file;
        uint64_t before, after;

        (void)state;
        archive_lab_stop(&a);
        archive_lab_start(&a, "conflict: s3-wins");
        fh = make(&a.train, "f", 1000);
        seconds(7);
        before = archive_lab_fileid(&a, &fh);
        bucket_put(&a.bucket, "f", "theirs");
        written(&fh, 2000);
        seconds(7);
        assert_string_equal(bucket_find(&a.bucket, "f")->body, "theirs");
        assert_int_equal(user_lookup(&a.u, &a.train, "f", &now), NFS4_OK);
        after = archive_lab_fileid(&a, &now);
        assert_int_not_equal(after, before);
        assert_int_equal(meta_inode(a.lab.mds.meta, after, &file), 0);
        assert_int_equal(file->size, 6);
        assert_true(file->flags & INODE_COLD);
        assert_false(archive_is_pending(&a.lab.mds, before));
}

/* Somebody else's object is where a file was renamed to. */
static void rename_to_theirs(bool also_written)
{
        struct user_fh fh, now;
        uint64_t before;

        archive_lab_stop(&a);
        archive_lab_start(&a, "conflict: s3-wins");
        fh = make(&a.train, "f", 1000);
        seconds(7);
        before = archive_lab_fileid(&a, &fh);
        bucket_put(&a.bucket, "g", "theirs");
        assert_int_equal(user_rename(&a.u, &a.train, "f", &a.train, "g"), NFS4_OK);
        if (also_written)
                written(&fh, 2000);
        seconds(20);
        assert_string_equal(bucket_find(&a.bucket, "g")->body, "theirs");
        assert_int_equal(look(&a.train, "g", &now).size, 6);
        assert_int_not_equal(archive_lab_fileid(&a, &now), before);
        assert_false(archive_is_pending(&a.lab.mds, before));
        assert_int_equal(user_lookup(&a.u, &a.train, "f", &now), NFS4ERR_NOENT);
        assert_int_equal(a.bucket.count, 1); /* its old object is gone */
}

static void s3_wins_over_what_was_renamed(void **state)
{
        (void)state;
        rename_to_theirs(false);
}

static void also_when_it_was_written_as_well(void **state)
{
        (void)state;
        rename_to_theirs(true);
}

static void what_was_deleted_in_s3_comes_back_when_it_is_changed_here(void **state)
{
        struct user_fh fh = make(&a.train, "f", 1000);

        (void)state;
        seconds(7);
        bucket_remove(&a.bucket, "f");
        written(&fh, 2000);
        seconds(7);
        assert_int_equal(bucket_find(&a.bucket, "f")->size, 2000);
        assert_true(is_archived(&fh));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                T(what_s3_refuses_is_tried_again_and_told),
                T(what_no_data_server_makes_sense_of_is_not_tried_again),
                T(a_store_without_conditions_is_looked_at_before),
                T(keep_both),
                T(who_is_first_in_s3_is_kept_too),
                T(s3_wins),
                T(s3_wins_over_what_was_renamed),
                T(also_when_it_was_written_as_well),
                T(what_was_deleted_in_s3_comes_back_when_it_is_changed_here),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
