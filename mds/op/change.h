/* SPDX-License-Identifier: Apache-2.0 */
/* What operations that change something share. */
#pragma once

#include "mds/ns/inode.h"
#include "nfs4/codec.h"

/* Commit T: the reply waits for it. NOSPC, IO …: nothing happened. */
enum nfsstat4 change_commit(struct compound *c, struct txn *t);

/* Names came to or went from DIR (T's copy): stamp it and say so in *ret, whose `before` must be set. */
void change_dir(struct txn *t, struct inode *dir, struct change_info *ret);

/* A new object in the directory DIR, owned by the caller, with the attributes SET (all but the size), not
 * linked yet. *ret_dir is T's copy of the directory. DELAY, IO; NOSPC: no data server can take a new file;
 * PERM: the attributes. */
enum nfsstat4 change_new(struct compound *c, struct txn *t, const struct subject *dir, uint8_t type,
                         const struct attr_set *set, struct inode **ret, struct inode **ret_dir);
/* Link INODE into DIR (both T's copies) under NAME, with what that means for links and stamps. */
enum nfsstat4 change_link(struct mds *mds, struct txn *t, struct inode *dir, struct slice name,
                          struct inode *inode);
/* Attributes that cannot be set on a new object of TYPE: INVAL. */
enum nfsstat4 change_check_new(const struct attr_set *set, uint8_t type);
/* INODE is a directory with something in it. One whose names are still in S3 has: keys begin with its prefix.
 */
static inline bool change_is_full_dir(const struct inode *inode)
{
        return inode->type == NF4DIR && (inode->size > 0 || inode->flags & INODE_COLD);
}
struct orphan;
/* INODE has lost NAME in DIR (both T's copies; the entry is gone already): links, stamps, and what becomes
 * of it when it was the last: after the commit orphan_finish(). */
void change_unlink(struct mds *mds, struct txn *t, struct inode *dir, struct slice name, struct inode *inode,
                   struct orphan *ret);
