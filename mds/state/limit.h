/* SPDX-License-Identifier: Apache-2.0 */
/* How much there may be of one kind of state: in all, as configured, and of one client a quarter of that, so
 * that one that asks for everything leaves something to the others. */
#pragma once

#include "base/metrics.h"

enum { STATE_LIMIT = 1 << 20, CLIENT_SHARE = 4 };

struct state_limit {
        uint32_t most;
        struct metric refused;
};

/* MOST: 0 for STATE_LIMIT. NAME and HELP of the counter of refusals: literals. */
void state_limit_init(struct state_limit *l, struct metrics *metrics, uint64_t most, const char *name,
                      const char *help);
/* May a client that has OWN of the TOTAL that there are have one more? False is counted. */
bool state_limit_admits(struct state_limit *l, uint32_t total, uint32_t own);
