/* SPDX-License-Identifier: Apache-2.0 */
/* /metrics shows the data server, not its workers: each worker counts for itself, and the sums are made when
 * asked for. All workers register the same metrics in the same order. */
#include <stdlib.h>

#include "base/check.h"
#include "ds/ds.h"

struct metric_sums {
        struct metric *metrics;
        struct histogram *histograms;
};

void ds_metrics_register(struct ds *ds)
{
        struct ds_metrics *c = &ds->counts;

        metric_counter(&ds->metrics, &c->fences, "nacre_ds_fences_total", "Fences taken from the MDS");
        metric_counter(&ds->metrics, &c->removed, "nacre_ds_objects_removed_total", "Objects removed");
        metric_gauge(&ds->metrics, &c->trusted, "nacre_ds_trusted",
                     "1 while the MDS is heard and I/O is served");
        metric_gauge(&ds->metrics, &c->objects_open, "nacre_ds_objects_open",
                     "Descriptors of objects held open");
        metric_gauge(&ds->metrics, &c->lag_ns, "nacre_loop_lag_seconds",
                     "Longest turn of a loop since the last look");
        c->lag_ns.nanoseconds = true;
}

/* --- sums */

static bool make_sums(struct ds *ds)
{
        const struct metrics *first = &ds->workers[0]->metrics;
        struct metric_sums *sums = calloc(1, sizeof(*sums));
        uint32_t count = 0, histograms = 0;

        if (!sums)
                return false;
        for (const struct metric *m = first->first; m; m = m->next)
                count++;
        for (const struct histogram *h = first->first_histogram; h; h = h->next)
                histograms++;
        CHECK(count > 0);
        CHECK(histograms > 0);
        sums->metrics = calloc(count, sizeof(*sums->metrics));
        sums->histograms = calloc(histograms, sizeof(*sums->histograms));
        ds->sums = sums;
        if (!sums->metrics || !sums->histograms) {
                ds_metrics_free(ds);
                return false;
        }
        count = histograms = 0;
        for (const struct metric *m = first->first; m; m = m->next) {
                sums->metrics[count] = (struct metric){ .name = m->name,
                                                        .help = m->help,
                                                        .labels = m->labels,
                                                        .kind = m->kind,
                                                        .nanoseconds = m->nanoseconds };
                metric_register(&ds->metrics, &sums->metrics[count++]);
        }
        for (const struct histogram *h = first->first_histogram; h; h = h->next) {
                sums->histograms[histograms] =
                        (struct histogram){ .name = h->name, .help = h->help, .labels = h->labels };
                histogram_register(&ds->metrics, &sums->histograms[histograms++]);
        }
        return true;
}

static uint64_t load(const _Atomic uint64_t *value)
{
        return atomic_load_explicit(value, memory_order_relaxed);
}

static void add_to(_Atomic uint64_t *sum, const _Atomic uint64_t *value)
{
        atomic_store_explicit(sum, load(sum) + load(value), memory_order_relaxed);
}

static void clear(struct metric_sums *sums, const struct metrics *like)
{
        struct metric *m = sums->metrics;
        struct histogram *h = sums->histograms;

        for (const struct metric *i = like->first; i; i = i->next, m++)
                metric_set(m, 0);
        for (const struct histogram *i = like->first_histogram; i; i = i->next, h++) {
                for (int b = 0; b < HISTOGRAM_BUCKETS; b++)
                        atomic_store(&h->buckets[b], 0);
                atomic_store(&h->sum_ns, 0);
                atomic_store(&h->count, 0);
        }
}

static void add_worker(struct metric_sums *sums, const struct metrics *worker)
{
        struct metric *m = sums->metrics;
        struct histogram *h = sums->histograms;

        for (const struct metric *i = worker->first; i; i = i->next, m++)
                add_to(&m->value, &i->value);
        for (const struct histogram *i = worker->first_histogram; i; i = i->next, h++) {
                for (int b = 0; b < HISTOGRAM_BUCKETS; b++)
                        add_to(&h->buckets[b], &i->buckets[b]);
                add_to(&h->sum_ns, &i->sum_ns);
                add_to(&h->count, &i->count);
        }
}

/* Until HELLO was taken the workers have not registered all of theirs. */
void ds_metrics_refresh(void *arg)
{
        struct ds *ds = arg;
        uint64_t open = 0, lag = 0;

        if (!ds->joined || (!ds->sums && !make_sums(ds)))
                return;
        clear(ds->sums, &ds->workers[0]->metrics);
        for (uint32_t i = 0; i < ds->worker_count; i++) {
                const struct worker *w = ds->workers[i];
                uint64_t its_lag = w->loop ? loop_lag_ns(w->loop) : 0;

                add_worker(ds->sums, &w->metrics);
                open += w->objects.open_count;
                lag = its_lag > lag ? its_lag : lag;
        }
        metric_set(&ds->counts.trusted, ds->trust.state == TRUST_HELD);
        metric_set(&ds->counts.objects_open, open);
        metric_set(&ds->counts.lag_ns, lag);
}

void ds_metrics_free(struct ds *ds)
{
        if (!ds->sums)
                return;
        free(ds->sums->metrics);
        free(ds->sums->histograms);
        free(ds->sums);
        ds->sums = NULL;
}
