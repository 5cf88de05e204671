/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/sha256.h"
#include "ds/io.h"
#include "ds/mapped.h"
#include "ds/tier/residency.h"
#include "rpc/record.h"

enum {
        CALLS_PER_CONN = 512, /* two sessions of a client may share a connection */
        REPLY_BYTES_PER_CONN = 16 * 1024 * 1024,
        STALL_MS = 30000,
        CTL_OBJECTS = 16384, /* in use by calls of the MDS */
        FEWEST_FDS = 16,
        FEWEST_CONNECTIONS = 16,
};

static uint64_t share(const struct ds *ds, uint64_t all, uint64_t least)
{
        return all / ds->worker_share > least ? all / ds->worker_share : least;
}

static void register_counts(struct worker *w)
{
        struct worker_metrics *c = &w->counts;

        metric_counter(&w->metrics, &c->read_bytes, "nacre_ds_read_bytes_total",
                       "Bytes of file data given to clients");
        metric_counter(&w->metrics, &c->written_bytes, "nacre_ds_written_bytes_total",
                       "Bytes of file data taken from clients");
        metric_counter(&w->metrics, &c->parked, "nacre_ds_parked_total",
                       "I/O operations that had to wait for trust");
        metric_counter(&w->metrics, &c->fenced, "nacre_ds_fenced_total",
                       "I/O operations refused by a fence or as not ours");
        metric_counter(&w->metrics, &c->eof_asked, "nacre_ds_eof_asked_total",
                       "READs for which the MDS was asked for the file's size");
        metric_counter(&w->metrics, &c->sync_writes, "nacre_ds_sync_writes_total",
                       "WRITEs that were synced and pushed before the answer");
        metric_counter(&w->metrics, &c->disk_errors, "nacre_ds_disk_errors_total",
                       "I/O operations that failed for the disk's fault");
}

/* --- who waits for buffers */

/* One after the other, until one is not served. */
static void feed(struct worker *w)
{
        while (!list_empty(&w->starved)) {
                struct list *node = list_pop(&w->starved);

                compound_wake(CONTAINER(node, struct io, node)->compound);
                if (!list_empty(&w->starved) && w->starved.prev == node)
                        return;
        }
}

static void on_starved_task(struct task *task)
{
        feed(CONTAINER(task, struct worker, starved_task));
}

static void on_starved_timer(struct timer *t)
{
        struct worker *w = CONTAINER(t, struct worker, starved_timer);

        feed(w);
        if (!list_empty(&w->starved))
                timer_start(w->env, t, IO_STARVED_RETRY_NS);
}

/* --- the end of things */

static void check_idle(struct task *task)
{
        struct worker *w = CONTAINER(task, struct worker, idle_task);
        void (*on_idle)(struct worker *) = w->on_idle;

        if (!on_idle || w->busy > 0 || w->objects.evicting > 0)
                return;
        w->on_idle = NULL;
        on_idle(w);
}

void worker_note_end(struct worker *w)
{
        if (!list_empty(&w->starved))
                env_defer(w->env, &w->starved_task);
        if (w->on_idle)
                env_defer(w->env, &w->idle_task);
}

static void eviction_ended(void *arg, int error)
{
        struct worker *w = arg;

        if (error)
                ds_disk_failed(w->ds, error, true);
        worker_note_end(w);
}

static void close_conn(void *arg, struct conn *conn)
{
        (void)arg;
        conn_close(conn);
}

static void turn_away(struct worker *w)
{
        w->turned_away = true;
        if (w->rpc)
                rpc_server_each_conn(w->rpc, close_conn, NULL);
        tier_turn_away(w->tier);
        io_wake_all(&w->parked);
        io_wake_all(&w->starved);
}

void worker_trust(struct worker *w, enum trust_state state)
{
        switch (state) {
        case TRUST_HELD:
                w->turned_away = false;
                io_wake_all(&w->parked);
                break;
        case TRUST_LOST: break; /* each I/O looks by itself */
        case TRUST_CLOSED: turn_away(w); break;
        }
}

void worker_stop(struct worker *w, void (*on_idle)(struct worker *))
{
        w->on_idle = on_idle;
        turn_away(w);
        tier_worker_stop(w->tier);
        env_defer(w->env, &w->idle_task);
}

/* --- the beginning */

