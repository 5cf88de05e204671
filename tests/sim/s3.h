/* SPDX-License-Identifier: Apache-2.0 */
/* The object store of a simulated cluster: a machine that carries out requests of HTTP (s3tier/http.h) some
 * time after they were sent, and answers some time later. What it holds is in blobs.h, and survives
 * everything. A request that nobody waits for any more, because its sender was killed or has given up, may
 * be carried out all the same. */
#pragma once

#include "tests/sim/blobs.h"
#include "tests/sim/world.h"

struct sim_s3 {
        struct node *node;
        struct blobs blobs;
        struct list wires;               /* requests, private */
        uint32_t lives[WORLD_NODES + 1]; /* of the processes, by host; private */
        /* how it is in the mood: each once in so many, 0: never */
        uint32_t refuse_once_in; /* 503 */
        uint32_t cut_once_in;    /* the connection ends before the request is there, or within the answer */
        uint64_t delay_ns;       /* the longest, each way */
};
struct sim_s3 *sim_s3_new(struct world *w);
/* All who had connections are gone. */
void sim_s3_free(struct sim_s3 *s);
/* Connections of the process on ENV's machine, as ds->make_http and tier->connect want them. */
struct http *sim_s3_connect(void *s3, struct env *env);
/* NODE's process is dead: it sends nothing more, and hears nothing. */
void sim_s3_crash(struct sim_s3 *s, struct node *node);
/* All is as it should be, and fast. */
void sim_s3_mend(struct sim_s3 *s);
