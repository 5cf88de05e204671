/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/memory_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct memory_file {
        struct list node; /* in memory_files.all; in no list: unlinked */
        struct memory_files *files;
        char *path;
        uint8_t *data;
        uint64_t size, mtime_ns;
        uint32_t opens;
};

/* What map() gave: what the file has there now, and after a cut what no file has. */
struct memory_map {
        struct list node; /* in memory_files.maps; in no list: kept */
        struct memory_file *file;
        uint64_t offset;
        uint32_t length;
        uint8_t data[];
};
enum { CUT_OFF = 0xee };

struct memory_disk {
        struct disk disk; /* first */
        struct env *env;
        struct memory_files *files;
        struct memory_file *open[MEMORY_DISK_OPEN];
        struct list submitted; /* struct disk_req.node */
        uint32_t read_now;     /* how often that was tried */
        uint32_t maps;         /* likewise */
        struct task run;
};

static struct memory_disk *memory_of(struct disk *disk)
{
        return CONTAINER(disk, struct memory_disk, disk);
}

void memory_files_init(struct memory_files *f)
{
        list_init(&f->all);
        list_init(&f->maps);
        f->bytes = 0;
}

/* --- maps */

static void show(const struct memory_file *file)
{
        LIST_FOR_EACH(node, &file->files->maps) {
                struct memory_map *map = CONTAINER(node, struct memory_map, node);
                uint64_t end =
                        map->offset + map->length < file->size ? map->offset + map->length : file->size;

                if (map->file != file)
                        continue;
                memset(map->data, CUT_OFF, map->length);
                if (map->offset < end)
                        memcpy(map->data, file->data + map->offset, end - map->offset);
        }
}

static struct memory_map *map_of(const void *data)
{
        return (struct memory_map *)((uintptr_t)data - offsetof(struct memory_map, data));
}

static void memory_keep(struct disk *disk, const void *data, uint32_t length)
{
        (void)disk;
        CHECK(length == map_of(data)->length);
        list_remove(&map_of(data)->node);
}

static void memory_unmap(struct disk *disk, const void *data, uint32_t length)
{
        memory_keep(disk, data, length);
        free(map_of(data));
}

/* Its maps stay as they are. */
static void forget_maps(const struct memory_file *file)
{
        LIST_FOR_EACH_SAFE(node, &file->files->maps)
                if (CONTAINER(node, struct memory_map, node)->file == file)
                        list_remove(node);
}

static const void *memory_map(struct disk *disk, int fd, uint32_t length, uint64_t offset)
{
        struct memory_disk *d = memory_of(disk);
        struct memory_file *file = d->open[fd];
        struct memory_map *map;

        if (d->maps++ % 2 == 1 || offset + length > file->size)
                return NULL;
        map = malloc(sizeof(*map) + length);
        CHECK(map != NULL);
        *map = (struct memory_map){ .file = file, .offset = offset, .length = length };
        list_push(&d->files->maps, &map->node);
        show(file);
        return map->data;
}

/* --- files */

static void free_file(struct memory_file *file)
{
        forget_maps(file);
        list_remove(&file->node);
        file->files->bytes -= file->size;
        free(file->path);
        free(file->data);
        free(file);
}

void memory_files_free(struct memory_files *f)
{
        while (!list_empty(&f->all))
                free_file(CONTAINER(f->all.next, struct memory_file, node));
}

static struct memory_file *find(const struct memory_files *f, const char *path)
{
        LIST_FOR_EACH(node, &f->all)
                if (strcmp(CONTAINER(node, struct memory_file, node)->path, path) == 0)
                        return CONTAINER(node, struct memory_file, node);
        return NULL;
}

static struct memory_file *create(struct memory_disk *d, const char *path)
{
        struct memory_file *file = calloc(1, sizeof(*file));

        CHECK(file && (file->path = strdup(path)));
        file->files = d->files;
        file->mtime_ns = env_wall(d->env);
        list_push(&d->files->all, &file->node);
        return file;
}

static int set_size(struct memory_disk *d, struct memory_file *file, uint64_t size)
{
        if (size > MEMORY_FILE_MAX)
                return -EFBIG;
        if (size > file->size && d->files->bytes + (size - file->size) > MEMORY_FILES_MAX)
                return -ENOSPC;
        file->data = realloc(file->data, size + 1);
        CHECK(file->data != NULL);
        if (size > file->size)
                memset(file->data + file->size, 0, size - file->size);
        d->files->bytes = d->files->bytes - file->size + size;
        file->size = size;
        file->mtime_ns = env_wall(d->env);
        return 0;
}

