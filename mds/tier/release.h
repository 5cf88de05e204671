/* SPDX-License-Identifier: Apache-2.0 */
/* Making room: a file whose content is in S3 leaves the data servers, and is fetched again when it is read.
 *
 *   1. S3 is asked: it must have the object that we know, or the last copy would be lost
 *   2. everybody's layouts are taken back, and the handles fenced (pnfs/recall.h): nobody writes any more
 *   3. the data servers are asked what was written (pnfs/size.h); only then "change is what was archived"
 * says that the file is clean. If a layout was given meanwhile, or we do I/O for somebody, it is in use
 *   4. in the same turn the file becomes cold: who gets a handle from now on is told so by it. No time moves
 *   5. when that is durable, its data servers are asked to forget what they have (CTL_RELEASE)
 *
 * Whatever stops between 4 and 5 leaves a cold file with bytes that are not looked at, and a data server that
 * is told nothing asks for the source when it sees a newer handle: nothing has to be finished later, but the
 * room is not given back until the file is released again. What is written from 4 on under a newer handle
 * keeps a data server from forgetting. A data server that has started anew since 4 is not asked: it does not
 * know what was written there. */
#pragma once

#include "mds/mds.h"

enum release_result {
        RELEASE_DONE,
        RELEASE_NO_OBJECT, /* it belongs to no repo, or was never archived; or it is no file */
        RELEASE_DIRTY,     /* changed since */
        RELEASE_PINNED,
        RELEASE_UNHEARD, /* what was sent to its key before, and had no answer, may yet take its place there
                          */
        RELEASE_LOST,    /* S3 does not have the object, or has another */
        RELEASE_IN_USE,  /* right now; perhaps a part of the room is given back */
        RELEASE_AWAY,    /* a data server is */
        RELEASE_NO_S3,   /* S3 does not answer, or the repo is not linked */
        RELEASE_FAILED,  /* the store, a disk, no memory */
        RELEASE_RESULTS
};
extern const char *const release_result_names[]; /* "released", "dirty" … */

struct release_wait { /* a member of whoever waits */
        void (*done)(struct release_wait *, enum release_result);
};
/* Release FILEID; WAIT->done runs, perhaps from inside. */
void release_file(struct mds *mds, uint64_t fileid, struct release_wait *wait);
/* Is that under way? */
bool release_is_under_way(const struct mds *mds, uint64_t fileid);

/* Would it be done, for all that the metadata know? DONE: yes. */
enum release_result release_check(struct mds *mds, const struct inode *file);

struct tier;
struct repo;
void releases_register(struct tier *t); /* the metrics */
/* Nothing is asked of S3 any more for files of REPO (NULL: all). What waits for data servers or the store
 * ends with those. */
void releases_stop(struct tier *t, const struct repo *repo);
