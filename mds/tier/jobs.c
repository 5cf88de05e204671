/* SPDX-License-Identifier: Apache-2.0 */
/* The records of jobs, and which of them runs. */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "mds/tier/adopt.h"
#include "mds/tier/jobs_private.h"

enum { FORGET_AT_ONCE = 200 };
#define LATER_NS 1000000000ull

enum job_verb job_verb_by_name(const char *name)
{
        for (enum job_verb v = JOB_ARCHIVE; v < JOB_VERBS; v++)
                if (strcmp(job_verbs[v].name, name) == 0)
                        return v;
        return 0;
}

/* --- one */

static bool is_ended(const struct tree_job *job)
{
        return job->record.state >= JOB_ENDED && !job->run;
}

struct tree_job *job_find(const struct jobs *jobs, uint64_t number)
{
        LIST_FOR_EACH(node, &jobs->all) {
                struct tree_job *job = CONTAINER(node, struct tree_job, node);

                if (job->number == number && !job->forgotten)
                        return job;
        }
        return NULL;
}

/* RECORD's texts are copied. */
static struct tree_job *job_new(struct jobs *jobs, uint64_t number, const struct job_record *record)
{
        struct tree_job *job = calloc(1, sizeof(*job));
        char *at;

        if (!job || !(job->text = malloc(record->path.length + record->match.length + JOB_ERROR_BYTES + 3))) {
                free(job);
                return NULL;
        }
        job->jobs = jobs;
        job->number = number;
        job->record = *record;
        at = mempcpy(job->text, record->path.data, record->path.length);
        *at++ = '\0';
        job->record.path = slice_of(job->text, record->path.length);
        job->record.match = slice_of(at, record->match.length);
        at = mempcpy(at, record->match.data, record->match.length);
        *at++ = '\0';
        job->record.problem = slice_of(at, record->problem.length);
        at = mempcpy(at, record->problem.data, record->problem.length);
        *at = '\0';
        list_push(&jobs->all, &job->node);
        jobs->last = number;
        jobs->ended += is_ended(job);
        jobs->unended += !is_ended(job);
        return job;
}

static void job_free(struct tree_job *job)
{
        list_remove(&job->node);
        free(job->text);
        free(job);
}

int job_save(struct tree_job *job, struct txn *t, uint64_t *ret_seq)
{
        uint8_t key[KEY_MAX], value[RECORD_MAX];
        uint64_t seq;

        txn_put(t, key_job(key, job->number), job_encode(value, &job->record));
        return txn_commit(t, ret_seq ? ret_seq : &seq);
}

void job_set_problem(struct tree_job *job, const char *literal)
{
        job->record.problem = slice_str(literal);
}

/* --- which one runs */

static void schedule(struct jobs *jobs)
{
        uint32_t running[JOB_VERBS] = { 0 };

        LIST_FOR_EACH(node, &jobs->all) {
                const struct tree_job *job = CONTAINER(node, struct tree_job, node);

                running[job->record.verb] += job->run != NULL;
        }
        LIST_FOR_EACH(node, &jobs->all) {
                struct tree_job *job = CONTAINER(node, struct tree_job, node);

                if (is_ended(job) || job->run || running[job->record.verb] == JOBS_AT_ONCE)
                        continue;
                if (!run_start(job))
                        timer_start(jobs->mds->env, &jobs->later, LATER_NS);
                else
                        running[job->record.verb]++;
        }
}

bool job_archives_all(const struct tree_job *job)
{
        const struct job_record *r = &job->record;

        return r->verb == JOB_ARCHIVE && r->options & JOB_RECURSIVE && !(r->options & JOB_DRY) &&
               r->older_seconds == 0 && r->min_size == 0 && r->match.length == 0;
}

bool jobs_has_archive_of(const struct jobs *jobs, uint64_t top)
{
        LIST_FOR_EACH(node, &jobs->all) {
                const struct tree_job *job = CONTAINER(node, struct tree_job, node);

                if (!is_ended(job) && job->record.top == top && job_archives_all(job))
                        return true;
        }
        return false;
}

void job_ended(struct tree_job *job)
{
        const struct job_counts *c = &job->record.counts;
        struct jobs *jobs = job->jobs;

        if (job->record.state == JOB_ENDED && job_archives_all(job))
                adopt_done(jobs->tier, job->record.top);

        log_info("job-ended", "job=%llu verb=%s path=%s done=%llu same=%llu failed=%llu cancelled=%d",
                 (unsigned long long)job->number, job_verbs[job->record.verb].name, job->text,
                 (unsigned long long)c->done, (unsigned long long)c->same, (unsigned long long)c->failed,
                 job->record.state == JOB_CANCELLED);
        run_free(job->run);
        job->run = NULL;
        jobs->unended--;
        jobs->ended++;
        timer_start(jobs->mds->env, &jobs->later, 1);
}

/* --- what is too old */

struct collecting {
        struct txn *txn;
        unsigned count;
};

static bool collect(void *arg, struct slice key, struct slice value)
{
        struct collecting *c = arg;

        (void)value;
        txn_delete(c->txn, key);
        return ++c->count < FORGET_AT_ONCE;
}

/* A part of it; what it could not do goes before it. */
static void forget(struct tree_job *job)
{
        struct jobs *jobs = job->jobs;
        struct collecting c = { .txn = txn_begin(jobs->mds->meta) };
        uint8_t key[KEY_MAX];
        uint64_t seq;

        job->forgotten = true;
        meta_scan(jobs->mds->meta, key_failures(key, job->number), collect, &c);
        if (c.count == 0)
                txn_delete(c.txn, key_job(key, job->number));
        if (txn_commit(c.txn, &seq) == 0 && c.count == 0) {
                jobs->ended--;
                job_free(job);
        }
}

