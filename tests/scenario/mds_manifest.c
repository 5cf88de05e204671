/* SPDX-License-Identifier: Apache-2.0 */
/* Who links a bucket anew that Nacre has written to asks for no object that is as it was: a manifest tells of
 * it. It is believed of nothing that has changed, and says nothing that an object could not. */
#include <stdio.h>
#include <stdlib.h>

#include "mds/tier/sweep.h"
#include "tests/lab/mds_user_xattrs.h"
#include "tests/scenario/manifest.h"

static void set(const struct user_fh *fh, uint32_t mode, uint32_t uid, int64_t mtime)
{
        struct attr_set set = { .mode = mode, .uid = uid, .time_modify = mtime };

        bitmap_set(&set.mask, FATTR4_MODE);
        bitmap_set(&set.mask, FATTR4_OWNER);
        bitmap_set(&set.mask, FATTR4_TIME_MODIFY_SET);
        assert_int_equal(user_setattr(&a.u, fh, NULL, &set), NFS4_OK);
}

static const struct bucket_object *page_of(const char *prefix)
{
        char key[MANIFEST_KEY_BYTES];

        manifest_key(prefix, 0, key);
        return bucket_find(&a.bucket, key);
}

static unsigned pages(void)
{
        unsigned count = 0;

        for (unsigned i = 0; i < a.bucket.count; i++)
                count += manifest_is_reserved(a.bucket.objects[i].key);
        return count;
}

static struct slice xattr_of(const struct user_fh *fh, const char *name)
{
        struct slice value;

        assert_int_equal(user_getxattr(&a.u, fh, name, &value), NFS4_OK);
        return value;
}

/* d/ with f, empty, link and d/e/ with g; all of it in S3, and told of. */
static void make_tree(struct user_fh *d, struct user_fh *e)
{
        struct user_fh f;

        assert_int_equal(user_mkdir(&a.u, &a.train, "d", 0750, d), NFS4_OK);
        assert_int_equal(user_mkdir(&a.u, d, "e", 0711, e), NFS4_OK);
        f = make(d, "f", 1000);
        make(d, "empty", 0);
        make(e, "g", 20);
        assert_int_equal(user_symlink(&a.u, d, "link", "../f"), NFS4_OK);
        assert_int_equal(user_setxattr(&a.u, &f, SETXATTR4_EITHER, "colour", slice_str("blue\t=%\n")),
                         NFS4_OK);
        set(&f, 04711, 1001, 1234567890123456789);
        set(d, 01777, 1002, 987654321);
        seconds(80);
        assert_int_equal(pages(), 3);
}

static void what_was_exported_comes_back_without_a_question(void **state)
{
        struct user_fh d, e, again, x, y;
        unsigned heads, gets;

        (void)state;
        make_tree(&d, &e);
        heads = a.bucket.heads;
        gets = a.bucket.gets;
        again = link_again();
        expect_same(&a.train, &again, "d", NULL, &y);
        expect_same(&d, &y, "empty", NULL, NULL);
        expect_same(&d, &y, "f", NULL, &x);
        assert_true(slice_equal(xattr_of(&x, "colour"), slice_str("blue\t=%\n")));
        expect_same(&d, &y, "link", NULL, &x);
        assert_true(slice_equal(user_readlink(&a.u, &x), slice_str("../f")));
        expect_same(&d, &y, "e", NULL, &x);
        expect_same(&e, &x, "g", NULL, NULL);
        assert_int_equal(user_lookup(&a.u, &again, ".nacre", NULL), NFS4ERR_NOENT);
        seconds(100);
        assert_int_equal(a.bucket.heads, heads);
        assert_int_equal(a.bucket.gets, gets + 3); /* a page each; the symlink's target was in one */
}

static void second_names_are_names_of_one_file(void **state)
{
        struct user_fh d, f, again, y;
        unsigned heads;

        (void)state;
        a.bucket.copies_alike = true;
        assert_int_equal(user_mkdir(&a.u, &a.train, "d", 0755, &d), NFS4_OK);
        f = make(&d, "f", 0);
        assert_int_equal(user_link(&a.u, &f, &a.train, "other"), NFS4_OK);
        seconds(90);
        heads = a.bucket.heads;
        again = link_again();
        expect_same(&a.train, &again, "d", NULL, &y);
        look(&y, "f", NULL);
        expect_same(&a.train, &again, "other", NULL, NULL);
        expect_same(&d, &y, "f", NULL, NULL);
        assert_int_equal(look(&y, "f", NULL).fileid, look(&again, "other", NULL).fileid);
        assert_int_equal(a.bucket.heads, heads);
}

/* --- what has changed since */

