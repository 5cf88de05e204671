/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a range of a file into memory, and making durable what was read: an object in S3 is not to have
 * more than the file after a power cut. What this data server has of it comes from its object; what others
 * have, by READ and COMMIT there (RFC 8881 §18.22), under a handle that the MDS gave for it. Own units of a
 * file of the tier may not be here: they are READ at our own door, where the gate (gate.h) has them fetched
 * first. Holes, and what lies behind the end, are zeros: how long the file is, and that it does not change
 * meanwhile, is the caller's to know. A few pieces of at most 1 MiB are under way at a time. */
#pragma once

#include <ctl.h>

#include "ds/ds.h"
#include "include/stripe.h"
#include "nfs4/peer.h"

enum { GATHER_PIECES = 8, GATHER_SECONDS = 60 /* then it is given up: somebody does not answer */ };

struct gather;
struct gather_piece { /* private */
        struct gather *gather;
        enum { PIECE_IDLE, PIECE_DISK, PIECE_PEER, PIECE_PAUSE } state;
        uint64_t offset; /* in the file */
        uint32_t length, done;
        struct object *object; /* held while it is read, not while others are waited for: it may be removed */
        struct opener opener;
        struct disk_req disk;
        struct peer_call call;
        struct timer again;
};

struct gather { /* a member of whoever wants the range; zero it */
        /* set by the caller; what it points to lives until done() */
        struct worker *worker;
        struct fh fh;                  /* that HANDLE is */
        const uint8_t *handle;         /* FH_BYTES */
        const ctl_member *members;     /* data servers of the file, by index; NULL: only this one */
        uint32_t index;                /* ours */
        uint64_t offset, length;       /* of the file */
        uint8_t *out;                  /* LENGTH bytes */
        void (*done)(struct gather *); /* once, on the worker, perhaps from inside gather_start() */
        /* the answer */
        const char *why;      /* NULL: all of it is in OUT; else why not (a literal) */
        uint64_t from_others; /* bytes that came by READs */
        /* private */
        uint64_t next, until_ns;
        uint32_t under_way;
        bool own, synced; /* it is in our object too; that is durable */
        struct object *object;
        struct opener opener;
        struct sync_wait sync;
        struct folder_wait folder;
        uint32_t syncing;
        struct gather_piece pieces[GATHER_PIECES];
};
/* On the worker's thread. */
void gather_start(struct gather *g);
/* Nobody wants it any more, because of WHY: done() runs as soon as nothing is under way, perhaps from inside.
 * What waits for other data servers ends when those sessions do (peers.h), or with its call. */
void gather_give_up(struct gather *g, const char *why);
