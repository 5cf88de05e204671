/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/tier/fetch.h"

#include "base/check.h"
#include "base/log.h"
#include "ds/tier/bucket.h"
#include "ds/tier/keep.h"
#include "ds/worker.h"

struct fetch {
        struct list node; /* in tier_worker.fetching */
        struct s3_call call;
        struct worker *worker;
        struct residency *residency; /* referenced */
        struct fh fh;                /* no fence refuses it but that of a removed file */
        uint64_t unit, begin, at;    /* where it begins in the source; how far we are in it */
        uint32_t piece;              /* bytes of this GET */
        bool prefetch, tried_other_keys;
        char version[S3_VERSION_BYTES]; /* that is asked for; "": what is at the key */
        enum { WITH_BUCKET, WITH_S3, WITH_DISK } step;
        struct buf *buf;
        struct iovec room;
        struct link *link;
        struct link_wait link_wait;
        struct object *object;
        struct opener opener;
        struct ticket ticket;
        struct disk_req disk;
};

/* How long the unit is: it may be cut at any time. */
static uint64_t unit_bytes(const struct fetch *f)
{
        const struct residency *r = f->residency;
        uint64_t bytes;

        pthread_mutex_lock(&r->tier->lock);
        bytes = residency_unit_bytes(r, f->unit);
        pthread_mutex_unlock(&r->tier->lock);
        return bytes;
}

static uint64_t object_offset(const struct fetch *f)
{
        return f->unit * f->residency->stripe.unit + f->at;
}

/* --- the end */

/* Fetching is no writing: GETSIZES is to tell of the newest write. A write that comes between is seen by its
 * time, which is noted before it begins. */
static void restore_mtime(struct fetch *f)
{
        struct residency *r = f->residency;
        struct disk *disk = f->worker->disk;
        uint64_t written, again = atomic_load(&r->written_ns);

        do {
                written = again;
                disk->ops->set_mtime(disk, f->object->fd, written > r->mtime_ns ? written : r->mtime_ns);
                again = atomic_load(&r->written_ns);
        } while (again != written);
}

static void free_fetch(struct fetch *f)
{
        struct worker *w = f->worker;

        if (f->object)
                object_release(f->object);
        if (f->link)
                link_release(f->link);
        buf_unref(f->buf);
        list_remove(&f->node);
        residency_release(f->residency);
        slab_put(&w->tier->fetches, f);
        w->busy--;
        worker_note_end(w);
}

static void end(struct fetch *f, bool here, enum tier_outcome outcome)
{
        struct residency *r = f->residency;
        struct worker *w = f->worker;
        struct list woken = LIST_INIT(woken);
        bool last;

        pthread_mutex_lock(&r->tier->lock);
        residency_unclaim(r, f->unit, here);
        residency_collect(r, f->unit, false, outcome, &woken);
        if (outcome == TIER_NEVER)
                residency_failed(r, outcome, env_now(w->env));
        else if (here)
                r->failed = TIER_AGAIN;
        last = r->busy_count == 0;
        pthread_mutex_unlock(&r->tier->lock);
        if (here) {
                metric_add(&w->tier->counts.fetched_units, 1);
                metric_add(&w->tier->counts.fetched_bytes, f->at);
        }
        if (last)
                keep_settle(w, r);
        residency_tell(w, &woken);
        free_fetch(f);
}

static void failed(struct fetch *f, enum tier_outcome outcome)
{
        if (outcome != TIER_AGAIN)
                metric_add(&f->worker->tier->counts.errors[outcome], 1);
        end(f, false, outcome);
}

/* --- the disk */

static void next_piece(struct fetch *f);

static void have_written(struct disk_req *disk)
{
        struct fetch *f = CONTAINER(disk, struct fetch, disk);
        int64_t result = disk->result;

        if (result >= 0) {
                object_written(f->object, disk->offset + disk->length);
                restore_mtime(f);
        }
        inflight_end(&f->worker->inflight, &f->ticket);
        object_release(f->object);
        f->object = NULL;
        if (result < 0) {
                failed(f, tier_disk_error(f->worker, (int)result));
                return;
        }
        f->at += f->piece;
        if (f->at >= unit_bytes(f))
                end(f, true, TIER_AGAIN);
        else
                next_piece(f);
}

/* The object may have been cut or removed while S3 was asked, and we may have lost the MDS: then it was for
 * nothing, and who still wants it asks again. */
static bool may_write(const struct fetch *f)
{
        struct worker *w = f->worker;
        uint32_t index;

        return !w->turned_away && trust_held(&w->ds->trust, env_now(w->env)) &&
               !atomic_load(&f->residency->gone) && fence_check(&w->fences, &f->fh, &index) == NFS4_OK;
}

