/* SPDX-License-Identifier: Apache-2.0 */
/* Counters, gauges and latency histograms in Prometheus text form. Registered once at start, updated without
 * locks by the loop that owns them (relaxed atomics, so that another thread may read). */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct metric {
        const char *name, *help, *labels; /* labels: `op="read"` or NULL; literals or kept by the caller */
        enum { METRIC_COUNTER, METRIC_GAUGE } kind;
        bool nanoseconds; /* the value is; seconds are shown */
        _Atomic uint64_t value;
        struct metric *next;
};

/* Latencies: powers of two from 1 us to 64 s. */
enum { HISTOGRAM_BUCKETS = 27 };
struct histogram {
        const char *name, *help, *labels;
        _Atomic uint64_t buckets[HISTOGRAM_BUCKETS], sum_ns, count;
        struct histogram *next;
};

struct metrics {
        struct metric *first;
        struct histogram *first_histogram;
};

void metric_register(struct metrics *m, struct metric *metric);
/* Fill in METRIC, with 0, and register it; labels and nanoseconds may be set after that. */
void metric_counter(struct metrics *m, struct metric *metric, const char *name, const char *help);
void metric_gauge(struct metrics *m, struct metric *metric, const char *name, const char *help);
void histogram_register(struct metrics *m, struct histogram *h);
static inline void metric_add(struct metric *m, uint64_t n)
{
        uint64_t value = atomic_load_explicit(&m->value, memory_order_relaxed);

        atomic_store_explicit(&m->value, value + n, memory_order_relaxed);
}
static inline void metric_set(struct metric *m, uint64_t n)
{
        atomic_store_explicit(&m->value, n, memory_order_relaxed);
}
void histogram_add(struct histogram *h, uint64_t ns);
/* All of it as Prometheus text; metrics of one name are printed together under one HELP and TYPE. */
void metrics_print(const struct metrics *m, FILE *out);
