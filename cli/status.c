/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/cli.h"

enum { CELL = 80 };

/* "1.5G", "12G": in the units of the configuration. */
static const char *size_text(uint64_t bytes, char out[CELL])
{
        static const char units[] = "KMGTPE";
        double number = (double)bytes;
        int unit = -1;

        while (number >= 1000 && unit < (int)sizeof units - 2) {
                number /= 1024;
                unit++;
        }
        if (unit < 0)
                snprintf(out, CELL, "%" PRIu64, bytes);
        else
                snprintf(out, CELL, "%.*f%c", number < 9.95 ? 1 : 0, number, units[unit]);
        return out;
}

static const char *age_text(uint64_t seconds, char out[CELL])
{
        if (seconds < 100)
                snprintf(out, CELL, "%" PRIu64 "s", seconds);
        else if (seconds < 100 * 60)
                snprintf(out, CELL, "%" PRIu64 "m", seconds / 60);
        else if (seconds < UINT64_C(100) * 3600)
                snprintf(out, CELL, "%" PRIu64 "h", seconds / 3600);
        else
                snprintf(out, CELL, "%" PRIu64 "d", seconds / 86400);
        return out;
}

/* A negative time: not since the metadata server has started. */
static const char *heard_text(struct json server, char out[CELL])
{
        uint64_t ms = json_u64(server, "last_heard_ms");
        struct json value;

        if (!json_member(server, "last_heard_ms", &value) || *value.at == '-')
                return "never";
        if (ms >= 10000)
                return age_text(ms / 1000, out);
        snprintf(out, CELL, "%" PRIu64 ".%" PRIu64 "s", ms / 1000, ms % 1000 / 100);
        return out;
}

static void print_addrs(struct json server)
{
        struct json addrs, addr;
        const char *before = "";
        char text[CELL];

        if (json_member(server, "addrs", &addrs))
                for (bool more = json_first(addrs, &addr); more; more = json_next(&addr)) {
                        printf("%s%s", before, json_text(addr, text, sizeof text));
                        before = ",";
                }
        putchar('\n');
}

static void print_server(struct json s, int name_width)
{
        char name[CELL], state[CELL], size[3][CELL], heard[CELL];

        printf("%-*s  %-7s  %8s  %6s  %6s  %9" PRIu64 "  %6s  ", name_width,
               json_member_text(s, "name", name, sizeof name),
               json_member_text(s, "state", state, sizeof state), size_text(json_u64(s, "total"), size[0]),
               size_text(json_u64(s, "used"), size[1]), size_text(json_u64(s, "free"), size[2]),
               json_u64(s, "objects"), heard_text(s, heard));
        print_addrs(s);
}

static void print_servers(struct json root)
{
        struct json servers, s;
        char name[CELL];
        int width = 4;

        if (!json_member(root, "data_servers", &servers) || !json_first(servers, &s)) {
                puts("no data servers");
                return;
        }
        for (bool more = json_first(servers, &s); more; more = json_next(&s)) {
                int length = (int)strlen(json_member_text(s, "name", name, sizeof name));

                width = length > width ? length : width;
        }
        printf("%-*s  %-7s  %8s  %6s  %6s  %9s  %6s  %s\n", width, "NAME", "STATE", "CAPACITY", "USED",
               "FREE", "OBJECTS", "HEARD", "ADDRESSES");
        for (bool more = json_first(servers, &s); more; more = json_next(&s))
                print_server(s, width);
}

static void print_summary(struct json root)
{
        char version[CELL], fsid[CELL], uptime[CELL];

        printf("nacre %s, up %s, fsid %s\n", json_member_text(root, "version", version, sizeof version),
               age_text(json_u64(root, "uptime_seconds"), uptime),
               json_member_text(root, "fsid", fsid, sizeof fsid));
        printf("clients %" PRIu64 ", open files %" PRIu64 ", locks %" PRIu64 ", layouts %" PRIu64
               ", lease %" PRIu64 "s, fenced epoch %" PRIu64 "\n",
               json_u64(root, "clients"), json_u64(root, "opens"), json_u64(root, "locks"),
               json_u64(root, "layouts"), json_u64(root, "lease_seconds"), json_u64(root, "fenced_epoch"));
        if (json_true(root, "grace"))
                printf("in grace: %" PRIu64 " clients may reclaim what they had, %" PRIu64 "s left\n",
                       json_u64(root, "grace_waits_for"), json_u64(root, "grace_left_seconds"));
        else if (json_u64(root, "grace_took_ms") > 0)
                printf("grace after the start took %.1fs\n", (double)json_u64(root, "grace_took_ms") / 1000);
        putchar('\n');
}

int cmd_status(const struct cli_args *args)
{
        CLEANUP_FREE char *body = cli_ask(args, "status", "");
        struct json root;

        if (!body || !json_parse(body, &root))
                return CLI_FAILED;
        if (args->json) {
                cli_print_json(root);
                return CLI_OK;
        }
        print_summary(root);
        print_servers(root);
        return CLI_OK;
}

int cmd_ds_list(const struct cli_args *args)
{
        CLEANUP_FREE char *body = cli_ask(args, "status", "");
        struct json root, servers;

        if (!body || !json_parse(body, &root))
                return CLI_FAILED;
        if (!args->json)
                print_servers(root);
        else if (json_member(root, "data_servers", &servers))
                cli_print_json(servers);
        else
                puts("[]");
        return CLI_OK;
}
