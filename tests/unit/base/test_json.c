/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

static void test_reads_what_daemons_answer(void **state)
{
        struct json root, list, item, value;
        char text[32];
        int count = 0;

        (void)state;
        assert_true(json_parse(
                " {\"a\" : 12, \"list\":[ {\"n\":\"x\"} , {\"n\":\"y\"}], \"b\":true, \"s\":\"q\\\"\\u0041\\n\",\"a2\":-1.5e3} \n",
                &root));
        assert_int_equal(json_u64(root, "a"), 12);
        assert_int_equal(json_u64(root, "a2"), 0);
        assert_int_equal(json_u64(root, "b"), 0);
        assert_true(json_true(root, "b"));
        assert_false(json_true(root, "a"));
        assert_false(json_member(root, "missing", &value));
        assert_string_equal(json_member_text(root, "s", text, sizeof text), "q\"A?");
        assert_string_equal(json_member_text(root, "a", text, sizeof text), "");
        assert_true(json_member(root, "list", &list));
        assert_int_equal(json_length(list), strlen("[ {\"n\":\"x\"} , {\"n\":\"y\"}]"));
        for (bool more = json_first(list, &item); more; more = json_next(&item), count++)
                assert_string_equal(json_member_text(item, "n", text, sizeof text), count == 0 ? "x" : "y");
        assert_int_equal(count, 2);
        assert_true(json_parse("{\"n\":18446744073709551615,\"e\":[],\"o\":{}}", &root));
        assert_true(json_u64(root, "n") == UINT64_MAX);
        assert_true(json_member(root, "e", &list));
        assert_false(json_first(list, &item));
        assert_true(json_member(root, "o", &list));
        assert_false(json_member(list, "x", &item));
}

static void test_strings_are_cut_and_made_visible(void **state)
{
        struct json root;
        char text[5];

        (void)state;
        assert_true(json_parse("\"abcdefgh\"", &root));
        assert_string_equal(json_text(root, text, sizeof text), "abcd");
        assert_true(json_parse("\"\\u001b\\ud83d\\/\x7f\"", &root));
        assert_string_equal(json_text(root, text, sizeof text), "\?\?/?");
        assert_true(json_parse("\"\\u12\"", &root));
        assert_string_equal(json_text(root, text, sizeof text), "?");
}

static void test_anything_else_is_refused(void **state)
{
        static const char *const bad[] = {
                "",       "{",       "}",         "[",         "[1",         "[1,",   "[1,]",
                "{\"a\"", "{\"a\":", "{\"a\":1",  "{\"a\":1,", "{\"a\":1,}", "{a:1}", "\"",
                "\"\\",   "\"\\\"",  "\"a\nb\"",  "1 2",       "tru",        "nul",   "{}x",
                "[}",     "{]",      "{\"a\" 1}", ",",         "+1",
        };
        char deep[200];
        struct json root;

        (void)state;
        for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
                if (json_parse(bad[i], &root))
                        fail_msg("taken: %s", bad[i]);
        memset(deep, '[', 100);
        memset(deep + 100, ']', 100);
        deep[199] = '\0';
        assert_false(json_parse(deep, &root));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reads_what_daemons_answer),
                cmocka_unit_test(test_strings_are_cut_and_made_visible),
                cmocka_unit_test(test_anything_else_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
