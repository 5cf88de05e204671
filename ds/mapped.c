/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/mapped.h"

enum { MAPPED_MAX = 1024 }; /* at a time: a GiB of addresses at most */

struct mapped {
        struct buf buf;
        struct list node; /* in worker.mapped until it has a copy of its own */
        struct worker *worker;
        uint64_t fileid;
        uint32_t generation;
};

void mapped_init(struct worker *w)
{
        list_init(&w->mapped);
        slab_init(&w->mapped_bufs, sizeof(struct mapped), MAPPED_MAX);
}

void mapped_destroy(struct worker *w)
{
        CHECK(list_empty(&w->mapped));
        slab_destroy(&w->mapped_bufs);
}

static void release(struct buf *buf)
{
        struct mapped *m = CONTAINER(buf, struct mapped, buf);
        struct worker *w = m->worker;

        list_remove(&m->node);
        w->disk->ops->unmap(w->disk, buf->data, buf->capacity);
        slab_put(&w->mapped_bufs, m);
}

struct buf *mapped_read(struct worker *w, const struct object *o, uint32_t length, uint64_t offset)
{
        const void *data = o->cuts == 0 ? disk_map(w->disk, o->fd, length, offset) : NULL;
        struct mapped *m = data ? slab_get(&w->mapped_bufs) : NULL;

        if (!m) {
                if (data)
                        w->disk->ops->unmap(w->disk, data, length);
                return NULL;
        }
        *m = (struct mapped){ .buf = { .data = (uint8_t *)(uintptr_t)data,
                                       .capacity = length,
                                       .refs = 1,
                                       .release = release },
                              .worker = w,
                              .fileid = o->fileid,
                              .generation = o->generation };
        list_push(&w->mapped, &m->node);
        return &m->buf;
}

void mapped_keep(struct worker *w, uint64_t fileid, uint32_t generation)
{
        LIST_FOR_EACH_SAFE(node, &w->mapped) {
                struct mapped *m = CONTAINER(node, struct mapped, node);

                if (m->fileid != fileid || m->generation != generation)
                        continue;
                w->disk->ops->keep(w->disk, m->buf.data, m->buf.capacity);
                list_remove(&m->node);
        }
}
