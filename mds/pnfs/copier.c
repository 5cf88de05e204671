/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/pnfs/copier.h"

#include <ctl.h>

enum {
        THROUGH_US = 1 << 20,
        PAUSE_MS = 200,
        PATIENCE_SECONDS = 30, /* for a data server that is away */
};

/* So that each data server has CTL_COPY_MAX bytes of it at most: of whole stripes all have the same. */
static uint64_t piece_of(const struct inode *file)
{
        uint64_t rows = CTL_COPY_MAX / file->unit;

        return rows > 0 ? rows * file->unit * file->width : CTL_COPY_MAX;
}

/* The data servers have both; or the piece goes through us. */
static enum nfsstat4 start_piece(struct copier *k, const struct inode *source, const struct inode *file,
                                 uint64_t left)
{
        uint64_t from = k->from + k->done, to = k->to + k->done;

        if (proxy_can_copy(k->io.mds, source, from, file, to)) {
                k->step = COPIER_COPIES;
                k->piece = piece_of(file);
                if (k->piece > left)
                        k->piece = left;
                return proxy_copy(&k->io, source, from, file, to, k->piece, false);
        }
        if (!k->buf)
                k->buf = buf_get(k->io.mds->pool, THROUGH_US);
        if (!k->buf)
                return NFS4ERR_DELAY;
        k->step = COPIER_READS;
        k->piece = left < THROUGH_US ? left : THROUGH_US;
        return proxy_read(&k->io, source, from, (uint32_t)k->piece, k->buf->data);
}

/* OK: there is nothing (more) to do. */
static enum nfsstat4 next_piece(struct copier *k)
{
        struct meta *meta = k->io.mds->meta;
        const struct inode *source, *file;
        uint64_t left = k->count - k->done;
        enum nfsstat4 status;

        if (left == 0 || k->stop)
                return NFS4_OK;
        status = k->check ? k->check(k) : NFS4_OK;
        if (status != NFS4_OK)
                return status;
        if (meta_inode(meta, k->source, &source) < 0 || meta_inode(meta, k->target, &file) < 0)
                return NFS4ERR_STALE;
        if (source->size <= k->from + k->done)
                return NFS4_OK; /* it was cut */
        if (left > source->size - k->from - k->done)
                left = source->size - k->from - k->done;
        return start_piece(k, source, file, left);
}

static enum nfsstat4 write_piece(struct copier *k)
{
        const struct inode *file;

        if (meta_inode(k->io.mds->meta, k->target, &file) < 0)
                return NFS4ERR_STALE;
        k->step = COPIER_WRITES;
        return proxy_write(&k->io, file, k->to + k->done, slice_of(k->buf->data, (uint32_t)k->piece), k->buf);
}

/* A piece has ended, or a pause has. */
static enum nfsstat4 go_on(struct copier *k)
{
        enum nfsstat4 status;

        if (k->step == COPIER_IDLE || k->step == COPIER_PAUSES)
                return next_piece(k);
        status = proxy_result(&k->io);
        if (status != NFS4_OK)
                return status;
        if (k->step == COPIER_READS)
                return write_piece(k);
        k->done += k->piece;
        k->stuck_ns = 0;
        return next_piece(k);
}

/* NFS4ERR_DELAY: is it worth trying again? */
static bool may_pause(struct copier *k)
{
        uint64_t now = env_now(k->io.mds->env);

        if (k->stuck_ns == 0)
                k->stuck_ns = now;
        return k->patient && !k->stop && now - k->stuck_ns < PATIENCE_SECONDS * 1000000000ull;
}

static void run(struct copier *k);

static void pause_over(struct timer *t)
{
        run(CONTAINER(t, struct copier, pause));
}

static void step(struct copier *k)
{
        enum nfsstat4 status = go_on(k);

        if (status == NFS4_WAIT)
                return;
        if (status == NFS4ERR_DELAY && may_pause(k)) {
                k->step = COPIER_PAUSES;
                k->pause.fire = pause_over;
                timer_start(k->io.mds->env, &k->pause, PAUSE_MS * 1000000ull);
                return;
        }
        k->step = COPIER_ENDED;
        k->status = status;
        buf_unref(k->buf);
        k->buf = NULL;
}

static void run(struct copier *k)
{
        k->running = true;
        do {
                k->ready = false;
                step(k);
        } while (k->ready);
        k->running = false;
        if (k->step == COPIER_ENDED)
                k->ended(k);
}

static void woken(void *arg)
{
        struct copier *k = arg;

        k->ready = true;
        if (!k->running)
                run(k);
}

void copier_start(struct copier *k)
{
        k->io.wake = woken;
        k->io.arg = k;
        run(k);
}

void copier_stop(struct copier *k)
{
        k->stop = true;
        if (k->step != COPIER_PAUSES)
                return;
        timer_stop(&k->pause);
        run(k);
}
