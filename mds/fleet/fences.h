/* SPDX-License-Identifier: Apache-2.0 */
/* Fencing by layout epoch (DESIGN: trust between MDS and DS). A fence says: handles of this file (for this
 * client, or for all) with an epoch below E are refused. The floor says it for every file; it rises when the
 * MDS starts (nothing granted before is good any more) and when the table of fences is full. */
#pragma once

#include "mds/fleet/fleet.h"

struct fences;
struct fences *fences_new(struct fleet *f); /* raises the floor above everything granted before */
void fences_free(struct fences *x);
uint32_t fences_floor(const struct fences *x);
/* All fences in force into OUT (CTL_MAX_FENCES); their number. */
uint32_t fences_list(const struct fences *x, ctl_fence *out);

/* Waits until every data server of a file has acknowledged, or its trust has run out. Member of whoever
 * waits. */
struct fence_wait {
        struct fleet *fleet;
        uint32_t pending;
        bool given_up; /* we stop: somebody may not be fenced */
        void (*done)(struct fence_wait *);
};
/* Raise the fence of FILE to a new epoch for the clients with these TAGS (COUNT of them, at most
 * FENCE_CLIENTS; a tag of 0 means all clients); WAIT->done runs later, never from inside. FINAL: the layouts
 * are revoked (PNFS_NO_LAYOUT), else a recall runs (BAD_STATEID). */
enum { FENCE_CLIENTS = 64 };
void fence_raise(struct fleet *f, const struct inode *file, const uint32_t *tags, uint32_t count, bool final,
                 struct fence_wait *wait);
/* The same for every file at once, at all data servers, for the client with TAG: its handles are
 * PNFS_NO_LAYOUT. False: there is no data server, and WAIT is not used. */
bool fence_raise_client(struct fleet *f, uint32_t tag, struct fence_wait *wait);
/* We stop, and the connections to all data servers are closed: nobody waits any longer. */
void fences_give_up(struct fleet *f);
/* Tell everybody the pool table again. */
void fences_send_pools(struct fleet *f);
/* Fill in what a data server must know at HELLO. POOLS: CTL_MAX_POOLS; returns their number. */
uint32_t fences_pools_of(const struct fleet *f, const struct server *s, ctl_pool *out);
