/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/tier/tier.h"

#include <errno.h>
#include <stdlib.h>

#include "ds/tier/bucket.h"
#include "ds/tier/fetch.h"
#include "ds/tier/hold.h"
#include "ds/tier/room.h"
#include "ds/tier/peers.h"
#include "ds/tier/upload.h"
#include "ds/worker.h"

struct ds_tier *ds_tier_new(struct ds *ds)
{
        struct ds_tier *t = calloc(1, sizeof(*t));

        if (!t)
                return NULL;
        if (!hashtab_init(&t->table, 64)) {
                free(t);
                return NULL;
        }
        t->ds = ds;
        pthread_mutex_init(&t->lock, NULL);
        list_init(&t->idle);
        tier_asker_init(&t->asker, ds);
        upload_queue_init(&t->uploads);
        return t;
}

void ds_tier_free(struct ds_tier *t)
{
        if (!t)
                return;
        residencies_free(t);
        upload_queue_destroy(&t->uploads);
        tier_asker_destroy(&t->asker);
        hashtab_destroy(&t->table);
        pthread_mutex_destroy(&t->lock);
        free(t);
}

static void ignore(void *arg, const char *name)
{
        (void)arg, (void)name;
}

void ds_tier_opened(struct ds_tier *t)
{
        struct disk *disk = t->ds->workers[0]->disk;

        if (disk->ops->list(disk, "tiered", ignore, NULL) == 0)
                atomic_store(&t->used, true);
}

/* --- a worker's part */

static void register_metrics(struct metrics *m, struct tier_metrics *c)
{
        static const char *const errors[] = { [TIER_LATER] = "reason=\"not_now\"",
                                              [TIER_NEVER] = "reason=\"lost\"",
                                              [TIER_FULL] = "reason=\"no_space\"",
                                              [TIER_DISK] = "reason=\"disk\"" };

        metric_gauge(m, &c->held, "nacre_ds_tier_held", "READs and WRITEs that wait for units from S3");
        metric_counter(m, &c->gave_up, "nacre_ds_tier_gave_up_total",
                       "READs and WRITEs that waited too long for S3 and were sent through the MDS");
        metric_counter(m, &c->fetched_units, "nacre_ds_tier_fetched_units_total",
                       "Stripe units fetched from S3");
        metric_counter(m, &c->fetched_bytes, "nacre_ds_tier_fetched_bytes_total", "Bytes of them");
        metric_counter(m, &c->prefetched, "nacre_ds_tier_prefetched_units_total",
                       "Stripe units that were fetched before anybody asked");
        metric_counter(m, &c->prefetch_hits, "nacre_ds_tier_prefetch_hits_total",
                       "Sequential READs that found their unit fetched");
        metric_counter(m, &c->lost, "nacre_ds_tier_lost_total",
                       "Files found lost: S3 has the object no more, or another");
        for (int i = TIER_LATER; i <= TIER_DISK; i++) {
                metric_counter(m, &c->errors[i], "nacre_ds_tier_fetch_errors_total",
                               "Fetches that failed, by reason");
                c->errors[i].labels = errors[i];
        }
        c->wait.name = "nacre_ds_tier_wait_seconds";
        c->wait.help = "How long READs and WRITEs waited for units from S3";
        histogram_register(m, &c->wait);
        upload_metrics_register(c, m);
}

struct tier_worker *tier_worker_new(struct worker *w)
{
        struct tier_worker *tw = calloc(1, sizeof(*tw));
        struct s3_metrics *s3 = calloc(1, sizeof(*s3));

        if (!tw || !s3) {
                free(tw);
                free(s3);
                return NULL;
        }
        tw->worker = w;
        tw->s3 = s3;
        slab_init(&tw->holds, sizeof(struct hold), DS_CALLS);
        slab_init(&tw->fetches, fetch_bytes(), FETCHES);
        list_init(&tw->held);
        list_init(&tw->roomless);
        list_init(&tw->fetching);
        list_init(&tw->buckets);
        list_init(&tw->uploading);
        list_init(&tw->peers);
        register_metrics(&w->metrics, &tw->counts);
        s3_metrics_init(s3, &w->metrics);
        return tw;
}

void tier_worker_free(struct tier_worker *tw)
{
        CHECK(list_empty(&tw->held) && list_empty(&tw->fetching) && list_empty(&tw->uploading));
        timer_stop(&tw->room_timer);
        buckets_free(tw);
        slab_destroy(&tw->holds);
        slab_destroy(&tw->fetches);
        free(tw->s3);
        free(tw);
}

void tier_turn_away(struct tier_worker *tw)
{
        holds_end(tw);
        room_turn_away(tw);
        uploads_give_up(tw);
}

void tier_worker_stop(struct tier_worker *tw)
{
        tw->stopping = true;
        fetches_cancel(tw);
        tier_peers_free(tw);
}

enum tier_outcome tier_disk_error(struct worker *w, int error)
{
        switch (-error) {
        case ENOSPC:
        case EDQUOT: return TIER_FULL;
        case ENOMEM:
        case EMFILE:
        case ENFILE:
        case EAGAIN: return TIER_LATER;
        default: ds_disk_failed(w->ds, error, false); return TIER_DISK;
        }
}

/* --- what the MDS does to files */

/* Also noted of a file that nobody has asked for yet: the MDS may be answering SOURCE just now, with what was
 * valid before the cut. */
void ds_tier_cut(struct ds_tier *t, const struct fh *fh, uint32_t index, uint64_t size)
{
        struct list woken = LIST_INIT(woken);
        struct residency *r = atomic_load(&t->seen) ? residency_hold(t, fh, index) : NULL;

        if (!r)
                return;
        pthread_mutex_lock(&t->lock);
        residency_cut(r, size);
        if (r->state == RESIDENCY_READY)
                residency_collect(r, 0, true, TIER_AGAIN, &woken);
        pthread_mutex_unlock(&t->lock);
        residency_tell(t->ds->workers[0], &woken);
        residency_release(r);
}

void ds_tier_removed(struct ds_tier *t, uint64_t fileid, uint32_t generation)
{
        struct list woken = LIST_INIT(woken);
        struct residency *r = residency_find(t, fileid, generation);

        if (!r)
                return;
        pthread_mutex_lock(&t->lock);
        residency_remove(r);
        residency_collect(r, 0, true, TIER_AGAIN, &woken);
        pthread_mutex_unlock(&t->lock);
        residency_tell(t->ds->workers[0], &woken);
        residency_release(r);
}
