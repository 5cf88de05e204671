/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/cut.h"

#include "ds/io.h"
#include "ds/mapped.h"

void cut_hold(struct leg *leg, uint64_t fileid, uint32_t generation)
{
        struct worker *w = leg->worker;
        struct object *o = object_hold(&w->objects, fileid, generation);

        CHECK(o != NULL);
        o->cuts++;
        mapped_keep(w, fileid, generation);
        leg_drain(leg, &w->inflight, inflight_is_of, &fileid);
}

void cut_free(struct leg *leg, uint64_t fileid, uint32_t generation, uint64_t size)
{
        struct object *o = object_find(&leg->worker->objects, fileid, generation);
        struct list held = LIST_INIT(held);

        CHECK(o != NULL && o->cuts > 0);
        if (o->size > size)
                o->size = size;
        if (--o->cuts == 0)
                list_splice(&held, &o->held);
        object_release(o); /* cut_hold()'s */
        object_release(o);
        leg_done(leg);
        io_wake_all(&held);
}
