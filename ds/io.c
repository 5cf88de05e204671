/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/io.h"

#include <errno.h>

#include "ds/tier/gate.h"
#include "ds/worker.h"

#include <ctl.h>

enum { NO_ATTEMPT = 1 };

static enum nfsstat4 check_stateid(struct compound *c, const struct stateid *stateid)
{
        struct stateid s = *stateid;
        enum nfsstat4 status;

        if (c->fh.flags & FH_PROXY)
                return NFS4_OK; /* the MDS checked its callers itself */
        status = compound_stateid(c, &s);
        if (status == NFS4_OK && stateid_is_special(&s))
                status = NFS4ERR_BAD_STATEID;
        return status;
}

enum nfsstat4 io_begin(struct compound *c, struct io *io, const struct stateid *stateid)
{
        struct worker *w = worker_of(c);
        enum nfsstat4 status;

        if (c->fh.kind != FH_DS)
                return NFS4ERR_ISDIR; /* PUTROOTFH's */
        status = stateid ? check_stateid(c, stateid) : NFS4_OK;
        if (status != NFS4_OK)
                return status;
        *io = (struct io){ .compound = c, .fh = &c->fh, .worker = w, .open_error = NO_ATTEMPT };
        list_init(&io->node);
        w->busy++;
        return NFS4_OK;
}

enum nfsstat4 io_end(struct io *io, enum nfsstat4 status)
{
        struct worker *w = io->worker;

        if (io->hold)
                tier_hold_free(io);
        if (io->object)
                object_release(io->object);
        io->object = NULL;
        CHECK(w->busy > 0);
        w->busy--;
        worker_note_end(w);
        return status;
}

void io_wake_all(struct list *waiting)
{
        struct list all = LIST_INIT(all);

        list_splice(&all, waiting);
        for (struct list *node; (node = list_pop(&all));)
                compound_wake(CONTAINER(node, struct io, node)->compound);
}

enum nfsstat4 io_starve(struct io *io)
{
        struct worker *w = io->worker;

        list_push(&w->starved, &io->node);
        if (!timer_running(&w->starved_timer)) /* the buffers may be in replies on their way out: nobody tells
                                                  us of those */
                timer_start(w->env, &w->starved_timer, IO_STARVED_RETRY_NS);
        return NFS4_WAIT;
}

void io_let_go(struct io *io)
{
        if (io->object)
                object_release(io->object);
        io->object = NULL;
        io->open_error = NO_ATTEMPT;
}

/* Without trust it waits, and nothing is held meanwhile: when trust comes back everything may be different.
 */
static enum nfsstat4 await_trust(struct io *io)
{
        struct worker *w = io->worker;
        uint64_t now = env_now(w->env);

        if (trust_held(&w->ds->trust, now))
                return NFS4_OK;
        if (w->turned_away)
                return NFS4ERR_DELAY; /* nobody reads it: the connection is closed */
        if (!trust_park(&w->ds->trust, now))
                return NFS4_OK;
        io_let_go(io);
        metric_add(&w->counts.parked, 1);
        list_push(&w->parked, &io->node);
        return NFS4_WAIT;
}

/* RFC 8881 §13.4: what lies in a unit of another server is not ours to answer, in any direction. */
static bool is_own_range(const struct io *io, const struct fh *fh, uint64_t offset, uint64_t length)
{
        struct stripe s = io_stripe(fh);

        return s.width == 1 || length == 0 ||
               (stripe_index(s, offset) == io->index && length <= stripe_unit_left(s, offset));
}

static void opened(struct opener *opener, int error)
{
        struct io *io = CONTAINER(opener, struct io, opener);

        io->open_error = error;
        compound_wake(io->compound);
}

static enum nfsstat4 open_object(struct io *io, const struct fh *fh, bool create)
{
        if (!io->object)
                io->object = object_hold(&io->worker->objects, fh->fileid, fh->generation);
        if (!io->object)
                return NFS4ERR_DELAY; /* out of memory */
        if (io->object->fd >= 0 || (io->open_error == -ENOENT && !create))
                return NFS4_OK;
        if (io->open_error < 0)
                return io_disk_error(io, io->open_error, false);
        io->opener.create = create;
        io->opener.opened = opened;
        return object_open(io->object, &io->opener) == 0 ? NFS4_OK : NFS4_WAIT;
}

enum nfsstat4 io_gate(struct io *io, uint64_t offset, uint64_t length, enum io_kind kind)
{
        struct worker *w = io->worker;
        const struct fh *fh = io->fh;
        enum nfsstat4 status;

