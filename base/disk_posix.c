/* SPDX-License-Identifier: Apache-2.0 */
#include "base/disk_posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"

enum { COPY_BYTES = 256 * 1024 /* at a time, where the kernel does not copy */ };

void posix_close_fd(struct disk *disk, int fd)
{
        (void)disk;
        CHECK(close(fd) == 0 || errno != EBADF); /* closing what is not open closes somebody else's next */
}

int posix_file_size(struct disk *disk, int fd, uint64_t *ret_size, uint64_t *ret_allocated_bytes,
                    uint64_t *ret_mtime_ns)
{
        struct stat st;

        (void)disk;
        if (fstat(fd, &st) < 0)
                return -errno;
        *ret_size = (uint64_t)st.st_size;
        *ret_allocated_bytes = (uint64_t)st.st_blocks * 512;
        *ret_mtime_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
        return 0;
}

int posix_set_mtime(struct disk *disk, int fd, uint64_t mtime_ns)
{
        const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
                                           { .tv_sec = (time_t)(mtime_ns / 1000000000u),
                                             .tv_nsec = (long)(mtime_ns % 1000000000u) } };

        (void)disk;
        return futimens(fd, times) < 0 ? -errno : 0;
}

int posix_space(int root_fd, uint64_t *ret_total, uint64_t *ret_free)
{
        struct statvfs st;

        if (fstatvfs(root_fd, &st) < 0)
                return -errno;
        /* What is kept for root is no capacity of ours: total minus free is what is used. */
        *ret_total = (uint64_t)(st.f_blocks - st.f_bfree + st.f_bavail) * st.f_frsize;
        *ret_free = (uint64_t)st.f_bavail * st.f_frsize;
        return 0;
}

