/* SPDX-License-Identifier: Apache-2.0 */
/* The stripes of a file can be chosen anew for as long as nothing was written: then no data server has
 * anything of it, and only layouts that are out know the old ones. Those are taken back first, everybody's
 * (pnfs/recall.h): when the data servers refuse their handles nobody can write by the old shape any more.
 * What was written before that, and perhaps not told of yet, the data servers are asked for last. */
#pragma once

#include "mds/pnfs/recall.h"

struct reshape { /* anywhere in the compound but in the first SPACE_WAIT_BYTES from SPACE_WAIT_AT */
        struct fence_wait fence;
        struct compound *compound;
        uint32_t epoch; /* handles below it are fenced */
        enum { RESHAPE_BEGINS, RESHAPE_FENCING, RESHAPE_LOOKING } step;
};

/* Is FILE empty, for all that is known here? */
bool reshape_is_empty(const struct mds *mds, const struct inode *file);

/* OK: FILE is empty, and no handle that is out is good for I/O: the caller changes its stripes now, before it
 * returns. PERM: it has data. DELAY: a data server that may have something of it is away, or a layout was
 * given meanwhile. WAIT: the same call again, from resume. R begins as zeros. */
enum nfsstat4 reshape_begin(struct compound *c, struct reshape *r, const struct inode *file);
