/* SPDX-License-Identifier: Apache-2.0 */
/* I/O through the MDS: for clients without layouts, and the error path of those with them. The MDS is a
 * client of the data servers (nfs4/peer) under handles of its own. What is written this way is FILE_SYNC at
 * the data server, which pushes the size to us before it answers, so that nothing is left to be lost. */
#pragma once

#include "mds/mds.h"

struct proxy *proxy_new(struct mds *mds);
void proxy_free(struct proxy *p);
/* The data server SERVER_ID has started anew: what was under way there is asked for again, not waited for.
 * Its machine may have gone without a word, so that the old connection would say nothing for a long time. */
void proxy_drop_server(struct proxy *p, uint32_t server_id);

/* Each starts the I/O on the data servers of FILE: NFS4_WAIT and compound_wake(), or a status at once (DELAY:
 * a data server that is needed is away). Afterwards proxy_result(). One at a time a compound; keeps a pointer
 * at the start of OP_WAIT. */

/* COUNT bytes from OFFSET into OUT; what the data servers do not have is zero. The range is below the file's
 * size. */
enum nfsstat4 proxy_read(struct compound *c, const struct inode *file, uint64_t offset, uint32_t count,
                         uint8_t *out);
/* DATA lies inside RECORD. */
enum nfsstat4 proxy_write(struct compound *c, const struct inode *file, uint64_t offset, struct slice data,
                          struct buf *record);
/* COMMIT on every data server of the file. */
enum nfsstat4 proxy_commit(struct compound *c, const struct inode *file);
/* COUNT bytes from FROM_OFFSET of FROM to OFFSET of FILE, by the data servers themselves, when
 * proxy_can_copy() says that each has both: the units from there on lie on the same servers, one for one.
 * With SHARE by sharing blocks: NOTSUPP when a data server's file system cannot, INVAL where blocks do not
 * begin or end there. */
bool proxy_can_copy(struct mds *mds, const struct inode *from, uint64_t from_offset, const struct inode *file,
                    uint64_t offset);
enum nfsstat4 proxy_copy(struct compound *c, const struct inode *from, uint64_t from_offset,
                         const struct inode *file, uint64_t offset, uint64_t count, bool share);
enum nfsstat4 proxy_result(struct compound *c);
uint64_t proxy_bytes(const struct proxy *p); /* moved either way since start */
