/* SPDX-License-Identifier: Apache-2.0 */
/* `nacre repo sweep` and `verify`: what has changed in a bucket is taken over, or only told. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "cli/cli.h"

enum { CELL = 1104, LOOK_MS = 200 };

/* What the server says at the end of the sweep; NULL after a message. */
static char *wait_for_end(const struct cli_args *args)
{
        const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000l };
        struct json root;

        for (;;) {
                char *body = cli_ask(args, "repo-swept", args->operand);

                if (!body || !json_parse(body, &root) || !json_true(root, "running"))
                        return body;
                free(body);
                nanosleep(&pause, NULL);
        }
}

/* Each key; true: there were some. */
static bool print_report(struct json root)
{
        char what[CELL], key[CELL];
        struct json list, line;
        bool any = false;

        if (!json_member(root, "report", &list))
                return false;
        for (bool more = json_first(list, &line); more; more = json_next(&line)) {
                printf("%s %s\n", json_member_text(line, "what", what, sizeof what),
                       json_member_text(line, "key", key, sizeof key));
                any |= strcmp(what, "odd") != 0;
        }
        if (json_true(root, "report_cut"))
                puts("… and more than fits");
        return any;
}

static void print_counts(struct json root)
{
        static const char *const names[] = { "directories", "names",     "new", "changed",
                                             "deleted",     "conflicts", "odd", "left" };
        struct json counts;

        if (!json_member(root, "counts", &counts))
                return;
        for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
                printf("%s%" PRIu64 " %s", i > 0 ? ", " : "", json_u64(counts, names[i]), names[i]);
        putchar('\n');
}

static int sweep(const struct cli_args *args, bool dry)
{
        CLEANUP_FREE char *question = NULL, *begun = NULL, *body = NULL;
        char problem[CELL];
        struct json root;
        bool differs;

        CHECK(asprintf(&question, "%s%s", dry ? "dry " : "", args->operand) > 0);
        begun = cli_ask(args, "repo-sweep", question);
        body = begun ? wait_for_end(args) : NULL;
        if (!body || !json_parse(body, &root))
                return CLI_FAILED;
        if (*json_member_text(root, "problem", problem, sizeof problem))
                return cli_error("%s: %s", args->operand, problem);
        if (args->json) {
                puts(body);
                return CLI_OK;
        }
        differs = print_report(root);
        print_counts(root);
        return dry && differs ? CLI_FAILED : CLI_OK;
}

int cmd_repo_sweep(const struct cli_args *args)
{
        return sweep(args, false);
}

int cmd_repo_verify(const struct cli_args *args)
{
        return sweep(args, true);
}
