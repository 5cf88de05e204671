/* SPDX-License-Identifier: Apache-2.0 */
/* One run of the simulator: a cluster, clients and faults from a seed, and what must be true all the time. */
#pragma once

#include "tests/sim/actor.h"
#include "tests/sim/faults.h"
#include "tests/sim/repo.h"
#include "tests/sim/stranger.h"

enum { SIM_ACTORS = 3 };

struct sim {
        struct world world;
        struct cluster cluster;
        struct model model;
        struct names names;
        struct actor actors[SIM_ACTORS];
        uint32_t actor_count;
        struct faults faults;
        struct repo_sim repo;
        struct stranger stranger;
};

/* --- exclusion.c: after every step; and when A's write E was answered. */
void exclusion_check(const struct sim *sim);
void exclusion_check_write(const struct sim *sim, const struct actor *a, const struct event *e);

struct sim_options {
        uint64_t steps; /* at least, before the clients come to an end */
        bool verbose;
};
struct sim_result {
        uint64_t steps, trace; /* the hash of all that happened */
};
/* Run SEED to its end. What is wrong ends the process (world_fail()). */
struct sim_result sim_run(uint64_t seed, const struct sim_options *options);
