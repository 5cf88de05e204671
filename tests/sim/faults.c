/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/faults.h"

#include <errno.h>

#include "tests/sim/sim.h"

enum { HOUR_SECONDS = 3600, FAILING_SECONDS = 62 };

static struct world *world(struct fate *f)
{
        return &f->all->sim->world;
}

static struct cluster *cluster(struct fate *f)
{
        return &f->all->sim->cluster;
}

static void pause_ms(struct fate *f, uint64_t min_ms, uint64_t max_ms)
{
        co_sleep((min_ms + world_random(world(f), max_ms - min_ms + 1)) * MS_NS);
}

static uint32_t any_ds(struct fate *f)
{
        return (uint32_t)world_random(world(f), cluster(f)->ds_count);
}

/* --- processes and machines */

static void crash_ds(struct fate *f)
{
        uint32_t i = any_ds(f);

        if (!cluster(f)->ds[i].ds)
                return;
        cluster_crash_ds(cluster(f), i, world_once_in(world(f), 2));
        pause_ms(f, 1, 8000);
        cluster_start_ds(cluster(f), i);
}

static void crash_mds(struct fate *f)
{
        uint64_t since;

        if (!cluster(f)->mds.mds)
                return;
        cluster_crash_mds(cluster(f), world_once_in(world(f), 2));
        do {
                pause_ms(f, 1, 8000);
                since = world(f)->now;
        } while (!cluster_start_mds(cluster(f)) && faults_excuse(f->all, since));
        if (!cluster(f)->mds.mds)
                world_fail(world(f), "the MDS does not start");
}

static void crash_actor(struct fate *f)
{
        struct sim *sim = f->all->sim;
        struct actor *a = &sim->actors[world_random(world(f), sim->actor_count)];

        if (!a->running)
                return;
        actor_crash(a);
        pause_ms(f, 1, 20000);
        actor_restart(a);
}

static struct node *any_node(struct fate *f)
{
        return &world(f)->nodes[world_random(world(f), world(f)->node_count)];
}

static void stop_node(struct fate *f)
{
        struct node *n = any_node(f);

        if (n == f->all->node)
                return;
        n->stopped_until = world(f)->now + world_random(world(f), 2 * LEASE_SECONDS * SECOND_NS);
        world_say(world(f), n->name, "stands still for %.3f s",
                  (double)(n->stopped_until - world(f)->now) / 1e9);
        while (n->stopped_until > world(f)->now)
                pause_ms(f, 1, 1000);
}

static void set_clock(struct fate *f)
{
        struct node *n = any_node(f);

        n->wall_skew_ns =
                ((int64_t)world_random(world(f), 2 * HOUR_SECONDS) - HOUR_SECONDS) * (int64_t)SECOND_NS;
        world_say(world(f), n->name, "has its clock set");
}

/* --- the network */

static void partition(struct fate *f)
{
        struct node *a = any_node(f), *b = any_node(f);
        bool one_way = world_once_in(world(f), 2);

        if (a == b)
                return;
        world_say(world(f), "net", "%s does not reach %s%s", a->name, b->name, one_way ? "" : ", nor back");
        net_block(world(f)->net, a, b, true);
        if (!one_way)
                net_block(world(f)->net, b, a, true);
        pause_ms(f, 10, 15000);
        world_say(world(f), "net", "%s reaches %s again", a->name, b->name);
        net_block(world(f)->net, a, b, false);
        if (!one_way)
                net_block(world(f)->net, b, a, false);
}

static void part(struct fate *f, struct node *a, struct node *b)
{
        world_say(world(f), "net", "%s and %s do not reach each other", a->name, b->name);
        net_block(world(f)->net, a, b, true);
        net_block(world(f)->net, b, a, true);
}

static void join(struct fate *f, struct node *a, struct node *b)
{
        world_say(world(f), "net", "%s and %s reach each other again", a->name, b->name);
        net_block(world(f)->net, a, b, false);
        net_block(world(f)->net, b, a, false);
}

