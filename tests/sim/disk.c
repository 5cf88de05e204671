/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "tests/sim/platter.h"

enum { FDS = 1024 };

struct open_file {
        struct file *file; /* NULL: a folder, or free */
        char folder[PATH_BYTES];
        bool used;
};

struct sim_disk {
        struct world *world;
        struct platter platter;
        uint64_t capacity, max_delay_ns;
        bool full, fail_next;
        bool shares;           /* blocks between files */
        struct handle *handle; /* of the process that lives */
};

/* The disk as one process has it. */
struct handle {
        struct disk disk;    /* first */
        struct sim_disk *on; /* NULL: the process is dead */
        struct node *node;
        struct list requests; /* struct request */
        struct open_file fds[FDS];
        uint32_t next_fd;
};

struct request {
        struct list node;
        struct timer timer;
        struct handle *handle;
        struct disk_req *req;
        uint64_t upto; /* SYNC: what changed up to here gets durable */
        bool early;    /* the effect was at the beginning, not at the end */
};

/* --- what a request does */

static int new_fd(struct handle *h)
{
        for (uint32_t i = 0; i < FDS; i++) {
                uint32_t fd = h->next_fd++ % FDS;

                if (!h->fds[fd].used) {
                        h->fds[fd].used = true;
                        return (int)fd;
                }
        }
        return -EMFILE;
}

static struct open_file *opened(struct handle *h, int fd)
{
        CHECK(fd >= 0 && fd < FDS && h->fds[fd].used);
        return &h->fds[fd];
}

static int64_t do_open(struct handle *h, const struct disk_req *r)
{
        struct file *f = platter_find(&h->on->platter, r->path);
        int fd;

        if (!(r->open_flags & O_DIRECTORY) && !f && !(r->open_flags & O_CREAT))
                return -ENOENT;
        fd = new_fd(h);
        if (fd < 0)
                return fd;
        if (r->open_flags & O_DIRECTORY) {
                strcpy(h->fds[fd].folder, r->path);
                return fd;
        }
        if (!f)
                f = platter_make(&h->on->platter, r->path);
        if (r->open_flags & O_TRUNC)
                platter_set_size(&h->on->platter, f, 0);
        f->refs++;
        h->fds[fd].file = f;
        return fd;
}

static int64_t do_write(struct sim_disk *d, struct file *f, const struct disk_req *r)
{
        uint64_t end = r->offset + r->length;
        uint64_t more = end > f->size ? platter_blocks(end) - platter_blocks(f->size) : 0;

        if (more > 0 && (d->full || d->platter.used + more > d->capacity))
                return -ENOSPC;
        platter_write(&d->platter, f, r->offset, r->data, r->length);
        return r->length;
}

static int64_t do_read(const struct file *f, const struct disk_req *r)
{
        uint64_t length = r->offset >= f->size ? 0 : f->size - r->offset;

        if (length > r->length)
                length = r->length;
        if (length > 0)
                memcpy(r->data, f->now + r->offset, length);
        return (int64_t)length;
}

static int64_t do_unlink(struct platter *p, const char *path)
{
        struct file *f = platter_find(p, path);

        if (!f)
                return -ENOENT;
        platter_unlink(p, f);
        return 0;
}

static int64_t do_truncate(struct platter *p, struct file *f, uint64_t size)
{
        platter_set_size(p, f, size);
        return 0;
}

/* What is not there reads as zeros too: the room that it took is not given back. */
static int64_t do_punch(struct platter *p, struct file *f, const struct disk_req *r)
{
        static const uint8_t zeros[BLOCK];
        uint64_t end = r->offset + r->span < f->size ? r->offset + r->span : f->size;

        for (uint64_t at = r->offset; at < end; at += BLOCK)
                platter_write(p, f, at, zeros, (uint32_t)(end - at < BLOCK ? end - at : BLOCK));
        return 0;
}

/* A block that is all zeros is a hole. */
static int64_t do_seek(const struct file *f, const struct disk_req *r)
{
        static const uint8_t zeros[BLOCK];
        uint64_t at = r->offset;

        if (at >= f->size)
                return -ENXIO;
        while (at < f->size) {
                uint64_t end = (at / BLOCK + 1) * BLOCK;
                bool hole = memcmp(f->now + at, zeros, (end < f->size ? end : f->size) - at) == 0;

                if (hole == (r->op == DISK_SEEK_HOLE))
                        return (int64_t)at;
                at = end;
        }
        return r->op == DISK_SEEK_HOLE ? (int64_t)f->size : -ENXIO;
}

