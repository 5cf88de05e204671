/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/loop_wait.h"

static void stop(struct loop_wait *w, bool met)
{
        w->met = met;
        w->condition = NULL;
        loop_stop(w->loop);
}

static void look(struct turn_hook *hook)
{
        struct loop_wait *w = CONTAINER(hook, struct loop_wait, hook);

        if (w->condition && w->condition(w->arg))
                stop(w, true);
}

static void give_up(struct timer *t)
{
        stop(CONTAINER(t, struct loop_wait, limit), false);
}

void loop_wait_init(struct loop_wait *w, struct loop *loop)
{
        *w = (struct loop_wait){ .loop = loop, .hook.fn = look, .limit.fire = give_up };
        loop_at_turn_end(loop, &w->hook);
}

void loop_wait_end(struct loop_wait *w)
{
        list_remove(&w->hook.node);
}

bool loop_wait_for(struct loop_wait *w, bool (*condition)(void *arg), void *arg, uint32_t ms)
{
        if (condition(arg))
                return true;
        w->condition = condition;
        w->arg = arg;
        timer_start(loop_env(w->loop), &w->limit, ms * 1000000ull);
        loop_run(w->loop);
        timer_stop(&w->limit);
        return w->met;
}
