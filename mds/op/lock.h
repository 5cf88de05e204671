/* SPDX-License-Identifier: Apache-2.0 */
/* What LOCK, LOCKT and LOCKU share: lock_args.c. */
#pragma once

#include "mds/ns/subject.h"
#include "mds/state/lock.h"
#include "nfs4/codec.h"

enum { LOCK_DENIED_MAX = 8 + 8 + 4 + 8 + 4 + NFS4_OPAQUE_LIMIT };

struct lock_bytes {
        uint64_t offset, length; /* length all ones: to the end of file */
};

/* nfs_lock_type4: one of the four, or the cursor is bad. */
uint32_t lock_get_type(struct xdr_in *x);
void lock_get_bytes(struct xdr_in *x, struct lock_bytes *ret);
/* lock_owner4 without its client id: the session's counts. */
struct slice lock_get_owner(struct xdr_in *x);
/* BYTES as ret_first to ret_last; INVAL: none, or beyond 2^64 (§18.10.3). */
enum nfsstat4 lock_range(const struct lock_bytes *bytes, uint64_t *ret_first, uint64_t *ret_last);
/* The calling client, the current file, TYPE and BYTES as a wish without an owner. INVAL; what subject_of()
 * says; ISDIR, SYMLINK, WRONG_TYPE: no regular file. */
enum nfsstat4 lock_wish_of(struct compound *c, uint32_t type, const struct lock_bytes *bytes,
                           struct lock_wish *ret);
void lock_put_denied(struct xdr_out *x, const struct lock_denied *denied);
