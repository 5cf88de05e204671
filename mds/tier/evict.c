/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/tier/evict.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mds/fleet/fleet.h"
#include "mds/tier/tier.h"

enum {
        TICK_MS = 1000,
        SETTLE_MS = 5000, /* until heartbeats say what the last releases came to */
        IDLE_MS = 30000,  /* nothing was found: look again */
        AGE_SCANS = 24,   /* in the time of `release.age` */
        SCAN_RECORDS = 256,
        CANDIDATES = 1024,
        AT_ONCE = 16,
        NOTE_SECONDS = 3600,
        DAY_SECONDS = 86400,
};

struct candidate {
        uint64_t fileid;
        int64_t opened;
};

struct eviction { /* a release under way */
        struct release_wait wait;
        struct evictor *evictor;
        bool busy;
};

struct evictor {
        struct mds *mds;
        struct timer tick;
        struct task task;
        bool stopping;
        bool full[FLEET_MAX + 1];     /* by server id: over the high mark, and not down to the low one yet */
        uint64_t want[FLEET_MAX + 1]; /* bytes that it is to get rid of */
        bool any_full;
        uint64_t rest_until_ns, aged_ns; /* when the last scan for age began */
        /* a scan: the coldest of what was seen, a heap with the warmest at its top */
        enum { EVICT_RESTS, EVICT_SCANS, EVICT_RELEASES } state;
        uint64_t next; /* fileid */
        uint32_t seen, count, at;
        struct candidate heap[CANDIDATES];
        uint32_t running, done;
        struct eviction evictions[AT_ONCE];
};

static uint64_t seconds(uint64_t s)
{
        return s * 1000000000;
}

/* --- who is full */

static void look_at(struct evictor *e, const struct server *s)
{
        const struct mds_release_conf *conf = &e->mds->conf->release;
        uint64_t used = s->space_total > s->space_free ? s->space_total - s->space_free : 0;
        uint64_t low = s->space_total / 100 * conf->low;

        if (!s->up || s->space_total == 0 || used <= low)
                e->full[s->id] = false;
        else if (conf->high > 0 && used > s->space_total / 100 * conf->high)
                e->full[s->id] = true;
        e->want[s->id] = e->full[s->id] ? used - low : 0;
        e->any_full |= e->full[s->id];
}

static void look_at_all(struct evictor *e)
{
        const struct fleet *f = e->mds->fleet;

        e->any_full = false;
        for (uint32_t i = 0; i < f->count; i++)
                look_at(e, f->servers[i]);
}

/* Does a data server that has a part of FILE want room? With TAKE its part counts as freed. */
static bool is_wanted(struct evictor *e, const struct inode *file, bool take)
{
        bool wanted = false;

        for (uint32_t i = 0; i < file->width; i++) {
                const struct server *s = fleet_file_server(e->mds->fleet, file, i);
                uint64_t part = stripe_object_size(inode_stripe(file), i, file->size);
                uint64_t *want = s ? &e->want[s->id] : NULL;

                if (!want || *want == 0 || part == 0)
                        continue;
                wanted = true;
                if (take)
                        *want -= part < *want ? part : *want;
        }
        return wanted;
}

static uint64_t age_ns(const struct evictor *e)
{
        return seconds(e->mds->conf->release.age_days * DAY_SECONDS);
}

static bool is_old(const struct evictor *e, int64_t opened)
{
        uint64_t age = age_ns(e);

        return age > 0 && (int64_t)env_wall(e->mds->env) - opened > (int64_t)age;
}

/* --- the scan */

static void sink(struct evictor *e, uint32_t at)
{
        struct candidate *heap = e->heap, moved = heap[at];

        for (uint32_t child = 2 * at + 1; child < e->count; child = 2 * at + 1) {
                if (child + 1 < e->count && heap[child + 1].opened > heap[child].opened)
                        child++;
                if (heap[child].opened <= moved.opened)
                        break;
                heap[at] = heap[child];
                at = child;
        }
        heap[at] = moved;
}

static void keep(struct evictor *e, struct candidate c)
{
        uint32_t at;

        if (e->count == CANDIDATES) {
                if (c.opened < e->heap[0].opened) {
                        e->heap[0] = c;
                        sink(e, 0);
                }
                return;
        }
        for (at = e->count++; at > 0 && e->heap[(at - 1) / 2].opened < c.opened; at = (at - 1) / 2)
                e->heap[at] = e->heap[(at - 1) / 2];
        e->heap[at] = c;
}

static bool has_bytes(const struct inode *file)
{
        return file->size > 0 &&
               (!(file->flags & INODE_COLD) || file->used > 0 || file->flags & INODE_USED_OLD);
}

static bool each_backed(void *arg, struct slice key, struct slice value)
{
        struct evictor *e = arg;
        const struct inode *file;
        uint64_t fileid;
        struct backing b;

        if (!key_parse_u64(key, 'b', &fileid) || !backing_decode(value, &b))
                return true; /* fsck tells */
        e->next = fileid + 1;
        e->seen++;
        if (b.etag.length > 0 && !(b.flags & BACKING_PINNED) && b.late <= (int64_t)env_wall(e->mds->env) &&
            meta_inode(e->mds->meta, fileid, &file) == 0 && file->type == NF4REG &&
            file->change == b.change && has_bytes(file) &&
            (is_old(e, file->atime) || is_wanted(e, file, false)))
                keep(e, (struct candidate){ fileid, file->atime });
        return e->seen < SCAN_RECORDS;
}

