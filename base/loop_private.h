/* SPDX-License-Identifier: Apache-2.0 */
/* What loop.c (turns) and loop_tcp.c (sockets) share. */
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdatomic.h>

#include "base/loop.h"

struct loop {
        struct env env; /* first */
        struct event_base *base;
        struct list watches, signals, hooks;
        bool stopping;

        struct event alarm; /* wakes the loop for the first timer of the heap */
        uint64_t alarm_ns;  /* when, UINT64_MAX while not set */

        /* The inbox: a stack that any thread pushes on and the loop takes whole, turning it round. */
        _Atomic(struct message *) inbox;
        atomic_bool asleep; /* the next post must ring the bell */
        int bell_fd;        /* an eventfd, edge-triggered: never read */
        struct event bell;

        uint64_t turn_began_ns; /* 0 until the turn's first event */
        _Atomic uint64_t longest_turn_ns;
};

static inline struct loop *loop_of(struct env *env)
{
        return CONTAINER(env, struct loop, env);
}

/* Every callback from libevent says so first: the lag is measured from there. */
static inline void loop_note_event(struct loop *loop)
{
        if (loop->turn_began_ns == 0)
                loop->turn_began_ns = env_now(&loop->env);
}

/* loop_tcp.c */
int tcp_listen(struct env *env, const struct netaddr *addr, accept_fn *fn, void *arg, struct listener **ret);
void tcp_unlisten(struct env *env, struct listener *listener);
int tcp_connect(struct env *env, const struct netaddr *addr, struct stream **ret);
