/* SPDX-License-Identifier: Apache-2.0 */
/* The byte ranges that are locked in one file, by the rules of POSIX (fcntl, IEEE Std 1003.1; RFC 8881 §9.1.2
 * to §9.3). What one owner has never overlaps: a new lock replaces what it covers, splits what it lies inside
 * of, and grows together with neighbours of its kind. Ranges of two owners overlap only when both are for
 * reading. Ranges run from FIRST to LAST, both inside; to the end of file is up to UINT64_MAX. Nothing here
 * knows of clients, stateids or time. */
#pragma once

#include "base/slab.h"
#include "mds/state/span.h"

enum range_kind { RANGE_READ, RANGE_WRITE };

struct range_owner {
        struct span *all; /* range.in_owner */
        uint32_t count;
};

struct range {
        struct span in_file, in_owner;
        struct range_owner *owner;
        enum range_kind kind;
};

/* Of a file. Those for writing overlap nothing, so a look for them finds at most one at any byte. */
struct ranges {
        struct span *reads, *writes; /* range.in_file */
};

struct range_pool {
        struct slab slab;
        uint64_t dice; /* the next priority; begins with something that nobody can guess */
};

void range_pool_init(struct range_pool *pool, uint32_t limit, uint64_t seed);
void range_pool_destroy(struct range_pool *pool);

/* What keeps OWNER (NULL: somebody without ranges) from having KIND from FIRST to LAST; NULL: nothing. */
const struct range *range_conflict(const struct ranges *file, const struct range_owner *owner,
                                   enum range_kind kind, uint64_t first, uint64_t last);
/* OWNER has KIND there from now on; nobody is in conflict. False: the pool has not the range that this needs,
 * or the second one where it splits one of the other kind; nothing has changed. */
bool range_set(struct range_pool *pool, struct ranges *file, struct range_owner *owner, enum range_kind kind,
               uint64_t first, uint64_t last);
/* OWNER has nothing there from now on. False: this splits a range in two, and the pool has none; nothing has
 * changed. */
bool range_clear(struct range_pool *pool, struct ranges *file, struct range_owner *owner, uint64_t first,
                 uint64_t last);
/* Would range_clear() leave OWNER with one range more? */
bool range_is_split(const struct range_owner *owner, uint64_t first, uint64_t last);
