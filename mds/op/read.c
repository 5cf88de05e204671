/* SPDX-License-Identifier: Apache-2.0 */
/* READ through the MDS, RFC 8881 §18.22.
 *
 * The RFC: any stateid that names an open (or the special ones); short only at end of file, where eof is
 * true. We: the exact size is found first (pnfs/size.h), the data come from the data servers (pnfs/proxy.h).
 * A client that holds the file open for writing only may read if the permissions allow it: clients read
 * before they write part of a page. */
#include "mds/mds.h"
#include "mds/op/io.h"
#include "mds/ops.h"
#include "mds/pnfs/proxy.h"
#include "mds/pnfs/size.h"
#include "nfs4/codec.h"

struct read_args {
        struct stateid stateid;
        uint64_t offset;
        uint32_t count;
};
struct read_res {
        struct buf *buf;
        uint32_t count;
        bool eof, reading;
};

enum { READ_HEAD = 16 };

static void decode(struct compound *c, struct xdr_in *x)
{
        struct read_args *a = OP_ARGS(c, struct read_args);

        get_stateid(x, &a->stateid);
        a->offset = xdr_get_u64(x);
        a->count = xdr_get_u32(x);
}

/* The size is known: how much there is to read, and a buffer for it. */
static enum nfsstat4 start_io(struct compound *c)
{
        const struct read_args *a = OP_ARGS(c, struct read_args);
        struct read_res *r = OP_RES(c, struct read_res);
        const struct inode *file;
        uint32_t room = compound_reply_room(c), count = a->count;

        if (meta_inode(mds_of(c)->meta, c->fh.fileid, &file) < 0)
                return NFS4ERR_STALE;
        room = room > READ_HEAD + 8 ? (room - READ_HEAD - 8) & ~3u : 0;
        if (count > room)
                count = room;
        if (count > IO_MAX)
                count = IO_MAX;
        if (a->offset >= file->size)
                count = 0;
        else if (count > file->size - a->offset)
                count = (uint32_t)(file->size - a->offset);
        r->count = count;
        r->eof = a->offset + count >= file->size;
        if (count == 0)
                return NFS4_OK;
        r->buf = buf_get(c->server->pool, count + 4);
        if (!r->buf)
                return NFS4ERR_DELAY;
        if (!size_has_data(mds_of(c)->sizes, file)) {
                memset(r->buf->data, 0, count); /* a hole: nothing was ever written */
                return NFS4_OK;
        }
        r->reading = true;
        return proxy_read(c, file, a->offset, count, r->buf->data);
}

static enum nfsstat4 resume(struct compound *c)
{
        struct read_res *r = OP_RES(c, struct read_res);
        enum nfsstat4 status;

        if (!r->reading) {
                status = size_refresh(c, c->fh.fileid);
                return status == NFS4_OK ? start_io(c) : status;
        }
        status = proxy_result(c);
        if (status != NFS4_OK) {
                buf_unref(r->buf);
                r->buf = NULL;
        }
        return status;
}

static enum nfsstat4 execute(struct compound *c)
{
        struct read_args *a = OP_ARGS(c, struct read_args);
        enum nfsstat4 status;

        *OP_RES(c, struct read_res) = (struct read_res){ 0 };
        status = io_check(c, &a->stateid, OPEN4_SHARE_ACCESS_READ);
        if (status == NFS4_OK)
                status = size_refresh(c, c->fh.fileid);
        return status == NFS4_OK ? start_io(c) : status;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct read_res *r = OP_RES(c, struct read_res);

        (void)status;
        xdr_put_bool(x, r->eof);
        xdr_put_u32(x, r->count);
        if (r->buf)
                xdr_put_ref(x, r->buf, r->buf->data, r->count);
}

const struct nfs4_op op_read = {
        .name = "READ",
        .flags = OP_NEEDS_FH,
        .reply_max = READ_HEAD + 4,
        .decode = decode,
        .execute = execute,
        .resume = resume,
        .encode = encode,
};
