/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slab.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/poison.h"

enum { LINE = 64, CHUNK_BYTES = 64 * 1024 };

void slab_init(struct slab *s, size_t object_bytes, uint32_t limit)
{
        CHECK(object_bytes > 0);
        *s = (struct slab){ .size = (object_bytes + LINE - 1) / LINE * LINE, .limit = limit };
}

/* The link of a free object is its first word; the rest is poisoned. */
static void push(struct slab *s, void *object)
{
        *(void **)object = s->free_list;
        s->free_list = object;
        poison((char *)object + sizeof(void *), s->size - sizeof(void *));
}

/* Room for one more chunk pointer: the array doubles whenever it is full, which is at powers of two. */
static bool reserve_chunk(struct slab *s)
{
        void **grown;

        if ((s->chunk_count & (s->chunk_count - 1)) != 0)
                return true;
        grown = realloc(s->chunks, (s->chunk_count ? 2 * (size_t)s->chunk_count : 1) * sizeof(*grown));
        if (!grown)
                return false;
        s->chunks = grown;
        return true;
}

static bool grow(struct slab *s)
{
        size_t count = s->size >= CHUNK_BYTES ? 1 : CHUNK_BYTES / s->size;
        char *chunk;

        if (count > s->limit - s->made)
                count = s->limit - s->made;
        if (count == 0 || !reserve_chunk(s))
                return false;
        chunk = aligned_alloc(LINE, count * s->size);
        if (!chunk)
                return false;
        s->chunks[s->chunk_count++] = chunk;
        s->made += (uint32_t)count;
        for (size_t i = count; i > 0; i--) /* so that they are handed out in address order */
                push(s, chunk + (i - 1) * s->size);
        return true;
}

void *slab_get_raw(struct slab *s)
{
        void *object;

        if (!s->free_list && !grow(s))
                return NULL;
        object = s->free_list;
        unpoison(object, s->size);
        s->free_list = *(void **)object;
        s->in_use++;
        return object;
}

void *slab_get(struct slab *s)
{
        void *object = slab_get_raw(s);

        return object ? memset(object, 0, s->size) : NULL;
}

void slab_put(struct slab *s, void *object)
{
        if (!object)
                return;
        CHECK(s->in_use > 0);
        s->in_use--;
        push(s, object);
}

void slab_destroy(struct slab *s)
{
        for (uint32_t i = 0; i < s->chunk_count; i++)
                free(s->chunks[i]);
        free(s->chunks);
        *s = (struct slab){ .size = s->size, .limit = s->limit };
}
