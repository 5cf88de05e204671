/* SPDX-License-Identifier: Apache-2.0 */
/* RELEASE: all of an object is in S3, so its room is given back (include/ctl.x).
 *
 * First the workers hold back new WRITEs and wait for those under way. If none of them came under a handle
 * that the MDS gave after it looked whether the file is clean, the residency is replaced by one that says
 * nothing is here, and that whoever wants to read waits for; then the READs that began before have their
 * bytes, and the units' file is not written to any more. It is removed, durably; only after that the object
 * is cut to nothing, since a crash between must not leave bits without bytes. Bytes without bits are fetched
 * over, with the same. A RESIDENT that is on its way is waited for: the MDS refuses it while it waits for us,
 * and when it has taken it, it does not wait for us any more, and so nothing goes.
 */
#include <errno.h>
#include <stdlib.h>

#include "ds/ctl_client.h"
#include "ds/ctl_serve.h"
#include "ds/cut.h"
#include "ds/tier/keep.h"
#include "ds/tier/room.h"
#include "ds/worker.h"

struct releasing {
        struct ctl_request *request;
        struct fh fh;
        uint32_t index;
        struct residency *old, *fresh; /* referenced */
        bool waited, cut;              /* for a load or RESIDENT's answer; the object is empty now */
        struct unit_wait wait;
        struct keep writer;
        uint64_t allocated, mtime_ns;
        ctl_status status;
};

static struct releasing *of(const struct ctl_request *r)
{
        return r->results;
}

static struct worker *first_worker(const struct releasing *g)
{
        return g->request->ds->workers[0];
}

/* --- the end: who was held goes on */

static void free_worker(struct leg *leg)
{
        const struct releasing *g = of(leg->visit->arg);

        cut_free(leg, g->fh.fileid, g->fh.generation, g->cut ? 0 : UINT64_MAX);
}

/* From now on what is read is fetched. */
static void renew(const struct releasing *g)
{
        struct list woken = LIST_INIT(woken);

        pthread_mutex_lock(&g->fresh->tier->lock);
        g->fresh->state = RESIDENCY_NEW;
        residency_collect(g->fresh, 0, true, TIER_AGAIN, &woken);
        pthread_mutex_unlock(&g->fresh->tier->lock);
        residency_tell(first_worker(g), &woken);
        residency_release(g->fresh);
}

static void all_freed(struct visit *v)
{
        struct ctl_request *r = v->arg;
        struct releasing *g = of(r);
        ctl_release_res res = { .status = g->status, .ctl_release_res_u.freed = g->cut ? g->allocated : 0 };

        if (g->fresh)
                renew(g);
        if (g->old)
                residency_release(g->old);
        free(g);
        r->results = NULL;
        ctl_serve_answer(r, (xdrproc_t)xdr_ctl_release_res, &res);
}

static void finish(struct releasing *g, ctl_status status)
{
        struct ctl_request *r = g->request;

        g->status = status;
        if (r->object)
                object_release(r->object);
        r->object = NULL;
        r->visit = (struct visit){ .ds = r->ds, .arg = r, .each = free_worker, .done = all_freed };
        visit_start(&r->visit);
}

/* --- the bytes */

/* Durably: were it longer again after a power cut, it would be longer than a file that has been cut since,
 * which there was nothing to be done for here. */
static void synced(struct sync_wait *sync, int error)
{
        struct ctl_request *r = CONTAINER(sync, struct ctl_request, sync);

        finish(of(r), error ? ctl_disk_error(r->ds, error, true) : CTL_OK);
}

/* Its mtime is that of the newest write, as before. */
static void have_cut(struct disk_req *disk)
{
        struct ctl_request *r = CONTAINER(disk, struct ctl_request, disk);
        struct disk *d = r->ds->workers[0]->disk;

        if (disk->result < 0) {
                finish(of(r), ctl_disk_error(r->ds, (int)disk->result, false));
                return;
        }
        of(r)->cut = true;
        if (of(r)->allocated > 0)
                room_made(r->ds->tier);
        d->ops->set_mtime(d, r->object->fd, of(r)->mtime_ns);
        r->sync.synced = synced;
        object_sync(r->object, &r->sync);
}

static void opened(struct opener *opener, int error)
{
        struct ctl_request *r = CONTAINER(opener, struct ctl_request, opener);
        struct releasing *g = of(r);

        if (!error)
                error = object_stat(r->object, &g->allocated, &g->mtime_ns);
        if (error) {
                finish(g, error == -ENOENT ? CTL_OK : ctl_disk_error(r->ds, error, false));
                return;
        }
        r->disk = (struct disk_req){ .op = DISK_TRUNCATE, .fd = r->object->fd, .done = have_cut };
        disk_submit(first_worker(g)->disk, &r->disk);
}

/* --- the units' file */

