/* SPDX-License-Identifier: Apache-2.0 */
/* What the operations that change directories share. */
#pragma once

#include "mds/mds.h"
#include "nfs4/attrs.h"

enum { MAY_READ = 4, MAY_WRITE = 2, MAY_SEARCH = 1 };

/* The object behind FH: OK, or STALE (gone, or another generation). */
enum nfsstat4 object_get(struct compound *c, const struct fh *fh, const struct inode **ret);
/* FH as a directory in which the caller may do WANT (MAY_*): also NOTDIR, SYMLINK, ROFS (write under a read-only export, or
 * in the pseudo file system), ACCESS. *ret_who: the caller after squashing. */
enum nfsstat4 dir_get(struct compound *c, const struct fh *fh, unsigned want, struct caller *ret_who, const struct inode **ret);
/* NAME in DIR: OK, NOENT, or IO. */
enum nfsstat4 dir_lookup(struct compound *c, const struct inode *dir, struct slice name, const struct inode **ret);
/* The sticky bit: only the owner of the entry's object or of DIR, or root, may remove or rename it. */
bool sticky_allows(const struct caller *who, const struct inode *dir, const struct inode *object);

/* A new object of TYPE in DIR for WHO, with the attributes SET asks for, edited into T: owner, group (of a set-gid
 * directory), mode, times. OK, PERM (somebody else's uid or gid), NOSPC. */
enum nfsstat4 new_object(struct txn *t, const struct caller *who, const struct inode *dir, uint8_t type, const struct attr_set *set,
                         struct inode **ret);
/* The handle of INODE in the export of DIR_FH. */
struct fh object_fh(const struct fh *dir_fh, const struct inode *inode);
