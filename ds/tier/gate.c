/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/tier/gate.h"

#include "ds/tier/fetch.h"
#include "ds/tier/hold.h"
#include "ds/tier/load.h"
#include "ds/tier/room.h"
#include "nfs4/client.h"

/* An answer that is none: ask again, at once. */
enum { LOOK_AGAIN = NFS4_WAIT + 1 };

static struct ds_tier *tier_of(const struct io *io)
{
        return io->worker->ds->tier;
}

/* --- waiting */

static enum nfsstat4 refuse(struct io *io, enum tier_outcome why)
{
        if (!(io->fh->flags & FH_PROXY))
                return NFS4ERR_BAD_STATEID;
        switch (why) {
        case TIER_NEVER: return NFS4ERR_IO;
        case TIER_FULL: return room_is_coming(io->worker) ? NFS4ERR_DELAY : NFS4ERR_NOSPC;
        case TIER_DISK: return NFS4ERR_PNFS_NO_LAYOUT;
        default: return NFS4ERR_DELAY;
        }
}

static bool is_awaited(const struct residency *r, uint64_t unit)
{
        if (unit == UNIT_LOAD)
                return r->state == RESIDENCY_LOADING || r->asking;
        return !residency_has(r, unit) && residency_is_busy(r, unit);
}

static enum nfsstat4 wait_for(struct io *io, struct residency *r, uint64_t unit)
{
        struct session *session = io->compound->session;
        struct hold *h = hold_of(io);
        bool awaited;

        if (!h)
                return io_starve(io);
        if (2 * (session->held + 1) > session->slot_count)
                return refuse(io, TIER_LATER);
        pthread_mutex_lock(&r->tier->lock);
        awaited = is_awaited(r, unit);
        if (awaited) {
                h->wait.unit = unit;
                residency_wait(r, &h->wait);
        }
        pthread_mutex_unlock(&r->tier->lock);
        if (!awaited)
                return (enum nfsstat4)LOOK_AGAIN;
        hold_start(h, io->fh->flags & FH_PROXY ? HOLD_PROXY_SECONDS : HOLD_SECONDS);
        io_let_go(io);
        return NFS4_WAIT;
}

/* --- the residency */

/* What is to be done before R can be looked into for a handle of EPOCH. */
enum to_do { TO_GO_ON, TO_FAIL, TO_LOAD, TO_ASK, TO_AWAIT };

/* With the lock. */
static enum to_do look_at(struct residency *r, uint32_t epoch, uint64_t now_ns)
{
        if (r->state == RESIDENCY_NEW && r->failed != TIER_AGAIN && now_ns < r->failed_until_ns)
                return TO_FAIL;
        if (r->state == RESIDENCY_NEW) {
                r->state = RESIDENCY_LOADING;
                return TO_LOAD;
        }
        if (r->state == RESIDENCY_LOADING || r->asking)
                return TO_AWAIT;
        if (epoch <= atomic_load(&r->asked_epoch))
                return TO_GO_ON;
        r->asking = true;
        return TO_ASK;
}

/* OK: R is loaded, for a handle such as IO's. */
static enum nfsstat4 prepare(struct io *io, struct residency *r)
{
        struct worker *w = io->worker;
        uint32_t epoch = io->fh->epoch;
        enum tier_outcome failed;
        enum to_do to_do;

        pthread_mutex_lock(&r->tier->lock);
        to_do = look_at(r, epoch, env_now(w->env));
        failed = r->failed;
        pthread_mutex_unlock(&r->tier->lock);
        if (to_do == TO_GO_ON)
                return NFS4_OK;
        if (to_do == TO_FAIL)
                return refuse(io, failed);
        if (to_do == TO_LOAD)
                residency_load(w, r, epoch);
        if (to_do == TO_ASK)
                residency_check(w, r, epoch);
        return wait_for(io, r, UNIT_LOAD);
}

/* OK: io->object->residency is there, and loaded. */
static enum nfsstat4 attach(struct io *io)
{
        struct object *o = io->object;
        enum nfsstat4 status;
        struct residency *r;

        if (o->residency && atomic_load(&o->residency->gone)) {
                residency_release(o->residency);
                o->residency = NULL;
        }
        if (o->residency && io->fh->epoch <= atomic_load(&o->residency->asked_epoch))
                return NFS4_OK;
        r = residency_hold(tier_of(io), io->fh, io->index);
        if (!r)
                return refuse(io, TIER_LATER);
        status = prepare(io, r);
        if (status == NFS4_OK && !o->residency)
                o->residency = r;
        else
                residency_release(r);
        return status;
}

