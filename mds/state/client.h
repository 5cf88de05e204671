/* SPDX-License-Identifier: Apache-2.0 */
/* What the MDS keeps of a client: struct client.role. Made when there is first something to keep. */
#pragma once

#include "mds/mds.h"

struct survivor; /* state/recovery.c */

struct mds_client {
        struct list opens;       /* open_state.in_client */
        struct list delegations; /* delegation.in_client */
        struct list offloads;    /* offload.in_client */
        struct list devices;     /* ids it knows, oldest first: pnfs/devices.c */
        uint32_t open_count, delegation_count, offload_count, device_count;
        uint64_t trimmed_ns;       /* when it was asked for some of them */
        struct list revoked;       /* what it has lost and not let go of yet: revoked.c */
        uint32_t locks;            /* ranges, states and waiters: lock.c */
        struct survivor *survivor; /* it held state before our restart and may reclaim; NULL: it may not */
        bool idle;                 /* it had nothing to reclaim when that was looked at last */
        bool recorded;             /* its record is in the store … */
        bool delegated;            /* … and says that it had delegations … */
        uint64_t record_seq;       /* … durable up to here: what gives it state waits for that */
};

/* NULL: out of memory. */
struct mds_client *mds_client_of(struct client *client);
/* Has it state that it would reclaim after a restart of ours? Layouts are not reclaimed. */
bool mds_client_holds(const struct client *client);
/* Everything in it is gone. */
void mds_client_free(struct client *client);
