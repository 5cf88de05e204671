/* SPDX-License-Identifier: Apache-2.0 */
/* CLONE, RFC 7862 §15.13.
 *
 * The RFC: the current file's range shares its blocks with the saved file's, all of it or an error; a count
 * of 0 means to the end of the source; what lies beyond it, or overlaps, or begins in the middle of a block
 * is INVAL; who cannot share blocks answers NOTSUPP. We: each data server does it for the objects that it has
 * (ds/op/copy.c), durably; where the file system cannot the answer is NOTSUPP, so that `cp --reflink=always`
 * fails as it should. Blocks cannot be shared between data servers: when the units of the ranges do not lie
 * on the same ones that is XDEV, which sends a client to COPY without keeping it from trying again with other
 * files. After an error (a full disk) some servers may have done their part. */
#include "mds/op/io.h"
#include "mds/ops.h"
#include "mds/pnfs/proxy.h"
#include "mds/pnfs/size.h"
#include "mds/state/delegation.h"
#include "nfs4/codec.h"

struct clone_args {
        struct stateid source_stateid, stateid;
        uint64_t source_offset, offset, count;
};
struct clone_res {
        bool sharing;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct clone_args *a = OP_ARGS(c, struct clone_args);

        get_stateid(x, &a->source_stateid);
        get_stateid(x, &a->stateid);
        a->source_offset = xdr_get_u64(x);
        a->offset = xdr_get_u64(x);
        a->count = xdr_get_u64(x);
}

/* The size of the source is known. */
static enum nfsstat4 check_range(const struct compound *c, struct clone_args *a, const struct inode *source)
{
        uint64_t distance;

        if (a->source_offset > source->size || a->count > source->size - a->source_offset)
                return NFS4ERR_INVAL;
        if (a->count == 0)
                a->count = source->size - a->source_offset;
        if (a->offset > MAX_FILE_SIZE || a->count > MAX_FILE_SIZE - a->offset)
                return NFS4ERR_FBIG;
        distance = a->offset > a->source_offset ? a->offset - a->source_offset : a->source_offset - a->offset;
        return c->fh.fileid == c->saved_fh.fileid && distance < a->count ? NFS4ERR_INVAL : NFS4_OK;
}

static enum nfsstat4 share(struct compound *c)
{
        struct clone_args *a = OP_ARGS(c, struct clone_args);
        const struct inode *source, *file;
        enum nfsstat4 status;

        if (meta_inode(mds_of(c)->meta, c->saved_fh.fileid, &source) < 0)
                return NFS4ERR_STALE;
        status = check_range(c, a, source);
        if (status != NFS4_OK || a->count == 0)
                return status;
        if (meta_inode(mds_of(c)->meta, c->fh.fileid, &file) < 0)
                return NFS4ERR_STALE;
        status = io_mark_data(c, file);
        if (status != NFS4_OK)
                return status;
        if (meta_inode(mds_of(c)->meta, c->saved_fh.fileid, &source) < 0)
                return NFS4ERR_STALE;
        meta_inode(mds_of(c)->meta, c->fh.fileid, &file);
        if (!proxy_can_copy(mds_of(c), source, a->source_offset, file, a->offset))
                return NFS4ERR_XDEV;
        OP_RES(c, struct clone_res)->sharing = true;
        return proxy_copy(c, source, a->source_offset, file, a->offset, a->count, true);
}

static enum nfsstat4 execute(struct compound *c)
{
        struct clone_args *a = OP_ARGS(c, struct clone_args);
        enum nfsstat4 status = io_check_saved(c, &a->source_stateid, OPEN4_SHARE_ACCESS_READ);

        *OP_RES(c, struct clone_res) = (struct clone_res){ 0 };
        if (status == NFS4_OK)
                status = io_check(c, &a->stateid, OPEN4_SHARE_ACCESS_WRITE);
        if (status == NFS4_OK && stateid_is_special(&a->stateid))
                status = delegation_conflict(c, c->fh.fileid, NULL); /* it had no OPEN to wait in */
        if (status == NFS4_OK)
                status = size_refresh(c, c->saved_fh.fileid);
        return status == NFS4_OK ? share(c) : status;
}

static enum nfsstat4 resume(struct compound *c)
{
        enum nfsstat4 status;

        if (OP_RES(c, struct clone_res)->sharing)
                return proxy_result(c);
        status = size_refresh(c, c->saved_fh.fileid);
        return status == NFS4_OK ? share(c) : status;
}

const struct nfs4_op op_clone = {
        .name = "CLONE",
        .flags = OP_NEEDS_FH | OP_NEEDS_SAVED_FH | OP_MUTATES,
        .reply_max = 8,
        .decode = decode,
        .execute = execute,
        .resume = resume,
};
