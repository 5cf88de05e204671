/* SPDX-License-Identifier: Apache-2.0 */
/* WRITE at a data server: RFC 8881 §18.32, §13.7.
 *
 * The RFC: what is answered may be more stable than what was asked, never less; the verifier changes when
 * unstable data may have been lost. We answer exactly what was asked (DATA_SYNC4 counts as FILE_SYNC4),
 * because Linux sends neither COMMIT nor LAYOUTCOMMIT after FILE_SYNC4: so that is said only when data, name,
 * size and mtime are durable, here and at the MDS: pushed the first time (most files are written once), and
 * from the second time on by announcing the file as dirty, once, so that the MDS asks; after a crash of its
 * own it asks because of its write-layout record. The MDS's own writes have no such record: always pushed.
 * An unstable write is answered when the kernel has the data and the MDS knows that the file is dirty here
 * (ds/push.h). The verifier is taken when the write begins: if a sync fails meanwhile, COMMIT will answer
 * another one, and a FILE_SYNC4 is refused, since the kernel tells of a lost page once, perhaps in somebody
 * else's sync. The payload goes to the disk from the record in which it came. A handle that was given for
 * reading is refused with ACCESS, which makes the client drop that layout.
 */
#include <errno.h>

#include "ds/io.h"
#include "ds/space.h"
#include "ds/tier/gate.h"
#include "ds/tier/room.h"
#include "nfs4/codec.h"

#include <ctl.h>

struct write_args {
        struct stateid stateid;
        uint64_t offset;
        uint32_t stable;
        struct slice data;
};
struct write_res {
        uint32_t count, committed;
        uint64_t verifier;
};
enum step { AT_GATE, WRITING, SYNCING, PUSHING, GIVING_UP };
struct write_wait {
        struct io io; /* first */
        enum step step;
        uint32_t pending;     /* in WRITING: the disk, and perhaps the announcement; in GIVING_UP: that */
        enum nfsstat4 failed; /* in GIVING_UP: the answer */
        uint64_t roomless_ns; /* it has been waiting for room since then; 0: never */
        int told;             /* what the MDS said to the announcement: a ctl_status, or PUSH_LOST */
        bool quiet;           /* FILE_SYNC4 without a push: the MDS knows that it must ask */
        struct ticket ticket;
        struct disk_req disk;
        struct announce announce;
        struct io_sync sync;
        struct io_push push;
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

static enum nfsstat4 finish(struct compound *c, enum nfsstat4 status)
{
        struct write_wait *w = OP_WAIT(c, struct write_wait);
        struct write_res *r = OP_RES(c, struct write_res);
        const struct write_args *a = OP_ARGS(c, struct write_args);

        r->count = a->data.length;
        r->committed = a->stable == UNSTABLE4 ? UNSTABLE4 : FILE_SYNC4;
        if (status == NFS4_OK)
                metric_add(&w->io.worker->counts.written_bytes, r->count);
        return io_end(&w->io, status);
}

/* --- the data, and in parallel the announcement */

static void step_done(struct write_wait *w)
{
        if (--w->pending == 0)
                compound_wake(w->io.compound);
}

static void on_disk(struct disk_req *disk)
{
        struct write_wait *w = CONTAINER(disk, struct write_wait, disk);

        if (disk->result >= 0)
                object_written(w->io.object, disk->offset + disk->length);
        if (w->io.hold)
                tier_written(&w->io, disk->result >= 0);
        inflight_end(&w->io.worker->inflight, &w->ticket);
        step_done(w);
}

static void on_announced(struct announce *a, int status)
{
        struct write_wait *w = CONTAINER(a, struct write_wait, announce);

        w->told = status;
        step_done(w);
}

static enum nfsstat4 start_writing(struct compound *c, struct write_wait *w)
{
        const struct write_args *a = OP_ARGS(c, struct write_args);

        w->step = WRITING;
        w->pending = 1;
        w->told = CTL_OK;
        OP_RES(c, struct write_res)->verifier = atomic_load(&w->io.worker->ds->write_verifier);
        w->disk = (struct disk_req){ .op = DISK_WRITE,
                                     .fd = w->io.object->fd,
                                     .data = (void *)(uintptr_t)a->data.data,
                                     .length = a->data.length,
                                     .offset = stripe_object_offset(io_stripe(&c->fh), a->offset),
                                     .done = on_disk };
        inflight_begin(&w->io.worker->inflight, &w->ticket, &c->fh);
        disk_submit(w->io.worker->disk, &w->disk);
        w->quiet = a->stable != UNSTABLE4 && w->io.object->pushed && !(c->fh.flags & FH_PROXY);
        w->announce.done = on_announced;
        if (a->stable == UNSTABLE4 || w->quiet) {
                w->pending++; /* it may be answered from inside */
                if (announce(w->io.worker, w->io.object, c->fh.epoch, &w->announce))
                        w->pending--;
        }
        return NFS4_WAIT;
}

/* --- when it fails */

/* There is an object now, perhaps a new one: the MDS must know, or it stays when the file is removed. */
static enum nfsstat4 give_up(struct compound *c, struct write_wait *w, enum nfsstat4 status)
{
        w->step = GIVING_UP;
        w->failed = status;
        w->pending = 1;
        w->announce.done = on_announced;
        return announce(w->io.worker, w->io.object, c->fh.epoch, &w->announce) ? finish(c, status)
                                                                               : NFS4_WAIT;
}

/* From the gate once more when there is room. */
static enum nfsstat4 not_written(struct compound *c, struct write_wait *w, int error)
{
        enum nfsstat4 status = room_wait(&w->io, error, &w->roomless_ns);

