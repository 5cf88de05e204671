/* SPDX-License-Identifier: Apache-2.0 */
/* When to try again: exponential backoff with jitter, by what went wrong. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum retry_class {
        RETRY_NEVER, /* the server has decided */
        RETRY_SOON,  /* a connection that was closed on us, keys that were renewed: nobody is overloaded */
        RETRY_LATER, /* 5xx, timeouts, what did not survive its checks */
        RETRY_SLOW_DOWN, /* 503, 429: told to send less; the budget lowers its rate too */
};

struct retry_policy {
        uint32_t base_ms;     /* the first pause; doubled for each further one */
        uint32_t cap_ms;      /* the longest */
        uint32_t attempts;    /* at most, the first included */
        uint32_t deadline_ms; /* no attempt begins later than this after the first */
};
extern const struct retry_policy retry_default; /* 100 ms … 20 s, 10 attempts, 120 s */

/* Where one operation stands. */
struct retry {
        uint64_t began_ns;
        uint32_t attempts; /* begun */
};
/* May another attempt be made after one that failed as CLASS, and after which pause? RANDOM: any 64 bits. The
 * pause is drawn from [d/2, d], d doubling with the attempts; RETRY_SOON starts at an eighth, RETRY_SLOW_DOWN
 * at the double. False: no; *RET_NS untouched. */
bool retry_pause(const struct retry_policy *policy, const struct retry *r, enum retry_class class,
                 uint64_t now_ns, uint64_t random, uint64_t *ret_ns);
