/* SPDX-License-Identifier: Apache-2.0 */
/* Private to pnfs/size.c (asking) and pnfs/truncate.c (cutting): the work on one file's size, one thing at a
 * time. */
#pragma once

#include "base/slab.h"
#include "mds/fleet/fences.h"
#include "mds/pnfs/size.h"
#include "mds/state/layout.h"

enum { DIRTY_WORDS = FLEET_MAX / 64 + 1, FILES_MAX = 1 << 20 };

struct size_file {
        struct hnode node;
        uint64_t fileid;
        uint64_t dirty[DIRTY_WORDS]; /* by server id */
        bool busy;
        uint32_t pending; /* answers awaited */
        bool failed;      /* one of them did not come */
        bool exists;      /* an object does */
        uint64_t size, used;
        int64_t mtime;
        struct list waiting; /* struct size_wait: for the answer being fetched */
        struct list queued;  /* struct cut: truncations that wait their turn */
        struct sizes *sizes;
        struct task finish;
};

struct sizes {
        struct mds *mds;
        struct hashtab files;
        struct slab slab;
};

struct size_file *size_file_find(const struct sizes *s,
                                 uint64_t fileid);                 /* NULL: nothing is under way or dirty */
struct size_file *size_file_get(struct sizes *s, uint64_t fileid); /* made when new; NULL: too many */
/* One of the answers awaited is there: with the last one, f->finish runs. */
void size_file_answered(struct size_file *f);
void size_file_finish(struct task *task); /* f->finish.run while asking */
/* What the file does next; nothing: it is forgotten. */
void size_file_next(struct size_file *f);
/* The first of f->queued is to be cut. */
void truncate_begin(struct size_file *f);
ctl_object size_object(const struct inode *inode, uint32_t index);
