/* SPDX-License-Identifier: Apache-2.0 */
/* What a sweep takes over from a bucket, and what it leaves to the queue. */
#include <stdlib.h>

#include "mds/tier/sweep.h"
#include "tests/scenario/archive.h"

static void start(const char *conf)
{
        archive_lab_start(&a, conf);
        a.bucket.lists = true;
}

static struct repo *repo(void)
{
        return repo_by_name(a.lab.mds.tier, "train");
}

static void sweep(void)
{
        assert_int_equal(sweep_start(a.lab.mds.tier, repo(), false), 0);
        seconds(4);
}

static bool is_there(const struct user_fh *dir, const char *name)
{
        struct user_fh fh;

        return user_lookup(&a.u, dir, name, &fh) == NFS4_OK;
}

static uint64_t fileid(const char *name)
{
        struct user_fh fh;

        return look(&a.train, name, &fh).fileid;
}

/* --- one that cannot be sent */

static void only_that_is_left_alone(void **state)
{
        struct user_fh stuck;
        uint64_t was;

        (void)state;
        start("conflict: fail");
        stuck = make(&a.train, "stuck", 1000);
        make(&a.train, "changes", 1000);
        make(&a.train, "goes", 1000);
        seconds(7);
        was = fileid("changes");
        bucket_put(&a.bucket, "stuck", "theirs");
        written(&stuck, 2000);
        seconds(20);
        assert_true(archive_is_pending(&a.lab.mds, fileid("stuck")));
        bucket_put(&a.bucket, "comes", "theirs");
        bucket_put(&a.bucket, "d/comes", "theirs");
        bucket_put(&a.bucket, "changes", "theirs");
        bucket_remove(&a.bucket, "goes");
        sweep();
        assert_true(is_there(&a.train, "comes"));
        assert_true(is_there(&a.train, "d"));
        assert_false(is_there(&a.train, "goes"));
        assert_int_not_equal(fileid("changes"), was);
        assert_int_equal(look(&a.train, "changes", NULL).size, 6);
        assert_int_equal(look(&a.train, "stuck", &stuck).size, 2000);
        assert_string_equal(bucket_find(&a.bucket, "stuck")->body, "theirs");
}

/* HEAD is refused, and nothing is copied without. */
static void what_cannot_be_renamed_in_s3_does_not_come_back(void **state)
{
        struct user_fh dir;

        (void)state;
        start("");
        assert_int_equal(user_mkdir(&a.u, &a.train, "d", 0755, &dir), NFS4_OK);
        make(&dir, "x", 1000);
        make(&a.train, "f", 1000);
        seconds(7);
        a.bucket.head_status = 403;
        assert_int_equal(user_rename(&a.u, &a.train, "d", &a.train, "e"), NFS4_OK);
        assert_int_equal(user_rename(&a.u, &a.train, "f", &a.train, "g"), NFS4_OK);
        bucket_put(&a.bucket, "g", "theirs");
        bucket_put(&a.bucket, "comes", "theirs");
        sweep();
        seconds(30);
        sweep();
        assert_true(is_there(&a.train, "comes"));
        assert_false(is_there(&a.train, "d"));
        assert_false(is_there(&a.train, "f"));
        assert_int_equal(look(&a.train, "g", NULL).size, 1000);
        assert_int_equal(repo()->names, 1);
}

/* What is in a directory that was renamed still has its old key when another directory has got its name. */
static void nor_does_what_is_in_it(void **state)
{
        struct user_fh dir;

        (void)state;
        start("");
        assert_int_equal(user_mkdir(&a.u, &a.train, "d", 0755, &dir), NFS4_OK);
        make(&dir, "x", 1000);
        seconds(7);
        assert_int_equal(user_rename(&a.u, &a.train, "d", &a.train, "e"), NFS4_OK);
        assert_int_equal(user_mkdir(&a.u, &a.train, "d", 0755, &dir), NFS4_OK);
        sweep();
        assert_false(is_there(&dir, "x"));
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, teardown)
        const struct CMUnitTest tests[] = {
                T(only_that_is_left_alone),
                T(what_cannot_be_renamed_in_s3_does_not_come_back),
                T(nor_does_what_is_in_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
