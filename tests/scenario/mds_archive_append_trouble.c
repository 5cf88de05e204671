/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of parts that S3 does not make, an object that is not what it was any more, a file that changes
 * meanwhile, and crashes: what is published is the file, and nothing of others is lost. */
#include "tests/scenario/append.h"

#include "mds/tier/unfinished.h"

/* --- S3 is otherwise */

static void a_store_that_copies_no_parts_gets_all(void **state)
{
        (void)state;
        a.bucket.no_part_copies = true;
        change(BIG, 1, BIG + 1);
        seconds(10);
        assert_sent(BIG + 1, BIG + 1);
        assert_true(a.bucket.part_copies > 0);
        forget();
        change(BIG + 1, 1, BIG + 2);
        seconds(10);
        assert_sent(BIG + 2, BIG + 2);
        assert_int_equal(a.bucket.part_copies, 0);
}

static void a_store_that_refuses_conditions_is_asked_without(void **state)
{
        (void)state;
        a.bucket.wary = true;
        change(BIG, 1, BIG + 1);
        seconds(10);
        assert_sent(8 * MIB + 1, BIG + 1);
        assert_int_equal(a.bucket.part_copies, 4); /* both were refused once */
        forget();
        change(BIG + 1, 1, BIG + 2);
        seconds(10);
        assert_sent(8 * MIB + 2, BIG + 2);
        assert_int_equal(a.bucket.part_copies, 2);
}

static void copies_that_fail_for_other_reasons_are_sent(void **state)
{
        (void)state;
        a.bucket.copy_status = 403;
        change(BIG, 1, BIG + 1);
        seconds(10);
        assert_sent(BIG + 1, BIG + 1);
        a.bucket.copy_status = 0;
        forget();
        change(BIG + 1, 1, BIG + 2);
        seconds(10);
        assert_sent(8 * MIB + 2, BIG + 2);
}

static void copies_that_fail_for_a_while_are_made_later(void **state)
{
        (void)state;
        a.bucket.copy_status = 503;
        change(BIG, 1, BIG + 1);
        seconds_of_use(200);
        assert_false(is_archived(&big));
        a.bucket.copy_status = 0;
        seconds_of_use(600);
        assert_same(BIG + 1);
        assert_int_equal(a.bucket.copied_bytes, 2 * PART);
}

/* --- somebody else was there */

static void put_theirs(struct bucket_lab *b)
{
        b->on_copy = NULL;
        bucket_put(b, "big", "theirs");
}

static void put_theirs_at_upload(struct bucket_lab *b, const ctl_upload_args *args)
{
        if (args->part != 3)
                return;
        b->on_upload = NULL;
        bucket_put(b, "big", "theirs");
        bucket_find(b, "big")->size = BIG;
}

static void assert_both(void)
{
        const struct bucket_object *theirs = NULL;

        assert_same(BIG + 1);
        for (unsigned i = 0; i < a.bucket.count; i++)
                if (strncmp(a.bucket.objects[i].key, "big.s3-conflict-", 16) == 0)
                        theirs = &a.bucket.objects[i];
        assert_non_null(theirs);
        assert_string_equal(theirs->body, "theirs");
        assert_int_equal(a.bucket.count, 2);
}

static void an_object_that_was_changed_before_is_a_conflict(void **state)
{
        (void)state;
        bucket_put(&a.bucket, "big", "theirs");
        change(BIG, 1, BIG + 1);
        seconds(10);
        assert_both();
}

static void one_that_is_changed_meanwhile_too(void **state)
{
        (void)state;
        a.bucket.on_copy = put_theirs;
        change(BIG, 1, BIG + 1);
        seconds(10);
        assert_both();
        assert_true(a.bucket.uploaded_bytes >= BIG + 1);
}

static void also_where_copies_heed_no_condition(void **state)
{
        (void)state;
        a.bucket.heedless = true;
        a.bucket.latency_ns = 100000000;
        a.bucket.on_upload = put_theirs_at_upload;
        change(BIG, 1, BIG + 1);
        seconds(20);
        assert_int_equal(a.bucket.copied_bytes, 2 * PART); /* of theirs */
        assert_both();
}

