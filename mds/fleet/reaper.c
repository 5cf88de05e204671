/* SPDX-License-Identifier: Apache-2.0 */
/* The reaper: see reaper.h. A file's objects are removed by asking each of its data servers once; the 'o'
 * record goes when all have said that nothing is left. Files of which a data server is away, or could not do
 * it, wait for the timer, and do not hold up the others. */
#include "mds/fleet/reaper.h"

#include <stdlib.h>

#include "base/log.h"
#include "mds/fleet/fleet.h"

enum { AT_ONCE = 64, RETRY_MS = 2000, RETRY_AT_ONCE = 1024 };

struct corpse {
        struct list node;
        uint64_t fileid;
        struct orphan_record record;
        uint32_t pending;
        bool failed;
        struct reaper *reaper;
        struct durable_wait gone; /* the file is, for good */
};

struct reaper {
        struct mds *mds;
        struct list dying; /* gone in a transaction that is not durable yet */
        struct list queue; /* to be asked for */
        struct list later; /* to be asked for again, while the timer does not run */
        uint64_t waiting, running;
        struct task task;
        struct timer retry;
        struct metric reaped, backlog;
};

static void kick(struct reaper *r)
{
        metric_set(&r->backlog, r->waiting);
        env_defer(r->mds->env, &r->task);
}

static void forget(struct corpse *dead)
{
        struct reaper *r = dead->reaper;
        struct txn *t = txn_begin(r->mds->meta);
        uint8_t key[KEY_MAX];
        uint64_t seq;

        txn_delete(t, key_orphan(key, dead->fileid));
        if (txn_commit(t, &seq) == 0) /* else it stays; after a restart the objects are not there: fine */
                metric_add(&r->reaped, 1);
        r->waiting--;
        free(dead);
}

static void one_less(struct corpse *dead)
{
        struct reaper *r = dead->reaper;

        if (--dead->pending > 0)
                return;
        r->running--;
        if (!dead->failed) {
                forget(dead);
        } else {
                list_push(&r->later, &dead->node);
                if (!timer_running(&r->retry))
                        timer_start(r->mds->env, &r->retry, RETRY_MS * 1000000ull);
        }
        kick(r);
}

static void answered(void *arg, struct server *server, void *result)
{
        struct corpse *dead = arg;
        const ctl_statuses *r = result;

        (void)server;
        if (!r || r->statuses.statuses_len != 1 ||
            (r->statuses.statuses_val[0] != CTL_OK && r->statuses.statuses_val[0] != CTL_NOENT))
                dead->failed = true;
        one_less(dead);
}

static void reap(struct reaper *r, struct corpse *dead)
{
        const struct orphan_record *o = &dead->record;

        r->running++;
        dead->failed = false;
        dead->pending = 1;
        for (uint32_t i = 0; i < o->width; i++) {
                struct server *s = fleet_device_server(r->mds->fleet, o->pool, o->start, o->width, i);
                ctl_object object = { .fileid = dead->fileid,
                                      .generation = o->generation,
                                      .unit = o->unit,
                                      .width = o->width,
                                      .first = o->first,
                                      .index = i };
                ctl_remove_args args = { .objects.objects_len = 1, .objects.objects_val = &object };

                dead->pending++;
                if (!s || ctl_call(s, CTL_REMOVE, (xdrproc_t)xdr_ctl_remove_args, &args,
                                   (xdrproc_t)xdr_ctl_statuses, sizeof(ctl_statuses), answered, dead) < 0) {
                        dead->failed = true;
                        dead->pending--;
                }
        }
        one_less(dead);
}

static void run(struct task *t)
{
        struct reaper *r = CONTAINER(t, struct reaper, task);
        bool may_retry = list_empty(&r->queue) && !timer_running(&r->retry);

        for (int i = 0; i < RETRY_AT_ONCE && may_retry && !list_empty(&r->later); i++)
                list_push(&r->queue, list_pop(&r->later));
        while (r->running < AT_ONCE && !list_empty(&r->queue))
                reap(r, CONTAINER(list_pop(&r->queue), struct corpse, node));
}

static void retry(struct timer *t)
{
        kick(CONTAINER(t, struct reaper, retry));
}

static void is_gone(struct durable_wait *w)
{
        struct corpse *dead = CONTAINER(w, struct corpse, gone);

        list_remove(&dead->node);
        list_push(&dead->reaper->queue, &dead->node);
        kick(dead->reaper);
}

/* After a crash that takes the transaction back the file is there again, and needs its objects. */
void reaper_add(struct reaper *r, uint64_t fileid, const struct orphan_record *o)
{
        struct corpse *dead = calloc(1, sizeof(*dead));

        if (!dead)
                return; /* the record is durable: the next start finds it */
        list_init(&dead->node);
        dead->fileid = fileid;
        dead->record = *o;
        dead->reaper = r;
        list_push(&r->dying, &dead->node);
        r->waiting++;
        dead->gone = (struct durable_wait){ .seq = r->mds->store->written, .done = is_gone };
        mds_when_durable(r->mds, &dead->gone);
}

uint64_t reaper_waiting(const struct reaper *r)
{
        return r->waiting;
}

static bool load(void *arg, struct slice key, struct slice value)
{
        struct reaper *r = arg;
        struct orphan_record o;
        uint64_t fileid;

        if (!key_parse_u64(key, 'o', &fileid) || !orphan_decode(value, &o))
                log_error("orphan-record-damaged", "bytes=%u", value.length);
        else if (!o.open)
                reaper_add(r, fileid, &o);
        return true;
}

struct reaper *reaper_new(struct mds *mds)
{
        struct reaper *r = calloc(1, sizeof(*r));
        uint8_t key[KEY_MAX];

        if (!r)
                return NULL;
        r->mds = mds;
        r->task.run = run;
        r->retry.fire = retry;
        list_init(&r->task.node);
        list_init(&r->dying);
        list_init(&r->queue);
        list_init(&r->later);
        metric_counter(&mds->metrics, &r->reaped, "nacre_reaped_files_total",
                       "Deleted files whose objects are gone");
        metric_gauge(&mds->metrics, &r->backlog, "nacre_reaper_backlog_files",
                     "Deleted files whose objects are still to be removed");
        if (meta_scan(mds->meta, key_kind(key, 'o'), load, r) < 0) {
                reaper_free(r);
                return NULL;
        }
        return r;
}

void reaper_free(struct reaper *r)
{
        if (!r)
                return;
        timer_stop(&r->retry);
        list_remove(&r->task.node);
        list_splice(&r->queue, &r->later);
        list_splice(&r->queue, &r->dying);
        for (struct list *node = list_pop(&r->queue); node; node = list_pop(&r->queue)) {
                struct corpse *dead = CONTAINER(node, struct corpse, node);

                list_remove(&dead->gone.node);
                free(dead);
        }
        free(r);
}
