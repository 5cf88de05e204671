/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs on trees of a repo: each verb does what it says to the files that are meant, what fails is told and
 * tried again, and a crash in the middle loses nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "mds/tier/jobs.h"
#include "tests/lab/archive_lab.h"

static struct archive_lab a;
static char *told; /* the last thing that was */

static int setup(void **state)
{
        (void)state;
        archive_lab_start(&a, "");
        store_memory_set_sync_ns(a.lab.store, 500000); /* a disk's: a job's end is not durable at once */
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        free(told);
        told = NULL;
        archive_lab_stop(&a);
        return 0;
}

static struct jobs *jobs(void)
{
        return a.lab.mds.tier->jobs;
}

static void seconds(unsigned n)
{
        archive_lab_seconds(&a, n);
}

static uint64_t start(struct job_request r)
{
        const char *why;
        uint64_t seq, number;

        if (r.top == 0) {
                r.top = archive_lab_fileid(&a, &a.train);
                r.path = "/train";
                r.options |= JOB_RECURSIVE;
        }
        if (!r.match)
                r.match = "";
        number = jobs_start(jobs(), &r, &seq, &why);
        assert_int_not_equal(number, 0);
        return number;
}
#define START(...) start((struct job_request){ __VA_ARGS__ })

/* What is printed from here on... */
static FILE *begin_telling(size_t *length)
{
        free(told);
        told = NULL;
        return open_memstream(&told, length);
}

/* ...to here. */
static struct json end_telling(FILE *out)
{
        struct json ret;

        fclose(out);
        assert_true(json_parse(told, &ret));
        return ret;
}

static struct json look(uint64_t number)
{
        size_t length;
        FILE *out = begin_telling(&length);

        assert_true(jobs_print(jobs(), number, out));
        return end_telling(out);
}

static struct json report(uint64_t number)
{
        size_t length;
        FILE *out = begin_telling(&length);

        assert_true(jobs_report(jobs(), number, 0, out));
        return end_telling(out);
}

static void is_in_state(uint64_t number, const char *state)
{
        char text[32];

        assert_string_equal(json_member_text(look(number), "state", text, sizeof(text)), state);
}

/* It has ended, so. */
static void came_to(uint64_t number, uint64_t done, uint64_t same, uint64_t failed)
{
        struct json job;

        is_in_state(number, "ended");
        job = look(number);
        assert_int_equal(json_u64(job, "done"), done);
        assert_int_equal(json_u64(job, "same"), same);
        assert_int_equal(json_u64(job, "failed"), failed);
}

static struct user_fh make_dir(const struct user_fh *in, const char *name)
{
        struct user_fh fh;

        assert_int_equal(user_mkdir(&a.u, in, name, 0755, &fh), NFS4_OK);
        return fh;
}

static struct user_fh make(const struct user_fh *dir, const char *name, uint64_t size)
{
        return archive_lab_make(&a, dir, name, size);
}

static struct backing backing(const struct user_fh *fh)
{
        static uint8_t record[RECORD_MAX];
        const struct inode *inode;
        struct backing b;

        assert_int_equal(meta_inode(a.lab.mds.meta, archive_lab_fileid(&a, fh), &inode), 0);
        assert_int_equal(tier_backing(&a.lab.mds, inode, record, &b), 0);
        return b;
}

static bool is_cold(const struct user_fh *fh)
{
        const struct inode *inode;

        assert_int_equal(meta_inode(a.lab.mds.meta, archive_lab_fileid(&a, fh), &inode), 0);
        return inode->flags & INODE_COLD;
}

/* --- archive, filters */

static void a_tree_is_archived_at_once(void **state)
{
        struct user_fh dir, fh;
        uint64_t job;

        (void)state;
        dir = make_dir(&a.train, "d");
        make(&a.train, "one.nc", 1000);
        fh = make(&dir, "two.nc", 2000);
        make(&dir, "three.txt", 3000);
        job = START(.verb = JOB_ARCHIVE, .match = "*.nc");
        seconds(1);
        came_to(job, 2, 0, 0);
        assert_int_equal(json_u64(look(job), "done_bytes"), 3000);
        assert_true(archive_lab_is_archived(&a, &fh));
        assert_null(bucket_find(&a.bucket, "d/three.txt")); /* its delay is not over */
        job = START(.verb = JOB_ARCHIVE);
        seconds(1);
        came_to(job, 1, 2, 0);
        assert_non_null(bucket_find(&a.bucket, "d/three.txt"));
}

