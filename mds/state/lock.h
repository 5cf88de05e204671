/* SPDX-License-Identifier: Apache-2.0 */
/* Byte-range locks (RFC 8881 §9, §18.10 to §18.12, §18.38, §20.11). In memory, advisory; one lock state, with
 * a stateid, per open state and lock-owner, and the ranges of a lock-owner in a file (state/range.h) whatever
 * its opens are. A lock ends with its open at the latest.
 *
 * Who asks for a range with READW_LT or WRITEW_LT and is denied is remembered, in the order of asking, and
 * called (CB_NOTIFY_LOCK) when the range is free. From then on it is offered to him for a second: nobody else
 * is given it meanwhile, or a client that locks and unlocks all the time would always be there first. Clients
 * without a back channel are not remembered, and ask again by themselves, as all clients do after a while. */
#pragma once

#include "mds/mds.h"
#include "mds/state/range.h"

struct open_state;

struct lock_state {
        struct hnode by_index; /* by the index in its stateid */
        struct list in_owner, in_open;
        struct lock_owner *owner;
        struct open_state *open;
        struct stateid stateid;
};

/* What somebody wants. */
struct lock_wish {
        struct client *client;
        struct slice owner; /* his name for the lock-owner */
        struct fh fh;
        enum range_kind kind;
        uint64_t first, last; /* both inside */
        bool waits;           /* is to be called when it is free */
};

/* What is in the way: LOCK4denied. Good until something changes. */
struct lock_denied {
        enum range_kind kind;
        uint64_t first, last, clientid;
        struct slice owner;
};

struct locks *locks_new(struct mds *mds);
void locks_free(struct locks *l); /* after opens are gone */

/* LOCK under OPEN, of the same client and file: the state of OPEN and the owner is made when new, and its
 * seqid rises by one. OK; DENIED with *ret_denied, and nothing has changed but that a wish that waits is
 * remembered and one that does not is forgotten (§9.6); DELAY: a limit is reached, or it is just being taken
 * away from a client whose lease has run out. Such clients lose what they have of the file. */
enum nfsstat4 lock_take(struct locks *l, struct open_state *open, const struct lock_wish *wish,
                        struct lock_state **ret, struct lock_denied *ret_denied);
/* LOCKT: OK, DENIED, DELAY; as above. */
enum nfsstat4 lock_test(struct locks *l, const struct lock_wish *wish, struct lock_denied *ret_denied);
/* LOCKU: OK, and the seqid rises by one; DELAY: a limit is reached, nothing has changed. */
enum nfsstat4 lock_release(struct locks *l, struct lock_state *state, uint64_t first, uint64_t last);
/* FREE_STATEID: OK and STATE is gone, or LOCKS_HELD. */
enum nfsstat4 lock_free(struct locks *l, struct lock_state *state);
/* What is locked under OPEN is being taken away: its stateids mean WHY from now on. Before the open goes. */
void locks_revoke(struct locks *l, const struct open_state *open, enum nfsstat4 why);
/* The lease of CLIENT has run out: what others wait for is soon taken from it. */
void locks_client_lapsed(struct locks *l, const struct client *client);
/* OPEN goes, and with it what was locked and is waited for under it. From open.c. */
void locks_open_gone(struct locks *l, struct open_state *open);

/* The lock state that S names: OK, BAD_STATEID, OLD_STATEID; S must belong to CLIENT. */
enum nfsstat4 lock_find(struct locks *l, const struct client *client, const struct stateid *s,
                        struct lock_state **ret);
/* The open behind S, which is an open's stateid or a lock's: what I/O and LAYOUTGET ask for. */
enum nfsstat4 lock_find_open(struct mds *mds, const struct client *client, const struct stateid *s,
                             struct open_state **ret);
struct slice lock_owner_name(const struct lock_state *state);
uint64_t lock_fileid(const struct lock_state *state);

uint32_t locks_count(const struct locks *l); /* ranges */
uint32_t locks_waiters_count(const struct locks *l);

/* For people: what is locked of FILEID, from FIRST to LAST inside; how many ranges CLIENT has. */
typedef void lock_each_fn(void *arg, const struct client *client, bool write, uint64_t first, uint64_t last);
void locks_each_of_file(const struct locks *l, uint64_t fileid, lock_each_fn *each, void *arg);
uint32_t locks_of_client(const struct client *client);
