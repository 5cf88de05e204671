/* SPDX-License-Identifier: Apache-2.0 */
/* What was sent to a bucket, and is carried out there after what was sent later. */
#include <stdlib.h>

#include "mds/pnfs/size.h"
#include "mds/tier/release.h"
#include "mds/tier/sweep.h"
#include "tests/scenario/archive.h"

enum { TOO_LATE_SECONDS = 1200 };

static struct repo *repo(void)
{
        return repo_by_name(a.lab.mds.tier, "train");
}

/* Of "f", also when the client's lease is over. */
static uint64_t fileid(void)
{
        uint64_t ret;

        assert_int_equal(meta_lookup(a.lab.mds.meta, repo()->directory, slice_str("f"), &ret), 0);
        return ret;
}

/* That is in S3 whole, also then. */
static bool is_sent(void)
{
        uint8_t record[RECORD_MAX];
        const struct inode *file;
        struct backing b;

        assert_int_equal(meta_inode(a.lab.mds.meta, fileid(), &file), 0);
        assert_int_equal(tier_backing(&a.lab.mds, file, record, &b), 0);
        return b.change == file->change && !archive_is_pending(&a.lab.mds, fileid());
}

/* "f", of 1000 bytes, its number, and its object. */
static struct user_fh fh;
static uint64_t before;
static struct bucket_object old;

static int setup_with_f(void **state)
{
        setup_with_listings(state);
        fh = make(&a.train, "f", 1000);
        seconds(7);
        assert_true(is_archived(&fh));
        before = archive_lab_fileid(&a, &fh);
        old = *bucket_find(&a.bucket, "f");
        return 0;
}

/* The request that made OBJECT is carried out once more, and the bucket is swept. */
static void arrives(const struct bucket_object *object)
{
        *bucket_find(&a.bucket, "f") = *object;
        assert_int_equal(sweep_start(a.lab.mds.tier, repo(), false), 0);
        seconds(7);
}

static void an_older_content_is_written_over(void **state)
{
        (void)state;
        written(&fh, 2000);
        seconds(7);
        arrives(&old);
        assert_int_equal(bucket_find(&a.bucket, "f")->size, 2000);
        assert_true(is_archived(&fh));
        assert_int_equal(fileid(), before);
}

static void so_is_a_removed_file(void **state)
{
        (void)state;
        assert_int_equal(user_remove(&a.u, &a.train, "f"), NFS4_OK);
        fh = make(&a.train, "f", 3000);
        before = archive_lab_fileid(&a, &fh);
        seconds(7);
        assert_int_equal(bucket_find(&a.bucket, "f")->size, 3000);
        arrives(&old);
        assert_int_equal(bucket_find(&a.bucket, "f")->size, 3000);
        assert_true(is_archived(&fh));
        assert_int_equal(fileid(), before);
}

/* Somebody brings back an older version. */
static void what_cannot_be_late_any_more_is_theirs(void **state)
{
        (void)state;
        written(&fh, 2000);
        seconds(7);
        seconds(TOO_LATE_SECONDS);
        arrives(&old);
        assert_int_equal(bucket_find(&a.bucket, "f")->size, 1000);
        assert_int_not_equal(fileid(), before);
}

static void what_somebody_else_has_put_there_is_taken(void **state)
{
        struct bucket_object theirs;

        (void)state;
        bucket_put(&a.bucket, "f", "theirs");
        theirs = *bucket_find(&a.bucket, "f");
        arrives(&theirs);
        assert_string_equal(bucket_find(&a.bucket, "f")->body, "theirs");
        assert_int_not_equal(fileid(), before);
}

/* --- releases: what comes late would take the place of the only copy */

static enum release_result may_release(void)
{
        const struct inode *file;

        assert_int_equal(meta_inode(a.lab.mds.meta, fileid(), &file), 0);
        return release_check(&a.lab.mds, file);
}

