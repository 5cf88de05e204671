/* SPDX-License-Identifier: Apache-2.0 */
/* Who may send when: for one bucket and prefix, so many requests and bytes a second and so many at once, by
 * priority. What is not limited by configuration is limited by what the server says: after a 503 the rate of
 * requests falls to a fraction of what was being sent, and rises again with each success, as TCP does. On
 * env's clock. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"

enum s3_priority {
        S3_DEMAND, /* a client waits for it */
        S3_PREFETCH,
        S3_EXPORT,
        S3_SCAN,
        S3_PRIORITIES,
};
extern const char *const s3_priority_names[];

struct budget_conf {
        uint32_t requests_per_second; /* 0: no limit */
        uint64_t bytes_per_second;    /* bodies, both directions; 0: no limit */
        uint32_t in_flight;           /* at once; at least 1. All but S3_DEMAND leave a quarter of it free */
};

/* Who waits, or is under way; a member of them. Zero it, list_init() its node. */
struct budget_turn {
        struct list node;
        void (*granted)(struct budget_turn *); /* from a later turn of the loop, never from inside */
        uint64_t bytes;
        uint64_t asked_ns;
        enum s3_priority priority;
        bool under_way;
};

struct budget {
        struct env *env;
        struct budget_conf conf;
        struct list waiting[S3_PRIORITIES];
        uint32_t under_way, grants;
        /* what may be sent: full after a second of silence, may go below zero by one request's bytes */
        double request_tokens, byte_tokens;
        uint64_t filled_ns;
        /* the server's limit, 0 while it has not complained; and what was really sent lately */
        double server_rate, sent_rate;
        uint64_t lowered_ns;
        struct timer refill;
        struct task grant;
        /* for metrics: time that turns waited because of rates, complaints of the server */
        uint64_t waited_ns, slow_downs;
};

void budget_init(struct budget *b, struct env *env, const struct budget_conf *conf);
void budget_destroy(struct budget *b); /* nobody may wait or be under way */
void budget_set(struct budget *b, const struct budget_conf *conf);
/* Call TURN->granted when it may be sent. In each class first come, first served; a higher class goes first,
 * but every eighth goes to who has waited longest, whatever its class. */
void budget_ask(struct budget *b, struct budget_turn *turn, enum s3_priority priority, uint64_t bytes);
/* TURN has ended, or will not be wanted: from then on it is not granted, and does not count. */
void budget_done(struct budget *b, struct budget_turn *turn);
/* What the server made of it. */
void budget_succeeded(struct budget *b);
void budget_slow_down(struct budget *b);
