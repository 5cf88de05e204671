/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/store/folders.h"

#include <fcntl.h>

#include "base/check.h"

void folder_marks_init(struct folder_marks *marks)
{
        for (uint32_t i = 0; i < STORE_FOLDERS; i++) {
                atomic_init(&marks->changed[i], 1);
                atomic_init(&marks->durable[i], 0);
        }
}

void folders_init(struct folders *f, struct disk *disk, struct folder_marks *marks)
{
        f->disk = disk;
        f->marks = marks;
        for (uint32_t i = 0; i < STORE_FOLDERS; i++) {
                struct folder *one = &f->folder[i];

                *one = (struct folder){ .all = f, .fd = -1 };
                list_init(&one->waiting);
                object_folder_path(i, one->path);
        }
}

void folders_close(struct folders *f)
{
        for (uint32_t i = 0; i < STORE_FOLDERS; i++) {
                CHECK(!f->folder[i].busy);
                if (f->folder[i].fd >= 0)
                        f->disk->ops->close_fd(f->disk, f->folder[i].fd);
                f->folder[i].fd = -1;
        }
}

void folder_changed(struct folders *f, uint32_t folder)
{
        atomic_fetch_add(&f->marks->changed[folder], 1);
}

static uint32_t number_of(const struct folder *one)
{
        return (uint32_t)(one - one->all->folder);
}

static void sync_folder(struct folder *one);

/* Who needed no more than what is durable now goes; an error is everybody's. */
static void finish(struct folder *one, int error)
{
        struct list ready = LIST_INIT(ready);

        LIST_FOR_EACH_SAFE(node, &one->waiting) {
                if (!error && CONTAINER(node, struct folder_wait, node)->need > one->target)
                        continue;
                list_remove(node);
                list_push(&ready, node);
        }
        one->busy = !list_empty(&one->waiting);
        if (one->busy)
                sync_folder(one);
        for (struct list *node; (node = list_pop(&ready));) {
                struct folder_wait *w = CONTAINER(node, struct folder_wait, node);

                w->done(w, error);
        }
}

static void synced(struct disk_req *r)
{
        struct folder *one = CONTAINER(r, struct folder, req);
        _Atomic uint64_t *durable = &one->all->marks->durable[number_of(one)];
        uint64_t before = atomic_load(durable);

        if (r->result == 0)
                while (before < one->target && !atomic_compare_exchange_weak(durable, &before, one->target))
                        ;
        finish(one, (int)r->result);
}

static void opened(struct disk_req *r)
{
        struct folder *one = CONTAINER(r, struct folder, req);

        if (r->result < 0) {
                finish(one, (int)r->result);
                return;
        }
        one->fd = (int)r->result;
        sync_folder(one);
}

static void sync_folder(struct folder *one)
{
        one->req =
                (struct disk_req){ .path = one->path, .fd = one->fd, .open_flags = O_RDONLY | O_DIRECTORY };
        if (one->fd < 0) {
                one->req.op = DISK_OPEN;
                one->req.done = opened;
        } else {
                one->target = atomic_load(&one->all->marks->changed[number_of(one)]);
                one->req.op = DISK_SYNC_FOLDER;
                one->req.done = synced;
        }
        disk_submit(one->all->disk, &one->req);
}

bool folder_sync(struct folders *f, uint32_t folder, struct folder_wait *w)
{
        struct folder *one = &f->folder[folder];

        w->need = atomic_load(&f->marks->changed[folder]);
        if (atomic_load(&f->marks->durable[folder]) >= w->need)
                return true;
        list_push(&one->waiting, &w->node);
        if (!one->busy) {
                one->busy = true;
                sync_folder(one);
        }
        return false;
}
