/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/inflight.h"

#include "base/check.h"

void inflight_init(struct inflight *in)
{
        *in = (struct inflight){ .next_number = 1 };
        list_init(&in->tickets);
        list_init(&in->drains);
}

void inflight_begin(struct inflight *in, struct ticket *t, const struct fh *fh)
{
        t->fh = fh;
        t->number = in->next_number++;
        list_push(&in->tickets, &t->node);
        in->count++;
}

/* Everything up to D->upto has landed. */
static bool is_drained(const struct inflight *in, const struct drain *d)
{
        return list_empty(&in->tickets) || CONTAINER(in->tickets.next, struct ticket, node)->number > d->upto;
}

void inflight_end(struct inflight *in, struct ticket *t)
{
        struct list ready = LIST_INIT(ready);

        CHECK(in->count > 0);
        list_remove(&t->node);
        in->count--;
        LIST_FOR_EACH_SAFE(node, &in->drains) {
                if (!is_drained(in, CONTAINER(node, struct drain, node)))
                        continue;
                list_remove(node);
                list_push(&ready, node);
        }
        for (struct list *node; (node = list_pop(&ready));) {
                struct drain *d = CONTAINER(node, struct drain, node);

                d->done(d);
        }
}

bool inflight_is_of(void *fileid, const struct fh *fh)
{
        return fh->fileid == *(const uint64_t *)fileid;
}

bool inflight_any(const struct inflight *in, bool (*matches)(void *arg, const struct fh *fh), void *arg)
{
        LIST_FOR_EACH(node, &in->tickets)
                if (matches(arg, CONTAINER(node, struct ticket, node)->fh))
                        return true;
        return false;
}

bool inflight_drain(struct inflight *in, struct drain *d, bool (*matches)(void *arg, const struct fh *fh),
                    void *arg)
{
        for (struct list *node = in->tickets.prev; node != &in->tickets; node = node->prev) {
                struct ticket *t = CONTAINER(node, struct ticket, node);

                if (!matches(arg, t->fh))
                        continue;
                d->upto = t->number;
                list_push(&in->drains, &d->node);
                return false;
        }
        return true;
}
