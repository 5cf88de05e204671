/* SPDX-License-Identifier: Apache-2.0 */
/* `nacre archive`, `restore`, `release`, `prefetch`, `pin`, `unpin`: a job begins, and is waited for. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/conf.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/job.h"

enum { CELL = 4200, FIRST_LOOK_MS = 50, LOOK_MS = 500 };

/* "30d" */
static bool parse_age(const char *text, uint64_t *ret_seconds)
{
        static const struct {
                char letter;
                uint64_t seconds;
        } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
        char *end;
        uint64_t number;

        errno = 0;
        number = strtoull(text, &end, 10);
        if (errno || end == text || text[0] == '-' || strlen(end) != 1)
                return false;
        for (unsigned i = 0; i < sizeof units / sizeof *units; i++)
                if (end[0] == units[i].letter)
                        return !__builtin_mul_overflow(number, units[i].seconds, ret_seconds);
        return false;
}

/* What the server is asked (mds/admin_job.c); NULL after a message. */
static char *question(const struct cli_args *args, const char *verb)
{
        uint64_t older = 0, min_size = 0;
        char *text;

        if (args->older && !parse_age(args->older, &older)) {
                cli_usage_error("--older: '%s' is no time; allowed: a number with s, m, h, d or w behind it",
                                args->older);
                return NULL;
        }
        if (args->min_size && !conf_parse_size(args->min_size, &min_size)) {
                cli_usage_error(
                        "--min-size: '%s' is no size; allowed: a number, perhaps with K, M, G or T behind it",
                        args->min_size);
                return NULL;
        }
        if (args->match && (strchr(args->match, '\n') || strlen(args->match) > 255)) {
                cli_usage_error("--match: allowed: at most 255 bytes, in one line");
                return NULL;
        }
        if (args->operand[0] != '/') {
                cli_usage_error("%s: '%s' is not absolute; allowed: a path from the root of the name space",
                                verb, args->operand);
                return NULL;
        }
        CHECK(asprintf(&text, "%s %d %d %" PRIu64 " %" PRIu64 "\n%s\n%s", verb, args->recursive,
                       args->dry_run, older, min_size, args->match ? args->match : "", args->operand) > 0);
        return text;
}

void job_print_line(struct json job, FILE *out)
{
        char verb[32], path[CELL], bytes[32];

        fprintf(out, "%s %s: %s%" PRIu64 " files (%s), %" PRIu64 " unchanged, %" PRIu64 " failed",
                json_member_text(job, "verb", verb, sizeof verb),
                json_member_text(job, "path", path, sizeof path),
                json_true(job, "dry_run") ? "would be " : "", json_u64(job, "done"),
                cli_bytes_text(json_u64(job, "done_bytes"), bytes), json_u64(job, "same"),
                json_u64(job, "failed"));
}

static void print_progress(struct json job)
{
        char rate[32];

        if (!isatty(STDERR_FILENO))
                return;
        fputs("\r\033[K", stderr);
        job_print_line(job, stderr);
        fprintf(stderr, ", %s/s", cli_bytes_text(json_u64(job, "bytes_per_second"), rate));
        if (json_u64(job, "total") > 0)
                fprintf(stderr, ", %" PRIu64 " s left", json_u64(job, "seconds_left"));
}

/* Its last words; NULL after a message. */
static char *wait_for_end(const struct cli_args *args, const char *number)
{
        struct timespec pause = { .tv_nsec = FIRST_LOOK_MS * 1000000l };
        char state[32];
        struct json job;

        for (;;) {
                char *body = cli_ask(args, "job-show", number);

                if (!body || !json_parse(body, &job))
                        return body;
                json_member_text(job, "state", state, sizeof state);
                if (strcmp(state, "ended") == 0 || strcmp(state, "cancelled") == 0)
                        return body;
                print_progress(job);
                free(body);
                nanosleep(&pause, NULL);
                pause.tv_nsec = LOOK_MS * 1000000l;
        }
}

static int tell_end(const struct cli_args *args, const char *number)
{
        CLEANUP_FREE char *body = wait_for_end(args, number);
        char state[32], problem[CELL];
        struct json job;

        if (!body || !json_parse(body, &job))
                return CLI_FAILED;
        if (isatty(STDERR_FILENO))
                fputs("\r\033[K", stderr);
        if (args->json) {
                puts(body);
        } else {
                job_print_line(job, stdout);
                if (json_u64(job, "failed") > 0)
                        printf("; nacre job report %s names them", number);
                putchar('\n');
        }
        if (strcmp(json_member_text(job, "state", state, sizeof state), "ended") != 0)
                return cli_error("job %s was cancelled", number);
        if (*json_member_text(job, "problem", problem, sizeof problem))
                return cli_error("job %s: %s", number, problem);
        return json_u64(job, "failed") > 0 ? CLI_FAILED : CLI_OK;
}

static int run(const struct cli_args *args, const char *verb, bool wait)
{
        CLEANUP_FREE char *text = question(args, verb), *body = NULL;
        struct json root;
        char number[24];

        if (!text)
                return CLI_USAGE;
        body = cli_ask(args, "job-start", text);
        if (!body || !json_parse(body, &root))
                return CLI_FAILED;
        snprintf(number, sizeof number, "%" PRIu64, json_u64(root, "number"));
        if (wait)
                return tell_end(args, number);
        if (args->json)
                puts(body);
        else
                printf("job %s; nacre job show %s tells how far it is\n", number, number);
        return CLI_OK;
}

int cmd_archive(const struct cli_args *args)
{
        return run(args, "archive", !args->no_wait);
}

int cmd_restore(const struct cli_args *args)
{
        return run(args, "restore", !args->no_wait);
}

int cmd_release(const struct cli_args *args)
{
        return run(args, "release", !args->no_wait);
}

/* That nobody waits is its point; what it would do is soon counted. */
int cmd_prefetch(const struct cli_args *args)
{
        return run(args, "prefetch", args->dry_run);
}

int cmd_pin(const struct cli_args *args)
{
        return run(args, "pin", !args->no_wait);
}

int cmd_unpin(const struct cli_args *args)
{
        return run(args, "unpin", !args->no_wait);
}
