/* SPDX-License-Identifier: Apache-2.0 */
/* What the data servers of a file do about its room on disk: reserve it, give it back, say where it is. Each
 * of them does it for its own object; here the range is handed out and the answers are put together. */
#pragma once

#include "mds/mds.h"

/* Each asks the data servers of FILE: NFS4_WAIT and compound_wake(), then its result function. They keep
 * their state in OP_WAIT, SPACE_WAIT_BYTES from SPACE_WAIT_AT on. */
enum { SPACE_WAIT_AT = 448, SPACE_WAIT_BYTES = 64 };

/* Reserve room for [OFFSET, OFFSET + LENGTH), or give it back: zeros are read there then. Sizes stay as they
 * are. Repeating one is harmless. */
enum nfsstat4 space_allocate(struct compound *c, const struct inode *file, uint64_t offset, uint64_t length);
enum nfsstat4 space_deallocate(struct compound *c, const struct inode *file, uint64_t offset,
                               uint64_t length);
/* Is a DEALLOCATE of FILEID under way? */
bool space_is_emptying(const struct mds *mds, uint64_t fileid);
/* OK: done, durably; *RET_USED, when everybody could be asked, is what the objects take on disk now (bytes),
 * else it stays. NOSPC, FBIG, IO, NOTSUPP (a data server's file system cannot do it); DELAY: a data server
 * that is needed is away. With an error a part may have been done. */
enum nfsstat4 space_result(struct compound *c, uint64_t *ret_used);

/* Look for the next data, or the next HOLE, at OFFSET or after it. OFFSET is below the size, which is
 * current. */
enum nfsstat4 space_seek(struct compound *c, const struct inode *file, uint64_t offset, bool hole);
/* OK: *RET_OFFSET is where, not below the offset asked for; it may be beyond the size. UINT64_MAX: there is
 * no such data. IO, DELAY. */
enum nfsstat4 space_seek_result(struct compound *c, uint64_t *ret_offset);
