/* SPDX-License-Identifier: Apache-2.0 */
/* Local files without blocking the loop: the calls below, done by io_uring (disk_uring.c), by threads where
 * io_uring is refused (disk_threads.c), in place where the file system is memory (disk_inline.c), or by the
 * simulator's disk. Requests are members of whoever waits; done() runs on the loop, never from inside
 * disk_submit(). Requests on one fd may complete in any order. What can be read without waiting needs no
 * request: disk_read_now(), and disk_map() not even a copy. */
#pragma once

#include <stdint.h>

#include "base/offload.h"

enum disk_op {
        DISK_OPEN,  /* path relative to the disk's directory, flags, mode -> fd */
        DISK_READ,  /* fd, data, length, offset -> bytes (short only at end of file) */
        DISK_WRITE, /* fd, data, length, offset -> bytes (short only on error: then result is the -errno) */
        DISK_SYNC,  /* fd: fdatasync */
        DISK_SYNC_FOLDER, /* fd of a folder: fsync, since fdatasync may leave out the names that it got */
        DISK_TRUNCATE,    /* fd, offset = new length */
        DISK_UNLINK,      /* path */
        DISK_ALLOCATE,    /* fd, offset, span: room is reserved; the file gets no longer */
        DISK_PUNCH,       /* fd, offset, span: room is given back, zeros are read; the length stays */
        DISK_SEEK_DATA,   /* fd, offset -> where the next data begin, -ENXIO: nowhere */
        DISK_SEEK_HOLE,   /* fd, offset -> where the next hole begins, at the latest at the end; or -ENXIO */
        DISK_COPY,        /* from_fd, from_offset -> fd, offset: bytes, span or less where the source ends */
        DISK_CLONE, /* the same, sharing blocks, or -EOPNOTSUPP; -EINVAL: no blocks begin or end there */
};

struct disk_req {
        enum disk_op op;
        int fd;
        int from_fd;
        int open_flags;
        uint32_t mode;
        const char *path; /* stays valid until done */
        void *data;
        uint32_t length;
        uint64_t offset, from_offset, span;
        int64_t result; /* as above, or -errno */
        void (*done)(struct disk_req *);
        /* private to the engine */
        struct disk *disk;
        struct list node;
        struct offload_job job;
        uint32_t moved;
};

struct disk;
struct disk_ops {
        void (*submit)(struct disk *, struct disk_req *);
        /* READ at once, as far as that goes without waiting: bytes read, from the front. Why not more (not in
         * memory, end of file, an error) is for submit() to find out, of the rest. NULL: no gain. */
        uint32_t (*read_now)(struct disk *, int fd, void *data, uint32_t length, uint64_t offset);
        /* LENGTH bytes of a file where they lie in the page cache, to be handed to the kernel (writev) and
         * never looked at: they change when the file does, and what is cut off is gone (EFAULT; SIGBUS for
         * who looks). keep() before a cut gives them a copy of their own in the same place, which only fails
         * without memory. The file may be closed and removed, its blocks stay until unmap(). NULL: not all
         * are in memory, some are not there, or a copy is cheaper; map itself NULL: never. */
        const void *(*map)(struct disk *, int fd, uint32_t length, uint64_t offset);
        void (*keep)(struct disk *, const void *data, uint32_t length);
        void (*unmap)(struct disk *, const void *data, uint32_t length);
        /* No request may be under way on FD. Close before unlinking: the last close of an unlinked file frees
         * its blocks. */
        void (*close_fd)(struct disk *, int fd);
        int (*file_size)(struct disk *, int fd, uint64_t *ret_size, uint64_t *ret_allocated_bytes,
                         uint64_t *ret_mtime_ns);                             /* fstat: does not block */
        int (*set_mtime)(struct disk *, int fd, uint64_t mtime_ns);           /* likewise */
        int (*space)(struct disk *, uint64_t *ret_total, uint64_t *ret_free); /* statfs */
        int (*list)(struct disk *, const char *dir, void (*each)(void *arg, const char *name),
                    void *arg);                        /* at start, blocks */
        int (*mkdir)(struct disk *, const char *path); /* existing is fine; blocks shortly */
        void (*free)(struct disk *); /* no request may be under way; before the loop's end */
};
struct disk {
        const struct disk_ops *ops;
};

static inline void disk_submit(struct disk *d, struct disk_req *r)
{
        d->ops->submit(d, r);
}
static inline uint32_t disk_read_now(struct disk *d, int fd, void *data, uint32_t length, uint64_t offset)
{
        return d->ops->read_now ? d->ops->read_now(d, fd, data, length, offset) : 0;
}
static inline const void *disk_map(struct disk *d, int fd, uint32_t length, uint64_t offset)
{
        return d->ops->map ? d->ops->map(d, fd, length, offset) : NULL;
}

/* A disk rooted at directory ROOT_FD, which it takes and closes when freed. NULL with errno (and ROOT_FD
 * still the caller's) when the kernel refuses io_uring or lacks a call. ENTRIES: requests handed to the
 * kernel at a time; more wait. */
struct disk *disk_uring_new(struct loop *loop, int root_fd, unsigned entries);
struct disk *disk_threads_new(struct loop *loop, int root_fd, unsigned threads);
/* Only for a file system that is memory; any other: NULL with errno EOPNOTSUPP. */
struct disk *disk_inline_new(struct loop *loop, int root_fd);
