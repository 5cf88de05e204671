/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads in parts that something interrupts: they are gone on with, or nothing of them stays in the bucket;
 * those of others do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mds/tier/unfinished.h"
#include "s3tier/probe.h"
#include "tests/lab/archive_lab.h"

enum {
        BIG = 40 << 20, /* 16 + 16 + 8 MiB */
        PARTS = 3,
        CREATION = 1, /* of the requests that are made of it */
        FIRST_PART,
        TOO_LATE_SECONDS = 1200,
        /* one goes until all is there, and a few more */
        REQUESTS = 10
};

static struct archive_lab a;

static int setup(void **state)
{
        (void)state;
        archive_lab_start(&a, "");
        a.bucket.lists = true;
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        archive_lab_stop(&a);
        return 0;
}

static void seconds(unsigned n)
{
        archive_lab_seconds(&a, n);
}

/* "big" is being sent, and the bucket falls silent with the request of this NUMBER. */
static struct user_fh make_until(unsigned number, bool carried_out)
{
        struct user_fh fh = archive_lab_make(&a, &a.train, "big", BIG);

        a.bucket.silent_from = number;
        a.bucket.carried_out = carried_out;
        seconds(7);
        return fh;
}

/* The metadata server is killed; S3 and the data servers answer again. */
static void crash(void)
{
        a.bucket.silent_from = 0;
        a.bucket.silent = false; /* what was asked until now stays unanswered */
        archive_lab_crash(&a);
}

static void assert_whole(struct user_fh *fh)
{
        assert_true(archive_lab_is_archived(&a, fh));
        assert_int_equal(bucket_find(&a.bucket, "big")->size, BIG);
        assert_int_equal(a.bucket.count, 1);
}

/* --- it is gone on with */

static void what_s3_has_is_not_sent_again(void **state)
{
        struct user_fh fh;

        (void)state;
        fh = make_until(FIRST_PART + 2, false); /* of three */
        assert_int_equal(bucket_count_unfinished(&a.bucket), 1);
        assert_int_equal(a.bucket.uploads, 2);
        crash();
        seconds(10);
        assert_whole(&fh);
        assert_int_equal(a.bucket.uploads, PARTS);
        assert_int_equal(a.bucket.aborts, 0);
        assert_int_equal(bucket_count_unfinished(&a.bucket), 0);
}

static void who_may_not_ask_for_parts_sends_them_all(void **state)
{
        struct user_fh fh;

        (void)state;
        fh = make_until(FIRST_PART + 2, false);
        a.bucket.parts_status = 403;
        crash();
        seconds(10);
        assert_whole(&fh);
        assert_int_equal(a.bucket.uploads, 2 + PARTS);
        assert_int_equal(bucket_count_unfinished(&a.bucket), 0);
}

static void an_answer_of_the_end_that_was_lost_is_found_again(void **state)
{
        struct user_fh fh;
        char etag[40];

        (void)state;
        fh = make_until(FIRST_PART + PARTS + 1, true); /* behind the look at what is there */
        assert_int_equal(a.bucket.completes, 1);
        strcpy(etag, bucket_find(&a.bucket, "big")->etag);
        assert_false(archive_lab_is_archived(&a, &fh));
        crash();
        seconds(10);
        assert_whole(&fh);
        assert_string_equal(bucket_find(&a.bucket, "big")->etag, etag);
        assert_int_equal(a.bucket.uploads, PARTS);
}

/* With every request, carried out or not. */
static void a_crash_anywhere_leaves_nothing(void **state)
{
        bool interrupted = true;

        (void)state;
        for (unsigned number = 1; interrupted; number++) {
                for (int carried_out = 0; carried_out < 2; carried_out++) {
                        struct user_fh fh = make_until(number, carried_out);

                        assert_true(number < REQUESTS);
                        interrupted = a.bucket.silent;
                        crash();
                        seconds(70);
                        assert_whole(&fh);
                        assert_true(a.bucket.uploads <= 2 * PARTS);
                        seconds(UNFINISHED_GRACE_SECONDS + TOO_LATE_SECONDS);
                        assert_int_equal(bucket_count_unfinished(&a.bucket), 0);
                        teardown(NULL);
                        setup(NULL);
                }
        }
}

