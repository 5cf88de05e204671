/* SPDX-License-Identifier: Apache-2.0 */
/* nfsace4<> on the wire, RFC 8881 §6.2.1. */
#pragma once

#include "include/acl.h"
#include "include/nfs4.h"
#include "rpc/xdr.h"

/* Longest form of one entry (four words, and a number of ten digits), and of a list. */
enum { ACE_WIRE_BYTES = 16 + 12, ACL_WIRE_BYTES = 4 + ACL_ACES * ACE_WIRE_BYTES };

/* Reads a whole list. OK; ATTRNOTSUPP: a type other than ALLOW and DENY; INVAL: flags or bits that there are
 * not; BADOWNER: neither OWNER@, GROUP@, EVERYONE@ nor a number; NOSPC: more than ACL_ACES entries.
 * RET may be NULL. */
enum nfsstat4 acl_get(struct xdr_in *x, struct acl *ret);
void acl_put(struct xdr_out *x, const struct acl *acl);
