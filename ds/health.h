/* SPDX-License-Identifier: Apache-2.0 */
/* How this data server is: for HELLO, heartbeats and /healthz. */
#pragma once

#include <ctl.h>

#include "ds/ds.h"

ctl_space ds_space(struct ds *ds);
/* CTL_HB_FULL, CTL_HB_FAILING. */
unsigned ds_flags(const struct ds *ds, const ctl_space *space);
/* NULL: serving; else why not, for people. */
const char *ds_health(const struct ds *ds);
