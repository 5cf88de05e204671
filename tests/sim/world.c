/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/hashtab.h"
#include "tests/lab/virtual_env.h"
#include "tests/sim/net.h"

#define EPOCH_NS (1700000000 * SECOND_NS)

/* --- the env of a machine */

static struct node *node_of(struct env *env)
{
        return CONTAINER(env, struct node, env);
}

static uint64_t now_ns(struct env *env)
{
        return node_of(env)->world->now;
}

static uint64_t wall_ns(struct env *env)
{
        return EPOCH_NS + now_ns(env) + (uint64_t)node_of(env)->wall_skew_ns;
}

static void random_bytes(struct env *env, void *out, uint32_t bytes)
{
        struct node *n = node_of(env);

        for (uint32_t part, done = 0; done < bytes; done += part) {
                uint64_t value = lab_random(&n->random);

                part = bytes - done < sizeof(value) ? bytes - done : (uint32_t)sizeof(value);
                memcpy((uint8_t *)out + done, &value, part);
        }
}

static const struct env_ops node_ops = {
        .now_ns = now_ns,
        .wall_ns = wall_ns,
        .random = random_bytes,
        .listen = net_listen,
        .unlisten = net_unlisten,
        .connect = net_connect,
};

/* --- machines */

void world_init(struct world *w, uint64_t seed, bool verbose)
{
        *w = (struct world){
                .seed = seed, .now = SECOND_NS, .random = hash_u64(seed + 1), .verbose = verbose
        };
        w->net = net_new(w);
        if (verbose)
                setlinebuf(stdout);
}

void world_destroy(struct world *w)
{
        net_free(w->net);
        for (uint32_t i = 0; i < w->node_count; i++)
                env_destroy(&w->nodes[i].env);
}

struct node *world_add(struct world *w, const char *name)
{
        struct node *n = &w->nodes[w->node_count++];

        CHECK(w->node_count <= WORLD_NODES);
        *n = (struct node){
                .world = w, .name = name, .host = (uint8_t)w->node_count, .random = lab_random(&w->random)
        };
        env_init(&n->env, &node_ops);
        return n;
}

struct netaddr node_address(const struct node *n, uint16_t port)
{
        return (struct netaddr){ .family = 4, .port = port, .bytes = { 192, 0, 2, n->host } };
}

struct node *world_node_at(struct world *w, const struct netaddr *addr)
{
        uint8_t host = addr->bytes[3];

        return host >= 1 && host <= w->node_count ? &w->nodes[host - 1] : NULL;
}

/* --- time */

static uint64_t due(const struct node *n)
{
        uint64_t at = list_empty(&n->env.tasks) ? env_next_timer(&n->env) : n->world->now;

        return at < n->stopped_until ? n->stopped_until : at;
}

void world_note(struct world *w, uint64_t value)
{
        w->trace = hash_u64(w->trace ^ value) + 1;
}

static void run(struct node *n)
{
        env_run_timers(&n->env, n->world->now);
        env_run_tasks(&n->env);
}

bool world_step(struct world *w, uint64_t end)
{
        struct node *next = &w->nodes[0];

        for (uint32_t i = 1; i < w->node_count; i++)
                if (due(&w->nodes[i]) < due(next))
                        next = &w->nodes[i];
        if (due(next) > end)
                return false;
        if (due(next) > w->now)
                w->now = due(next);
        w->steps++;
        world_note(w, w->now ^ (uint64_t)next->host << 56);
        run(next);
        return true;
}

/* Time does not pass for the others, nor for what it did: the clock is turned back. */
void world_exhaust(struct node *n, bool (*done)(void *arg), void *arg)
{
        struct world *w = n->world;
        uint64_t now = w->now;

        for (;;) {
                env_run_tasks(&n->env);
                if (done(arg))
                        break;
                if (env_next_timer(&n->env) == UINT64_MAX)
                        world_fail(w, "%s does not end", n->name);
                if (env_next_timer(&n->env) > w->now)
                        w->now = env_next_timer(&n->env);
                env_run_timers(&n->env, w->now);
        }
        w->now = now;
}

uint64_t world_random(struct world *w, uint64_t below)
{
        return lab_random_below(&w->random, below);
}

bool world_once_in(struct world *w, uint64_t n)
{
        return world_random(w, n) == 0;
}

/* --- what is told */

void world_say(struct world *w, const char *who, const char *format, ...)
{
        char line[256];
        va_list args;
        int length;

        va_start(args, format);
        length = vsnprintf(line, sizeof(line), format, args);
        va_end(args);
        for (int i = 0; i < length && i < (int)sizeof(line); i++)
                world_note(w, (uint8_t)line[i]);
        if (w->verbose)
                printf("%12.6f %8" PRIu64 " %-5s %s\n", (double)w->now / 1e9, w->steps, who, line);
}

void world_fail(struct world *w, const char *format, ...)
{
        va_list args;

        fflush(stdout);
        fprintf(stderr, "seed %" PRIu64 " failed at %.6f s, step %" PRIu64 ": ", w->seed,
                (double)w->now / 1e9, w->steps);
        va_start(args, format);
        vfprintf(stderr, format, args);
        va_end(args);
        fputc('\n', stderr);
        _exit(1);
}
