/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of a file with several names that others change, that hold bytes which are not here, and that are
 * linked anew. */
#include "tests/scenario/links.h"

/* --- who else writes to the bucket */

static void an_object_changed_in_s3_is_a_file_of_its_own(void **state)
{
        struct user_fh fh = make_two();

        (void)state;
        minutes(20);
        bucket_put(&a.bucket, "g", "from elsewhere");
        sweep();
        assert_int_equal(look(&a.train, "g", NULL).size, 14);
        assert_int_equal(links_of(&a.train, "f"), 1);
        seconds(20);
        assert_true(is_archived(&fh));
        assert_string_equal(bucket_find(&a.bucket, "g")->body, "from elsewhere");
        nothing_happens();
}

static void the_first_name_changed_in_s3_leaves_the_others(void **state)
{
        struct user_fh fh = make_two();

        (void)state;
        minutes(20);
        bucket_put(&a.bucket, "f", "from elsewhere");
        sweep();
        assert_int_equal(look(&a.train, "f", NULL).size, 14);
        assert_int_equal(links_of(&a.train, "g"), 1);
        minutes(2);
        assert_true(is_archived(&fh));
        assert_int_equal(size_of("g"), 1000);
        assert_string_equal(bucket_find(&a.bucket, "f")->body, "from elsewhere");
        assert_int_equal(a.bucket.copies + a.bucket.uploads, 2); /* it has had it there before */
        nothing_happens();
        written(&fh, 2000);
        seconds(15);
        assert_int_equal(size_of("g"), 2000);
        assert_string_equal(bucket_find(&a.bucket, "f")->body, "from elsewhere");
}

static void a_name_deleted_in_s3_goes_here(void **state)
{
        struct user_fh fh = make_two();

        (void)state;
        minutes(20);
        bucket_remove(&a.bucket, "f");
        sweep();
        assert_int_equal(user_lookup(&a.u, &a.train, "f", &fh), NFS4ERR_NOENT);
        assert_int_equal(links_of(&a.train, "g"), 1);
        minutes(2);
        look(&a.train, "g", &fh);
        assert_true(is_archived(&fh));
        assert_int_equal(a.bucket.count, 1);
        nothing_happens();
        assert_string_not_equal(etag_of("g"), "none");
}

/* What somebody else has put where a second name goes is kept beside it. */
static void a_conflict_is_settled_as_for_any_file(void **state)
{
        struct user_fh fh = make(&a.train, "f", 1000);

        (void)state;
        seconds(7);
        bucket_put(&a.bucket, "g", "from elsewhere");
        assert_int_equal(user_link(&a.u, &fh, &a.train, "g"), NFS4_OK);
        seconds(15);
        assert_int_equal(size_of("g"), 1000);
        assert_int_equal(a.bucket.count, 3);
}

/* --- files whose bytes are in S3 only */

static void make_cold(void)
{
        struct user_fh fh;

        bucket_put(&a.bucket, "f", "from elsewhere");
        sweep();
        look(&a.train, "f", &fh);
        assert_int_equal(user_link(&a.u, &fh, &a.train, "g"), NFS4_OK);
        assert_int_equal(user_link(&a.u, &fh, &a.train, "h"), NFS4_OK);
        minutes(1);
        assert_string_equal(bucket_find(&a.bucket, "g")->body, "from elsewhere");
        assert_string_equal(bucket_find(&a.bucket, "h")->body, "from elsewhere");
}

static void a_cold_file_gets_a_name_without_its_bytes(void **state)
{
        (void)state;
        make_cold();
        assert_int_equal(a.bucket.copies, 2);
        assert_int_equal(a.bucket.gets + a.bucket.uploads, 0);
        nothing_happens();
        assert_int_equal(links_of(&a.train, "h"), 3);
}

/* What the data servers have of it, and what they lack, is of the object that is gone. */
static void names_of_a_cold_file_live_on_without_its_object(void **state)
{
        (void)state;
        make_cold();
        minutes(20);
        bucket_put(&a.bucket, "f", "later");
        sweep();
        assert_int_equal(look(&a.train, "f", NULL).size, 5);
        assert_int_equal(look(&a.train, "g", NULL).size, 14);
        assert_int_equal(look(&a.train, "h", NULL).size, 14);
        nothing_happens();
        assert_int_equal(a.bucket.count, 3);
        bucket_remove(&a.bucket, "f");
        bucket_remove(&a.bucket, "h");
        sweep();
        assert_int_equal(user_lookup(&a.u, &a.train, "h", &(struct user_fh){ 0 }), NFS4ERR_NOENT);
        assert_int_equal(look(&a.train, "g", NULL).size, 14);
        nothing_happens();
}

/* --- and back */

static struct user_fh again;

/* It was another cluster that wrote O. */
static void is_anothers(struct bucket_object *o)
{
        for (unsigned i = 0; i < o->metadata_count; i++)
                if (strcmp(o->metadata[i].name, "nacre-id") == 0)
                        o->metadata[i].value[0] ^= 1;
}

