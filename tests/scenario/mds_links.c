/* SPDX-License-Identifier: Apache-2.0 */
/* A file with several names in a repo is an object at each of their keys. */
#include "tests/scenario/links.h"

/* --- names come */

static void each_name_is_an_object(void **state)
{
        struct user_fh fh = make_two();

        (void)state;
        assert_true(is_archived(&fh));
        assert_int_equal(a.bucket.uploads, 1);
        assert_int_equal(a.bucket.copies, 1);
        nothing_happens();
        assert_int_equal(links_of(&a.train, "f"), 2);
}

static void a_name_given_later_is_copied(void **state)
{
        struct user_fh fh = make(&a.train, "f", 1000), dir;

        (void)state;
        seconds(7);
        assert_int_equal(user_mkdir(&a.u, &a.train, "d", 0755, &dir), NFS4_OK);
        assert_int_equal(user_link(&a.u, &fh, &dir, "g"), NFS4_OK);
        archive_lab_crash(&a);
        minutes(4);
        assert_int_equal(size_of("d/g"), 1000);
        assert_int_equal(a.bucket.uploads, 1);
        nothing_happens();
}

static void a_symlink_has_several_names(void **state)
{
        struct user_fh fh;

        (void)state;
        assert_int_equal(user_symlink(&a.u, &a.train, "s", "target"), NFS4_OK);
        look(&a.train, "s", &fh);
        assert_int_equal(user_link(&a.u, &fh, &a.train, "t"), NFS4_OK);
        seconds(15);
        assert_string_equal(bucket_find(&a.bucket, "t")->body, "target");
        assert_string_equal(bucket_metadata(bucket_find(&a.bucket, "t"), "file-permissions"), "0120777");
        nothing_happens();
}

/* --- what is written is in all of them */

static void what_is_written_goes_to_every_key(void **state)
{
        struct user_fh fh = make_two();

        (void)state;
        written(&fh, 2000);
        seconds(15);
        assert_int_equal(size_of("f"), 2000);
        assert_int_equal(size_of("g"), 2000);
        assert_int_equal(a.bucket.uploads, 2);
        nothing_happens();
}

static void a_new_mode_goes_to_every_key(void **state)
{
        struct user_fh fh = make_two();
        struct attr_set set = { .mode = 0600 };

        (void)state;
        bitmap_set(&set.mask, FATTR4_MODE);
        assert_int_equal(user_setattr(&a.u, &fh, NULL, &set), NFS4_OK);
        seconds(15);
        assert_string_equal(bucket_metadata(bucket_find(&a.bucket, "f"), "file-permissions"), "0100600");
        assert_string_equal(bucket_metadata(bucket_find(&a.bucket, "g"), "file-permissions"), "0100600");
        assert_int_equal(a.bucket.uploads, 1);
        nothing_happens();
}

/* --- names go */

static void a_second_name_goes_with_its_object(void **state)
{
        struct user_fh fh = make_two();

        (void)state;
        assert_int_equal(user_remove(&a.u, &a.train, "g"), NFS4_OK);
        seconds(50);
        assert_int_equal(size_of("g"), 1000); /* the grace is not over */
        sweep();
        assert_int_equal(user_lookup(&a.u, &a.train, "g", &fh), NFS4ERR_NOENT);
        seconds(20);
        assert_int_equal(a.bucket.count, 1);
        assert_int_equal(size_of("f"), 1000);
        nothing_happens();
}

static void the_first_name_goes_and_the_second_stays(void **state)
{
        struct user_fh fh = make_two(), found;

        (void)state;
        assert_int_equal(user_remove(&a.u, &a.train, "f"), NFS4_OK);
        archive_lab_crash(&a);
        seconds(45);
        assert_int_equal(size_of("f"), 1000); /* the grace is not over */
        sweep();
        assert_int_equal(user_lookup(&a.u, &a.train, "f", &found), NFS4ERR_NOENT);
        minutes(4);
        assert_int_equal(a.bucket.count, 1);
        assert_int_equal(size_of("g"), 1000);
        look(&a.train, "g", &fh);
        assert_true(is_archived(&fh));
        written(&fh, 3000);
        seconds(15);
        assert_int_equal(size_of("g"), 3000);
        nothing_happens();
        assert_int_equal(links_of(&a.train, "g"), 1);
}

