/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "mds/mds.h"

/* Make the directories of exported paths that are not there yet (mode 0755, root). 0 or -errno with a log
 * line. */
int exports_prepare(struct mds *mds);
/* The same for one PATH; *ret is the fileid of its directory. -ENOTDIR … */
int directory_prepare(struct mds *mds, const char *path, uint64_t *ret);
