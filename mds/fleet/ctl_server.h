/* SPDX-License-Identifier: Apache-2.0 */
/* The MDS's end of the control protocol (include/ctl.x): data servers dial in, prove that they hold the
 * cluster key (TLS PSK), say HELLO, and from then on their HEARTBEATs are their health. */
#pragma once

#include "mds/mds.h"

/* Listens on conf->control. NULL with a log line. */
struct ctl_server *ctl_server_new(struct mds *mds);
/* No data server is heard any more, and no call to one is answered. Calls of theirs may still wait, for the
 * store or for one another, until the tasks have run and the store has synced; then ctl_server_free(). */
void ctl_server_close(struct ctl_server *c);
void ctl_server_free(struct ctl_server *c);
