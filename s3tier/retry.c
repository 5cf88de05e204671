/* SPDX-License-Identifier: Apache-2.0 */
#include "s3tier/retry.h"

const struct retry_policy retry_default = {
        .base_ms = 100,
        .cap_ms = 20000,
        .attempts = 10,
        .deadline_ms = 120000,
};

/* The longest pause before the attempt after the N-th, in ms. */
static uint64_t ceiling_ms(const struct retry_policy *p, enum retry_class class, uint32_t n)
{
        uint64_t ms = p->base_ms;

        if (class == RETRY_SOON)
                ms = ms / 8 + 1;
        else if (class == RETRY_SLOW_DOWN)
                ms *= 2;
        for (; n > 1 && ms < p->cap_ms; n--)
                ms *= 2;
        return ms < p->cap_ms ? ms : p->cap_ms;
}

bool retry_pause(const struct retry_policy *policy, const struct retry *r, enum retry_class class,
                 uint64_t now_ns, uint64_t random, uint64_t *ret_ns)
{
        uint64_t longest, pause;

        if (class == RETRY_NEVER || r->attempts >= policy->attempts)
                return false;
        longest = ceiling_ms(policy, class, r->attempts) * 1000000;
        pause = longest / 2 + random % (longest - longest / 2 + 1);
        if (now_ns - r->began_ns + pause > (uint64_t)policy->deadline_ms * 1000000)
                return false;
        *ret_ns = pause;
        return true;
}