/* --- requests */

static int64_t do_open(struct memory_disk *d, const struct disk_req *r)
{
        struct memory_file *file = find(d->files, r->path);

        if (!file && !(r->open_flags & (O_CREAT | O_DIRECTORY)))
                return -ENOENT;
        for (int fd = 0; fd < MEMORY_DISK_OPEN; fd++) {
                if (d->open[fd])
                        continue;
                file = file ? file : create(d, r->path);
                if (r->open_flags & O_TRUNC)
                        set_size(d, file, 0);
                file->opens++;
                d->open[fd] = file;
                return fd;
        }
        return -EMFILE;
}

static int64_t do_read(const struct disk_req *r, const struct memory_file *file)
{
        uint64_t left = r->offset < file->size ? file->size - r->offset : 0, n = r->length;

        n = n < left ? n : left;
        if (n > 0)
                memcpy(r->data, file->data + r->offset, n);
        return (int64_t)n;
}

static int64_t do_write(struct memory_disk *d, const struct disk_req *r, struct memory_file *file)
{
        uint64_t end = r->offset + r->length;
        int error = end > file->size ? set_size(d, file, end) : 0;

        if (error)
                return error;
        memcpy(file->data + r->offset, r->data, r->length);
        file->mtime_ns = env_wall(d->env);
        return r->length;
}

static int64_t do_unlink(struct memory_disk *d, const char *path)
{
        struct memory_file *file = find(d->files, path);

        if (!file)
                return -ENOENT;
        list_remove(&file->node);
        if (file->opens == 0)
                free_file(file);
        return 0;
}

static int64_t do_punch(struct memory_disk *d, const struct disk_req *r, struct memory_file *file)
{
        uint64_t end = r->offset + r->span < file->size ? r->offset + r->span : file->size;

        if (r->offset < end)
                memset(file->data + r->offset, 0, end - r->offset);
        file->mtime_ns = env_wall(d->env);
        return 0;
}

/* A block that is all zeros is a hole. */
static int64_t do_seek(const struct disk_req *r, const struct memory_file *file)
{
        static const uint8_t zeros[4096];
        uint64_t at = r->offset;

        if (at >= file->size)
                return -ENXIO;
        while (at < file->size) {
                uint64_t end = (at / sizeof(zeros) + 1) * sizeof(zeros);
                size_t length = (size_t)((end < file->size ? end : file->size) - at);
                bool hole = memcmp(file->data + at, zeros, length) == 0;

                if (hole == (r->op == DISK_SEEK_HOLE))
                        return (int64_t)at;
                at = end;
        }
        return r->op == DISK_SEEK_HOLE ? (int64_t)file->size : -ENXIO;
}

static int64_t do_copy(struct memory_disk *d, const struct disk_req *r)
{
        const struct memory_file *from = d->open[r->from_fd];
        struct memory_file *to = d->open[r->fd];
        uint64_t left = r->from_offset < from->size ? from->size - r->from_offset : 0;
        uint64_t length = left < r->span ? left : r->span, end = r->offset + length;
        int error = length > 0 && end > to->size ? set_size(d, to, end) : 0;

        if (error)
                return error;
        if (length > 0)
                memmove(to->data + r->offset, from->data + r->from_offset, length);
        to->mtime_ns = env_wall(d->env);
        return (int64_t)length;
}

static int64_t perform(struct memory_disk *d, struct disk_req *r)
{
        switch (r->op) {
        case DISK_OPEN: return do_open(d, r);
        case DISK_READ: return do_read(r, d->open[r->fd]);
        case DISK_WRITE: return do_write(d, r, d->open[r->fd]);
        case DISK_TRUNCATE: return set_size(d, d->open[r->fd], r->offset);
        case DISK_UNLINK: return do_unlink(d, r->path);
        case DISK_SYNC:
        case DISK_SYNC_FOLDER: CHECK(d->open[r->fd] != NULL); return 0;
        case DISK_ALLOCATE: return d->files->bytes + r->span > MEMORY_FILES_MAX ? -ENOSPC : 0;
        case DISK_PUNCH: return do_punch(d, r, d->open[r->fd]);
        case DISK_SEEK_DATA:
        case DISK_SEEK_HOLE: return do_seek(r, d->open[r->fd]);
        case DISK_COPY:
        case DISK_CLONE: return do_copy(d, r);
        }
        return -EINVAL;
}