static void lose_server(struct bucket_lab *b, const ctl_upload_args *args)
{
        struct server *server = a.lab.ds[(args->object.index + 1) % LAB_DATA_SERVERS].server;

        b->on_upload = NULL;
        for (int i = 0; i < LAB_DATA_SERVERS; i++)
                if (a.lab.ds[i].server != server)
                        a.lab.ds[i].server->up = false;
}

static void a_data_server_that_is_away_is_waited_for(void **state)
{
        struct user_fh fh;
        unsigned sent;

        (void)state;
        a.bucket.on_upload = lose_server;
        /* three at once would be on their way already */
        fh = archive_lab_make(&a, &a.train, "big", 5 * BIG);
        seconds(10);
        assert_false(archive_lab_is_archived(&a, &fh));
        sent = a.bucket.uploads;
        assert_true(sent > 0);
        assert_int_equal(bucket_count_unfinished(&a.bucket), 1);
        for (int i = 0; i < LAB_DATA_SERVERS; i++)
                a.lab.ds[i].server->up = true;
        seconds(60);
        assert_true(archive_lab_is_archived(&a, &fh));
        assert_int_equal(a.bucket.uploads, 13); /* of 16 MiB */
        assert_int_equal(a.bucket.aborts, 0);
}

/* --- it is aborted */

static void what_was_changed_since_is_sent_anew(void **state)
{
        struct user_fh fh;

        (void)state;
        fh = make_until(FIRST_PART + 2, true);
        crash();
        archive_lab_written(&a, &fh, BIG + 1);
        seconds(20);
        assert_true(archive_lab_is_archived(&a, &fh));
        assert_int_equal(bucket_find(&a.bucket, "big")->size, BIG + 1);
        assert_int_equal(a.bucket.uploads, 2 * PARTS);
        assert_int_equal(bucket_count_unfinished(&a.bucket), 0);
}

static void that_of_a_removed_file_is_aborted_and_once_more(void **state)
{
        (void)state;
        make_until(FIRST_PART + 2, true);
        assert_int_equal(user_remove(&a.u, &a.train, "big"), NFS4_OK);
        crash();
        seconds(10);
        assert_int_equal(bucket_count_unfinished(&a.bucket), 0);
        assert_int_equal(a.bucket.aborts, 1);
        seconds(TOO_LATE_SECONDS);
        assert_int_equal(a.bucket.aborts, 2);
        seconds(UNFINISHED_GRACE_SECONDS);
        assert_int_equal(a.bucket.aborts, 2);
        assert_null(bucket_find(&a.bucket, "big"));
}

static void an_abort_that_fails_is_made_later(void **state)
{
        (void)state;
        make_until(FIRST_PART + 2, true);
        assert_int_equal(user_remove(&a.u, &a.train, "big"), NFS4_OK);
        a.bucket.status = 403;
        crash();
        seconds(200);
        assert_int_equal(bucket_count_unfinished(&a.bucket), 1);
        a.bucket.status = 0;
        seconds(61);
        assert_int_equal(bucket_count_unfinished(&a.bucket), 0);
}

/* --- nobody has heard its id */

static void one_whose_answer_was_lost_goes_after_a_day(void **state)
{
        struct user_fh fh;

        (void)state;
        fh = make_until(CREATION, true);
        assert_int_equal(bucket_count_unfinished(&a.bucket), 1);
        crash();
        seconds(10);
        assert_whole(&fh);
        assert_int_equal(bucket_count_unfinished(&a.bucket), 1);
        seconds(UNFINISHED_GRACE_SECONDS);
        assert_int_equal(bucket_count_unfinished(&a.bucket), 1); /* S3 takes requests for a while */
        seconds(TOO_LATE_SECONDS);
        assert_int_equal(bucket_count_unfinished(&a.bucket), 0);
}

