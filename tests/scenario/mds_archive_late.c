/* SPDX-License-Identifier: Apache-2.0 */
/* What was sent to a bucket, and is carried out there after what was sent later. */
#include <stdlib.h>

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

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup_with_f, teardown)
        const struct CMUnitTest tests[] = {
                T(an_older_content_is_written_over),
                T(so_is_a_removed_file),
                T(what_cannot_be_late_any_more_is_theirs),
                T(what_somebody_else_has_put_there_is_taken),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
