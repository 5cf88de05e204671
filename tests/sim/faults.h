/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong: a coroutine on a machine of its own that breaks something, waits, and mends it. */
#pragma once

#include "tests/sim/co.h"
#include "tests/sim/world.h"

struct sim;
struct faults {
        struct sim *sim;
        struct node *node;
        struct co co;
        bool stopping, finished;
        uint32_t active;        /* faults that are not mended yet */
        uint64_t calm_since_ns; /* when the last one was */
};
void faults_start(struct faults *f, struct sim *sim);
/* Mend everything; `finished` then. */
void faults_stop(struct faults *f);
void faults_free(struct faults *f);
/* Since when has everything been whole? NEVER: it is not. */
uint64_t faults_calm_since(const struct faults *f);
