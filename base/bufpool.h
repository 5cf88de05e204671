/* SPDX-License-Identifier: Apache-2.0 */
/* Page-aligned, counted I/O buffers of two sizes. One pool a loop, so counts need no atomics. What is counted
 * may also be somebody's own memory: a struct buf with release(), pool NULL. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
        BUF_SMALL = 64 * 1024,               /* receive chunks, small replies */
        BUF_LARGE = 1024 * 1024 + 64 * 1024, /* one record with 1 MiB of data */
};

struct bufpool;
struct buf {
        struct bufpool *pool;
        struct buf *next_free;
        uint8_t *data;
        uint32_t capacity; /* BUF_SMALL or BUF_LARGE; of somebody else's, its bytes */
        uint32_t refs;
        void (*release)(struct buf *); /* nobody refers to it any more; NULL: it goes back to its pool */
};

/* A pool that holds at most LIMIT_BYTES, allocated when first needed and kept. NULL: out of memory. */
struct bufpool *bufpool_new(size_t limit_bytes);
void bufpool_free(struct bufpool *pool); /* all buffers must be back */
/* A buffer of at least BYTES (<= BUF_LARGE) with one reference, contents undefined; NULL at the limit. */
struct buf *buf_get(struct bufpool *pool, uint32_t bytes);
struct buf *buf_ref(struct buf *buf);
void buf_unref(struct buf *buf); /* NULL is fine */
size_t bufpool_in_use_bytes(const struct bufpool *pool);
