/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on extended attributes, of a user of the MDS lab: status of the compound. */
#pragma once

#include "tests/lab/mds_lab.h"

enum nfsstat4 user_setxattr(struct user *u, const struct user_fh *fh, uint32_t option, const char *name,
                            struct slice value);
/* *ret points into the reply. */
enum nfsstat4 user_getxattr(struct user *u, const struct user_fh *fh, const char *name, struct slice *ret);
enum nfsstat4 user_removexattr(struct user *u, const struct user_fh *fh, const char *name);
/* How many names there are in one reply of up to 64 KiB. */
uint32_t user_count_xattrs(struct user *u, const struct user_fh *fh);
