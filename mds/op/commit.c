/* SPDX-License-Identifier: Apache-2.0 */
/* COMMIT through the MDS, RFC 8881 §18.3: on every data server of the file. The verifier is of this start of
 * the MDS; what was written through it is stable already (op/write.c). */
#include "mds/mds.h"
#include "mds/ops.h"
#include "mds/pnfs/proxy.h"
#include "mds/pnfs/size.h"

struct commit_args {
        uint64_t offset;
        uint32_t count;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct commit_args *a = OP_ARGS(c, struct commit_args);

        a->offset = xdr_get_u64(x);
        a->count = xdr_get_u32(x);
}

static enum nfsstat4 execute(struct compound *c)
{
        const struct commit_args *a = OP_ARGS(c, struct commit_args);
        const struct inode *file;
        struct caller who;
        enum nfsstat4 status;

        if (a->count != 0 && a->offset > UINT64_MAX - a->count)
                return NFS4ERR_INVAL;
        if (meta_inode(mds_of(c)->meta, c->fh.fileid, &file) < 0)
                return NFS4ERR_STALE;
        if (file->type != NF4REG)
                return file->type == NF4DIR ? NFS4ERR_ISDIR : NFS4ERR_WRONG_TYPE;
        status = caller_of(c, &c->fh, &who);
        if (status != NFS4_OK)
                return status;
        return size_has_data(mds_of(c)->sizes, file) ? proxy_commit(proxy_caller(c), file) : NFS4_OK;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        (void)status;
        xdr_put_fixed(x, c->server->write_verifier, NFS4_VERIFIER_SIZE);
}

const struct nfs4_op op_commit = {
        .name = "COMMIT",
        .flags = OP_NEEDS_FH | OP_MUTATES,
        .reply_max = 16,
        .decode = decode,
        .execute = execute,
        .resume = proxy_resume,
        .encode = encode,
};
