/* SPDX-License-Identifier: Apache-2.0 */
/* Private to mds/op/setxattr.c and xattr_layout.c. */
#pragma once

#include "mds/pnfs/reshape.h"
#include "mds/pnfs/space.h"
#include "mds/state/delegation.h"

/* What SETXATTR waits for: others' delegations, then that a file may be striped anew. */
struct setxattr_wait {
        struct delegation_wait delegation;
        struct reshape reshape;
};
_Static_assert(sizeof(struct setxattr_wait) <= SPACE_WAIT_AT, "it fits before what reshaping needs");
