/* SPDX-License-Identifier: Apache-2.0 */
/* What GETATTR, VERIFY and NVERIFY share. */
#pragma once

#include "mds/mds.h"
#include "nfs4/codec.h"

/* Before size, times or change of the regular FILE are told, of which ASKED speaks: whoever may know better
 * is asked, first a client that holds a delegation for writing (mds/state/delegation.h), then the data
 * servers (mds/pnfs/size.h). OK; WAIT: call it again on resume; or an error. Needs the wait area for itself.
 */
enum nfsstat4 attrs_refresh(struct compound *c, const struct inode *file, const struct bitmap4 *asked);
