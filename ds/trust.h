/* SPDX-License-Identifier: Apache-2.0 */
/* May this data server serve? Only while it knows that it hears of every fence: trust lasts trust_ms from the
 * sending of the last HELLO or HEARTBEAT that was answered, and the MDS waits as long before it goes on
 * without us. Without trust I/O is parked for a while (an MDS that restarts is back in seconds), then the
 * clients' connections are closed, because a data server that is silent hangs a Linux client for ever, and
 * one that is gone makes it fall back at once. */
#pragma once

#include <stdatomic.h>

#include "base/env.h"

enum { TRUST_PARK_MS = 10000 };

enum trust_state {
        TRUST_HELD,   /* serve */
        TRUST_LOST,   /* park; also before the first HELLO */
        TRUST_CLOSED, /* clients are turned away */
};

struct trust {
        struct env *env;
        enum trust_state state;
        _Atomic uint64_t until_ns; /* workers read it before each I/O */
        _Atomic bool parked;       /* somebody waits to be told that it is extended */
        uint64_t park_ns, sent_ns; /* sent_ns: of the call that trust runs from */
        struct timer timer;
        /* To park, close or serve again; HELD also when it was all the time, but somebody had parked: a
         * worker may see its end before the timer does, and the timer never when it is extended just then. */
        void (*changed)(void *arg, enum trust_state now);
        void *arg;
};

/* Begins as TRUST_LOST; CHANGED is not called for that. */
void trust_init(struct trust *t, struct env *env, uint64_t park_ms,
                void (*changed)(void *arg, enum trust_state now), void *arg);
void trust_stop(struct trust *t);
/* A call sent at SENT_NS was answered. A part of TRUST_MS is kept back for writes that are on their way to
 * disk when trust ends. */
void trust_extend(struct trust *t, uint64_t sent_ns, uint32_t trust_ms);
/* For a worker that sees no trust at NOW and is about to park: true, and CHANGED will tell; false: it is held
 * by now. Any thread. */
bool trust_park(struct trust *t, uint64_t now);
static inline bool trust_held(const struct trust *t, uint64_t now)
{
        return now < atomic_load_explicit(&t->until_ns, memory_order_acquire);
}
