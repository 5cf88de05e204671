/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding of fattr4, see attrs.h: one switch over the attributes asked, in ascending order. */
#include "nfs4/attrs.h"

#include "base/check.h"

enum { FH4_PERSISTENT = 0, MAX_LINK = 65000, TIME_BYTES = 12, MAX_IO = 1024 * 1024 };

#define BIT(n) (1u << ((n) % 32))
#define IN_WORD(n, w) ((n) / 32 == (w) ? BIT(n) : 0u)
#define READ_R(n, w) IN_WORD(n, w)
#define READ_W(n, w) 0u
#define READ_RW(n, w) IN_WORD(n, w)
#define WRITE_R(n, w) 0u
#define WRITE_W(n, w) IN_WORD(n, w)
#define WRITE_RW(n, w) IN_WORD(n, w)

const struct bitmap4 attrs_supported = { .word = {
#define ATTR(n, NAME, name, access) IN_WORD(n, 0) |
#include "include/nfs4_attrs.def"
                                                 0u,
#define ATTR(n, NAME, name, access) IN_WORD(n, 1) |
#include "include/nfs4_attrs.def"
                                                 0u,
#define ATTR(n, NAME, name, access) IN_WORD(n, 2) |
#include "include/nfs4_attrs.def"
                                                 0u,
                                         } };

/* change_attr_type is of minor version 2 as well, but Linux makes use of it in 1. */
#define OF_MINOR1(n, w) ((n) <= FATTR4_CHANGE_ATTR_TYPE ? IN_WORD(n, w) : 0u)
const struct bitmap4 attrs_minor1 = { .word = {
#define ATTR(n, NAME, name, access) OF_MINOR1(n, 0) |
#include "include/nfs4_attrs.def"
                                              0u,
#define ATTR(n, NAME, name, access) OF_MINOR1(n, 1) |
#include "include/nfs4_attrs.def"
                                              0u,
#define ATTR(n, NAME, name, access) OF_MINOR1(n, 2) |
#include "include/nfs4_attrs.def"
                                              0u,
                                      } };

const struct bitmap4 attrs_writable = { .word = {
#define ATTR(n, NAME, name, access) WRITE_##access(n, 0) |
#include "include/nfs4_attrs.def"
                                                0u,
#define ATTR(n, NAME, name, access) WRITE_##access(n, 1) |
#include "include/nfs4_attrs.def"
                                                0u,
#define ATTR(n, NAME, name, access) WRITE_##access(n, 2) |
#include "include/nfs4_attrs.def"
                                                0u,
                                        } };

static const struct bitmap4 readable = { .word = {
#define ATTR(n, NAME, name, access) READ_##access(n, 0) |
#include "include/nfs4_attrs.def"
                                                 0u,
#define ATTR(n, NAME, name, access) READ_##access(n, 1) |
#include "include/nfs4_attrs.def"
                                                 0u,
#define ATTR(n, NAME, name, access) READ_##access(n, 2) |
#include "include/nfs4_attrs.def"
                                                 0u,
                                         } };

/* The verifier has a place of its own in the inode, so everything that a new file can be given goes with it;
 * mode_set_masked is for SETATTR only (§6.2.5). */
const struct bitmap4 attrs_exclcreat = {
        .word = { BIT(FATTR4_SIZE) | BIT(FATTR4_ACL),
                  BIT(FATTR4_MODE) | BIT(FATTR4_OWNER) | BIT(FATTR4_OWNER_GROUP) |
                          BIT(FATTR4_TIME_ACCESS_SET) | BIT(FATTR4_TIME_CREATE) | BIT(FATTR4_TIME_MODIFY_SET),
                  BIT(FATTR4_MODE_UMASK) }
};

bool attrs_ask_write_only(const struct bitmap4 *asked)
{
        for (int i = 0; i < 3; i++)
                if (asked->word[i] & attrs_writable.word[i] & ~readable.word[i])
                        return true;
        return false;
}

static void put_layout_types(struct xdr_out *x, bool pnfs)
{
        xdr_put_u32(x, pnfs ? 1 : 0);
        if (pnfs)
                xdr_put_u32(x, LAYOUT4_NFSV4_1_FILES);
}

