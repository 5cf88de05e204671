/* SPDX-License-Identifier: Apache-2.0 */
/* Names of one file whose objects go ways of their own: sent when the others are not, called otherwise than
 * their keys, taken by somebody else, or not heard of yet. */
#include "mds/tier/release.h"
#include "mds/tier/second.h"
#include "tests/scenario/links.h"

static struct repo *repo(void)
{
        return repo_by_name(a.lab.mds.tier, "train");
}

static bool is_there(const char *name)
{
        struct user_fh fh;

        return user_lookup(&a.u, &a.train, name, &fh) == NFS4_OK;
}

static void start(const char *conf)
{
        archive_lab_stop(&a);
        archive_lab_start(&a, conf);
        a.bucket.lists = true;
}

/* --- sweeps, while a name waits */

static void a_name_that_cannot_be_sent_is_left_alone(void **state)
{
        struct user_fh fh;

        (void)state;
        start("conflict: fail");
        fh = make_two();
        bucket_put(&a.bucket, "h", "theirs");
        assert_int_equal(user_link(&a.u, &fh, &a.train, "h"), NFS4_OK);
        minutes(2);
        bucket_put(&a.bucket, "comes", "theirs");
        for (int i = 0; i < 2; i++) {
                sweep();
                assert_true(is_there("comes"));
                assert_int_equal(links_of(&a.train, "h"), 3);
                assert_string_equal(bucket_find(&a.bucket, "h")->body, "theirs");
                minutes(20);
        }
}

/* HEAD is refused, and nothing is copied without. */
static void the_old_key_of_a_name_does_not_come_back(void **state)
{
        (void)state;
        make_two();
        a.bucket.head_status = 403;
        assert_int_equal(user_rename(&a.u, &a.train, "g", &a.train, "h"), NFS4_OK);
        bucket_put(&a.bucket, "comes", "theirs");
        for (int i = 0; i < 2; i++) {
                sweep();
                assert_true(is_there("comes"));
                assert_false(is_there("g"));
                assert_int_equal(links_of(&a.train, "h"), 2);
                minutes(2);
        }
        assert_int_equal(size_of("g"), 1000);
}

/* --- names that are not exported any more: f is d/e, g is h */

static struct user_fh dir;

static void rename_here_only(void)
{
        make_two();
        assert_int_equal(user_mkdir(&a.u, &a.train, "d", 0755, &dir), NFS4_OK);
        minutes(20);
        repo()->conf.export = 0;
        assert_int_equal(user_rename(&a.u, &a.train, "g", &a.train, "h"), NFS4_OK);
        assert_int_equal(user_rename(&a.u, &a.train, "f", &dir, "e"), NFS4_OK);
}

static void each_name_is_that_of_its_key(void **state)
{
        (void)state;
        rename_here_only();
        for (int i = 0; i < 2; i++) {
                sweep();
                assert_int_equal(links_of(&a.train, "h"), 2);
                assert_int_equal(links_of(&dir, "e"), 2);
                assert_false(is_there("f") || is_there("g"));
                archive_lab_crash(&a);
                repo()->conf.export = 0;
                seconds(100); /* with the grace of its clients */
                look(&a.train, "d", &dir);
        }
}

static void a_name_goes_with_its_object(void **state)
{
        (void)state;
        rename_here_only();
        bucket_remove(&a.bucket, "g");
        sweep();
        assert_false(is_there("h") || is_there("g"));
        assert_int_equal(links_of(&dir, "e"), 1);
        bucket_put(&a.bucket, "f", "longer than before");
        sweep();
        assert_int_equal(look(&dir, "e", NULL).size, 18);
        assert_false(is_there("f"));
}

static void so_does_that_of_the_file(void **state)
{
        (void)state;
        rename_here_only();
        bucket_put(&a.bucket, "f", "longer than before");
        sweep();
        assert_int_equal(look(&dir, "e", NULL).size, 18);
        assert_int_equal(look(&a.train, "h", NULL).size, 1000);
        assert_int_equal(links_of(&a.train, "h"), 1);
        bucket_remove(&a.bucket, "g");
        sweep();
        assert_false(is_there("h") || is_there("g") || is_there("f"));
}

/* As any file. */
static void removed_it_comes_back(void **state)
{
        uint64_t is;

        (void)state;
        rename_here_only();
        is = look(&a.train, "h", NULL).fileid;
        assert_int_equal(user_remove(&a.u, &dir, "e"), NFS4_OK);
        sweep();
        assert_true(is_there("f"));
        assert_false(is_there("g"));
        assert_int_equal(look(&a.train, "h", NULL).fileid, is);
        assert_false(archive_is_pending(&a.lab.mds, is));
}

