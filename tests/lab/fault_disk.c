/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/fault_disk.h"

#include <stdlib.h>

#include "base/check.h"

enum { OPS = DISK_CLONE + 1 };

struct fault_disk {
        struct disk disk; /* first */
        struct disk *inner;
        struct env *env;
        int error[OPS];
        bool hold[OPS];
        uint64_t count[OPS];
        struct list held, failed; /* struct disk_req.node */
        uint32_t held_count;
        struct task fail;
};

static struct fault_disk *fault_of(struct disk *disk)
{
        return CONTAINER(disk, struct fault_disk, disk);
}

struct disk *fault_disk_disk(struct fault_disk *f)
{
        return &f->disk;
}

static void run_failed(struct task *task)
{
        struct fault_disk *f = CONTAINER(task, struct fault_disk, fail);
        struct list failed = LIST_INIT(failed);

        list_splice(&failed, &f->failed);
        for (struct list *node; (node = list_pop(&failed));) {
                struct disk_req *r = CONTAINER(node, struct disk_req, node);

                r->done(r);
        }
}

static void fault_submit(struct disk *disk, struct disk_req *r)
{
        struct fault_disk *f = fault_of(disk);

        f->count[r->op]++;
        if (f->hold[r->op]) {
                list_push(&f->held, &r->node);
                f->held_count++;
        } else if (f->error[r->op]) {
                r->result = f->error[r->op];
                list_push(&f->failed, &r->node);
                env_defer(f->env, &f->fail);
        } else {
                disk_submit(f->inner, r);
        }
}

/* What is read in full at once counts as a request; of the rest there will be one. */
static uint32_t fault_read_now(struct disk *disk, int fd, void *data, uint32_t length, uint64_t offset)
{
        struct fault_disk *f = fault_of(disk);
        uint32_t n = 0;

        if (!f->hold[DISK_READ] && !f->error[DISK_READ])
                n = disk_read_now(f->inner, fd, data, length, offset);
        f->count[DISK_READ] += n == length;
        return n;
}

/* Likewise. */
static const void *fault_map(struct disk *disk, int fd, uint32_t length, uint64_t offset)
{
        struct fault_disk *f = fault_of(disk);
        const void *data =
                f->hold[DISK_READ] || f->error[DISK_READ] ? NULL : disk_map(f->inner, fd, length, offset);

        f->count[DISK_READ] += data != NULL;
        return data;
}

void fault_disk_let_go(struct fault_disk *f, bool reverse)
{
        for (int i = 0; i < OPS; i++)
                f->hold[i] = false;
        while (!list_empty(&f->held)) {
                struct list *node = reverse ? f->held.prev : f->held.next;

                list_remove(node);
                f->held_count--;
                disk_submit(f->inner, CONTAINER(node, struct disk_req, node));
        }
}

void fault_disk_fail(struct fault_disk *f, enum disk_op op, int error)
{
        f->error[op] = error;
}

void fault_disk_hold(struct fault_disk *f, enum disk_op op)
{
        f->hold[op] = true;
}

uint32_t fault_disk_held(const struct fault_disk *f)
{
        return f->held_count;
}

uint64_t fault_disk_count(const struct fault_disk *f, enum disk_op op)
{
        return f->count[op];
}

/* --- the rest goes through */

static void fault_keep(struct disk *disk, const void *data, uint32_t length)
{
        fault_of(disk)->inner->ops->keep(fault_of(disk)->inner, data, length);
}

static void fault_unmap(struct disk *disk, const void *data, uint32_t length)
{
        fault_of(disk)->inner->ops->unmap(fault_of(disk)->inner, data, length);
}

static void fault_close_fd(struct disk *disk, int fd)
{
        fault_of(disk)->inner->ops->close_fd(fault_of(disk)->inner, fd);
}

static int fault_file_size(struct disk *disk, int fd, uint64_t *ret_size, uint64_t *ret_allocated_bytes,
                           uint64_t *ret_mtime_ns)
{
        struct disk *inner = fault_of(disk)->inner;

        return inner->ops->file_size(inner, fd, ret_size, ret_allocated_bytes, ret_mtime_ns);
}

static int fault_space(struct disk *disk, uint64_t *ret_total, uint64_t *ret_free)
{
        return fault_of(disk)->inner->ops->space(fault_of(disk)->inner, ret_total, ret_free);
}

static int fault_set_mtime(struct disk *disk, int fd, uint64_t mtime_ns)
{
        return fault_of(disk)->inner->ops->set_mtime(fault_of(disk)->inner, fd, mtime_ns);
}

static int fault_list(struct disk *disk, const char *dir, void (*each)(void *arg, const char *name),
                      void *arg)
{
        return fault_of(disk)->inner->ops->list(fault_of(disk)->inner, dir, each, arg);
}

static int fault_mkdir(struct disk *disk, const char *path)
{
        return fault_of(disk)->inner->ops->mkdir(fault_of(disk)->inner, path);
}

static void fault_free(struct disk *disk)
{
        struct fault_disk *f = fault_of(disk);

        CHECK(list_empty(&f->held) && list_empty(&f->failed));
        list_remove(&f->fail.node);
        f->inner->ops->free(f->inner);
        free(f);
}

static const struct disk_ops fault_ops = {
        .submit = fault_submit,
        .read_now = fault_read_now,
        .map = fault_map,
        .keep = fault_keep,
        .unmap = fault_unmap,
        .close_fd = fault_close_fd,
        .file_size = fault_file_size,
        .set_mtime = fault_set_mtime,
        .space = fault_space,
        .list = fault_list,
        .mkdir = fault_mkdir,
        .free = fault_free,
};

struct fault_disk *fault_disk_new(struct env *env, struct disk *inner)
{
        struct fault_disk *f = calloc(1, sizeof(*f));

        CHECK(f != NULL && inner != NULL);
        f->disk.ops = &fault_ops;
        f->inner = inner;
        f->env = env;
        f->fail.run = run_failed;
        list_init(&f->held);
        list_init(&f->failed);
        list_init(&f->fail.node);
        return f;
}
