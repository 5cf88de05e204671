/* SPDX-License-Identifier: Apache-2.0 */
/* A file that S3 has as an object of parts is changed: what is sent are the parts that are others now, and
 * S3 copies those that are not, from the object that it has and from no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mds/tier/digests.h"
#include "mds/tier/unfinished.h"
#include "tests/lab/archive_lab.h"
#include "tests/lab/mds_user_xattrs.h"

#define MIB ((uint64_t)1 << 20)
#define PART (16 * MIB)
#define BIG (40 * MIB) /* 16 + 16 + 8 MiB */

static struct archive_lab a;
static struct user_fh big;

static void seconds(unsigned n)
{
        archive_lab_seconds(&a, n);
}

/* The client keeps its lease. */
static void seconds_of_use(unsigned n)
{
        for (unsigned i = 0; i < n; i += 20) {
                seconds(20);
                archive_lab_fileid(&a, &big);
        }
}

/* What is counted is what happens from now on. */
static void forget(void)
{
        a.bucket.uploads = a.bucket.part_copies = a.bucket.completes = 0;
        a.bucket.uploaded_bytes = a.bucket.copied_bytes = 0;
}

/* "big" is in S3. */
static void start(const char *conf)
{
        archive_lab_start(&a, conf);
        a.bucket.lists = true;
        big = archive_lab_make(&a, &a.train, "big", BIG);
        seconds(10);
        assert_true(archive_lab_is_archived(&a, &big));
        assert_int_equal(a.bucket.uploaded_bytes, BIG);
        forget();
}

static int setup(void **state)
{
        (void)state;
        start("");
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        archive_lab_stop(&a);
        return 0;
}

static void assert_same(uint64_t size)
{
        const struct bucket_object *o = bucket_find(&a.bucket, "big");

        assert_true(archive_lab_is_archived(&a, &big));
        assert_int_equal(o->size, size);
        assert_true(bucket_is_like_file(&a.bucket, o));
        assert_int_equal(bucket_count_unfinished(&a.bucket), 0);
}

/* SENT bytes of SIZE came from data servers, and the others are copies. */
static void assert_sent(uint64_t sent, uint64_t size)
{
        assert_same(size);
        assert_int_equal(a.bucket.uploaded_bytes, sent);
        assert_int_equal(a.bucket.copied_bytes, size - sent);
        assert_int_equal(a.bucket.completes, 1);
}

/* It has SIZE bytes now, those at OFFSET are others. */
static void change(uint64_t offset, uint64_t stamp, uint64_t size)
{
        bucket_edit(&a.bucket, offset, stamp);
        archive_lab_written(&a, &big, size);
}

static void cut(uint64_t size)
{
        struct attr_set set = { .size = size };

        bitmap_set(&set.mask, FATTR4_SIZE);
        assert_int_equal(user_setattr(&a.u, &big, NULL, &set), NFS4_OK);
}

static void forget_digests(void)
{
        uint64_t fileid = archive_lab_fileid(&a, &big), seq;
        struct txn *t = txn_begin(a.lab.mds.meta);
        uint8_t key[KEY_MAX];

        txn_delete_all(t, key_all_digests(key, fileid));
        assert_int_equal(txn_commit(t, &seq), 0);
}

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
        archive_lab_written(&a, &big, BIG);
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
        assert_true(archive_lab_is_archived(&a, &big));
        forget();
        archive_lab_written(&a, &big, BIG);
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
        assert_int_equal(user_rename(&a.u, &a.train, "big", &a.train, "new"), NFS4_OK);
        seconds(10);
        assert_int_equal(a.bucket.copies, 1);
        change(BIG, 1, BIG + 1);
        seconds(10);
        assert_true(archive_lab_is_archived(&a, &big));
        assert_int_equal(a.bucket.uploaded_bytes, 8 * MIB + 1);
        assert_true(bucket_is_like_file(&a.bucket, bucket_find(&a.bucket, "new")));
}

/* Also when all of them are on one data server. */
static void a_file_of_one_data_server_goes_in_parts(void **state)
{
        (void)state;
        assert_int_equal(user_setxattr(&a.u, &a.train, SETXATTR4_EITHER, "nacre.layout",
                                       slice_str("width=1")),
                         NFS4_OK);
        archive_lab_make(&a, &a.train, "small", PART);
        seconds(10);
        assert_int_equal(a.bucket.completes, 0);
        assert_int_equal(user_remove(&a.u, &a.train, "big"), NFS4_OK);
        seconds(70);
        big = archive_lab_make(&a, &a.train, "big", BIG);
        seconds(10);
        assert_int_equal(a.bucket.completes, 1);
        forget();
        change(BIG, 1, BIG + 1);
        seconds(10);
        assert_sent(8 * MIB + 1, BIG + 1);
}

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
        assert_false(archive_lab_is_archived(&a, &big));
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
                        assert_true(archive_lab_is_archived(&a, &big));
                        assert_true(bucket_is_like_file(&a.bucket, bucket_find(&a.bucket, "big")));
                        assert_int_equal(a.bucket.count, 1);
                        assert_true(a.bucket.uploaded_bytes <= 2 * (8 * MIB + 1));
                        seconds(UNFINISHED_GRACE_SECONDS + 1200);
                        assert_int_equal(bucket_count_unfinished(&a.bucket), 0);
                        teardown(NULL);
                        setup(NULL);
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
        big = archive_lab_make(&a, &a.train, "big", BIG);
        seconds(10);
        assert_int_equal(count_digests(), 1);
        assert_int_equal(user_remove(&a.u, &a.train, "big"), NFS4_OK);
        seconds(10);
        assert_int_equal(count_digests(), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                T(of_what_is_appended_the_last_part),
                T(of_a_change_in_the_middle_that_part),
                T(of_the_same_bytes_nothing),
                T(of_what_was_cut_and_grew_again_what_is_another),
                T(of_what_was_one_put_all),
                T(of_what_nobody_knows_the_digests_all),
                T(after_a_restart_and_other_metadata_as_before),
                T(after_a_new_name_as_before),
                T(a_file_of_one_data_server_goes_in_parts),
                T(a_store_that_copies_no_parts_gets_all),
                T(copies_that_fail_for_other_reasons_are_sent),
                T(copies_that_fail_for_a_while_are_made_later),
                T(an_object_that_was_changed_before_is_a_conflict),
                T(one_that_is_changed_meanwhile_too),
                T(also_where_copies_heed_no_condition),
                T(one_that_was_deleted_is_made_again),
                T(what_changes_while_it_is_copied_is_not_published),
                T(a_crash_anywhere_leaves_nothing),
                T(parts_of_another_length_are_not_mistaken),
                T(digests_go_with_the_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