/* --- s3-wins, where one of the names was renamed to */

static void theirs_is_at(const char *from)
{
        struct user_fh fh;
        const char *other = strcmp(from, "f") == 0 ? "g" : "f";

        start("conflict: s3-wins");
        fh = make_two();
        bucket_put(&a.bucket, "h", "theirs");
        assert_int_equal(user_rename(&a.u, &a.train, from, &a.train, "h"), NFS4_OK);
        minutes(3);
        assert_string_equal(bucket_find(&a.bucket, "h")->body, "theirs");
        assert_int_equal(look(&a.train, "h", NULL).size, 6);
        assert_false(is_there(from));
        assert_int_equal(links_of(&a.train, other), 1);
        assert_int_equal(size_of(other), 1000);
        assert_true(is_archived(&fh));
        assert_int_equal(a.bucket.count, 2); /* its old object is gone */
        nothing_happens();
}

static void s3_wins_over_a_renamed_second_name(void **state)
{
        (void)state;
        theirs_is_at("g");
}

static void s3_wins_over_the_renamed_first_name(void **state)
{
        (void)state;
        theirs_is_at("f");
}

/* --- what may arrive late at the key of the second name is at that of the file, once it has that */

static void second_name_is_unheard(const struct user_fh *fh)
{
        uint64_t seq;
        uint8_t record[RECORD_MAX];
        struct second s;
        struct backing b;
        struct txn *t;
        struct inode *second;

        minutes(20);
        assert_true(second_next(&a.lab.mds, archive_lab_fileid(&a, fh), 0, &s));
        t = txn_begin(a.lab.mds.meta);
        second = txn_edit(t, s.number);
        assert_int_equal(tier_backing(&a.lab.mds, second, record, &b), 0);
        b.late = (int64_t)(env_wall(a.lab.mds.env) + 1000000000000ull);
        tier_put_backing(t, second, &b);
        assert_int_equal(txn_commit(t, &seq), 0);
}

static struct user_fh make_unheard(void)
{
        struct user_fh fh = make_two();

        second_name_is_unheard(&fh);
        return fh;
}

static enum release_result may_release(const struct user_fh *fh)
{
        const struct inode *file;

        assert_int_equal(meta_inode(a.lab.mds.meta, archive_lab_fileid(&a, fh), &file), 0);
        return release_check(&a.lab.mds, file);
}

static void when_the_first_was_changed_in_s3(void **state)
{
        struct user_fh fh = make_unheard();

        (void)state;
        assert_int_equal(may_release(&fh), RELEASE_DONE);
        bucket_put(&a.bucket, "f", "theirs");
        sweep();
        assert_int_equal(links_of(&a.train, "g"), 1);
        assert_true(is_archived(&fh));
        assert_int_equal(may_release(&fh), RELEASE_UNHEARD);
        minutes(20);
        assert_int_equal(may_release(&fh), RELEASE_DONE);
}

static void when_it_becomes_a_cold_file_of_its_own(void **state)
{
        struct user_fh fh;

        (void)state;
        bucket_put(&a.bucket, "f", "from elsewhere");
        sweep();
        look(&a.train, "f", &fh);
        assert_int_equal(user_link(&a.u, &fh, &a.train, "g"), NFS4_OK);
        minutes(1);
        second_name_is_unheard(&fh);
        bucket_put(&a.bucket, "f", "theirs");
        sweep();
        assert_int_equal(look(&a.train, "g", &fh).size, 14);
        assert_int_equal(links_of(&a.train, "g"), 1);
        assert_int_equal(may_release(&fh), RELEASE_UNHEARD);
}

static void when_the_first_was_removed(void **state)
{
        struct user_fh fh = make_unheard();

        (void)state;
        assert_int_equal(user_remove(&a.u, &a.train, "f"), NFS4_OK);
        minutes(2);
        assert_int_equal(a.bucket.count, 1);
        assert_true(is_archived(&fh));
        assert_int_equal(may_release(&fh), RELEASE_UNHEARD);
        minutes(20);
        assert_int_equal(may_release(&fh), RELEASE_DONE);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup_with_listings, teardown)
        const struct CMUnitTest tests[] = {
                T(a_name_that_cannot_be_sent_is_left_alone),
                T(the_old_key_of_a_name_does_not_come_back),
                T(each_name_is_that_of_its_key),
                T(a_name_goes_with_its_object),
                T(so_does_that_of_the_file),
                T(removed_it_comes_back),
                T(s3_wins_over_a_renamed_second_name),
                T(s3_wins_over_the_renamed_first_name),
                T(when_the_first_was_changed_in_s3),
                T(when_it_becomes_a_cold_file_of_its_own),
                T(when_the_first_was_removed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
