/* SPDX-License-Identifier: Apache-2.0 */
/* Making bits durable, after the data that they speak of. Whoever wants it takes a snapshot of the bits
 * first, then syncs the object, then has the snapshot written: bits that were set meanwhile may speak of data
 * that the sync has not seen. The units' file has one writer at a time; what comes meanwhile shares its next
 * round. */
#pragma once

#include "ds/tier/residency.h"

struct keep {      /* a member of whoever waits */
        int error; /* 0 or -errno */
        void (*done)(struct keep *);
        /* private */
        struct list node;
        struct message msg;
        struct worker *worker;
        struct residency *residency; /* referenced */
        uint64_t *bits;              /* the snapshot */
        uint64_t changes;
};
/* Snapshot R's bits: false when all of them are durable (or there is no memory: K->error says so; else it is
 * 0), and K needs nothing more. */
bool keep_snapshot(struct worker *w, struct residency *r, struct keep *k);
/* The data are durable: write the snapshot; K->done() runs later, never from inside. */
void keep_write(struct keep *k);
/* The data are not: forget the snapshot. */
void keep_forget(struct keep *k);

/* R is gone, so that no round begins any more: false, or K->done() runs when the one under way has ended and
 * the units' file is not written to. */
bool keep_wait_for_writer(struct worker *w, struct residency *r, struct keep *k);

/* In the background: sync the object and write what was fetched, unless that is under way. FD's object must
 * exist. */
void keep_settle(struct worker *w, struct residency *r);
/* Tell the MDS when all units are here, durably. */
void keep_tell_if_all(struct worker *w, struct residency *r);
