/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/tier/hold.h"

#include "base/check.h"
#include "ds/tier/gate.h"
#include "nfs4/client.h"

static void wake(struct hold *h)
{
        struct io *io = h->io;
        struct session *session = io->compound->session;

        timer_stop(&h->limit);
        list_remove(&h->node);
        CHECK(session->held > 0);
        session->held--;
        metric_set(&io->worker->tier->counts.held, io->worker->tier->counts.held.value - 1);
        compound_wake(io->compound);
}

static void woken(struct unit_wait *w)
{
        wake(CONTAINER(w, struct hold, wait));
}

static void on_limit(struct timer *t)
{
        struct hold *h = CONTAINER(t, struct hold, limit);

        if (!residency_stop_waiting(&h->wait))
                return; /* its message is on the way */
        metric_add(&h->io->worker->tier->counts.gave_up, 1);
        h->wait.outcome = TIER_LATER;
        wake(h);
}

struct hold *hold_of(struct io *io)
{
        struct hold *h = io->hold ? io->hold : slab_get(&io->worker->tier->holds);

        if (!h || io->hold)
                return h;
        h->io = io;
        h->wait.worker = io->worker;
        h->wait.done = woken;
        h->limit.fire = on_limit;
        list_init(&h->node);
        list_init(&h->wait.node);
        io->hold = h;
        return h;
}

void hold_start(struct hold *h, uint32_t seconds)
{
        struct worker *w = h->io->worker;

        if (h->since_ns == 0)
                h->since_ns = env_now(w->env);
        h->io->compound->session->held++;
        metric_add(&w->tier->counts.held, 1);
        list_push(&w->tier->held, &h->node);
        timer_start(w->env, &h->limit, seconds * 1000000000ull);
}

void holds_end(struct tier_worker *tw)
{
        LIST_FOR_EACH_SAFE(node, &tw->held) {
                struct hold *h = CONTAINER(node, struct hold, node);

                if (residency_stop_waiting(&h->wait))
                        wake(h);
        }
}

void tier_hold_free(struct io *io)
{
        struct tier_worker *tw = io->worker->tier;
        struct hold *h = io->hold;

        CHECK(!h->wait.residency && !h->writes);
        if (h->since_ns != 0)
                histogram_add(&tw->counts.wait, env_now(tw->worker->env) - h->since_ns);
        io->hold = NULL;
        slab_put(&tw->holds, h);
}
