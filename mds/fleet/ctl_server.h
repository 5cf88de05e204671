/* SPDX-License-Identifier: Apache-2.0 */
/* The MDS's end of the control protocol (include/ctl.x): data servers dial in, prove that they hold the
 * cluster key (TLS PSK), say HELLO, and from then on their HEARTBEATs are their health. */
#pragma once

#include "mds/fleet/fleet.h"

enum { HEARTBEAT_MS = 1000, TRUST_MS = 5000 };

/* Listens on conf->control. NULL with a log line. */
struct ctl_server *ctl_server_new(struct mds *mds);
void ctl_server_free(struct ctl_server *c);
