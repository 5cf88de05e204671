/* SPDX-License-Identifier: Apache-2.0 */
/* REMOVE: the objects of deleted files. Every worker refuses their handles from now on, waits until nobody
 * uses them and closes them; then they are unlinked, and OK is said when that is durable, since the MDS
 * forgets the files then. */
#include <errno.h>
#include <stdlib.h>

#include "ds/ctl_serve.h"
#include "ds/tier/tier.h"

struct removal { /* one object */
        struct ctl_request *request;
        struct disk_req disk;
        struct folder_wait folder;
        uint64_t fileid;
        uint32_t generation;
        int error;
        char path[STORE_PATH];
};

static void close_next(struct leg *leg);

static void close_one(struct leg *leg)
{
        object_close(leg->object);
        object_release(leg->object);
        leg->at++;
}

static void unused(struct idle_wait *idle)
{
        struct leg *leg = CONTAINER(idle, struct leg, idle);

        close_one(leg);
        close_next(leg);
}

static void close_next(struct leg *leg)
{
        struct ctl_request *r = leg->visit->arg;
        const ctl_remove_args *a = &r->args.remove;

        while (leg->at < a->objects.objects_len) {
                const ctl_object *object = &a->objects.objects_val[leg->at];

                leg->object = object_find(&leg->worker->objects, object->fileid, object->generation);
                if (!leg->object) {
                        leg->at++;
                        continue;
                }
                leg->idle.idle = unused;
                if (!object_when_idle(leg->object, &leg->idle))
                        return;
                close_one(leg);
        }
        leg_done(leg);
}

static void close_on_worker(struct leg *leg)
{
        struct ctl_request *r = leg->visit->arg;
        const ctl_remove_args *a = &r->args.remove;

        for (u_int i = 0; i < a->objects.objects_len; i++)
                fence_table_removed(&leg->worker->fences, a->objects.objects_val[i].fileid);
        close_next(leg);
}

/* --- unlinking */

static void answer(struct ctl_request *r)
{
        struct removal *removals = r->results;
        ctl_statuses res = { .statuses.statuses_len = r->args.remove.objects.objects_len };

        res.statuses.statuses_val = calloc(res.statuses.statuses_len, sizeof(ctl_status));
        CHECK(res.statuses.statuses_val != NULL);
        for (u_int i = 0; i < res.statuses.statuses_len; i++)
                res.statuses.statuses_val[i] = removals[i].error ? CTL_IO : CTL_OK;
        free(removals);
        ctl_serve_answer(r, (xdrproc_t)xdr_ctl_statuses, &res);
        free(res.statuses.statuses_val);
}

static void ended(struct removal *m, int error)
{
        struct ctl_request *r = m->request;

        m->error = error;
        if (error)
                ds_disk_failed(r->ds, error, false);
        if (--r->pending == 0)
                answer(r);
}

static void durable(struct folder_wait *folder, int error)
{
        ended(CONTAINER(folder, struct removal, folder), error);
}

static void unlinked(struct disk_req *disk)
{
        struct removal *m = CONTAINER(disk, struct removal, disk);
        struct folders *folders = &m->request->ds->workers[0]->objects.folders;

        if (disk->result < 0) {
                ended(m, disk->result == -ENOENT ? 0 : (int)disk->result);
                return;
        }
        metric_add(&m->request->ds->counts.removed, 1);
        folder_changed(folders, object_folder(m->fileid));
        m->folder.done = durable;
        if (folder_sync(folders, object_folder(m->fileid), &m->folder))
                ended(m, 0);
}

static void unlink_object(struct removal *m)
{
        object_path(m->fileid, m->generation, m->path);
        m->disk = (struct disk_req){ .op = DISK_UNLINK, .path = m->path, .done = unlinked };
        disk_submit(m->request->ds->workers[0]->disk, &m->disk);
}

static void units_unlinked(struct disk_req *disk)
{
        struct removal *m = CONTAINER(disk, struct removal, disk);

        if (disk->result < 0 && disk->result != -ENOENT)
                ended(m, (int)disk->result);
        else
                unlink_object(m);
}

/* Of the S3 tier: which of its units are here. */
static void unlink_units(struct removal *m)
{
        units_path(m->fileid, m->generation, m->path);
        m->disk = (struct disk_req){ .op = DISK_UNLINK, .path = m->path, .done = units_unlinked };
        disk_submit(m->request->ds->workers[0]->disk, &m->disk);
}

static void all_closed(struct visit *v)
{
        struct ctl_request *r = v->arg;
        const ctl_remove_args *a = &r->args.remove;
        struct removal *removals = calloc(a->objects.objects_len, sizeof(*removals));
        bool tiered = atomic_load(&r->ds->tier->used);

        CHECK(removals != NULL);
        r->results = removals;
        r->pending = a->objects.objects_len;
        for (u_int i = 0; i < a->objects.objects_len; i++) {
                struct removal *m = &removals[i];

                m->request = r;
                m->fileid = a->objects.objects_val[i].fileid;
                m->generation = a->objects.objects_val[i].generation;
                if (tiered)
                        unlink_units(m);
                else
                        unlink_object(m);
        }
}

void ctl_serve_remove(struct ctl_request *r)
{
        ctl_statuses nothing = { 0 };

        if (r->args.remove.objects.objects_len == 0) {
                ctl_serve_answer(r, (xdrproc_t)xdr_ctl_statuses, &nothing);
                return;
        }
        for (u_int i = 0; i < r->args.remove.objects.objects_len; i++) {
                const ctl_object *o = &r->args.remove.objects.objects_val[i];

                ds_tier_removed(r->ds->tier, o->fileid, o->generation);
        }
        r->visit = (struct visit){ .ds = r->ds, .arg = r, .each = close_on_worker, .done = all_closed };
        visit_start(&r->visit);
}
