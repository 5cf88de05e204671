/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/state/limit.h"

void state_limit_init(struct state_limit *l, struct metrics *metrics, uint64_t most, const char *name,
                      const char *help)
{
        *l = (struct state_limit){ .most = most ? (uint32_t)most : STATE_LIMIT };
        metric_counter(metrics, &l->refused, name, help);
}

bool state_limit_admits(struct state_limit *l, uint32_t total, uint32_t own)
{
        bool admits = total < l->most && own < (l->most + CLIENT_SHARE - 1) / CLIENT_SHARE;

        if (!admits)
                metric_add(&l->refused, 1);
        return admits;
}