static void all_names_go(void **state)
{
        (void)state;
        make_two();
        assert_int_equal(user_remove(&a.u, &a.train, "f"), NFS4_OK);
        assert_int_equal(user_remove(&a.u, &a.train, "g"), NFS4_OK);
        minutes(2);
        assert_int_equal(a.bucket.count, 0);
}

/* An object that is there already is not the new file's. */
static void a_new_file_takes_the_place_of_a_name_that_went(void **state)
{
        struct user_fh fh, old = make_two();

        (void)state;
        assert_int_equal(user_remove(&a.u, &a.train, "f"), NFS4_OK);
        fh = make(&a.train, "f", 5000);
        minutes(2);
        assert_int_equal(size_of("f"), 5000);
        assert_int_equal(size_of("g"), 1000);
        assert_true(is_archived(&fh));
        assert_true(is_archived(&old));
        assert_int_equal(a.bucket.count, 2);
        nothing_happens();
}

static void deletions_that_are_not_exported_leave_the_objects(void **state)
{
        struct repo *repo = repo_by_number(a.lab.mds.tier, 1);
        struct user_fh fh = make_two();

        (void)state;
        repo->conf.export &= ~(unsigned)REPO_DELETED;
        assert_int_equal(user_link(&a.u, &fh, &a.train, "h"), NFS4_OK);
        seconds(15);
        assert_int_equal(user_remove(&a.u, &a.train, "f"), NFS4_OK);
        assert_int_equal(user_remove(&a.u, &a.train, "h"), NFS4_OK);
        minutes(2);
        assert_int_equal(a.bucket.count, 3);
        assert_int_equal(a.bucket.deletes, 0);
        nothing_happens();
        assert_int_equal(user_lookup(&a.u, &a.train, "f", &fh), NFS4ERR_NOENT);
        assert_int_equal(user_lookup(&a.u, &a.train, "h", &fh), NFS4ERR_NOENT);
}

/* --- and get others */

static void either_name_is_renamed(void **state)
{
        struct user_fh fh = make_two();

        (void)state;
        assert_int_equal(user_rename(&a.u, &a.train, "g", &a.train, "h"), NFS4_OK);
        seconds(15);
        assert_int_equal(a.bucket.count, 2);
        assert_int_equal(size_of("h"), 1000);
        assert_int_equal(user_rename(&a.u, &a.train, "f", &a.train, "e"), NFS4_OK);
        seconds(15);
        assert_int_equal(a.bucket.count, 2);
        assert_int_equal(size_of("e"), 1000);
        assert_true(is_archived(&fh));
        assert_int_equal(a.bucket.uploads, 1);
        nothing_happens();
        assert_int_equal(user_remove(&a.u, &a.train, "e"), NFS4_OK);
        minutes(2);
        assert_int_equal(a.bucket.count, 1);
        assert_int_equal(size_of("h"), 1000);
}

static void both_names_follow_their_directory(void **state)
{
        struct user_fh dir, fh;

        (void)state;
        assert_int_equal(user_mkdir(&a.u, &a.train, "d", 0755, &dir), NFS4_OK);
        fh = make(&dir, "f", 1000);
        assert_int_equal(user_link(&a.u, &fh, &dir, "g"), NFS4_OK);
        assert_int_equal(user_link(&a.u, &fh, &a.train, "h"), NFS4_OK);
        seconds(15);
        assert_int_equal(user_rename(&a.u, &a.train, "d", &a.train, "e"), NFS4_OK);
        seconds(30);
        assert_int_equal(a.bucket.count, 4);
        assert_int_equal(size_of("e/f"), 1000);
        assert_int_equal(size_of("e/g"), 1000);
        assert_int_equal(size_of("h"), 1000);
        nothing_happens();
}

