/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong: coroutines on a machine of their own that break something, wait, mend it and wait until
 * all is whole. Each seed has its own choice of kinds. */
#pragma once

#include "tests/sim/co.h"
#include "tests/sim/world.h"

enum { FATES = 2 };

struct sim;
struct faults;
struct fate {
        struct faults *all;
        struct co co;
        bool finished;
};

struct faults {
        struct sim *sim;
        struct node *node;
        struct fate fates[FATES];
        uint32_t kinds;    /* a bit each */
        uint64_t pause_ms; /* at most, between two */
        bool stopping;
        uint32_t active;          /* faults that are not mended yet */
        uint64_t calm_since_ns;   /* when the last one was */
        uint32_t disk_trouble;    /* of these, ones that make disks refuse */
        uint64_t disk_trouble_ns; /* when the last such one ended */
};
void faults_start(struct faults *f, struct sim *sim);
void faults_stop(struct faults *f); /* no new ones */
bool faults_finished(const struct faults *f);
void faults_free(struct faults *f);
/* Since when has everything been whole? NEVER: it is not. */
uint64_t faults_calm_since(const struct faults *f);
/* May it be that no data server takes new files? Who is away does not, nor for a while one whose disk failed.
 */
bool faults_no_room(const struct faults *f, uint64_t since);
/* May an operation that began at SINCE end with NFS4ERR_NOSPC or NFS4ERR_IO? */
bool faults_excuse(const struct faults *f, uint64_t since);