        status = await_trust(io);
        if (status != NFS4_OK)
                return status;
        status = kind == IO_COMMIT ? fence_check_commit(&w->fences, fh, &io->index)
                                   : fence_check(&w->fences, fh, &io->index);
        if (status == NFS4_OK && !is_own_range(io, fh, offset, length))
                status = NFS4ERR_PNFS_NO_LAYOUT;
        if (status != NFS4_OK) {
                metric_add(&w->counts.fenced, 1);
                return status;
        }
        status = open_object(io, fh, kind == IO_WRITE);
        if (status == NFS4_OK && kind == IO_WRITE && io->object->cuts > 0) {
                list_push(&io->object->held, &io->node);
                return NFS4_WAIT;
        }
        if (status != NFS4_OK)
                return status;
        return fh->flags & FH_TIERED ? tier_gate(io, offset, length, kind) : tier_outrun(io);
}

void io_look_again(struct io *io)
{
        io->open_error = NO_ATTEMPT;
}

/* --- durability */

static void kept(struct keep *k)
{
        struct io_sync *s = CONTAINER(k, struct io_sync, keep);

        s->error = k->error;
        compound_wake(s->io->compound);
}

/* Which units are here is made durable after what is in them. */
static void sync_step_done(struct io_sync *s, int error)
{
        if (s->error == 0)
                s->error = error;
        if (--s->pending > 0)
                return;
        if (s->keeping && s->error == 0) {
                s->keep.done = kept;
                keep_write(&s->keep);
                return;
        }
        if (s->keeping)
                keep_forget(&s->keep);
        compound_wake(s->io->compound);
}

static void data_synced(struct sync_wait *data, int error)
{
        sync_step_done(CONTAINER(data, struct io_sync, data), error);
}

static void name_synced(struct folder_wait *folder, int error)
{
        sync_step_done(CONTAINER(folder, struct io_sync, folder), error);
}

enum nfsstat4 io_sync(struct io *io, struct io_sync *s)
{
        struct object *o = io->object;

        *s = (struct io_sync){ .io = io, .pending = 2 };
        s->data.synced = data_synced;
        s->folder.done = name_synced;
        if (io->fh->flags & FH_TIERED)
                s->keeping = tier_snapshot(io, &s->keep);
        s->error = s->keep.error;
        object_sync(o, &s->data);
        if (folder_sync(&io->worker->objects.folders, object_folder(o->fileid), &s->folder))
                s->pending--;
        return NFS4_WAIT;
}

/* --- at the MDS */

static void pushed(struct push *push)
{
        compound_wake(CONTAINER(push, struct io_push, push)->io->compound);
}

enum nfsstat4 io_push(struct io *io, struct io_push *p, uint64_t size)
{
        const struct fh *fh = io->fh;
        uint64_t used = 0, mtime;

        object_stat(io->object, &used, &mtime); /* it fails only where the disk does: then it says 0 */
        p->io = io;
        p->push = (struct push){ .fileid = fh->fileid,
                                 .generation = fh->generation,
                                 .epoch = fh->epoch,
                                 .size = stripe_size_from_object(io_stripe(fh), io->index, size),
                                 .mtime_ns = env_wall(io->worker->env),
                                 .used = used,
                                 .done = pushed };
        push_send(io->worker, &p->push);
        return NFS4_WAIT;
}

enum nfsstat4 io_told(int status)
{
        switch (status) {
        case CTL_OK: return NFS4_OK;
        case CTL_NOENT: return NFS4ERR_STALE;
        case CTL_NOSPC: return NFS4ERR_NOSPC;
        case CTL_TOOBIG: return NFS4ERR_FBIG;
        default: return NFS4ERR_BAD_STATEID; /* the MDS cannot keep it now: let it tell the client why */
        }
}

/* --- errors */

/* RFC 8881 §15.1 and what Linux makes of it: IO would put the whole server aside for two minutes, DELAY makes
 * the client sleep; a bad medium is better told by taking the layout away, a passing shortage by sending this
 * I/O through the MDS. */
enum nfsstat4 io_disk_error(struct io *io, int error, bool data_lost)
{
        switch (-error) {
        case ENOSPC: return NFS4ERR_NOSPC;
        case EDQUOT: return NFS4ERR_DQUOT;
        case EFBIG: return NFS4ERR_FBIG;
        case ENOMEM:
        case EMFILE:
        case ENFILE:
        case EAGAIN: return NFS4ERR_BAD_STATEID;
        default:
                metric_add(&io->worker->counts.disk_errors, 1);
                ds_disk_failed(io->worker->ds, error, data_lost);
                return NFS4ERR_PNFS_NO_LAYOUT;
        }
}
