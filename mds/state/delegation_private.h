/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of delegation.h share. */
#pragma once

#include "base/slab.h"
#include "mds/state/delegation.h"

#define NS UINT64_C(1000000000)

enum { DELEGATIONS_MAX = 1 << 18, RECENT_SLOTS = 1 << 16 /* a power of two */, RECENT_SECONDS = 60 };

/* What is remembered of a file without delegations. Files share slots: who comes later has it. */
struct recent {
        uint64_t fileid;
        /* When it happened last; 0: never. It was opened for reading, a delegation of it was called back,
         * layouts were for the sake of one. */
        uint64_t opened_ns, called_back_ns, layouts_ns;
};

struct delegations {
        struct mds *mds;
        struct hashtab by_index, by_file;
        struct slab slab;
        uint32_t next_index;
        struct list waiting; /* struct delegation_wait */
        struct list ready;   /* those that go on from the next turn */
        struct task wake;
        struct metric granted, recalls, revoked;
        struct recent recent[RECENT_SLOTS];
};

/* Has anybody but EXCEPT a delegation of FILEID? The first one after PREVIOUS (NULL: of all); NULL: no. */
struct delegation *delegation_of_other(const struct delegations *d, const struct client *except,
                                       uint64_t fileid, struct delegation *previous);
/* ONE is taken from its client as soon as it is certain that it cannot be reclaimed. */
void delegation_take(struct delegation *one);
void delegation_timer(struct timer *t); /* of one: it is asked again, or taken */
/* What is remembered of FILEID from now on. */
struct recent *delegation_recent(struct delegations *d, uint64_t fileid);