static void what_somebody_else_has_changed_is_asked_for(void **state)
{
        struct user_fh d, e, again, y;
        struct user_attrs f;
        struct bucket_object *o;
        unsigned heads;

        (void)state;
        make_tree(&d, &e);
        OBJECT("d/f", "other bytes", "file-permissions", "0100604", "file-owner", "5");
        o = bucket_find(&a.bucket, "d/e/g"); /* the same bytes with another owner */
        bucket_describe(o, "file-owner", "6");
        for (unsigned i = 0; i + 1 < o->metadata_count; i++)
                if (strcmp(o->metadata[i].name, "file-owner") == 0)
                        o->metadata[i] = o->metadata[o->metadata_count - 1];
        o->modified_ns += 5000000000;
        heads = a.bucket.heads;
        again = link_again();
        look(&again, "d", &y);
        f = look(&y, "f", NULL);
        assert_true(f.mode == 0604 && f.uid == 5);
        look(&y, "e", &y);
        assert_int_equal(look(&y, "g", NULL).uid, 6);
        seconds(10);
        assert_int_equal(a.bucket.heads, heads + 2); /* each once, the others never */
}

/* A listing of the directory above does not show the object of a directory: that is seen when its own names
 * are listed, before anybody acts on one. */
static void a_directory_of_somebody_else_is_asked_for_when_it_is_entered(void **state)
{
        struct user_fh d, e, again, y;
        struct user other;
        unsigned heads;

        (void)state;
        make_tree(&d, &e);
        seconds(10);
        OBJECT("d/", "", "file-permissions", "0040700", "file-owner", "5", "file-group", "5");
        heads = a.bucket.heads;
        again = link_again();
        user_start(&other, &a.lab, "other", 2, 1002, 1002);
        assert_int_equal(user_lookup(&other, &again, "d", &y), NFS4_OK);
        assert_int_equal(a.bucket.heads, heads);
        assert_int_equal(user_lookup(&other, &y, "f", NULL), NFS4ERR_ACCESS);
        assert_int_equal(a.bucket.heads, heads + 1);
        assert_int_equal(look(&again, "d", NULL).mode, 0700);
}

static void what_is_damaged_is_not_believed(void **state)
{
        struct user_fh d, e, again, y;
        struct bucket_object *page;
        unsigned heads;

        (void)state;
        make_tree(&d, &e);
        page = (struct bucket_object *)(uintptr_t)page_of("d/");
        page->body[page->size / 2] ^= 1;
        page = (struct bucket_object *)(uintptr_t)page_of("d/e/");
        page->body[strlen("nacre-manifest\t")] = '2'; /* of another version */
        heads = a.bucket.heads;
        again = link_again();
        expect_same(&a.train, &again, "d", NULL, &y);
        expect_same(&d, &y, "f", NULL, NULL);
        seconds(5);
        assert_int_equal(a.bucket.heads, heads + 4); /* f, empty, link, e */
        look(&y, "e", &y);
        expect_same(&e, &y, "g", NULL, NULL);
        seconds(5);
        assert_int_equal(a.bucket.heads, heads + 5);
}

/* --- when it is written */

static void a_crash_does_not_lose_it(void **state)
{
        struct user_fh f;

        (void)state;
        f = make(&a.train, "f", 10);
        seconds(10);
        assert_true(is_archived(&f));
        assert_null(page_of(""));
        archive_lab_crash(&a);
        seconds(70);
        assert_non_null(page_of(""));
        assert_non_null(strstr(page_of("")->body, "\nf\t"));
}

/* While the client is there. */
static void minutes(unsigned n)
{
        for (unsigned i = 0; i < 2 * n; i++) {
                look(&a.root, "train", NULL);
                seconds(30);
        }
}

static void what_changes_is_told_anew_and_nothing_else(void **state)
{
        struct user_fh d, e;
        unsigned puts;

        (void)state;
        make_tree(&d, &e);
        puts = a.bucket.puts;
        minutes(17);
        assert_int_equal(a.bucket.puts, puts);
        make(&e, "h", 10);
        seconds(80);
        assert_int_equal(a.bucket.puts, puts + 1);
        assert_non_null(strstr(page_of("d/e/")->body, "\nh\t"));
        assert_int_equal(user_remove(&a.u, &e, "h"), NFS4_OK);
        minutes(4);
        assert_null(strstr(page_of("d/e/")->body, "\nh\t"));
}

