/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of delegation.h share. */
#pragma once

#include "base/slab.h"
#include "mds/state/delegation.h"

#define NS UINT64_C(1000000000)

enum { DELEGATIONS_MAX = 1 << 18, CLIENT_DELEGATIONS_MAX = 1 << 16 };
enum { RECENT_SLOTS = 1 << 16 /* a power of two */, RECENT_SECONDS = 60 };

/* What is remembered of a file without delegations. Files share slots: who comes later has it. */
struct recent {
        uint64_t fileid;
        /* When it happened last; 0: never. It was opened for reading, for writing, a delegation of it was
         * called back, layouts were for the sake of one. */
        uint64_t read_ns, written_ns, called_back_ns, layouts_ns;
        uint32_t writer; /* whose client (its tag) opened it for writing then */
};

struct delegations {
        struct mds *mds;
        struct hashtab by_index, by_file;
        struct slab slab;
        uint32_t next_index;
        struct list waiting; /* struct delegation_wait */
        struct list ready;   /* those that go on from the next turn */
        struct task wake;
        uint32_t writers;         /* delegations for writing */
        uint32_t max, client_max; /* DELEGATIONS_MAX, CLIENT_DELEGATIONS_MAX */
        uint64_t trimmed_ns;      /* when all clients were asked for some of theirs */
        struct metric granted, recalls, revoked, asked, trims, refused;
        struct recent recent[RECENT_SLOTS];
};

/* A delegation of TYPE (OPEN_DELEGATE_READ, _WRITE) for the client of C, which has a role; NULL: the table is
 * full. */
struct delegation *delegation_new(struct delegations *d, const struct compound *c, const struct fh *fh,
                                  uint32_t type);
/* Has anybody but EXCEPT a delegation of FILEID? The first one after PREVIOUS (NULL: of all); NULL: no. */
struct delegation *delegation_of_other(const struct delegations *d, const struct client *except,
                                       uint64_t fileid, struct delegation *previous);
/* The one for writing that anybody but EXCEPT has of FILEID; NULL. There is at most one. */
struct delegation *delegation_of_writer(const struct delegations *d, const struct client *except,
                                        uint64_t fileid);
/* May CLIENT have one more? Clients are asked for some when it becomes tight. (delegation_limit.c) */
bool delegation_has_room(struct delegations *d, struct client *client);
void delegation_put_fh(const struct delegation *one, struct xdr_out *x);
/* C waits until delegation_go_on(FILEID): WAIT, or DELAY when it has waited long enough. */
enum nfsstat4 delegation_wait_for(struct delegations *d, struct compound *c, uint64_t fileid,
                                  struct delegation_wait *w);
void delegation_go_on(struct delegations *d, uint64_t fileid);
/* ONE is taken from its client as soon as it is certain that it cannot be reclaimed, and that nothing is
 * written under its layout any more. */
void delegation_take(struct delegation *one);
void delegation_timer(struct timer *t); /* of one: it is asked again, or taken */
/* What is remembered of FILEID from now on. */
struct recent *delegation_recent(struct delegations *d, uint64_t fileid);
