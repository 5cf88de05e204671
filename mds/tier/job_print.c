/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of jobs. */
#include <inttypes.h>

#include "mds/tier/jobs_private.h"

enum { REPORT_FILES = 500 };
#define SECOND_NS 1000000000ull

static void print_text(FILE *out, const char *name, struct slice text)
{
        char copy[JOB_PATH_BYTES + 1];

        memcpy(copy, text.data, text.length);
        copy[text.length] = '\0';
        fprintf(out, ",\"%s\":", name);
        if (text.length == 0)
                fputs("null", out);
        else
                json_string(out, copy);
}

static const char *state_name(const struct tree_job *job)
{
        static const char *const names[JOB_STATES] = {
                [JOB_QUEUED] = "waiting",
                [JOB_RUNNING] = "running",
                [JOB_ENDED] = "ended",
                [JOB_CANCELLED] = "cancelled",
        };

        if (!job->run)
                return names[job->record.state == JOB_RUNNING ? JOB_QUEUED : job->record.state];
        return job->run->cancelled ? "stopping" : names[JOB_RUNNING];
}

/* How long PASSED of TOTAL took, told of the rest. */
static uint64_t left(uint64_t passed, uint64_t total, uint64_t took)
{
        return passed == 0 || passed >= total
                       ? 0
                       : (uint64_t)((double)(total - passed) / (double)passed * (double)took);
}

static void print_progress(const struct job_run *run, FILE *out)
{
        uint64_t took = env_now(run->job->jobs->mds->env) - run->begun_ns, files, bytes;
        double seconds = took > 0 ? (double)took / SECOND_NS : 1;

        fprintf(out, ",\"under_way\":%u,\"files_per_second\":%.0f,\"bytes_per_second\":%.0f", run->under_way,
                (double)run->passed / seconds, (double)run->passed_bytes / seconds);
        if (!run->counted || run->unlisted || run->passed == 0 || run->cancelled) {
                fprintf(out, ",\"passed\":%" PRIu64 ",\"total\":null,\"seconds_left\":null", run->passed);
                return;
        }
        files = left(run->passed, run->total, took);
        bytes = left(run->passed_bytes, run->total_bytes, took);
        if (bytes > files)
                files = bytes;
        fprintf(out, ",\"passed\":%" PRIu64 ",\"total\":%" PRIu64 ",\"seconds_left\":%.0f", run->passed,
                run->total > run->passed ? run->total : run->passed, (double)files / SECOND_NS);
}

static void print_job(const struct tree_job *job, FILE *out)
{
        const struct job_record *r = &job->record;
        struct job_counts c = job->run ? run_counts(job->run) : r->counts;

        fprintf(out, "{\"number\":%" PRIu64 ",\"verb\":\"%s\",\"state\":\"%s\"", job->number,
                job_verbs[r->verb].name, state_name(job));
        print_text(out, "path", r->path);
        fprintf(out,
                ",\"recursive\":%s,\"dry_run\":%s,\"again\":%s,\"older_seconds\":%" PRIu64
                ",\"min_size\":%" PRIu64,
                r->options & JOB_RECURSIVE ? "true" : "false", r->options & JOB_DRY ? "true" : "false",
                r->options & JOB_AGAIN ? "true" : "false", r->older_seconds, r->min_size);
        print_text(out, "match", r->match);
        fprintf(out,
                ",\"done\":%" PRIu64 ",\"done_bytes\":%" PRIu64 ",\"same\":%" PRIu64 ",\"failed\":%" PRIu64
                ",\"made\":%" PRId64 ",\"ended\":",
                c.done, c.bytes, c.same, c.failed, r->made / (int64_t)SECOND_NS);
        if (r->ended > 0 && !job->run)
                fprintf(out, "%" PRId64, r->ended / (int64_t)SECOND_NS);
        else
                fputs("null", out);
        print_text(out, "problem", r->problem);
        if (job->run)
                print_progress(job->run, out);
        fputc('}', out);
}

bool jobs_print(struct jobs *jobs, uint64_t number, FILE *out)
{
        const struct tree_job *job = job_find(jobs, number);

        if (job)
                print_job(job, out);
        return job != NULL;
}

void jobs_print_all(struct jobs *jobs, FILE *out)
{
        const char *comma = "";

        fputc('[', out);
        LIST_FOR_EACH(node, &jobs->all) {
                const struct tree_job *job = CONTAINER(node, struct tree_job, node);

                if (job->forgotten)
                        continue;
                fputs(comma, out);
                print_job(job, out);
                comma = ",";
        }
        fputc(']', out);
}

/* --- what it could not do */

struct reporting {
        FILE *out;
        unsigned count;
        uint64_t last;
};

static bool report_one(void *arg, struct slice key, struct slice value)
{
        struct reporting *r = arg;
        struct job_failure f;
        uint64_t number;

        if (!key_parse_u64_u64(key, 'f', &number, &r->last) || !failure_decode(value, &f))
                return true; /* fsck tells */
        fprintf(r->out, "%s{\"number\":%" PRIu64, r->count > 0 ? "," : "", r->last);
        print_text(r->out, "path", f.path);
        print_text(r->out, "error", f.error);
        fputc('}', r->out);
        return ++r->count < REPORT_FILES;
}

bool jobs_report(struct jobs *jobs, uint64_t number, uint64_t after, FILE *out)
{
        uint8_t prefix[KEY_MAX], from[KEY_MAX];
        struct reporting r = { .out = out };

        if (!job_find(jobs, number))
                return false;
        fputs("{\"failures\":[", out);
        meta_scan_from(jobs->mds->meta, key_failures(prefix, number), key_failure(from, number, after + 1),
                       report_one, &r);
        fprintf(out, "],\"next\":%" PRIu64 "}", r.count == REPORT_FILES ? r.last : 0);
        return true;
}
