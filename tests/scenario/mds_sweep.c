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

/* --- what was renamed in a repo that only imports: f is h, g is d/i, s is t; all is as in S3 */

static struct user_fh d;

static void start_importing(void)
{
        start("");
        repo()->conf.export = 0;
        bucket_put(&a.bucket, "d/x", "theirs");
        bucket_put(&a.bucket, "f", "theirs");
        bucket_put(&a.bucket, "g", "theirs");
        bucket_put(&a.bucket, "s/", "");
        sweep();
        look(&a.train, "d", &d);
        assert_true(is_there(&d, "x"));
        assert_int_equal(user_rename(&a.u, &a.train, "f", &a.train, "h"), NFS4_OK);
        assert_int_equal(user_rename(&a.u, &a.train, "g", &d, "i"), NFS4_OK);
        assert_int_equal(user_rename(&a.u, &a.train, "s", &a.train, "t"), NFS4_OK);
}

static void a_renamed_file_is_that_of_its_key(void **state)
{
        struct user_fh sub;
        uint64_t names;

        (void)state;
        start_importing();
        for (int i = 0; i < 2; i++) {
                names = repo()->names;
                sweep();
                assert_int_equal(repo()->names, names);
                assert_true(is_there(&a.train, "h") && is_there(&d, "i") && is_there(&a.train, "t"));
                assert_false(is_there(&a.train, "f") || is_there(&a.train, "g") || is_there(&a.train, "s"));
                look(&a.train, "t", &sub);
                assert_false(is_there(&sub, "x"));
                archive_lab_crash(&a);
                repo()->conf.export = 0;
                seconds(100); /* with the grace of its clients */
                look(&a.train, "d", &d);
        }
}

static void it_changes_with_its_object(void **state)
{
        uint64_t was;

        (void)state;
        start_importing();
        was = fileid("h");
        bucket_put(&a.bucket, "f", "longer than before");
        bucket_put(&a.bucket, "g", "longer than before");
        for (int i = 0; i < 2; i++) {
                sweep();
                assert_int_equal(look(&a.train, "h", NULL).size, 18);
                assert_int_equal(look(&d, "i", NULL).size, 18);
                assert_int_not_equal(fileid("h"), was);
                assert_false(is_there(&a.train, "f") || is_there(&a.train, "g"));
        }
}

static void it_goes_with_its_object(void **state)
{
        (void)state;
        start_importing();
        bucket_remove(&a.bucket, "f");
        bucket_remove(&a.bucket, "g");
        bucket_remove(&a.bucket, "s/");
        sweep();
        assert_false(is_there(&a.train, "h") || is_there(&d, "i") || is_there(&a.train, "t"));
        bucket_put(&a.bucket, "g", "again");
        sweep();
        assert_int_equal(look(&a.train, "g", NULL).size, 5);
}

/* As what has not: the repo does not export that either. */
static void removed_it_comes_back(void **state)
{
        (void)state;
        start_importing();
        assert_int_equal(user_remove(&a.u, &a.train, "h"), NFS4_OK);
        assert_int_equal(user_remove(&a.u, &d, "i"), NFS4_OK);
        sweep();
        assert_true(is_there(&a.train, "f") && is_there(&a.train, "g"));
        assert_int_equal(user_rename(&a.u, &a.train, "f", &a.train, "h"), NFS4_OK);
        assert_int_equal(user_rename(&a.u, &a.train, "h", &a.train, "f"), NFS4_OK);
        sweep();
        assert_true(is_there(&a.train, "f"));
        assert_false(is_there(&a.train, "h"));
}

/* What is there when somebody looks for the first time. */
static void nor_does_an_import_take_it_for_new(void **state)
{
        struct user_fh dir;

        (void)state;
        start("");
        repo()->conf.export = 0;
        bucket_put(&a.bucket, "d/x", "theirs");
        sweep();
        assert_int_equal(user_rename(&a.u, &a.train, "d", &a.train, "e"), NFS4_OK);
        sweep();
        assert_false(is_there(&a.train, "d"));
        look(&a.train, "e", &dir);
        assert_true(is_there(&dir, "x"));
        repo()->conf.export = REPO_NEW | REPO_CHANGED;
        sweep();
        assert_false(is_there(&a.train, "d"));
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, teardown)
        const struct CMUnitTest tests[] = {
                T(only_that_is_left_alone),    T(what_cannot_be_renamed_in_s3_does_not_come_back),
                T(nor_does_what_is_in_it),     T(a_renamed_file_is_that_of_its_key),
                T(it_changes_with_its_object), T(it_goes_with_its_object),
                T(removed_it_comes_back),      T(nor_does_an_import_take_it_for_new),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
