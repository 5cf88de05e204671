/* SPDX-License-Identifier: Apache-2.0 */
/* READLINK, RFC 8881 §18.24: the text of a symbolic link, bytes as they were given. WRONG_TYPE for anything
 * else. */
#include "mds/ns/subject.h"
#include "mds/ops.h"

struct readlink_res {
        struct buf *buf;
        uint32_t length;
};

static enum nfsstat4 execute(struct compound *c)
{
        struct readlink_res *r = OP_RES(c, struct readlink_res);
        struct subject s;
        enum nfsstat4 status = subject_of(c, &c->fh, &s);
        int length;

        if (status != NFS4_OK)
                return status;
        if (s.pseudo || s.inode->type != NF4LNK)
                return NFS4ERR_WRONG_TYPE;
        r->buf = buf_get(c->server->pool, NFS4_MAXPATH);
        if (!r->buf)
                return NFS4ERR_DELAY;
        length = meta_symlink(mds_of(c)->meta, s.inode->fileid, (char *)r->buf->data);
        if (length < 0) {
                buf_unref(r->buf);
                return inode_status(length);
        }
        r->length = (uint32_t)length;
        return NFS4_OK;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct readlink_res *r = OP_RES(c, struct readlink_res);

        (void)status;
        xdr_put_opaque(x, r->buf->data, r->length);
        buf_unref(r->buf);
}

const struct nfs4_op op_readlink = {
        .name = "READLINK",
        .flags = OP_NEEDS_FH | OP_PSEUDO,
        .reply_max = 12 + NFS4_MAXPATH + 1,
        .execute = execute,
        .encode = encode,
};
