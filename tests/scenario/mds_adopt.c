/* SPDX-License-Identifier: Apache-2.0 */
/* A repo that exports from now on sends also what was made before, whatever crashes meanwhile. */
#include "mds/tier/adopt.h"
#include "tests/scenario/archive.h"

static struct repo *repo(void)
{
        return repo_by_name(a.lab.mds.tier, "train");
}

static void exports(unsigned what)
{
        repo()->conf.export = what;
        adopt_begin(a.lab.mds.tier, repo());
}

/* Files, a directory and a symlink of a time when nothing was exported. */
static int setup_without_export(void **state)
{
        struct user_fh dir;

        setup(state);
        assert_true(repo()->adopted); /* nothing was there */
        exports(0);
        assert_false(repo()->adopted);
        make(&a.train, "file", 100);
        assert_int_equal(user_mkdir(&a.u, &a.train, "dir", 0755, &dir), NFS4_OK);
        make(&dir, "inside", 200);
        assert_int_equal(user_symlink(&a.u, &dir, "link", "inside"), NFS4_OK);
        seconds(20);
        assert_int_equal(a.bucket.puts + a.bucket.uploads, 0);
        return 0;
}

static void all_is_there(void)
{
        static const char *const keys[] = { "file", "dir/", "dir/inside", "dir/link" };

        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
                if (!bucket_find(&a.bucket, keys[i]))
                        fail_msg("%s is not there", keys[i]);
        assert_true(repo()->adopted);
}

static void what_was_made_before_is_sent(void **state)
{
        unsigned sent;

        (void)state;
        exports(REPO_NEW | REPO_CHANGED | REPO_DELETED);
        assert_true(jobs_has_archive_of(a.lab.mds.tier->jobs, repo()->directory));
        assert_false(repo()->adopted);
        seconds(20);
        all_is_there();
        sent = a.bucket.puts + a.bucket.uploads;
        exports(repo()->conf.export); /* as after each start: all was looked at */
        assert_false(jobs_has_archive_of(a.lab.mds.tier->jobs, repo()->directory));
        seconds(20);
        assert_int_equal(a.bucket.puts + a.bucket.uploads, sent);
}

static void whatever_crashes(void **state)
{
        (void)state;
        for (unsigned ms = 1; ms < 2000; ms *= 3) {
                exports(REPO_NEW | REPO_CHANGED | REPO_DELETED);
                mds_lab_run_ms(&a.lab, ms);
                archive_lab_crash(&a);
        }
        seconds(200);
        all_is_there();
}

/* Who asks for some of the files has all directories, and these files. */
static void only_what_is_meant(void **state)
{
        const struct job_request r = { .verb = JOB_ARCHIVE,
                                       .options = JOB_RECURSIVE,
                                       .match = "in*",
                                       .top = repo()->directory,
                                       .path = "/train" };
        const char *why;
        uint64_t seq;

        (void)state;
        repo()->conf.export = REPO_NEW | REPO_CHANGED;
        assert_int_not_equal(jobs_start(a.lab.mds.tier->jobs, &r, &seq, &why), 0);
        seconds(20);
        assert_non_null(bucket_find(&a.bucket, "dir/"));
        assert_non_null(bucket_find(&a.bucket, "dir/inside"));
        assert_null(bucket_find(&a.bucket, "file"));
        assert_null(bucket_find(&a.bucket, "dir/link"));
        assert_false(repo()->adopted);
}

/* Not without a look at all of it once more. */
static void who_pauses_exports_is_asked_again(void **state)
{
        (void)state;
        exports(REPO_NEW | REPO_CHANGED);
        seconds(20);
        exports(0);
        make(&a.train, "later", 10);
        seconds(20);
        assert_null(bucket_find(&a.bucket, "later"));
        archive_lab_crash(&a); /* links it as it was: it exports */
        seconds(200);
        assert_non_null(bucket_find(&a.bucket, "later"));
        all_is_there();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_without_export, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(what_was_made_before_is_sent),
                TEST(whatever_crashes),
                TEST(only_what_is_meant),
                TEST(who_pauses_exports_is_asked_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