static void on_later(struct timer *timer)
{
        struct jobs *jobs = CONTAINER(timer, struct jobs, later);

        schedule(jobs);
        if (jobs->ended <= JOBS_REMEMBERED)
                return;
        LIST_FOR_EACH(node, &jobs->all) {
                struct tree_job *job = CONTAINER(node, struct tree_job, node);

                if (is_ended(job)) {
                        forget(job);
                        break;
                }
        }
        timer_start(jobs->mds->env, &jobs->later, LATER_NS / 100);
}

/* --- what is asked for */

uint64_t jobs_start(struct jobs *jobs, const struct job_request *r, uint64_t *ret_seq, const char **why)
{
        const struct job_record record = { .verb = (uint8_t)r->verb,
                                           .state = JOB_QUEUED,
                                           .options = r->options,
                                           .older_seconds = r->older_seconds,
                                           .min_size = r->min_size,
                                           .made = (int64_t)env_wall(jobs->mds->env),
                                           .top = r->top,
                                           .path = slice_str(r->path),
                                           .match = slice_str(r->match),
                                           .problem = slice_str("") };
        struct tree_job *job;

        *why = "so many jobs have not ended yet that no other is taken; allowed: `nacre job cancel`, or later";
        if (jobs->unended >= JOBS_UNENDED)
                return 0;
        *why = "the server stops, or has no memory; ask again";
        if (jobs->stopping || !(job = job_new(jobs, jobs->last + 1, &record)))
                return 0;
        if (job_save(job, txn_begin(jobs->mds->meta), ret_seq) < 0) {
                *why = "the metadata store does not take it: see the log";
                jobs->unended--;
                job_free(job);
                return 0;
        }
        timer_start(jobs->mds->env, &jobs->later, 1);
        return job->number;
}

static const char none[] = "no job has this number; allowed: one that `nacre job list` shows";

const char *jobs_cancel(struct jobs *jobs, uint64_t number)
{
        struct tree_job *job = job_find(jobs, number);

        if (!job)
                return none;
        if (is_ended(job))
                return "it has ended already";
        if (job->run) {
                run_cancel(job->run);
                return NULL;
        }
        job->record.state = JOB_CANCELLED;
        job->record.ended = (int64_t)env_wall(jobs->mds->env);
        if (job_save(job, txn_begin(jobs->mds->meta), NULL) < 0) {
                job->record.state = JOB_QUEUED;
                return "the metadata store does not take it: see the log";
        }
        jobs->unended--;
        jobs->ended++;
        return NULL;
}

const char *jobs_retry(struct jobs *jobs, uint64_t number)
{
        struct tree_job *job = job_find(jobs, number);
        struct job_record *record = job ? &job->record : NULL;
        uint8_t state;

        if (!job)
                return none;
        if (!is_ended(job))
                return "it has not ended yet; allowed: a job that has";
        if (record->counts.failed == 0)
                return "it has failed with nothing; allowed: a job with failures";
        state = record->state;
        record->state = JOB_QUEUED;
        record->options |= JOB_AGAIN;
        record->ended = 0;
        if (job_save(job, txn_begin(jobs->mds->meta), NULL) < 0) {
                record->state = state;
                return "the metadata store does not take it: see the log";
        }
        jobs->ended--;
        jobs->unended++;
        timer_start(jobs->mds->env, &jobs->later, 1);
        return NULL;
}

/* --- birth and death */

static bool load_one(void *arg, struct slice key, struct slice value)
{
        struct jobs *jobs = arg;
        struct job_record record;
        uint64_t number;

        if (!key_parse_u64(key, 'j', &number) || !job_decode(value, &record))
                return true; /* fsck tells */
        return job_new(jobs, number, &record) != NULL;
}

struct jobs *jobs_new(struct tier *t)
{
        struct jobs *jobs = calloc(1, sizeof(*jobs));
        uint8_t prefix[KEY_MAX];

        if (!jobs)
                return NULL;
        jobs->tier = t;
        jobs->mds = t->mds;
        jobs->later.fire = on_later;
        list_init(&jobs->all);
        if (meta_scan(t->mds->meta, key_kind(prefix, 'j'), load_one, jobs) < 0)
                log_error("jobs-not-read", "action=%s", "those of the store wait for the next start");
        if (jobs->unended > 0 || jobs->ended > JOBS_REMEMBERED)
                timer_start(t->mds->env, &jobs->later, LATER_NS);
        return jobs;
}

void jobs_stop(struct jobs *jobs)
{
        if (!jobs || jobs->stopping)
                return;
        jobs->stopping = true;
        timer_stop(&jobs->later);
        LIST_FOR_EACH(node, &jobs->all) {
                struct tree_job *job = CONTAINER(node, struct tree_job, node);

                if (job->run)
                        run_stop(job->run);
        }
}

void jobs_free(struct jobs *jobs)
{
        if (!jobs)
                return;
        jobs_stop(jobs);
        for (struct list *node; (node = list_pop(&jobs->all));) {
                struct tree_job *job = CONTAINER(node, struct tree_job, node);

                if (job->run)
                        run_free(job->run);
                job_free(job);
        }
        free(jobs);
}
