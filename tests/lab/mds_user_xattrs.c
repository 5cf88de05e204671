/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/mds_user_xattrs.h"

enum nfsstat4 user_setxattr(struct user *u, const struct user_fh *fh, uint32_t option, const char *name,
                            struct slice value)
{
        user_begin(u);
        user_putfh(u, fh);
        xdr_put_u32(user_op(u, OP_SETXATTR), option);
        xdr_put_string(u->x, name);
        xdr_put_slice(u->x, value);
        return user_call(u);
}

enum nfsstat4 user_removexattr(struct user *u, const struct user_fh *fh, const char *name)
{
        user_begin(u);
        user_putfh(u, fh);
        xdr_put_string(user_op(u, OP_REMOVEXATTR), name);
        return user_call(u);
}

enum nfsstat4 user_getxattr(struct user *u, const struct user_fh *fh, const char *name, struct slice *ret)
{
        enum nfsstat4 status;

        user_begin(u);
        user_putfh(u, fh);
        xdr_put_string(user_op(u, OP_GETXATTR), name);
        status = user_call(u);
        if (status != NFS4_OK)
                return status;
        user_result(u, OP_PUTFH);
        user_result(u, OP_GETXATTR);
        *ret = xdr_get_opaque(&u->in, UINT32_MAX);
        CHECK(!u->in.bad);
        return NFS4_OK;
}

uint32_t user_count_xattrs(struct user *u, const struct user_fh *fh)
{
        user_begin(u);
        user_putfh(u, fh);
        xdr_put_u64(user_op(u, OP_LISTXATTRS), 0);
        xdr_put_u32(u->x, 65536);
        CHECK(user_call(u) == NFS4_OK);
        user_result(u, OP_PUTFH);
        user_result(u, OP_LISTXATTRS);
        xdr_get_u64(&u->in);
        return xdr_get_u32(&u->in);
}