/* What is in the bucket is linked anew, to /again. */
static void link_again(const char *conf)
{
        static const char plain[] =
                "path: /again\nurl: s3://bucket/\nendpoint: http://s3.lab\nexport_delay: 5\n";
        struct repo_conf c;
        char error[512], text[512];

        assert_int_equal(repo_unlink(a.lab.mds.tier, repo_by_number(a.lab.mds.tier, 1)), 0);
        for (unsigned i = 0; i < a.bucket.count; i++)
                is_anothers(&a.bucket.objects[i]);
        assert_int_equal(user_mkdir(&a.u, &a.root, "again", 0755, &again), NFS4_OK);
        snprintf(text, sizeof(text), "%s%s", plain, conf);
        assert_int_equal(repo_conf_load_text("again", text, strlen(text), &c, error, sizeof(error)), 0);
        assert_int_equal(repo_link(a.lab.mds.tier, "again", &c, error, sizeof(error)), 0);
        repo_conf_free(&c);
}

/* As a store that makes ETags of the bytes. */
static void has_the_etag_of_f(const char *key)
{
        struct bucket_object *o = bucket_find(&a.bucket, key);

        snprintf(o->etag, sizeof(o->etag), "%.*s", (int)sizeof(o->etag) - 1, etag_of("f"));
}

static void several_names_come_back_as_one_file(void **state)
{
        struct user_fh dir, fh = make(&a.train, "f", 1000);
        struct user_attrs f, g;
        unsigned copies, count;

        (void)state;
        make(&a.train, "other", 1000);
        seconds(7);
        assert_int_equal(user_mkdir(&a.u, &a.train, "d", 0755, &dir), NFS4_OK);
        assert_int_equal(user_link(&a.u, &fh, &a.train, "g"), NFS4_OK);
        assert_int_equal(user_link(&a.u, &fh, &dir, "h"), NFS4_OK);
        minutes(1);
        copies = a.bucket.copies;
        count = a.bucket.count;
        has_the_etag_of_f("g");
        has_the_etag_of_f("d/h");
        link_again("export: new,changed,deleted\ndelete_grace: 0\n");
        look(&again, "f", NULL);
        g = look(&again, "g", NULL);
        look(&again, "d", &dir);
        minutes(1);
        assert_int_equal(look(&dir, "h", NULL).fileid, g.fileid);
        f = look(&again, "f", &fh);
        assert_int_equal(f.fileid, g.fileid);
        assert_int_equal(f.links, 3);
        assert_int_equal(f.size, 1000);
        assert_int_equal(links_of(&again, "other"), 1);
        assert_true(is_archived(&fh));
        minutes(20);
        sweep_start(a.lab.mds.tier, repo_by_name(a.lab.mds.tier, "again"), false);
        minutes(2);
        assert_int_equal(a.bucket.copies, copies);
        assert_int_equal(a.bucket.count, count);
        assert_int_equal(user_remove(&a.u, &again, "g"), NFS4_OK);
        minutes(1);
        assert_int_equal(a.bucket.count, count - 1);
        assert_int_equal(links_of(&again, "f"), 2);
}

/* Who copies an object copies what it says. */
static void what_somebody_has_copied_is_a_file_of_its_own(void **state)
{
        (void)state;
        make_two();
        seconds(10);
        has_the_etag_of_f("g");
        bucket_put(&a.bucket, "copy", "");
        *bucket_find(&a.bucket, "copy") = *bucket_find(&a.bucket, "g");
        snprintf(a.bucket.objects[a.bucket.count - 1].key, 8, "copy");
        link_again("export: new,changed,deleted\n");
        look(&again, "copy", NULL);
        minutes(1);
        assert_int_equal(links_of(&again, "copy"), 1);
        assert_int_equal(links_of(&again, "f"), 2);
}

/* As when one of them was not sent yet. */
static void what_differs_stays_apart(void **state)
{
        (void)state;
        make_two();
        link_again("export: new,changed,deleted\n");
        look(&again, "g", NULL);
        minutes(1);
        assert_int_equal(links_of(&again, "g"), 1);
        assert_int_equal(links_of(&again, "f"), 1);
        has_the_etag_of_f("g");
        sweep_start(a.lab.mds.tier, repo_by_name(a.lab.mds.tier, "again"), false);
        minutes(1);
        assert_int_equal(links_of(&again, "g"), 2);
        assert_int_equal(look(&again, "g", NULL).fileid, look(&again, "f", NULL).fileid);
}

static void where_nothing_is_exported_each_is_a_file(void **state)
{
        (void)state;
        make_two();
        link_again("");
        look(&again, "g", NULL);
        minutes(1);
        assert_int_equal(links_of(&again, "g"), 1);
        assert_int_equal(links_of(&again, "f"), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup_with_listings, teardown)
        const struct CMUnitTest tests[] = {
                T(an_object_changed_in_s3_is_a_file_of_its_own),
                T(the_first_name_changed_in_s3_leaves_the_others),
                T(a_name_deleted_in_s3_goes_here),
                T(a_conflict_is_settled_as_for_any_file),
                T(a_cold_file_gets_a_name_without_its_bytes),
                T(names_of_a_cold_file_live_on_without_its_object),
                T(several_names_come_back_as_one_file),
                T(what_somebody_has_copied_is_a_file_of_its_own),
                T(what_differs_stays_apart),
                T(where_nothing_is_exported_each_is_a_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
