/* SPDX-License-Identifier: Apache-2.0 */
/* What a disk of the simulator holds: files, each as it is and as it would be after a crash. Private to
 * disk.c. */
#pragma once

#include "base/list.h"
#include "tests/sim/world.h"

enum { SECTOR = 512, BLOCK = 4096, PATH_BYTES = 64 };

/* What is not on the platter has the number of its first change since it was; 0: it is. LOST: a sync failed,
 * and no other will bring it there. */
#define LOST UINT64_MAX

struct file {
        struct list node;
        char path[PATH_BYTES];
        uint32_t refs;
        uint8_t *now, *safe; /* capacity bytes each, zero behind the sizes */
        uint64_t capacity, size, safe_size, mtime_ns;
        bool named, safely_named;
        uint64_t size_changed, name_changed, *changed; /* changed: by sector */
};

struct platter {
        struct world *world;
        struct list files;
        uint64_t used; /* bytes */
        uint64_t generation;
};

struct file *platter_find(const struct platter *p, const char *path);
struct file *platter_make(struct platter *p, const char *path);
void platter_unlink(struct platter *p, struct file *f);
void platter_forget(struct file *f);
/* F has lost a reference or a name. */
void platter_forget_if_unused(struct file *f);
void platter_write(struct platter *p, struct file *f, uint64_t offset, const void *data, uint32_t length);
void platter_set_size(struct platter *p, struct file *f, uint64_t size);
static inline uint64_t platter_blocks(uint64_t size)
{
        return (size + BLOCK - 1) / BLOCK * BLOCK;
}

/* Everything of F's data that changed up to GENERATION is durable; or the sync failed. */
void platter_sync(struct file *f, uint64_t generation);
void platter_sync_failed(struct file *f);
bool platter_is_in(const struct file *f, const char *folder); /* "." or a path */
void platter_sync_names(struct platter *p, const char *folder, uint64_t generation);
/* Power is lost: what was not synced is, or parts of it. */
void platter_lose(struct platter *p);
