/* SPDX-License-Identifier: Apache-2.0 */
/* I/O through the MDS: for clients without layouts, the error path of those with them, and copies in the
 * background. The MDS is a client of the data servers (nfs4/peer) under handles of its own. What is written
 * this way is FILE_SYNC at the data server, which pushes the size to us before it answers, so that nothing is
 * left to be lost. */
#pragma once

#include "mds/mds.h"

struct proxy *proxy_new(struct mds *mds);
void proxy_free(struct proxy *p);
/* The data server SERVER_ID has started anew: what was under way there is asked for again, not waited for.
 * Its machine may have gone without a word, so that the old connection would say nothing for a long time. */
void proxy_drop_server(struct proxy *p, uint32_t server_id);

/* Whoever does I/O, one at a time. */
struct proxy_caller {
        struct mds *mds;
        uint16_t export_id;
        void (*wake)(void *arg);
        void *arg;
        struct proxy_io *io; /* under way */
};
/* An operation on its current file, which waits for it: at the start of OP_WAIT. */
struct proxy_caller *proxy_caller(struct compound *c);

/* Each starts the I/O on the data servers of FILE: NFS4_WAIT and then wake(), perhaps from inside; or a
 * status at once (DELAY: a data server that is needed is away). After wake() proxy_result(). */

/* COUNT bytes from OFFSET into OUT; what the data servers do not have is zero. The range is below the file's
 * size. */
enum nfsstat4 proxy_read(struct proxy_caller *who, const struct inode *file, uint64_t offset, uint32_t count,
                         uint8_t *out);
/* DATA lies inside RECORD. */
enum nfsstat4 proxy_write(struct proxy_caller *who, const struct inode *file, uint64_t offset,
                          struct slice data, struct buf *record);
/* COMMIT on every data server of the file. */
enum nfsstat4 proxy_commit(struct proxy_caller *who, const struct inode *file);
/* COUNT bytes from FROM_OFFSET of FROM to OFFSET of FILE, by the data servers themselves, when
 * proxy_can_copy() says that each has both: the units from there on lie on the same servers, one for one.
 * With SHARE by sharing blocks: NOTSUPP when a data server's file system cannot, INVAL where blocks do not
 * begin or end there. */
bool proxy_can_copy(struct mds *mds, const struct inode *from, uint64_t from_offset, const struct inode *file,
                    uint64_t offset);
enum nfsstat4 proxy_copy(struct proxy_caller *who, const struct inode *from, uint64_t from_offset,
                         const struct inode *file, uint64_t offset, uint64_t count, bool share);
enum nfsstat4 proxy_result(struct proxy_caller *who);
/* For an operation that has nothing else to do when it resumes. */
enum nfsstat4 proxy_resume(struct compound *c);
bool proxy_is_busy(const struct proxy *p, uint64_t fileid); /* with that file; NULL is, too: we stop */
/* A handle as it uses itself, by which FILE can be read and written at each of its data servers until the
 * next fence. */
void proxy_handle(struct mds *mds, const struct inode *file, uint8_t out[FH_BYTES]);
uint64_t proxy_bytes(const struct proxy *p); /* moved either way since start */