static int64_t do_copy(struct handle *h, const struct disk_req *r)
{
        const struct file *from = opened(h, r->from_fd)->file;
        uint64_t left = r->from_offset < from->size ? from->size - r->from_offset : 0, done = 0;
        uint8_t bytes[BLOCK];

        while (done < r->span && done < left) {
                uint64_t length = (left < r->span ? left : r->span) - done;
                struct disk_req part = { .data = bytes, .offset = r->offset + done };
                int64_t n;

                part.length = (uint32_t)(length < BLOCK ? length : BLOCK);
                memcpy(bytes, from->now + r->from_offset + done, part.length);
                n = do_write(h->on, opened(h, r->fd)->file, &part);
                if (n < 0)
                        return n;
                done += (uint64_t)n;
        }
        return (int64_t)done;
}

/* As FICLONERANGE: whole blocks, but for the end of the source. */
static int64_t do_clone(struct handle *h, const struct disk_req *r)
{
        const struct file *from = opened(h, r->from_fd)->file;

        if (!h->on->shares)
                return -EOPNOTSUPP;
        if (r->offset % BLOCK || r->from_offset % BLOCK ||
            (r->span % BLOCK && r->from_offset + r->span < from->size))
                return -EINVAL;
        return do_copy(h, r);
}

static int64_t perform(struct request *q)
{
        struct handle *h = q->handle;
        const struct disk_req *r = q->req;
        struct platter *p = &h->on->platter;
        struct open_file *o = r->op == DISK_OPEN || r->op == DISK_UNLINK ? NULL : opened(h, r->fd);

        if (r->op == DISK_WRITE || r->op == DISK_TRUNCATE || r->op == DISK_PUNCH || r->op == DISK_COPY ||
            r->op == DISK_CLONE)
                o->file->mtime_ns = env_wall(&h->node->env);
        switch (r->op) {
        case DISK_OPEN: return do_open(h, r);
        case DISK_READ: return do_read(o->file, r);
        case DISK_WRITE: return do_write(h->on, o->file, r);
        case DISK_SYNC: platter_sync(o->file, q->upto); return 0;
        case DISK_SYNC_FOLDER: platter_sync_names(p, o->folder, q->upto); return 0;
        case DISK_TRUNCATE: return do_truncate(p, o->file, r->offset);
        case DISK_UNLINK: return do_unlink(p, r->path);
        case DISK_ALLOCATE: return h->on->full ? -ENOSPC : 0;
        case DISK_PUNCH: return do_punch(p, o->file, r);
        case DISK_SEEK_DATA:
        case DISK_SEEK_HOLE: return do_seek(o->file, r);
        case DISK_COPY: return do_copy(h, r);
        case DISK_CLONE: return do_clone(h, r);
        }
        return -EINVAL;
}

/* --- requests */

static void finish(struct request *q)
{
        struct disk_req *r = q->req;

        timer_stop(&q->timer);
        list_remove(&q->node);
        free(q);
        r->done(r);
}

static void on_timer(struct timer *t)
{
        struct request *q = CONTAINER(t, struct request, timer);
        struct sim_disk *d = q->handle->on;

        if (!d) {
                q->req->result = -EIO;
        } else if (d->fail_next && q->req->op != DISK_OPEN && !q->early) {
                d->fail_next = false;
                world_say(d->world, q->handle->node->name, "EIO");
                q->req->result = -EIO;
                if (q->req->op == DISK_SYNC)
                        platter_sync_failed(opened(q->handle, q->req->fd)->file);
        } else if (!q->early) {
                q->req->result = perform(q);
        }
        if (d)
                world_note(d->world,
                           (uint64_t)q->req->op << 56 ^ q->req->offset << 8 ^ (uint64_t)q->req->result);
        finish(q);
}

/* A write or a read may have its effect at once or as late as its answer; a sync ends when it is answered. */
static void handle_submit(struct disk *disk, struct disk_req *r)
{
        struct handle *h = CONTAINER(disk, struct handle, disk);
        struct request *q = calloc(1, sizeof(*q));
        struct world *w = h->node->world;

        CHECK(q != NULL);
        q->handle = h;
        q->req = r;
        q->timer.fire = on_timer;
        list_push(&h->requests, &q->node);
        if (!h->on) {
                timer_start(&h->node->env, &q->timer, 1);
                return;
        }
        q->upto = h->on->platter.generation;
        q->early = (r->op == DISK_WRITE || r->op == DISK_READ) && world_once_in(w, 2);
        if (q->early)
                r->result = perform(q);
        timer_start(&h->node->env, &q->timer, 1 + world_random(w, h->on->max_delay_ns));
}

static void handle_close_fd(struct disk *disk, int fd)
{
        struct handle *h = CONTAINER(disk, struct handle, disk);
        struct open_file *o = opened(h, fd);
        struct file *f = o->file;

        LIST_FOR_EACH(node, &h->requests) {
                const struct disk_req *r = CONTAINER(node, struct request, node)->req;

                CHECK(r->fd != fd || r->op == DISK_OPEN || r->op == DISK_UNLINK);
        }
        *o = (struct open_file){ 0 };
        if (!f || !h->on)
                return; /* sim_disk_crash() took the reference */
        f->refs--;
        platter_forget_if_unused(f);
}