static void only_what_is_meant(void **state)
{
        struct user_fh dir, old, fresh;
        uint64_t dry, job;

        (void)state;
        dir = make_dir(&a.train, "d");
        old = make(&dir, "old", 5000);
        make(&dir, "small", 10);
        seconds(100);
        fresh = make(&dir, "fresh", 5000);
        seconds(10);
        dry = START(.verb = JOB_RELEASE, .min_size = 100, .older_seconds = 60, .options = JOB_DRY);
        seconds(1);
        came_to(dry, 1, 0, 0);
        assert_false(is_cold(&old));
        job = START(.verb = JOB_RELEASE, .min_size = 100, .older_seconds = 60);
        seconds(2);
        came_to(job, 1, 0, 0);
        assert_true(is_cold(&old));
        assert_false(is_cold(&fresh));
        job = START(.verb = JOB_RELEASE, .match = "*/d/?[lr]*"); /* old, fresh */
        seconds(2);
        came_to(job, 1, 1, 0);
        assert_true(is_cold(&fresh));
}

static void one_file(void **state)
{
        struct user_fh fh;
        uint64_t job;

        (void)state;
        fh = make(&a.train, "f", 1000);
        make(&a.train, "other", 1000);
        job = START(.verb = JOB_ARCHIVE, .top = archive_lab_fileid(&a, &fh), .path = "/train/f");
        seconds(1);
        came_to(job, 1, 0, 0);
        assert_null(bucket_find(&a.bucket, "other"));
}

/* --- what fails */

static void what_failed_is_told_and_tried_again(void **state)
{
        char text[64];
        struct json failures, f = { 0 };
        struct user_fh dir;
        uint64_t job;

        (void)state;
        dir = make_dir(&a.train, "d");
        make(&dir, "one", 1000);
        make(&dir, "two", 1000);
        a.bucket.status = 403;
        job = START(.verb = JOB_ARCHIVE);
        seconds(2);
        is_in_state(job, "running");
        seconds(60);
        came_to(job, 0, 0, 2);
        assert_true(json_member(report(job), "failures", &failures) && json_first(failures, &f));
        assert_string_equal(json_member_text(f, "path", text, sizeof(text)), "/train/d/one");
        assert_string_equal(json_member_text(f, "error", text, sizeof(text)), "S3AccessDenied");
        assert_true(json_next(&f) && !json_next(&f));

        assert_null(jobs_retry(jobs(), job)); /* in vain */
        seconds(60);
        came_to(job, 0, 0, 2);
        a.bucket.status = 0;
        assert_null(jobs_retry(jobs(), job));
        assert_non_null(jobs_retry(jobs(), job)); /* it runs */
        seconds(2);
        came_to(job, 2, 0, 0);
        assert_true(json_member(report(job), "failures", &failures) && !json_first(failures, &f));
        assert_non_null(jobs_retry(jobs(), job)); /* nothing to be tried */
}

static void says(uint64_t job, const char *error)
{
        struct json failures, f = { 0 };
        char text[64];

        seconds(2);
        came_to(job, 0, 0, 1);
        assert_true(json_member(report(job), "failures", &failures) && json_first(failures, &f));
        assert_string_equal(json_member_text(f, "error", text, sizeof(text)), error);
}

static void what_cannot_be_done(void **state)
{
        struct user_open o = USER_CREATE(.how = UNCHECKED4);
        struct user_fh fh;

        (void)state;
        assert_int_equal(user_open(&a.u, &a.train, "f", &o), NFS4_OK);
        fh = o.fh;
        archive_lab_written(&a, &fh, 1000);
        says(START(.verb = JOB_ARCHIVE), "ResourceBusy"); /* it is being written */
        says(START(.verb = JOB_RELEASE), "NotArchived");
        assert_int_equal(user_close(&a.u, &fh, &o.stateid), NFS4_OK);
        seconds(10);
        START(.verb = JOB_PIN);
        seconds(1);
        assert_true(backing(&fh).flags & BACKING_PINNED);
        says(START(.verb = JOB_RELEASE), "Pinned");
        START(.verb = JOB_UNPIN);
        seconds(1);
        assert_false(backing(&fh).flags & BACKING_PINNED);
        bucket_remove(&a.bucket, "f");
        says(START(.verb = JOB_RELEASE), "S3ObjectNotFound");
}

/* --- names that are not here */

static void directories_are_listed_on_the_way(void **state)
{
        struct user_fh c, d, fh;
        uint64_t job;

        (void)state;
        a.bucket.lists = true;
        bucket_put(&a.bucket, "c/d/e", "bytes");
        bucket_put(&a.bucket, "c/f", "bytes");
        job = START(.verb = JOB_RELEASE);
        seconds(1);
        came_to(job, 0, 0, 0); /* nothing of it is here */
        job = START(.verb = JOB_PIN);
        seconds(2);
        came_to(job, 2, 0, 0);
        assert_int_equal(user_lookup(&a.u, &a.train, "c", &c), NFS4_OK);
        assert_int_equal(user_lookup(&a.u, &c, "d", &d), NFS4_OK);
        assert_int_equal(user_lookup(&a.u, &d, "e", &fh), NFS4_OK);
        assert_true(backing(&fh).flags & BACKING_PINNED);
}

