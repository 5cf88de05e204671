/* SPDX-License-Identifier: Apache-2.0 */
/* GETSIZES: how long the files are as far as is known here. First the workers say which of them have writes
 * under way or an announcement on its way, and note for the others that the next unstable write must announce
 * again; then the sizes are read. What settled is said of only when no announcement has left in the meantime
 * (push.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ds/ctl_client.h"
#include "ds/ctl_serve.h"
#include "include/stripe.h"

static void settle_worker(struct leg *leg)
{
        struct ctl_request *r = leg->visit->arg;
        const ctl_getsizes_args *a = &r->args.getsizes;
        struct worker *w = leg->worker;

        for (u_int i = 0; i < a->objects.objects_len; i++) {
                uint64_t fileid = a->objects.objects_val[i].fileid;
                struct object *o = object_find(&w->objects, fileid, a->objects.objects_val[i].generation);

                if (!o)
                        continue;
                if (o->announcing || inflight_any(&w->inflight, inflight_is_of, &fileid))
                        leg->marks[i / 64] |= 1ull << i % 64;
                else
                        o->announced = 0;
                object_release(o);
        }
        leg_done(leg);
}

static void collect(struct leg *leg)
{
        struct ctl_request *r = leg->visit->arg;

        for (int i = 0; i < 8; i++)
                r->marks[i] |= leg->marks[i];
}

static void answer(struct ctl_request *r)
{
        const ctl_getsizes_args *a = &r->args.getsizes;
        ctl_getsizes_res res = { .sizes.sizes_len = a->objects.objects_len, .sizes.sizes_val = r->results };

        for (uint32_t i = 0; i < res.sizes.sizes_len; i++) {
                ctl_size *size = &res.sizes.sizes_val[i];

                size->settled = size->status != CTL_IO && size->status != CTL_INVAL &&
                                !((r->marks[i / 64] | r->settle.touched[i / 64]) >> i % 64 & 1);
        }
        pusher_unwatch(&r->settle);
        ctl_serve_answer(r, (xdrproc_t)xdr_ctl_getsizes_res, &res);
        free(res.sizes.sizes_val);
}

static void put_size(struct ctl_request *r, int error)
{
        const ctl_object *object = &r->args.getsizes.objects.objects_val[r->at];
        ctl_size *size = &((ctl_size *)r->results)[r->at];
        const struct stripe stripe = { object->unit, object->width, object->first };
        uint64_t used = 0, mtime = 0;

        if (!error)
                error = object_stat(r->object, &used, &mtime);
        *size = (ctl_size){ .status = error == 0 ? CTL_OK : error == -ENOENT ? CTL_NOENT : CTL_IO };
        if (!error)
                *size = (ctl_size){ .size = stripe_size_from_object(stripe, object->index, r->object->size),
                                    .mtime_ns = mtime,
                                    .used = used };
        object_release(r->object);
        r->object = NULL;
        r->at++;
}

static void next(struct ctl_request *r);

static void opened(struct opener *opener, int error)
{
        struct ctl_request *r = CONTAINER(opener, struct ctl_request, opener);

        put_size(r, error);
        next(r);
}

static void next(struct ctl_request *r)
{
        const ctl_getsizes_args *a = &r->args.getsizes;

        while (r->at < a->objects.objects_len) {
                const ctl_object *object = &a->objects.objects_val[r->at];

                if (!ctl_object_is_valid(object)) {
                        ctl_client_nonsense(r->ds->ctl, "the geometry of an object");
                        ((ctl_size *)r->results)[r->at++].status = CTL_INVAL;
                        continue;
                }
                r->object = object_hold(&r->ds->workers[0]->objects, object->fileid, object->generation);
                CHECK(r->object != NULL);
                r->opener = (struct opener){ .opened = opened };
                if (object_open(r->object, &r->opener) < 0)
                        return;
                put_size(r, 0);
        }
        answer(r);
}

static void workers_asked(struct visit *v)
{
        next(v->arg);
}

void ctl_serve_getsizes(struct ctl_request *r)
{
        const ctl_getsizes_args *a = &r->args.getsizes;
        ctl_getsizes_res nothing = { 0 };

        if (a->objects.objects_len == 0) {
                ctl_serve_answer(r, (xdrproc_t)xdr_ctl_getsizes_res, &nothing);
                return;
        }
        r->results = calloc(a->objects.objects_len, sizeof(ctl_size));
        CHECK(r->results != NULL);
        r->at = 0;
        memset(r->marks, 0, sizeof(r->marks));
        r->settle = (struct settle){ .objects = a->objects.objects_val, .count = a->objects.objects_len };
        pusher_watch(&r->ds->pusher, &r->settle);
        r->visit = (struct visit){
                .ds = r->ds, .arg = r, .each = settle_worker, .back = collect, .done = workers_asked
        };
        visit_start(&r->visit);
}
