/* SPDX-License-Identifier: Apache-2.0 */
/* The disk for kernels and containers that refuse io_uring: each request is a job for a few threads. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/disk_posix.h"

struct threads_disk {
        struct disk disk; /* first */
        struct offload *offload;
        bool no_nowait; /* the loop's alone */
        int root_fd;
};

static struct threads_disk *disk_of(struct disk *disk)
{
        return CONTAINER(disk, struct threads_disk, disk);
}

static void work(struct offload_job *job)
{
        struct disk_req *r = CONTAINER(job, struct disk_req, job);

        r->result = posix_perform(r, disk_of(r->disk)->root_fd);
}

static void done(struct offload_job *job)
{
        struct disk_req *r = CONTAINER(job, struct disk_req, job);

        r->done(r);
}

static void threads_submit(struct disk *disk, struct disk_req *r)
{
        r->disk = disk;
        r->job.work = work;
        r->job.done = done;
        offload_submit(disk_of(disk)->offload, &r->job);
}

static uint32_t threads_read_now(struct disk *disk, int fd, void *data, uint32_t length, uint64_t offset)
{
        return posix_read_now(&disk_of(disk)->no_nowait, fd, data, length, offset);
}

static int threads_space(struct disk *disk, uint64_t *ret_total, uint64_t *ret_free)
{
        return posix_space(disk_of(disk)->root_fd, ret_total, ret_free);
}

static int threads_list(struct disk *disk, const char *dir, void (*each)(void *arg, const char *name),
                        void *arg)
{
        return posix_list(disk_of(disk)->root_fd, dir, each, arg);
}

static int threads_mkdir(struct disk *disk, const char *path)
{
        return posix_mkdir(disk_of(disk)->root_fd, path);
}

static void threads_free(struct disk *disk)
{
        struct threads_disk *d = disk_of(disk);

        offload_free(d->offload);
        close(d->root_fd);
        free(d);
}

static const struct disk_ops threads_ops = {
        .submit = threads_submit,
        .read_now = threads_read_now,
        .map = posix_map,
        .keep = posix_keep,
        .unmap = posix_unmap,
        .close_fd = posix_close_fd,
        .file_size = posix_file_size,
        .set_mtime = posix_set_mtime,
        .space = threads_space,
        .list = threads_list,
        .mkdir = threads_mkdir,
        .free = threads_free,
};

struct disk *disk_threads_new(struct loop *loop, int root_fd, unsigned threads)
{
        struct threads_disk *d = malloc(sizeof(*d));

        if (!d)
                return NULL;
        *d = (struct threads_disk){ .disk.ops = &threads_ops,
                                    .root_fd = root_fd,
                                    .offload = offload_new(loop, threads) };
        if (!d->offload) {
                free(d);
                errno = ENOMEM;
                return NULL;
        }
        return &d->disk;
}
