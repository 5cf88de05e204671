/* SPDX-License-Identifier: Apache-2.0 */
/* The disk on tmpfs: there is nothing to wait for, so each request is done in place, at the end of the turn
 * that brought it. (tmpfs has no IOCB_NOWAIT before Linux 6.6, so io_uring hands every request to a thread:
 * twice the CPU of a 4 KiB READ.) */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/disk_posix.h"

struct inline_disk {
        struct disk disk; /* first */
        struct loop *loop;
        int root_fd;
        struct list waiting;
        struct turn_hook at_turn_end;
        struct task again; /* does nothing: a deferred task makes the loop come back without sleeping */
};

static struct inline_disk *disk_of(struct disk *disk)
{
        return CONTAINER(disk, struct inline_disk, disk);
}

static void nothing(struct task *task)
{
        (void)task;
}

/* What done() submits waits for the next turn. */
static void at_turn_end(struct turn_hook *hook)
{
        struct inline_disk *d = CONTAINER(hook, struct inline_disk, at_turn_end);
        struct list now = LIST_INIT(now);

        list_splice(&now, &d->waiting);
        for (struct list *node; (node = list_pop(&now));) {
                struct disk_req *r = CONTAINER(node, struct disk_req, node);

                r->result = posix_perform(r, d->root_fd);
                r->done(r);
        }
}

static void inline_submit(struct disk *disk, struct disk_req *r)
{
        struct inline_disk *d = disk_of(disk);

        list_push(&d->waiting, &r->node);
        env_defer(loop_env(d->loop), &d->again); /* the turn may be over, or none have begun */
}

static int inline_space(struct disk *disk, uint64_t *ret_total, uint64_t *ret_free)
{
        return posix_space(disk_of(disk)->root_fd, ret_total, ret_free);
}

static int inline_list(struct disk *disk, const char *dir, void (*each)(void *arg, const char *name),
                       void *arg)
{
        return posix_list(disk_of(disk)->root_fd, dir, each, arg);
}

static int inline_mkdir(struct disk *disk, const char *path)
{
        return posix_mkdir(disk_of(disk)->root_fd, path);
}

static void inline_free(struct disk *disk)
{
        struct inline_disk *d = disk_of(disk);

        CHECK(list_empty(&d->waiting));
        list_remove(&d->at_turn_end.node);
        list_remove(&d->again.node);
        close(d->root_fd);
        free(d);
}

static const struct disk_ops inline_ops = {
        .submit = inline_submit,
        .map = posix_map,
        .keep = posix_keep,
        .unmap = posix_unmap,
        .close_fd = posix_close_fd,
        .file_size = posix_file_size,
        .set_mtime = posix_set_mtime,
        .space = inline_space,
        .list = inline_list,
        .mkdir = inline_mkdir,
        .free = inline_free,
};

struct disk *disk_inline_new(struct loop *loop, int root_fd)
{
        struct inline_disk *d = posix_in_memory(root_fd) ? malloc(sizeof(*d)) : NULL;

        if (!d) {
                errno = posix_in_memory(root_fd) ? ENOMEM : EOPNOTSUPP;
                return NULL;
        }
        *d = (struct inline_disk){ .disk.ops = &inline_ops,
                                   .loop = loop,
                                   .root_fd = root_fd,
                                   .at_turn_end.fn = at_turn_end,
                                   .again.run = nothing };
        list_init(&d->waiting);
        list_init(&d->again.node);
        loop_at_turn_end(loop, &d->at_turn_end);
        return &d->disk;
}
