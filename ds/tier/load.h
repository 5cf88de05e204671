/* SPDX-License-Identifier: Apache-2.0 */
/* Finding out what of an object is here: the MDS says where the rest comes from, the units' file what is here
 * already. A units' file of another source is removed, and one without its object: the bits in it would be
 * taken for true after the next crash. */
#pragma once

#include "ds/tier/residency.h"

/* R, whose state the caller made LOADING, becomes READY; or NEW again, failed for a while. Then all who wait
 * for it are told. For a handle of EPOCH, on W's thread. */
void residency_load(struct worker *w, struct residency *r, uint32_t epoch);
/* R, READY and marked as asking by the caller, was loaded for handles older than EPOCH: has it the same
 * source still? If not, it is gone. Then all who wait for the load are told. */
void residency_check(struct worker *w, struct residency *r, uint32_t epoch);
