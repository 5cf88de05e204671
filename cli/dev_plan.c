/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "cli/dev.h"

enum { NFS_PORT = 2049, METRICS_PORT = 9050, METRICS_TRIES = 200 };

static int parse_addr(const char *option, const char *text, struct netaddr *ret)
{
        if (netaddr_parse(text, NFS_PORT, ret) == 0 && ret->port != 0 && ret->port != UINT16_MAX)
                return 0;
        cli_error(
                "%s: '%s' is not valid; allowed: an address of this machine like 127.0.0.1, 127.0.0.1:2049 or [::1]:2049",
                option, text);
        return -1;
}

static int copy_text(const char *option, const char *text, char *out, size_t out_bytes)
{
        if (!text || (size_t)snprintf(out, out_bytes, "%s", text) < out_bytes)
                return 0;
        cli_error("%s: '%s' is too long", option, text);
        return -1;
}

static int plan_data_servers(struct dev_cluster *c, const struct cli_args *args)
{
        if (args->ds_count > 0 && args->ds_count < c->ds_count) {
                cli_error(
                        "%s has %u data servers with data on them; allowed: at least as many --ds, or none to keep them",
                        c->dir, c->ds_count);
                return -1;
        }
        for (unsigned i = 0; i < args->ds_count; i++) {
                if (parse_addr("--ds", args->ds[i], &c->ds[i].nfs) < 0)
                        return -1;
                if (netaddr_is_any(&c->ds[i].nfs)) {
                        cli_error(
                                "--ds: '%s' is not valid; allowed: the address that clients are to connect to",
                                args->ds[i]);
                        return -1;
                }
                snprintf(c->ds[i].name, DEV_NAME, "ds%u", i);
        }
        if (args->ds_count > 0)
                c->ds_count = args->ds_count;
        if (c->ds_count > 0)
                return 0;
        cli_error("--ds ADDR[:PORT] is missing: a new cluster needs at least one");
        return -1;
}

static int plan_exports(struct dev_cluster *c, const char *file)
{
        if (!file) {
                c->open_exports = c->open_exports || c->exports[0] == '\0';
                if (c->open_exports)
                        dev_path(c, "", "exports", ".yaml", c->exports);
                return 0;
        }
        c->open_exports = false;
        if (realpath(file, c->exports))
                return 0;
        cli_error("--exports: %s: %s; allowed: a YAML file of export policies", file, strerror(errno));
        return -1;
}

int dev_plan(struct dev_cluster *c, const struct cli_args *args)
{
        if (args->mds && parse_addr("--mds", args->mds, &c->mds.nfs) < 0)
                return -1;
        if (c->mds.nfs.family == 0) {
                cli_error("--mds ADDR[:PORT] is missing: a new cluster needs it");
                return -1;
        }
        strcpy(c->mds.name, "mds");
        c->control = c->mds.nfs;
        c->control.port++;
        if (copy_text("--stripe-unit", args->stripe_unit, c->stripe_unit, sizeof c->stripe_unit) < 0 ||
            copy_text("--stripe-count", args->stripe_count, c->stripe_count, sizeof c->stripe_count) < 0 ||
            copy_text("--log-level", args->log_level, c->log_level, sizeof c->log_level) < 0)
                return -1;
        return plan_data_servers(c, args) < 0 || plan_exports(c, args->exports) < 0 ? -1 : 0;
}

/* 0 when a server could listen at ADDR, else -errno. */
static int try_bind(const struct netaddr *addr)
{
        CLEANUP_CLOSE int fd = socket(addr->family == 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(addr->port) };
        struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(addr->port) };
        const int on = 1;
        int status;

        if (fd < 0)
                return -errno;
        memcpy(&v4.sin_addr, addr->bytes, 4);
        memcpy(&v6.sin6_addr, addr->bytes, 16);
        /* As the servers do: connections of an earlier run that linger are no obstacle, a listener is. */
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (addr->family == 4) {
                status = bind(fd, (const struct sockaddr *)&v4, sizeof v4);
        } else {
                setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
                status = bind(fd, (const struct sockaddr *)&v6, sizeof v6);
        }
        return status < 0 || listen(fd, 1) < 0 ? -errno : 0;
}

static int check_free(const char *what, const struct netaddr *addr)
{
        int status = try_bind(addr);
        char text[NETADDR_TEXT];

        if (status == 0)
                return 0;
        netaddr_format(addr, text);
        if (status == -EADDRINUSE)
                cli_error("%s: %s is in use by another program", what, text);
        else if (status == -EADDRNOTAVAIL)
                cli_error("%s: %s is not an address of this machine", what, text);
        else
                cli_error("%s: cannot listen on %s: %s", what, text, strerror(-status));
        return -1;
}

/* Is ADDR taken by the first COUNT data servers, or by the MDS, for NFS or for its control port? NULL: no. */
static const char *taken_by(const struct dev_cluster *c, unsigned count, const struct netaddr *addr)
{
        if (netaddr_equal(addr, &c->mds.nfs))
                return "the metadata server";
        if (netaddr_equal(addr, &c->control))
                return "the metadata server's control port";
        for (unsigned i = 0; i < count; i++)
                if (netaddr_equal(addr, &c->ds[i].nfs))
                        return c->ds[i].name;
        return NULL;
}

static int check_data_servers(const struct dev_cluster *c)
{
        for (unsigned i = 0; i < c->ds_count; i++) {
                const char *owner = taken_by(c, i, &c->ds[i].nfs);
                char text[NETADDR_TEXT];

                if (owner) {
                        cli_error("%s: %s is already %s; allowed: another address or port", c->ds[i].name,
                                  netaddr_format(&c->ds[i].nfs, text), owner);
                        return -1;
                }
                if (check_free(c->ds[i].name, &c->ds[i].nfs) < 0)
                        return -1;
        }
        return 0;
}

static bool is_metrics_of_earlier(const struct dev_cluster *c, unsigned server, const struct netaddr *addr)
{
        if (server > 0 && netaddr_equal(addr, &c->mds.metrics))
                return true;
        for (unsigned i = 0; i + 1 < server; i++)
                if (netaddr_equal(addr, &c->ds[i].metrics))
                        return true;
        return false;
}

/* The first free port from 9050 + SERVER on at the server's own address; SERVER 0 is the MDS. */
static int choose_metrics(struct dev_cluster *c, unsigned server)
{
        struct dev_server *s = server == 0 ? &c->mds : &c->ds[server - 1];

        s->metrics = s->nfs;
        for (unsigned i = 0; i < METRICS_TRIES; i++) {
                s->metrics.port = (uint16_t)(METRICS_PORT + server + i);
                if (!taken_by(c, c->ds_count, &s->metrics) &&
                    !is_metrics_of_earlier(c, server, &s->metrics) && try_bind(&s->metrics) == 0)
                        return 0;
        }
        cli_error("%s: no free port for metrics from %u on", s->name, METRICS_PORT + server);
        return -1;
}

int dev_choose_ports(struct dev_cluster *c)
{
        if (check_free("mds", &c->mds.nfs) < 0 || check_free("mds, control port", &c->control) < 0 ||
            check_data_servers(c) < 0)
                return -1;
        for (unsigned server = 0; server <= c->ds_count; server++)
                if (choose_metrics(c, server) < 0)
                        return -1;
        return 0;
}
