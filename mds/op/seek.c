/* SPDX-License-Identifier: Apache-2.0 */
/* SEEK, RFC 7862 §15.11.
 *
 * The RFC: the next data or the next hole at an offset or after it; every file ends with a hole; sr_eof when
 * nothing of the kind comes before the end; an offset beyond the end is NXIO. We: the exact size is found
 * first, then each data server looks into its object, and the first place of all is the answer. A file that
 * is not here as a whole (mds/tier/tier.h) is all data. With sr_eof the offset is the size. An offset that is
 * the size is NXIO too, as lseek(2) has it. */
#include "mds/op/io.h"
#include "mds/ops.h"
#include "mds/pnfs/size.h"
#include "mds/pnfs/space.h"
#include "nfs4/codec.h"

struct seek_args {
        struct stateid stateid;
        uint64_t offset;
        uint32_t what;
};
struct seek_res {
        bool seeking;
        bool eof;
        uint64_t offset;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct seek_args *a = OP_ARGS(c, struct seek_args);

        get_stateid(x, &a->stateid);
        a->offset = xdr_get_u64(x);
        a->what = xdr_get_u32(x);
        if (a->what > NFS4_CONTENT_HOLE)
                c->decode_status = NFS4ERR_UNION_NOTSUPP;
}

/* PLACE is where the data servers have it; beyond the end of FILE there is nothing but its last hole. */
static enum nfsstat4 found(struct compound *c, const struct inode *file, uint64_t place)
{
        struct seek_res *r = OP_RES(c, struct seek_res);

        r->eof = place >= file->size;
        r->offset = r->eof ? file->size : place;
        return NFS4_OK;
}

/* The size is known. */
static enum nfsstat4 seek(struct compound *c)
{
        const struct seek_args *a = OP_ARGS(c, struct seek_args);
        const struct inode *file;
        bool hole = a->what == NFS4_CONTENT_HOLE;

        if (meta_inode(mds_of(c)->meta, c->fh.fileid, &file) < 0)
                return NFS4ERR_STALE;
        if (a->offset >= file->size)
                return NFS4ERR_NXIO;
        if (file->flags & INODE_COLD) /* all data: what is not here yet is no hole */
                return found(c, file, hole ? UINT64_MAX : a->offset);
        if (!size_has_data(mds_of(c)->sizes, file))
                return found(c, file, hole ? a->offset : UINT64_MAX);
        OP_RES(c, struct seek_res)->seeking = true;
        return space_seek(c, file, a->offset, hole);
}

static enum nfsstat4 execute(struct compound *c)
{
        struct seek_args *a = OP_ARGS(c, struct seek_args);
        enum nfsstat4 status = io_check(c, &a->stateid, OPEN4_SHARE_ACCESS_READ);

        *OP_RES(c, struct seek_res) = (struct seek_res){ 0 };
        if (status == NFS4_OK)
                status = size_refresh(c, c->fh.fileid);
        return status == NFS4_OK ? seek(c) : status;
}

static enum nfsstat4 resume(struct compound *c)
{
        const struct inode *file;
        enum nfsstat4 status;
        uint64_t place;

        if (!OP_RES(c, struct seek_res)->seeking) {
                status = size_refresh(c, c->fh.fileid);
                return status == NFS4_OK ? seek(c) : status;
        }
        status = space_seek_result(c, &place);
        if (status != NFS4_OK)
                return status;
        if (meta_inode(mds_of(c)->meta, c->fh.fileid, &file) < 0)
                return NFS4ERR_STALE;
        return found(c, file, place);
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct seek_res *r = OP_RES(c, struct seek_res);

        (void)status;
        xdr_put_bool(x, r->eof);
        xdr_put_u64(x, r->offset);
}

const struct nfs4_op op_seek = {
        .name = "SEEK",
        .flags = OP_NEEDS_FH,
        .reply_max = 20,
        .decode = decode,
        .execute = execute,
        .resume = resume,
        .encode = encode,
};
