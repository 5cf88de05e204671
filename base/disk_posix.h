/* SPDX-License-Identifier: Apache-2.0 */
/* What the disks of a real machine have in common. */
#pragma once

#include "base/disk.h"

void posix_close_fd(struct disk *disk, int fd);
int posix_file_size(struct disk *disk, int fd, uint64_t *ret_size, uint64_t *ret_allocated_bytes,
                    uint64_t *ret_mtime_ns);
int posix_set_mtime(struct disk *disk, int fd, uint64_t mtime_ns);
int posix_space(int root_fd, uint64_t *ret_total, uint64_t *ret_free);
int posix_list(int root_fd, const char *dir, void (*each)(void *arg, const char *name), void *arg);
int posix_mkdir(int root_fd, const char *path);
/* Is a read that ended at OFFSET at the end of the file? True also when that cannot be said. */
bool posix_at_end(int fd, uint64_t offset);
bool posix_in_memory(int root_fd); /* the file system is memory: nothing waits for a medium */
/* Do what R asks for, now, blocking: its result. */
int64_t posix_perform(struct disk_req *r, int root_fd);

/* base/disk.h */
const void *posix_map(struct disk *disk, int fd, uint32_t length, uint64_t offset);
void posix_keep(struct disk *disk, const void *data, uint32_t length);
void posix_unmap(struct disk *disk, const void *data, uint32_t length);
/* READ at once (base/disk.h), with the flag RWF_NOWAIT: *UNKNOWN becomes true, and stays so, when the file
 * system has no such flag. */
uint32_t posix_read_now(bool *unknown, int fd, void *data, uint32_t length, uint64_t offset);
