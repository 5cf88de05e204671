/* SPDX-License-Identifier: Apache-2.0 */
/* Coroutines on an env, so that what a client does can be read from top to bottom. One runs until it waits;
 * then the machine's step goes on. A coroutine that is killed just never runs again: it may own nothing. */
#pragma once

#include <ucontext.h>

#include "base/env.h"

struct co {
        struct env *env;
        void (*run)(void *arg);
        void *arg;
        bool ended, awake; /* awake: since it began to wait */
        /* private */
        ucontext_t here, caller;
        char *stack;
        struct task resume;
        struct timer timer;
};

/* Begin to run RUN(ARG), from the next turn on. Give back with co_end(). */
void co_start(struct co *co, struct env *env, void (*run)(void *arg), void *arg);
/* It never runs again; twice is harmless, and so is one that never started (zeroed). Not from inside. */
void co_end(struct co *co);
/* Wake CO where it waits. */
void co_wake(struct co *co);

/* For the one that runs: wait until somebody wakes it, or NS have passed (UINT64_MAX: for ever): false then.
 */
bool co_wait(uint64_t ns);
void co_sleep(uint64_t ns); /* nobody can wake it */
struct co *co_self(void);
