/* SPDX-License-Identifier: Apache-2.0 */
/* The object of a removed file goes by a DELETE of what was there a moment ago: who puts another one
 * meanwhile loses nothing, and no store keeps an object that its conditions have no sense for. */
#include "tests/scenario/archive.h"

/* The file /train/f, which S3 has, is removed; until its object is to be deleted. */
static void remove_archived(void)
{
        make(&a.train, "f", 1000);
        seconds(10);
        assert_non_null(bucket_find(&a.bucket, "f"));
        assert_int_equal(user_remove(&a.u, &a.train, "f"), NFS4_OK);
}

static void put_another(struct bucket_lab *b)
{
        b->on_delete = NULL;
        bucket_put(b, "f", "theirs");
}

static void what_came_between_stays(void **state)
{
        (void)state;
        a.bucket.deletes_if = BUCKET_HEEDS;
        a.bucket.on_delete = put_another;
        remove_archived();
        seconds(300);
        assert_int_equal(a.bucket.deletes, 2); /* without the quotes, too */
        assert_string_equal(bucket_find(&a.bucket, "f")->body, "theirs");
}

static void who_heeds_the_condition_deletes(void **state)
{
        (void)state;
        a.bucket.deletes_if = BUCKET_HEEDS;
        remove_archived();
        seconds(70);
        assert_null(bucket_find(&a.bucket, "f"));
        assert_int_equal(a.bucket.deletes, 1);
}

/* As Swift, of objects in parts. */
static void who_compares_with_another_etag_is_asked_without(void **state)
{
        (void)state;
        a.bucket.deletes_if = BUCKET_ALWAYS_REFUSES;
        remove_archived();
        seconds(70);
        assert_null(bucket_find(&a.bucket, "f"));
        assert_true(a.bucket.deletes <= 3); /* the second without the quotes */
}

static void who_knows_no_conditions_is_asked_without(void **state)
{
        (void)state;
        a.bucket.deletes_if = BUCKET_KNOWS_NONE;
        remove_archived();
        seconds(70);
        assert_null(bucket_find(&a.bucket, "f"));
        assert_int_equal(a.bucket.deletes, 2);
        remove_archived(); /* which it remembers */
        seconds(70);
        assert_null(bucket_find(&a.bucket, "f"));
        assert_int_equal(a.bucket.deletes, 3);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(what_came_between_stays, setup, teardown),
                cmocka_unit_test_setup_teardown(who_heeds_the_condition_deletes, setup, teardown),
                cmocka_unit_test_setup_teardown(who_compares_with_another_etag_is_asked_without, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(who_knows_no_conditions_is_asked_without, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
