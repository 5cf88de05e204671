/* SPDX-License-Identifier: Apache-2.0 */
/* A few threads for calls that block (name lookups, syncs, truncates): work runs there, done runs back on the
 * loop. */
#pragma once

#include "base/loop.h"

struct offload;
struct offload_job {
        struct message back;                /* private */
        struct offload_job *next;           /* private */
        struct offload *pool;               /* private */
        void (*work)(struct offload_job *); /* on a thread */
        void (*done)(struct offload_job *); /* on the loop */
};

struct offload *offload_new(struct loop *loop, unsigned threads);
void offload_free(struct offload *o); /* waits for running jobs; their done() still runs if the loop turns */
void offload_submit(struct offload *o, struct offload_job *job);
