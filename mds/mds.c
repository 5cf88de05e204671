/* SPDX-License-Identifier: Apache-2.0 */
/* Start and stop of the metadata server, in order: store, metadata, fleet, state, NFS engine, control server,
 * listening last, so that nobody is served by half a server. */
#include "mds/mds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/sha256.h"
#include "mds/durable.h"
#include "mds/fleet/ctl_server.h"
#include "mds/fleet/fences.h"
#include "mds/fleet/fleet.h"
#include "mds/fleet/reaper.h"
#include "mds/ns/names.h"
#include "mds/ns/orphan.h"
#include "mds/ns/prepare.h"
#include "mds/pnfs/devices.h"
#include "mds/pnfs/proxy.h"
#include "mds/pnfs/recall.h"
#include "mds/pnfs/reports.h"
#include "mds/pnfs/size.h"
#include "mds/state/layout.h"
#include "mds/state/courtesy.h"
#include "mds/state/delegation.h"
#include "mds/state/lock.h"
#include "mds/state/offload.h"
#include "mds/state/open.h"
#include "mds/state/recovery.h"
#include "mds/state/returned.h"
#include "mds/state/revoked.h"
#include "mds/tier/import.h"

enum { ERROR_BYTES = 512, STORE_CACHE_SHARE = 4 };

static bool open_store(struct mds *mds)
{
        const struct mds_conf *conf = mds->conf;
        char error[ERROR_BYTES];

        if (!mds->store)
                mds->store =
                        store_rocks_open(conf->store, false, mds->loop,
                                         conf->limits.memory_bytes / STORE_CACHE_SHARE, error, sizeof(error));
        if (!mds->store) {
                log_error("store-not-opened", "reason=%s", error);
                return false;
        }
        durable_init(mds);
        mds->meta = meta_open(mds->env, mds->store, (uint32_t)conf->cache_inodes, error, sizeof(error));
        if (!mds->meta) {
                log_error("metadata-not-opened", "reason=%s", error);
                return false;
        }
        return true;
}

static bool load_exports(struct mds *mds)
{
        char error[ERROR_BYTES];

        if (exports_load(mds->conf->exports_file.text, &mds->exports, error, sizeof(error)) == 0)
                return true;
        log_error("exports-not-loaded", "reason=%s", error);
        return false;
}

int mds_reload_exports(struct mds *mds, char *error, size_t error_bytes)
{
        struct exports *fresh, *old = mds->exports;

        if (exports_load(mds->conf->exports_file.text, &fresh, error, error_bytes) < 0) {
                log_warn("exports-kept", "reason=%s", error);
                return -1;
        }
        mds->exports = fresh;
        if (exports_prepare(mds) < 0) {
                mds->exports = old;
                exports_free(fresh);
                snprintf(error, error_bytes, "an exported path could not be made: see the log");
                return -1;
        }
        exports_free(old);
        recall_unexported(mds->recalls);
        delegations_unexported(mds->delegations);
        log_info("exports-loaded", "file=%s exports=%u", mds->conf->exports_file.text, fresh->count);
        return 0;
}

