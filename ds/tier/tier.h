/* SPDX-License-Identifier: Apache-2.0 */
/* The S3 tier at a data server: a file whose handle says FH_TIERED has units that are not here yet. They are
 * fetched from S3 when somebody reads them, or writes to a part of them.
 *
 *   gate       READ and WRITE ask it before they touch an object: go on, wait, or through the MDS
 *   residency  which units of an object are here: one for all workers, under one lock; a bit that is set is
 *              seen without
 *   load       where it comes from: CTL_SOURCE, and the units' file
 *   fetch      one unit: ranged GETs into the object, then the bit
 *   keep       bits made durable, after their data; then the MDS is told when all are here
 *   upload     what changed goes to S3: gather reads it, also at other data servers (peers)
 *   bucket     a worker's connections to the S3 endpoint of a repo
 *   room       a WRITE that meets a full disk waits while room is made
 *   ask, units questions to the MDS; the bitmap and its file
 *
 * Handles without FH_TIERED pay for one test of the flag. */
#pragma once

#include <pthread.h>

#include "base/hashtab.h"
#include "base/metrics.h"
#include "base/slab.h"
#include "ds/tier/ask.h"
#include "include/fh.h"
#include "s3tier/s3.h"

struct upload_queue {                 /* CTL_UPLOADs (ds/ctl_upload.c), on worker 0 */
        struct list waiting, running; /* struct ctl_request */
        uint64_t bytes;               /* of those that run */
        uint32_t count, next_worker;
        struct task pump;
        bool given_up; /* we stop */
};

void upload_queue_init(struct upload_queue *q);
/* Those that wait are not begun: we stop. */
void upload_queue_give_up(struct upload_queue *q, struct env *env);
void upload_queue_destroy(struct upload_queue *q); /* it is empty */

struct ds_tier { /* one a process */
        struct ds *ds;
        pthread_mutex_t lock; /* of the table, and of what residency.h says; nothing is called under it */
        struct hashtab table; /* struct residency */
        struct list idle;     /* those that nobody holds, oldest first */
        uint32_t forgotten_written, forgotten_released; /* the highest epochs of those that are gone */
        _Atomic bool seen;                              /* there was a residency in this process */
        _Atomic bool used;                              /* there may be units' files in the store */
        _Atomic uint64_t room_made_ns;                  /* the last time; 0: never */
        struct tier_asker asker;
        struct upload_queue uploads;
};

struct tier_metrics {
        struct metric held, gave_up, fetched_units, fetched_bytes, prefetched, prefetch_hits, lost;
        struct metric errors[5]; /* by enum tier_outcome */
        struct histogram wait;
        struct metric uploading, uploaded, uploaded_bytes, same_bytes, gathered_bytes,
                upload_errors[S3_ERRORS + 1];
        char upload_labels[S3_ERRORS + 1][48];
        struct histogram upload;
};

struct tier_worker { /* one a worker */
        struct worker *worker;
        struct slab holds, fetches;
        struct list held;     /* struct hold that wait */
        struct list roomless; /* struct io that wait for room (room.h) */
        struct timer room_timer;
        struct list fetching; /* struct fetch */
        struct list buckets;
        struct list uploading; /* struct upload */
        struct list peers;
        uint32_t peer_count;
        struct s3_metrics *s3;
        struct tier_metrics counts;
        uint32_t settles; /* in keep.c, in the background */
        bool stopping;
};

/* How it went for somebody who waited for a unit. */
enum tier_outcome {
        TIER_AGAIN, /* something changed: look again */
        TIER_LATER, /* S3 or the MDS cannot be asked now */
        TIER_NEVER, /* S3 does not have it, or does not give it to us */
        TIER_FULL,  /* no space here */
        TIER_DISK,  /* the disk failed */
};

/* NULL: out of memory. DS's workers are made later. */
struct ds_tier *ds_tier_new(struct ds *ds);
void ds_tier_free(struct ds_tier *t); /* the workers are gone */
/* The store can be read. */
void ds_tier_opened(struct ds_tier *t);
struct tier_worker *tier_worker_new(struct worker *w);
void tier_worker_free(struct tier_worker *tw);
/* Whoever waits on W looks again: clients are turned away. */
void tier_turn_away(struct tier_worker *tw);
/* W stops: nothing is fetched any more. */
void tier_worker_stop(struct tier_worker *tw);

/* What a disk's -ERROR means; notes the disk's health. */
enum tier_outcome tier_disk_error(struct worker *w, int error);

/* The file was cut to SIZE, or all of its objects are being removed. On any thread, before the workers are
 * visited. */
void ds_tier_cut(struct ds_tier *t, const struct fh *fh, uint32_t index, uint64_t size);
void ds_tier_removed(struct ds_tier *t, uint64_t fileid, uint32_t generation);
