/* SPDX-License-Identifier: Apache-2.0 */
/* Who knows the size of a file now (DESIGN: size, time and data safety). A data server tells the MDS before it answers the
 * first unstable WRITE under a handle that the file is dirty there (CTL_PUSH dirty), and pushes size and mtime when asked
 * for FILE_SYNC. So the MDS's own numbers are exact unless a data server is marked dirty for the file: then it is asked
 * (CTL_GETSIZES) before any answer that depends on size, mtime or change. */
#pragma once

#include "mds/mds.h"

struct sizes *sizes_new(struct mds *mds);
void sizes_free(struct sizes *s);

/* Bring size, mtime, change and used of FILEID up to date in the metadata: NFS4_OK at once when no data server is dirty,
 * else NFS4_WAIT and compound_wake() when the inode is right (call again then: it says OK, or DELAY if a data server
 * that must be asked is away). Uses the first 512 bytes of nothing: its state is its own. */
enum nfsstat4 size_refresh(struct compound *c, uint64_t fileid);

/* Cut or extend FILEID to SIZE on the data servers and in the metadata: fences other clients' handles when it shrinks or
 * they may write, truncates every object, then commits size, times and change (with clearing of set-id bits). NFS4_WAIT
 * and compound_wake(), or the status at once; after the wake size_truncate_result(). A file that never had data is done
 * inside T alone by the caller (INODE_DATA clear). */
enum nfsstat4 size_truncate(struct compound *c, uint64_t fileid, uint64_t size);
enum nfsstat4 size_truncate_result(struct compound *c);

/* From data servers (fleet/ctl_server.c). */
void size_marked_dirty(struct sizes *s, uint64_t fileid, uint32_t server_id);
/* Raise size to at least SIZE and stamp mtime, ctime, change in one transaction; *ret_seq to wait for. */
int size_extend(struct sizes *s, uint64_t fileid, uint64_t size, uint64_t mtime_ns, uint64_t *ret_seq);
void size_forget(struct sizes *s, uint64_t fileid);
