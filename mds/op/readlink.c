/* SPDX-License-Identifier: Apache-2.0 */
/* READLINK, RFC 8881 §18.24: the target of a symlink, as it was given to CREATE. */
#include "mds/op/dir.h"
#include "mds/ops.h"

struct readlink_res {
        uint64_t fileid;
};

static enum nfsstat4 execute(struct compound *c)
{
        const struct inode *inode;
        struct caller who;
        enum nfsstat4 status = c->fh.flags & FH_PSEUDO ? NFS4ERR_WRONG_TYPE : object_get(c, &c->fh, &inode);

        if (status != NFS4_OK)
                return status;
        if (inode->type != NF4LNK)
                return NFS4ERR_WRONG_TYPE;
        OP_RES(c, struct readlink_res)->fileid = inode->fileid;
        return caller_of(c, &c->fh, &who);
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        char target[NFS4_MAXPATH];
        int n = meta_symlink(mds_of(c)->meta, OP_RES(c, struct readlink_res)->fileid, target);

        (void)status;
        xdr_put_opaque(x, target, n < 0 ? 0 : (uint32_t)n);
}

const struct nfs4_op op_readlink = {
        .name = "READLINK",
        .flags = OP_NEEDS_FH | OP_PSEUDO,
        .reply_max = 12 + NFS4_MAXPATH + 1,
        .execute = execute,
        .encode = encode,
};
