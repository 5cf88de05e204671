/* SPDX-License-Identifier: Apache-2.0 */
/* An env whose clock moves only when the test moves it, with randomness from a seed. What listens in it can
 * be connected to in it, over stream_pair.h; to all other addresses -ECONNREFUSED. */
#pragma once

#include "tests/lab/stream_pair.h"

struct virtual_env {
        struct env env; /* first */
        uint64_t now, random;
        struct list listeners;
        struct stream_pair_conf net; /* how connections made from now on behave */
};

void virtual_env_init(struct virtual_env *v, uint64_t seed);
void virtual_env_destroy(struct virtual_env *v);
/* Run what is deferred and every timer that is due within NS, in order. */
void virtual_env_run(struct virtual_env *v, uint64_t ns);
/* The same until DONE says true; false when NS have passed without. */
bool virtual_env_run_until(struct virtual_env *v, uint64_t ns, bool (*done)(void *arg), void *arg);

/* splitmix64: the next number of a stream that STATE alone determines. */
uint64_t lab_random(uint64_t *state);
/* 0 … below - 1 */
uint64_t lab_random_below(uint64_t *state, uint64_t below);
