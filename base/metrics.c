/* SPDX-License-Identifier: Apache-2.0 */
/* The text format: https://prometheus.io/docs/instrumenting/exposition_formats/ version 0.0.4. */
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/metrics.h"

/* Insert behind the last of the same name, so that printing is one walk; new names go to the end. */
#define REGISTER(head, added) \
        do { \
                __typeof__(added) *at_ = &(head), last_of_name_ = NULL; \
                for (; *at_; at_ = &(*at_)->next) \
                        if (strcmp((*at_)->name, (added)->name) == 0) \
                                last_of_name_ = *at_; \
                if (last_of_name_) \
                        at_ = &last_of_name_->next; \
                (added)->next = *at_; \
                *at_ = (added); \
        } while (0)

void metric_register(struct metrics *m, struct metric *metric)
{
        CHECK(metric->name != NULL && metric->help != NULL);
        REGISTER(m->first, metric);
}

void metric_counter(struct metrics *m, struct metric *metric, const char *name, const char *help)
{
        *metric = (struct metric){ .name = name, .help = help, .kind = METRIC_COUNTER };
        metric_register(m, metric);
}

void metric_gauge(struct metrics *m, struct metric *metric, const char *name, const char *help)
{
        *metric = (struct metric){ .name = name, .help = help, .kind = METRIC_GAUGE };
        metric_register(m, metric);
}

void histogram_register(struct metrics *m, struct histogram *h)
{
        CHECK(h->name != NULL && h->help != NULL);
        REGISTER(m->first_histogram, h);
}

static void add_relaxed(_Atomic uint64_t *value, uint64_t n)
{
        atomic_store_explicit(value, atomic_load_explicit(value, memory_order_relaxed) + n,
                              memory_order_relaxed);
}

/* Bucket i holds what took at most 2^i microseconds and more than bucket i - 1 does. */
static unsigned bucket_of(uint64_t ns)
{
        uint64_t us = (ns + 999) / 1000;

        return us <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(us - 1);
}

void histogram_add(struct histogram *h, uint64_t ns)
{
        unsigned i = ns > UINT64_MAX - 999 ? HISTOGRAM_BUCKETS : bucket_of(ns);

        if (i < HISTOGRAM_BUCKETS)
                add_relaxed(&h->buckets[i], 1);
        add_relaxed(&h->sum_ns, ns);
        add_relaxed(&h->count, 1);
}

static void print_head(const char *name, const char *help, const char *type, const char **previous, FILE *out)
{
        if (*previous && strcmp(*previous, name) == 0)
                return;
        fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
        *previous = name;
}

static uint64_t load(const _Atomic uint64_t *value)
{
        return atomic_load_explicit(value, memory_order_relaxed);
}

static void print_metric(const struct metric *m, FILE *out)
{
        const char *labels = m->labels ? m->labels : "", *open = m->labels ? "{" : "",
                   *close = m->labels ? "}" : "";

        fprintf(out, "%s%s%s%s ", m->name, open, labels, close);
        if (m->nanoseconds)
                fprintf(out, "%.9f\n", (double)load(&m->value) / 1e9);
        else
                fprintf(out, "%" PRIu64 "\n", load(&m->value));
}

static void print_histogram(const struct histogram *h, FILE *out)
{
        const char *labels = h->labels ? h->labels : "", *comma = h->labels ? "," : "";
        const char *open = h->labels ? "{" : "", *close = h->labels ? "}" : "";
        /* The owner may add while we print: +Inf is kept at least as large as the buckets below it. */
        uint64_t count = load(&h->count), below = 0;

        for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
                below += load(&h->buckets[i]);
                fprintf(out, "%s_bucket{%s%sle=\"%.9g\"} %" PRIu64 "\n", h->name, labels, comma,
                        (double)(UINT64_C(1) << i) / 1e6, below);
        }
        if (count < below)
                count = below;
        fprintf(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", h->name, labels, comma, count);
        fprintf(out, "%s_sum%s%s%s %.9f\n", h->name, open, labels, close, (double)load(&h->sum_ns) / 1e9);
        fprintf(out, "%s_count%s%s%s %" PRIu64 "\n", h->name, open, labels, close, count);
}

void metrics_print(const struct metrics *m, FILE *out)
{
        const char *previous = NULL;

        for (const struct metric *i = m->first; i; i = i->next) {
                print_head(i->name, i->help, i->kind == METRIC_COUNTER ? "counter" : "gauge", &previous, out);
                print_metric(i, out);
        }
        previous = NULL;
        for (const struct histogram *i = m->first_histogram; i; i = i->next) {
                print_head(i->name, i->help, "histogram", &previous, out);
                print_histogram(i, out);
        }
}