static bool is_wanted(struct fetch *f)
{
        uint64_t bytes = unit_bytes(f);

        if (f->at + f->piece > bytes)
                f->piece = f->at < bytes ? (uint32_t)(bytes - f->at) : 0;
        return may_write(f) && f->object->cuts == 0 && f->piece > 0;
}

static void opened(struct opener *opener, int error)
{
        struct fetch *f = CONTAINER(opener, struct fetch, opener);
        struct worker *w = f->worker;

        if (error) {
                failed(f, tier_disk_error(w, error));
                return;
        }
        if (!is_wanted(f)) {
                failed(f, TIER_AGAIN);
                return;
        }
        f->disk = (struct disk_req){ .op = DISK_WRITE,
                                     .fd = f->object->fd,
                                     .data = f->buf->data,
                                     .length = f->piece,
                                     .offset = object_offset(f),
                                     .done = have_written };
        inflight_begin(&w->inflight, &f->ticket, &f->fh);
        disk_submit(w->disk, &f->disk);
}

static void write_piece(struct fetch *f)
{
        struct residency *r = f->residency;

        f->step = WITH_DISK;
        if (!may_write(f)) {
                failed(f, TIER_AGAIN);
                return;
        }
        f->object = object_hold(&f->worker->objects, r->fileid, r->generation);
        if (!f->object) {
                failed(f, TIER_LATER);
                return;
        }
        f->opener = (struct opener){ .create = true, .opened = opened };
        if (object_open(f->object, &f->opener) == 0)
                opened(&f->opener, 0);
}

/* --- S3 */

/* Somebody has to be told why a file cannot be read, once. */
static void tell_lost(struct fetch *f)
{
        const struct s3_result *s = &f->call.result;
        struct residency *r = f->residency;
        bool known;

        pthread_mutex_lock(&r->tier->lock);
        known = r->failed == TIER_NEVER;
        pthread_mutex_unlock(&r->tier->lock);
        if (known)
                return;
        metric_add(&f->worker->tier->counts.lost, 1);
        log_error("file-lost", "file=%llu repo=%u key=%s error=%s why=%s", (unsigned long long)r->fileid,
                  r->source.repo, r->source.key, s3_error_name(s->error), s->message);
}

static enum tier_outcome outcome_of(enum s3_error error)
{
        switch (error) {
        case S3_OBJECT_CHANGED:
        case S3_OBJECT_NOT_FOUND:
        case S3_BUCKET_NOT_FOUND:
        case S3_ACCESS_DENIED:
        case S3_UNSUPPORTED_TIER:
        case S3_PATH_TOO_LONG:
        case S3_RANGE: return TIER_NEVER;
        default: return TIER_LATER;
        }
}

static void get_link(struct fetch *f);

/* What is at the key is another object, or none: the bucket may have kept the one that the file is of. */
static bool take_version(struct fetch *f)
{
        struct residency *r = f->residency;

        if (f->version[0])
                return false;
        pthread_mutex_lock(&r->tier->lock);
        memcpy(f->version, r->source.version, sizeof(f->version));
        pthread_mutex_unlock(&r->tier->lock);
        return f->version[0] != '\0';
}

static void s3_failed(struct fetch *f)
{
        enum s3_error error = f->call.result.error;
        enum tier_outcome outcome = outcome_of(error);

        if ((error == S3_OBJECT_CHANGED || error == S3_OBJECT_NOT_FOUND) && take_version(f)) {
                if (!atomic_exchange(&f->residency->source.is_past, true))
                        log_info("older-version-read", "file=%llu key=%s version=%s",
                                 (unsigned long long)f->residency->fileid, f->residency->source.key,
                                 f->version);
                next_piece(f);
                return;
        }
        if (error == S3_ACCESS_DENIED && !f->tried_other_keys && link_refused(f->link)) {
                f->tried_other_keys = true;
                link_release(f->link);
                f->link = NULL;
                get_link(f);
                return;
        }
        if (error == S3_UNREACHABLE)
                link_refused(f->link); /* for the next one */
        if (outcome == TIER_NEVER)
                tell_lost(f);
        else
                log_warn("fetch-failed", "file=%llu key=%s error=%s why=%s",
                         (unsigned long long)f->residency->fileid, f->residency->source.key,
                         s3_error_name(error), f->call.result.message);
        failed(f, outcome);
}

