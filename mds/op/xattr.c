/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/op/xattr.h"

#include <errno.h>

struct slice get_xattr_name(struct compound *c, struct xdr_in *x)
{
        struct slice name = xdr_get_opaque(x, UINT32_MAX);

        if (name.length == 0)
                c->decode_status = NFS4ERR_INVAL;
        else if (name.length > XATTR_NAME_BYTES)
                c->decode_status = NFS4ERR_NAMETOOLONG;
        else if (memchr(name.data, 0, name.length))
                c->decode_status = NFS4ERR_BADCHAR;
        return name;
}

enum nfsstat4 xattr_may(const struct subject *s, unsigned want)
{
        const struct inode *i = s->inode;

        if (i->type != NF4REG && i->type != NF4DIR)
                return NFS4ERR_WRONG_TYPE;
        if (want & PERM_W && s->who.rule->access != EXPORT_RW)
                return NFS4ERR_ROFS;
        if (want & PERM_W && i->type == NF4DIR && i->mode & S_STICKY && !perm_owner(&s->who, i))
                return NFS4ERR_PERM;
        return perm_ok(&s->who, i, want) ? NFS4_OK : NFS4ERR_ACCESS;
}

enum nfsstat4 xattr_subject(const struct compound *c, unsigned want, struct subject *ret)
{
        enum nfsstat4 status = subject_of(c, &c->fh, ret);

        if (status != NFS4_OK)
                return status;
        if (ret->pseudo)
                return want & PERM_W ? NFS4ERR_ROFS : NFS4_OK;
        return xattr_may(ret, want);
}

enum nfsstat4 xattr_status(int error)
{
        return error == -ENODATA ? NFS4ERR_NOXATTR : nfs4_status_from_errno(error);
}
