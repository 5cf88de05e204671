/* SPDX-License-Identifier: Apache-2.0 */
/* `nacre client list`, `client revoke`, `file show`: who holds what. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/cli.h"

enum { CELL = 264 };

static void print_client(struct json c)
{
        char id[CELL], address[CELL], owner[CELL];

        printf("%-16s  %-21s  4.%" PRIu64 "  %5" PRIu64 "s  %-9s  %6" PRIu64 "  %6" PRIu64 "  %7" PRIu64
               "  %11" PRIu64 "  %s\n",
               json_member_text(c, "client", id, sizeof id),
               json_member_text(c, "address", address, sizeof address), json_u64(c, "minor"),
               json_u64(c, "renewed_seconds"),
               json_true(c, "courteous")   ? "courteous"
               : json_true(c, "confirmed") ? "ok"
                                           : "new",
               json_u64(c, "opens"), json_u64(c, "locks"), json_u64(c, "layouts"), json_u64(c, "delegations"),
               json_member_text(c, "owner", owner, sizeof owner));
}

int cmd_client_list(const struct cli_args *args)
{
        char header[160];

        snprintf(header, sizeof header, "%-16s  %-21s  %-3s  %6s  %-9s  %6s  %6s  %7s  %11s  %s\n", "ID",
                 "ADDRESS", "NFS", "HEARD", "LEASE", "OPENS", "LOCKS", "LAYOUTS", "DELEGATIONS", "OWNER");
        return cli_print_list(args, "client-list", "", "clients", header, print_client);
}

int cmd_client_revoke(const struct cli_args *args)
{
        CLEANUP_FREE char *body = cli_ask(args, "client-revoke", args->operand);
        struct json root;

        if (!body || !json_parse(body, &root))
                return CLI_FAILED;
        if (args->json)
                cli_print_json(root);
        else
                printf("client %s has lost %" PRIu64 " open files with their locks, %" PRIu64
                       " layouts, %" PRIu64 " delegations\n",
                       args->operand, json_u64(root, "opens"), json_u64(root, "layouts"),
                       json_u64(root, "delegations"));
        return CLI_OK;
}

/* --- file show */

/* A line for each member of the list KEY: who, and the members in DETAILS with their names. */
static void print_list(struct json root, const char *key, const char *const *details)
{
        struct json list, item, value;
        char text[CELL];

        if (!json_member(root, key, &list) || !json_first(list, &item))
                return;
        printf("%s:\n", key);
        for (bool more = json_first(list, &item); more; more = json_next(&item)) {
                printf("  %s", json_member_text(item, "client", text, sizeof text));
                for (const char *const *d = details; *d; d++)
                        if (json_member(item, *d, &value))
                                printf(" %s %.*s", *d, (int)(json_length(value) - (*value.at == '"' ? 2 : 0)),
                                       value.at + (*value.at == '"'));
                printf(" (%s)\n", json_member_text(item, "owner", text, sizeof text));
        }
}

static void print_place(struct json root)
{
        struct json servers, s;
        char name[CELL], state[CELL];

        printf("striped in units of %" PRIu64 " over %" PRIu64 " data servers, the first with index %" PRIu64
               ":",
               json_u64(root, "stripe_unit"), json_u64(root, "stripe_count"), json_u64(root, "first"));
        if (json_member(root, "data_servers", &servers))
                for (bool more = json_first(servers, &s); more; more = json_next(&s))
                        printf(" %s (%s)", json_member_text(s, "name", name, sizeof name),
                               json_member_text(s, "state", state, sizeof state));
        putchar('\n');
}

static void print_file(struct json root)
{
        char path[CELL], type[CELL], mode[CELL];
        struct json any;

        printf("%s: %s, fileid %" PRIu64 ", mode %s, owner %" PRIu64 ":%" PRIu64 ", size %" PRIu64 "%s\n",
               json_member_text(root, "path", path, sizeof path),
               json_member_text(root, "type", type, sizeof type), json_u64(root, "fileid"),
               json_member_text(root, "mode", mode, sizeof mode), json_u64(root, "uid"),
               json_u64(root, "gid"), json_u64(root, "size"),
               json_true(root, "dirty") ? " or more: data servers have unsynced data" : "");
        if (!json_member(root, "data_servers", &any))
                return;
        print_place(root);
        print_list(root, "opens", (const char *const[]){ "access", "deny", NULL });
        print_list(root, "locks", (const char *const[]){ "kind", "first", "last", NULL });
        print_list(root, "layouts", (const char *const[]){ "iomode", "recalled", NULL });
        print_list(root, "delegations", (const char *const[]){ "type", "recalled", NULL });
        if (json_u64(root, "returned_layouts") > 0)
                printf("returned layouts that the next conflict fences: %" PRIu64 "\n",
                       json_u64(root, "returned_layouts"));
}

int cmd_file_show(const struct cli_args *args)
{
        CLEANUP_FREE char *body = cli_ask(args, "file-show", args->operand);
        struct json root;

        if (!body || !json_parse(body, &root))
                return CLI_FAILED;
        if (args->json)
                cli_print_json(root);
        else
                print_file(root);
        return CLI_OK;
}