static void got(struct s3_call *call)
{
        struct fetch *f = CONTAINER(call, struct fetch, call);

        if (call->result.error == S3_OK && call->received == f->piece) {
                write_piece(f);
                return;
        }
        if (call->result.error == S3_OK)
                call->result.error = S3_OBJECT_CHANGED; /* it ends before it should */
        s3_failed(f);
}

/* Is this piece the object? Then its checksum can be looked at, where it has one. */
static bool is_whole(const struct fetch *f)
{
        return f->piece == f->residency->source.size && s3_conf(f->link->s3)->checksum != S3_SUM_NONE;
}

static void next_piece(struct fetch *f)
{
        struct residency *r = f->residency;
        struct s3_get_args args = { .offset = f->begin + f->at, .etag = r->source.etag, .room_count = 1 };
        uint64_t bytes = unit_bytes(f);

        if (f->at >= bytes || f->worker->turned_away) {
                failed(f, TIER_AGAIN); /* the file was cut */
                return;
        }
        f->step = WITH_S3;
        f->piece = bytes - f->at < FETCH_PIECE ? (uint32_t)(bytes - f->at) : FETCH_PIECE;
        f->room = (struct iovec){ f->buf->data, f->piece };
        if (atomic_load(&r->source.is_past))
                take_version(f);
        args.version = f->version[0] ? f->version : NULL;
        args.length = is_whole(f) ? 0 : f->piece;
        args.room = &f->room;
        f->call.priority = f->prefetch ? S3_PREFETCH : S3_DEMAND;
        f->call.done = got;
        s3_get(f->link->s3, &f->call, r->source.key, &args);
}

static void have_link(struct link_wait *wait, struct link *link, enum tier_outcome why)
{
        struct fetch *f = CONTAINER(wait, struct fetch, link_wait);

        f->link = link;
        if (link)
                next_piece(f);
        else
                failed(f, why);
}

static void get_link(struct fetch *f)
{
        f->step = WITH_BUCKET;
        f->link_wait.ready = have_link;
        f->link = link_get(f->worker->tier, f->residency->source.repo,
                           atomic_load(&f->residency->source.revision), &f->link_wait);
        if (f->link)
                next_piece(f);
}

void fetches_cancel(struct tier_worker *tw)
{
        LIST_FOR_EACH_SAFE(node, &tw->fetching) {
                struct fetch *f = CONTAINER(node, struct fetch, node);

                if (f->step == WITH_DISK)
                        continue;
                if (f->step == WITH_S3)
                        s3_cancel(&f->call);
                else
                        link_cancel(&f->link_wait);
                failed(f, TIER_AGAIN);
        }
}

/* --- the beginning */

size_t fetch_bytes(void)
{
        return sizeof(struct fetch);
}

/* When the disk is slower than S3, S3 waits. */
static struct fetch *new_fetch(struct worker *w, struct residency *r, const struct fh *fh)
{
        bool closed = w->tier->stopping || w->tier->settles >= SETTLES_MAX;
        struct fetch *f = closed ? NULL : slab_get(&w->tier->fetches);

        if (!f)
                return NULL;
        f->buf = buf_get(w->pool, r->stripe.unit < FETCH_PIECE ? r->stripe.unit : FETCH_PIECE);
        if (!f->buf) {
                slab_put(&w->tier->fetches, f);
                return NULL;
        }
        f->worker = w;
        f->residency = residency_ref(r);
        f->fh = *fh;
        f->fh.epoch = UINT32_MAX - 1;
        list_init(&f->link_wait.node);
        list_push(&w->tier->fetching, &f->node);
        w->busy++;
        return f;
}

enum fetch_begun fetch_unit(struct worker *w, struct residency *r, uint64_t unit, const struct fh *fh,
                            bool prefetch)
{
        bool claimed = false, taken;
        struct fetch *f;

        if (residency_has(r, unit))
                return FETCH_HERE;
        f = new_fetch(w, r, fh);
        pthread_mutex_lock(&r->tier->lock);
        taken = residency_has(r, unit) || residency_is_busy(r, unit) || atomic_load(&r->gone);
        if (!taken && f) {
                residency_claim(r, unit);
                f->begin = residency_unit_begin(r, unit);
                claimed = true;
        }
        pthread_mutex_unlock(&r->tier->lock);
        if (!claimed) {
                if (f)
                        free_fetch(f);
                return taken ? FETCH_BEGUN : FETCH_NO_ROOM;
        }
        f->unit = unit;
        f->prefetch = prefetch;
        if (prefetch)
                metric_add(&w->tier->counts.prefetched, 1);
        get_link(f);
        return FETCH_BEGUN;
}
