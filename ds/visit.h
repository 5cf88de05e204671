/* SPDX-License-Identifier: Apache-2.0 */
/* Doing something on every worker and going on when all have done it: how fences, cuts, removals and a new
 * HELLO reach the workers. Starts and ends on worker 0. With one worker all of it happens inside
 * visit_start(), unless a leg waits. */
#pragma once

#include "ds/ds.h"

struct visit;
struct leg { /* a visit's stay at one worker */
        struct message msg;
        struct visit *visit;
        struct worker *worker;
        struct drain drain; /* for each(), as the others */
        struct idle_wait idle;
        struct object *object;
        uint64_t marks[8]; /* one bit an object of the call */
        uint32_t at;
};

struct visit {
        struct ds *ds;
        uint32_t pending;
        void *arg;
        void (*each)(struct leg *);   /* on the worker; leg_done() sooner or later */
        void (*back)(struct leg *);   /* on worker 0, for each leg; may be NULL */
        void (*done)(struct visit *); /* on worker 0; the legs are gone */
        struct leg *legs;             /* malloc'd for more than one worker */
        struct leg only;
};

/* Fill in ds, arg, each, back, done before. Aborts when there is no memory: without it no fence would be
 * safe. */
void visit_start(struct visit *v);
void leg_done(struct leg *leg);
/* leg_done() when what of IN, which is the leg's worker's, is under way now and MATCHES has landed. */
void leg_drain(struct leg *leg, struct inflight *in, bool (*matches)(void *arg, const struct fh *fh),
               void *arg);
