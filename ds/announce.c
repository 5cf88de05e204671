/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/announce.h"

#include <ctl.h>

#include "ds/store/fdcache.h"

static void announced(struct push *p);

static void start_announcing(struct worker *w, struct announce *a)
{
        struct object *o = a->object;

        o->announcing = true;
        a->push = (struct push){ .fileid = o->fileid,
                                 .generation = o->generation,
                                 .epoch = a->epoch,
                                 .dirty = true,
                                 .done = announced };
        push_send(w, &a->push);
}

/* Those whose epoch is covered go on; of the others the first announces again. */
static void announced(struct push *p)
{
        struct announce *first = CONTAINER(p, struct announce, push);
        struct object *o = first->object;
        struct worker *w = p->worker;
        struct list ready = LIST_INIT(ready);
        uint64_t covered = first->epoch + 1ull;
        int status = p->status;

        o->announcing = false;
        if (status == CTL_OK && covered > o->announced)
                o->announced = covered;
        LIST_FOR_EACH_SAFE(node, &o->announce_waits) {
                if (CONTAINER(node, struct announce, node)->epoch >= covered)
                        continue;
                list_remove(node);
                list_push(&ready, node);
        }
        if (!list_empty(&o->announce_waits))
                start_announcing(w, CONTAINER(o->announce_waits.next, struct announce, node));
        for (struct list *node; (node = list_pop(&ready));) {
                struct announce *a = CONTAINER(node, struct announce, node);

                a->done(a, status);
        }
}

bool announce(struct worker *w, struct object *o, uint32_t epoch, struct announce *a)
{
        if (epoch < o->announced)
                return true;
        a->object = o;
        a->epoch = epoch;
        list_push(&o->announce_waits, &a->node);
        if (!o->announcing)
                start_announcing(w, a);
        return false;
}