        w->step = AT_GATE;
        return status == NFS4_WAIT ? status : give_up(c, w, status);
}

/* --- FILE_SYNC4: durable here, then at the MDS */

static enum nfsstat4 start_pushing(struct write_wait *w)
{
        w->step = PUSHING;
        return io_push(&w->io, &w->push, w->io.object->size);
}

static enum nfsstat4 have_written(struct compound *c, struct write_wait *w)
{
        if (w->disk.result < 0)
                return not_written(c, w, (int)w->disk.result);
        if (OP_ARGS(c, struct write_args)->stable == UNSTABLE4)
                return finish(c, io_told(w->told));
        metric_add(&w->io.worker->counts.sync_writes, 1);
        w->step = SYNCING;
        return io_sync(&w->io, &w->sync);
}

static enum nfsstat4 have_pushed(struct compound *c, struct write_wait *w)
{
        if (w->push.push.status == CTL_OK)
                w->io.object->pushed = true;
        return finish(c, io_told(w->push.push.status));
}

static enum nfsstat4 have_synced(struct compound *c, struct write_wait *w)
{
        if (w->sync.error)
                return give_up(c, w, io_disk_error(&w->io, w->sync.error, true));
        if (OP_RES(c, struct write_res)->verifier != atomic_load(&w->io.worker->ds->write_verifier))
                return finish(c, NFS4ERR_PNFS_NO_LAYOUT);
        return w->quiet ? finish(c, io_told(w->told)) : start_pushing(w);
}

static enum nfsstat4 at_gate(struct compound *c, struct write_wait *w)
{
        const struct write_args *a = OP_ARGS(c, struct write_args);
        uint64_t at = stripe_object_offset(io_stripe(&c->fh), a->offset);
        enum nfsstat4 status = io_gate(&w->io, a->offset, a->data.length, IO_WRITE);

        if (status == NFS4_WAIT)
                return status;
        if (status != NFS4_OK)
                return finish(c, status);
        if (space_take_beyond(w->io.worker, w->io.object->size, at, at + a->data.length))
                return start_writing(c, w);
        if (w->io.hold)
                tier_written(&w->io, false);
        return not_written(c, w, -ENOSPC);
}

static enum nfsstat4 execute(struct compound *c)
{
        const struct write_args *a = OP_ARGS(c, struct write_args);
        struct write_wait *w = OP_WAIT(c, struct write_wait);
        enum nfsstat4 status = io_begin(c, &w->io, &a->stateid);

        if (status != NFS4_OK)
                return status;
        w->step = AT_GATE;
        w->roomless_ns = 0;
        OP_RES(c, struct write_res)->verifier = atomic_load(&w->io.worker->ds->write_verifier);
        if (!(c->fh.flags & FH_WRITE))
                return finish(c, NFS4ERR_ACCESS);
        if (a->offset > INT64_MAX || a->data.length > INT64_MAX - a->offset)
                return finish(c, NFS4ERR_FBIG);
        if (a->data.length == 0)
                return finish(c, NFS4_OK);
        return at_gate(c, w);
}

static enum nfsstat4 resume(struct compound *c)
{
        struct write_wait *w = OP_WAIT(c, struct write_wait);

        switch (w->step) {
        case AT_GATE: return at_gate(c, w);
        case WRITING: return have_written(c, w);
        case SYNCING: return have_synced(c, w);
        case PUSHING: return have_pushed(c, w);
        case GIVING_UP: return finish(c, w->failed);
        }
        return NFS4ERR_SERVERFAULT;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct write_res *r = OP_RES(c, struct write_res);

        (void)status;
        xdr_put_u32(x, r->count);
        xdr_put_u32(x, r->committed);
        xdr_put_fixed(x, &r->verifier, NFS4_VERIFIER_SIZE);
}

const struct nfs4_op ds_op_write = {
        .name = "WRITE",
        .flags = OP_NEEDS_FH | OP_MUTATES,
        .reply_max = 24,
        .decode = decode,
        .execute = execute,
        .resume = resume,
        .encode = encode,
};
