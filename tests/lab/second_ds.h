/* SPDX-License-Identifier: Apache-2.0 */
/* A second data server beside that of a lab with a width of 2: it stands at position 1 of the pool. The fake
 * MDS hears both; mds.conn stays the first's, mds.other is this one's. */
#pragma once

#include "tests/lab/ds_lab.h"

struct second_ds {
        struct ds_lab *lab;
        struct netaddr addr;
        struct memory_files files;
        struct ds_conf conf;
        struct ds *ds;
        bool ended;
};
void second_ds_start(struct second_ds *s, struct ds_lab *lab);
void second_ds_stop(struct second_ds *s); /* twice is fine */
/* A session of CLIENT's owner with it. */
void second_ds_client(struct second_ds *s, struct lab_client *client, const char *owner);
