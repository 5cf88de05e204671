/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator's world: machines that share one virtual time, each with an env (base/env.h) of its own, and
 * everything random from one seed. One step is what one machine does at one moment: the timers that are due
 * and what they deferred. The same seed makes the same steps; `trace` is a hash of all of them. */
#pragma once

#include "base/env.h"

enum { WORLD_NODES = 32 };
#define MS_NS 1000000ull
#define SECOND_NS 1000000000ull

struct world;
struct net; /* net.h */

struct node {
        struct env env; /* first */
        struct world *world;
        const char *name;
        uint8_t host;           /* its address is 192.0.2.HOST; 0: has none */
        bool off;               /* without power: says nothing, answers nothing */
        uint64_t random;        /* what its process draws from */
        int64_t wall_skew_ns;   /* its wall clock against the world's */
        uint64_t stopped_until; /* as by SIGSTOP: it does nothing before */
};

struct world {
        uint64_t seed, now, random, steps, trace;
        struct node nodes[WORLD_NODES];
        uint32_t node_count;
        struct net *net;
        bool blocked[WORLD_NODES + 1][WORLD_NODES + 1]; /* [from][to], by host: net_block() */
        bool verbose;                                   /* print what is said */
};

void world_init(struct world *w, uint64_t seed, bool verbose);
void world_destroy(struct world *w);
/* A machine; its env is ready. It stays until world_destroy(). */
struct node *world_add(struct world *w, const char *name);
struct node *world_node_at(struct world *w, const struct netaddr *addr); /* NULL: nobody's address */
struct netaddr node_address(const struct node *n, uint16_t port);
/* One step; false: nothing will ever happen again, or not before END. */
bool world_step(struct world *w, uint64_t end);
/* Let NODE alone do what it can do now, and pass its timers: what a dead process still has to free. */
void world_exhaust(struct node *n, bool (*done)(void *arg), void *arg);
/* 0 … below - 1; and once in N. */
uint64_t world_random(struct world *w, uint64_t below);
bool world_once_in(struct world *w, uint64_t n);

/* Something that happens, into the trace; one line of it, into the trace and (when verbose) to stdout. */
void world_note(struct world *w, uint64_t value);
__attribute__((format(printf, 3, 4))) void world_say(struct world *w, const char *who, const char *format,
                                                     ...);
/* The simulator has found something: say what, with the seed, and end the process with status 1. */
__attribute__((format(printf, 2, 3))) _Noreturn void world_fail(struct world *w, const char *format, ...);
