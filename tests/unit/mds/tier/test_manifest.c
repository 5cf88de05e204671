/* SPDX-License-Identifier: Apache-2.0 */
/* A page of a manifest: what goes in comes out, and what is not whole is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/digest.h"
#include "mds/tier/manifest.h"

static char space[MANIFEST_PAGE_BYTES], text[MANIFEST_PAGE_BYTES + 1];
static struct manifest_page page = { .space = space };
static struct manifest_index index_ = { .text = text };

static bool add(const char *name, const char *etag, uint64_t size, const char *target,
                const char *const *metadata)
{
        struct manifest_entry e = { .size = size, .modified_ns = 5000000000 + size };

        snprintf(e.etag, sizeof(e.etag), "%s", etag);
        e.target_length = (uint32_t)strlen(target);
        memcpy(e.target, target, e.target_length);
        for (; *metadata; metadata += 2)
                assert_true(s3_metadata_put(&e.metadata, metadata[0], metadata[1]));
        return manifest_page_add(&page, name, &e);
}
#define ADD(name, etag, size, target, ...) \
        assert_true(add(name, etag, size, target, (const char *const[]){ __VA_ARGS__, NULL }))

static bool read_text(uint32_t length)
{
        return manifest_page_read(&index_, length, "a/b/", 3);
}

static uint32_t finish(const char *through, bool more)
{
        struct slice all = manifest_page_end(&page, through, more);

        memcpy(text, all.data, all.length);
        return all.length;
}

static uint32_t make(void)
{
        manifest_page_begin(&page, "a/b/", 3);
        ADD("z", "etag-1", 7, "", "file-owner", "1001", "x", "a=b c%\"");
        ADD("odd\t\n%=\xff", "e", 0, "", "k", "");
        ADD("link", "e2", 4, "\x01/\n.", "file-permissions", "0120777");
        ADD("d/", "", 0, "", "file-mtime", "-1ns");
        return finish("z", true);
}

static void what_goes_in_comes_out(void **state)
{
        struct manifest_entry e;

        (void)state;
        assert_true(read_text(make()));
        assert_true(index_.count == 4 && index_.more);
        assert_string_equal(index_.through, "z");
        assert_true(manifest_page_find(&index_, "z", &e));
        assert_string_equal(e.etag, "etag-1");
        assert_true(e.size == 7 && e.modified_ns == 5000000007 && e.target_length == 0);
        assert_string_equal(s3_metadata_get(&e.metadata, "file-owner"), "1001");
        assert_true(manifest_page_find(&index_, "link", &e));
        assert_true(e.target_length == 4 && memcmp(e.target, "\x01/\n.", 4) == 0);
        assert_true(manifest_page_find(&index_, "odd\t\n%=\xff", &e));
        assert_string_equal(s3_metadata_get(&e.metadata, "k"), "");
        assert_true(manifest_page_find(&index_, "d/", &e));
        assert_string_equal(e.etag, "");
        assert_false(manifest_page_find(&index_, "d", &e));
        assert_false(manifest_page_find(&index_, "", &e));
}

/* No header could say that: so nothing is said of the name. */
static void what_no_header_could_say_is_not_said(void **state)
{
        struct manifest_entry e;

        (void)state;
        manifest_page_begin(&page, "a/b/", 3);
        ADD("f", "e", 1, "", "k", "line\nfeed");
        assert_true(read_text(finish("f", false)));
        assert_false(manifest_page_find(&index_, "f", &e));
}

static void every_byte_counts(void **state)
{
        uint32_t length = make();

        (void)state;
        for (uint32_t i = 0; i < length; i++) {
                make();
                text[i] ^= 4;
                assert_false(read_text(length));
        }
        for (uint32_t i = 0; i < length; i++) {
                make();
                assert_false(read_text(i));
        }
}

static void of_another_directory_page_or_version(void **state)
{
        uint32_t length = make();

        (void)state;
        assert_false(manifest_page_read(&index_, length, "a/", 3));
        make();
        assert_false(manifest_page_read(&index_, length, "a/b/", 2));
        make();
        text[strlen("nacre-manifest\t")] = '2';
        snprintf(text + length - 9, 10, "%08x\n", crc32c(0, text, length - 9));
        assert_false(read_text(length));
}

static void a_page_has_an_end(void **state)
{
        static char value[3000];
        char name[16];
        unsigned count = 0;

        (void)state;
        memset(value, '%', sizeof(value) - 1);
        manifest_page_begin(&page, "a/b/", 3);
        do
                snprintf(name, sizeof(name), "%u", count);
        while (add(name, "e", 1, "", (const char *const[]){ "k", value, NULL }) && ++count);
        assert_in_range(count, 50, 60);
        assert_true(read_text(finish("9", false)));
        assert_int_equal(index_.count, count);
        manifest_page_begin(&page, "a/b/", 3);
        for (count = 0; add("f", "e", 1, "", (const char *const[]){ "k", "v", NULL }); count++)
                ;
        assert_int_equal(count, MANIFEST_PAGE_ENTRIES);
        assert_true(read_text(finish("f", false)));
}

static void what_is_ours(void **state)
{
        char one[MANIFEST_KEY_BYTES], two[MANIFEST_KEY_BYTES];

        (void)state;
        manifest_key("", 0, one);
        manifest_key("a/", 0xffffffff, two);
        assert_string_equal(one, ".nacre/manifest/e3b0c44298fc1c149afbf4c8996fb924/00000000");
        assert_string_not_equal(one, two);
        assert_true(manifest_is_reserved(one) && manifest_is_reserved(two) &&
                    manifest_is_reserved(".nacre/"));
        assert_false(manifest_is_reserved(".nacre") || manifest_is_reserved("a/.nacre/") ||
                     manifest_is_reserved(".nacre2/"));
        assert_true(manifest_is_reserved_name(slice_str(".nacre")));
        assert_false(manifest_is_reserved_name(slice_str(".nacre/")) ||
                     manifest_is_reserved_name(slice_str(".nacr")));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_goes_in_comes_out),
                cmocka_unit_test(what_no_header_could_say_is_not_said),
                cmocka_unit_test(every_byte_counts),
                cmocka_unit_test(of_another_directory_page_or_version),
                cmocka_unit_test(a_page_has_an_end),
                cmocka_unit_test(what_is_ours),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
