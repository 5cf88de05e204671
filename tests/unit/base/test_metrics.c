/* SPDX-License-Identifier: Apache-2.0 */
/* The text is what Prometheus' exposition format 0.0.4 asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/metrics.h"

static char *print(const struct metrics *m)
{
        size_t length;
        char *text;
        FILE *out = open_memstream(&text, &length);

        metrics_print(m, out);
        fclose(out);
        return text;
}

static void test_nothing(void **state)
{
        struct metrics m = { 0 };
        CLEANUP_FREE char *text = print(&m);

        (void)state;
        assert_string_equal(text, "");
}

static void test_one_head_for_one_name(void **state)
{
        struct metric read = {
                .name = "ops_total", .help = "Operations", .labels = "op=\"read\"", .kind = METRIC_COUNTER
        };
        struct metric lag = { .name = "lag_ns", .help = "Lag", .kind = METRIC_GAUGE };
        struct metric write = {
                .name = "ops_total", .help = "Operations", .labels = "op=\"write\"", .kind = METRIC_COUNTER
        };
        struct metrics m = { 0 };
        CLEANUP_FREE char *text = NULL;

        (void)state;
        metric_register(&m, &read);
        metric_register(&m, &lag);
        metric_register(&m, &write);
        metric_add(&read, 2);
        metric_add(&read, 3);
        metric_set(&lag, UINT64_MAX);
        text = print(&m);
        assert_string_equal(text, "# HELP ops_total Operations\n# TYPE ops_total counter\n"
                                  "ops_total{op=\"read\"} 5\nops_total{op=\"write\"} 0\n"
                                  "# HELP lag_ns Lag\n# TYPE lag_ns gauge\nlag_ns 18446744073709551615\n");
}

static void test_nanoseconds_are_shown_as_seconds(void **state)
{
        struct metric lag = { .name = "lag_seconds",
                              .help = "Lag",
                              .labels = "loop=\"0\"",
                              .kind = METRIC_GAUGE,
                              .nanoseconds = true };
        struct metrics m = { 0 };
        CLEANUP_FREE char *text = NULL;

        (void)state;
        metric_register(&m, &lag);
        metric_set(&lag, 1500000001);
        text = print(&m);
        assert_string_equal(text, "# HELP lag_seconds Lag\n# TYPE lag_seconds gauge\n"
                                  "lag_seconds{loop=\"0\"} 1.500000001\n");
}

static uint64_t bucket_with(uint64_t ns)
{
        struct histogram h = { .name = "h", .help = "h" };

        histogram_add(&h, ns);
        assert_int_equal(h.count, 1);
        assert_int_equal(h.sum_ns, ns);
        for (uint64_t i = 0; i < HISTOGRAM_BUCKETS; i++)
                if (h.buckets[i] == 1)
                        return i;
        return HISTOGRAM_BUCKETS;
}

static void test_bucket_bounds_are_inclusive(void **state)
{
        (void)state;
        assert_int_equal(bucket_with(0), 0);
        assert_int_equal(bucket_with(1000), 0);
        assert_int_equal(bucket_with(1001), 1);
        assert_int_equal(bucket_with(2000), 1);
        assert_int_equal(bucket_with(2001), 2);
        assert_int_equal(bucket_with(4000), 2);
        assert_int_equal(bucket_with(UINT64_C(67108864) * 1000), 26);
        assert_int_equal(bucket_with(UINT64_C(67108864) * 1000 + 1), HISTOGRAM_BUCKETS);
        assert_int_equal(bucket_with(UINT64_MAX), HISTOGRAM_BUCKETS);
}

static void test_histogram_text(void **state)
{
        struct histogram h = { .name = "op_seconds", .help = "Latency", .labels = "op=\"read\"" };
        struct histogram bare = { .name = "sync_seconds", .help = "Syncs" };
        struct metrics m = { 0 };
        CLEANUP_FREE char *text = NULL;

        (void)state;
        histogram_register(&m, &h);
        histogram_register(&m, &bare);
        histogram_add(&h, 500);
        histogram_add(&h, 3000);
        histogram_add(&h, UINT64_C(100000000000));
        text = print(&m);
        assert_memory_equal(text, "# HELP op_seconds Latency\n# TYPE op_seconds histogram\n", 54);
        assert_non_null(strstr(
                text,
                "op_seconds_bucket{op=\"read\",le=\"1e-06\"} 1\nop_seconds_bucket{op=\"read\",le=\"2e-06\"} 1\n"
                "op_seconds_bucket{op=\"read\",le=\"4e-06\"} 2\n"));
        assert_non_null(strstr(
                text,
                "op_seconds_bucket{op=\"read\",le=\"67.108864\"} 2\nop_seconds_bucket{op=\"read\",le=\"+Inf\"} 3\n"
                "op_seconds_sum{op=\"read\"} 100.000003500\nop_seconds_count{op=\"read\"} 3\n"));
        assert_non_null(strstr(text, "sync_seconds_bucket{le=\"1e-06\"} 0\n"));
        assert_non_null(strstr(text, "sync_seconds_sum 0.000000000\nsync_seconds_count 0\n"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing),
                cmocka_unit_test(test_one_head_for_one_name),
                cmocka_unit_test(test_nanoseconds_are_shown_as_seconds),
                cmocka_unit_test(test_bucket_bounds_are_inclusive),
                cmocka_unit_test(test_histogram_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
