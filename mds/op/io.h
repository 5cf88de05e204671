/* SPDX-License-Identifier: Apache-2.0 */
/* What the operations on data share: READ, WRITE, SETATTR of the size, ALLOCATE, SEEK … */
#pragma once

#include "mds/mds.h"

enum { IO_MAX = 1024 * 1024 };
#define MAX_FILE_SIZE ((uint64_t)INT64_MAX)

/* May the caller do I/O of kind ACCESS (OPEN4_SHARE_ACCESS_READ or _WRITE) on the current file with STATEID
 * (§8.2.3, §9.1.2, §18.22, §18.32)? OK, or the error: ISDIR, WRONG_TYPE, ROFS, ACCESS, BAD_STATEID …,
 * OPENMODE, LOCKED (a share reservation of somebody else denies it). */
enum nfsstat4 io_check(struct compound *c, struct stateid *stateid, uint32_t access);
/* The same for what writes, whose stateid may be special: who has no open had none in which to wait for
 * delegations, so that is DELAY. */
enum nfsstat4 io_check_write(struct compound *c, struct stateid *stateid);
/* The same as io_check() of the saved file, where the current stateid is the saved one. */
enum nfsstat4 io_check_saved(struct compound *c, struct stateid *stateid, uint32_t access);
/* The part of it that asks who the caller is: ROFS, ACCESS. */
enum nfsstat4 io_permitted(const struct compound *c, const struct inode *file, uint32_t access);
/* Before the first byte: the mark that objects may exist, so that deletes and truncates look for them. FILE
 * is not good any more afterwards. */
enum nfsstat4 io_mark_data(struct compound *c, const struct inode *file);
