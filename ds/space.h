/* SPDX-License-Identifier: Apache-2.0 */
/* The last of a disk is not for data: who shares it, the metadata server perhaps, needs room to remove files
 * with. So 256 MiB of it, a sixteenth at most, are kept back (not with `reserve_bytes: 0`): what makes an
 * object longer is NOSPC before it begins, and what is told of free space is without it. What overwrites is
 * always written. */
#pragma once

#include "ds/ds.h"

/* Bytes of W's disk that are there for data, of all. 0 or -errno. */
int space_for_data(const struct worker *w, uint64_t *ret_total, uint64_t *ret_free);
/* Of an object of SIZE bytes [BEGIN, END) is about to be written. False: it would get longer by what is kept
 * back. */
bool space_take_beyond(struct worker *w, uint64_t size, uint64_t begin, uint64_t end);