static bool init(struct worker *w)
{
        struct ds *ds = w->ds;

        list_init(&w->parked);
        list_init(&w->starved);
        list_init(&w->starved_task.node);
        list_init(&w->idle_task.node);
        w->starved_task.run = on_starved_task;
        w->starved_timer.fire = on_starved_timer;
        w->idle_task.run = check_idle;
        w->objects.eviction_ended = eviction_ended;
        w->objects.arg = w;
        w->objects.forget = residency_release;
        inflight_init(&w->inflight);
        inflight_init(&w->reads);
        mapped_init(w);
        register_counts(w);
        w->pool = bufpool_new(share(ds, ds->conf->limits.memory_bytes, 16 * BUF_LARGE));
        w->tier = tier_worker_new(w);
        return w->pool && w->tier && fence_table_init(&w->fences) &&
               objects_init(&w->objects, w->disk, &ds->marks,
                            (uint32_t)share(ds, ds->conf->fd_cache, FEWEST_FDS), DS_CALLS + CTL_OBJECTS);
}

struct worker *worker_new(struct ds *ds, uint32_t number, struct env *env, struct loop *loop,
                          struct disk *disk)
{
        struct worker *w = calloc(1, sizeof(*w));

        if (!w) {
                disk->ops->free(disk);
                return NULL;
        }
        w->ds = ds;
        w->number = number;
        w->env = env;
        w->loop = loop;
        w->disk = disk;
        CHECK(init(w)); /* a few kilobytes, at start */
        return w;
}

static void *run(void *arg)
{
        struct worker *w = arg;

        loop_run(w->loop);
        return NULL;
}

bool worker_start(struct worker *w)
{
        sigset_t all, before;

        sigfillset(&all); /* signals are the main thread's */
        pthread_sigmask(SIG_SETMASK, &all, &before);
        w->has_thread = pthread_create(&w->thread, NULL, run, w) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return w->has_thread;
}

/* Client ids must differ between all servers of the cluster, and between our workers: RFC 8881 §2.10.5. */
static void describe(struct worker *w, uint32_t server_id, uint32_t lease_seconds)
{
        const struct ds *ds = w->ds;
        struct nfs4_server *s = &w->nfs;

        s->env = w->env;
        s->pool = w->pool;
        s->hooks = &ds_hooks;
        s->ops = ds_ops;
        s->role = w;
        s->role_flags = EXCHGID4_FLAG_USE_PNFS_DS;
        s->server_number = server_id;
        s->boot = (uint32_t)(ds->boot[0] << 16 | ds->boot[1] << 8) | w->number;
        s->lease_seconds = lease_seconds;
        memcpy(s->write_verifier, ds->boot, sizeof(s->write_verifier));
        snprintf(s->owner_major, sizeof(s->owner_major), "nacre-ds-%u.%u", server_id, w->number);
        for (int i = 0; i < STORE_UUID; i++)
                snprintf(s->scope + 2 * i, 3, "%02x", ds->identity.fsid[i]);
        key_derive(ds->conf->cluster_key, "handles", s->key, sizeof(s->key));
}

bool worker_serve(struct worker *w, uint32_t server_id, uint32_t lease_seconds)
{
        const struct ds *ds = w->ds;
        uint64_t memory = share(ds, ds->conf->limits.memory_bytes, 16 * BUF_LARGE);
        const struct rpc_limits limits = {
                .max_connections = (uint32_t)share(ds, ds->conf->limits.connections, FEWEST_CONNECTIONS),
                .max_calls = DS_CALLS,
                .max_calls_per_conn = CALLS_PER_CONN,
                .max_record = RPC_RECORD_MAX,
                .stall_ms = STALL_MS,
                .max_reply_bytes = REPLY_BYTES_PER_CONN,
                .max_pool_bytes = memory / 2, /* the rest is for READs */
        };

        describe(w, server_id, lease_seconds);
        if (nfs4_server_init(&w->nfs, &w->metrics) < 0)
                return false;
        w->programs[0] = nfs4_rpc_program(&w->nfs);
        w->rpc = rpc_server_new(w->env, w->pool, w->programs, &limits);
        if (!w->rpc)
                nfs4_server_destroy(&w->nfs);
        return w->rpc != NULL;
}

struct end_message {
        struct message msg;
        struct loop *loop;
};

static void end_loop(struct message *msg)
{
        loop_stop(CONTAINER(msg, struct end_message, msg)->loop);
}

void worker_free(struct worker *w)
{
        struct end_message end = { .msg.run = end_loop, .loop = w->loop };

        if (w->has_thread) {
                loop_post(w->loop, &end.msg);
                pthread_join(w->thread, NULL);
        }
        CHECK(w->busy == 0);
        if (w->rpc) {
                rpc_server_free(w->rpc);
                nfs4_server_destroy(&w->nfs);
        }
        timer_stop(&w->starved_timer);
        list_remove(&w->starved_task.node);
        list_remove(&w->idle_task.node);
        tier_worker_free(w->tier);
        objects_destroy(&w->objects);
        fence_table_destroy(&w->fences);
        w->disk->ops->free(w->disk);
        mapped_destroy(w);
        bufpool_free(w->pool);
        if (w->number > 0)
                loop_free(w->loop);
        free(w);
}
