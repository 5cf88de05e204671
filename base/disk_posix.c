/* SPDX-License-Identifier: Apache-2.0 */
#include "base/disk_posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/check.h"

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

int posix_space(int root_fd, uint64_t *ret_total, uint64_t *ret_free)
{
        struct statvfs st;

        if (fstatvfs(root_fd, &st) < 0)
                return -errno;
        *ret_total = (uint64_t)st.f_blocks * st.f_frsize;
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
