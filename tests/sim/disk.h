/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator's disk, for data servers: files in memory, each as it is and as it would be after a crash.
 * Until a sync has ended, every sector that was written, every length that changed and every name that came
 * or went may or may not survive, each for itself, as POSIX allows. Folders are there from the beginning. */
#pragma once

#include "base/disk.h"
#include "tests/sim/world.h"

struct sim_disk;
struct sim_disk *sim_disk_new(struct world *w, uint64_t capacity);
void sim_disk_free(struct sim_disk *d);
/* For a process on NODE, which frees it; one at a time. */
struct disk *sim_disk_attach(struct sim_disk *d, struct node *node);
/* The process is dead. What it has under way ends with EIO and without any further effect. POWER_LOST: so is
 * what was not synced, or parts of it; a process alone takes nothing with it. */
void sim_disk_crash(struct sim_disk *d, bool power_lost);
/* From now on there is no room for more (false: there is); the next request fails with EIO; each request
 * takes up to MAX. */
void sim_disk_set_full(struct sim_disk *d, bool full);
void sim_disk_fail_next(struct sim_disk *d);
void sim_disk_fail_none(struct sim_disk *d);
void sim_disk_set_delay(struct sim_disk *d, uint64_t max_ns);

/* What is there now: every file below FOLDER ("objects"). */
void sim_disk_each(struct sim_disk *d, const char *folder, void (*each)(void *arg, const char *path),
                   void *arg);
