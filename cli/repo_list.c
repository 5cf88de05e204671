/* SPDX-License-Identifier: Apache-2.0 */
/* `nacre repo list` and `show`: the buckets that are linked to directories. */
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/cli.h"
#include "mds/tier/repo_conf.h"

enum { CELL = 1104 };

static void print_repo(struct json r)
{
        char name[CELL], path[CELL], url[CELL], problem[CELL];

        printf("%-16s  %-24s  %10" PRIu64 "  %s\n", json_member_text(r, "name", name, sizeof name),
               json_member_text(r, "path", path, sizeof path), json_u64(r, "names_imported"),
               json_member_text(r, "url", url, sizeof url));
        if (*json_member_text(r, "problem", problem, sizeof problem))
                printf("    %s\n", problem);
}

int cmd_repo_list(const struct cli_args *args)
{
        char header[80];

        snprintf(header, sizeof header, "%-16s  %-24s  %10s  %s\n", "NAME", "PATH", "NAMES", "BUCKET");
        return cli_print_list(args, "repo-list", "", "repos", header, print_repo);
}

/* --- one */

static void print_details(struct json r)
{
        struct json settings;
        char text[CELL];

        printf("%-24s%" PRIu64 "\n", "number", json_u64(r, "number"));
        if (json_member(r, "settings", &settings))
                for (const struct conf_field *f = repo_conf_fields; f->key; f++)
                        if (*json_member_text(settings, f->key, text, sizeof text))
                                printf("%-24s%s\n", f->key, text);
        printf("%-24s%" PRIu64 "\n", "names imported", json_u64(r, "names_imported"));
        if (*json_member_text(r, "problem", text, sizeof text))
                printf("%-24s%s\n", "problem", text);
}

int cmd_repo_show(const struct cli_args *args)
{
        CLEANUP_FREE char *body = cli_ask(args, "repo-list", "");
        struct json root, repos, r;
        char name[CELL];

        if (!body || !json_parse(body, &root) || !json_member(root, "repos", &repos))
                return CLI_FAILED;
        for (bool more = json_first(repos, &r); more; more = json_next(&r)) {
                if (strcmp(json_member_text(r, "name", name, sizeof name), args->operand) != 0)
                        continue;
                if (args->json)
                        cli_print_json(r);
                else
                        print_details(r);
                return CLI_OK;
        }
        return cli_error("no repo has this name; allowed: one that `nacre repo list` shows");
}
