/* SPDX-License-Identifier: Apache-2.0 */
/* What access control lists mean (RFC 8881 §6): who may do what, and how they and mode bits say the same. An
 * inode without INODE_ACL has only its mode, and nothing here is asked about it but by who wants to see a
 * list.
 *
 * We: the list of an inode says at any time what its mode says for OWNER@, GROUP@ and EVERYONE@ (§6.3.2). A
 * chmod rewrites those, and takes from everybody else listed what the group has not (§6.4.1.1), as POSIX
 * lists do with their mask; what is only inherited stays. */
#pragma once

#include "include/acl.h"
#include "mds/ns/access.h"

/* May WHO do all of MASK (ACE4_*) with INODE, whose list ACL is? §6.2.1. What no entry speaks of is denied.
 * Root's rights are not the list's. */
bool acl_allows(const struct acl *acl, const struct caller *who, const struct inode *inode, uint32_t mask);

/* The list that says what MODE does (nine bits) of an object of TYPE. */
void acl_of_mode(uint16_t mode, uint8_t type, struct acl *ret);
/* §6.3.2: the nine bits that ACL stands for. */
uint16_t acl_mode(const struct acl *acl);
/* Does ACL say nothing that a mode could not? */
bool acl_is_trivial(const struct acl *acl, uint8_t type);
/* ACL after a chmod to MODE; who is listed beside the three keeps no more than the group's bits of BOUND.
 * Without room for what has to be added, only the mode is left of it. */
void acl_chmod(struct acl *acl, uint16_t mode, uint16_t bound, uint8_t type);
/* RFC 8275: the mode of what inherits ACL, where the umask counts only for those of the three of whom ACL
 * does not speak. */
uint16_t acl_mode_without_umask(const struct acl *acl, uint16_t unmasked, uint16_t masked);
/* §6.4.3: what an object of TYPE that is made in a directory with PARENT inherits; its count is 0: nothing.
 */
void acl_inherit(const struct acl *parent, uint8_t type, struct acl *ret);
/* Flags that an object of TYPE cannot have: INVAL. */
enum nfsstat4 acl_check(const struct acl *acl, uint8_t type);

/* The list of INODE, stored or made from its mode. One that cannot be read (logged) has no entries. */
void acl_of(struct meta *m, const struct inode *inode, struct acl *ret);
/* Inside a transaction, on its copy of INODE: its list, and the mode with it. */
void acl_set(struct txn *t, struct inode *inode, const struct acl *acl);
