/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/faults.h"

#include "tests/sim/sim.h"

static uint64_t between(struct faults *f, uint64_t min_ms, uint64_t max_ms)
{
        return (min_ms + world_random(&f->sim->world, max_ms - min_ms + 1)) * MS_NS;
}

static void crash_ds(struct faults *f)
{
        struct cluster *c = &f->sim->cluster;
        uint32_t i = (uint32_t)world_random(&f->sim->world, c->ds_count);

        cluster_crash_ds(c, i, world_once_in(&f->sim->world, 2));
        co_sleep(between(f, 1, 8000));
        cluster_start_ds(c, i);
}

static void run(void *arg)
{
        struct faults *f = arg;

        while (!f->stopping) {
                co_sleep(between(f, 1, 5000));
                f->active++;
                crash_ds(f);
                while (!cluster_is_whole(&f->sim->cluster))
                        co_sleep(between(f, 1, 100));
                f->active--;
                f->calm_since_ns = f->sim->world.now;
        }
        f->finished = true;
}

void faults_start(struct faults *f, struct sim *sim)
{
        f->sim = sim;
        f->node = world_add(&sim->world, "fate");
        co_start(&f->co, &f->node->env, run, f);
}

void faults_stop(struct faults *f)
{
        f->stopping = true;
}

void faults_free(struct faults *f)
{
        co_end(&f->co);
}

uint64_t faults_calm_since(const struct faults *f)
{
        return f->active > 0 ? UINT64_MAX : f->calm_since_ns;
}
