/* SPDX-License-Identifier: Apache-2.0 */
/* Files in repos, for their owners: `setfattr -n user.nacre.hsm -v release FILE` and its like, and
 * `getfattr -n 'user.nacre.state;1' FILE`. Neither is stored or listed. Linux keeps what it has read of an
 * attribute; so that the state can be asked again, it has a name of its own for each time: what stands behind
 * the semicolon is anything. The verbs and words are Lustre's. */
#pragma once

#include "mds/op/xattr.h"
#include "nfs4/codec.h"

bool xattr_is_hsm(struct slice name);
/* SETXATTR of it (VERB NULL: REMOVEXATTR), on the compound's current file; WAIT: the same again. INVAL: no
 * such verb; PERM: not the owner; NOXATTR: the file belongs to no repo, or (to release) was never archived;
 * PERM: it cannot be done, as it is pinned, or changed since, or its repo does not export; FILE_OPEN: in use,
 * which Linux tries a few times and calls EBUSY; DELAY: a data server is away; IO: not S3's, for now or ever:
 * see the log. */
enum nfsstat4 xattr_hsm_set(struct compound *c, const struct slice *verb, struct change_info *ret);

bool xattr_is_state(struct slice name);
enum { HSM_STATE_BYTES = 64 };
/* "exists archived released" … of S; NOXATTR: it belongs to no repo. WAIT: a data server is asked for what
 * was written; the same again. */
enum nfsstat4 xattr_state_get(struct compound *c, const struct subject *s, char out[HSM_STATE_BYTES],
                              struct slice *ret);
