/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/cluster.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "ds/ctl_client.h"
#include "mds/fleet/fleet.h"
#include "mds/store/fsck.h"
#include "mds/tier/tier.h"

enum { CONF_TEXT = 1024, ERROR_TEXT = 256 };
#define DISK_BYTES (64ull << 20)

static const char *const ds_names[CLUSTER_DS] = { "ds0", "ds1", "ds2" };

/* --- configuration, as the daemons read it */

static const char exports[] = "exports:\n  - path: /\n    rules:\n      - clients: '*'\n        access: rw\n"
                              "        squash: none\n";

/* A file without a place: its path names the descriptor. */
static const char *exports_path(void)
{
        static char path[32];
        int fd;

        if (path[0])
                return path;
        fd = memfd_create("exports", 0);
        CHECK(fd >= 0 && write(fd, exports, strlen(exports)) == (ssize_t)strlen(exports));
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        return path;
}

static void configure_mds(struct cluster *c)
{
        char text[CONF_TEXT], error[ERROR_TEXT], nfs[NETADDR_TEXT], control[NETADDR_TEXT];
        struct netaddr nfs_addr = node_address(c->mds.node, NFS_PORT);
        struct netaddr control_addr = node_address(c->mds.node, CONTROL_PORT);

        snprintf(text, sizeof(text),
                 "listen: %s\ncontrol: %s\nstore: none\ncluster_key: none\nexports: %s\nstripe_unit: %u\n"
                 "lease_seconds: %u\ndelegations: yes\nlimits:\n  memory: 64M\n",
                 netaddr_format(&nfs_addr, nfs), netaddr_format(&control_addr, control), exports_path(),
                 STRIPE_UNIT, LEASE_SECONDS);
        if (mds_conf_load_text("mds", text, strlen(text), &c->mds.conf, error, sizeof(error)) < 0)
                world_fail(c->world, "%s", error);
        memset(c->mds.conf.cluster_key, 0x5a, sizeof(c->mds.conf.cluster_key));
}

static void configure_ds(struct cluster *c, struct sim_ds *d)
{
        char text[CONF_TEXT], error[ERROR_TEXT], nfs[NETADDR_TEXT], control[NETADDR_TEXT];
        struct netaddr nfs_addr = node_address(d->node, NFS_PORT);
        struct netaddr control_addr = node_address(c->mds.node, CONTROL_PORT);

        snprintf(text, sizeof(text),
                 "listen: %s\nmds: %s\nname: %s\nstore: none\ncluster_key: none\nreserve_bytes: 0\n"
                 "fd_cache: 16\nlimits:\n  memory: 64M\n",
                 netaddr_format(&nfs_addr, nfs), netaddr_format(&control_addr, control), d->node->name);
        if (ds_conf_load_text("ds", text, strlen(text), &d->conf, error, sizeof(error)) < 0)
                world_fail(c->world, "%s", error);
        memset(d->conf.cluster_key, 0x5a, sizeof(d->conf.cluster_key));
}

/* --- the MDS */

static void check_store(struct cluster *c)
{
        struct fsck_report report = { 0 };

        if (fsck_run(sim_store_inner(c->mds.store), stderr, &report) < 0 || report.problems > 0)
                world_fail(c->world, "the store has %llu problems", (unsigned long long)report.problems);
}

static struct http *connect_s3(struct tier *t, const struct repo_conf *conf)
{
        (void)conf;
        return sim_s3_connect(CONTAINER(t->mds->conf, const struct sim_mds, conf)->s3, t->mds->env);
}

static bool link_repo(struct sim_mds *m)
{
        char error[ERROR_TEXT];
        struct repo_conf conf;
        bool ok;

        m->mds->tier->connect = connect_s3;
        CHECK(repo_conf_load_text("repo", m->repo, strlen(m->repo), &conf, error, sizeof(error)) == 0);
        ok = repo_link(m->mds->tier, "repo", &conf, error, sizeof(error)) == 0;
        repo_conf_free(&conf);
        return ok;
}

bool cluster_start_mds(struct cluster *c)
{
        struct sim_mds *m = &c->mds;

        CHECK(!m->mds);
        world_say(c->world, m->node->name, "starts");
        net_power_on(m->node);
        m->mds = mds_start(&m->conf, &m->node->env, NULL, sim_store_attach(m->store));
        if (m->mds && m->s3 && !link_repo(m)) {
                mds_stop(m->mds);
                m->mds = NULL;
        }
        return m->mds != NULL;
}

void cluster_crash_mds(struct cluster *c, bool power_lost)
{
        struct sim_mds *m = &c->mds;

        CHECK(m->mds);
        world_say(c->world, m->node->name, power_lost ? "loses power" : "is killed");
        net_cut(m->node, power_lost);
        sim_store_crash(m->store, power_lost);
        if (m->s3)
                sim_s3_crash(m->s3, m->node);
        mds_stop(m->mds);
        m->mds = NULL;
        m->node->off = power_lost;
        m->node->stopped_until = 0;
        check_store(c);
}