static void a_name_is_replaced_by_another_file(void **state)
{
        struct user_fh fh = make_two(), other = make(&a.train, "other", 7000);

        (void)state;
        seconds(10);
        assert_int_equal(user_rename(&a.u, &a.train, "other", &a.train, "f"), NFS4_OK);
        minutes(2);
        assert_int_equal(a.bucket.count, 2);
        assert_int_equal(size_of("f"), 7000);
        assert_int_equal(size_of("g"), 1000);
        assert_true(is_archived(&fh));
        assert_true(is_archived(&other));
        nothing_happens();
}

/* --- names from a version that did not note where they are */

static struct user_fh make_old(void)
{
        struct user_fh fh = make(&a.train, "f", 1000);
        uint64_t file = archive_lab_fileid(&a, &fh), dir = archive_lab_fileid(&a, &a.train), seq;
        struct txn *t;

        seconds(7);
        t = txn_begin(a.lab.mds.meta);
        assert_int_equal(txn_link(t, dir, slice_str("g"), file, NF4REG), 0);
        txn_edit(t, file)->nlink++;
        assert_int_equal(txn_commit(t, &seq), 0);
        return fh;
}

static void the_name_of_the_key_goes_and_stays_away(void **state)
{
        struct user_fh fh = make_old(), found;

        (void)state;
        assert_int_equal(user_link(&a.u, &fh, &a.train, "h"), NFS4ERR_XDEV);
        assert_int_equal(user_rename(&a.u, &a.train, "g", &a.train, "h"), NFS4_OK);
        seconds(15);
        assert_non_null(bucket_find(&a.bucket, "f"));
        assert_int_equal(user_remove(&a.u, &a.train, "f"), NFS4_OK);
        sweep();
        assert_int_equal(user_lookup(&a.u, &a.train, "f", &found), NFS4ERR_NOENT);
        minutes(2);
        assert_int_equal(a.bucket.count, 0);
        make(&a.train, "f", 2000);
        assert_int_equal(user_rename(&a.u, &a.train, "h", &a.train, "i"), NFS4_OK);
        seconds(15);
        assert_int_equal(size_of("f"), 2000);
        assert_int_equal(size_of("i"), 1000);
        assert_true(is_archived(&fh));
        nothing_happens();
}

/* --- trouble */

static void a_store_that_cannot_copy_gets_the_bytes(void **state)
{
        struct user_fh fh;

        (void)state;
        a.bucket.no_copies = true;
        fh = make_two();
        assert_int_equal(a.bucket.uploads, 2);
        written(&fh, 40 << 20);
        seconds(20);
        assert_int_equal(size_of("f"), 40 << 20);
        assert_int_equal(size_of("g"), 40 << 20);
        assert_int_equal(bucket_count_unfinished(&a.bucket), 0);
        nothing_happens();
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup_with_listings, teardown)
        const struct CMUnitTest tests[] = {
                T(each_name_is_an_object),
                T(a_name_given_later_is_copied),
                T(a_symlink_has_several_names),
                T(what_is_written_goes_to_every_key),
                T(a_new_mode_goes_to_every_key),
                T(a_second_name_goes_with_its_object),
                T(the_first_name_goes_and_the_second_stays),
                T(all_names_go),
                T(a_new_file_takes_the_place_of_a_name_that_went),
                T(deletions_that_are_not_exported_leave_the_objects),
                T(either_name_is_renamed),
                T(both_names_follow_their_directory),
                T(a_name_is_replaced_by_another_file),
                T(the_name_of_the_key_goes_and_stays_away),
                T(a_store_that_cannot_copy_gets_the_bytes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
