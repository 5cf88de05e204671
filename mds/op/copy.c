/* SPDX-License-Identifier: Apache-2.0 */
/* COPY, RFC 7862 §15.2.
 *
 * The RFC: the saved file's range goes into the current file, by the server; a count of 0 means to the end; a
 * range that reaches beyond the end of the source is INVAL; the server may answer at once (cr_synchronous),
 * also when it was asked not to, and may then have copied less than asked. We: always answer at once, after
 * half a second or when all is copied, and what is answered is FILE_SYNC; the client goes on from there.
 * Where the units of both ranges lie on the same data servers each of them copies what it has (ds/op/copy.c);
 * else the bytes are read from and written to data servers through us (pnfs/proxy.h), by the same rules as
 * READ and WRITE. After an error what came before it counts. Nothing is copied between servers of different
 * clusters: a source server is NOTSUPP, as are COPY_NOTIFY and the operations for copies that go on in the
 * background, of which there are none. */
#include "mds/op/copy.h"

#include "mds/op/io.h"
#include "mds/ops.h"
#include "mds/pnfs/proxy.h"
#include "mds/pnfs/size.h"
#include "nfs4/codec.h"

enum { NL4_NETADDR = 3, SOURCE_SERVERS_MAX = 64, COPY_TIME_MS = 500 };
enum { AT_ONCE = 16 << 20 /* bytes that one data server copies at a time */ };

struct copy_args {
        struct copy_range range;
        bool consecutive, synchronous;
        uint32_t source_servers;
};
struct copy_res {
        enum { SIZING, READING, WRITING, COPYING } step;
        uint64_t done;
        uint64_t until_ns;
        uint64_t piece; /* bytes under way */
        struct buf *buf;
};

/* --- the range */

void get_copy_range(struct xdr_in *x, struct copy_range *ret)
{
        get_stateid(x, &ret->source_stateid);
        get_stateid(x, &ret->stateid);
        ret->source_offset = xdr_get_u64(x);
        ret->offset = xdr_get_u64(x);
        ret->count = xdr_get_u64(x);
}

enum nfsstat4 copy_permitted(struct compound *c, struct copy_range *r)
{
        enum nfsstat4 status = io_check_saved(c, &r->source_stateid, OPEN4_SHARE_ACCESS_READ);

        return status == NFS4_OK ? io_check_write(c, &r->stateid) : status;
}

enum nfsstat4 copy_range_check(const struct compound *c, struct copy_range *r, const struct inode *source)
{
        uint64_t distance;

        if (r->source_offset > source->size || r->count > source->size - r->source_offset)
                return NFS4ERR_INVAL;
        if (r->count == 0)
                r->count = source->size - r->source_offset;
        if (r->offset > MAX_FILE_SIZE || r->count > MAX_FILE_SIZE - r->offset)
                return NFS4ERR_FBIG;
        distance = r->offset > r->source_offset ? r->offset - r->source_offset : r->source_offset - r->offset;
        return c->fh.fileid == c->saved_fh.fileid && distance < r->count ? NFS4ERR_INVAL : NFS4_OK;
}

enum nfsstat4 copy_files(struct compound *c, const struct inode **ret_source, const struct inode **ret_file)
{
        struct meta *meta = mds_of(c)->meta;
        enum nfsstat4 status;

        if (meta_inode(meta, c->fh.fileid, ret_file) < 0)
                return NFS4ERR_STALE;
        status = io_mark_data(c, *ret_file);
        if (status != NFS4_OK)
                return status;
        if (meta_inode(meta, c->saved_fh.fileid, ret_source) < 0)
                return NFS4ERR_STALE;
        return meta_inode(meta, c->fh.fileid, ret_file) < 0 ? NFS4ERR_STALE : NFS4_OK;
}

static void skip_netloc(struct xdr_in *x)
{
        uint32_t type = xdr_get_u32(x);

        if (type < 1 || type > NL4_NETADDR)
                x->bad = true;
        xdr_get_opaque(x, UINT32_MAX);
        if (type == NL4_NETADDR)
                xdr_get_opaque(x, UINT32_MAX);
}

static void decode(struct compound *c, struct xdr_in *x)
{
        struct copy_args *a = OP_ARGS(c, struct copy_args);

        get_copy_range(x, &a->range);
        a->consecutive = xdr_get_bool(x);
        a->synchronous = xdr_get_bool(x);
        a->source_servers = xdr_get_u32(x);
        if (a->source_servers > SOURCE_SERVERS_MAX)
                x->bad = true;
        for (uint32_t i = 0; i < a->source_servers && !x->bad; i++)
                skip_netloc(x);
}

/* --- pieces */

static enum nfsstat4 finish(struct copy_res *r, enum nfsstat4 status)
{
        buf_unref(r->buf);
        r->buf = NULL;
        return r->done > 0 ? NFS4_OK : status;
}

