/* SPDX-License-Identifier: Apache-2.0 */
/* Who knows the size of a file now (DESIGN: size, time and data safety). A data server tells the MDS before
 * it answers the first unstable WRITE under a handle that the file is dirty there (CTL_PUSH dirty), and
 * pushes size and mtime when asked for FILE_SYNC. So the MDS's own numbers are exact unless a data server is
 * marked dirty for the file: then it is asked (CTL_GETSIZES) before any answer that depends on size, mtime or
 * change. */
#pragma once

#include "mds/mds.h"

struct server; /* fleet/fleet.h */

struct sizes *sizes_new(
        struct mds *mds); /* marks every file with a write layout record as dirty everywhere */
void sizes_free(struct sizes *s);

/* A data server is there (again): files whose sizes only data servers know since our last stop are asked
 * about, some at a time. */
void sizes_recover(struct sizes *s);
/* SERVER has started anew. A write may have changed its file and not have been announced: it was not answered
 * either, but can be read. */
void sizes_server_restarted(struct sizes *s, const struct server *server);
/* Is FILEID one of those? Then what the metadata says of its size is of no use to anybody. */
bool size_is_unknown(const struct sizes *s, uint64_t fileid);

/* Wait until size, mtime, change and used of FILEID are up to date in the metadata. DONE runs later, or at
 * once from inside when no data server is dirty. OK; STALE: the file is gone; DELAY: a data server that must
 * be asked is away. */
struct size_wait {
        struct list node;
        void (*done)(struct size_wait *, enum nfsstat4 status);
};
void size_wait(struct sizes *s, uint64_t fileid, struct size_wait *w);
/* May objects of FILE exist on data servers? INODE_DATA is set when the first one tells us of data, not when
 * a layout is given: most files of a tree that is only touched never have any. */
bool size_has_data(struct sizes *s, const struct inode *file);
bool size_is_current(struct sizes *s, uint64_t fileid);

/* The same for an operation: NFS4_OK at once when no data server is dirty, else NFS4_WAIT and a wake; then
 * size_asked(): what the wait found. size_refresh() is both, for who waits for nothing else before. */
enum nfsstat4 size_ask(struct compound *c, uint64_t fileid);
/* As size_ask(), but the data servers are asked in any case: what they use may have changed (INODE_USED_OLD).
 */
enum nfsstat4 size_ask_used(struct compound *c, uint64_t fileid);
enum nfsstat4 size_asked(const struct compound *c);
enum nfsstat4 size_refresh(struct compound *c, uint64_t fileid);

/* Cut or extend FILEID to SIZE on the data servers and in the metadata: fences the handles of other clients
 * that may write, truncates every object, then commits size, times and change (clearing set-id bits when
 * CLEAR_SETID). NFS4_WAIT and compound_wake(); afterwards size_truncate_result(). For files with INODE_DATA;
 * without it the caller's own transaction does. Keeps its state in OP_WAIT from SIZE_WAIT_AT on, so the
 * caller may use the bytes below. */
enum { SIZE_WAIT_AT = 512 };
enum nfsstat4 size_truncate(struct compound *c, uint64_t fileid, uint64_t size, bool clear_setid);
enum nfsstat4 size_truncate_result(struct compound *c);

/* A data server has, or may have, more of the file than it told: until it was asked and says that it is
 * settled. False: that could not be noted, there are too many dirty files. */
bool size_mark(struct sizes *s, uint64_t fileid, uint32_t server_id);
/* A data server has written, and its object takes USED bytes on disk: raise size to at least SIZE and stamp
 * mtime, ctime, change; *ret_seq to wait for. -ENOENT: no such file. */
int size_extend(struct sizes *s, uint64_t fileid, uint32_t generation, uint32_t server_id, uint64_t size,
                uint64_t used, uint64_t *ret_seq);
void size_forget(struct sizes *s, uint64_t fileid);
