/* SPDX-License-Identifier: Apache-2.0 */
/* WRITE through the MDS, RFC 8881 §18.32: the data go to the data servers as FILE_SYNC, and FILE_SYNC4 is the
 * answer, whatever was asked; so COMMIT has nothing left to lose. */
#include "mds/mds.h"
#include "mds/op/io.h"
#include "mds/ops.h"
#include "mds/pnfs/proxy.h"
#include "nfs4/codec.h"

struct write_args {
        struct stateid stateid;
        uint64_t offset;
        uint32_t stable;
        struct slice data;
};
struct write_res {
        uint32_t count;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct write_args *a = OP_ARGS(c, struct write_args);

        get_stateid(x, &a->stateid);
        a->offset = xdr_get_u64(x);
        a->stable = xdr_get_u32(x);
        a->data = xdr_get_opaque(x, UINT32_MAX);
        if (a->stable > FILE_SYNC4)
                x->bad = true;
}

static enum nfsstat4 execute(struct compound *c)
{
        struct write_args *a = OP_ARGS(c, struct write_args);
        const struct inode *file;
        enum nfsstat4 status = io_check_write(c, &a->stateid);

        if (status != NFS4_OK)
                return status;
        if (a->offset > MAX_FILE_SIZE || a->data.length > MAX_FILE_SIZE - a->offset)
                return NFS4ERR_FBIG;
        OP_RES(c, struct write_res)->count = a->data.length;
        if (a->data.length == 0)
                return NFS4_OK;
        if (meta_inode(mds_of(c)->meta, c->fh.fileid, &file) < 0)
                return NFS4ERR_STALE;
        status = io_mark_data(c, file);
        if (status != NFS4_OK)
                return status;
        meta_inode(mds_of(c)->meta, c->fh.fileid, &file);
        return proxy_write(proxy_caller(c), file, a->offset, a->data, c->call.record);
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        (void)status;
        xdr_put_u32(x, OP_RES(c, struct write_res)->count);
        xdr_put_u32(x, FILE_SYNC4);
        xdr_put_fixed(x, c->server->write_verifier, NFS4_VERIFIER_SIZE);
}

const struct nfs4_op op_write = {
        .name = "WRITE",
        .flags = OP_NEEDS_FH | OP_MUTATES,
        .reply_max = 24,
        .decode = decode,
        .execute = execute,
        .resume = proxy_resume,
        .encode = encode,
};
