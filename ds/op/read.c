/* SPDX-License-Identifier: Apache-2.0 */
/* READ at a data server: RFC 8881 §18.22, §13.10.
 *
 * The RFC: returns up to count bytes; eof when the read reaches the end of the file. A component may be
 * shorter than its part of the file; the rest reads as zeros. We: what lies inside the object is answered at
 * once. A read that reaches the object's end, or finds no object, asks the MDS for the file's size first and
 * reads the object after that, so that all that the size counts is seen; bytes below the size that are not in
 * the object are zeros, none is given beyond it, and eof stands exactly there (LINUX-CLIENT: too short and
 * too long both break O_DIRECT; no bytes without eof is EIO). The reply is sent out of the page cache,
 * or out of the buffer that the disk has filled. */
#include "ds/io.h"
#include "ds/mapped.h"
#include "nfs4/codec.h"

#include <ctl.h>

struct read_args {
        struct stateid stateid;
        uint64_t offset;
        uint32_t count;
};
struct read_res {
        struct buf *buf;
        uint32_t length;
        bool eof;
};
enum step { AT_GATE, ASKING, READING };
struct read_wait {
        struct io io; /* first */
        enum step step;
        bool knows_size;      /* ask.size is the file's */
        uint32_t count;       /* asked for, cut to what a reply can hold */
        uint32_t at_once;     /* bytes that the page cache had */
        struct ticket ticket; /* of the disk's read */
        struct disk_req disk;
        struct eof_ask ask;
};

enum { RESULT_BYTES = 20 /* opnum, status, eof, length, padding */ };

static void decode(struct compound *c, struct xdr_in *x)
{
        struct read_args *a = OP_ARGS(c, struct read_args);

        get_stateid(x, &a->stateid);
        a->offset = xdr_get_u64(x);
        a->count = xdr_get_u32(x);
}

static uint64_t object_offset(const struct compound *c)
{
        return stripe_object_offset(io_stripe(&c->fh), OP_ARGS(c, struct read_args)->offset);
}

static enum nfsstat4 finish(struct compound *c, enum nfsstat4 status)
{
        struct read_wait *w = OP_WAIT(c, struct read_wait);
        struct read_res *r = OP_RES(c, struct read_res);

        if (status != NFS4_OK) {
                buf_unref(r->buf);
                r->buf = NULL;
        } else {
                metric_add(&w->io.worker->counts.read_bytes, r->length);
        }
        return io_end(&w->io, status);
}

static void on_disk(struct disk_req *disk)
{
        struct read_wait *w = CONTAINER(disk, struct read_wait, disk);

        inflight_end(&w->io.worker->reads, &w->ticket);
        compound_wake(w->io.compound);
}

static void on_eof(struct eof_ask *ask)
{
        compound_wake(CONTAINER(ask, struct read_wait, ask)->io.compound);
}

static enum nfsstat4 start_asking(struct compound *c, struct read_wait *w)
{
        w->step = ASKING;
        w->ask = (struct eof_ask){ .fileid = c->fh.fileid, .generation = c->fh.generation, .done = on_eof };
        eof_ask(w->io.worker, &w->ask);
        return NFS4_WAIT;
}

/* A reply that is kept for a replay is copied by us, and what is mapped is not ours to look at. */
static bool map(struct compound *c, struct read_wait *w, uint32_t length)
{
        struct read_res *r = OP_RES(c, struct read_res);

        if (r->buf || length == 0 || w->io.object->fd < 0 || c->cache_this)
                return false;
        r->buf = mapped_read(w->io.worker, w->io.object, length, object_offset(c));
        return r->buf != NULL;
}

/* Read LENGTH bytes into a buffer; NFS4_OK: all that there is to read has been. */
static enum nfsstat4 start_reading(struct compound *c, struct read_wait *w, uint32_t length)
{
        struct read_res *r = OP_RES(c, struct read_res);
        uint64_t offset = object_offset(c);

        r->length = length;
        w->disk.result = 0;
        w->at_once = length;
        if (map(c, w, length))
                return NFS4_OK;
        if (!r->buf && length > 0) {
                r->buf = buf_get(w->io.worker->pool, length);
                if (!r->buf)
                        return io_starve(&w->io);
        }
        w->step = READING;
        w->at_once = 0;
        if (w->io.object->fd < 0 || length == 0)
                return NFS4_OK;
        w->at_once = disk_read_now(w->io.worker->disk, w->io.object->fd, r->buf->data, length, offset);
        if (w->at_once == length)
                return NFS4_OK;
        w->disk = (struct disk_req){ .op = DISK_READ,
                                     .fd = w->io.object->fd,
                                     .data = r->buf->data + w->at_once,
                                     .length = length - w->at_once,
                                     .offset = offset + w->at_once,
                                     .done = on_disk };
        inflight_begin(&w->io.worker->reads, &w->ticket, &c->fh);
        disk_submit(w->io.worker->disk, &w->disk);
        return NFS4_WAIT;
}

