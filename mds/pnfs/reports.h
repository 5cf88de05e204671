/* SPDX-License-Identifier: Apache-2.0 */
/* What clients tell of their layouts (LAYOUTERROR, LAYOUTSTATS): counted, and told to the operator, once for
 * each device and error. Nothing is decided by it: whether a data server can be used is what it and its
 * silence say, not what a client claims. */
#pragma once

#include "mds/mds.h"

struct reports;
struct reports *reports_new(struct mds *mds); /* NULL: out of memory */
void reports_free(struct reports *r);
/* CLIENT met STATUS when it did OPNUM at DEVICE. */
void report_error(struct reports *r, const struct client *client, const uint8_t device[NFS4_DEVICEID_SIZE],
                  uint32_t status, uint32_t opnum);
void report_stats(struct reports *r);
