/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata store of the simulator: what the log of mds/store/memory.c keeps over a crash, and a handle on
 * it for each life of the MDS, which dies with it. */
#pragma once

#include "mds/store/store.h"
#include "tests/sim/world.h"

struct sim_store;
struct sim_store *sim_store_new(struct node *node);
void sim_store_free(struct sim_store *s);
/* For the process on the node, which closes it; one at a time. */
struct store *sim_store_attach(struct sim_store *s);
/* The process is dead: it changes nothing any more. POWER_LOST: of what was not synced a random number of
 * batches survives, the oldest first, as a log whose tail is torn is read up to there. */
void sim_store_crash(struct sim_store *s, bool power_lost);
/* The next batch is refused with ERROR. */
void sim_store_fail_next(struct sim_store *s, int error);
/* The store itself, when no process has it. */
struct store *sim_store_inner(struct sim_store *s);
