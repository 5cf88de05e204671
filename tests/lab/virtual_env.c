/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/virtual_env.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hashtab.h"

#define EPOCH_NS 1700000000000000000u

struct listener {
        struct list node; /* in virtual_env.listeners */
        struct netaddr addr;
        accept_fn *fn;
        void *arg;
};

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

static struct listener *find_listener(struct virtual_env *v, const struct netaddr *addr)
{
        LIST_FOR_EACH(node, &v->listeners)
                if (netaddr_equal(&CONTAINER(node, struct listener, node)->addr, addr))
                        return CONTAINER(node, struct listener, node);
        return NULL;
}

static int virtual_listen(struct env *env, const struct netaddr *addr, accept_fn *fn, void *arg,
                          struct listener **ret)
{
        struct virtual_env *v = CONTAINER(env, struct virtual_env, env);
        struct listener *l;

        if (find_listener(v, addr))
                return -EADDRINUSE;
        l = calloc(1, sizeof(*l));
        CHECK(l != NULL);
        *l = (struct listener){ .addr = *addr, .fn = fn, .arg = arg };
        list_push(&v->listeners, &l->node);
        *ret = l;
        return 0;
}

static void virtual_unlisten(struct env *env, struct listener *l)
{
        (void)env;
        list_remove(&l->node);
        free(l);
}

static int virtual_connect(struct env *env, const struct netaddr *addr, struct stream **ret)
{
        struct virtual_env *v = CONTAINER(env, struct virtual_env, env);
        struct listener *l = find_listener(v, addr);
        struct stream *ends[2];

        if (!l)
                return -ECONNREFUSED;
        v->net.seed++;
        stream_pair_new(env, &v->net, ends);
        ends[0]->peer = ends[1]->local = *addr;
        ends[0]->local = ends[1]->peer = (struct netaddr){ .family = 4,
                                                           .port = (uint16_t)(1024 + v->net.seed % 60000),
                                                           .bytes = { 192, 0, 2, 1 } };
        l->fn(l->arg, ends[1]);
        *ret = ends[0];
        return 0;
}

static const struct env_ops virtual_ops = {
        .now_ns = virtual_now,
        .wall_ns = virtual_wall,
        .random = virtual_random,
        .listen = virtual_listen,
        .unlisten = virtual_unlisten,
        .connect = virtual_connect,
};

void virtual_env_init(struct virtual_env *v, uint64_t seed)
{
        *v = (struct virtual_env){ .now = 1, .random = seed };
        list_init(&v->listeners);
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
