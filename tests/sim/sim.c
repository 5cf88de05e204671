/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/sim.h"

#define JOIN_NS (60 * SECOND_NS)
#define END_NS (600 * SECOND_NS)
#define REAP_NS (120 * SECOND_NS)

static struct sim sim; /* some megabytes */

static uint64_t lost_at(void *arg, int ds)
{
        return ((struct sim *)arg)->cluster.ds[ds].lost_at_ns;
}

static void step(uint64_t end, const char *what)
{
        const char *problem;

        if (!world_step(&sim.world, end))
                world_fail(&sim.world, "%s", what);
        exclusion_check(&sim);
        problem = cluster_restart_ended(&sim.cluster);
        if (problem && !faults_excuse(&sim.faults, sim.world.now))
                world_fail(&sim.world, "a data server ends: %s", problem);
}

static bool actors_finished(void)
{
        for (uint32_t i = 0; i < sim.actor_count; i++)
                if (!sim.actors[i].finished)
                        return false;
        return true;
}

static void start(uint64_t seed, const struct sim_options *options)
{
        static const char *const names[SIM_ACTORS] = { "c1", "c2", "c3" };
        struct world *w = &sim.world;

        world_init(w, seed, options->verbose);
        net_set_delay(w->net, MS_NS / 20, MS_NS / 2 + world_random(w, 5 * MS_NS));
        model_init(&sim.model, w);
        sim.model.lost_at = lost_at;
        sim.model.arg = &sim;
        sim.names = (struct names){ .model = &sim.model };
        repo_init(&sim.repo, &sim);
        stranger_init(&sim.stranger, &sim, sim.repo.conf, sizeof(sim.repo.conf));
        cluster_init(&sim.cluster, w, 1 + (uint32_t)world_random(w, CLUSTER_DS), sim.repo.s3, sim.repo.conf);
        while (!cluster_is_whole(&sim.cluster))
                step(w->now + JOIN_NS, "the data servers do not join");
        sim.actor_count = 1 + (uint32_t)world_random(w, SIM_ACTORS);
        for (uint32_t i = 0; i < sim.actor_count; i++)
                actor_start(&sim.actors[i], &sim, world_add(w, names[i]), i + 1);
        faults_start(&sim.faults, &sim);
        stranger_start(&sim.stranger);
}

/* What was removed goes, with its objects. Not so after trouble that leaves objects which the MDS was never
 * told of: of a synchronous write, the first of its file, that found a full disk or died with its server. */
static void reap(void)
{
        struct world *w = &sim.world;
        uint64_t end = w->now + REAP_NS;

        if (sim.faults.disk_trouble_ns > 0 || sim.cluster.crashes > 0)
                return;
        while (cluster_strays(&sim.cluster, false) > 0)
                if (!world_step(w, end)) {
                        cluster_strays(&sim.cluster, true);
                        world_fail(w, "objects of removed files stay");
                }
}

/* First the faults come to an end, so that the clients can. */
static void finish(void)
{
        struct world *w = &sim.world;
        uint64_t end = w->now + END_NS + (sim.repo.s3 ? REPO_QUIET_NS : 0);

        faults_stop(&sim.faults);
        sim.stranger.stopping = true;
        while (!faults_finished(&sim.faults))
                step(end, "the faults do not end");
        for (uint32_t i = 0; i < sim.actor_count; i++)
                actor_stop(&sim.actors[i]);
        while (!actors_finished())
                step(end, "the clients do not end");
        reap();
}

struct sim_result sim_run(uint64_t seed, const struct sim_options *options)
{
        struct sim_result result;

        start(seed, options);
        while (sim.world.steps < options->steps)
                step(UINT64_MAX - 1, "nothing happens any more");
        finish();
        result = (struct sim_result){ .steps = sim.world.steps, .trace = sim.world.trace };
        faults_free(&sim.faults);
        for (uint32_t i = 0; i < sim.actor_count; i++)
                actor_free(&sim.actors[i]);
        stranger_free(&sim.stranger);
        cluster_destroy(&sim.cluster);
        repo_destroy(&sim.repo);
        model_destroy(&sim.model);
        world_destroy(&sim.world);
        return result;
}
