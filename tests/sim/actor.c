/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a scripted client: its machine, its sessions, its coroutines. */
#include <stdio.h>
#include <string.h>

#include "tests/lab/virtual_env.h"
#include "tests/sim/nfs.h"
#include "tests/sim/sim.h"

static const struct rpc_limits limits = { .max_connections = 16,
                                          .max_calls = 16,
                                          .max_calls_per_conn = 16,
                                          .max_record = RPC_RECORD_MAX,
                                          .stall_ms = 30000,
                                          .max_reply_bytes = 1 << 24 };

uint64_t actor_random(struct actor *c, uint64_t below)
{
        return lab_random_below(&c->random, below);
}

static void settled(struct mount *s)
{
        struct actor *c = s->arg;

        if (!s->is_mds)
                model_settle(&c->sim->model, c->number, (int)(s - c->ds), s->number);
}

/* The MDS has restarted: layouts are gone, opens may be had back (RFC 8881 §8.4.2, §12.7.4). */
static void reclaim(struct mount *s)
{
        struct actor *c = s->arg;
        int status;

        c->layout.held = c->delegation.held = c->delegation.is_open = false;
        if (!c->open || c->lost)
                return;
        status = nfs_reclaim(c, &c->stateid);
        c->lost = status != NFS4_OK;
        world_say(&c->sim->world, c->owner, "reclaims its open: %s", nfs_name(status));
        if (c->lost || !c->lock.held)
                return;
        status = nfs_reclaim_lock(c, c->lock.from, c->lock.to, &c->lock.stateid);
        c->lock.held = status == NFS4_OK;
        world_say(&c->sim->world, c->owner, "reclaims its lock: %s", nfs_name(status));
}

/* --- its coroutines */

static void keep(void *arg)
{
        struct actor *c = arg;

        for (;;) {
                co_sleep(LEASE_SECONDS * SECOND_NS / 3);
                if (!c->stopping)
                        nfs_renew(&c->keeper);
        }
}

static void start_co(struct actor *c, struct hand *w, uint32_t slot, void (*run)(void *), void *arg)
{
        w->actor = c;
        w->slot = slot;
        co_start(&w->co, &c->node->env, run, arg);
}

static void start(struct actor *c)
{
        struct netaddr mds = node_address(c->sim->cluster.mds.node, NFS_PORT);
        uint64_t instance = c->number * 1000 + ++c->lives;

        c->pool = bufpool_new(64ul * BUF_LARGE);
        c->programs[0] = back_program(c);
        c->rpc = rpc_server_new(&c->node->env, c->pool, c->programs, &limits);
        CHECK(c->pool && c->rpc);
        mount_init(&c->mds, c->node, c->rpc, &mds, true, c->owner, instance);
        c->mds.reclaim = reclaim;
        c->mds.settled = settled;
        c->mds.arg = c;
        for (uint32_t i = 0; i < c->sim->cluster.ds_count; i++) {
                struct netaddr ds = node_address(c->sim->cluster.ds[i].node, NFS_PORT);

                mount_init(&c->ds[i], c->node, c->rpc, &ds, false, c->owner, instance);
                c->ds[i].settled = settled;
                c->ds[i].arg = c;
        }
        c->open = c->lost = c->lock.held = c->returning.busy = false;
        c->layout.held = c->delegation.held = c->delegation.asked = c->delegation.is_open = false;
        c->unstable_count = 0;
        c->piece_count = c->next_piece = c->busy = 0;
        c->running = true;
        start_co(c, &c->main, ACTOR_MAIN_SLOT, script_run, c);
        start_co(c, &c->keeper, ACTOR_KEEPER_SLOT, keep, c);
        start_co(c, &c->returner, ACTOR_RETURNER_SLOT, back_return, c);
        for (uint32_t i = 0; i < ACTOR_WORKERS; i++)
                start_co(c, &c->workers[i], ACTOR_WORKER_SLOT + i, file_worker, &c->workers[i]);
}

void actor_start(struct actor *c, struct sim *sim, struct node *node, uint32_t number)
{
        c->sim = sim;
        c->node = node;
        c->number = number;
        snprintf(c->owner, sizeof(c->owner), "client%u", number);
        c->random = lab_random(&sim->world.random);
        start(c);
}

static void end(struct actor *c)
{
        co_end(&c->main.co);
        co_end(&c->keeper.co);
        co_end(&c->returner.co);
        for (uint32_t i = 0; i < ACTOR_WORKERS; i++)
                co_end(&c->workers[i].co);
        back_end(c);
        rpc_server_free(c->rpc);
        bufpool_free(c->pool);
        c->running = false;
}

void actor_crash(struct actor *c)
{
        world_say(&c->sim->world, c->owner, "is killed");
        net_cut(c->node, world_once_in(&c->sim->world, 2));
        c->node->stopped_until = 0;
        model_client_gone(&c->sim->model, c->number);
        end(c);
}

void actor_restart(struct actor *c)
{
        world_say(&c->sim->world, c->owner, "starts");
        start(c);
}

void actor_stop(struct actor *c)
{
        c->stopping = true;
}

void actor_free(struct actor *c)
{
        if (c->running)
                end(c);
}
