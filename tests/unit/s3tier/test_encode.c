/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "s3tier/encode.h"

static char space[64];

static void test_only_the_unreserved_stay(void **state)
{
        struct text t = text_of(space, sizeof space);

        (void)state;
        text_add_escaped(&t, "aZ09-._~/ +%\xc3\xa4", true);
        text_end(&t);
        assert_string_equal(space, "aZ09-._~/%20%2B%25%C3%A4");
        t = text_of(space, sizeof space);
        text_add_escaped(&t, "a/b", false);
        text_end(&t);
        assert_string_equal(space, "a%2Fb");
}

static void test_what_does_not_fit_is_remembered(void **state)
{
        struct text t = text_of(space, 5);

        (void)state;
        text_add(&t, "abcd");
        assert_false(t.full);
        text_add(&t, "e");
        assert_true(t.full);
        text_add(&t, "");
        assert_true(t.full);
        text_end(&t);
        assert_string_equal(space, "abcd");
}

static void test_xml(void **state)
{
        struct text t = text_of(space, sizeof space);

        (void)state;
        text_add_xml(&t, "a<&>\"\n", 6);
        text_end(&t);
        assert_string_equal(space, "a&#60;&#38;&#62;&#34;&#10;");
}

static void test_url_decode(void **state)
{
        char out[32];

        (void)state;
        assert_int_equal(url_decode("a%2Fb+%2b", 9, true, out), 5);
        assert_memory_equal(out, "a/b +", 5);
        assert_int_equal(url_decode("+", 1, false, out), 1);
        assert_int_equal(out[0], '+');
        assert_int_equal(url_decode("%4", 2, true, out), -1);
        assert_int_equal(url_decode("%zz", 3, true, out), -1);
        assert_int_equal(url_decode("", 0, true, out), 0);
}

static void test_numbers(void **state)
{
        uint64_t n;

        (void)state;
        assert_true(parse_u64("18446744073709551615", 20, &n) && n == UINT64_MAX);
        assert_false(parse_u64("18446744073709551616", 20, &n));
        assert_false(parse_u64("", 0, &n));
        assert_false(parse_u64("-1", 2, &n));
        assert_false(parse_u64("1 ", 2, &n));
}

static void test_dates(void **state)
{
        uint64_t ns;

        (void)state;
        assert_true(parse_iso8601("2009-10-12T17:50:30.250Z", &ns));
        assert_int_equal(ns, 1255369830250000000u);
        assert_true(parse_iso8601("2009-10-12T17:50:30Z", &ns));
        assert_int_equal(ns, 1255369830000000000u);
        assert_false(parse_iso8601("2009-10-12", &ns));
        assert_false(parse_iso8601("2009-10-12T17:50:30+02:00", &ns));
        assert_false(parse_iso8601("1812-10-12T17:50:30Z", &ns));
        assert_true(parse_http_date("Mon, 12 Oct 2009 17:50:30 GMT", &ns));
        assert_int_equal(ns, 1255369830000000000u);
        assert_false(parse_http_date("Mon, 12 Oct 2009", &ns));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_only_the_unreserved_stay),
                cmocka_unit_test(test_what_does_not_fit_is_remembered),
                cmocka_unit_test(test_xml),
                cmocka_unit_test(test_url_decode),
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_dates),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
