/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of fattr4, see attrs.h: what clients may set, and nothing else. */
#include "nfs4/attrs.h"

bool attrs_get_time(struct xdr_in *x, int64_t *ret)
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
        return how != SET_TO_CLIENT_TIME4 || attrs_get_time(x, ret);
}

/* Checked, and kept as it stands: a list has no room in the arguments. */
static enum nfsstat4 get_acl(struct xdr_in *x, struct slice *ret)
{
        const uint8_t *from = x->p;
        enum nfsstat4 status = acl_get(x, NULL);

        *ret = slice_of(from, (uint32_t)(x->p - from));
        return status;
}

/* RFC 8275 §5.2: the mode that the program asked for, and the umask it has. */
static enum nfsstat4 get_mode_umask(struct xdr_in *x, struct attr_set *ret)
{
        uint32_t umask;

        ret->mode_unmasked = xdr_get_u32(x);
        umask = xdr_get_u32(x);
        ret->mode = ret->mode_unmasked & ~umask;
        ret->mode_mask = 07777;
        return ret->mode_unmasked > 07777 || umask > 0777 ? NFS4ERR_INVAL : NFS4_OK;
}

static enum nfsstat4 get_one(struct xdr_in *x, unsigned attr, struct attr_set *ret)
{
        switch (attr) {
        case FATTR4_SIZE: ret->size = xdr_get_u64(x); return ret->size > INT64_MAX ? NFS4ERR_FBIG : NFS4_OK;
        case FATTR4_ACL: return get_acl(x, &ret->acl);
        case FATTR4_MODE:
                ret->mode = xdr_get_u32(x);
                ret->mode_mask = 07777;
                return ret->mode > 07777 ? NFS4ERR_INVAL : NFS4_OK;
        case FATTR4_MODE_SET_MASKED:
                ret->mode = xdr_get_u32(x);
                ret->mode_mask = xdr_get_u32(x);
                return ret->mode > 07777 || ret->mode_mask > 07777 || ret->mode & ~ret->mode_mask
                               ? NFS4ERR_INVAL
                               : NFS4_OK;
        case FATTR4_MODE_UMASK: return get_mode_umask(x, ret);
        case FATTR4_OWNER:
                return parse_numeric_owner(xdr_get_opaque(x, NFS4_OPAQUE_LIMIT), &ret->uid)
                               ? NFS4_OK
                               : NFS4ERR_BADOWNER;
        case FATTR4_OWNER_GROUP:
                return parse_numeric_owner(xdr_get_opaque(x, NFS4_OPAQUE_LIMIT), &ret->gid)
                               ? NFS4_OK
                               : NFS4ERR_BADOWNER;
        case FATTR4_TIME_ACCESS_SET:
                return get_settime(x, &ret->atime_now, &ret->time_access) ? NFS4_OK : NFS4ERR_INVAL;
        case FATTR4_TIME_MODIFY_SET:
                return get_settime(x, &ret->mtime_now, &ret->time_modify) ? NFS4_OK : NFS4ERR_INVAL;
        case FATTR4_TIME_DELEG_ACCESS:
                return attrs_get_time(x, &ret->time_deleg_access) ? NFS4_OK : NFS4ERR_INVAL;
        case FATTR4_TIME_DELEG_MODIFY:
                return attrs_get_time(x, &ret->time_deleg_modify) ? NFS4_OK : NFS4ERR_INVAL;
        case FATTR4_TIME_CREATE: return attrs_get_time(x, &ret->time_create) ? NFS4_OK : NFS4ERR_INVAL;
        default: return NFS4ERR_INVAL;
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
                if (mask->word[i] & ~attrs_writable.word[i])
                        status = NFS4ERR_INVAL;
        }
        if (bitmap_has(mask, FATTR4_MODE) + bitmap_has(mask, FATTR4_MODE_SET_MASKED) +
                    bitmap_has(mask, FATTR4_MODE_UMASK) >
            1)
                status = NFS4ERR_INVAL;
        return status;
}

void attrs_decode(struct xdr_in *x, struct attr_set *ret, enum nfsstat4 *ret_status)
{
        struct xdr_in values;
        enum nfsstat4 status;

        *ret = (struct attr_set){ 0 };
        get_bitmap(x, &ret->mask);
        values = xdr_in_of(xdr_get_opaque(x, UINT32_MAX));
        status = x->bad ? NFS4ERR_BADXDR : check_mask(&ret->mask);
        for (unsigned attr = 0; attr < FATTR4_LIMIT && status == NFS4_OK && !values.bad; attr++)
                if (bitmap_has(&ret->mask, attr))
                        status = get_one(&values, attr, ret);
        if (values.bad || (status == NFS4_OK && values.p != values.end))
                status = NFS4ERR_BADXDR;
        if (status == NFS4ERR_BADXDR)
                x->bad = true;
        *ret_status = status;
}

void attrs_get_raw(struct xdr_in *x, struct raw_attrs *ret)
{
        get_bitmap(x, &ret->mask);
        ret->values = xdr_get_opaque(x, UINT32_MAX);
}
