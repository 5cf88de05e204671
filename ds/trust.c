/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/trust.h"

#include "base/log.h"

enum { MARGIN_PART = 8 }; /* of trust_ms: nothing begins in the last eighth */

static void enter(struct trust *t, enum trust_state state)
{
        t->state = state;
        t->changed(t->arg, state);
}

static void on_timer(struct timer *timer)
{
        struct trust *t = CONTAINER(timer, struct trust, timer);

        if (t->state == TRUST_HELD) {
                log_warn("trust-lost", "park_ms=%llu", (unsigned long long)(t->park_ns / 1000000));
                timer_start(t->env, &t->timer, t->park_ns);
                enter(t, TRUST_LOST);
        } else if (t->state == TRUST_LOST) {
                log_warn("trust-gone", "what=%s", "closing client connections");
                enter(t, TRUST_CLOSED);
        }
}

void trust_init(struct trust *t, struct env *env, uint64_t park_ms,
                void (*changed)(void *arg, enum trust_state now), void *arg)
{
        *t = (struct trust){
                .env = env, .state = TRUST_LOST, .park_ns = park_ms * 1000000, .changed = changed, .arg = arg
        };
        t->timer.fire = on_timer;
        timer_start(env, &t->timer, t->park_ns);
}

void trust_stop(struct trust *t)
{
        timer_stop(&t->timer);
        atomic_store(&t->until_ns, 0);
}

void trust_extend(struct trust *t, uint64_t sent_ns, uint32_t trust_ms)
{
        uint64_t trust_ns = trust_ms * 1000000ull, now = env_now(t->env);
        uint64_t until = sent_ns + trust_ns - trust_ns / MARGIN_PART;
        bool parked;

        if (until <= now || sent_ns < t->sent_ns)
                return;
        t->sent_ns = sent_ns;
        /* Before `parked` is read: trust_park() does it the other way round. */
        atomic_store(&t->until_ns, until);
        parked = atomic_exchange(&t->parked, false);
        timer_start(t->env, &t->timer, until - now);
        if (t->state != TRUST_HELD)
                log_info("trust", "ms=%llu", (unsigned long long)((until - now) / 1000000));
        if (t->state != TRUST_HELD || parked)
                enter(t, TRUST_HELD);
}

bool trust_park(struct trust *t, uint64_t now)
{
        atomic_store(&t->parked, true);
        return now >= atomic_load(&t->until_ns);
}
