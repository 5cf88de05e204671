/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of locks: lock.c has owners, states and ranges, lock_wait.c who waits. */
#pragma once

#include "base/slab.h"
#include "mds/state/client.h"
#include "mds/state/lock.h"
#include "mds/state/open.h"

enum {
        LOCKS_MAX = 1 << 20,     /* ranges, states and waiters, each, unless configured */
        LOCKS_CLIENT_SHARE = 32, /* of it for one client, all three together */
        LOCKS_SLACK = 1024,      /* above either of them: for unlocks, which may need a range too */
        WAITERS_FILE_MAX = 256,
        LOCK_OWNER_SHORT = 64,
};

/* A file in which something is locked or waited for. */
struct lock_file {
        struct hnode by_fileid;
        struct locks *locks;
        uint64_t fileid;
        struct ranges ranges;
        struct list waiters; /* lock_waiter.in_file, who asked first in front */
        uint32_t waiter_count;
        uint32_t users; /* owners, and functions at work on it: it goes with the last */
        bool looking, look_again;
        struct timer window; /* the end of the first offer */
};

/* A lock-owner in a file: while it has states or waits. */
struct lock_owner {
        struct hnode by_name; /* client, file and name */
        struct lock_file *file;
        struct client *client;
        struct range_owner ranges;
        struct list states;  /* lock_state.in_owner */
        struct list waiters; /* lock_waiter.in_owner */
        uint32_t length;
        uint8_t *name; /* short_name, or malloc'd when longer */
        uint8_t short_name[LOCK_OWNER_SHORT];
};

static inline struct lock_owner *lock_owner_of(const struct range *r)
{
        return CONTAINER(r->owner, struct lock_owner, ranges);
}

struct lock_waiter {
        struct list in_file, in_owner, in_open;
        struct lock_owner *owner;
        struct fh fh; /* as the client knows the file */
        enum range_kind kind;
        uint64_t first, last;
        uint64_t asked_ns, offered_ns;
        bool offered;
        struct callback *call; /* under way */
};

struct locks {
        struct mds *mds;
        struct hashtab by_index, files, owners;
        struct slab file_slab, owner_slab, state_slab, waiter_slab;
        struct range_pool pool;
        uint32_t next_index, most;
        struct metric refused, notified;
};

/* --- lock.c */

/* A file in hand does not go while its owners do. */
static inline void lock_file_hold(struct lock_file *file)
{
        file->users++;
}
void lock_file_release(struct lock_file *file);
/* The owner of WISH, made when new; NULL: out of memory. It goes again with lock_owner_put() while it has
 * nothing. */
struct lock_owner *lock_owner_get(struct locks *l, const struct lock_wish *wish);
void lock_owner_put(struct lock_owner *owner);
/* What CLIENT has; has it as much as it may have, and SLACK? */
void lock_client_count(struct client *client, int more);
bool lock_client_is_full(const struct locks *l, const struct client *client, uint32_t slack);

/* --- lock_wait.c */

/* WISH was denied: it is remembered, or remembered to have been asked again. */
void lock_wait(struct locks *l, struct open_state *open, const struct lock_wish *wish);
/* OWNER has FIRST to LAST, or does not wait for it any more. */
void lock_wait_over(struct lock_owner *owner, uint64_t first, uint64_t last);
/* Whoever but OWNER (may be NULL) is offered what conflicts with this; NULL: nobody. */
const struct lock_waiter *lock_wait_conflict(const struct lock_file *file, const struct lock_owner *owner,
                                             enum range_kind kind, uint64_t first, uint64_t last);
/* Something may have become free, or somebody's lease has run out: it is offered to those who wait. */
void lock_wait_look(struct lock_file *file);
void lock_wait_open_gone(struct open_state *open);
void lock_wait_on_window(struct timer *t);
