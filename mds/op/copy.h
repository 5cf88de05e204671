/* SPDX-License-Identifier: Apache-2.0 */
/* What COPY and CLONE share: a range of the saved file goes into the current one. */
#pragma once

#include "mds/mds.h"

struct copy_range {
        struct stateid source_stateid, stateid;
        uint64_t source_offset, offset;
        uint64_t count; /* 0: to the end of the source, until copy_range_check() */
};
void get_copy_range(struct xdr_in *x, struct copy_range *ret);
/* May the caller read the one file and write the other? As io_check(). */
enum nfsstat4 copy_permitted(struct compound *c, struct copy_range *r);
/* Does the range lie in SOURCE, whose size is exact, and not meet itself? INVAL, FBIG; r->count is what there
 * is to do. */
enum nfsstat4 copy_range_check(const struct compound *c, struct copy_range *r, const struct inode *source);
/* Both files, the current one marked as having data (io_mark_data()). */
enum nfsstat4 copy_files(struct compound *c, const struct inode **ret_source, const struct inode **ret_file);
