/* SPDX-License-Identifier: Apache-2.0 */
/* Private to mds/op/setxattr.c and xattr_layout.c. */
#pragma once

#include "mds/pnfs/recall.h"
#include "mds/state/delegation.h"

/* What SETXATTR waits for: others' delegations, then the fence of layouts. */
struct setxattr_wait {
        struct delegation_wait delegation;
        struct fence_wait fence;
        struct compound *compound;
        uint32_t epoch; /* handles below it are fenced */
        bool fencing;   /* or fenced already */
};
_Static_assert(sizeof(struct setxattr_wait) <= COMPOUND_WAIT, "it fits");
