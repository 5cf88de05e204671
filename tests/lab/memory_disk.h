/* SPDX-License-Identifier: Apache-2.0 */
/* A disk whose files are in memory, for servers on a virtual clock. Requests are done in their order, at the
 * end of the turn in which they were submitted; what is asked for at once comes in
 * full, not at all or by half, in turns; every other map succeeds. Folders are not looked at: every path is a
 * name. */
#pragma once

#include "base/disk.h"
#include "base/env.h"

/* Files are at most so long: -EFBIG beyond. All together are at most so long: -ENOSPC. */
enum { MEMORY_FILE_MAX = 4 << 20, MEMORY_FILES_MAX = 64 << 20, MEMORY_DISK_OPEN = 1024 };

struct memory_files { /* what stays when the disk is freed and made again */
        struct list all, maps;
        uint64_t bytes;
};
void memory_files_init(struct memory_files *f);
void memory_files_free(struct memory_files *f);

/* FILES lives longer. Aborts when out of memory. */
struct disk *memory_disk_new(struct env *env, struct memory_files *files);
