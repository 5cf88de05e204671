/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bufpool.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/poison.h"

enum { PAGE = 4096 };

struct bufpool {
        size_t limit, allocated, in_use; /* bytes */
        struct buf *free_small, *free_large;
};

struct bufpool *bufpool_new(size_t limit_bytes)
{
        struct bufpool *pool = calloc(1, sizeof(*pool));

        if (pool)
                pool->limit = limit_bytes;
        return pool;
}

static struct buf **free_list(struct bufpool *pool, uint32_t capacity)
{
        return capacity == BUF_SMALL ? &pool->free_small : &pool->free_large;
}

/* Give one buffer at rest back to the system; false when LIST is empty. */
static bool release_one(struct bufpool *pool, struct buf **list)
{
        struct buf *buf = *list;

        if (!buf)
                return false;
        *list = buf->next_free;
        pool->allocated -= buf->capacity;
        unpoison(buf->data, buf->capacity);
        free(buf->data);
        free(buf);
        return true;
}

void bufpool_free(struct bufpool *pool)
{
        if (!pool)
                return;
        CHECK(pool->in_use == 0);
        while (release_one(pool, &pool->free_small) || release_one(pool, &pool->free_large))
                ;
        free(pool);
}

/* At the limit, buffers of the other size that are at rest make room. */
static bool make_room(struct bufpool *pool, uint32_t capacity)
{
        struct buf **other = free_list(pool, capacity == BUF_SMALL ? BUF_LARGE : BUF_SMALL);

        while (pool->allocated + capacity > pool->limit)
                if (!release_one(pool, other))
                        return false;
        return true;
}

static struct buf *allocate(struct bufpool *pool, uint32_t capacity)
{
        struct buf *buf;

        if (!make_room(pool, capacity))
                return NULL;
        buf = malloc(sizeof(*buf));
        if (!buf)
                return NULL;
        *buf = (struct buf){ .pool = pool, .capacity = capacity, .data = aligned_alloc(PAGE, capacity) };
        if (!buf->data) {
                free(buf);
                return NULL;
        }
        pool->allocated += capacity;
        return buf;
}

static struct buf *take(struct buf **list)
{
        struct buf *buf = *list;

        if (buf) {
                *list = buf->next_free;
                unpoison(buf->data, buf->capacity);
        }
        return buf;
}

struct buf *buf_get(struct bufpool *pool, uint32_t bytes)
{
        uint32_t capacity = bytes <= BUF_SMALL ? BUF_SMALL : BUF_LARGE;
        struct buf *buf;

        CHECK(bytes <= BUF_LARGE);
        buf = take(free_list(pool, capacity));
        if (!buf)
                buf = allocate(pool, capacity);
        if (!buf)
                return NULL;
        buf->refs = 1;
        buf->next_free = NULL;
        pool->in_use += capacity;
        return buf;
}

struct buf *buf_ref(struct buf *buf)
{
        CHECK(buf->refs > 0);
        buf->refs++;
        return buf;
}

void buf_unref(struct buf *buf)
{
        struct buf **list;

        if (!buf)
                return;
        CHECK(buf->refs > 0);
        if (--buf->refs > 0)
                return;
        if (buf->release) {
                buf->release(buf);
                return;
        }
        list = free_list(buf->pool, buf->capacity);
        buf->pool->in_use -= buf->capacity;
        buf->next_free = *list;
        *list = buf;
        poison(buf->data, buf->capacity);
}

size_t bufpool_in_use_bytes(const struct bufpool *pool)
{
        return pool->in_use;
}
