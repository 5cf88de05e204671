/* SPDX-License-Identifier: Apache-2.0 */
/* GETATTR, RFC 8881 §18.7.
 *
 * The RFC: answers what is asked and supported; a write-only attribute is INVAL. We: when the answer depends
 * on size, times or change of a file that a data server or another client may have newer news of, these are
 * asked first (mds/op/fresh.h). */
#include "mds/ns/inode.h"
#include "mds/op/fresh.h"
#include "mds/ops.h"

struct getattr_args {
        struct bitmap4 asked;
        struct acl acl; /* when it is asked for: no room among the results */
};
struct getattr_res {
        struct attr_values values;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct getattr_args *a = OP_ARGS(c, struct getattr_args);

        get_bitmap(x, &a->asked);
        if (attrs_ask_write_only(&a->asked))
                c->decode_status = NFS4ERR_INVAL;
}

static enum nfsstat4 execute(struct compound *c)
{
        struct getattr_args *a = OP_ARGS(c, struct getattr_args);
        const struct bitmap4 *asked = &a->asked;
        struct subject s;
        enum nfsstat4 status = subject_of(c, &c->fh, &s);

        if (status != NFS4_OK)
                return status;
        if (s.inode && s.inode->type == NF4REG && attrs_need_size(asked)) {
                status = attrs_refresh(c, s.inode, asked);
                if (status != NFS4_OK)
                        return status;
        }
        OP_RES(c, struct getattr_res)->values.acl = &a->acl;
        subject_values(c, &s, asked, &OP_RES(c, struct getattr_res)->values);
        return NFS4_OK;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        (void)status;
        attrs_encode(x, &OP_ARGS(c, struct getattr_args)->asked, &OP_RES(c, struct getattr_res)->values);
}

const struct nfs4_op op_getattr = {
        .name = "GETATTR",
        .flags = OP_NEEDS_FH | OP_PSEUDO,
        .reply_max = 1024 + ACL_WIRE_BYTES,
        .decode = decode,
        .execute = execute,
        .resume = execute, /* asks again, and is told what the wait found */
        .encode = encode,
};
