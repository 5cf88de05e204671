/* SPDX-License-Identifier: Apache-2.0 */
#include "nfs4/acl.h"

#include "nfs4/codec.h"

static const char *const special[] = {
        [ACE_OWNER] = "OWNER@", [ACE_GROUP] = "GROUP@", [ACE_EVERYONE] = "EVERYONE@"
};

enum { ACE_SMALLEST = 16, MORE_ACES = 4096 };

static bool get_who(struct slice text, struct ace *ace)
{
        for (int who = ACE_OWNER; who <= ACE_EVERYONE; who++)
                if (slice_equal(text, slice_str(special[who]))) {
                        ace->who = (uint8_t)who;
                        return true;
                }
        ace->who = ACE_ID;
        return parse_numeric_owner(text, &ace->id);
}

static enum nfsstat4 get_ace(struct xdr_in *x, struct ace *ret)
{
        uint32_t type = xdr_get_u32(x), flags = xdr_get_u32(x);
        struct slice who;

        *ret = (struct ace){ .type = (uint8_t)type, .flags = (uint8_t)flags, .mask = xdr_get_u32(x) };
        who = xdr_get_opaque(x, NFS4_OPAQUE_LIMIT);
        if (type > ACE4_ACCESS_DENIED_ACE_TYPE)
                return NFS4ERR_ATTRNOTSUPP;
        if (flags & ~(uint32_t)ACE_FLAGS || ret->mask & ~(uint32_t)ACE_MASK)
                return NFS4ERR_INVAL;
        return get_who(who, ret) ? NFS4_OK : NFS4ERR_BADOWNER;
}

enum nfsstat4 acl_get(struct xdr_in *x, struct acl *ret)
{
        uint32_t count = xdr_get_count(x, MORE_ACES, ACE_SMALLEST);
        enum nfsstat4 status = count > ACL_ACES ? NFS4ERR_NOSPC : NFS4_OK;

        for (uint32_t i = 0; i < count && !x->bad; i++) {
                struct ace ace;
                enum nfsstat4 one = get_ace(x, &ace);

                if (status == NFS4_OK)
                        status = one;
                if (ret && i < ACL_ACES)
                        ret->aces[i] = ace;
        }
        if (ret)
                ret->count = count < ACL_ACES ? count : ACL_ACES;
        return status;
}

void acl_put(struct xdr_out *x, const struct acl *acl)
{
        xdr_put_u32(x, acl->count);
        for (uint32_t i = 0; i < acl->count; i++) {
                const struct ace *a = &acl->aces[i];

                xdr_put_u32(x, a->type);
                xdr_put_u32(x, a->flags);
                xdr_put_u32(x, a->mask);
                if (a->who == ACE_ID)
                        put_numeric_owner(x, a->id);
                else
                        xdr_put_string(x, special[a->who]);
        }
}