static void no_units(struct folder_wait *folder, int error)
{
        struct ctl_request *r = CONTAINER(folder, struct ctl_request, folder);

        if (error) {
                finish(of(r), ctl_disk_error(r->ds, error, true));
                return;
        }
        r->opener = (struct opener){ .opened = opened };
        if (object_open(r->object, &r->opener) == 0)
                opened(&r->opener, 0);
}

static void unlinked(struct disk_req *disk)
{
        struct ctl_request *r = CONTAINER(disk, struct ctl_request, disk);
        struct folders *folders = &r->ds->workers[0]->objects.folders;
        uint32_t folder = object_folder(of(r)->fh.fileid);

        if (disk->result < 0 && disk->result != -ENOENT) {
                finish(of(r), ctl_disk_error(r->ds, (int)disk->result, false));
                return;
        }
        if (disk->result == 0)
                folder_changed(folders, folder);
        r->folder.done = no_units;
        if (folder_sync(folders, folder, &r->folder))
                no_units(&r->folder, 0);
}

/* Nobody reads the object or writes the units' file any more. */
static void unlink_units(struct keep *writer)
{
        struct releasing *g = CONTAINER(writer, struct releasing, writer);
        struct ctl_request *r = g->request;

        r->object = object_hold(&first_worker(g)->objects, g->fh.fileid, g->fh.generation);
        CHECK(r->object != NULL);
        units_path(g->fh.fileid, g->fh.generation, r->path);
        r->disk = (struct disk_req){ .op = DISK_UNLINK, .path = r->path, .done = unlinked };
        disk_submit(first_worker(g)->disk, &r->disk);
}

/* --- what is under way */

static void drain_reads(struct leg *leg)
{
        struct releasing *g = of(leg->visit->arg);

        leg_drain(leg, &leg->worker->reads, inflight_is_of, &g->fh.fileid);
}

static void all_read(struct visit *v)
{
        struct releasing *g = of(v->arg);

        g->writer.done = unlink_units;
        if (!keep_wait_for_writer(first_worker(g), g->old, &g->writer))
                unlink_units(&g->writer);
}

static void drop_reference(struct releasing *g)
{
        residency_release(g->old);
        g->old = NULL;
}

/* With the lock: CTL_OK and g->fresh, or why not; or something is waited for: g->wait is. */
static ctl_status replace(struct releasing *g, struct list *woken)
{
        struct residency *old = g->old;

        if (atomic_load(&old->gone))
                return CTL_NOENT; /* the object is being removed */
        if ((g->waited && old->told) || residency_written_since(old, g->request->args.release.epoch))
                return CTL_REFUSED;
        if (old->state == RESIDENCY_LOADING || old->telling) {
                g->waited = true;
                g->wait.unit = old->telling ? UNIT_TOLD : UNIT_LOAD;
                residency_wait(old, &g->wait);
                return CTL_OK;
        }
        g->fresh = residency_replace(old, g->request->args.release.epoch);
        if (!g->fresh)
                return CTL_REFUSED;
        residency_collect(old, 0, true, TIER_AGAIN, woken);
        return CTL_OK;
}

static void look(struct unit_wait *wait)
{
        struct releasing *g = CONTAINER(wait, struct releasing, wait);
        struct ctl_request *r = g->request;
        struct list woken = LIST_INIT(woken);
        ctl_status status = CTL_REFUSED;

        g->old = residency_hold(r->ds->tier, &g->fh, g->index);
        if (g->old) {
                pthread_mutex_lock(&r->ds->tier->lock);
                status = replace(g, &woken);
                pthread_mutex_unlock(&r->ds->tier->lock);
                residency_tell(first_worker(g), &woken);
        }
        if (status != CTL_OK) {
                finish(g, status);
        } else if (g->fresh) {
                r->visit = (struct visit){ .ds = r->ds, .arg = r, .each = drain_reads, .done = all_read };
                visit_start(&r->visit);
        } else {
                drop_reference(g); /* it waits, and holds one itself */
        }
}

static void hold_worker(struct leg *leg)
{
        const struct releasing *g = of(leg->visit->arg);

        cut_hold(leg, g->fh.fileid, g->fh.generation);
}

static void all_held(struct visit *v)
{
        look(&of(v->arg)->wait);
}

void ctl_serve_release(struct ctl_request *r)
{
        const ctl_object *o = &r->args.release.object;
        struct releasing *g;
        ctl_release_res no = { .status = CTL_INVAL };

        if (!ctl_object_is_valid(o)) {
                ctl_client_nonsense(r->ds->ctl, "the geometry of an object");
                ctl_serve_answer(r, (xdrproc_t)xdr_ctl_release_res, &no);
                return;
        }
        g = calloc(1, sizeof(*g));
        CHECK(g != NULL);
        r->results = g;
        *g = (struct releasing){ .request = r, .fh = ctl_object_fh(o), .index = o->index };
        g->wait = (struct unit_wait){ .worker = first_worker(g), .done = look };
        list_init(&g->wait.node);
        r->visit = (struct visit){ .ds = r->ds, .arg = r, .each = hold_worker, .done = all_held };
        visit_start(&r->visit);
}