/* Attributes of the object itself: nearly all that is asked for. False: not one of them. */
static bool put_object(struct xdr_out *x, unsigned attr, const struct attr_values *v)
{
        switch (attr) {
        case FATTR4_TYPE: xdr_put_u32(x, v->type); return true;
        case FATTR4_CHANGE: xdr_put_u64(x, v->change); return true;
        case FATTR4_SIZE: xdr_put_u64(x, v->size); return true;
        case FATTR4_RDATTR_ERROR: xdr_put_u32(x, v->rdattr_error); return true;
        case FATTR4_ACL: acl_put(x, v->acl); return true;
        case FATTR4_FILEHANDLE: xdr_put_opaque(x, v->fh, FH_BYTES); return true;
        case FATTR4_FILEID: xdr_put_u64(x, v->fileid); return true;
        case FATTR4_MODE: xdr_put_u32(x, v->mode); return true;
        case FATTR4_NUMLINKS: xdr_put_u32(x, v->numlinks); return true;
        case FATTR4_OWNER: put_numeric_owner(x, v->uid); return true;
        case FATTR4_OWNER_GROUP: put_numeric_owner(x, v->gid); return true;
        case FATTR4_RAWDEV:
                xdr_put_u32(x, v->rdev_major);
                xdr_put_u32(x, v->rdev_minor);
                return true;
        case FATTR4_SPACE_USED: xdr_put_u64(x, v->space_used); return true;
        case FATTR4_TIME_ACCESS: put_time(x, v->time_access); return true;
        case FATTR4_TIME_CREATE: put_time(x, v->time_create); return true;
        case FATTR4_TIME_METADATA: put_time(x, v->time_metadata); return true;
        case FATTR4_TIME_MODIFY: put_time(x, v->time_modify); return true;
        case FATTR4_MOUNTED_ON_FILEID: xdr_put_u64(x, v->mounted_on_fileid); return true;
        default: return false;
        }
}

static void put_bits(struct xdr_out *x, uint32_t word)
{
        put_bitmap(x, &(struct bitmap4){ .word = { word } });
}

/* RFC 9754: what OPEN understands, each value of its arguments as the number of a bit, wishes without what
 * they have in common. Nobody is called when a delegation can be had, so those wishes are not there. */
static void put_open_arguments(struct xdr_out *x)
{
        enum { WISHES_AT = 8 };

        put_bits(x,
                 BIT(OPEN4_SHARE_ACCESS_READ) | BIT(OPEN4_SHARE_ACCESS_WRITE) | BIT(OPEN4_SHARE_ACCESS_BOTH));
        put_bits(x, BIT(OPEN4_SHARE_DENY_NONE) | BIT(OPEN4_SHARE_DENY_READ) | BIT(OPEN4_SHARE_DENY_WRITE) |
                            BIT(OPEN4_SHARE_DENY_BOTH));
        put_bits(x, BIT(OPEN4_SHARE_ACCESS_WANT_ANY_DELEG >> WISHES_AT) |
                            BIT(OPEN4_SHARE_ACCESS_WANT_NO_DELEG >> WISHES_AT) |
                            BIT(OPEN4_SHARE_ACCESS_WANT_CANCEL >> WISHES_AT) |
                            OPEN4_SHARE_ACCESS_WANT_DELEG_TIMESTAMPS |
                            OPEN4_SHARE_ACCESS_WANT_OPEN_XOR_DELEGATION);
        put_bits(x, BIT(CLAIM_NULL) | BIT(CLAIM_PREVIOUS) | BIT(CLAIM_DELEGATE_CUR) | BIT(CLAIM_FH) |
                            BIT(CLAIM_DELEG_CUR_FH));
        put_bits(x, BIT(UNCHECKED4) | BIT(GUARDED4) | BIT(EXCLUSIVE4) | BIT(EXCLUSIVE4_1));
}

/* Attributes that are constants of this server. */
static void put_constant(struct xdr_out *x, unsigned attr)
{
        switch (attr) {
        case FATTR4_FH_EXPIRE_TYPE: xdr_put_u32(x, FH4_PERSISTENT); return;
        case FATTR4_LINK_SUPPORT:
        case FATTR4_SYMLINK_SUPPORT:
        case FATTR4_UNIQUE_HANDLES:
        case FATTR4_CANSETTIME:
        case FATTR4_XATTR_SUPPORT:
        case FATTR4_CASE_PRESERVING:
        case FATTR4_CHOWN_RESTRICTED:
        case FATTR4_HOMOGENEOUS:
        case FATTR4_NO_TRUNC: xdr_put_bool(x, true); return;
        case FATTR4_NAMED_ATTR:
        case FATTR4_CASE_INSENSITIVE: xdr_put_bool(x, false); return;
        case FATTR4_ACLSUPPORT: xdr_put_u32(x, ACL4_SUPPORT_ALLOW_ACL | ACL4_SUPPORT_DENY_ACL); return;
        case FATTR4_MAXFILESIZE: xdr_put_u64(x, INT64_MAX); return;
        case FATTR4_MAXLINK: xdr_put_u32(x, MAX_LINK); return;
        case FATTR4_MAXNAME: xdr_put_u32(x, NFS4_MAXNAME); return;
        case FATTR4_MAXREAD:
        case FATTR4_MAXWRITE: xdr_put_u64(x, MAX_IO); return;
        case FATTR4_TIME_DELTA: put_time(x, 1); return;
        case FATTR4_FS_CHARSET_CAP: xdr_put_u32(x, FSCHARSET_CAP4_CONTAINS_NON_UTF8); return; /* §14.4 */
        case FATTR4_CHANGE_ATTR_TYPE: xdr_put_u32(x, NFS4_CHANGE_TYPE_IS_MONOTONIC_INCR); return;
        case FATTR4_OPEN_ARGUMENTS: put_open_arguments(x); return;
        default: check_failed("an attribute in nfs4_attrs.def that nobody encodes", __FILE__, __LINE__);
        }
}

