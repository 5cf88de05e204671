/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the whole store read-only and reports what is not right: entries that lead nowhere, inodes without an
 * entry, wrong link counts, wrong entry counts of directories, wrong parents, loops, damaged records,
 * extended attributes of nothing, orphans (as notes). */
#pragma once

#include <stdio.h>

#include "mds/store/store.h"

struct fsck_report {
        uint64_t inodes, entries, orphans, layouts, xattrs, backings, queued, problems;
};
/* 0 (see ret->problems), -EIO or -ENOMEM. One line a finding to OUT. Memory: about 40 bytes an inode. */
int fsck_run(struct store *store, FILE *out, struct fsck_report *ret);
