/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/visit.h"

#include <stdlib.h>

#include "base/check.h"

static void come_back(struct message *msg)
{
        struct leg *leg = CONTAINER(msg, struct leg, msg);
        struct visit *v = leg->visit;

        if (v->back)
                v->back(leg);
        CHECK(v->pending > 0);
        if (--v->pending > 0)
                return;
        if (v->legs != &v->only)
                free(v->legs);
        v->legs = NULL;
        v->done(v);
}

void leg_done(struct leg *leg)
{
        leg->msg.run = come_back;
        worker_post(leg->worker, leg->visit->ds->workers[0], &leg->msg);
}

static void drained(struct drain *d)
{
        leg_done(CONTAINER(d, struct leg, drain));
}

void leg_drain(struct leg *leg, struct inflight *in, bool (*matches)(void *arg, const struct fh *fh),
               void *arg)
{
        leg->drain.done = drained;
        if (inflight_drain(in, &leg->drain, matches, arg))
                leg_done(leg);
}

static void arrive(struct message *msg)
{
        struct leg *leg = CONTAINER(msg, struct leg, msg);

        leg->visit->each(leg);
}

/* The legs of other workers leave before our own runs, which may be the last and free them. */
void visit_start(struct visit *v)
{
        struct ds *ds = v->ds;

        CHECK(ds->worker_count > 0);
        v->pending = ds->worker_count;
        v->only = (struct leg){ 0 };
        v->legs = ds->worker_count == 1 ? &v->only : calloc(ds->worker_count, sizeof(*v->legs));
        CHECK(v->legs != NULL);
        for (uint32_t i = ds->worker_count; i-- > 0;) {
                struct leg *leg = &v->legs[i];

                leg->visit = v;
                leg->worker = ds->workers[i];
                leg->msg.run = arrive;
                worker_post(ds->workers[0], leg->worker, &leg->msg);
        }
}
