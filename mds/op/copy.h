/* SPDX-License-Identifier: Apache-2.0 */
/* What COPY and CLONE share: a range of the saved file goes into the current one (copy_range.c). */
#pragma once

#include "mds/mds.h"
#include "mds/pnfs/reshape.h"

struct copy_range {
        struct stateid source_stateid, stateid;
        uint64_t source_offset, offset;
        uint64_t count; /* 0: to the end of the source, until copy_prepare() */
};
void get_copy_range(struct xdr_in *x, struct copy_range *ret);

struct copy_prepare { /* in the results; begins as zeros */
        enum { PREPARE_BEGINS, PREPARE_SIZING, PREPARE_SHAPING, PREPARED } step;
        struct reshape reshape;
};
/* All that comes before the first byte. May the caller read the one file and write the other (as io_check())?
 * Does the range lie in the source, whose size is found out, and not meet itself (INVAL, FBIG)? r->count is
 * then what there is to do. An empty target takes the stripes of its source, if each data server can then do
 * its part alone. OK: p->step is PREPARED; WAIT: the same call again, from resume. */
enum nfsstat4 copy_prepare(struct compound *c, struct copy_range *r, struct copy_prepare *p);

/* Both files, the current one marked as having data (io_mark_data()). */
enum nfsstat4 copy_files(struct compound *c, const struct inode **ret_source, const struct inode **ret_file);