static void also_under_the_name_that_it_leaves(void **state)
{
        (void)state;
        for (int heedless = 0; heedless < 2; heedless++) {
                a.bucket.heedless = heedless;
                bucket_put(&a.bucket, "big", "theirs");
                bucket_find(&a.bucket, "big")->size = BIG;
                change(BIG, 1, BIG + 1);
                rename_it();
                seconds(10);
                assert_int_equal(a.bucket.copied_bytes, heedless ? 2 * PART : 0);
                assert_new(8 * MIB + 1 + BIG + 1);
                seconds(70);
                assert_string_equal(bucket_find(&a.bucket, "big")->body, "theirs");
                teardown(NULL);
                setup_big(NULL);
        }
}

static void one_that_was_deleted_is_made_again(void **state)
{
        (void)state;
        bucket_remove(&a.bucket, "big");
        change(BIG, 1, BIG + 1);
        seconds(10);
        assert_same(BIG + 1);
        assert_int_equal(a.bucket.uploaded_bytes, BIG + 1 + 8 * MIB + 1);
}

/* --- the file changes meanwhile, and crashes */

static void change_it(struct bucket_lab *b)
{
        b->on_copy = NULL;
        change(5, 1, BIG + 1);
}

static void what_changes_while_it_is_copied_is_not_published(void **state)
{
        (void)state;
        a.bucket.on_copy = change_it;
        change(BIG, 1, BIG + 1);
        seconds(20);
        assert_same(BIG + 1);
        assert_int_equal(a.bucket.completes, 1);
}

/* With every request of an append, carried out or not. */
static void a_crash_anywhere_leaves_nothing(void **state)
{
        bool interrupted = true;

        (void)state;
        for (unsigned number = 1; interrupted; number++) {
                for (int carried_out = 0; carried_out < 2; carried_out++) {
                        assert_true(number < 12);
                        change(BIG, 1, BIG + 1);
                        a.bucket.silent_from = number;
                        a.bucket.carried_out = carried_out;
                        seconds(7);
                        interrupted = a.bucket.silent;
                        a.bucket.silent_from = 0;
                        a.bucket.silent = false;
                        archive_lab_crash(&a);
                        seconds(70);
                        assert_true(is_archived(&big));
                        assert_true(bucket_is_like_file(&a.bucket, bucket_find(&a.bucket, "big")));
                        assert_int_equal(a.bucket.count, 1);
                        assert_true(a.bucket.uploaded_bytes <= 2 * (8 * MIB + 1));
                        seconds(UNFINISHED_GRACE_SECONDS + 1200);
                        assert_int_equal(bucket_count_unfinished(&a.bucket), 0);
                        teardown(NULL);
                        setup_big(NULL);
                }
        }
}

/* As if it had been larger once. */
static void make_parts_longer(void)
{
        uint64_t fileid = archive_lab_fileid(&a, &big), seq;
        struct digests d;
        struct txn *t;

        assert_true(digests_make(&d, BIG, 2 * PART, 2));
        t = txn_begin(a.lab.mds.meta);
        digests_put(t, fileid, bucket_find(&a.bucket, "big")->etag, &d);
        assert_int_equal(txn_commit(t, &seq), 0);
        digests_free(&d);
}

/* The second one is as long as the second of three would be. */
static void parts_of_another_length_are_not_mistaken(void **state)
{
        (void)state;
        make_parts_longer();
        a.bucket.silent_from = 4; /* what ends it */
        change(BIG, 1, 3 * PART);
        seconds(7);
        assert_true(a.bucket.silent);
        assert_int_equal(a.bucket.uploaded_bytes, 3 * PART);
        a.bucket.silent_from = 0;
        a.bucket.silent = false;
        archive_lab_crash(&a);
        forget_digests();
        seconds(70);
        assert_same(3 * PART);
        assert_int_equal(a.bucket.uploaded_bytes, 3 * PART);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup_big, teardown)
        const struct CMUnitTest tests[] = {
                T(a_store_that_copies_no_parts_gets_all),
                T(a_store_that_refuses_conditions_is_asked_without),
                T(copies_that_fail_for_other_reasons_are_sent),
                T(copies_that_fail_for_a_while_are_made_later),
                T(an_object_that_was_changed_before_is_a_conflict),
                T(one_that_is_changed_meanwhile_too),
                T(also_where_copies_heed_no_condition),
                T(also_under_the_name_that_it_leaves),
                T(one_that_was_deleted_is_made_again),
                T(what_changes_while_it_is_copied_is_not_published),
                T(a_crash_anywhere_leaves_nothing),
                T(parts_of_another_length_are_not_mistaken),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