static int by_opened(const void *a, const void *b)
{
        const struct candidate *x = a, *y = b;

        return x->opened < y->opened ? -1 : x->opened > y->opened;
}

static void scan(struct evictor *e)
{
        uint8_t prefix[KEY_MAX], from[KEY_MAX];
        int r;

        e->seen = 0;
        r = meta_scan_from(e->mds->meta, key_kind(prefix, 'b'), key_backing(from, e->next), each_backed, e);
        if (r == 0 && e->seen == SCAN_RECORDS)
                return;
        qsort(e->heap, e->count, sizeof(e->heap[0]), by_opened);
        e->state = EVICT_RELEASES;
        e->at = e->done = 0;
}

static void begin_scan(struct evictor *e)
{
        e->state = EVICT_SCANS;
        e->next = 0;
        e->count = 0;
        env_defer(e->mds->env, &e->task);
}

/* --- releasing */

static void ended(struct release_wait *wait, enum release_result result)
{
        struct eviction *v = CONTAINER(wait, struct eviction, wait);
        struct evictor *e = v->evictor;

        v->busy = false;
        e->running--;
        e->done += result == RELEASE_DONE;
        env_defer(e->mds->env, &e->task);
}

static struct eviction *idle(struct evictor *e)
{
        for (int i = 0; i < AT_ONCE; i++)
                if (!e->evictions[i].busy)
                        return &e->evictions[i];
        return NULL;
}

/* The next one, if it still is one. */
static void release_next(struct evictor *e, struct eviction *v)
{
        const struct candidate *c = &e->heap[e->at++];
        const struct inode *file;

        if (meta_inode(e->mds->meta, c->fileid, &file) < 0 || file->atime != c->opened || !has_bytes(file) ||
            !(is_wanted(e, file, true) || is_old(e, c->opened)))
                return;
        v->busy = true;
        e->running++;
        release_file(e->mds, c->fileid, &v->wait);
}

static void release_some(struct evictor *e)
{
        struct eviction *v;

        while (!e->stopping && e->at < e->count && (v = idle(e)))
                release_next(e, v);
        if (e->running > 0)
                return;
        if (e->done > 0)
                log_info("made-room", "files=%u of=%u", e->done, e->count);
        e->state = EVICT_RESTS;
        e->rest_until_ns = env_now(e->mds->env) + (e->done > 0 ? SETTLE_MS : IDLE_MS) * 1000000ull;
}

static void run(struct task *task)
{
        struct evictor *e = CONTAINER(task, struct evictor, task);

        if (e->state == EVICT_SCANS && !e->stopping) {
                scan(e);
                env_defer(e->mds->env, &e->task);
        } else if (e->state == EVICT_RELEASES) {
                release_some(e);
        }
}

static bool is_age_due(const struct evictor *e)
{
        uint64_t age = age_ns(e);

        return age > 0 && env_now(e->mds->env) - e->aged_ns >= age / AGE_SCANS;
}

static void tick(struct timer *t)
{
        struct evictor *e = CONTAINER(t, struct evictor, tick);

        timer_start(e->mds->env, &e->tick, TICK_MS * 1000000ull);
        if (e->state != EVICT_RESTS || env_now(e->mds->env) < e->rest_until_ns)
                return;
        look_at_all(e);
        if (is_age_due(e))
                e->aged_ns = env_now(e->mds->env);
        else if (!e->any_full)
                return;
        begin_scan(e);
}

/* --- when it was opened */

void evict_note_open(struct mds *mds, const struct inode *file)
{
        int64_t now = (int64_t)env_wall(mds->env);
        bool cold = file->flags & INODE_COLD && !(file->flags & INODE_USED_OLD);
        struct inode *edit;
        struct txn *t;
        uint64_t seq;

        if (!(file->flags & INODE_BACKED) || file->type != NF4REG ||
            (!cold && now - file->atime < (int64_t)seconds(NOTE_SECONDS)))
                return;
        t = txn_begin(mds->meta);
        edit = txn_edit(t, file->fileid);
        if (!edit) {
                txn_abort(t);
                return;
        }
        if (now > edit->atime)
                edit->atime = now;
        if (cold)
                edit->flags |= INODE_USED_OLD;
        txn_commit(t, &seq); /* not waited for: it is a hint */
}

/* --- start and stop */

struct evictor *evictor_new(struct mds *mds)
{
        struct evictor *e = calloc(1, sizeof(*e));

        if (!e)
                return NULL;
        e->mds = mds;
        e->tick.fire = tick;
        e->task.run = run;
        list_init(&e->task.node);
        for (int i = 0; i < AT_ONCE; i++)
                e->evictions[i] = (struct eviction){ .evictor = e, .wait.done = ended };
        timer_start(mds->env, &e->tick, TICK_MS * 1000000ull);
        return e;
}

void evictor_stop(struct evictor *e)
{
        if (!e)
                return;
        e->stopping = true;
        timer_stop(&e->tick);
}

void evictor_free(struct evictor *e)
{
        if (!e)
                return;
        CHECK(e->running == 0);
        timer_stop(&e->tick);
        list_remove(&e->task.node);
        free(e);
}