static struct node *any_actor(struct fate *f)
{
        struct sim *sim = f->all->sim;

        return sim->actors[world_random(world(f), sim->actor_count)].node;
}

/* A client that the MDS cannot reach, with layouts that others have fenced, and a data server that starts
 * again meanwhile. */
static void strand_actor(struct fate *f)
{
        struct node *client = any_actor(f), *mds = cluster(f)->mds.node;

        part(f, client, mds);
        pause_ms(f, 1, 4000);
        if (world_once_in(world(f), 2)) /* and it does not see it happen */
                client->stopped_until = world(f)->now + world_random(world(f), LEASE_SECONDS * SECOND_NS);
        crash_ds(f);
        pause_ms(f, 1, 8000);
        join(f, client, mds);
}

/* A client and a data server have each other, but not the MDS, which goes on without them. */
static void strand_both(struct fate *f)
{
        struct node *client = any_actor(f), *mds = cluster(f)->mds.node;
        struct node *ds = cluster(f)->ds[any_ds(f)].node;

        part(f, client, mds);
        part(f, ds, mds);
        pause_ms(f, 1000, 20000);
        join(f, ds, mds);
        join(f, client, mds);
}

static void break_connections(struct fate *f)
{
        for (uint64_t i = world_random(world(f), 6); i > 0; i--) {
                net_break_one(world(f)->net, world_once_in(world(f), 2));
                pause_ms(f, 0, 200);
        }
}

static void slow_network(struct fate *f)
{
        world_say(world(f), "net", "is slow");
        net_set_delay(world(f)->net, MS_NS, world_random(world(f), 1500 * MS_NS) + MS_NS);
        pause_ms(f, 100, 8000);
        net_set_delay(world(f)->net, MS_NS / 20, 2 * MS_NS);
        world_say(world(f), "net", "is fast again");
}

/* --- disks */

static void begin_trouble(struct fate *f)
{
        f->all->disk_trouble++;
}

static void end_trouble(struct fate *f)
{
        f->all->disk_trouble--;
        f->all->disk_trouble_ns = world(f)->now;
}

static void fill_disk(struct fate *f)
{
        struct sim_ds *d = &cluster(f)->ds[any_ds(f)];

        begin_trouble(f);
        world_say(world(f), d->node->name, "is full");
        sim_disk_set_full(d->disk, true);
        pause_ms(f, 10, 8000);
        sim_disk_set_full(d->disk, false);
        world_say(world(f), d->node->name, "has room again");
        end_trouble(f);
}

static void fail_disk(struct fate *f)
{
        struct sim_ds *d = &cluster(f)->ds[any_ds(f)];

        begin_trouble(f);
        sim_disk_fail_next(d->disk);
        pause_ms(f, 10, 1000);
        sim_disk_fail_none(d->disk);
        end_trouble(f);
}

static void slow_disk(struct fate *f)
{
        struct sim_ds *d = &cluster(f)->ds[any_ds(f)];

        world_say(world(f), d->node->name, "has a slow disk");
        sim_disk_set_delay(d->disk, world_random(world(f), 3 * SECOND_NS) + 1);
        pause_ms(f, 10, 8000);
        sim_disk_set_delay(d->disk, MS_NS / 2);
}

static void fail_store(struct fate *f)
{
        begin_trouble(f);
        world_say(world(f), "mds", "has a store that refuses the next batch");
        sim_store_fail_next(cluster(f)->mds.store, world_once_in(world(f), 2) ? -ENOSPC : -EIO);
        pause_ms(f, 10, 500);
        sim_store_fail_next(cluster(f)->mds.store, 0);
        end_trouble(f);
}

/* --- the object store */