static void a_large_directory_has_pages(void **state)
{
        static const char *const dirs[] = { "d", "x" };
        struct user_fh again, d;
        char name[8];
        unsigned heads;

        (void)state;
        a.bucket.page_keys = 3;
        for (unsigned i = 0; i < 2; i++)
                assert_int_equal(user_mkdir(&a.u, &a.train, dirs[i], 0700 + i, &d), NFS4_OK);
        for (unsigned i = 0; i < 8; i++) {
                snprintf(name, sizeof(name), "f%u", i);
                make(&a.train, name, 0);
        }
        minutes(2);
        assert_int_equal(pages(), 4);
        heads = a.bucket.heads;
        again = link_again();
        for (unsigned i = 0; i < 8; i++) {
                snprintf(name, sizeof(name), "f%u", i);
                expect_same(&a.train, &again, name, NULL, NULL);
        }
        for (unsigned i = 0; i < 2; i++)
                expect_same(&a.train, &again, dirs[i], NULL, NULL);
        seconds(5);
        assert_int_equal(a.bucket.heads, heads);
        for (unsigned i = 0; i < 7; i++) {
                snprintf(name, sizeof(name), "f%u", i);
                assert_int_equal(user_remove(&a.u, &a.train, name), NFS4_OK);
        }
        minutes(5);
        assert_int_equal(pages(), 2); /* ".nacre/" is in the listing now, too */
        assert_non_null(strstr(page_of("")->body, "\nf7\t"));
}

static void that_of_a_directory_that_is_gone_goes(void **state)
{
        struct user_fh d, e;

        (void)state;
        make_tree(&d, &e);
        assert_int_equal(user_rename(&a.u, &d, "e", &a.train, "n"), NFS4_OK);
        minutes(5);
        assert_null(page_of("d/e/"));
        assert_non_null(page_of("n/"));
        assert_int_equal(user_remove(&a.u, &e, "g"), NFS4_OK);
        assert_int_equal(user_remove(&a.u, &a.train, "n"), NFS4_OK);
        minutes(5);
        assert_null(page_of("n/"));
        assert_int_equal(pages(), 2);
}

static void when_s3_refuses_it_is_tried_later(void **state)
{
        (void)state;
        make(&a.train, "f", 10);
        seconds(10);
        a.bucket.status = 403;
        minutes(2);
        a.bucket.status = 0;
        minutes(2);
        assert_null(page_of(""));
        minutes(10);
        assert_non_null(page_of(""));
}

static void who_does_not_want_it_has_none(void **state)
{
        struct user_fh d, e, again;
        unsigned gets;

        (void)state;
        make_tree(&d, &e);
        gets = a.bucket.gets;
        again = link_with("manifest: no");
        expect_same(&a.train, &again, "d", NULL, NULL);
        assert_int_equal(a.bucket.gets, gets);
}

/* --- it is nobody's file */

static void sweep(bool dry)
{
        assert_int_equal(sweep_start(a.lab.mds.tier, repo_by_name(a.lab.mds.tier, "train"), dry), 0);
        seconds(10);
}

static void sweeps_pass_over_it(void **state)
{
        struct user_fh d, e;
        char *text;
        size_t length;
        FILE *out;

        (void)state;
        make_tree(&d, &e);
        sweep(false);
        sweep(true);
        out = open_memstream(&text, &length);
        assert_non_null(out);
        sweep_print(repo_by_name(a.lab.mds.tier, "train"), out);
        fclose(out);
        assert_non_null(strstr(text, "\"names\":6,\"new\":0,\"changed\":0,\"deleted\":0"));
        free(text);
        assert_int_equal(user_lookup(&a.u, &a.train, ".nacre", NULL), NFS4ERR_NOENT);
        assert_int_equal(pages(), 3);
}

static void nobody_can_make_a_directory_there(void **state)
{
        struct user_fh d, fh;

        (void)state;
        assert_int_equal(user_mkdir(&a.u, &a.train, ".nacre", 0755, &fh), NFS4ERR_PERM);
        assert_int_equal(user_mkdir(&a.u, &a.train, "d", 0755, &d), NFS4_OK);
        assert_int_equal(user_rename(&a.u, &a.train, "d", &a.train, ".nacre"), NFS4ERR_PERM);
        assert_int_equal(user_mkdir(&a.u, &d, ".nacre", 0755, &fh), NFS4_OK);
        assert_int_equal(user_mkdir(&a.u, &a.root, ".nacre", 0755, &fh), NFS4_OK);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup_with_manifests, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(what_was_exported_comes_back_without_a_question),
                TEST(second_names_are_names_of_one_file),
                TEST(what_somebody_else_has_changed_is_asked_for),
                TEST(a_directory_of_somebody_else_is_asked_for_when_it_is_entered),
                TEST(what_is_damaged_is_not_believed),
                TEST(a_crash_does_not_lose_it),
                TEST(what_changes_is_told_anew_and_nothing_else),
                TEST(a_large_directory_has_pages),
                TEST(that_of_a_directory_that_is_gone_goes),
                TEST(when_s3_refuses_it_is_tried_later),
                TEST(who_does_not_want_it_has_none),
                TEST(sweeps_pass_over_it),
                TEST(nobody_can_make_a_directory_there),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
