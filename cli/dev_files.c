/* SPDX-License-Identifier: Apache-2.0 */
/* What dev up writes, and what it reads back of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/admin.h"
#include "base/check.h"
#include "base/cleanup.h"
#include "base/conf.h"
#include "cli/dev.h"
#include "mds/conf.h"
#include "mds/ns/export.h"

/* --- cluster.yaml */

struct plan_file {
        struct conf_addrs mds, data_servers, metrics;
        char *exports, *stripe_unit, *stripe_count, *log_level;
        bool open_exports;
};

#define FIELD(member) offsetof(struct plan_file, member)
static const struct conf_field plan_fields[] = {
        { "mds", CONF_ADDRS, FIELD(mds), .required = true, .min = 2049, .max = 1 },
        { "data_servers", CONF_ADDRS, FIELD(data_servers), .required = true, .min = 2049, .max = CLI_MAX_DS },
        { "metrics", CONF_ADDRS, FIELD(metrics), .required = true, .min = 9050, .max = CLI_MAX_DS + 1 },
        { "exports", CONF_STRING, FIELD(exports), .required = true, .max = DEV_PATH - 1 },
        { "open_exports", CONF_BOOL, FIELD(open_exports), .required = true },
        { "stripe_unit", CONF_STRING, FIELD(stripe_unit), .required = true, .max = 15 },
        { "stripe_count", CONF_STRING, FIELD(stripe_count), .required = true, .max = 15 },
        { "log_level", CONF_STRING, FIELD(log_level), .required = true, .max = 15 },
        { .key = NULL },
};

static void take_plan(const struct plan_file *p, struct dev_cluster *c)
{
        strcpy(c->mds.name, "mds");
        c->mds.nfs = p->mds.items[0];
        c->mds.metrics = p->metrics.items[0];
        c->control = c->mds.nfs;
        c->control.port++;
        c->ds_count = p->data_servers.count;
        for (unsigned i = 0; i < c->ds_count; i++) {
                snprintf(c->ds[i].name, DEV_NAME, "ds%u", i);
                c->ds[i].nfs = p->data_servers.items[i];
                if (i + 1 < p->metrics.count)
                        c->ds[i].metrics = p->metrics.items[i + 1];
        }
        strcpy(c->exports, p->exports);
        c->open_exports = p->open_exports;
        strcpy(c->stripe_unit, p->stripe_unit);
        strcpy(c->stripe_count, p->stripe_count);
        strcpy(c->log_level, p->log_level);
}

int dev_read_plan(struct dev_cluster *c)
{
        struct plan_file plan = { 0 };
        char path[DEV_PATH], error[1024];

        dev_path(c, "", "cluster", ".yaml", path);
        if (access(path, F_OK) < 0 && errno == ENOENT)
                return 1;
        if (conf_load(path, plan_fields, &plan, error, sizeof error) < 0) {
                cli_error("%s", error);
                return -1;
        }
        take_plan(&plan, c);
        conf_free(plan_fields, &plan);
        return 0;
}

/* --- writing */

static void put_addr(FILE *out, const char *key, const struct netaddr *addr)
{
        char text[NETADDR_TEXT];

        fprintf(out, "%s \"%s\"\n", key, netaddr_format(addr, text));
}

/* JSON strings are YAML strings. */
static void put_text(FILE *out, const char *key, const char *text)
{
        fprintf(out, "%s ", key);
        json_string(out, text);
        fputc('\n', out);
}

static void put_path(FILE *out, const char *key, const struct dev_cluster *c, const char *folder,
                     const char *name, const char *suffix)
{
        char path[DEV_PATH];

        put_text(out, key, dev_path(c, folder, name, suffix, path));
}

static void put_common(FILE *out, const struct dev_cluster *c, const struct dev_server *s)
{
        put_addr(out, "listen:", &s->nfs);
        if (s->metrics.family != 0) /* not chosen yet while options are checked */
                put_addr(out, "metrics:", &s->metrics);
        put_path(out, "admin_socket:", c, "/run", s->name, ".sock");
        put_path(out, "store:", c, "", s->name, "");
        put_path(out, "cluster_key:", c, "", "cluster", ".key");
        put_text(out, "log_level:", c->log_level);
}

static void put_mds(FILE *out, const struct dev_cluster *c, const void *server)
{
        put_common(out, c, server);
        put_addr(out, "control:", &c->control);
        put_text(out, "exports:", c->exports);
        put_path(out, "repos:", c, "", "repos", ".d");
        put_text(out, "stripe_unit:", c->stripe_unit);
        put_text(out, "stripe_count:", c->stripe_count);
}

