/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/platter.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct file *platter_find(const struct platter *p, const char *path)
{
        LIST_FOR_EACH(node, &p->files) {
                struct file *f = CONTAINER(node, struct file, node);

                if (f->named && strcmp(f->path, path) == 0)
                        return f;
        }
        return NULL;
}

struct file *platter_make(struct platter *p, const char *path)
{
        struct file *f = calloc(1, sizeof(*f));

        CHECK(f != NULL && strlen(path) < PATH_BYTES);
        strcpy(f->path, path);
        f->named = true;
        f->name_changed = ++p->generation;
        list_push(&p->files, &f->node);
        return f;
}

void platter_forget(struct file *f)
{
        list_remove(&f->node);
        free(f->now);
        free(f->safe);
        free(f->changed);
        free(f);
}

void platter_forget_if_unused(struct file *f)
{
        if (f->refs == 0 && !f->named && !f->safely_named)
                platter_forget(f);
}

static void *grown(void *old, uint64_t old_bytes, uint64_t bytes)
{
        uint8_t *fresh = realloc(old, bytes);

        CHECK(fresh != NULL);
        memset(fresh + old_bytes, 0, bytes - old_bytes);
        return fresh;
}

static void reserve(struct file *f, uint64_t size)
{
        uint64_t capacity = f->capacity ? f->capacity : BLOCK;

        while (capacity < size)
                capacity *= 2;
        if (capacity == f->capacity)
                return;
        f->now = grown(f->now, f->capacity, capacity);
        f->safe = grown(f->safe, f->capacity, capacity);
        f->changed = grown(f->changed, f->capacity / SECTOR * 8, capacity / SECTOR * 8);
        f->capacity = capacity;
}

static void note_change(struct platter *p, struct file *f, uint64_t from, uint64_t to)
{
        p->generation++;
        for (uint64_t s = from / SECTOR; s * SECTOR < to; s++)
                if (f->changed[s] == 0 || f->changed[s] == LOST)
                        f->changed[s] = p->generation;
}

void platter_set_size(struct platter *p, struct file *f, uint64_t size)
{
        reserve(f, size);
        if (size < f->size) {
                memset(f->now + size, 0, f->size - size);
                note_change(p, f, size, f->size);
        }
        p->used += platter_blocks(size) - platter_blocks(f->size);
        f->size = size;
        if (f->size_changed == 0)
                f->size_changed = ++p->generation;
}

void platter_sync(struct file *f, uint64_t generation)
{
        for (uint64_t s = 0; s < f->capacity / SECTOR; s++)
                if (f->changed[s] && f->changed[s] <= generation) {
                        memcpy(f->safe + s * SECTOR, f->now + s * SECTOR, SECTOR);
                        f->changed[s] = 0;
                }
        if (f->size_changed && f->size_changed <= generation) {
                f->safe_size = f->size;
                f->size_changed = 0;
        }
}

/* A sync failed: the kernel forgets that it has to write these, and says so once. */
void platter_sync_failed(struct file *f)
{
        for (uint64_t s = 0; s < f->capacity / SECTOR; s++)
                if (f->changed[s])
                        f->changed[s] = LOST;
}

void platter_write(struct platter *p, struct file *f, uint64_t offset, const void *data, uint32_t length)
{
        if (offset + length > f->size)
                platter_set_size(p, f, offset + length);
        memcpy(f->now + offset, data, length);
        note_change(p, f, offset, offset + length);
}

void platter_unlink(struct platter *p, struct file *f)
{
        f->named = false;
        if (f->name_changed == 0)
                f->name_changed = ++p->generation;
        p->used -= platter_blocks(f->size);
        platter_forget_if_unused(f);
}

bool platter_is_in(const struct file *f, const char *folder)
{
        size_t length = strlen(folder);

        if (strcmp(folder, ".") == 0)
                return strchr(f->path, '/') == NULL;
        return strncmp(f->path, folder, length) == 0 && f->path[length] == '/';
}

void platter_sync_names(struct platter *p, const char *folder, uint64_t generation)
{
        LIST_FOR_EACH_SAFE(node, &p->files) {
                struct file *f = CONTAINER(node, struct file, node);

                if (f->name_changed && f->name_changed <= generation && platter_is_in(f, folder)) {
                        f->safely_named = f->named;
                        f->name_changed = 0;
                        platter_forget_if_unused(f);
                }
        }
}

/* --- crashes */

/* How a crash treats what was not synced: each crash is of one kind, so that extremes are common. */
enum loss { LOSE_ALL, LOSE_SOME, KEEP_ALL };

static bool survives(struct world *w, enum loss loss)
{
        return loss == KEEP_ALL || (loss == LOSE_SOME && world_once_in(w, 2));
}

/* A new length may bring zeros where its sectors were lost; one that was lost takes what lies behind. */
static void lose_data(struct platter *p, struct file *f, enum loss loss)
{
        uint64_t size = f->size_changed && !survives(p->world, loss) ? f->safe_size : f->size;

        for (uint64_t s = 0; s < f->capacity / SECTOR; s++)
                if (f->changed[s] && !survives(p->world, loss))
                        memcpy(f->now + s * SECTOR, f->safe + s * SECTOR, SECTOR);
        if (size < f->capacity)
                memset(f->now + size, 0, f->capacity - size);
        f->size = size;
}

static void settle(struct file *f)
{
        for (uint64_t s = 0; s < f->capacity / SECTOR; s++)
                f->changed[s] = 0;
        if (f->capacity)
                memcpy(f->safe, f->now, f->capacity);
        f->safe_size = f->size;
        f->size_changed = f->name_changed = 0;
        f->safely_named = f->named;
}

void platter_lose(struct platter *p)
{
        enum loss loss = (enum loss)world_random(p->world, 3);

        LIST_FOR_EACH(node, &p->files) {
                struct file *f = CONTAINER(node, struct file, node);

                if (f->name_changed && !survives(p->world, loss))
                        f->named = f->safely_named;
                lose_data(p, f, loss);
        }
        p->used = 0;
        LIST_FOR_EACH_SAFE(node, &p->files) {
                struct file *f = CONTAINER(node, struct file, node);

                settle(f);
                if (f->named)
                        p->used += platter_blocks(f->size);
                platter_forget_if_unused(f);
        }
}