/* --- data servers */

static void ended(void *arg, const char *problem)
{
        struct sim_ds *d = arg;

        d->ended = true;
        snprintf(d->problem, sizeof(d->problem), "%s", problem ? problem : "");
}

static bool has_ended(void *arg)
{
        const struct sim_ds *d = arg;

        return d->ended;
}

void cluster_start_ds(struct cluster *c, uint32_t i)
{
        struct sim_ds *d = &c->ds[i];

        CHECK(!d->ds);
        world_say(c->world, d->node->name, "starts");
        net_power_on(d->node);
        d->ended = false;
        d->ds = ds_new(&d->conf, &d->node->env, NULL, sim_disk_attach(d->disk, d->node), ended, d);
        CHECK(d->ds != NULL);
        d->ds->make_http = sim_s3_connect;
        d->ds->make_http_arg = c->mds.s3;
}

static void free_ds(struct sim_ds *d)
{
        ds_stop(d->ds);
        world_exhaust(d->node, has_ended, d);
        ds_free(d->ds);
        d->ds = NULL;
}

void cluster_crash_ds(struct cluster *c, uint32_t i, bool power_lost)
{
        struct sim_ds *d = &c->ds[i];

        CHECK(d->ds);
        world_say(c->world, d->node->name, power_lost ? "loses power" : "is killed");
        c->crashes++;
        net_cut(d->node, power_lost);
        sim_disk_crash(d->disk, power_lost);
        if (c->mds.s3)
                sim_s3_crash(c->mds.s3, d->node);
        /* With a repo also when it is killed: until COMMIT it is only in memory that a unit was written. */
        if (power_lost || c->mds.s3)
                d->lost_at_ns = c->world->now;
        free_ds(d);
        d->node->off = power_lost;
        d->node->stopped_until = 0;
}

const char *cluster_restart_ended(struct cluster *c)
{
        for (uint32_t i = 0; i < c->ds_count; i++) {
                struct sim_ds *d = &c->ds[i];

                if (!d->ds || !d->ended)
                        continue;
                world_say(c->world, d->node->name, "ends: %s", d->problem);
                free_ds(d);
                cluster_start_ds(c, i);
                return d->problem;
        }
        return NULL;
}

/* --- all of them */

bool cluster_is_whole(const struct cluster *c)
{
        if (!c->mds.mds)
                return false;
        for (uint32_t i = 0; i < c->ds_count; i++)
                if (!c->ds[i].ds || !c->ds[i].ds->ctl || !ctl_client_up(c->ds[i].ds->ctl) ||
                    c->mds.mds->fleet->count < c->ds_count || !c->mds.mds->fleet->servers[i]->up)
                        return false;
        return true;
}

struct sim_ds *cluster_ds_at(struct cluster *c, const struct netaddr *addr)
{
        for (uint32_t i = 0; i < c->ds_count; i++)
                if (world_node_at(c->world, addr) == c->ds[i].node)
                        return &c->ds[i];
        return NULL;
}

void cluster_init(struct cluster *c, struct world *w, uint32_t ds_count, struct sim_s3 *s3, const char *repo)
{
        *c = (struct cluster){ .world = w, .ds_count = ds_count };
        c->mds.node = world_add(w, "mds");
        c->mds.store = sim_store_new(c->mds.node);
        c->mds.s3 = s3;
        c->mds.repo = repo;
        configure_mds(c);
        CHECK(cluster_start_mds(c));
        for (uint32_t i = 0; i < ds_count; i++) {
                struct sim_ds *d = &c->ds[i];

                d->world = w;
                d->node = world_add(w, ds_names[i]);
                d->disk = sim_disk_new(w, DISK_BYTES);
                configure_ds(c, d);
                cluster_start_ds(c, i);
        }
}

/* An object of a file that the MDS does not know. */
static void count_stray(void *arg, const char *path)
{
        struct cluster *c = arg;
        const struct inode *inode;
        uint64_t fileid = strtoull(path + strlen("objects/00/"), NULL, 16);

        if (meta_inode(c->mds.mds->meta, fileid, &inode) != -ENOENT)
                return;
        c->strays++;
        if (c->telling)
                fprintf(stderr, "nobody's: %s\n", path);
}

uint32_t cluster_strays(struct cluster *c, bool tell)
{
        c->telling = tell;
        c->strays = 0;
        for (uint32_t i = 0; i < c->ds_count; i++)
                sim_disk_each(c->ds[i].disk, "objects", count_stray, c);
        return c->strays;
}

void cluster_destroy(struct cluster *c)
{
        for (uint32_t i = 0; i < c->ds_count; i++) {
                free_ds(&c->ds[i]);
                ds_conf_free(&c->ds[i].conf);
                sim_disk_free(c->ds[i].disk);
        }
        mds_stop(c->mds.mds);
        mds_conf_free(&c->mds.conf);
        check_store(c);
        sim_store_free(c->mds.store);
}
