/* SPDX-License-Identifier: Apache-2.0 */
/* `nacre repo status`: one line a repo: what S3 does not have yet, how old the oldest of it is, and whether
 * something would be lost with the cluster. */
#include <inttypes.h>

#include "base/json.h"
#include "cli/cli.h"

enum { CELL = 1104 };

const char *cli_bytes_text(uint64_t bytes, char out[32])
{
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
        double value = (double)bytes;
        unsigned i = 0;

        for (; value >= 1024 && i + 1 < sizeof units / sizeof *units; i++)
                value /= 1024;
        snprintf(out, 32, i == 0 ? "%.0f %s" : "%.1f %s", value, units[i]);
        return out;
}

static void print_failures(struct json r)
{
        struct json failures, f;
        char key[CELL], error[64];

        if (!json_member(r, "failures", &failures))
                return;
        for (bool more = json_first(failures, &f); more; more = json_next(&f))
                printf("    %-28s %s\n", json_member_text(f, "error", error, sizeof error),
                       json_member_text(f, "key", key, sizeof key));
}

static void print_status(struct json r)
{
        char name[CELL], bytes[32], problem[CELL];
        uint64_t pending = json_u64(r, "pending"), failed = json_u64(r, "failed");
        bool adopted = json_true(r, "adopted");

        printf("%s: ", json_member_text(r, "name", name, sizeof name));
        if (!json_true(r, "exports")) {
                puts("nothing is taken to S3 (`export: none`); NOT SAFE to destroy: what was changed here is only here");
                return;
        }
        if (!adopted)
                printf("what was here before it exported is still being looked at (`nacre job list`; else `nacre archive PATH --recursive`), ");
        if (pending == 0) {
                printf("all %sis in S3", adopted ? "of it " : "else ");
        } else {
                printf("%s%" PRIu64 " not in S3 yet (%s), the oldest for %" PRIu64 " s",
                       json_true(r, "more") ? "at least " : "", pending,
                       cli_bytes_text(json_u64(r, "bytes"), bytes), json_u64(r, "oldest_seconds"));
                if (failed > 0)
                        printf(", %" PRIu64 " failed", failed);
        }
        if (json_u64(r, "deletions") > 0)
                printf(", %" PRIu64 " objects are still to be deleted", json_u64(r, "deletions"));
        if (json_true(r, "paused"))
                printf(", paused");
        puts(pending == 0 && adopted ? "; safe to destroy" : "; NOT SAFE to destroy");
        if (*json_member_text(r, "problem", problem, sizeof problem))
                printf("    %s\n", problem);
        print_failures(r);
}

int cmd_repo_status(const struct cli_args *args)
{
        return cli_print_list(args, "repo-status", args->operand ? args->operand : "", "repos", "",
                              print_status);
}
