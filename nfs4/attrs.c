/* SPDX-License-Identifier: Apache-2.0 */
/* fattr4: see attrs.h. Encoding is one switch over the attributes asked, in ascending order; decoding the same over what
 * may be set. */
#include "nfs4/attrs.h"

#include <stdio.h>

enum { FH4_PERSISTENT = 0, MAX_LINK = 65000, OWNER_MAX = 12, TIME_BYTES = 12, MAX_IO = 1024 * 1024 };

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

static const struct bitmap4 writable = { .word = {
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

/* The verifier has a place of its own in the inode, so everything that can be set can be set with it. */
const struct bitmap4 attrs_exclcreat = { .word = { BIT(FATTR4_SIZE),
                                                   BIT(FATTR4_MODE) | BIT(FATTR4_OWNER) | BIT(FATTR4_OWNER_GROUP) |
                                                           BIT(FATTR4_TIME_ACCESS_SET) | BIT(FATTR4_TIME_CREATE) |
                                                           BIT(FATTR4_TIME_MODIFY_SET),
                                                   BIT(FATTR4_MODE_SET_MASKED) } };

bool attrs_ask_write_only(const struct bitmap4 *asked)
{
        for (int i = 0; i < 3; i++)
                if (asked->word[i] & writable.word[i] & ~readable.word[i])
                        return true;
        return false;
}

static void put_owner(struct xdr_out *x, uint32_t id)
{
        char text[OWNER_MAX];

        snprintf(text, sizeof(text), "%u", id);
        xdr_put_string(x, text);
}

static void put_layout_types(struct xdr_out *x, bool pnfs)
{
        xdr_put_u32(x, pnfs ? 1 : 0);
        if (pnfs)
                xdr_put_u32(x, LAYOUT4_NFSV4_1_FILES);
}

/* Attributes that are constants of this server. False: not one of them. */
static bool put_constant(struct xdr_out *x, unsigned attr)
{
        switch (attr) {
        case FATTR4_FH_EXPIRE_TYPE:
                xdr_put_u32(x, FH4_PERSISTENT);
                return true;
        case FATTR4_LINK_SUPPORT:
        case FATTR4_SYMLINK_SUPPORT:
        case FATTR4_UNIQUE_HANDLES:
        case FATTR4_CANSETTIME:
        case FATTR4_CASE_PRESERVING:
        case FATTR4_CHOWN_RESTRICTED:
        case FATTR4_HOMOGENEOUS:
        case FATTR4_NO_TRUNC:
                xdr_put_bool(x, true);
                return true;
        case FATTR4_NAMED_ATTR:
        case FATTR4_CASE_INSENSITIVE:
                xdr_put_bool(x, false);
                return true;
        case FATTR4_ACLSUPPORT:
                xdr_put_u32(x, 0);
                return true;
        case FATTR4_MAXFILESIZE:
                xdr_put_u64(x, INT64_MAX);
                return true;
        case FATTR4_MAXLINK:
                xdr_put_u32(x, MAX_LINK);
                return true;
        case FATTR4_MAXNAME:
                xdr_put_u32(x, NFS4_MAXNAME);
                return true;
        case FATTR4_MAXREAD:
        case FATTR4_MAXWRITE:
                xdr_put_u64(x, MAX_IO);
                return true;
        case FATTR4_TIME_DELTA:
                put_time(x, 1);
                return true;
        case FATTR4_SUPPATTR_EXCLCREAT:
                put_bitmap(x, &attrs_exclcreat);
                return true;
        case FATTR4_CHANGE_ATTR_TYPE:
                xdr_put_u32(x, NFS4_CHANGE_TYPE_IS_MONOTONIC_INCR);
                return true;
        default:
                return false;
        }
}

/* Attributes of the file system. False: not one of them. */
static bool put_fs(struct xdr_out *x, unsigned attr, const struct attr_values *v)
{
        switch (attr) {
        case FATTR4_SUPPORTED_ATTRS:
                put_bitmap(x, v->supported);
                return true;
        case FATTR4_FSID:
                xdr_put_u64(x, v->fsid_major);
                xdr_put_u64(x, v->fsid_minor);
                return true;
        case FATTR4_LEASE_TIME:
                xdr_put_u32(x, v->lease_seconds);
                return true;
        case FATTR4_FILES_AVAIL:
                xdr_put_u64(x, v->files_avail);
                return true;
        case FATTR4_FILES_FREE:
                xdr_put_u64(x, v->files_free);
                return true;
        case FATTR4_FILES_TOTAL:
                xdr_put_u64(x, v->files_total);
                return true;
        case FATTR4_SPACE_AVAIL:
                xdr_put_u64(x, v->space_avail);
                return true;
        case FATTR4_SPACE_FREE:
                xdr_put_u64(x, v->space_free);
                return true;
        case FATTR4_SPACE_TOTAL:
                xdr_put_u64(x, v->space_total);
                return true;
        case FATTR4_FS_LAYOUT_TYPES:
                put_layout_types(x, v->pnfs);
                return true;
        case FATTR4_LAYOUT_BLKSIZE:
                xdr_put_u32(x, v->layout_blksize);
                return true;
        default:
                return false;
        }
}

static void put_object(struct xdr_out *x, unsigned attr, const struct attr_values *v)
{
        switch (attr) {
        case FATTR4_TYPE:
                xdr_put_u32(x, v->type);
                return;
        case FATTR4_CHANGE:
                xdr_put_u64(x, v->change);
                return;
        case FATTR4_SIZE:
                xdr_put_u64(x, v->size);
                return;
        case FATTR4_RDATTR_ERROR:
                xdr_put_u32(x, v->rdattr_error);
                return;
        case FATTR4_FILEHANDLE:
                xdr_put_opaque(x, v->fh, FH_BYTES);
                return;
        case FATTR4_FILEID:
                xdr_put_u64(x, v->fileid);
                return;
        case FATTR4_MODE:
                xdr_put_u32(x, v->mode);
                return;
        case FATTR4_NUMLINKS:
                xdr_put_u32(x, v->numlinks);
                return;
        case FATTR4_OWNER:
                put_owner(x, v->uid);
                return;
        case FATTR4_OWNER_GROUP:
                put_owner(x, v->gid);
                return;
        case FATTR4_RAWDEV:
                xdr_put_u32(x, v->rdev_major);
                xdr_put_u32(x, v->rdev_minor);
                return;
        case FATTR4_SPACE_USED:
                xdr_put_u64(x, v->space_used);
                return;
        case FATTR4_TIME_ACCESS:
                put_time(x, v->time_access);
                return;
        case FATTR4_TIME_CREATE:
                put_time(x, v->time_create);
                return;
        case FATTR4_TIME_METADATA:
                put_time(x, v->time_metadata);
                return;
        case FATTR4_TIME_MODIFY:
                put_time(x, v->time_modify);
                return;
        case FATTR4_MOUNTED_ON_FILEID:
                xdr_put_u64(x, v->mounted_on_fileid);
                return;
        default:
                CHECK(!"an attribute in nfs4_attrs.def that nobody encodes");
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

                        if (!put_constant(x, attr) && !put_fs(x, attr, v))
                                put_object(x, attr, v);
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
        return bytes;
}

/* --- what clients set */

static bool get_numeric_owner(struct xdr_in *x, uint32_t *ret)
{
        struct slice text = xdr_get_opaque(x, NFS4_OPAQUE_LIMIT);
        uint64_t id = 0;

        if (text.length == 0 || text.length > 10)
                return false;
        for (uint32_t i = 0; i < text.length; i++) {
                if (text.data[i] < '0' || text.data[i] > '9')
                        return false;
                id = id * 10 + (uint64_t)(text.data[i] - '0');
        }
        *ret = (uint32_t)id;
        return id <= UINT32_MAX && (text.length == 1 || text.data[0] != '0');
}

static bool get_time(struct xdr_in *x, int64_t *ret)
{
        int64_t seconds = (int64_t)xdr_get_u64(x);
        uint32_t ns = xdr_get_u32(x);

        if (ns >= 1000000000u || seconds > INT64_MAX / 1000000000 - 1 || seconds < INT64_MIN / 1000000000 + 1)
                return false;
        *ret = seconds * 1000000000 + ns;
        return true;
}

static bool get_settime(struct xdr_in *x, bool *ret_now, int64_t *ret)
{
        uint32_t how = xdr_get_u32(x);

        *ret_now = how == SET_TO_SERVER_TIME4;
        if (how > SET_TO_CLIENT_TIME4)
                x->bad = true;
        return how != SET_TO_CLIENT_TIME4 || get_time(x, ret);
}

static enum nfsstat4 get_one(struct xdr_in *x, unsigned attr, struct attr_set *ret)
{
        switch (attr) {
        case FATTR4_SIZE:
                ret->size = xdr_get_u64(x);
                return ret->size > INT64_MAX ? NFS4ERR_FBIG : NFS4_OK;
        case FATTR4_MODE:
                ret->mode = xdr_get_u32(x);
                ret->mode_mask = 07777;
                return ret->mode > 07777 ? NFS4ERR_INVAL : NFS4_OK;
        case FATTR4_MODE_SET_MASKED:
                ret->mode = xdr_get_u32(x);
                ret->mode_mask = xdr_get_u32(x);
                return ret->mode > 07777 || ret->mode_mask > 07777 || ret->mode & ~ret->mode_mask ? NFS4ERR_INVAL : NFS4_OK;
        case FATTR4_OWNER:
                return get_numeric_owner(x, &ret->uid) ? NFS4_OK : NFS4ERR_BADOWNER;
        case FATTR4_OWNER_GROUP:
                return get_numeric_owner(x, &ret->gid) ? NFS4_OK : NFS4ERR_BADOWNER;
        case FATTR4_TIME_ACCESS_SET:
                return get_settime(x, &ret->atime_now, &ret->time_access) ? NFS4_OK : NFS4ERR_INVAL;
        case FATTR4_TIME_MODIFY_SET:
                return get_settime(x, &ret->mtime_now, &ret->time_modify) ? NFS4_OK : NFS4ERR_INVAL;
        case FATTR4_TIME_CREATE:
                return get_time(x, &ret->time_create) ? NFS4_OK : NFS4ERR_INVAL;
        default:
                return NFS4ERR_INVAL;
        }
}

static enum nfsstat4 check_mask(const struct bitmap4 *mask)
{
        enum nfsstat4 status = NFS4_OK;

        if (mask->beyond)
                return NFS4ERR_ATTRNOTSUPP;
        for (int i = 0; i < 3; i++) {
                if (mask->word[i] & ~attrs_supported.word[i])
                        return NFS4ERR_ATTRNOTSUPP;
                if (mask->word[i] & ~writable.word[i])
                        status = NFS4ERR_INVAL;
        }
        if (bitmap_has(mask, FATTR4_MODE) && bitmap_has(mask, FATTR4_MODE_SET_MASKED))
                status = NFS4ERR_INVAL;
        return status;
}

void attrs_decode(struct xdr_in *x, struct attr_set *ret, enum nfsstat4 *ret_status)
{
        struct xdr_in values;

        *ret = (struct attr_set){ 0 };
        get_bitmap(x, &ret->mask);
        values = xdr_in_of(xdr_get_opaque(x, UINT32_MAX));
        *ret_status = x->bad ? NFS4ERR_BADXDR : check_mask(&ret->mask);
        for (unsigned attr = 0; attr < FATTR4_LIMIT && *ret_status == NFS4_OK; attr++)
                if (bitmap_has(&ret->mask, attr))
                        *ret_status = get_one(&values, attr, ret);
        if (*ret_status == NFS4_OK && (values.bad || values.p != values.end)) {
                *ret_status = NFS4ERR_BADXDR;
                x->bad = true;
        }
}

void attrs_get_raw(struct xdr_in *x, struct raw_attrs *ret)
{
        get_bitmap(x, &ret->mask);
        ret->values = xdr_get_opaque(x, UINT32_MAX);
}