/* Nothing can be fetched for a while; then the source is asked for anew. */
static enum nfsstat4 may_fetch(struct io *io, struct residency *r)
{
        bool failed, again = false;

        pthread_mutex_lock(&r->tier->lock);
        failed = r->failed == TIER_NEVER;
        if (failed && env_now(io->worker->env) >= r->failed_until_ns) {
                failed = false;
                again = residency_retire(r);
        }
        pthread_mutex_unlock(&r->tier->lock);
        return failed ? refuse(io, TIER_NEVER) : again ? (enum nfsstat4)LOOK_AGAIN : NFS4_OK;
}

/* --- READ */

/* Does a READ of units from FIRST on go on where the last ones were? Who reads in order may be overtaken. */
static bool goes_on(const struct object *o, uint64_t first, uint64_t last)
{
        return (first <= o->next_unit && first + 1 >= o->next_unit && last >= o->next_unit) ||
               (o->window > 0 && first == o->next_unit + 1);
}

static void read_ahead(struct io *io, struct residency *r, uint64_t first, uint64_t last)
{
        struct worker *w = io->worker;
        struct object *o = io->object;
        uint64_t end;

        if (atomic_load_explicit(&r->absent, memory_order_relaxed) == 0 || last + 1 == o->next_unit)
                return;
        if (goes_on(o, first, last))
                o->window = o->window == 0 ? 1 : o->window < WINDOW_MAX ? 2 * o->window : WINDOW_MAX;
        else if (o->window > 0 && last < o->next_unit && last + 2 >= o->next_unit)
                return; /* it was overtaken */
        else
                o->window = 0;
        if (o->window > 1 && residency_has(r, first))
                metric_add(&w->tier->counts.prefetch_hits, 1);
        o->next_unit = last + 1;
        end = atomic_load(&r->units);
        if (end > last + 1 + o->window)
                end = last + 1 + o->window;
        for (uint64_t unit = last + 1; unit < end; unit++)
                if (fetch_unit(w, r, unit, io->fh, true) == FETCH_NO_ROOM)
                        return;
}

static enum nfsstat4 read_units(struct io *io, struct residency *r, uint64_t first, uint64_t last)
{
        uint64_t end = atomic_load(&r->units), missing = UNIT_LOAD;

        for (uint64_t unit = first; unit <= last && unit < end; unit++) {
                enum fetch_begun begun = fetch_unit(io->worker, r, unit, io->fh, false);

                if (begun == FETCH_NO_ROOM && missing == UNIT_LOAD)
                        return io_starve(io);
                if (begun == FETCH_BEGUN && missing == UNIT_LOAD)
                        missing = unit;
        }
        read_ahead(io, r, first, last);
        return missing == UNIT_LOAD ? (enum nfsstat4)LOOK_AGAIN : wait_for(io, r, missing);
}

/* --- WRITE */

enum wanted { NOTHING, TO_WAIT, TO_FETCH };

/* What stands in the way of a WRITE of [BEGIN, END) of the file; with the lock. */
static enum wanted look_for_units(const struct residency *r, const struct hold *h, uint64_t begin,
                                  uint64_t end, uint64_t *ret_unit)
{
        for (uint64_t unit = h->first; unit <= h->last; unit++) {
                uint64_t at = residency_unit_begin(r, unit);

                *ret_unit = unit;
                if (residency_has(r, unit))
                        continue;
                if (residency_is_busy(r, unit))
                        return TO_WAIT;
                if (begin > at || end < at + residency_unit_bytes(r, unit))
                        return TO_FETCH;
        }
        return NOTHING;
}

static enum nfsstat4 write_units(struct io *io, struct residency *r, uint64_t offset, uint64_t length)
{
        struct hold *h = hold_of(io);
        enum fetch_begun begun;
        enum wanted wanted;
        uint64_t unit = 0;

