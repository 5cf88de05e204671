/* SPDX-License-Identifier: Apache-2.0 */
/* The queue: records in the store, and as many of them in memory as there is room for, each with the time
 * when its turn comes. */
#include <errno.h>

#include "base/check.h"
#include "base/log.h"
#include "mds/tier/archive_private.h"

enum {
        SEEN = 0x80 /* in job->seen: there is a durable record */,
        LATEST = 6 /* delays, for what never rests */
};

/* --- records */

int queue_read(struct mds *mds, uint64_t fileid, uint8_t *space, struct queue_record *ret)
{
        uint8_t key[KEY_MAX];
        uint32_t length;
        int r = meta_get(mds->meta, key_queue(key, fileid), space, RECORD_MAX, &length);

        if (r < 0)
                return r == -ENOENT ? r : -EIO;
        return queue_decode(slice_of(space, length), ret) ? 0 : -EIO;
}

void queue_put(struct txn *t, uint64_t fileid, const struct queue_record *q)
{
        uint8_t key[KEY_MAX], value[RECORD_MAX];

        txn_put(t, key_queue(key, fileid), queue_encode(value, q));
}

void queue_delete(struct txn *t, uint64_t fileid)
{
        uint8_t key[KEY_MAX];

        txn_delete(t, key_queue(key, fileid));
}

/* --- jobs */

struct job *queue_find(const struct archiver *a, uint64_t fileid)
{
        HASHTAB_FOR_EACH(node, &a->jobs, hash_u64(fileid)) {
                struct job *job = CONTAINER(node, struct job, node);

                if (job->fileid == fileid)
                        return job;
        }
        return NULL;
}

uint64_t queue_delay_ns(const struct archiver *a)
{
        uint64_t least = UINT64_MAX;

        LIST_FOR_EACH(node, &a->tier->repos) {
                const struct repo_conf *conf = &CONTAINER(node, struct repo, node)->conf;

                if (conf->export && conf->export_delay * 1000000000ull < least)
                        least = conf->export_delay * 1000000000ull;
        }
        return least;
}

static void is_due(struct timer *timer)
{
        struct job *job = CONTAINER(timer, struct job, due);

        job->state = JOB_READY;
        list_push(&job->archiver->ready, &job->in_ready);
        env_defer(job->archiver->mds->env, &job->archiver->task);
}

void job_wait(struct job *job, uint64_t ns)
{
        list_remove(&job->in_ready);
        job->state = JOB_WAITS;
        if (!job->archiver->stopping)
                timer_start(job->archiver->mds->env, &job->due, ns + 1);
}

struct job *queue_get(struct archiver *a, uint64_t fileid)
{
        struct job *job = queue_find(a, fileid);

        if (job)
                return job;
        job = slab_get(&a->slab);
        if (!job) {
                a->beyond = true;
                return NULL;
        }
        job->archiver = a;
        job->fileid = fileid;
        job->due.fire = is_due;
        job->first_ns = job->touched_ns = env_now(a->mds->env);
        job->since = (int64_t)env_wall(a->mds->env);
        list_init(&job->in_ready);
        hashtab_insert(&a->jobs, &job->node, hash_u64(fileid));
        metric_set(&a->queued, a->jobs.count);
        return job;
}

void job_forget(struct job *job)
{
        struct archiver *a = job->archiver;

        CHECK(!job->send);
        timer_stop(&job->due);
        list_remove(&job->in_ready);
        hashtab_remove(&a->jobs, &job->node);
        slab_put(&a->slab, job);
        metric_set(&a->queued, a->jobs.count);
}

void queue_touch(struct job *job)
{
        struct archiver *a = job->archiver;
        uint64_t delay = queue_delay_ns(a), now = env_now(a->mds->env);

        job->touched_ns = now;
        job->attempts = 0;
        if (job->state != JOB_WAITS || delay == UINT64_MAX)
                return;
        if (now + delay > job->first_ns + LATEST * delay)
                delay = now > job->first_ns + LATEST * delay ? 0 : job->first_ns + LATEST * delay - now;
        job_wait(job, delay);
}

/* As T has it; IS_STORED: which does not change it. */
static bool read_in(struct mds *mds, const struct txn *t, uint64_t fileid, uint8_t *space,
                    struct queue_record *ret, bool *ret_is_stored)
{
        uint8_t key[KEY_MAX];
        struct slice value;

        *ret_is_stored = !txn_changes(t, key_queue(key, fileid), &value);
        if (*ret_is_stored)
                return queue_read(mds, fileid, space, ret) == 0;
        memcpy(space, value.data, value.length);
        return queue_decode(slice_of(space, value.length), ret);
}

void queue_note(struct archiver *a, struct txn *t, uint64_t fileid, uint8_t what, const struct slice *name)
{
        struct queue_record q = { .since = (int64_t)env_wall(a->mds->env) };
        struct job *job = queue_get(a, fileid);
        uint8_t space[RECORD_MAX], wanted = what | SEEN;
        bool durable;

        if (job)
                queue_touch(job);
        if (job && !name && (job->seen & wanted) == wanted)
                return;
        if (read_in(a->mds, t, fileid, space, &q, &durable)) {
                if (job && durable)
                        job->seen = q.what | SEEN;
                if (!name && (q.what & what) == what && q.failed == 0)
                        return;
        }
        if (name)
                q.key = *name;
        q.what |= what;
        q.failed = 0;
        queue_put(t, fileid, &q);
}

/* --- from the store */

struct loading {
        struct archiver *archiver;
        bool full;
};

static bool load_one(void *arg, struct slice key, struct slice value)
{
        struct loading *l = arg;
        struct archiver *a = l->archiver;
        struct queue_record q;
        uint64_t fileid;
        struct job *job;

        if (!key_parse_u64(key, 'q', &fileid))
                return true; /* fsck tells */
        if (queue_find(a, fileid))
                return true;
        job = queue_get(a, fileid);
        if (!job) {
                l->full = true;
                return false;
        }
        if (queue_decode(value, &q))
                job->since = q.since;
        job_wait(job, 1000000 + env_random_u64(a->mds->env) % 1000000000);
        a->scanned = fileid;
        return true;
}

void queue_load(struct archiver *a)
{
        struct loading l = { .archiver = a };
        uint8_t prefix[KEY_MAX], from[KEY_MAX];
        bool whole = a->scanned == 0;

        if (meta_scan_from(a->mds->meta, key_kind(prefix, 'q'), key_queue(from, a->scanned + 1), load_one,
                           &l) < 0) {
                log_error("archive-queue-not-read", "from=%llu", (unsigned long long)a->scanned);
                return;
        }
        if (l.full)
                return;
        a->beyond = !whole; /* some may have come behind us */
        a->scanned = 0;
}
