/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/internal.h"

static uint64_t stall_ns(const struct stall_watch *w)
{
        return (uint64_t)w->conn->server->limits.stall_ms * 1000000u;
}

void watch_init(struct stall_watch *w, struct conn *c, const uint64_t *moved, void (*fire)(struct timer *))
{
        *w = (struct stall_watch){ .timer.fire = fire, .conn = c, .moved = moved };
}

void watch_begin(struct stall_watch *w)
{
        struct env *env = w->conn->server->env;

        w->on = true;
        w->since_ns = env_now(env);
        w->since_moved = *w->moved;
        if (!timer_running(&w->timer))
                timer_start(env, &w->timer, stall_ns(w));
}

bool watch_stalled(struct stall_watch *w)
{
        struct env *env = w->conn->server->env;
        uint64_t waited;

        if (!w->on)
                return false;
        waited = env_now(env) - w->since_ns;
        if (waited < stall_ns(w)) { /* the timer is an older one's */
                timer_start(env, &w->timer, stall_ns(w) - waited);
                return false;
        }
        if (*w->moved - w->since_moved < BUF_SMALL)
                return true;
        watch_begin(w);
        return false;
}
