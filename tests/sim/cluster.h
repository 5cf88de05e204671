/* SPDX-License-Identifier: Apache-2.0 */
/* The servers of the simulated cluster: one MDS and a few data servers, each the real code on a machine of
 * its own, which can be started, crashed and started again on what its disk kept. */
#pragma once

#include "ds/ds.h"
#include "mds/mds.h"
#include "tests/sim/disk.h"
#include "tests/sim/net.h"
#include "tests/sim/s3.h"
#include "tests/sim/store.h"

enum { CLUSTER_DS = 3, NFS_PORT = 2049, CONTROL_PORT = 2050, STRIPE_UNIT = 4096, LEASE_SECONDS = 10 };

struct sim_mds {
        struct node *node;
        struct sim_store *store;
        struct mds_conf conf;
        struct mds *mds;   /* NULL: not running */
        struct sim_s3 *s3; /* NULL: there is no repo */
        const char *repo;  /* its configuration */
};

struct sim_ds {
        struct world *world;
        struct node *node;
        struct sim_disk *disk;
        struct ds_conf conf;
        struct ds *ds; /* NULL: not running */
        bool ended;
        char problem[256];
        uint64_t lost_at_ns; /* when it lost power last, or with a repo was killed; 0: never */
};

struct cluster {
        struct world *world;
        struct sim_mds mds;
        struct sim_ds ds[CLUSTER_DS];
        uint32_t ds_count, strays;
        uint32_t crashes; /* of data servers */
        bool telling;
};

/* Everything running, though perhaps not joined yet. S3 (NULL: none): linked as REPO says, which is kept. */
void cluster_init(struct cluster *c, struct world *w, uint32_t ds_count, struct sim_s3 *s3, const char *repo);
/* Everything stopped in order; the store must be without fault, and no memory be left. */
void cluster_destroy(struct cluster *c);

/* The process ends as by SIGKILL; POWER_LOST: with its machine, which is off until the process is started
 * again. The MDS leaves a store without fault. */
void cluster_crash_mds(struct cluster *c, bool power_lost);
void cluster_crash_ds(struct cluster *c, uint32_t i, bool power_lost);
bool cluster_start_mds(struct cluster *c); /* false: its store was in trouble */
void cluster_start_ds(struct cluster *c, uint32_t i);
/* A data server that has ended by itself is started again, as by an init system; why it ended, or NULL. */
const char *cluster_restart_ended(struct cluster *c);
/* All run, and the data servers have joined. */
bool cluster_is_whole(const struct cluster *c);
/* How many objects are there of files that are not? All run. TELL: stderr, of each. */
uint32_t cluster_strays(struct cluster *c, bool tell);
/* The data server at ADDR. */
struct sim_ds *cluster_ds_at(struct cluster *c, const struct netaddr *addr);