static int handle_file_size(struct disk *disk, int fd, uint64_t *ret_size, uint64_t *ret_allocated_bytes,
                            uint64_t *ret_mtime_ns)
{
        struct handle *h = CONTAINER(disk, struct handle, disk);
        const struct file *f = opened(h, fd)->file;

        if (!h->on)
                return -EIO;
        *ret_size = f->size;
        *ret_allocated_bytes = platter_blocks(f->size);
        *ret_mtime_ns = f->mtime_ns;
        return 0;
}

static int handle_set_mtime(struct disk *disk, int fd, uint64_t mtime_ns)
{
        struct handle *h = CONTAINER(disk, struct handle, disk);

        if (!h->on)
                return -EIO;
        opened(h, fd)->file->mtime_ns = mtime_ns;
        return 0;
}

static int handle_space(struct disk *disk, uint64_t *ret_total, uint64_t *ret_free)
{
        struct sim_disk *d = CONTAINER(disk, struct handle, disk)->on;

        if (!d)
                return -EIO;
        *ret_total = d->capacity;
        *ret_free = d->full ? 0 : d->capacity - d->platter.used;
        return 0;
}

static int handle_list(struct disk *disk, const char *dir, void (*each)(void *arg, const char *name),
                       void *arg)
{
        struct sim_disk *d = CONTAINER(disk, struct handle, disk)->on;

        if (d)
                sim_disk_each(d, dir, each, arg);
        return d ? 0 : -EIO;
}

static int handle_mkdir(struct disk *disk, const char *path)
{
        (void)disk, (void)path;
        return 0;
}

static void handle_free(struct disk *disk)
{
        struct handle *h = CONTAINER(disk, struct handle, disk);

        CHECK(list_empty(&h->requests));
        for (uint32_t i = 0; i < FDS; i++)
                CHECK(!h->fds[i].used);
        if (h->on)
                h->on->handle = NULL;
        free(h);
}

static const struct disk_ops handle_ops = {
        .submit = handle_submit,
        .close_fd = handle_close_fd,
        .file_size = handle_file_size,
        .set_mtime = handle_set_mtime,
        .space = handle_space,
        .list = handle_list,
        .mkdir = handle_mkdir,
        .free = handle_free,
};

struct disk *sim_disk_attach(struct sim_disk *d, struct node *node)
{
        struct handle *h = calloc(1, sizeof(*h));

        CHECK(h != NULL && !d->handle);
        h->disk.ops = &handle_ops;
        h->on = d;
        h->node = node;
        list_init(&h->requests);
        d->handle = h;
        return &h->disk;
}

void sim_disk_crash(struct sim_disk *d, bool power_lost)
{
        struct handle *h = d->handle;

        if (h) {
                LIST_FOR_EACH(node, &h->requests) {
                        struct request *q = CONTAINER(node, struct request, node);

                        if (!q->early && q->req->op == DISK_WRITE && world_once_in(d->world, 2))
                                perform(q);
                }
                for (uint32_t i = 0; i < FDS; i++)
                        if (h->fds[i].file)
                                h->fds[i].file->refs--;
                h->on = NULL;
                d->handle = NULL;
        }
        if (power_lost)
                platter_lose(&d->platter);
        LIST_FOR_EACH_SAFE(node, &d->platter.files)
                platter_forget_if_unused(CONTAINER(node, struct file, node));
}

/* --- */

void sim_disk_set_full(struct sim_disk *d, bool full)
{
        d->full = full;
}

void sim_disk_fail_next(struct sim_disk *d)
{
        d->fail_next = true;
}

void sim_disk_fail_none(struct sim_disk *d)
{
        d->fail_next = false;
}

void sim_disk_set_delay(struct sim_disk *d, uint64_t max_ns)
{
        d->max_delay_ns = max_ns;
}

void sim_disk_each(struct sim_disk *d, const char *folder, void (*each)(void *arg, const char *path),
                   void *arg)
{
        LIST_FOR_EACH(node, &d->platter.files) {
                const struct file *f = CONTAINER(node, struct file, node);

                if (f->named && platter_is_in(f, folder))
                        each(arg, f->path);
        }
}

struct sim_disk *sim_disk_new(struct world *w, uint64_t capacity)
{
        struct sim_disk *d = calloc(1, sizeof(*d));

        CHECK(d != NULL);
        d->world = d->platter.world = w;
        d->capacity = capacity;
        d->max_delay_ns = MS_NS / 2;
        d->shares = world_once_in(w, 2);
        list_init(&d->platter.files);
        return d;
}

void sim_disk_free(struct sim_disk *d)
{
        CHECK(!d->handle);
        while (!list_empty(&d->platter.files))
                platter_forget(CONTAINER(d->platter.files.next, struct file, node));
        free(d);
}