static void trouble_s3(struct fate *f)
{
        struct sim_s3 *s = f->all->sim->repo.s3;

        if (!s)
                return;
        if (world_once_in(world(f), 2))
                s->refuse_once_in = 1 + (uint32_t)world_random(world(f), 4);
        if (world_once_in(world(f), 2))
                s->cut_once_in = 2 + (uint32_t)world_random(world(f), 4);
        if (world_once_in(world(f), 2))
                s->delay_ns = 1 + world_random(world(f), 10 * SECOND_NS);
        world_say(world(f), "s3", "refuses 1 in %u, cuts 1 in %u, takes up to %.3f s", s->refuse_once_in,
                  s->cut_once_in, (double)s->delay_ns / 1e9);
        pause_ms(f, 100, 40000);
        sim_s3_mend(s);
        world_say(world(f), "s3", "is well again");
}

/* --- */

static void (*const kinds[])(struct fate *) = {
        crash_ds,  crash_ds,   crash_mds,         crash_actor,  stop_node,  set_clock,
        partition, partition,  break_connections, slow_network, fill_disk,  fail_disk,
        slow_disk, fail_store, strand_actor,      strand_both,  trouble_s3,
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* One that this seed has, most of the time. */
static uint64_t any_kind(struct fate *f)
{
        uint64_t kind = world_random(world(f), KINDS);

        for (uint32_t tries = 0; !(f->all->kinds >> kind & 1) && tries < KINDS / 2; tries++)
                kind = world_random(world(f), KINDS);
        return kind;
}

static void run(void *arg)
{
        struct fate *f = arg;
        struct faults *all = f->all;

        while (!all->stopping) {
                uint64_t kind = any_kind(f);

                pause_ms(f, 1, all->pause_ms);
                if (!(all->kinds >> kind & 1))
                        continue;
                all->active++;
                kinds[kind](f);
                while (!cluster_is_whole(cluster(f)) && all->active == 1)
                        pause_ms(f, 1, 100);
                if (--all->active == 0)
                        all->calm_since_ns = world(f)->now;
        }
        f->finished = true;
}

/* Often few kinds and at times many, so that each has seeds in which nothing else hides what it does. */
void faults_start(struct faults *f, struct sim *sim)
{
        f->sim = sim;
        f->node = world_add(&sim->world, "fate");
        f->kinds = (uint32_t)(world_random(&sim->world, 1 << KINDS) & world_random(&sim->world, 1 << KINDS));
        f->pause_ms = 500 + world_random(&sim->world, 8000);
        for (uint32_t i = 0; i < FATES; i++) {
                f->fates[i].all = f;
                co_start(&f->fates[i].co, &f->node->env, run, &f->fates[i]);
        }
}

void faults_stop(struct faults *f)
{
        f->stopping = true;
}

bool faults_finished(const struct faults *f)
{
        for (uint32_t i = 0; i < FATES; i++)
                if (!f->fates[i].finished)
                        return false;
        return true;
}

void faults_free(struct faults *f)
{
        for (uint32_t i = 0; i < FATES; i++)
                co_end(&f->fates[i].co);
}

uint64_t faults_calm_since(const struct faults *f)
{
        return f->active > 0 ? UINT64_MAX : f->calm_since_ns;
}

/* It counts from when it has the error to tell, which may be later than the fault: a WRITE is over when what
 * it announces is answered, too. */
static bool was_failing(const struct sim_ds *d, uint64_t when)
{
        uint64_t failed = d->ds ? atomic_load(&d->ds->disk_failed_ns) : 0;

        return failed > 0 && when < failed + FAILING_SECONDS * SECOND_NS;
}

bool faults_no_room(const struct faults *f, uint64_t since)
{
        const struct cluster *c = &f->sim->cluster;

        for (uint32_t i = 0; i < c->ds_count; i++)
                if (was_failing(&c->ds[i], since))
                        return true;
        return f->active > 0 || f->calm_since_ns >= since ||
               (f->disk_trouble_ns > 0 && since < f->disk_trouble_ns + FAILING_SECONDS * SECOND_NS);
}

bool faults_excuse(const struct faults *f, uint64_t since)
{
        return f->disk_trouble > 0 || f->disk_trouble_ns >= since;
}
