/* SPDX-License-Identifier: Apache-2.0 */
/* What an object of ours says of itself in its user metadata: the keys that FSx for Lustre writes
 * (file-owner, file-group, file-permissions, file-atime, file-mtime, user-agent), and nacre-id: which content
 * of which file of which cluster it is. */
#pragma once

#include "mds/mds.h"
#include "s3tier/s3.h"

struct describe_id {
        uint64_t cluster, fileid, change;
        uint32_t generation;
};
/* INODE with the content it had when its change attribute was CHANGE. */
struct describe_id describe_id(const struct mds *mds, const struct inode *inode, uint64_t change);
void describe(const struct mds *mds, const struct inode *inode, uint64_t change, struct s3_metadata *ret);
/* False: it says nothing of that kind. */
bool describe_read_id(const struct s3_metadata *m, struct describe_id *ret);
/* Was it written by this cluster? */
bool describe_is_ours(const struct mds *mds, const struct describe_id *id);

/* That it was written to KEY: a copy that somebody makes under another key keeps its metadata. */
void describe_key(struct s3_metadata *m, struct slice key);
/* As describe_read_id(), of an object at KEY that this cluster wrote there. */
bool describe_read_ours(const struct mds *mds, const struct s3_metadata *m, struct slice key,
                        struct describe_id *ret);