/* The data servers have both; or the piece goes through us. */
static enum nfsstat4 start_piece(struct compound *c, const struct inode *source, const struct inode *file)
{
        const struct copy_range *range = &OP_ARGS(c, struct copy_args)->range;
        struct copy_res *r = OP_RES(c, struct copy_res);
        uint64_t from = range->source_offset + r->done, to = range->offset + r->done,
                 left = range->count - r->done;

        if (proxy_can_copy(mds_of(c), source, from, file, to)) {
                r->step = COPYING;
                r->piece = (uint64_t)AT_ONCE * file->width;
                if (r->piece > left)
                        r->piece = left;
                return proxy_copy(c, source, from, file, to, r->piece, false);
        }
        if (!r->buf)
                r->buf = buf_get(c->server->pool, IO_MAX);
        if (!r->buf)
                return NFS4ERR_DELAY;
        r->step = READING;
        r->piece = left < IO_MAX ? left : IO_MAX;
        return proxy_read(c, source, from, (uint32_t)r->piece, r->buf->data);
}

/* Go on, or be content with what is done. */
static enum nfsstat4 next_piece(struct compound *c)
{
        struct copy_res *r = OP_RES(c, struct copy_res);
        const struct inode *source, *file;
        enum nfsstat4 status;

        if (r->done == OP_ARGS(c, struct copy_args)->range.count ||
            (r->done > 0 && env_now(compound_env(c)) >= r->until_ns))
                return finish(r, NFS4_OK);
        status = copy_files(c, &source, &file);
        if (status == NFS4_OK)
                status = start_piece(c, source, file);
        return status == NFS4_WAIT ? status : finish(r, status);
}

/* What was read is written. */
static enum nfsstat4 write_piece(struct compound *c)
{
        const struct copy_args *a = OP_ARGS(c, struct copy_args);
        struct copy_res *r = OP_RES(c, struct copy_res);
        const struct inode *file;
        enum nfsstat4 status;

        if (meta_inode(mds_of(c)->meta, c->fh.fileid, &file) < 0)
                return finish(r, NFS4ERR_STALE);
        r->step = WRITING;
        status = proxy_write(c, file, a->range.offset + r->done, slice_of(r->buf->data, (uint32_t)r->piece),
                             r->buf);
        return status == NFS4_WAIT ? status : finish(r, status);
}

/* The size of the source is known. */
static enum nfsstat4 start(struct compound *c)
{
        struct copy_args *a = OP_ARGS(c, struct copy_args);
        const struct inode *source;
        enum nfsstat4 status;

        if (meta_inode(mds_of(c)->meta, c->saved_fh.fileid, &source) < 0)
                return NFS4ERR_STALE;
        status = copy_range_check(c, &a->range, source);
        if (status != NFS4_OK || a->range.count == 0)
                return status;
        OP_RES(c, struct copy_res)->until_ns = env_now(compound_env(c)) + COPY_TIME_MS * 1000000ull;
        return next_piece(c);
}

static enum nfsstat4 execute(struct compound *c)
{
        struct copy_args *a = OP_ARGS(c, struct copy_args);
        enum nfsstat4 status = a->source_servers > 0 ? NFS4ERR_NOTSUPP : copy_permitted(c, &a->range);

        *OP_RES(c, struct copy_res) = (struct copy_res){ .step = SIZING };
        if (status == NFS4_OK)
                status = size_refresh(c, c->saved_fh.fileid);
        return status == NFS4_OK ? start(c) : status;
}

static enum nfsstat4 resume(struct compound *c)
{
        struct copy_res *r = OP_RES(c, struct copy_res);
        enum nfsstat4 status = r->step == SIZING ? size_refresh(c, c->saved_fh.fileid) : proxy_result(c);

        if (r->step == SIZING)
                return status == NFS4_OK ? start(c) : status;
        if (status != NFS4_OK)
                return finish(r, status);
        if (r->step == READING)
                return write_piece(c);
        r->done += r->piece;
        return next_piece(c);
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        (void)status;
        xdr_put_u32(x, 0); /* no callback: it is done */
        xdr_put_u64(x, OP_RES(c, struct copy_res)->done);
        xdr_put_u32(x, FILE_SYNC4);
        xdr_put_fixed(x, c->server->write_verifier, NFS4_VERIFIER_SIZE);
        xdr_put_bool(x, true); /* consecutive */
        xdr_put_bool(x, true); /* synchronous */
}

const struct nfs4_op op_copy = {
        .name = "COPY",
        .flags = OP_NEEDS_FH | OP_NEEDS_SAVED_FH | OP_MUTATES,
        .reply_max = 40,
        .decode = decode,
        .execute = execute,
        .resume = resume,
        .encode = encode,
};
