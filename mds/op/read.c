/* SPDX-License-Identifier: Apache-2.0 */
/* READ through the MDS, RFC 8881 §18.22, and READ_PLUS, RFC 7862 §15.10.
 *
 * The RFC: any stateid that names an open (or the special ones); short only at end of file, where eof is
 * true. We: the exact size is found first (pnfs/size.h), the data come from the data servers (pnfs/proxy.h).
 * A client that holds the file open for writing only may read if the permissions allow it: clients read
 * before they write part of a page.
 *
 * READ_PLUS leaves out zeros where the server knows of a hole. We: say of a hole that begins where the read
 * does how far it goes (pnfs/space.h), and give the rest as data, whatever holes are in it; the client asks
 * again from where that ends. */
#include "mds/mds.h"
#include "mds/op/io.h"
#include "mds/ops.h"
#include "mds/pnfs/proxy.h"
#include "mds/pnfs/size.h"
#include "mds/pnfs/space.h"
#include "nfs4/codec.h"

struct read_args {
        struct stateid stateid;
        uint64_t offset;
        uint32_t count;
};
struct read_res {
        enum { SIZING, SEEKING, READING } step;
        struct buf *buf;
        uint32_t hole, count; /* bytes: a hole (READ_PLUS), then data */
        bool eof;
};

enum { READ_HEAD = 16, READ_PLUS_HEAD = 16 + 20 + 16 };

static void decode(struct compound *c, struct xdr_in *x)
{
        struct read_args *a = OP_ARGS(c, struct read_args);

        get_stateid(x, &a->stateid);
        a->offset = xdr_get_u64(x);
        a->count = xdr_get_u32(x);
}

/* How many bytes of what is asked for lie in FILE and fit the reply. */
static uint32_t extent(const struct compound *c, const struct inode *file)
{
        const struct read_args *a = OP_ARGS(c, struct read_args);
        uint32_t room = compound_reply_room(c), head = c->opnum == OP_READ ? READ_HEAD : READ_PLUS_HEAD;
        uint32_t count = a->count < IO_MAX ? a->count : IO_MAX;

        room = room > head + 8 ? (room - head - 8) & ~3u : 0;
        if (count > room)
                count = room;
        if (a->offset >= file->size)
                return 0;
        return count < file->size - a->offset ? count : (uint32_t)(file->size - a->offset);
}

/* An error takes no data along. */
static enum nfsstat4 with_data(struct read_res *r, enum nfsstat4 status)
{
        if (status != NFS4_OK && status != NFS4_WAIT) {
                buf_unref(r->buf);
                r->buf = NULL;
        }
        return status;
}

/* Where the hole at the front ends is known, which may be at once: a buffer for what follows it. */
static enum nfsstat4 start_io(struct compound *c, const struct inode *file)
{
        const struct read_args *a = OP_ARGS(c, struct read_args);
        struct read_res *r = OP_RES(c, struct read_res);
        uint32_t count = extent(c, file);

        r->eof = a->offset + count >= file->size;
        if (r->hole > count)
                r->hole = count;
        r->count = count - r->hole;
        if (r->count == 0)
                return NFS4_OK;
        r->buf = buf_get(c->server->pool, r->count + 4);
        if (!r->buf)
                return NFS4ERR_DELAY;
        if (!size_has_data(mds_of(c)->sizes, file)) {
                memset(r->buf->data, 0, r->count); /* a hole: nothing was ever written */
                return NFS4_OK;
        }
        r->step = READING;
        return with_data(r, proxy_read(proxy_caller(c), file, a->offset + r->hole, r->count, r->buf->data));
}

/* The size is known. */
static enum nfsstat4 start(struct compound *c)
{
        const struct read_args *a = OP_ARGS(c, struct read_args);
        struct read_res *r = OP_RES(c, struct read_res);
        const struct inode *file;

        if (meta_inode(mds_of(c)->meta, c->fh.fileid, &file) < 0)
                return NFS4ERR_STALE;
        if (c->opnum == OP_READ || extent(c, file) == 0 || file->flags & INODE_COLD)
                return start_io(c, file);
        if (!size_has_data(mds_of(c)->sizes, file)) {
                r->hole = UINT32_MAX;
                return start_io(c, file);
        }
        r->step = SEEKING;
        return space_seek(c, file, a->offset, false);
}

static enum nfsstat4 have_place(struct compound *c)
{
        const struct read_args *a = OP_ARGS(c, struct read_args);
        struct read_res *r = OP_RES(c, struct read_res);
        const struct inode *file;
        uint64_t place;
        enum nfsstat4 status = space_seek_result(c, &place);

        if (status != NFS4_OK)
                return status;
        if (meta_inode(mds_of(c)->meta, c->fh.fileid, &file) < 0)
                return NFS4ERR_STALE;
        r->hole = place - a->offset < UINT32_MAX ? (uint32_t)(place - a->offset) : UINT32_MAX;
        return start_io(c, file);
}

static enum nfsstat4 resume(struct compound *c)
{
        enum nfsstat4 status;

        switch (OP_RES(c, struct read_res)->step) {
        case SIZING: status = size_refresh(c, c->fh.fileid); return status == NFS4_OK ? start(c) : status;
        case SEEKING: return have_place(c);
        case READING: return with_data(OP_RES(c, struct read_res), proxy_resume(c));
        }
        return NFS4ERR_SERVERFAULT;
}

static enum nfsstat4 execute(struct compound *c)
{
        struct read_args *a = OP_ARGS(c, struct read_args);
        enum nfsstat4 status;

        *OP_RES(c, struct read_res) = (struct read_res){ 0 };
        status = io_check(c, &a->stateid, OPEN4_SHARE_ACCESS_READ);
        if (status == NFS4_OK)
                status = size_refresh(c, c->fh.fileid);
        return status == NFS4_OK ? start(c) : status;
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

static void encode_plus(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct read_args *a = OP_ARGS(c, struct read_args);
        const struct read_res *r = OP_RES(c, struct read_res);

        (void)status;
        xdr_put_bool(x, r->eof);
        xdr_put_u32(x, (r->hole > 0) + (r->count > 0));
        if (r->hole > 0) {
                xdr_put_u32(x, NFS4_CONTENT_HOLE);
                xdr_put_u64(x, a->offset);
                xdr_put_u64(x, r->hole);
        }
        if (r->count > 0) {
                xdr_put_u32(x, NFS4_CONTENT_DATA);
                xdr_put_u64(x, a->offset + r->hole);
                xdr_put_u32(x, r->count);
                xdr_put_ref(x, r->buf, r->buf->data, r->count);
        }
}

const struct nfs4_op op_read_plus = {
        .name = "READ_PLUS",
        .flags = OP_NEEDS_FH,
        .reply_max = READ_PLUS_HEAD + 4,
        .decode = decode,
        .execute = execute,
        .resume = resume,
        .encode = encode_plus,
};