/* Is all that is asked for inside the object, and something behind it too? */
static bool is_inside(const struct compound *c, const struct read_wait *w)
{
        struct object *o = w->io.object;
        uint64_t end = object_offset(c) + w->count, allocated, mtime;

        if (o->fd < 0)
                return false;
        if (end < o->size)
                return true;
        return object_stat(o, &allocated, &mtime) == 0 && end < o->size; /* another worker may have written */
}

/* The disk has answered (or did not have to). */
static enum nfsstat4 have_data(struct compound *c, struct read_wait *w)
{
        const struct read_args *a = OP_ARGS(c, struct read_args);
        struct read_res *r = OP_RES(c, struct read_res);
        uint32_t got = w->at_once + (w->disk.result > 0 ? (uint32_t)w->disk.result : 0);

        if (w->disk.result < 0)
                return finish(c, io_disk_error(&w->io, (int)w->disk.result, false));
        if (got < r->length && !w->knows_size)
                return start_asking(c, w); /* it was cut just now */
        if (got < r->length)
                memset(r->buf->data + got, 0, r->length - got);
        r->eof = w->knows_size && a->offset + r->length >= w->ask.size;
        return finish(c, NFS4_OK);
}

static enum nfsstat4 read_object(struct compound *c, struct read_wait *w, uint32_t length)
{
        enum nfsstat4 status = start_reading(c, w, length);

        return status == NFS4_OK ? have_data(c, w) : status;
}

/* As long as the file, at most. */
static uint32_t cut_at_end(const struct compound *c, const struct read_wait *w)
{
        const struct read_args *a = OP_ARGS(c, struct read_args);

        if (a->offset >= w->ask.size)
                return 0;
        return w->ask.size - a->offset < w->count ? (uint32_t)(w->ask.size - a->offset) : w->count;
}

static enum nfsstat4 at_gate(struct compound *c, struct read_wait *w)
{
        enum nfsstat4 status = io_gate(&w->io, OP_ARGS(c, struct read_args)->offset, w->count, IO_READ);

        if (status == NFS4_WAIT)
                return status;
        if (status != NFS4_OK)
                return finish(c, status);
        if (w->knows_size)
                return read_object(c, w, cut_at_end(c, w));
        if (!is_inside(c, w))
                return start_asking(c, w);
        return read_object(c, w, w->count);
}

static enum nfsstat4 have_size(struct compound *c, struct read_wait *w)
{
        switch (w->ask.status) {
        case CTL_OK: break;
        case CTL_NOENT: return finish(c, NFS4ERR_STALE);
        default: /* nobody knows it now: the MDS has the last word on such a READ */
                return finish(c, NFS4ERR_BAD_STATEID);
        }
        w->knows_size = true;
        w->step = AT_GATE;
        io_look_again(&w->io); /* what was written before the MDS counted must be seen */
        return at_gate(c, w);
}

static enum nfsstat4 execute(struct compound *c)
{
        const struct read_args *a = OP_ARGS(c, struct read_args);
        struct read_wait *w = OP_WAIT(c, struct read_wait);
        struct read_res *r = OP_RES(c, struct read_res);
        uint32_t room = compound_reply_room(c);
        enum nfsstat4 status = io_begin(c, &w->io, &a->stateid);

        *r = (struct read_res){ 0 };
        if (status != NFS4_OK)
                return status;
        w->step = AT_GATE;
        w->knows_size = false;
        w->count = a->count < IO_MAX ? a->count : IO_MAX;
        room = room > RESULT_BYTES ? room - RESULT_BYTES : 0;
        if (w->count > room)
                w->count = room;
        if (a->offset > INT64_MAX - IO_MAX) { /* no file is so long */
                r->eof = true;
                return finish(c, NFS4_OK);
        }
        return at_gate(c, w);
}

static enum nfsstat4 resume(struct compound *c)
{
        struct read_wait *w = OP_WAIT(c, struct read_wait);

        switch (w->step) {
        case AT_GATE: return at_gate(c, w);
        case ASKING: return have_size(c, w);
        case READING: return have_data(c, w);
        }
        return NFS4ERR_SERVERFAULT;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        struct read_res *r = OP_RES(c, struct read_res);

        (void)status;
        xdr_put_bool(x, r->eof);
        xdr_put_u32(x, r->length);
        if (r->length > 0)
                xdr_put_ref(x, r->buf, r->buf->data, r->length);
        else
                buf_unref(r->buf);
        r->buf = NULL;
}

const struct nfs4_op ds_op_read = {
        .name = "READ",
        .flags = OP_NEEDS_FH,
        .reply_max = RESULT_BYTES,
        .decode = decode,
        .execute = execute,
        .resume = resume,
        .encode = encode,
};
