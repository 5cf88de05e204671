/* SPDX-License-Identifier: Apache-2.0 */
/* Permissions beyond what mds/mds.h declares. */
#pragma once

#include "mds/mds.h"

enum { PERM_R = 4, PERM_W = 2, PERM_X = 1 };
enum { S_STICKY = 01000, S_SETGID = 02000, S_SETUID = 04000, S_GROUP_X = 010 };

/* perm_ok(), where the mode has no word for what is meant: by the mode WANT, by a list MASK (ACE4_*). */
bool perm_to(const struct caller *who, const struct inode *inode, unsigned want, uint32_t mask);
/* Does a list give WHO all of MASK? Without a list nothing is given. */
bool perm_listed(const struct caller *who, const struct inode *inode, uint32_t mask);
bool caller_in_group(const struct caller *who, uint32_t gid);
/* May WHO take CHILD's name out of DIR, as far as the sticky bit goes? */
bool perm_sticky(const struct caller *who, const struct inode *dir, const struct inode *child);
/* Why the caller has no rule for an export: NFS4ERR_WRONGSEC when another flavour would do, else
 * NFS4ERR_ACCESS. */
enum nfsstat4 export_refusal(const struct compound *c, uint16_t export_id);
