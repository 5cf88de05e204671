/* SPDX-License-Identifier: Apache-2.0 */
/* CLONE, RFC 7862 §15.13.
 *
 * The RFC: the current file's range shares its blocks with the saved file's, all of it or an error; a count
 * of 0 means to the end of the source; what lies beyond it, or overlaps, or begins in the middle of a block
 * is INVAL; who cannot share blocks answers NOTSUPP. We: each data server does it for the objects that it has
 * (ds/op/copy.c), durably; where the file system cannot the answer is NOTSUPP, so that `cp --reflink=always`
 * fails as it should. Blocks cannot be shared between data servers: a target without data takes the stripes
 * of its source first (copy_range.c); when the units of the ranges still do not lie on the same ones that is
 * XDEV, which sends a client to COPY without keeping it from trying again with other files. After an error
 * (a full disk) some servers may have done their part. */
#include "mds/op/copy.h"
#include "mds/ops.h"
#include "mds/pnfs/proxy.h"

static void decode(struct compound *c, struct xdr_in *x)
{
        get_copy_range(x, OP_ARGS(c, struct copy_range));
}

static enum nfsstat4 share(struct compound *c)
{
        struct copy_range *r = OP_ARGS(c, struct copy_range);
        const struct inode *source, *file;
        enum nfsstat4 status = copy_prepare(c, r, OP_RES(c, struct copy_prepare));

        if (status != NFS4_OK || r->count == 0)
                return status;
        status = copy_files(c, &source, &file);
        if (status != NFS4_OK)
                return status;
        if (!proxy_can_copy(mds_of(c), source, r->source_offset, file, r->offset))
                return NFS4ERR_XDEV;
        return proxy_copy(proxy_caller(c), source, r->source_offset, file, r->offset, r->count, true);
}

static enum nfsstat4 execute(struct compound *c)
{
        *OP_RES(c, struct copy_prepare) = (struct copy_prepare){ 0 };
        return share(c);
}

static enum nfsstat4 resume(struct compound *c)
{
        return OP_RES(c, struct copy_prepare)->step == PREPARED ? proxy_resume(c) : share(c);
}

const struct nfs4_op op_clone = {
        .name = "CLONE",
        .flags = OP_NEEDS_FH | OP_NEEDS_SAVED_FH | OP_MUTATES,
        .reply_max = 8,
        .decode = decode,
        .execute = execute,
        .resume = resume,
};
