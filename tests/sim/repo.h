/* SPDX-License-Identifier: Apache-2.0 */
/* The shared folder of every fourth seed is linked to a bucket, both ways: what its objects must be. */
#pragma once

#include "tests/sim/s3.h"

struct sim;
struct actor;

/* After a DELETE without an answer nothing is written for 18 minutes, by a clock that may be an hour wrong.
 */
#define REPO_QUIET_NS (3 * 3600 * SECOND_NS)
#define REPO_STUCK_NS (2400 * SECOND_NS) /* behind that nothing comes by itself */
#define REPO_PREFIX "p/"

struct repo_sim {
        struct sim *sim;
        struct sim_s3 *s3; /* NULL: not in this seed */
        char conf[512];
};
void repo_init(struct repo_sim *r, struct sim *sim);
void repo_destroy(struct repo_sim *r);
/* For the main coroutine of one client, when faults have ended: the others have come to their end too, the
 * queue to S3 becomes empty, and then each file's object is the file. */
void repo_last_look(struct actor *c);
