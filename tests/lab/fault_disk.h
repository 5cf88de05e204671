/* SPDX-License-Identifier: Apache-2.0 */
/* A disk in front of another: requests can be held back, or fail. One thread. */
#pragma once

#include "base/disk.h"
#include "base/env.h"

struct fault_disk;
/* Takes INNER. */
struct fault_disk *fault_disk_new(struct env *env, struct disk *inner);
struct disk *fault_disk_disk(struct fault_disk *f);
/* From now on requests of kind OP fail with ERROR (0: no more). */
void fault_disk_fail(struct fault_disk *f, enum disk_op op, int error);
/* From now on requests of kind OP wait; let go: those that wait go on, newest first when REVERSE. */
void fault_disk_hold(struct fault_disk *f, enum disk_op op);
void fault_disk_let_go(struct fault_disk *f, bool reverse);
uint32_t fault_disk_held(const struct fault_disk *f);
/* Requests of kind OP so far. */
uint64_t fault_disk_count(const struct fault_disk *f, enum disk_op op);