static void uploads_of_others_stay(void **state)
{
        struct user_fh fh;
        unsigned earlier, with_part, other_key, longer_key, later;

        (void)state;
        earlier = bucket_begin(&a.bucket, "big", false);
        seconds(TOO_LATE_SECONDS);
        crash(); /* a new client */
        fh = make_until(CREATION, true);
        with_part = bucket_begin(&a.bucket, "big", true);
        other_key = bucket_begin(&a.bucket, "big2", false);
        longer_key = bucket_begin(&a.bucket, "big/er", false);
        crash();
        seconds(10);
        assert_whole(&fh);
        seconds(2 * TOO_LATE_SECONDS);
        later = bucket_begin(&a.bucket, "big", false);
        seconds(UNFINISHED_GRACE_SECONDS);
        assert_int_equal(bucket_count_unfinished(&a.bucket), 5);
        assert_true(bucket_is_unfinished(&a.bucket, earlier));
        assert_true(bucket_is_unfinished(&a.bucket, with_part));
        assert_true(bucket_is_unfinished(&a.bucket, other_key));
        assert_true(bucket_is_unfinished(&a.bucket, longer_key));
        assert_true(bucket_is_unfinished(&a.bucket, later));
}

/* Its answer comes, after one that was lost. */
static void several_attempts_leave_nothing(void **state)
{
        struct user_fh fh;

        (void)state;
        fh = make_until(CREATION, true);
        for (int i = 0; i < 5; i++) {
                crash();
                a.bucket.silent_from = CREATION;
                seconds(10);
                assert_false(archive_lab_is_archived(&a, &fh));
        }
        assert_int_equal(bucket_count_unfinished(&a.bucket), 6);
        crash();
        seconds(10);
        assert_whole(&fh);
        seconds(UNFINISHED_GRACE_SECONDS + TOO_LATE_SECONDS);
        assert_int_equal(bucket_count_unfinished(&a.bucket), 0);
}

/* --- of a probe */

static void probed(struct s3_call *call)
{
        (void)call;
}

static void a_probe_ends_what_others_were_kept_from(void **state)
{
        struct s3_probe probe = { .call.done = probed };
        unsigned left[20], other, recent;

        (void)state;
        for (unsigned i = 0; i < 20; i++)
                left[i] = bucket_begin(&a.bucket, ".nacre-probe-0123456789abcdef/uploaded", i % 2);
        other = bucket_begin(&a.bucket, ".nacre-probe-0123456789abcdef/theirs", true);
        archive_lab_seconds(&a, 3700);
        recent = bucket_begin(&a.bucket, ".nacre-probe-00000000000000ab/uploaded", true);
        for (unsigned times = 0; times < 2; times++) { /* not all at once */
                s3_probe(repo_by_name(a.lab.mds.tier, "train")->s3, &probe);
                archive_lab_seconds(&a, 10);
                assert_null(probe.run);
        }
        for (unsigned i = 0; i < 20; i++)
                assert_false(bucket_is_unfinished(&a.bucket, left[i]));
        assert_true(bucket_is_unfinished(&a.bucket, other));
        assert_true(bucket_is_unfinished(&a.bucket, recent));
        assert_int_equal(bucket_count_unfinished(&a.bucket), 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                T(what_s3_has_is_not_sent_again),
                T(who_may_not_ask_for_parts_sends_them_all),
                T(an_answer_of_the_end_that_was_lost_is_found_again),
                T(a_crash_anywhere_leaves_nothing),
                T(a_data_server_that_is_away_is_waited_for),
                T(what_was_changed_since_is_sent_anew),
                T(that_of_a_removed_file_is_aborted_and_once_more),
                T(an_abort_that_fails_is_made_later),
                T(one_whose_answer_was_lost_goes_after_a_day),
                T(uploads_of_others_stay),
                T(several_attempts_leave_nothing),
                T(a_probe_ends_what_others_were_kept_from),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