/* Data servers say so, whoever still has a lease. */
static void writes(uint64_t size)
{
        const struct inode *file;
        uint64_t seq;

        assert_int_equal(meta_inode(a.lab.mds.meta, fileid(), &file), 0);
        assert_int_equal(size_extend(a.lab.mds.sizes, file->fileid, file->generation, 1, size, size, &seq),
                         0);
}

/* SIZE bytes are sent, and S3's answer is lost. */
static void send_unheard(uint64_t size)
{
        writes(size);
        a.bucket.unheard = true;
        seconds(6);
        a.bucket.unheard = false;
}

static void what_was_answered_is_released(void **state)
{
        (void)state;
        assert_int_equal(may_release(), RELEASE_DONE);
        written(&fh, 2000);
        seconds(7);
        assert_int_equal(may_release(), RELEASE_DONE);
}

static void not_while_an_older_content_may_arrive(void **state)
{
        (void)state;
        send_unheard(2000);
        writes(3000);
        seconds(20);
        assert_true(is_sent());
        assert_int_equal(bucket_find(&a.bucket, "f")->size, 3000);
        assert_int_equal(may_release(), RELEASE_UNHEARD);
        seconds(TOO_LATE_SECONDS);
        assert_int_equal(may_release(), RELEASE_DONE);
}

static void but_while_the_same_may(void **state)
{
        (void)state;
        send_unheard(2000);
        seconds(20);
        assert_true(is_sent());
        assert_int_equal(may_release(), RELEASE_DONE);
        writes(3000);
        seconds(20);
        assert_true(is_sent());
        assert_int_equal(may_release(), RELEASE_UNHEARD);
}

static void not_while_one_of_a_removed_file_may_arrive(void **state)
{
        (void)state;
        send_unheard(2000);
        assert_int_equal(user_remove(&a.u, &a.train, "f"), NFS4_OK);
        fh = make(&a.train, "f", 3000);
        seconds(20);
        assert_true(is_sent());
        assert_int_equal(may_release(), RELEASE_UNHEARD);
        seconds(TOO_LATE_SECONDS);
        assert_int_equal(may_release(), RELEASE_DONE);
}

static void nor_where_somebody_else_has_put_an_object_since(void **state)
{
        (void)state;
        send_unheard(2000);
        seconds(20);
        bucket_put(&a.bucket, "f", "theirs");
        assert_int_equal(sweep_start(a.lab.mds.tier, repo(), false), 0);
        seconds(7);
        assert_int_not_equal(fileid(), before);
        assert_int_equal(may_release(), RELEASE_UNHEARD);
        seconds(TOO_LATE_SECONDS);
        assert_int_equal(may_release(), RELEASE_DONE);
}

static void not_while_one_from_before_a_crash_may_arrive(void **state)
{
        (void)state;
        a.bucket.lose_answers = true;
        writes(2000);
        seconds(6);
        a.bucket.lose_answers = false;
        archive_lab_crash(&a);
        seconds(100); /* with the grace of its clients */
        assert_true(is_sent());
        assert_int_equal(may_release(), RELEASE_UNHEARD);
        archive_lab_crash(&a);
        seconds(100);
        assert_int_equal(may_release(), RELEASE_UNHEARD);
        seconds(TOO_LATE_SECONDS);
        assert_int_equal(may_release(), RELEASE_DONE);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup_with_f, teardown)
        const struct CMUnitTest tests[] = {
                T(an_older_content_is_written_over),
                T(so_is_a_removed_file),
                T(what_cannot_be_late_any_more_is_theirs),
                T(what_somebody_else_has_put_there_is_taken),
                T(what_was_answered_is_released),
                T(not_while_an_older_content_may_arrive),
                T(but_while_the_same_may),
                T(not_while_one_of_a_removed_file_may_arrive),
                T(nor_where_somebody_else_has_put_an_object_since),
                T(not_while_one_from_before_a_crash_may_arrive),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
