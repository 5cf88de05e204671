/* SPDX-License-Identifier: Apache-2.0 */
/* Names for parts of keys: plain ones, escaped ones, no two alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mds/tier/name.h"

static void is_named(const char *part, uint32_t length, bool second, const char *expected)
{
        char out[TIER_NAME_BYTES];
        uint32_t got = tier_name(slice_of(part, length), second, out);

        assert_int_equal(got, strlen(expected));
        assert_memory_equal(out, expected, got);
}
#define IS_NAMED(part, expected) is_named(part, sizeof(part) - 1, false, expected)

static void what_is_a_name(void **state)
{
        (void)state;
        IS_NAMED("a", "a");
        IS_NAMED("100%", "100%");
        IS_NAMED("a=b", "a=b");
        IS_NAMED("...", "...");
        IS_NAMED(".hidden", ".hidden");
        IS_NAMED("gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f");
        IS_NAMED("\xf0\x9f\x90\x9a", "\xf0\x9f\x90\x9a");
}

static void what_is_none(void **state)
{
        (void)state;
        IS_NAMED("", "%s3%");
        IS_NAMED(".", "%s3%%2e");
        IS_NAMED("..", "%s3%%2e%2e");
        IS_NAMED("%s3%", "%s3%%25s3%25");
        IS_NAMED("a\0b", "%s3%a%00b");
        IS_NAMED("\xff", "%s3%%ff");
        IS_NAMED("a=\xff", "%s3%a%3d%ff");
        IS_NAMED("\xc0\xaf", "%s3%%c0%af");        /* overlong */
        IS_NAMED("\xed\xa0\x80", "%s3%%ed%a0%80"); /* a surrogate */
        IS_NAMED("\xf4\x90\x80\x80", "%s3%%f4%90%80%80");
        IS_NAMED("\xe2\x82", "%s3%%e2%82"); /* cut */
}

static void the_mark(void **state)
{
        (void)state;
        assert_true(tier_name_is_escaped(slice_str("%s3%%2e")));
        assert_true(tier_name_is_escaped(slice_str("%s3%")));
        assert_false(tier_name_is_escaped(slice_str("%s3")));
        assert_false(tier_name_is_escaped(slice_str("a%s3%")));
}

static void a_taken_name(void **state)
{
        (void)state;
        is_named("a", 1, true, "%s3%=a");
        is_named("=a", 2, true, "%s3%=%3da");
        is_named("", 0, true, "%s3%=");
        is_named("=a", 2, false, "=a");
}

/* Cut between characters, told apart by the hash. */
static void long_ones(void **state)
{
        char part[400], a[TIER_NAME_BYTES], b[TIER_NAME_BYTES];
        uint32_t length;

        (void)state;
        memset(part, 'n', sizeof(part));
        assert_int_equal(tier_name(slice_of(part, 255), false, a), 255);
        assert_memory_equal(a, part, 255);
        length = tier_name(slice_of(part, 256), false, a);
        assert_in_range(length, 250, 255);
        assert_memory_equal(a, "%s3%nnn", 7);
        part[300] = 'm';
        assert_int_equal(tier_name(slice_of(part, 400), false, b), length);
        assert_memory_not_equal(a, b, length);
        for (uint32_t i = 0; i < sizeof(part); i += 2)
                memcpy(part + i, "\xc3\xbc", 2);
        length = tier_name(slice_of(part, 400), false, a);
        assert_in_range(length, 250, 255);
        assert_int_equal((length - 4 - 18) % 2, 0);
        assert_memory_equal(a + length - 18, "%~", 2);
        memset(part, '\xff', sizeof(part));
        length = tier_name(slice_of(part, 255), true, a);
        assert_in_range(length, 250, 255);
        assert_int_equal((length - 5 - 18) % 3, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_a_name), cmocka_unit_test(what_is_none), cmocka_unit_test(the_mark),
                cmocka_unit_test(a_taken_name),   cmocka_unit_test(long_ones),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
