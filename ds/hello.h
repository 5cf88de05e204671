/* SPDX-License-Identifier: Apache-2.0 */
/* Saying HELLO, and taking what was answered: whose data this is, who we are, and on every worker the whole
 * fence table, before anything is served. */
#pragma once

#include <ctl.h>

#include "ds/visit.h"

/* What HELLO says; the words are what the arguments point to. */
struct hello_words {
        char netids[FRONT_LISTENERS][8], uaddrs[FRONT_LISTENERS][NETADDR_TEXT];
        ctl_addr addrs[FRONT_LISTENERS];
};
void hello_say(struct ds *ds, struct hello_words *words, ctl_hello_args *ret);

struct hello {
        ctl_hello_res res;     /* status CTL_OK */
        bool forget_announced; /* the MDS is another one than before */
        void (*done)(struct hello *);
        char problem[128]; /* "" or why we must not serve this MDS */
        /* private */
        struct ds *ds;
        struct visit visit;
};
/* DONE runs, perhaps at once, when every worker has the table and no older write that it forbids is under
 * way. Until hello_forget() ds->hello is H, and calls of the MDS wait. */
void hello_take(struct hello *h, struct ds *ds);
/* Where we stand in the generations of the pool, as HELLO and FENCE bring it: can it be, and into a worker's
 * table. */
bool places_are_valid(const ctl_pool *pools, uint32_t count);
void places_take(struct fence_table *t, const ctl_pool *pools, uint32_t count);
/* What a status other than CTL_OK means, for people. */
const char *hello_refusal(ctl_status status);
/* Frees res. */
void hello_forget(struct hello *h);