        if (!h)
                return io_starve(io);
        h->first = stripe_object_offset(r->stripe, offset) / r->stripe.unit;
        h->last = stripe_object_offset(r->stripe, offset + length - 1) / r->stripe.unit;
        pthread_mutex_lock(&r->tier->lock);
        wanted = look_for_units(r, h, offset, offset + length, &unit);
        for (uint64_t i = h->first; wanted == NOTHING && i <= h->last; i++)
                if (!residency_has(r, i))
                        residency_claim(r, i);
        pthread_mutex_unlock(&r->tier->lock);
        if (wanted == NOTHING) {
                h->writes = residency_ref(r);
                return NFS4_OK;
        }
        begun = wanted == TO_FETCH ? fetch_unit(io->worker, r, unit, io->fh, false) : FETCH_BEGUN;
        return begun == FETCH_NO_ROOM ? io_starve(io) : wait_for(io, r, unit);
}

/* Whatever is busy in the range was claimed above: what others had was waited for. */
void tier_written(struct io *io, bool ok)
{
        struct hold *h = io->hold;
        struct residency *r = h->writes;
        struct list woken = LIST_INIT(woken);

        if (!r)
                return;
        h->writes = NULL;
        pthread_mutex_lock(&r->tier->lock);
        for (uint64_t unit = h->first; unit <= h->last && unit < r->words * 64; unit++) {
                if (!residency_is_busy(r, unit))
                        continue;
                residency_unclaim(r, unit, ok);
                residency_collect(r, unit, false, TIER_AGAIN, &woken);
        }
        pthread_mutex_unlock(&r->tier->lock);
        residency_tell(io->worker, &woken);
        residency_release(r);
}

/* --- both */

/* All is here; but the disk may have failed when that was to be made durable, or nobody has sent a COMMIT for
 * what was written, or the MDS did not want to hear it. Who restores the file READs until the MDS knows. */
static void tell_again(struct worker *w, struct residency *r)
{
        keep_settle(w, r);
        keep_tell_if_all(w, r);
}

static enum nfsstat4 look(struct io *io, uint64_t offset, uint64_t length, enum io_kind kind)
{
        enum nfsstat4 status = attach(io);
        uint64_t first, last;
        struct residency *r;

        if (status != NFS4_OK)
                return status;
        r = io->object->residency;
        if (kind == IO_WRITE) {
                residency_note_epoch(r, io->fh->epoch);
                atomic_store(&r->written_ns, env_wall(io->worker->env));
        }
        if (atomic_load_explicit(&r->absent, memory_order_acquire) == 0) {
                if (io->fh->flags & FH_PROXY && kind == IO_READ)
                        tell_again(io->worker, r);
                return NFS4_OK;
        }
        if (r->stripe.unit != io->fh->unit || r->stripe.width != io->fh->width)
                return refuse(io, TIER_LATER); /* only an empty file can be striped anew */
        first = stripe_object_offset(r->stripe, offset) / r->stripe.unit;
        last = stripe_object_offset(r->stripe, offset + length - 1) / r->stripe.unit;
        if (residency_has_all(r, first, last)) {
                if (kind == IO_READ)
                        read_ahead(io, r, first, last);
                return NFS4_OK;
        }
        if (io->worker->turned_away)
                return NFS4ERR_DELAY; /* nobody reads it: the connection is closed */
        status = may_fetch(io, r);
        if (status != NFS4_OK)
                return status;
        return kind == IO_READ ? read_units(io, r, first, last) : write_units(io, r, offset, length);
}

enum nfsstat4 tier_gate(struct io *io, uint64_t offset, uint64_t length, enum io_kind kind)
{
        enum nfsstat4 status;

        if (io->hold && io->hold->wait.outcome != TIER_AGAIN)
                return refuse(io, io->hold->wait.outcome);
        if (kind == IO_COMMIT || length == 0)
                return NFS4_OK;
        do
                status = look(io, offset, length, kind);
        while (status == (enum nfsstat4)LOOK_AGAIN);
        return status;
}

enum nfsstat4 tier_outrun(const struct io *io)
{
        const struct fh *fh = io->fh;

        return fh->flags & FH_PROXY &&
                               residency_was_released(tier_of(io), fh->fileid, fh->generation, fh->epoch)
                       ? NFS4ERR_BAD_STATEID
                       : NFS4_OK;
}

bool tier_snapshot(struct io *io, struct keep *k)
{
        struct object *o = io->object;
        struct residency *r = residency_find(tier_of(io), o->fileid, o->generation);
        bool wanted = r && keep_snapshot(io->worker, r, k);

        if (r)
                residency_release(r);
        return wanted;
}
