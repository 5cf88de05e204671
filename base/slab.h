/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded pool of objects of one size: no malloc after warm-up, a ceiling from birth. One thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slab {
        size_t size;    /* bytes an object, rounded up to 64 */
        uint32_t limit; /* objects at most */
        uint32_t in_use, made;
        void *free_list;
        void **chunks; /* what slab_free_all() frees */
        uint32_t chunk_count;
};

void slab_init(struct slab *s, size_t object_bytes, uint32_t limit);
/* A zeroed object, or NULL at the limit or out of memory. */
void *slab_get(struct slab *s);
/* The same without zeroing. */
void *slab_get_raw(struct slab *s);
void slab_put(struct slab *s, void *object); /* NULL is fine */
void slab_destroy(struct slab *s);
