/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/virtual_env.h"

#include <errno.h>
#include <string.h>

#include "base/hashtab.h"

#define EPOCH_NS 1700000000000000000u

uint64_t lab_random(uint64_t *state)
{
        return hash_u64(*state += 0x9e3779b97f4a7c15u);
}

uint64_t lab_random_below(uint64_t *state, uint64_t below)
{
        return lab_random(state) % below;
}

static uint64_t virtual_now(struct env *env)
{
        return CONTAINER(env, struct virtual_env, env)->now;
}

static uint64_t virtual_wall(struct env *env)
{
        return EPOCH_NS + virtual_now(env);
}

static void virtual_random(struct env *env, void *out, uint32_t bytes)
{
        struct virtual_env *v = CONTAINER(env, struct virtual_env, env);

        for (uint32_t n, done = 0; done < bytes; done += n) {
                uint64_t value = lab_random(&v->random);

                n = bytes - done < sizeof(value) ? bytes - done : (uint32_t)sizeof(value);
                memcpy((uint8_t *)out + done, &value, n);
        }
}

static int no_listen(struct env *env, const struct netaddr *addr, accept_fn *fn, void *arg,
                     struct listener **ret)
{
        (void)env, (void)addr, (void)fn, (void)arg, (void)ret;
        return -EOPNOTSUPP;
}

static void no_unlisten(struct env *env, struct listener *listener)
{
        (void)env, (void)listener;
}

static int no_connect(struct env *env, const struct netaddr *addr, struct stream **ret)
{
        (void)env, (void)addr, (void)ret;
        return -EOPNOTSUPP;
}

static const struct env_ops virtual_ops = {
        .now_ns = virtual_now,
        .wall_ns = virtual_wall,
        .random = virtual_random,
        .listen = no_listen,
        .unlisten = no_unlisten,
        .connect = no_connect,
};

void virtual_env_init(struct virtual_env *v, uint64_t seed)
{
        *v = (struct virtual_env){ .now = 1, .random = seed };
        env_init(&v->env, &virtual_ops);
}

void virtual_env_destroy(struct virtual_env *v)
{
        env_destroy(&v->env);
}

bool virtual_env_run_until(struct virtual_env *v, uint64_t ns, bool (*done)(void *arg), void *arg)
{
        uint64_t end = v->now + ns;

        for (;;) {
                uint64_t due;

                env_run_tasks(&v->env);
                if (done && done(arg))
                        return true;
                due = env_next_timer(&v->env);
                if (due > end)
                        break;
                if (due > v->now)
                        v->now = due;
                env_run_timers(&v->env, v->now);
        }
        v->now = end;
        return false;
}

void virtual_env_run(struct virtual_env *v, uint64_t ns)
{
        virtual_env_run_until(v, ns, NULL, NULL);
}