static void put_ds(FILE *out, const struct dev_cluster *c, const void *server)
{
        const struct dev_server *s = server;

        put_common(out, c, s);
        put_addr(out, "mds:", &c->control);
        put_text(out, "name:", s->name);
        /* Several data servers share this machine's disk: the default would leave small ones without room. */
        put_text(out, "reserve_bytes:", "64M");
}

static void put_plan(FILE *out, const struct dev_cluster *c, const void *unused)
{
        (void)unused;
        put_addr(out, "mds:", &c->mds.nfs);
        fputs("data_servers:\n", out);
        for (unsigned i = 0; i < c->ds_count; i++)
                put_addr(out, "  -", &c->ds[i].nfs);
        fputs("metrics: # of the metadata server, then of each data server\n", out);
        put_addr(out, "  -", &c->mds.metrics);
        for (unsigned i = 0; i < c->ds_count; i++)
                put_addr(out, "  -", &c->ds[i].metrics);
        put_text(out, "exports:", c->exports);
        fprintf(out, "open_exports: %s\n", c->open_exports ? "yes" : "no");
        put_text(out, "stripe_unit:", c->stripe_unit);
        put_text(out, "stripe_count:", c->stripe_count);
        put_text(out, "log_level:", c->log_level);
}

static void put_exports(FILE *out, const struct dev_cluster *c, const void *unused)
{
        (void)c, (void)unused;
        fputs("exports:\n  - path: /\n    rules:\n      - clients: \"*\"\n        access: rw\n        squash: none\n",
              out);
}

typedef void put_fn(FILE *out, const struct dev_cluster *c, const void *arg);

static char *text_of(put_fn *put, const struct dev_cluster *c, const void *arg)
{
        size_t length;
        char *text;
        FILE *out = open_memstream(&text, &length);

        CHECK(out != NULL);
        fputs("# Made by nacre dev up, which writes it anew each time.\n", out);
        put(out, c, arg);
        fclose(out);
        return text;
}

static int write_file(const struct dev_cluster *c, const char *name, put_fn *put, const void *arg)
{
        CLEANUP_FREE char *text = text_of(put, c, arg);
        char path[DEV_PATH];

        return dev_write_text(dev_path(c, "", name, ".yaml", path), text, 0644);
}

/* Once: with another key no data server would believe the handles it has given. */
static int write_key(const struct dev_cluster *c)
{
        char path[DEV_PATH], text[2 * CONF_KEY_BYTES + 2];
        uint8_t key[CONF_KEY_BYTES];

        dev_path(c, "", "cluster", ".key", path);
        if (access(path, F_OK) == 0)
                return 0;
        CHECK(getrandom(key, sizeof key, 0) == (ssize_t)sizeof key);
        for (unsigned i = 0; i < sizeof key; i++)
                snprintf(text + 2 * i, 3, "%02x", key[i]);
        strcat(text, "\n");
        return dev_write_text(path, text, 0600);
}

static int write_directories(const struct dev_cluster *c)
{
        char path[DEV_PATH];

        if (dev_make_directory(dev_path(c, "", "log", "", path)) < 0 ||
            dev_make_directory(dev_path(c, "", "mds", "", path)) < 0 ||
            dev_make_directory(dev_path(c, "", "repos", ".d", path)) < 0)
                return -1;
        for (unsigned i = 0; i < c->ds_count; i++)
                if (dev_make_directory(dev_path(c, "", c->ds[i].name, "", path)) < 0)
                        return -1;
        return 0;
}

int dev_check(const struct dev_cluster *c)
{
        CLEANUP_FREE char *text = text_of(put_mds, c, &c->mds);
        struct exports *exports = NULL;
        struct mds_conf conf;
        char error[1024];

        if (mds_conf_load_text("mds.yaml", text, strlen(text), &conf, error, sizeof error) < 0) {
                cli_error("%s", error);
                return -1;
        }
        mds_conf_free(&conf);
        if (c->open_exports)
                return 0;
        if (exports_load(c->exports, &exports, error, sizeof error) < 0) {
                cli_error("%s", error);
                return -1;
        }
        exports_free(exports);
        return 0;
}

int dev_write_files(const struct dev_cluster *c)
{
        if (write_directories(c) < 0 || write_key(c) < 0)
                return -1;
        if (c->open_exports && write_file(c, "exports", put_exports, NULL) < 0)
                return -1;
        if (write_file(c, "mds", put_mds, &c->mds) < 0)
                return -1;
        for (unsigned i = 0; i < c->ds_count; i++)
                if (write_file(c, c->ds[i].name, put_ds, &c->ds[i]) < 0)
                        return -1;
        return write_file(c, "cluster", put_plan, NULL);
}