static void hex(char *out, const uint8_t *bytes, unsigned count)
{
        for (unsigned i = 0; i < count; i++)
                snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static bool start_engine(struct mds *mds)
{
        struct nfs4_server *s = &mds->nfs;
        const struct mds_conf *conf = mds->conf;
        char fsid[33];

        hex(fsid, meta_fsid(mds->meta), 16);
        s->env = mds->env;
        s->pool = mds->pool;
        s->hooks = &mds_hooks;
        s->ops = mds_ops;
        s->role = mds;
        s->role_flags = EXCHGID4_FLAG_USE_PNFS_MDS;
        s->back_channel = true;
        s->probe_back_channel = conf->delegations;
        snprintf(s->owner_major, sizeof(s->owner_major), "nacre-mds-%s", fsid);
        snprintf(s->scope, sizeof(s->scope), "nacre-%s", fsid);
        s->boot = meta_boot(mds->meta);
        s->lease_seconds = (uint32_t)conf->lease_seconds;
        s->limits.clients = (uint32_t)conf->limits.clients;
        key_derive(mds->cluster_key, "handles", s->key, sizeof(s->key));
        env_random(mds->env, s->write_verifier, sizeof(s->write_verifier));
        return nfs4_server_init(s, &mds->metrics) == 0;
}

static bool start_parts(struct mds *mds)
{
        return (mds->fleet = fleet_new(mds)) && (mds->opens = opens_new(mds)) &&
               (mds->locks = locks_new(mds)) && (mds->returned = returned_new(mds)) &&
               (mds->layouts = layouts_new(mds)) && (mds->recalls = recalls_new(mds)) &&
               (mds->devices = devices_new(mds)) && (mds->reports = reports_new(mds)) &&
               (mds->recovery = recovery_new(mds)) && (mds->courtesy = courtesy_new(mds)) &&
               (mds->revocations = revocations_new()) && (mds->delegations = delegations_new(mds)) &&
               (mds->offloads = offloads_new(mds)) && (mds->sizes = sizes_new(mds)) &&
               (mds->proxy = proxy_new(mds)) && (mds->reaper = reaper_new(mds));
}

static bool start_network(struct mds *mds)
{
        static struct rpc_program programs[2];
        const struct mds_conf *conf = mds->conf;
        const struct rpc_limits limits = { .max_connections = (uint32_t)conf->limits.connections,
                                           .max_calls = 65536,
                                           .max_calls_per_conn = 1024,
                                           .max_record = RPC_RECORD_MAX,
                                           .stall_ms = 60000,
                                           .max_reply_bytes = 16 * BUF_LARGE,
                                           .max_pool_bytes = conf->limits.memory_bytes / 4 * 3 };

        programs[0] = nfs4_rpc_program(&mds->nfs);
        mds->rpc = rpc_server_new(mds->env, mds->pool, programs, &limits);
        if (!mds->rpc || !(mds->ctl = ctl_server_new(mds)))
                return false;
        for (unsigned i = 0; i < conf->listen.count; i++) {
                char text[NETADDR_TEXT];
                int r = rpc_server_listen(mds->rpc, &conf->listen.items[i]);

                if (r < 0) {
                        log_error("listen-failed", "addr=%s error=%s",
                                  netaddr_format(&conf->listen.items[i], text), strerror(-r));
                        return false;
                }
        }
        return true;
}

static bool start_admin(struct mds *mds)
{
        const struct mds_conf *conf = mds->conf;
        int r = 0;

        if (!mds->loop)
                return true;
        mds->admin = admin_new(mds->loop, &mds->metrics);
        if (!mds->admin)
                return false;
        mds_admin_register(mds);
        if (conf->admin_socket)
                r = admin_listen_unix(mds->admin, conf->admin_socket);
        if (r < 0) {
                log_error("admin-listen-failed", "path=%s error=%s", conf->admin_socket, strerror(-r));
                return false;
        }
        if (conf->metrics.family)
                r = admin_listen_http(mds->admin, &conf->metrics);
        if (r < 0)
                log_error("metrics-listen-failed", "error=%s", strerror(-r));
        return r == 0;
}

static bool start(struct mds *mds)
{
        mds->pool = bufpool_new(mds->conf->limits.memory_bytes);
        if (mds->loop)
                mds->names = names_new(mds->loop, NULL);
        return mds->pool && (mds->names || !mds->loop) && open_store(mds) && load_exports(mds) &&
               start_engine(mds) && start_parts(mds) && orphans_recover(mds) == 0 &&
               exports_prepare(mds) == 0 && (mds->tier = tier_new(mds)) && start_network(mds) &&
               start_admin(mds);
}

struct mds *mds_start(const struct mds_conf *conf, struct env *env, struct loop *loop, struct store *store)
{
        struct mds *mds = calloc(1, sizeof(*mds));

        if (!mds)
                return NULL;
        mds->loop = loop;
        mds->env = env;
        mds->store = store;
        mds->conf = conf;
        memcpy(mds->cluster_key, conf->cluster_key, sizeof(mds->cluster_key));
        mds->started_ns = env_now(mds->env);
        list_init(&mds->committing);
        list_init(&mds->durable_waits);
        list_init(&mds->emptying);
        if (!start(mds)) {
                mds_stop(mds);
                return NULL;
        }
        log_info("mds-started", "boot=%u lease_seconds=%u members=%u", mds->nfs.boot, mds->nfs.lease_seconds,
                 mds->fleet->count);
        return mds;
}

/* Calls that wait for a data server or the disk end first, so that no reply is owed when the connections go.
 */
void mds_stop(struct mds *mds)
{
        if (!mds)
                return;
        mds->stopping = true;
        if (mds->rpc)
                rpc_server_stop_listening(mds->rpc);
        admin_free(mds->admin);
        proxy_free(mds->proxy);
        mds->proxy = NULL;
        if (mds->ctl)
                ctl_server_close(mds->ctl);
        if (mds->tier)
                tier_stop(mds->tier);
        if (mds->delegations)
                delegations_give_up(mds->delegations);
        if (mds->fleet)
                fences_give_up(mds->fleet);
        if (mds->rpc) {
                durable_finish(mds);
                ctl_server_free(mds->ctl);
                rpc_server_free(mds->rpc);
        }
        if (mds->nfs.op_metrics)
                nfs4_server_destroy(&mds->nfs);
        tier_free(mds->tier);
        reaper_free(mds->reaper);
        sizes_free(mds->sizes);
        layouts_free(mds->layouts);
        returned_free(mds->returned);
        delegations_free(mds->delegations);
        offloads_free(mds->offloads);
        recalls_free(mds->recalls);
        devices_free(mds->devices);
        reports_free(mds->reports);
        opens_free(mds->opens);
        locks_free(mds->locks);
        recovery_free(mds->recovery);
        courtesy_free(mds->courtesy);
        revocations_free(mds->revocations);
        fleet_free(mds->fleet);
        names_free(mds->names);
        if (mds->exports)
                exports_free(mds->exports);
        if (mds->meta)
                meta_close(mds->meta);
        if (mds->store)
                mds->store->ops->close(mds->store);
        if (mds->loop)
                loop_read_inbox(
                        mds->loop); /* the store's thread has ended; what it said last frees the store */
        if (mds->pool)
                bufpool_free(mds->pool);
        free(mds);
}
