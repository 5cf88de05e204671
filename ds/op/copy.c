/* SPDX-License-Identifier: Apache-2.0 */
/* COPY and CLONE at a data server, RFC 7862 §15.2 and §15.13: how the MDS has the bytes of its clients' COPY
 * and CLONE moved where they lie. For the MDS's own handles only; a client is told NOTSUPP (RFC 8881 §13.6).
 *
 * The range is one of the files, as always; what is copied is this server's part of it, from one object into
 * the other, which must fit: the MDS asks only when the units of both ranges lie on the same servers. Where
 * the source object has nothing there is nothing in the target either, so zeros are read. Like a FILE_SYNC
 * WRITE it is answered when data, name, size and mtime are durable, here and at the MDS. CLONE shares blocks,
 * or is NOTSUPP: a copy is not what was asked for. */
#include <errno.h>

#include "ds/io.h"
#include "ds/space.h"
#include "nfs4/codec.h"
#include "nfs4/ops.h"

struct copy_args {
        uint64_t from_offset, offset, count;
};
enum step { AT_GATE, MOVING, PUNCHING, SYNCING, PUSHING };
struct copy_wait {
        struct io from, to;
        enum step step;
        uint64_t begin, end; /* in the target object */
        uint64_t reached;    /* in it; behind that the source has nothing */
        struct ticket ticket, from_ticket;
        struct disk_req disk;
        struct io_sync sync;
        struct io_push push;
};

static void decode_copy(struct compound *c, struct xdr_in *x)
{
        struct copy_args *a = OP_ARGS(c, struct copy_args);
        struct stateid ignored;

        get_stateid(x, &ignored);
        get_stateid(x, &ignored);
        a->from_offset = xdr_get_u64(x);
        a->offset = xdr_get_u64(x);
        a->count = xdr_get_u64(x);
        if (c->opnum == OP_CLONE)
                return;
        xdr_get_bool(x);
        xdr_get_bool(x);
        if (xdr_get_u32(x) != 0)
                x->bad = true; /* the MDS names no source servers */
}

static enum nfsstat4 finish(struct copy_wait *w, enum nfsstat4 status)
{
        io_end(&w->from, status);
        return io_end(&w->to, status);
}

static enum nfsstat4 failed(struct copy_wait *w, int error, bool data_lost)
{
        if (error == -EOPNOTSUPP || error == -ENOTTY || error == -EXDEV)
                return finish(w, NFS4ERR_NOTSUPP);
        return finish(w, error == -EINVAL ? NFS4ERR_INVAL : io_disk_error(&w->to, error, data_lost));
}

/* --- durable here, then at the MDS */

static enum nfsstat4 start_pushing(struct copy_wait *w)
{
        w->step = PUSHING;
        return io_push(&w->to, &w->push, w->end);
}

static enum nfsstat4 start_syncing(struct copy_wait *w)
{
        w->step = SYNCING;
        return io_sync(&w->to, &w->sync);
}

/* --- the bytes */

static void on_disk(struct disk_req *disk)
{
        struct copy_wait *w = CONTAINER(disk, struct copy_wait, disk);

        inflight_end(&w->to.worker->inflight, &w->ticket);
        inflight_end(&w->from.worker->reads, &w->from_ticket);
        compound_wake(w->to.compound);
}

static enum nfsstat4 submit(struct compound *c, struct copy_wait *w, enum step step)
{
        w->step = step;
        w->disk.done = on_disk;
        inflight_begin(&w->to.worker->inflight, &w->ticket, &c->fh);
        inflight_begin(&w->from.worker->reads, &w->from_ticket, &c->saved_fh);
        disk_submit(w->to.worker->disk, &w->disk);
        return NFS4_WAIT;
}

/* Up to w->reached it is there; what the target has behind that, up to the end of the range, goes. */
static enum nfsstat4 have_moved(struct compound *c, struct copy_wait *w)
{
        uint64_t allocated, mtime;

        if (w->disk.result < 0)
                return failed(w, (int)w->disk.result, false);
        w->reached = w->begin + (uint64_t)w->disk.result;
        if (w->disk.result > 0)
                object_written(w->to.object, w->reached);
        if (w->reached < w->end && object_stat(w->to.object, &allocated, &mtime) == 0 &&
            w->reached < w->to.object->size) {
                w->disk = (struct disk_req){ .op = DISK_PUNCH,
                                             .fd = w->to.object->fd,
                                             .offset = w->reached,
                                             .span = w->end - w->reached };
                return submit(c, w, PUNCHING);
        }
        return start_syncing(w);
}

static enum nfsstat4 move(struct compound *c, struct copy_wait *w, uint64_t from)
{
        w->disk = (struct disk_req){ .op = c->opnum == OP_CLONE ? DISK_CLONE : DISK_COPY,
                                     .fd = w->to.object->fd,
                                     .from_fd = w->from.object->fd,
                                     .from_offset = from,
                                     .offset = w->begin,
                                     .span = w->end - w->begin };
        if (w->disk.from_fd >= 0)
                return submit(c, w, MOVING);
        w->disk.result = 0; /* there is no source object */
        return have_moved(c, w);
}

static enum nfsstat4 gates(struct copy_wait *w)
{
        enum nfsstat4 status = io_gate(&w->from, 0, 0, IO_READ);

