/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of what a subject is: from inodes and pseudo nodes to nfs4/attrs.h, and back. */
#pragma once

#include "mds/ns/subject.h"
#include "nfs4/attrs.h"

enum { LINKS_MAX = 65000 };

/* Values for the attributes ASKED of SUBJECT; the others may be left as they are. ret->acl is the caller's,
 * and must be there when FATTR4_ACL is asked for. Size, change and times are those that the MDS knows now:
 * whoever needs them exact refreshes first (mds/pnfs/size.h). */
void subject_values(const struct compound *c, const struct subject *s, const struct bitmap4 *asked,
                    struct attr_values *ret);
/* Does an answer about ASKED depend on what data servers may know better? */
bool attrs_need_size(const struct bitmap4 *asked);

/* May WHO set SET (all but the size, which has rules of its own) on INODE? PERM, ACCESS; RFC 8881 §18.30,
 * POSIX. */
enum nfsstat4 attrs_may_set(const struct caller *who, const struct inode *inode, const struct attr_set *set);
/* Set all but the size. NOW: for SET_TO_SERVER_TIME4. */
void attrs_apply(const struct caller *who, struct inode *inode, const struct attr_set *set, int64_t now);
/* §6.4.1: after attrs_apply(), on T's copy of INODE: the list that SET has, or what a new mode makes of the
 * one that is there. */
void attrs_apply_acl(struct meta *m, struct txn *t, struct inode *inode, const struct attr_set *set);
/* §6.4.3: the same for an INODE that is new in DIR, which may have something to hand on. */
void attrs_inherit_acl(struct meta *m, struct txn *t, const struct inode *dir, struct inode *inode,
                       const struct attr_set *set);
/* A write or a change of size by WHO takes these bits away; true: there were some. */
bool setid_cleared_by(const struct caller *who, const struct inode *inode);
void setid_clear(struct inode *inode);
