/* SPDX-License-Identifier: Apache-2.0 */
/* What CLOSE and DELEGRETURN share. */
#pragma once

#include "mds/mds.h"

/* C's client has given up an open or a delegation of FILEID: if it was the last, a layout that is to be
 * returned on close goes. OK, or what the store said. */
enum nfsstat4 close_layout(struct compound *c, uint64_t fileid);
