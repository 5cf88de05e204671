/* SPDX-License-Identifier: Apache-2.0 */
/* Which handles may be used here now: the floor, the fences by (file, client), and this server's own place in
 * each generation of the pool. What the MDS says in HELLO and FENCE comes in here; every READ, WRITE and
 * COMMIT asks. One table a worker (ds.h), all alike, so that nobody locks. */
#pragma once

#include "base/hashtab.h"
#include "base/list.h"
#include "base/slab.h"
#include "include/fh.h"
#include "include/nfs4.h"

enum {
        FENCES_MAX = 8192, /* the MDS keeps at most CTL_MAX_FENCES above the floor */
        FENCES_REMOVED_MAX = 8192,
        PLACES_MAX = 1024, /* CTL_MAX_POOLS */
};

struct place { /* where this data server stands in one generation of the pool */
        uint32_t generation, position, size;
};

struct fence_table {
        uint32_t floor;       /* epochs below are refused for good */
        struct hashtab table; /* struct fence by fileid */
        struct slab slab;
        struct list removed; /* files that were removed lately, oldest first; they are in the table too */
        uint32_t removed_count;
        struct place places[PLACES_MAX]; /* ascending generations */
        uint32_t place_count;
};

bool fence_table_init(struct fence_table *f);
void fence_table_destroy(struct fence_table *f);
/* Forget fences, floor and places: HELLO brings all of them again. Removed files stay. */
void fence_table_reset(struct fence_table *f);
/* Raise the floor to FLOOR; lower is ignored. */
void fence_table_raise_floor(struct fence_table *f, uint32_t floor);
/* Handles of FILEID that belong to CLIENT (0: all) with an epoch below BELOW are refused. FINAL: for good.
 * Only ever raises. A full table raises the floor instead: more is refused then, never less. */
void fence_table_raise(struct fence_table *f, uint64_t fileid, uint32_t client, uint32_t below, bool final);
/* FILEID's objects are being removed: a late WRITE must not bring one back (file ids are never used again).
 * The last FENCES_REMOVED_MAX are remembered. */
void fence_table_removed(struct fence_table *f, uint64_t fileid);
/* Replace the places; COUNT <= PLACES_MAX. */
void fence_table_set_places(struct fence_table *f, const struct place *places, uint32_t count);

/* May FH (kind FH_DS) be used here? OK: *ret_index is this server's index in the file's device. BAD_STATEID:
 * a recall runs, or the pool is newer than what we were told: this I/O goes through the MDS, the layout
 * survives. PNFS_NO_LAYOUT: revoked, below the floor, or of a device that we are not in. */
enum nfsstat4 fence_check(const struct fence_table *f, const struct fh *fh, uint32_t *ret_index);
/* For inflight_drain(): does the table at TABLE refuse FH? */
bool fence_refuses(void *table, const struct fh *fh);
/* The same as fence_check() for COMMIT, which only makes durable what was accepted: not refused because a
 * recall runs, or the client would have to write it all again. */
enum nfsstat4 fence_check_commit(const struct fence_table *f, const struct fh *fh, uint32_t *ret_index);
