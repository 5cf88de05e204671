/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/tier/room.h"

#include <errno.h>

#include "ds/worker.h"
#include "nfs4/client.h"

static uint64_t seconds(uint64_t s)
{
        return s * 1000000000;
}

bool room_is_coming(struct worker *w)
{
        uint64_t made = atomic_load(&w->ds->tier->room_made_ns);

        return made > 0 && env_now(w->env) < made + seconds(ROOM_SECONDS);
}

static bool is_worth_it(struct worker *w, uint64_t since_ns)
{
        const struct ds_tier *t = w->ds->tier;
        uint64_t waited = env_now(w->env) - since_ns;
        bool tiered = atomic_load(&t->used) || atomic_load(&t->seen);

        return waited < seconds(room_is_coming(w) ? ROOM_SECONDS : tiered ? ROOM_FIRST_SECONDS : 0);
}

void room_made(struct ds_tier *t)
{
        atomic_store(&t->room_made_ns, env_now(t->ds->workers[0]->env));
}

static void wake_all(struct tier_worker *tw)
{
        struct list all = LIST_INIT(all);

        list_splice(&all, &tw->roomless);
        for (struct list *node; (node = list_pop(&all));) {
                struct compound *c = CONTAINER(node, struct io, node)->compound;

                c->session->held--;
                compound_wake(c);
        }
}

static void try_again(struct timer *t)
{
        wake_all(CONTAINER(t, struct tier_worker, room_timer));
}

enum nfsstat4 room_wait(struct io *io, int error, uint64_t *since_ns)
{
        struct worker *w = io->worker;
        struct session *session = io->compound->session;
        struct tier_worker *tw = w->tier;

        if (*since_ns == 0)
                *since_ns = env_now(w->env);
        if (error != -ENOSPC || w->turned_away || !is_worth_it(w, *since_ns))
                return io_disk_error(io, error, false);
        if (2 * (session->held + 1) > session->slot_count)
                return io->fh->flags & FH_PROXY ? NFS4ERR_DELAY : NFS4ERR_BAD_STATEID;
        session->held++;
        list_push(&tw->roomless, &io->node);
        tw->room_timer.fire = try_again;
        if (!timer_running(&tw->room_timer))
                timer_start(w->env, &tw->room_timer, ROOM_RETRY_MS * 1000000ull);
        return NFS4_WAIT;
}

void room_turn_away(struct tier_worker *tw)
{
        timer_stop(&tw->room_timer);
        wake_all(tw);
}