static void a_directory_without_names_is_tried_again(void **state)
{
        struct json failures, f = { 0 };
        uint64_t job;
        char text[64];

        (void)state;
        a.bucket.lists = true;
        bucket_put(&a.bucket, "c/d/e", "bytes");
        bucket_put(&a.bucket, "f", "bytes");
        assert_int_equal(user_lookup(&a.u, &a.train, "f", &(struct user_fh){ 0 }), NFS4_OK);
        a.bucket.status = 403;
        job = START(.verb = JOB_PIN);
        seconds(2);
        came_to(job, 1, 0, 1);
        assert_true(json_member(report(job), "failures", &failures) && json_first(failures, &f));
        assert_string_equal(json_member_text(f, "path", text, sizeof(text)), "/train/c");
        assert_string_equal(json_member_text(f, "error", text, sizeof(text)), "S3Error");
        a.bucket.status = 0;
        assert_null(jobs_retry(jobs(), job));
        seconds(2);
        came_to(job, 2, 1, 0);
}

/* --- restarts, cancelling, forgetting */

static void a_crash_loses_nothing(void **state)
{
        enum { FILES = 100 };
        char name[16];
        uint64_t job;

        (void)state;
        for (int i = 0; i < FILES; i++) {
                snprintf(name, sizeof(name), "f%d", i);
                make(&a.train, name, 1000);
        }
        a.bucket.lose_answers = true;
        job = START(.verb = JOB_ARCHIVE);
        seconds(3);
        is_in_state(job, "running");
        archive_lab_crash(&a);
        is_in_state(job, "waiting");
        seconds(3);
        is_in_state(job, "running");
        archive_lab_crash(&a);
        a.bucket.lose_answers = false;
        seconds(30);
        is_in_state(job, "ended");
        assert_int_equal(json_u64(look(job), "done") + json_u64(look(job), "same"), FILES);
        assert_int_equal(json_u64(look(job), "failed"), 0);
        assert_int_equal(a.bucket.count, FILES);
}

static void a_job_is_cancelled(void **state)
{
        uint64_t first, second, third;
        struct user_fh fh;

        (void)state;
        fh = make(&a.train, "f", 1000);
        seconds(10);
        START(.verb = JOB_RELEASE);
        seconds(2);
        assert_true(is_cold(&fh));
        first = START(.verb = JOB_RESTORE); /* the lab's data servers cannot be read */
        second = START(.verb = JOB_RESTORE);
        third = START(.verb = JOB_RESTORE);
        seconds(2);
        is_in_state(first, "running");
        is_in_state(second, "running");
        is_in_state(third, "waiting");
        assert_null(jobs_cancel(jobs(), first));
        seconds(2);
        is_in_state(first, "cancelled");
        is_in_state(second, "running");
        is_in_state(third, "running");
        assert_non_null(jobs_cancel(jobs(), first)); /* it is over */
        assert_non_null(jobs_cancel(jobs(), 4711));
        archive_lab_crash(&a);
        is_in_state(first, "cancelled");
        assert_null(jobs_cancel(jobs(), second)); /* before it began again */
        seconds(2);
        is_in_state(second, "cancelled");
        is_in_state(third, "running");
        assert_null(jobs_cancel(jobs(), third));
        seconds(2);
        is_in_state(third, "cancelled");
}

static void the_oldest_are_forgotten(void **state)
{
        struct job_request waits = {
                .verb = JOB_PIN, .options = JOB_RECURSIVE, .path = "/train", .match = ""
        };
        uint64_t first = 0, last = 0, seq;
        const char *why;

        (void)state;
        make(&a.train, "f", 1000);
        for (unsigned i = 0; i < 2 * JOBS_REMEMBERED; i++) {
                last = START(.verb = JOB_RELEASE); /* fails */
                first = first ? first : last;
                mds_lab_run_ms(&a.lab, 100);
        }
        seconds(20);
        assert_false(jobs_print(jobs(), first, stderr));
        assert_false(jobs_report(jobs(), first, 0, stderr));
        assert_true(json_u64(look(last), "number") == last);
        archive_lab_crash(&a);
        assert_false(jobs_print(jobs(), first, stderr));
        waits.top = archive_lab_fileid(&a, &a.train);
        for (unsigned i = 0; i < JOBS_UNENDED; i++) /* no time goes by */
                assert_int_not_equal(jobs_start(jobs(), &waits, &seq, &why), 0);
        assert_int_equal(jobs_start(jobs(), &waits, &seq, &why), 0);
        assert_non_null(strstr(why, "so many jobs"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_tree_is_archived_at_once),
                TEST(only_what_is_meant),
                TEST(one_file),
                TEST(what_failed_is_told_and_tried_again),
                TEST(what_cannot_be_done),
                TEST(directories_are_listed_on_the_way),
                TEST(a_directory_without_names_is_tried_again),
                TEST(a_crash_loses_nothing),
                TEST(a_job_is_cancelled),
                TEST(the_oldest_are_forgotten),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