        if (status != NFS4_OK)
                return status;
        status = io_gate(&w->to, 0, 0, IO_WRITE);
        if (status == NFS4_WAIT)
                io_let_go(&w->from);
        return status;
}

/* CLONE takes no room and no time. */
static enum nfsstat4 may_copy(const struct copy_wait *w, uint64_t bytes)
{
        if (bytes > CTL_COPY_MAX)
                return NFS4ERR_INVAL; /* it would hold up who waits for this object */
        return space_take_beyond(w->to.worker, w->to.object->size, w->begin, w->end) ? NFS4_OK
                                                                                     : NFS4ERR_NOSPC;
}

static enum nfsstat4 at_gate(struct compound *c, struct copy_wait *w)
{
        const struct copy_args *a = OP_ARGS(c, struct copy_args);
        struct stripe from = io_stripe(&c->saved_fh), to = io_stripe(&c->fh);
        enum nfsstat4 status = gates(w);
        uint64_t begin, end;

        if (status == NFS4_WAIT)
                return status;
        if (status != NFS4_OK)
                return finish(w, status);
        begin = stripe_object_size(from, w->from.index, a->from_offset);
        end = stripe_object_size(from, w->from.index, a->from_offset + a->count);
        w->begin = stripe_object_size(to, w->to.index, a->offset);
        w->end = stripe_object_size(to, w->to.index, a->offset + a->count);
        if (end - begin != w->end - w->begin)
                return finish(w, NFS4ERR_INVAL);
        if (w->from.object == w->to.object && begin < w->end && w->begin < end)
                return finish(w, NFS4ERR_INVAL); /* it would copy what it has just written, without end */
        status = c->opnum == OP_COPY ? may_copy(w, end - begin) : NFS4_OK;
        if (status != NFS4_OK)
                return finish(w, status);
        return begin == end ? finish(w, NFS4_OK) : move(c, w, begin);
}

static enum nfsstat4 check(struct compound *c)
{
        const struct copy_args *a = OP_ARGS(c, struct copy_args);

        if (c->fh.kind != FH_DS || c->saved_fh.kind != FH_DS || !(c->fh.flags & FH_PROXY) ||
            !(c->saved_fh.flags & FH_PROXY))
                return NFS4ERR_NOTSUPP;
        if ((c->fh.flags | c->saved_fh.flags) & FH_TIERED)
                return NFS4ERR_NOTSUPP; /* what is copied may not be here: it is read and written */
        if (a->count > INT64_MAX || a->offset > INT64_MAX - a->count || a->from_offset > INT64_MAX - a->count)
                return NFS4ERR_INVAL;
        return NFS4_OK;
}

static enum nfsstat4 execute(struct compound *c)
{
        struct copy_wait *w = OP_WAIT(c, struct copy_wait);
        enum nfsstat4 status = check(c);

        if (status == NFS4_OK)
                status = io_begin(c, &w->from, NULL);
        if (status != NFS4_OK)
                return status;
        w->from.fh = &c->saved_fh;
        status = io_begin(c, &w->to, NULL);
        if (status != NFS4_OK)
                return io_end(&w->from, status);
        w->step = AT_GATE;
        return at_gate(c, w);
}

static enum nfsstat4 have_synced(struct copy_wait *w)
{
        return w->sync.error ? failed(w, w->sync.error, true) : start_pushing(w);
}

static enum nfsstat4 resume(struct compound *c)
{
        struct copy_wait *w = OP_WAIT(c, struct copy_wait);

        switch (w->step) {
        case AT_GATE: return at_gate(c, w);
        case MOVING: return have_moved(c, w);
        case PUNCHING: return w->disk.result < 0 ? failed(w, (int)w->disk.result, false) : start_syncing(w);
        case SYNCING: return have_synced(w);
        case PUSHING: return finish(w, io_told(w->push.push.status));
        }
        return NFS4ERR_SERVERFAULT;
}

static void encode_copy(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        uint64_t verifier = atomic_load(&worker_of(c)->ds->write_verifier);

        (void)status;
        xdr_put_u32(x, 0);
        xdr_put_u64(x, OP_ARGS(c, struct copy_args)->count);
        xdr_put_u32(x, FILE_SYNC4);
        xdr_put_fixed(x, &verifier, NFS4_VERIFIER_SIZE);
        xdr_put_bool(x, true);
        xdr_put_bool(x, true);
}

const struct nfs4_op ds_op_copy = {
        .name = "COPY",
        .flags = OP_NEEDS_FH | OP_NEEDS_SAVED_FH | OP_MUTATES,
        .reply_max = 40,
        .decode = decode_copy,
        .execute = execute,
        .resume = resume,
        .encode = encode_copy,
};

const struct nfs4_op ds_op_clone = {
        .name = "CLONE",
        .flags = OP_NEEDS_FH | OP_NEEDS_SAVED_FH | OP_MUTATES,
        .reply_max = 8,
        .decode = decode_copy,
        .execute = execute,
        .resume = resume,
};

/* RFC 8881 §13.6 does not have it: for the MDS's handles too. */
static enum nfsstat4 save(struct compound *c)
{
        return c->fh.kind == FH_DS && c->fh.flags & FH_PROXY ? op_savefh.execute(c) : NFS4ERR_NOTSUPP;
}

const struct nfs4_op ds_op_savefh = {
        .name = "SAVEFH",
        .flags = OP_NEEDS_FH,
        .reply_max = 8,
        .execute = save,
};
