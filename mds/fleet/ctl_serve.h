/* SPDX-License-Identifier: Apache-2.0 */
/* What data servers call on the control connection (include/ctl.x, NACRE_CTL_MDS): HELLO, HEARTBEAT, PUSH,
 * EOF. They hold the cluster's key and are believed, but not when what they say cannot be: that is answered
 * with an error, changes nothing, and is logged once. */
#pragma once

#include "mds/fleet/fleet.h"

enum { HEARTBEAT_MS = 1000, TRUST_MS = 5000 };

struct rpc_program mds_ctl_program(struct mds *mds);
