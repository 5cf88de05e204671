/* SPDX-License-Identifier: Apache-2.0 */
/* SEEK: where the next data, or the next hole, of one object begin, as an offset of the file. What an object
 * has is in the order of the file, so its first place is also the first of the file that is here; the MDS
 * takes the first of all objects. An object ends with a hole, wherever the file does. */
#include <errno.h>

#include "ds/ctl_client.h"
#include "ds/ctl_serve.h"
#include "ds/io.h"

static void answer(struct ctl_request *r, ctl_seek_res *res)
{
        if (r->object)
                object_release(r->object);
        r->object = NULL;
        ctl_serve_answer(r, (xdrproc_t)xdr_ctl_seek_res, res);
}

/* The first byte of the object that lies at or behind the offset asked for. */
static uint64_t begin_of(const struct ctl_request *r)
{
        const ctl_seek_args *a = &r->args.seek;

        return stripe_object_size(ctl_object_stripe(&a->object), a->object.index, a->offset);
}

/* It begins at object offset AT; -ENXIO: the object ends before the place asked for, or has no data there. */
static void found(struct ctl_request *r, int64_t at)
{
        const ctl_seek_args *a = &r->args.seek;
        ctl_seek_res res = { .status = CTL_OK };

        if (at == -ENXIO && a->hole)
                at = (int64_t)begin_of(r);
        if (at == -ENXIO)
                res.status = CTL_NOENT;
        else if (at < 0)
                res.status = ctl_disk_error(r->ds, (int)at, false);
        else
                res.ctl_seek_res_u.offset =
                        stripe_file_offset(ctl_object_stripe(&a->object), a->object.index, (uint64_t)at);
        answer(r, &res);
}

static void sought(struct disk_req *disk)
{
        found(CONTAINER(disk, struct ctl_request, disk), disk->result);
}

static void opened(struct opener *opener, int error)
{
        struct ctl_request *r = CONTAINER(opener, struct ctl_request, opener);

        if (error) {
                found(r, error == -ENOENT ? -ENXIO : error);
                return;
        }
        r->disk = (struct disk_req){ .op = r->args.seek.hole ? DISK_SEEK_HOLE : DISK_SEEK_DATA,
                                     .fd = r->object->fd,
                                     .offset = begin_of(r),
                                     .done = sought };
        disk_submit(r->ds->workers[0]->disk, &r->disk);
}

void ctl_serve_seek(struct ctl_request *r)
{
        const ctl_seek_args *a = &r->args.seek;

        if (!ctl_object_is_valid(&a->object) || a->offset > INT64_MAX) {
                ctl_client_nonsense(r->ds->ctl, "a place to seek from");
                answer(r, &(ctl_seek_res){ .status = CTL_INVAL });
                return;
        }
        r->object = object_hold(&r->ds->workers[0]->objects, a->object.fileid, a->object.generation);
        CHECK(r->object != NULL);
        r->opener = (struct opener){ .opened = opened };
        if (object_open(r->object, &r->opener) == 0)
                opened(&r->opener, 0);
}
