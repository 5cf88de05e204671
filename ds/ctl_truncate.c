/* SPDX-License-Identifier: Apache-2.0 */
/* TRUNCATE: cuts one object to what a file of the given size has here. It makes only one longer, which has
 * the file's last byte: from then on the objects alone tell the size, and an MDS that does not live to write
 * it down finds neither more nor less. Every worker holds new writes to the object back and waits for those
 * under way; then it is cut and the cut made durable, and answered; then they go on. So the MDS can tell the
 * sizes that it is pushed: what comes before the answer is of writes before the cut, what comes behind it of
 * later ones. */
#include <errno.h>
#include <stdlib.h>

#include "ds/ctl_client.h"
#include "ds/ctl_serve.h"
#include "ds/cut.h"
#include "include/stripe.h"
#include "ds/tier/tier.h"

enum { SLACK = 65536 /* bytes that a file takes beyond its length without any being reserved */ };

static const ctl_object *object_of(const struct ctl_request *r)
{
        return &r->args.truncate.object;
}

static uint64_t target_of(const struct ctl_request *r)
{
        const ctl_object *o = object_of(r);

        return stripe_object_size(ctl_object_stripe(o), o->index, r->args.truncate.size);
}

static bool has_end(const struct ctl_request *r)
{
        const ctl_object *o = object_of(r);

        return stripe_size_from_object(ctl_object_stripe(o), o->index, target_of(r)) == r->args.truncate.size;
}

static void hold_worker(struct leg *leg)
{
        const ctl_object *o = object_of(leg->visit->arg);

        cut_hold(leg, o->fileid, o->generation);
}

/* --- after the answer: who was held goes on */

struct release {
        struct visit visit;
        uint64_t fileid;
        uint32_t generation;
};

static void free_worker(struct leg *leg)
{
        const struct release *release = leg->visit->arg;

        cut_free(leg, release->fileid, release->generation, UINT64_MAX); /* shorten_worker() has been there */
}

static void all_freed(struct visit *v)
{
        struct ds *ds = v->ds;

        free(v->arg);
        ds->ctl_requests--;
        ds_stop_step(ds);
}

/* --- the cut */

static void shorten_worker(struct leg *leg)
{
        const struct ctl_request *r = leg->visit->arg;
        struct object *o = object_find(&leg->worker->objects, object_of(r)->fileid, object_of(r)->generation);

        CHECK(o != NULL && o->cuts > 0);
        if (o->size > target_of(r))
                o->size = target_of(r);
        object_release(o);
        leg_done(leg);
}

static void all_shortened(struct visit *v)
{
        struct ctl_request *r = v->arg;
        struct ds *ds = r->ds;
        struct release *release = calloc(1, sizeof(*release));

        CHECK(release != NULL); /* else writes would wait for ever */
        release->fileid = object_of(r)->fileid;
        release->generation = object_of(r)->generation;
        release->visit = (struct visit){ .ds = ds, .arg = release, .each = free_worker, .done = all_freed };
        pusher_shorten(&ds->pusher, release->fileid, r->args.truncate.size);
        ds->ctl_requests++; /* the release */
        ctl_serve_status(r, r->status);
        visit_start(&release->visit);
}

static void finish(struct ctl_request *r, ctl_status status)
{
        r->status = status;
        if (r->object)
                object_release(r->object);
        r->object = NULL;
        r->visit = (struct visit){ .ds = r->ds, .arg = r, .each = shorten_worker, .done = all_shortened };
        visit_start(&r->visit);
}

static void synced(struct sync_wait *sync, int error)
{
        struct ctl_request *r = CONTAINER(sync, struct ctl_request, sync);

        if (error)
                ds_disk_failed(r->ds, error, true);
        finish(r, error ? CTL_IO : CTL_OK);
}

static void make_durable(struct ctl_request *r)
{
        r->sync.synced = synced;
        object_sync(r->object, &r->sync);
}

static void have_cut(struct disk_req *disk)
{
        struct ctl_request *r = CONTAINER(disk, struct ctl_request, disk);

        if (disk->result < 0 && r->object->size < target_of(r)) {
                finish(r, CTL_OK); /* no disk is as large: nothing to cut */
        } else if (disk->result < 0) {
                ds_disk_failed(r->ds, (int)disk->result, false);
                finish(r, CTL_IO);
        } else {
                make_durable(r);
        }
}

static void cut(struct ctl_request *r)
{
        r->disk = (struct disk_req){
                .op = DISK_TRUNCATE, .fd = r->object->fd, .offset = target_of(r), .done = have_cut
        };
        disk_submit(r->ds->workers[0]->disk, &r->disk);
}

/* Also room behind the end goes (ctl_space.c). */
static bool is_right(const struct ctl_request *r, uint64_t allocated)
{
        uint64_t size = r->object->size, target = target_of(r);

        return size < target ? !has_end(r) : size == target && allocated <= size + SLACK;
}

static void opened(struct opener *opener, int error)
{
        struct ctl_request *r = CONTAINER(opener, struct ctl_request, opener);
        uint64_t allocated, mtime;

        if (!error)
                error = object_stat(r->object, &allocated, &mtime);
        if (error)
                finish(r, error == -ENOENT ? CTL_OK : CTL_IO);
        else if (is_right(r, allocated))
                make_durable(r); /* it may have been cut before we were killed */
        else
                cut(r);
}

static void all_held(struct visit *v)
{
        struct ctl_request *r = v->arg;

        r->object = object_hold(&r->ds->workers[0]->objects, object_of(r)->fileid, object_of(r)->generation);
        CHECK(r->object != NULL);
        r->opener = (struct opener){ .opened = opened };
        if (object_open(r->object, &r->opener) == 0)
                opened(&r->opener, 0);
}

void ctl_serve_truncate(struct ctl_request *r)
{
        const ctl_object *o = object_of(r);
        struct fh fh;

        if (!ctl_object_is_valid(o) || r->args.truncate.size > INT64_MAX) {
                ctl_client_nonsense(r->ds->ctl, "a truncation");
                ctl_serve_status(r, CTL_INVAL);
                return;
        }
        fh = ctl_object_fh(o);
        ds_tier_cut(r->ds->tier, &fh, o->index, r->args.truncate.size);
        r->visit = (struct visit){ .ds = r->ds, .arg = r, .each = hold_worker, .done = all_held };
        visit_start(&r->visit);
}
