/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a COPY, piece by piece: by the data servers where the units of both ranges lie on the same
 * ones, else through us. Each piece is durable when the next begins. What comes before an error, or before
 * the source was cut, counts. */
#pragma once

#include "mds/pnfs/proxy.h"

struct copier {
        struct proxy_caller io;   /* mds and export_id are the owner's to set, as all up to `ended` */
        uint64_t source, target;  /* file ids */
        uint64_t from, to, count; /* bytes; the range lies in the source */
        /* May it go on? Asked before each piece. NULL: it may. */
        enum nfsstat4 (*check)(struct copier *);
        /* Exactly once, perhaps from inside a call. */
        void (*ended)(struct copier *);
        bool patient; /* a data server that is away is waited for */
        bool stop;    /* no piece is begun any more */

        uint64_t done;        /* bytes */
        enum nfsstat4 status; /* when it has ended; OK too when it ended early */
        enum { COPIER_IDLE, COPIER_READS, COPIER_WRITES, COPIER_COPIES, COPIER_PAUSES, COPIER_ENDED } step;
        uint64_t piece; /* bytes under way */
        struct buf *buf;
        struct timer pause;
        uint64_t stuck_ns;   /* since when nothing goes on; 0: it does */
        bool running, ready; /* inside its own steps; a piece has ended meanwhile */
};

/* From `done` on it is all 0. It may end inside. */
void copier_start(struct copier *k);
/* Begin no further piece: it ends, at once or with the one that is under way. */
void copier_stop(struct copier *k);
