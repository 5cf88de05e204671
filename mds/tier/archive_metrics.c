/* SPDX-License-Identifier: Apache-2.0 */
/* What /metrics says of the way to S3. */
#include <stdio.h>
#include <string.h>

#include "mds/tier/archive_private.h"

/* S3's first, then ours. */
static enum archive_error failure_at(unsigned index)
{
        return index < S3_ERRORS ? (enum archive_error)index
                                 : (enum archive_error)(ARCHIVE_AGAIN + index - S3_ERRORS);
}

/* Several errors have one name: the first of them counts. */
static unsigned first_called(const char *name)
{
        unsigned i = 1;

        while (strcmp(archive_error_name(failure_at(i)), name) != 0)
                i++;
        return i;
}

void archive_count_failure(struct archiver *a, enum archive_error error)
{
        metric_add(&a->failures[first_called(archive_error_name(error))].count, 1);
}

uint64_t archive_oldest_ns(const struct mds *mds)
{
        struct archiver *a = archiver_of(mds);
        struct hnode *node = NULL;
        uint32_t bucket = 0;
        int64_t now = (int64_t)env_wall(mds->env), oldest = now;

        while (a && (node = hashtab_walk(&a->jobs, &bucket, node))) {
                const struct job *job = CONTAINER(node, struct job, node);

                oldest = job->since < oldest ? job->since : oldest;
        }
        return (uint64_t)(now - oldest);
}

static void register_failures(struct archiver *a)
{
        for (unsigned i = 1; i < ARCHIVE_FAILURES; i++) {
                struct archive_failures *f = &a->failures[i];
                const char *name = archive_error_name(failure_at(i));

                if (first_called(name) != i)
                        continue;
                snprintf(f->label, sizeof(f->label), "error=\"%s\"", name);
                metric_counter(&a->mds->metrics, &f->count, "nacre_archive_failures_total",
                               "Attempts to bring something to S3 that failed, by FSx's name of the reason");
                f->count.labels = f->label;
        }
}

void archive_metrics_register(struct archiver *a)
{
        struct metrics *m = &a->mds->metrics;

        metric_counter(m, &a->sent, "nacre_archive_sent_total",
                       "Files, directories and symlinks brought to S3");
        metric_counter(m, &a->sent_bytes, "nacre_archive_sent_bytes_total", "Bytes of files brought to S3");
        metric_counter(m, &a->conflicts, "nacre_archive_conflicts_total",
                       "Objects that somebody else had changed when they were to be written");
        metric_counter(m, &a->deleted, "nacre_archive_deleted_total", "Objects deleted after their files");
        metric_counter(m, &a->aborted, "nacre_archive_aborted_total",
                       "Uploads in parts that nobody wanted any more");
        metric_counter(m, &a->copied_bytes, "nacre_archive_copied_bytes_total",
                       "Bytes of files that were not sent but copied inside S3, in parts");
        metric_gauge(m, &a->queued, "nacre_archive_queued",
                     "What waits to be brought to S3, as far as in memory");
        a->lag = (struct histogram){ .name = "nacre_archive_lag_seconds",
                                     .help = "From the last close or change until it is in S3" };
        histogram_register(m, &a->lag);
        register_failures(a);
}
