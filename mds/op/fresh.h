/* SPDX-License-Identifier: Apache-2.0 */
/* What GETATTR, VERIFY and NVERIFY share. */
#pragma once

#include "mds/mds.h"

/* Before size, times or change of the regular file FILEID are told: whoever may know better is asked, first a
 * client that holds a delegation for writing (mds/state/delegation.h), then the data servers
 * (mds/pnfs/size.h). OK; WAIT: call it again on resume; or an error. Needs the wait area for itself. */
enum nfsstat4 attrs_refresh(struct compound *c, uint64_t fileid);
