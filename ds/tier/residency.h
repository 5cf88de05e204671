/* SPDX-License-Identifier: Apache-2.0 */
/* Which units of an object are here. Units are those of the object: unit n begins at byte n * unit of it.
 * Those that begin at or behind `valid`, the part of the S3 object that is the file's, are here by nature.
 * One residency is shared by all workers that have the object; what changes is under tier->lock, but for the
 * words of `here` and `units`, which everybody may read at any time. A residency whose bits are not all
 * durable stays in memory also when nobody holds it: what was written would be fetched over. */
#pragma once

#include <stdatomic.h>

#include "base/hashtab.h"
#include "base/loop.h"
#include "ds/tier/tier.h"
#include "ds/tier/units.h"
#include "include/fh.h"
#include "include/stripe.h"
#include "s3tier/s3.h"

enum { RESIDENCIES_IDLE = 16384, RESIDENCIES_MAX = 262144 };

struct source { /* of the bytes: CTL_SOURCE's answer; constant once loaded, but for the revision */
        uint32_t repo;
        _Atomic uint64_t revision; /* of the repo; rises */
        uint64_t size;             /* of the object */
        char *key;
        char etag[UNITS_ETAG];
        char version[S3_VERSION_BYTES]; /* its id; "": not known (yet). With the lock */
        _Atomic bool is_past;           /* another one is at the key: that VERSION is asked for */
};

struct keeper; /* keep.c */

struct residency {
        struct hnode node;
        struct list in_idle;
        struct ds_tier *tier;
        uint64_t fileid;
        uint32_t generation, index;
        struct stripe stripe;
        uint32_t refs;
        enum residency_state { RESIDENCY_NEW, RESIDENCY_LOADING, RESIDENCY_READY } state;
        _Atomic bool gone; /* not in the table: the object is removed, or the source is to be asked anew */
        /* The MDS was asked for the source since it gave handles of this epoch. A newer one may be of a time
         * when the file was written, archived and released: then the source is another. */
        _Atomic uint32_t asked_epoch;
        bool asking; /* whether it still is the same */
        /* from READY on */
        struct source source;
        uint64_t valid, cut;     /* bytes of the file; valid is never above cut */
        _Atomic uint64_t units;  /* that begin below valid: falls when the file is cut */
        _Atomic uint64_t absent; /* of them, about: 0 is exact */
        uint64_t words;          /* of each bitmap */
        _Atomic uint64_t *here;
        uint64_t *busy; /* being fetched, or written as a whole */
        uint64_t *kept; /* durable, or on the way there after their data */
        uint32_t busy_count;
        uint64_t changes, kept_changes; /* of `here`; those that the units' file has */
        bool has_file;                  /* the units' file is there, with its name */
        bool told, telling;             /* CTL_RESIDENT */
        struct keeper *keeper;          /* writes the units' file, else NULL */
        struct list keeping;            /* struct keep that wait for its next round */
        bool settling;                  /* fetched units are being made durable */
        /* times for GETSIZES: what the object said before anything was fetched; the newest write since */
        uint64_t mtime_ns;
        _Atomic uint64_t written_ns;
        _Atomic uint32_t written_epoch; /* the highest of the handles that it was written under */
        uint32_t released_epoch;        /* handles of a lower one do not know that nothing is here */
        /* why nothing is fetched, until when */
        enum tier_outcome failed;
        uint64_t failed_until_ns;
        struct list waiting; /* struct unit_wait */
};

static inline bool residency_has(const struct residency *r, uint64_t unit)
{
        return unit >= atomic_load_explicit(&r->units, memory_order_acquire) ||
               atomic_load_explicit(&r->here[unit / 64], memory_order_acquire) >> unit % 64 & 1;
}
static inline bool residency_has_all(const struct residency *r, uint64_t first, uint64_t last)
{
        for (uint64_t unit = first; unit <= last; unit++)
                if (!residency_has(r, unit))
                        return false;
        return true;
}

