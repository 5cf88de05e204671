/* SPDX-License-Identifier: Apache-2.0 */
/* ALLOCATE and DEALLOCATE: room for what one object has of a range of the file is reserved, or given back.
 * The object gets neither longer nor shorter, so nobody needs to wait for it and nothing is told of sizes; it
 * is made when room is to be reserved and it is not there. Answered when that is durable: bytes that were
 * punched out must not come back with the next start. */
#include <errno.h>

#include "ds/ctl_client.h"
#include "ds/ctl_serve.h"
#include "ds/io.h"
#include "ds/space.h"

enum { STEP = 256 << 20 /* bytes at a time: on tmpfs nobody else is served meanwhile */ };

static void finish(struct ctl_request *r, ctl_status status)
{
        ctl_used_res res = { .status = status };
        uint64_t mtime;

        if (status == CTL_OK && r->object->fd >= 0 &&
            object_stat(r->object, &res.ctl_used_res_u.used, &mtime) < 0)
                res.status = CTL_IO;
        object_release(r->object);
        r->object = NULL;
        ctl_serve_answer(r, (xdrproc_t)xdr_ctl_used_res, &res);
}

ctl_status ctl_disk_error(struct ds *ds, int error, bool data_lost)
{
        switch (-error) {
        case ENOSPC:
        case EDQUOT: return CTL_NOSPC;
        case EFBIG: return CTL_TOOBIG;
        case EOPNOTSUPP:
        case ENOSYS: return CTL_NOTSUPP;
        case ENOMEM:
        case EMFILE:
        case ENFILE:
        case EAGAIN: return CTL_REFUSED;
        default: ds_disk_failed(ds, error, data_lost); return CTL_IO;
        }
}

static void step_done(struct ctl_request *r, int error)
{
        if (error < 0)
                r->status = ctl_disk_error(r->ds, error, true);
        if (--r->pending == 0)
                finish(r, r->status);
}

static void synced(struct sync_wait *sync, int error)
{
        step_done(CONTAINER(sync, struct ctl_request, sync), error);
}

static void name_synced(struct folder_wait *folder, int error)
{
        step_done(CONTAINER(folder, struct ctl_request, folder), error);
}

static void make_durable(struct ctl_request *r)
{
        struct worker *w = r->ds->workers[0];

        r->status = CTL_OK;
        r->pending = 2;
        r->folder.done = name_synced;
        r->sync.synced = synced;
        object_sync(r->object, &r->sync);
        if (folder_sync(&w->objects.folders, object_folder(r->object->fileid), &r->folder))
                step_done(r, 0);
}

static uint64_t place_in_object(const struct ctl_request *r, uint64_t offset)
{
        const ctl_object *o = &r->args.range.object;

        return stripe_object_size(ctl_object_stripe(o), o->index, offset);
}

static uint64_t begin_of(const struct ctl_request *r)
{
        return place_in_object(r, r->args.range.offset);
}

static uint64_t end_of(const struct ctl_request *r)
{
        return place_in_object(r, r->args.range.offset + r->args.range.length);
}

static void changed(struct disk_req *disk);

static void change(struct ctl_request *r, uint64_t from)
{
        uint64_t left = r->upto - from;

        r->disk = (struct disk_req){ .op = r->proc == CTL_ALLOCATE ? DISK_ALLOCATE : DISK_PUNCH,
                                     .fd = r->object->fd,
                                     .offset = from,
                                     .span = left < STEP ? left : STEP,
                                     .done = changed };
        disk_submit(r->ds->workers[0]->disk, &r->disk);
}

static void changed(struct disk_req *disk)
{
        struct ctl_request *r = CONTAINER(disk, struct ctl_request, disk);

        if (disk->result < 0)
                finish(r, ctl_disk_error(r->ds, (int)disk->result, false));
        else if (disk->offset + disk->span < r->upto)
                change(r, disk->offset + disk->span);
        else
                make_durable(r);
}

/* What cannot succeed is not begun: the disk would be full then. */
static bool has_room(struct ctl_request *r, uint64_t allocated)
{
        uint64_t total, left;

        return space_for_data(r->ds->workers[0], &total, &left) < 0 ||
               end_of(r) - begin_of(r) <= left + allocated;
}

static ctl_status prepare(struct ctl_request *r)
{
        uint64_t allocated, mtime;
        int error = object_stat(r->object, &allocated, &mtime);

        if (error)
                return ctl_disk_error(r->ds, error, false);
        r->upto = end_of(r);
        if (r->proc == CTL_DEALLOCATE && r->upto > r->object->size)
                r->upto = r->object->size;
        return r->proc == CTL_DEALLOCATE || has_room(r, allocated) ? CTL_OK : CTL_NOSPC;
}

static void opened(struct opener *opener, int error)
{
        struct ctl_request *r = CONTAINER(opener, struct ctl_request, opener);
        ctl_status status;

        if (error) {
                finish(r, error == -ENOENT ? CTL_OK : ctl_disk_error(r->ds, error, false));
                return;
        }
        status = prepare(r);
        if (status != CTL_OK || begin_of(r) >= r->upto)
                finish(r, status);
        else
                change(r, begin_of(r));
}

void ctl_serve_space(struct ctl_request *r)
{
        const ctl_range_args *a = &r->args.range;
        ctl_used_res res = { .status = CTL_INVAL };

        if (!ctl_object_is_valid(&a->object) || a->offset > INT64_MAX || a->length > INT64_MAX - a->offset) {
                ctl_client_nonsense(r->ds->ctl, "a range of a file");
                ctl_serve_answer(r, (xdrproc_t)xdr_ctl_used_res, &res);
                return;
        }
        r->object = object_hold(&r->ds->workers[0]->objects, a->object.fileid, a->object.generation);
        CHECK(r->object != NULL);
        r->opener = (struct opener){ .create = r->proc == CTL_ALLOCATE && begin_of(r) < end_of(r),
                                     .opened = opened };
        if (object_open(r->object, &r->opener) == 0)
                opened(&r->opener, 0);
}
