/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "s3tier/retry.h"

#define MS UINT64_C(1000000)

static const struct retry_policy policy = {
        .base_ms = 100, .cap_ms = 1000, .attempts = 6, .deadline_ms = 5000
};

static uint64_t pause_of(enum retry_class class, uint32_t attempts, uint64_t random)
{
        struct retry r = { .began_ns = 7, .attempts = attempts };
        uint64_t ns = UINT64_MAX;

        assert_true(retry_pause(&policy, &r, class, 7, random, &ns));
        return ns;
}

static void test_pauses_double_up_to_the_cap(void **state)
{
        static const uint64_t longest[] = { 100, 200, 400, 800, 1000 };

        (void)state;
        for (uint32_t n = 1; n <= 5; n++) {
                assert_int_equal(pause_of(RETRY_LATER, n, 0), longest[n - 1] * MS / 2);
                assert_int_equal(pause_of(RETRY_LATER, n, longest[n - 1] * MS / 2), longest[n - 1] * MS);
        }
        assert_int_equal(pause_of(RETRY_SLOW_DOWN, 1, 0), 100 * MS);
        assert_int_equal(pause_of(RETRY_SOON, 1, 0), 13 * MS / 2);
}

static void test_jitter_stays_inside(void **state)
{
        uint64_t x = 88172645463325252u;

        (void)state;
        for (int i = 0; i < 1000; i++) {
                uint64_t ns;

                x ^= x << 13, x ^= x >> 7, x ^= x << 17;
                ns = pause_of(RETRY_LATER, 3, x);
                assert_in_range(ns, 200 * MS, 400 * MS);
        }
}

static void test_the_end(void **state)
{
        struct retry r = { .began_ns = 0, .attempts = 1 };
        uint64_t ns = 5;

        (void)state;
        assert_false(retry_pause(&policy, &r, RETRY_NEVER, 0, 0, &ns));
        assert_true(retry_pause(&policy, &r, RETRY_LATER, 4950 * MS, 0, &ns)); /* begins at the deadline */
        ns = 5;
        assert_false(retry_pause(&policy, &r, RETRY_LATER, 4950 * MS + 1, 0, &ns));
        r.attempts = 6;
        assert_false(retry_pause(&policy, &r, RETRY_LATER, 0, 0, &ns));
        assert_int_equal(ns, 5);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pauses_double_up_to_the_cap),
                cmocka_unit_test(test_jitter_stays_inside),
                cmocka_unit_test(test_the_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