static void put_exclcreat(struct xdr_out *x, const struct bitmap4 *supported)
{
        struct bitmap4 both = { 0 };

        for (int i = 0; i < 3; i++)
                both.word[i] = attrs_exclcreat.word[i] & supported->word[i];
        put_bitmap(x, &both);
}

/* Attributes of the file system. False: not one of them. */
static bool put_fs(struct xdr_out *x, unsigned attr, const struct attr_values *v)
{
        switch (attr) {
        case FATTR4_SUPPORTED_ATTRS: put_bitmap(x, v->supported); return true;
        case FATTR4_SUPPATTR_EXCLCREAT: put_exclcreat(x, v->supported); return true;
        case FATTR4_FSID:
                xdr_put_u64(x, v->fsid_major);
                xdr_put_u64(x, v->fsid_minor);
                return true;
        case FATTR4_LEASE_TIME: xdr_put_u32(x, v->lease_seconds); return true;
        case FATTR4_FILES_AVAIL: xdr_put_u64(x, v->files_avail); return true;
        case FATTR4_FILES_FREE: xdr_put_u64(x, v->files_free); return true;
        case FATTR4_FILES_TOTAL: xdr_put_u64(x, v->files_total); return true;
        case FATTR4_QUOTA_AVAIL_HARD: /* nobody has less than all there is, and all use it together */
        case FATTR4_QUOTA_AVAIL_SOFT: xdr_put_u64(x, v->space_avail); return true;
        case FATTR4_QUOTA_USED: xdr_put_u64(x, v->space_total - v->space_free); return true;
        case FATTR4_SPACE_AVAIL: xdr_put_u64(x, v->space_avail); return true;
        case FATTR4_SPACE_FREE: xdr_put_u64(x, v->space_free); return true;
        case FATTR4_SPACE_TOTAL: xdr_put_u64(x, v->space_total); return true;
        case FATTR4_FS_LAYOUT_TYPES: put_layout_types(x, v->pnfs); return true;
        case FATTR4_LAYOUT_BLKSIZE: xdr_put_u32(x, v->layout_blksize); return true;
        default: return false;
        }
}

void attrs_encode(struct xdr_out *x, const struct bitmap4 *asked, const struct attr_values *v)
{
        struct bitmap4 given = { 0 };
        uint32_t length_at;

        for (int i = 0; i < 3; i++)
                given.word[i] = asked->word[i] & v->supported->word[i] & readable.word[i];
        put_bitmap(x, &given);
        length_at = xdr_head_length(x);
        xdr_put_u32(x, 0);
        for (int i = 0; i < 3; i++)
                for (uint32_t left = given.word[i]; left; left &= left - 1) {
                        unsigned attr = (unsigned)(i * 32 + __builtin_ctz(left));

                        if (!put_object(x, attr, v) && !put_fs(x, attr, v))
                                put_constant(x, attr);
                }
        if (!x->full)
                xdr_patch_u32(x, length_at, xdr_head_length(x) - length_at - 4);
}

uint32_t attrs_encoded_max(const struct bitmap4 *asked)
{
        uint32_t bytes = 16 + 4;

        for (int i = 0; i < 3; i++)
                bytes += 16u * (uint32_t)__builtin_popcount(asked->word[i] & attrs_supported.word[i]);
        if (bitmap_has(asked, FATTR4_FILEHANDLE))
                bytes += FH_BYTES;
        if (bitmap_has(asked, FATTR4_OPEN_ARGUMENTS))
                bytes += 5 * 8;
        if (bitmap_has(asked, FATTR4_ACL))
                bytes += ACL_WIRE_BYTES;
        return bytes;
}
