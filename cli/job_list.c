/* SPDX-License-Identifier: Apache-2.0 */
/* `nacre job list`, `show`, `cancel`, `retry`, `report`. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/job.h"

enum { CELL = 4200 };

/* Is the operand a number? */
static bool is_number(const struct cli_args *args)
{
        if (args->operand[strspn(args->operand, "0123456789")] == '\0')
                return true;
        return cli_usage_error("'%s' is no number; allowed: one that `nacre job list` shows", args->operand),
               false;
}

static void print_job(struct json job)
{
        char verb[32], state[32], path[CELL], bytes[32];

        printf("%6" PRIu64 "  %-9s%-10s%10" PRIu64 " %11s%10" PRIu64 "%8" PRIu64 "  %s\n",
               json_u64(job, "number"), json_member_text(job, "verb", verb, sizeof verb),
               json_member_text(job, "state", state, sizeof state), json_u64(job, "done"),
               cli_bytes_text(json_u64(job, "done_bytes"), bytes), json_u64(job, "same"),
               json_u64(job, "failed"), json_member_text(job, "path", path, sizeof path));
}

int cmd_job_list(const struct cli_args *args)
{
        char header[128];

        snprintf(header, sizeof header, "%6s  %-9s%-10s%10s %11s%10s%8s  %s\n", "NUMBER", "VERB", "STATE",
                 "DONE", "BYTES", "SAME", "FAILED", "PATH");
        return cli_print_list(args, "job-list", "", "jobs", header, print_job);
}

static void print_running(struct json job)
{
        char rate[32];
        uint64_t total = json_u64(job, "total");

        printf("under way: %" PRIu64 "\nrate: %" PRIu64 " files/s, %s/s\n", json_u64(job, "under_way"),
               json_u64(job, "files_per_second"), cli_bytes_text(json_u64(job, "bytes_per_second"), rate));
        if (total > 0)
                printf("progress: %" PRIu64 " of %" PRIu64 " files, %" PRIu64 " s left\n",
                       json_u64(job, "passed"), total, json_u64(job, "seconds_left"));
        else
                printf("progress: %" PRIu64 " files, of how many is not known yet\n",
                       json_u64(job, "passed"));
}

int cmd_job_show(const struct cli_args *args)
{
        CLEANUP_FREE char *body = NULL;
        char state[32], text[CELL];
        struct json job;

        if (!is_number(args))
                return CLI_USAGE;
        body = cli_ask(args, "job-show", args->operand);
        if (!body || !json_parse(body, &job))
                return CLI_FAILED;
        if (args->json) {
                puts(body);
                return CLI_OK;
        }
        job_print_line(job, stdout);
        printf("\nstate: %s\n", json_member_text(job, "state", state, sizeof state));
        if (strcmp(state, "running") == 0)
                print_running(job);
        if (*json_member_text(job, "match", text, sizeof text))
                printf("match: %s\n", text);
        if (json_u64(job, "older_seconds") > 0)
                printf("older: %" PRIu64 " s\n", json_u64(job, "older_seconds"));
        if (json_u64(job, "min_size") > 0)
                printf("min-size: %" PRIu64 "\n", json_u64(job, "min_size"));
        if (*json_member_text(job, "problem", text, sizeof text))
                printf("problem: %s\n", text);
        return CLI_OK;
}

static int tell(const struct cli_args *args, const char *command, const char *said)
{
        CLEANUP_FREE char *body = NULL;

        if (!is_number(args))
                return CLI_USAGE;
        body = cli_ask(args, command, args->operand);
        if (!body)
                return CLI_FAILED;
        printf("job %s %s\n", args->operand, said);
        return CLI_OK;
}

int cmd_job_cancel(const struct cli_args *args)
{
        return tell(args, "job-cancel", "ends where it is");
}

int cmd_job_retry(const struct cli_args *args)
{
        return tell(args, "job-retry", "tries again what has failed");
}

/* --- report */

/* RFC 4180 §2. */
static void print_field(const char *text)
{
        if (!strpbrk(text, ",\"\r\n")) {
                fputs(text, stdout);
                return;
        }
        putchar('"');
        for (; *text; text++) {
                if (*text == '"')
                        putchar('"');
                putchar(*text);
        }
        putchar('"');
}

static void print_failure(const struct cli_args *args, struct json f)
{
        char path[CELL], error[64];
        struct json whole;

        json_member_text(f, "error", error, sizeof error);
        if (args->json) {
                if (json_member(f, "path", &whole))
                        printf("{\"FilePath\":%.*s,\"FileStatus\":\"failed\",\"ErrorCode\":\"%s\"}\n",
                               (int)json_length(whole), whole.at, error);
                return;
        }
        print_field(json_member_text(f, "path", path, sizeof path));
        printf(",failed,%s\n", error);
}

/* Page by page: there may be millions. */
int cmd_job_report(const struct cli_args *args)
{
        uint64_t after = 0;

        if (!is_number(args))
                return CLI_USAGE;
        do {
                CLEANUP_FREE char *question = NULL, *body = NULL;
                struct json root, failures, f;

                CHECK(asprintf(&question, "%s %" PRIu64, args->operand, after) > 0);
                body = cli_ask(args, "job-report", question);
                if (!body || !json_parse(body, &root) || !json_member(root, "failures", &failures))
                        return CLI_FAILED;
                if (after == 0 && !args->json)
                        puts("FilePath,FileStatus,ErrorCode");
                for (bool more = json_first(failures, &f); more; more = json_next(&f))
                        print_failure(args, f);
                after = json_u64(root, "next");
        } while (after > 0);
        return CLI_OK;
}
