/* SPDX-License-Identifier: Apache-2.0 */
/* What `nacre` asks the MDS over the admin socket, and the gauges of /metrics. */
#include "base/admin.h"

#include <stdlib.h>
#include <string.h>

#include "mds/admin_clients.h"
#include "mds/fleet/fences.h"
#include "mds/fleet/reaper.h"
#include "mds/mds.h"
#include "mds/state/delegation.h"
#include "mds/state/layout.h"
#include "mds/state/lock.h"
#include "mds/state/open.h"
#include "mds/state/recovery.h"
#include "mds/tier/archive.h"

static void print_server(const struct server *s, uint64_t now, FILE *out)
{
        char text[NETADDR_TEXT];

        fprintf(out, "{\"name\":");
        json_string(out, s->name);
        fprintf(out, ",\"id\":%u,\"state\":\"%s\",\"addrs\":[", s->id, server_state(s, now));
        for (uint32_t i = 0; i < s->addr_count; i++)
                fprintf(out, "%s\"%s\"", i > 0 ? "," : "", netaddr_format(&s->addrs[i], text));
        fprintf(out, "],\"total\":%llu,\"free\":%llu,\"used\":%llu,\"objects\":%llu,\"last_heard_ms\":%lld}",
                (unsigned long long)s->space_total, (unsigned long long)s->space_free,
                (unsigned long long)s->used, (unsigned long long)s->objects,
                s->last_heard_ns ? (long long)((now - s->last_heard_ns) / 1000000) : -1ll);
}

static int by_name(const void *a, const void *b)
{
        const struct server *const *x = a, *const *y = b;

        return strverscmp((*x)->name, (*y)->name);
}

static void print_servers(const struct fleet *f, uint64_t now, FILE *out)
{
        struct server *sorted[FLEET_MAX];

        memcpy(sorted, f->servers, f->count * sizeof(sorted[0]));
        qsort(sorted, f->count, sizeof(sorted[0]), by_name);
        for (uint32_t i = 0; i < f->count; i++) {
                if (i > 0)
                        fputc(',', out);
                print_server(sorted[i], now, out);
        }
}

static int status(void *arg, const char *body, FILE *out)
{
        struct mds *mds = arg;
        uint64_t now = env_now(mds->env);
        const uint8_t *fsid = meta_fsid(mds->meta);
        struct recovery_status grace = recovery_status(mds->recovery);

        (void)body;
        fprintf(out, "{\"version\":\"%s\",\"fsid\":\"", NACRE_VERSION);
        for (int i = 0; i < 16; i++)
                fprintf(out, "%02x", fsid[i]);
        fprintf(out, "\",\"lease_seconds\":%u,\"data_servers\":[", mds->nfs.lease_seconds);
        print_servers(mds->fleet, now, out);
        fprintf(out,
                "],\"clients\":%u,\"opens\":%u,\"locks\":%u,\"layouts\":%u,\"delegations\":%u,\"uptime_seconds\":%llu,\"fenced_epoch\":%u,",
                mds->nfs.clients.count, opens_count(mds->opens), locks_count(mds->locks),
                layouts_count(mds->layouts), delegations_count(mds->delegations),
                (unsigned long long)((now - mds->started_ns) / 1000000000), meta_epoch(mds->meta));
        fprintf(out,
                "\"grace\":%s,\"grace_waits_for\":%u,\"grace_left_seconds\":%llu,\"grace_took_ms\":%llu}",
                grace.in_grace ? "true" : "false", grace.waits_for,
                (unsigned long long)((grace.left_ns + 999999999) / 1000000000),
                (unsigned long long)(grace.took_ns / 1000000));
        return 200;
}

static int reload(void *arg, const char *body, FILE *out)
{
        char error[512];

        (void)body;
        if (mds_reload_exports(arg, error, sizeof(error)) == 0) {
                fprintf(out, "{\"ok\":true}");
                return 200;
        }
        fprintf(out, "{\"error\":");
        json_string(out, error);
        fputc('}', out);
        return 409;
}

static struct metric gauges[] = {
        { .name = "nacre_clients", .help = "Client records", .kind = METRIC_GAUGE },
        { .name = "nacre_clients_courtesy",
          .help = "Clients whose lease has run out and whose state is kept for as long as nobody minds",
          .kind = METRIC_GAUGE },
        { .name = "nacre_sessions", .help = "Sessions", .kind = METRIC_GAUGE },
        { .name = "nacre_opens", .help = "Open states", .kind = METRIC_GAUGE },
        { .name = "nacre_locks", .help = "Byte ranges that are locked", .kind = METRIC_GAUGE },
        { .name = "nacre_lock_waiters",
          .help = "Locks that clients wait for and are called about",
          .kind = METRIC_GAUGE },
        { .name = "nacre_layouts", .help = "Layouts that are out", .kind = METRIC_GAUGE },
        { .name = "nacre_delegations", .help = "Delegations that are out", .kind = METRIC_GAUGE },
        { .name = "nacre_store_batches_total",
          .help = "Batches written to the metadata store",
          .kind = METRIC_COUNTER },
        { .name = "nacre_store_syncs_total",
          .help = "Syncs of the metadata store's log",
          .kind = METRIC_COUNTER },
        { .name = "nacre_store_gets_total",
          .help = "Look-ups that reached the metadata store",
          .kind = METRIC_COUNTER },
        { .name = "nacre_store_sync_seconds_total",
          .help = "Time spent in syncs of the metadata store's log",
          .kind = METRIC_COUNTER,
          .nanoseconds = true },
        { .name = "nacre_archive_oldest_seconds",
          .help = "For how long S3 has lacked what it has lacked longest",
          .kind = METRIC_GAUGE,
          .nanoseconds = true },
        { .name = "nacre_loop_lag_seconds",
          .help = "Longest turn of the loop since the last look",
          .kind = METRIC_GAUGE,
          .nanoseconds = true },
};

static void refresh(void *arg)
{
        struct mds *mds = arg;
        uint64_t values[] = { mds->nfs.clients.count,         mds->nfs.clients.courtesy_count,
                              mds->nfs.clients.session_count, opens_count(mds->opens),
                              locks_count(mds->locks),        locks_waiters_count(mds->locks),
                              layouts_count(mds->layouts),    delegations_count(mds->delegations),
                              mds->store->stats.batches,      mds->store->stats.syncs,
                              mds->store->stats.gets,         mds->store->stats.sync_ns,
                              archive_oldest_ns(mds),         loop_lag_ns(mds->loop) };

        for (unsigned i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++)
                metric_set(&gauges[i], values[i]);
}

static const char *health(void *arg)
{
        struct mds *mds = arg;

        const char *trouble = mds->store->ops->trouble(mds->store);

        if (trouble)
                return trouble;
        if (mds->fleet->count == 0)
                return "no data server has joined";
        return mds->fleet->current == 0 ? "no data server can take new files" : NULL;
}

void mds_admin_register(struct mds *mds)
{
        for (unsigned i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++)
                metric_register(&mds->metrics, &gauges[i]);
        metric_counter(&mds->metrics, &mds->layouts_granted, "nacre_layouts_granted_total",
                       "Layouts given to clients");
        admin_command(mds->admin, "status", status, mds);
        admin_command(mds->admin, "export-reload", reload, mds);
        admin_clients_register(mds);
        admin_file_register(mds);
        admin_repo_register(mds);
        admin_archive_register(mds);
        admin_job_register(mds);
        admin_health(mds->admin, health, mds);
        admin_before_metrics(mds->admin, refresh, mds);
}
