/* SPDX-License-Identifier: Apache-2.0 */
/* fattr4 (RFC 8881 §5, §3.3.10): values in, wire bytes out, in the order of include/nfs4_attrs.def; and the
 * other way for what clients may set. */
#pragma once

#include "include/fh.h"
#include "nfs4/acl.h"
#include "nfs4/codec.h"

struct attr_values {
        uint32_t type;
        uint64_t change, size, space_used;
        uint64_t fsid_major, fsid_minor;
        uint64_t fileid, mounted_on_fileid;
        uint32_t mode, numlinks, uid, gid, rdev_major, rdev_minor;
        int64_t time_access, time_create, time_metadata, time_modify; /* ns since 1970 */
        uint32_t lease_seconds;
        uint64_t files_avail, files_free, files_total;
        uint64_t space_avail, space_free, space_total;
        uint8_t fh[FH_BYTES];
        struct acl *acl; /* only when asked for: the caller has a place for it */
        bool pnfs;       /* fs_layout_types = {files}, else {} */
        uint32_t layout_blksize;
        enum nfsstat4 rdattr_error;
        const struct bitmap4 *supported; /* what this server supports */
};

/* Everything in nfs4_attrs.def, and of that what minor version 1 has; what EXCLUSIVE4_1 may set
 * (suppattr_exclcreat, §5.8.1.14); what SETATTR may.
 */
extern const struct bitmap4 attrs_supported, attrs_minor1, attrs_exclcreat, attrs_writable;
/* ASKED cut to what can be read (write-only attributes asked in GETATTR are INVAL, checked by the caller with
 * this). */
bool attrs_ask_write_only(const struct bitmap4 *asked);
/* Append fattr4 (bitmap and value list) for ASKED ∩ supported. */
void attrs_encode(struct xdr_out *x, const struct bitmap4 *asked, const struct attr_values *v);
/* Upper bound of what attrs_encode() appends for ASKED. */
uint32_t attrs_encoded_max(const struct bitmap4 *asked);

/* What SETATTR, CREATE and OPEN may set. */
struct attr_set {
        struct bitmap4 mask; /* what is given */
        uint64_t size;
        struct slice acl;         /* nfsace4<>, checked: for acl_get() */
        uint32_t mode, mode_mask; /* MODE: mask is 07777; MODE_SET_MASKED: as given */
        uint32_t mode_unmasked;   /* MODE_UMASK: MODE before the umask took its bits away */
        uint32_t uid, gid;
        bool atime_now, mtime_now; /* SET_TO_SERVER_TIME4 */
        int64_t time_access, time_modify, time_create;
        int64_t time_deleg_access, time_deleg_modify; /* RFC 9754: from who holds the file's times */
};
/* Read a fattr4. *ret_status: NFS4_OK, ATTRNOTSUPP, INVAL (read-only or out of range), BADOWNER (not a
 * numeric owner that fits 32 bits; RFC 8881 §5.9), BADXDR (with x->bad as well). */
void attrs_decode(struct xdr_in *x, struct attr_set *ret, enum nfsstat4 *ret_status);
/* nfstime4 to ns since 1970. False: nanoseconds over 999,999,999, or out of range. */
bool attrs_get_time(struct xdr_in *x, int64_t *ret);
/* VERIFY and NVERIFY: the raw fattr4 of the client. */
struct raw_attrs {
        struct bitmap4 mask;
        struct slice values;
};
void attrs_get_raw(struct xdr_in *x, struct raw_attrs *ret);