/* One reference more; NULL: it is not known, or (hold) out of memory. hold() makes a new one when there is
 * none; FH and INDEX say what its units are. */
struct residency *residency_find(struct ds_tier *t, uint64_t fileid, uint32_t generation);
struct residency *residency_hold(struct ds_tier *t, const struct fh *fh, uint32_t index);
struct residency *residency_ref(struct residency *r);
void residency_release(struct residency *r);

/* Was the file released since handles of EPOCH were given? Also true of a few that were not. */
bool residency_was_released(struct ds_tier *t, uint64_t fileid, uint32_t generation, uint32_t epoch);

/* The end: nobody holds any. */
void residencies_free(struct ds_tier *t);

/* --- with tier->lock held */

/* Bitmaps for what VALID (of the file) leaves; the bits of KNOWN (or none) are set and kept. False: out of
 * memory, or too many units. */
bool residency_make_units(struct residency *r, uint64_t valid, const uint64_t *known);
/* Free them, and the source's key: it could not be loaded, or nobody holds it. */
void residency_drop_units(struct residency *r);
/* The file is not longer than SIZE. */
void residency_cut(struct residency *r, uint64_t size);
/* It was OUTCOME: nothing is tried for a while. */
void residency_failed(struct residency *r, enum tier_outcome outcome, uint64_t now_ns);
/* Where UNIT begins in the file, and how many bytes of the source it has. */
uint64_t residency_unit_begin(const struct residency *r, uint64_t unit);
uint64_t residency_unit_bytes(const struct residency *r, uint64_t unit);
/* How many units of the object begin below byte VALID of the file; without the lock as well. */
uint64_t residency_units_below(const struct residency *r, uint64_t valid);
/* UNIT is claimed by whoever fetches or writes it whole; then it is here, or not. */
static inline bool residency_is_busy(const struct residency *r, uint64_t unit)
{
        return units_has(r->busy, unit);
}
void residency_claim(struct residency *r, uint64_t unit);
void residency_unclaim(struct residency *r, uint64_t unit, bool here);
/* Take it out of the table; false: it has bits that are not durable, or something is under way. */
bool residency_retire(struct residency *r);
/* The same whatever is under way: the object is being removed. */
void residency_remove(struct residency *r);
/* The same, with another in its place, referenced, that is LOADING until the caller says otherwise: what was
 * written under handles of an epoch below EPOCH is not to be here any more. NULL: out of memory, and nothing
 * has changed. */
struct residency *residency_replace(struct residency *r, uint32_t epoch);
/* A WRITE goes on under a handle of EPOCH; without the lock. */
void residency_note_epoch(struct residency *r, uint32_t epoch);
/* May something have been written to it under a handle of EPOCH or above? Also when it was forgotten since.
 */
bool residency_written_since(const struct residency *r, uint32_t epoch);

/* --- waiting */

#define UNIT_LOAD UINT64_MAX
#define UNIT_TOLD (UINT64_MAX - 1) /* the MDS's answer to RESIDENT */

struct unit_wait { /* a member of whoever waits */
        struct list node;
        struct message msg;
        struct worker *worker;
        struct residency *residency; /* referenced while it waits */
        uint64_t unit;               /* or UNIT_LOAD, UNIT_TOLD */
        bool waiting;                /* in residency->waiting: under the lock */
        enum tier_outcome outcome;
        void (*done)(struct unit_wait *); /* on its worker, also at once */
};
/* With the lock held: wait for UNIT, which is busy, or for the load, or the answer. */
void residency_wait(struct residency *r, struct unit_wait *w);
/* With the lock held: move whoever waits for UNIT, or for anything when ALL, to WOKEN. */
void residency_collect(struct residency *r, uint64_t unit, bool all, enum tier_outcome outcome,
                       struct list *woken);
/* Without: tell them, from FROM's thread. */
void residency_tell(struct worker *from, struct list *woken);
/* Wait no more: true when it was waiting; else done() was called or will be. Without the lock. */
bool residency_stop_waiting(struct unit_wait *w);
