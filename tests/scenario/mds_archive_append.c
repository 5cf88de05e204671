/* SPDX-License-Identifier: Apache-2.0 */
/* A file that S3 has as an object of parts is changed: what is sent are the parts that are others now, and
 * S3 copies those that are not. */
#include "tests/scenario/append.h"

#include "tests/lab/mds_user_xattrs.h"

/* --- what is sent */

static void of_what_is_appended_the_last_part(void **state)
{
        (void)state;
        change(BIG, 1, BIG + 1);
        seconds(10);
        assert_sent(8 * MIB + 1, BIG + 1);
        forget();
        change(BIG + 1, 1, 4 * PART);
        seconds(10);
        assert_sent(2 * PART, 4 * PART);
        forget();
        change(4 * PART, 1, 4 * PART + 1); /* and the last one is short */
        seconds(10);
        assert_sent(1, 4 * PART + 1);
}

static void of_a_change_in_the_middle_that_part(void **state)
{
        (void)state;
        change(PART + 5, 1, BIG);
        seconds(10);
        assert_sent(PART, BIG);
        forget();
        change(PART + 5, 2, BIG);
        change(BIG - 1, 2, BIG);
        seconds(10);
        assert_sent(PART + 8 * MIB, BIG);
}

static void of_the_same_bytes_nothing(void **state)
{
        (void)state;
        written(&big, BIG);
        seconds(10);
        assert_sent(0, BIG);
}

static void of_what_was_cut_and_grew_again_what_is_another(void **state)
{
        (void)state;
        cut(PART + 5);
        bucket_edit(&a.bucket, PART + 5, 1);
        seconds(10);
        assert_sent(5, PART + 5);
        forget();
        cut(BIG);
        seconds(10);
        assert_sent(PART + 8 * MIB, BIG);
}

static void of_what_was_one_put_all(void **state)
{
        (void)state;
        cut(0);
        seconds(10);
        assert_true(is_archived(&big));
        forget();
        written(&big, BIG);
        seconds(10);
        assert_sent(BIG, BIG);
}

static void of_what_nobody_knows_the_digests_all(void **state)
{
        (void)state;
        forget_digests();
        change(BIG, 1, BIG + 1);
        seconds(10);
        assert_sent(BIG + 1, BIG + 1);
        forget();
        change(BIG + 1, 1, BIG + 2); /* the next time they are */
        seconds(10);
        assert_sent(8 * MIB + 2, BIG + 2);
}

static void after_a_restart_and_other_metadata_as_before(void **state)
{
        struct attr_set set = { .mode = 0600 };

        (void)state;
        archive_lab_crash(&a);
        bitmap_set(&set.mask, FATTR4_MODE);
        assert_int_equal(user_setattr(&a.u, &big, NULL, &set), NFS4_OK);
        seconds(10);
        assert_int_equal(a.bucket.copies, 1);
        change(BIG, 1, BIG + 1);
        seconds(10);
        assert_sent(8 * MIB + 1, BIG + 1);
}

static void after_a_new_name_as_before(void **state)
{
        (void)state;
        rename_it();
        seconds(10);
        assert_int_equal(a.bucket.copies, 1);
        change(BIG, 1, BIG + 1);
        seconds(10);
        assert_new(8 * MIB + 1);
}

static void with_a_new_name_as_well(void **state)
{
        (void)state;
        change(BIG, 1, BIG + 1);
        rename_it();
        seconds(10);
        assert_int_equal(a.bucket.copies, 0);
        assert_int_equal(a.bucket.copied_bytes, 2 * PART);
        assert_new(8 * MIB + 1);
        seconds(70);
        assert_int_equal(a.bucket.count, 1);
}

/* Also when all of them are on one data server. */
static void a_file_of_one_data_server_goes_in_parts(void **state)
{
        (void)state;
        assert_int_equal(user_setxattr(&a.u, &a.train, SETXATTR4_EITHER, "nacre.layout",
                                       slice_str("width=1")),
                         NFS4_OK);
        make(&a.train, "small", PART);
        seconds(10);
        assert_int_equal(a.bucket.completes, 0);
        assert_int_equal(user_remove(&a.u, &a.train, "big"), NFS4_OK);
        seconds(70);
        big = make(&a.train, "big", BIG);
        seconds(10);
        assert_int_equal(a.bucket.completes, 1);
        forget();
        change(BIG, 1, BIG + 1);
        seconds(10);
        assert_sent(8 * MIB + 1, BIG + 1);
}

/* --- what is kept goes with the file */

static bool count_one(void *arg, struct slice key, struct slice value)
{
        (void)key;
        (void)value;
        ++*(unsigned *)arg;
        return true;
}

static unsigned count_digests(void)
{
        uint8_t prefix[KEY_MAX];
        unsigned count = 0;

        assert_int_equal(meta_scan(a.lab.mds.meta, key_kind(prefix, 'y'), count_one, &count), 0);
        return count;
}

static void digests_go_with_the_file(void **state)
{
        (void)state;
        assert_int_equal(count_digests(), 1);
        assert_int_equal(user_rename(&a.u, &a.train, "big", &a.root, "big"), NFS4_OK);
        seconds(10);
        assert_int_equal(count_digests(), 0);
        big = make(&a.train, "big", BIG);
        seconds(10);
        assert_int_equal(count_digests(), 1);
        assert_int_equal(user_remove(&a.u, &a.train, "big"), NFS4_OK);
        seconds(10);
        assert_int_equal(count_digests(), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup_big, teardown)
        const struct CMUnitTest tests[] = {
                T(of_what_is_appended_the_last_part),
                T(of_a_change_in_the_middle_that_part),
                T(of_the_same_bytes_nothing),
                T(of_what_was_cut_and_grew_again_what_is_another),
                T(of_what_was_one_put_all),
                T(of_what_nobody_knows_the_digests_all),
                T(after_a_restart_and_other_metadata_as_before),
                T(after_a_new_name_as_before),
                T(with_a_new_name_as_well),
                T(a_file_of_one_data_server_goes_in_parts),
                T(digests_go_with_the_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
