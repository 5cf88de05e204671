/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests that somebody else has written say what the objects' metadata could, and lead nobody astray. */
#include "tests/lab/mds_user_xattrs.h"
#include "tests/scenario/manifest.h"

static char space[MANIFEST_PAGE_BYTES];

static void add(struct manifest_page *p, const char *name, const char *const *metadata)
{
        const struct bucket_object *o = bucket_find(&a.bucket, name);
        struct manifest_entry e = { .size = o->size,
                                    .modified_ns = o->modified_ns / 1000000000 * 1000000000 };

        snprintf(e.etag, sizeof(e.etag), "%s", o->etag);
        for (; *metadata; metadata += 2)
                assert_true(s3_metadata_put(&e.metadata, metadata[0], metadata[1]));
        assert_true(manifest_page_add(p, name, &e));
}
#define ADD(p, name, ...) add(p, name, (const char *const[]){ __VA_ARGS__, NULL })

static void put_page(struct manifest_page *p, unsigned number, const char *through, bool more)
{
        struct slice text = manifest_page_end(p, through, more);
        struct bucket_object *o;
        char key[MANIFEST_KEY_BYTES];

        manifest_key("", number, key);
        bucket_put(&a.bucket, key, "");
        o = bucket_find(&a.bucket, key);
        assert_true(text.length <= BUCKET_BODY);
        memcpy(o->body, text.data, text.length);
        o->size = text.length;
}

static void a_forged_one_says_what_an_object_could(void **state)
{
        static const char *const odd[] = {
                "file-permissions",
                "0140777",
                "file-owner",
                "4294967295",
                "file-group",
                "wheel",
                "xattr",
                "%7B%22security.x%22%3A%22eA%3D%3D%22%2C%22user.nacre.state%22%3A%22eA%3D%3D%22%7D"
        };
        struct manifest_page p = { .space = space };
        struct user_fh again, fh;
        struct user_attrs f;

        (void)state;
        bucket_put(&a.bucket, "odd", "1");
        bucket_put(&a.bucket, "link", "1"); /* whose target would be another than its bytes */
        bucket_put(&a.bucket, "dir", "1");
        manifest_page_begin(&p, "", 0);
        ADD(&p, "odd", odd[0], odd[1], odd[2], odd[3], odd[4], odd[5], odd[6], odd[7]);
        ADD(&p, "link", "file-permissions", "0120777");
        ADD(&p, "dir", "file-permissions", "0040777");
        put_page(&p, 0, "odd", false);
        again = link_again();
        f = look(&again, "odd", &fh);
        assert_true(f.type == NF4REG && f.mode == 0644 && f.uid == 7 && f.gid == 8);
        assert_int_equal(user_count_xattrs(&a.u, &fh), 0);
        assert_int_equal(look(&again, "link", NULL).type, NF4REG);
        seconds(5);
        assert_int_equal(a.bucket.heads, 1); /* of that; the others were believed as far as they made sense */
        f = look(&again, "dir", NULL);
        assert_true(f.type == NF4REG && f.mode == 0644);
}

static void page_after_page(void **state)
{
        static const char *const names[] = { "a", "b", "d", "e", "f" };
        struct manifest_page p = { .space = space };
        struct user_fh again;

        (void)state;
        for (unsigned i = 0; i < 5; i++)
                bucket_put(&a.bucket, names[i], "1");
        for (unsigned i = 0; i < 5; i += 2) {
                manifest_page_begin(&p, "", i / 2);
                ADD(&p, names[i], "file-owner", "1001");
                if (i + 1 < 5)
                        ADD(&p, names[i + 1], "file-owner", "1001");
                put_page(&p, i / 2, i == 0 ? "c" : names[i + (i < 4)], i < 4);
        }
        again = link_again();
        for (unsigned i = 0; i < 5; i++)
                assert_int_equal(look(&again, names[i], NULL).uid, 1001);
        seconds(5);
        assert_int_equal(a.bucket.heads, 0);
        assert_int_equal(a.bucket.gets, 3);
}

/* Pages that lead nowhere are not followed. */
static void pages_that_do_not_go_on_are_left(void **state)
{
        struct manifest_page p = { .space = space };
        struct user_fh again;

        (void)state;
        bucket_put(&a.bucket, "b", "1");
        for (unsigned i = 0; i < 3; i++) {
                manifest_page_begin(&p, "", i);
                put_page(&p, i, "a", true);
        }
        again = link_again();
        assert_int_equal(look(&again, "b", NULL).uid, 7);
        seconds(5);
        assert_int_equal(a.bucket.gets, 2);
        assert_int_equal(a.bucket.heads, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup_with_manifests, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_forged_one_says_what_an_object_could),
                TEST(page_after_page),
                TEST(pages_that_do_not_go_on_are_left),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