static void run(struct task *task)
{
        struct memory_disk *d = CONTAINER(task, struct memory_disk, run);
        struct list now = LIST_INIT(now);

        list_splice(&now, &d->submitted);
        for (struct list *node; (node = list_pop(&now));) {
                struct disk_req *r = CONTAINER(node, struct disk_req, node);

                r->result = perform(d, r);
                if (r->op != DISK_OPEN && r->op != DISK_UNLINK && d->open[r->fd])
                        show(d->open[r->fd]);
                r->done(r);
        }
}

static void memory_submit(struct disk *disk, struct disk_req *r)
{
        list_push(&memory_of(disk)->submitted, &r->node);
        env_defer(memory_of(disk)->env, &memory_of(disk)->run);
}

/* In turns all, nothing and a half. */
static uint32_t memory_read_now(struct disk *disk, int fd, void *data, uint32_t length, uint64_t offset)
{
        static const uint32_t halves[] = { 2, 0, 1 };
        struct memory_disk *d = memory_of(disk);
        struct disk_req r = { .data = data, .offset = offset };

        r.length = (uint32_t)((uint64_t)length * halves[d->read_now++ % 3] / 2);
        return (uint32_t)do_read(&r, d->open[fd]);
}

static void memory_close_fd(struct disk *disk, int fd)
{
        struct memory_file *file = memory_of(disk)->open[fd];

        CHECK(file && file->opens > 0);
        memory_of(disk)->open[fd] = NULL;
        if (--file->opens == 0 && list_empty(&file->node))
                free_file(file);
}

static int memory_file_size(struct disk *disk, int fd, uint64_t *ret_size, uint64_t *ret_allocated_bytes,
                            uint64_t *ret_mtime_ns)
{
        const struct memory_file *file = memory_of(disk)->open[fd];

        *ret_size = *ret_allocated_bytes = file->size;
        *ret_mtime_ns = file->mtime_ns;
        return 0;
}

static int memory_set_mtime(struct disk *disk, int fd, uint64_t mtime_ns)
{
        memory_of(disk)->open[fd]->mtime_ns = mtime_ns;
        return 0;
}

static int memory_space(struct disk *disk, uint64_t *ret_total, uint64_t *ret_free)
{
        *ret_total = MEMORY_FILES_MAX;
        *ret_free = MEMORY_FILES_MAX - memory_of(disk)->files->bytes;
        return 0;
}

static int memory_list(struct disk *disk, const char *dir, void (*each)(void *arg, const char *name),
                       void *arg)
{
        size_t length = strlen(dir);

        LIST_FOR_EACH(node, &memory_of(disk)->files->all) {
                const char *path = CONTAINER(node, struct memory_file, node)->path;

                if (strncmp(path, dir, length) == 0 && path[length] == '/')
                        each(arg, path + length + 1);
        }
        return 0;
}

static int memory_mkdir(struct disk *disk, const char *path)
{
        (void)disk, (void)path;
        return 0;
}

static void memory_free(struct disk *disk)
{
        struct memory_disk *d = memory_of(disk);

        CHECK(list_empty(&d->submitted));
        for (int fd = 0; fd < MEMORY_DISK_OPEN; fd++)
                CHECK(!d->open[fd]);
        list_remove(&d->run.node);
        free(d);
}

static const struct disk_ops memory_ops = {
        .submit = memory_submit,
        .read_now = memory_read_now,
        .map = memory_map,
        .keep = memory_keep,
        .unmap = memory_unmap,
        .close_fd = memory_close_fd,
        .file_size = memory_file_size,
        .set_mtime = memory_set_mtime,
        .space = memory_space,
        .list = memory_list,
        .mkdir = memory_mkdir,
        .free = memory_free,
};

struct disk *memory_disk_new(struct env *env, struct memory_files *files)
{
        struct memory_disk *d = calloc(1, sizeof(*d));

        CHECK(d != NULL);
        d->disk.ops = &memory_ops;
        d->env = env;
        d->files = files;
        d->run.run = run;
        list_init(&d->submitted);
        list_init(&d->run.node);
        return &d->disk;
}
