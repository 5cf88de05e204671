/* SPDX-License-Identifier: Apache-2.0 */
/* Text and universal addresses (RFC 5665 5.2.3) both ways, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "base/env.h"

static void texts_come_back_as_they_were(void **state)
{
        static const char *const texts[] = {
                "192.0.2.1:2049",
                "0.0.0.0:0",
                "255.255.255.255:65535",
                "[::1]:2049",
                "[::]:0",
                "[2001:db8::fe:1]:65535",
                "[::ffff:192.0.2.1]:80",
        };

        (void)state;
        for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                struct netaddr a;
                char out[NETADDR_TEXT];

                assert_int_equal(netaddr_parse(texts[i], 1, &a), 0);
                assert_string_equal(netaddr_format(&a, out), texts[i]);
        }
}

static void the_port_may_be_left_out(void **state)
{
        static const char *const texts[] = { "192.0.2.1", "[2001:db8::1]", "2001:db8::1", "::" };

        (void)state;
        for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                struct netaddr a;

                assert_int_equal(netaddr_parse(texts[i], 2050, &a), 0);
                assert_int_equal(a.port, 2050);
                assert_int_equal(a.family, i == 0 ? 4 : 6);
        }
}

static void bad_texts_are_refused(void **state)
{
        static const char *const texts[] = {
                "",
                ":",
                ":2049",
                "localhost",
                "localhost:2049",
                "192.0.2",
                "192.0.2.256",
                "192.0.2.1:",
                "192.0.2.1:65536",
                "192.0.2.1:-1",
                "192.0.2.1:+1",
                "192.0.2.1: 1",
                "192.0.2.1:1 ",
                "192.0.2.1:01",
                "192.0.2.1:123456",
                "192.0.2.1:20x",
                "[",
                "[]",
                "[]:1",
                "[::1",
                "[::1]2049",
                "[::1]:",
                "[::1]:99999",
                "[192.0.2.1]:1",
                "[::1%lo]:1",
                "1:2:3:4:5:6:7:8:9",
                "::1::",
                "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]:1",
                "192.0.2.1192.0.2.1192.0.2.1192.0.2.1192.0.2.1192.0.2.1:1",
        };

        (void)state;
        for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                struct netaddr a = { .family = 99 };

                assert_int_equal(netaddr_parse(texts[i], 1, &a), -EINVAL);
                assert_int_equal(a.family, 99);
        }
}

static void universal_addresses_go_both_ways(void **state)
{
        static const struct {
                const char *text, *netid, *universal;
        } cases[] = {
                { "192.0.2.1:2049", "tcp", "192.0.2.1.8.1" },
                { "10.0.0.1:65535", "tcp", "10.0.0.1.255.255" },
                { "0.0.0.0:0", "tcp", "0.0.0.0.0.0" },
                { "[::1]:2049", "tcp6", "::1.8.1" },
                { "[2001:db8::1]:111", "tcp6", "2001:db8::1.0.111" },
                { "[::ffff:192.0.2.1]:80", "tcp6", "::ffff:192.0.2.1.0.80" },
        };

        (void)state;
        for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct netaddr a, back;
                char out[NETADDR_TEXT];

                assert_int_equal(netaddr_parse(cases[i].text, 0, &a), 0);
                assert_string_equal(netaddr_netid(&a), cases[i].netid);
                assert_string_equal(netaddr_universal(&a, out), cases[i].universal);
                assert_int_equal(netaddr_from_universal(cases[i].netid, out, &back), 0);
                assert_true(netaddr_equal(&a, &back));
        }
}

static void bad_universal_addresses_are_refused(void **state)
{
        static const struct {
                const char *netid, *universal;
        } cases[] = {
                { "tcp", "" },
                { "tcp", "." },
                { "tcp", ".." },
                { "tcp", "192.0.2.1" },
                { "tcp", "192.0.2.1.8" },
                { "tcp", "192.0.2.1.8." },
                { "tcp", "192.0.2.1..1" },
                { "tcp", "192.0.2.1.256.1" },
                { "tcp", "192.0.2.1.8.256" },
                { "tcp", "192.0.2.1.8.1." },
                { "tcp", "192.0.2.1.8.1x" },
                { "tcp", "192.0.2.1.08.1" },
                { "tcp", "192.0.2.1.-8.1" },
                { "tcp", "192.0.2.1.8.1.1" },
                { "tcp", "::1.8.1" },
                { "tcp6", "192.0.2.1.8.1" },
                { "tcp6", "[::1].8.1" },
                { "tcp6", "::1" },
                { "udp", "192.0.2.1.8.1" },
                { "", "192.0.2.1.8.1" },
                { "tcp", "192.0.2.1.0008.1" },
        };

        (void)state;
        for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct netaddr a = { .family = 99 };

                assert_int_equal(netaddr_from_universal(cases[i].netid, cases[i].universal, &a), -EINVAL);
                assert_int_equal(a.family, 99);
        }
}

static void equality_looks_at_all_that_counts(void **state)
{
        struct netaddr a, b;

        (void)state;
        assert_int_equal(netaddr_parse("192.0.2.1:1", 0, &a), 0);
        b = a;
        b.bytes[4] = 7; /* beyond an IPv4 address */
        assert_true(netaddr_equal(&a, &b));
        b.port = 2;
        assert_false(netaddr_equal(&a, &b));
        assert_int_equal(netaddr_parse("192.0.2.2:1", 0, &b), 0);
        assert_false(netaddr_equal(&a, &b));
        assert_int_equal(netaddr_parse("[c000:201::]:1", 0, &b), 0); /* begins with the same bytes */
        assert_false(netaddr_equal(&a, &b));
}

static void no_address_has_a_text_too(void **state)
{
        struct netaddr none = { 0 };
        char out[NETADDR_TEXT];

        (void)state;
        assert_string_equal(netaddr_format(&none, out), "none:0");
}

static void test_any(void **state)
{
        static const struct {
                const char *text;
                bool any;
        } cases[] = { { "0.0.0.0:1", true },
                      { "[::]:1", true },
                      { "0.0.0.1", false },
                      { "::1", false },
                      { "1.0.0.0:0", false } };
        struct netaddr a;

        (void)state;
        for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                assert_int_equal(netaddr_parse(cases[i].text, 9, &a), 0);
                assert_int_equal(netaddr_is_any(&a), cases[i].any);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_any),
                cmocka_unit_test(texts_come_back_as_they_were),
                cmocka_unit_test(the_port_may_be_left_out),
                cmocka_unit_test(bad_texts_are_refused),
                cmocka_unit_test(universal_addresses_go_both_ways),
                cmocka_unit_test(bad_universal_addresses_are_refused),
                cmocka_unit_test(equality_looks_at_all_that_counts),
                cmocka_unit_test(no_address_has_a_text_too),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
