/* SPDX-License-Identifier: Apache-2.0 */
/* What an operation works on: the object that a handle names, and who asks, looked up together. An object is
 * an inode of the store or, above the exports, a node of the pseudo file system. */
#pragma once

#include "mds/ns/access.h"

struct subject {
        struct fh fh;
        const struct inode *inode; /* good until the operation returns; NULL: a pseudo node */
        const struct pseudo_node *pseudo;
        struct caller who;
};

/* OK; STALE: the object is gone; ACCESS, WRONGSEC, DELAY: the export's rules. */
enum nfsstat4 subject_of(const struct compound *c, const struct fh *fh, struct subject *ret);
/* The same for an inode; NFS4ERR_ROFS for a pseudo node: for what never works on those. */
enum nfsstat4 subject_inode(const struct compound *c, const struct fh *fh, struct subject *ret);
/* The same for a directory on which the caller has the permissions WANT; NOTDIR, SYMLINK, ACCESS. */
enum nfsstat4 subject_dir(const struct compound *c, const struct fh *fh, unsigned want, struct subject *ret);
/* May the caller add a name of an object of TYPE to DIR? ROFS, ACCESS. */
enum nfsstat4 subject_may_add(const struct subject *dir, uint8_t type);
/* May he take CHILD's name out of DIR? By the directory and its sticky bit, or by CHILD's own list. ROFS,
 * ACCESS. */
enum nfsstat4 subject_may_remove(const struct subject *dir, const struct inode *child);

/* NAME in the directory DIR (not pseudo): NOENT, IO, SERVERFAULT. */
enum nfsstat4 subject_child(const struct compound *c, const struct subject *dir, struct slice name,
                            const struct inode **ret);

/* Handles. */
struct fh inode_fh(uint16_t export_id, const struct inode *inode);
/* An inode that a handle must lead to: -errno of mds/store as a status, where "not there" means STALE. */
enum nfsstat4 inode_status(int error);

/* --- pseudo_dir.c */

/* The handle behind NODE: its own, or that of the root of the export that begins there. */
enum nfsstat4 pseudo_enter(const struct compound *c, const struct pseudo_node *node, struct fh *ret);
/* Does the caller have access to anything at or below NODE? Others do not see it. */
bool pseudo_visible(const struct compound *c, const struct pseudo_node *node);
/* The root directory of an export: OK, STALE. */
enum nfsstat4 export_root(const struct mds *mds, uint16_t export_id, const struct inode **ret);
/* Not NULL when INODE, reached through EXPORT_ID, is the root of that export and there is a pseudo file
 * system above. */
const struct pseudo_node *pseudo_above(const struct mds *mds, uint16_t export_id, const struct inode *inode);
