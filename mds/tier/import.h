/* SPDX-License-Identifier: Apache-2.0 */
/* Names from S3: the first operation that looks for a name in a cold directory waits until its prefix is
 * listed (ListObjectsV2 with a delimiter), all others with it. Each key becomes a file with the object's size
 * and time, each common prefix a cold directory. Page by page, a transaction a name: what a crash leaves
 * behind is completed when somebody looks again, and memory does not grow with the bucket. */
#pragma once

#include "mds/tier/tier.h"

/* Who waits: a member of his. */
struct import_wait {
        struct list node; /* may be removed: then nobody waits */
        void (*done)(struct import_wait *, enum nfsstat4);
};
/* Have the names of DIR, which is cold, brought here; W->done runs later: OK; DELAY: again; IO: S3
 * will not tell, the reason is logged; STALE. False: its repo is not linked, or we stop. */
bool import_names(struct tier *t, const struct inode *dir, struct import_wait *w);
/* Those of REPO end; who waits hears DELAY, and begins another one when it asks again. NULL: all. */
void imports_stop(struct tier *t, const struct repo *repo);
