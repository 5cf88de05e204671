/* SPDX-License-Identifier: Apache-2.0 */
/* What the operations on extended attributes share (RFC 8276). Names come without the "user." that Linux puts
 * before them. */
#pragma once

#include "mds/ns/subject.h"

/* xattrkey4; what is wrong with it goes to c->decode_status: INVAL, NAMETOOLONG, BADCHAR. */
struct slice get_xattr_name(struct compound *c, struct xdr_in *x);
/* May the caller read (PERM_R) or change (PERM_W) extended attributes of S, an inode? As Linux has it for
 * user attributes, xattr(7): on files and directories (WRONG_TYPE), as he may the data (ACCESS), but in
 * sticky directories the owner's only (PERM). ROFS. */
enum nfsstat4 xattr_may(const struct subject *s, unsigned want);
/* The subject of C's file handle, and xattr_may(). */
enum nfsstat4 xattr_subject(const struct compound *c, unsigned want, struct subject *ret);
/* -errno of mds/store. */
enum nfsstat4 xattr_status(int error);