int posix_list(int root_fd, const char *dir, void (*each)(void *arg, const char *name), void *arg)
{
        int fd = openat(root_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error;
        DIR *stream = fd < 0 ? NULL : fdopendir(fd);

        if (!stream) {
                error = -errno;
                if (fd >= 0)
                        close(fd);
                return error;
        }
        errno = 0;
        for (struct dirent *entry; (entry = readdir(stream)); errno = 0)
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                        each(arg, entry->d_name);
        error = -errno;
        closedir(stream);
        return error;
}

int posix_mkdir(int root_fd, const char *path)
{
        return mkdirat(root_fd, path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

bool posix_at_end(int fd, uint64_t offset)
{
        struct stat st;

        return fstat(fd, &st) < 0 || offset >= (uint64_t)st.st_size;
}

bool posix_in_memory(int root_fd)
{
        struct statfs st;

        return fstatfs(root_fd, &st) == 0 && (st.f_type == TMPFS_MAGIC || st.f_type == RAMFS_MAGIC);
}

static int64_t negative_errno(int64_t result)
{
        return result < 0 ? -errno : result;
}

/* All that READ and WRITE have in common: go on after a short answer. */
static int64_t transfer(struct disk_req *r)
{
        while (r->moved < r->length) {
                char *data = (char *)r->data + r->moved;
                size_t left = r->length - r->moved;
                off_t at = (off_t)(r->offset + r->moved);
                ssize_t n = r->op == DISK_READ ? pread(r->fd, data, left, at) : pwrite(r->fd, data, left, at);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0)
                        return r->op == DISK_READ ? (int64_t)r->moved : -EIO;
                if (n > 0)
                        r->moved += (uint32_t)n;
        }
        return r->moved;
}

static int64_t change_extents(const struct disk_req *r, int mode)
{
        int result;

        do
                result = fallocate(r->fd, mode, (off_t)r->offset, (off_t)r->span);
        while (result < 0 && errno == EINTR);
        return negative_errno(result);
}

static int64_t copy_by_hand(const struct disk_req *r, uint64_t done, uint64_t end)
{
        char *data = malloc(COPY_BYTES);
        ssize_t n = 1;

        if (!data)
                return -ENOMEM;
        while (done < end && n > 0) {
                uint64_t left = end - done;

                n = pread(r->from_fd, data, left < COPY_BYTES ? left : COPY_BYTES,
                          (off_t)(r->from_offset + done));
                if (n > 0)
                        n = pwrite(r->fd, data, (size_t)n, (off_t)(r->offset + done));
                done += n > 0 ? (uint64_t)n : 0;
        }
        free(data);
        return n < 0 ? -errno : (int64_t)done;
}

/* From DONE to END, both counted from the beginning of the range; where it stopped: END, or the source's. */
static int64_t copy_data(const struct disk_req *r, uint64_t done, uint64_t end)
{
        while (done < end) {
                off_t from = (off_t)(r->from_offset + done), to = (off_t)(r->offset + done);
                ssize_t n = copy_file_range(r->from_fd, &from, r->fd, &to, end - done, 0);

                if (n < 0 && (errno == EXDEV || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL))
                        return copy_by_hand(r, done, end);
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0)
                        break;
                done += n > 0 ? (uint64_t)n : 0;
        }
        return (int64_t)done;
}

/* Where behind DONE the source's next data (or hole) begin, END at the latest; or -errno. */
static int64_t next_extent(const struct disk_req *r, uint64_t done, uint64_t end, int whence)
{
        off_t at = lseek(r->from_fd, (off_t)(r->from_offset + done), whence);

        if (at < 0)
                return errno == ENXIO ? (int64_t)end : -errno; /* nothing but a hole up to the source's end */
        return (uint64_t)at - r->from_offset < end ? (int64_t)((uint64_t)at - r->from_offset) : (int64_t)end;
}

/* A hole of the source: the target has one there too, or nothing yet. */
static int64_t make_hole(const struct disk_req *r, uint64_t done, uint64_t end)
{
        struct disk_req hole = { .fd = r->fd, .offset = r->offset + done, .span = end - done };
        struct stat target;
        int64_t result;

        if (fstat(r->fd, &target) < 0)
                return -errno;
        if (done == end || (uint64_t)target.st_size <= hole.offset)
                return 0;
        result = change_extents(&hole, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
        if (result == -EOPNOTSUPP)
                result = copy_by_hand(r, done, end);
        return result < 0 ? result : 0;
}

/* A hole at the end gave the target no length. One byte does: a cut could take away what others write now. */
static int64_t reach(int fd, uint64_t end)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if ((uint64_t)st.st_size >= end)
                return 0;
        return pwrite(fd, "", 1, (off_t)end - 1) < 0 ? -errno : 0;
}

/* Holes stay holes: neither time nor room for what is not there. */
static int64_t copy(const struct disk_req *r)
{
        struct stat source;
        uint64_t end = r->span, done = 0;
        int64_t result = 0;

        if (fstat(r->from_fd, &source) < 0)
                return -errno;
        if ((uint64_t)source.st_size <= r->from_offset)
                return 0;
        if ((uint64_t)source.st_size - r->from_offset < end)
                end = (uint64_t)source.st_size - r->from_offset;
        while (done < end) {
                int64_t data = next_extent(r, done, end, SEEK_DATA);
                int64_t hole = data < 0 ? data : next_extent(r, (uint64_t)data, end, SEEK_HOLE);

                result = hole < 0 ? hole : make_hole(r, done, (uint64_t)data);
                if (result == 0)
                        result = copy_data(r, (uint64_t)data, (uint64_t)hole);
                if (result < 0)
                        return result;
                done = (uint64_t)result;
                if (result < hole)
                        break; /* somebody cuts the source */
        }
        result = reach(r->fd, r->offset + done);
        return result < 0 ? result : (int64_t)done;
}

static int64_t clone_range(const struct disk_req *r)
{
        struct file_clone_range range = { .src_fd = r->from_fd,
                                          .src_offset = r->from_offset,
                                          .dest_offset = r->offset };
        struct stat st;

        if (fstat(r->from_fd, &st) < 0)
                return -errno;
        if ((uint64_t)st.st_size <= r->from_offset)
                return 0;
        range.src_length = (uint64_t)st.st_size - r->from_offset;
        if (range.src_length > r->span)
                range.src_length = r->span;
        return ioctl(r->fd, FICLONERANGE, &range) < 0 ? -errno : (int64_t)range.src_length;
}

int64_t posix_perform(struct disk_req *r, int root_fd)
{
        r->moved = 0;
        switch (r->op) {
        case DISK_OPEN: return negative_errno(openat(root_fd, r->path, r->open_flags | O_CLOEXEC, r->mode));
        case DISK_READ:
        case DISK_WRITE: return transfer(r);
        case DISK_SYNC: return negative_errno(fdatasync(r->fd));
        case DISK_SYNC_FOLDER: return negative_errno(fsync(r->fd));
        case DISK_TRUNCATE: return negative_errno(ftruncate(r->fd, (off_t)r->offset));
        case DISK_UNLINK: return negative_errno(unlinkat(root_fd, r->path, 0));
        case DISK_ALLOCATE: return change_extents(r, FALLOC_FL_KEEP_SIZE);
        case DISK_PUNCH: return change_extents(r, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
        case DISK_SEEK_DATA: return negative_errno(lseek(r->fd, (off_t)r->offset, SEEK_DATA));
        case DISK_SEEK_HOLE: return negative_errno(lseek(r->fd, (off_t)r->offset, SEEK_HOLE));
        case DISK_COPY: return copy(r);
        case DISK_CLONE: return clone_range(r);
        }
        return -EINVAL;
}

uint32_t posix_read_now(bool *unknown, int fd, void *data, uint32_t length, uint64_t offset)
{
        struct iovec iov = { data, length };
        ssize_t n = *unknown ? 0 : preadv2(fd, &iov, 1, (off_t)offset, RWF_NOWAIT);

        if (n < 0 && errno == EOPNOTSUPP)
                *unknown = true;
        return n > 0 ? (uint32_t)n : 0;
}

/* --- the page cache itself */

enum { PAGE = 4096, MAP_LEAST = 128 * 1024, MAP_MOST = 1024 * 1024 };

/* DATA and LENGTH rounded to whole pages. */
static struct iovec pages_of(const void *data, uint32_t length)
{
        size_t before = (uintptr_t)data % PAGE;

        return (struct iovec){ (uint8_t *)(uintptr_t)data - before, before + length };
}

/* mincore(2) says of a file's page whether it is in memory and up to date: then nothing waits for a medium,
 * unless the page is taken away right then. A hole of tmpfs is not in memory, which is as well: to touch it
 * would take a page. */
static bool is_in_memory(struct iovec pages)
{
        uint8_t in_memory[MAP_MOST / PAGE + 1];

        if (mincore(pages.iov_base, pages.iov_len, in_memory) < 0)
                return false;
        for (size_t i = 0; i < (pages.iov_len + PAGE - 1) / PAGE; i++)
                if (!(in_memory[i] & 1))
                        return false;
        return true;
}

/* Below MAP_LEAST the calls cost more than the copy that they save. */
const void *posix_map(struct disk *disk, int fd, uint32_t length, uint64_t offset)
{
        size_t before = offset % PAGE;
        struct iovec pages = { .iov_len = before + length };

        (void)disk;
        if (length < MAP_LEAST || length > MAP_MOST)
                return NULL;
        pages.iov_base = mmap(NULL, pages.iov_len, PROT_READ, MAP_SHARED, fd, (off_t)(offset - before));
        if (pages.iov_base == MAP_FAILED)
                return NULL;
        if (is_in_memory(pages))
                return (uint8_t *)pages.iov_base + before;
        munmap(pages.iov_base, pages.iov_len);
        return NULL;
}

/* process_vm_readv(2), since a page that cannot be read is an error to it and not a signal. */
void posix_keep(struct disk *disk, const void *data, uint32_t length)
{
        struct iovec pages = pages_of(data, length), from = { (void *)(uintptr_t)data, length }, to = from;
        uint8_t *copy = mmap(NULL, pages.iov_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        (void)disk;
        if (copy == MAP_FAILED)
                return;
        to.iov_base = copy + ((const uint8_t *)data - (uint8_t *)pages.iov_base);
        if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) != (ssize_t)length ||
            mremap(copy, pages.iov_len, pages.iov_len, MREMAP_MAYMOVE | MREMAP_FIXED, pages.iov_base) ==
                    MAP_FAILED)
                munmap(copy, pages.iov_len);
}

void posix_unmap(struct disk *disk, const void *data, uint32_t length)
{
        struct iovec pages = pages_of(data, length);

        (void)disk;
        munmap(pages.iov_base, pages.iov_len);
}
