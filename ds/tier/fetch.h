/* SPDX-License-Identifier: Apache-2.0 */
/* Fetching one unit: ranged GETs of at most FETCH_PIECE bytes, each with the ETag of the source, written to
 * the object; then the bit is set and whoever waits is told. The unit is claimed from the beginning, so it is
 * fetched once, whoever asks on whichever worker. */
#pragma once

#include "ds/tier/residency.h"

enum { FETCH_PIECE = 1024 * 1024, FETCHES = 256 /* of one worker */, SETTLES_MAX = 256 };

enum fetch_begun {
        FETCH_BEGUN,   /* perhaps by somebody else, who may be writing it; or the residency is gone */
        FETCH_HERE,    /* it is here */
        FETCH_NO_ROOM, /* no buffer, or too many under way: again later */
};
/* Fetch UNIT of R, of the file under FH; PREFETCH: nobody waits for it yet. On W's thread. */
enum fetch_begun fetch_unit(struct worker *w, struct residency *r, uint64_t unit, const struct fh *fh,
                            bool prefetch);
/* Of one, in the slab. */
size_t fetch_bytes(void);
/* End those that have nothing on the disk: W stops. */
void fetches_cancel(struct tier_worker *tw);
