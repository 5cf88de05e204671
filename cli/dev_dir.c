/* SPDX-License-Identifier: Apache-2.0 */
/* The directory itself: whose it is, and one at a time. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "cli/dev.h"

/* What DIR/VERSION holds: raised when the layout of DIR changes. */
static const char layout_version[] = "nacre dev 1\n";

char *dev_path(const struct dev_cluster *c, const char *folder, const char *name, const char *suffix,
               char out[DEV_PATH])
{
        CHECK(snprintf(out, DEV_PATH, "%s%s/%s%s", c->dir, folder, name, suffix) < DEV_PATH);
        return out;
}

int dev_file_error(const char *path)
{
        cli_error("%s: %s", path, strerror(errno));
        return -1;
}

/* 0 or -errno. */
static int write_new(const char *path, const char *text, mode_t mode)
{
        CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
        size_t length = strlen(text);
        ssize_t written;

        if (fd < 0 || (written = write(fd, text, length)) < 0)
                return -errno;
        if ((size_t)written < length)
                return -ENOSPC;
        return fsync(fd) < 0 ? -errno : 0;
}

/* Whole or not at all: a reader, or a crash, never meets half a file. */
int dev_write_text(const char *path, const char *text, mode_t mode)
{
        char temporary[DEV_PATH + 8];
        int status;

        snprintf(temporary, sizeof temporary, "%s.new", path);
        status = write_new(temporary, text, mode);
        if (status == 0 && rename(temporary, path) < 0)
                status = -errno;
        if (status == 0)
                return 0;
        unlink(temporary);
        errno = -status;
        return dev_file_error(path);
}

static bool is_empty(const char *dir)
{
        DIR *d = opendir(dir);
        struct dirent *entry = NULL;
        bool found = false;

        if (!d)
                return false;
        while (!found && (entry = readdir(d)))
                found = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
        closedir(d);
        return !found;
}

static int read_version(const char *path, char out[64])
{
        CLEANUP_FILE FILE *in = fopen(path, "re");
        size_t length;

        if (!in)
                return -errno;
        length = fread(out, 1, 63, in);
        out[length] = '\0';
        return 0;
}

/* DIR is ours when it has our VERSION; it becomes ours when it is empty. */
static int check_version(const struct dev_cluster *c, bool make)
{
        char path[DEV_PATH], found[64];
        int status;

        dev_path(c, "", "VERSION", "", path);
        status = read_version(path, found);
        if (status == 0 && strcmp(found, layout_version) == 0)
                return 0;
        if (status == 0) {
                found[strcspn(found, "\n")] = '\0';
                cli_error("%s: made by another version ('%s'); allowed: '%.*s', or another --dir", path,
                          found, (int)strlen(layout_version) - 1, layout_version);
                return -1;
        }
        if (status != -ENOENT) {
                errno = -status;
                return dev_file_error(path);
        }
        if (make && is_empty(c->dir))
                return dev_write_text(path, layout_version, 0644);
        cli_error("%s is not a cluster of nacre dev up; allowed: %s", c->dir,
                  make ? "one, or an empty or new directory" : "one");
        return -1;
}

int dev_make_directory(const char *path)
{
        return mkdir(path, 0755) == 0 || errno == EEXIST ? 0 : dev_file_error(path);
}

/* Socket paths have 107 bytes at most (unix(7)). */
static int check_socket_length(const struct dev_cluster *c)
{
        if (strlen(c->dir) + strlen("/run/ds63.sock") <= 107)
                return 0;
        cli_error("--dir %s: too long a path for the sockets in it; allowed: %zu bytes", c->dir,
                  107 - strlen("/run/ds63.sock"));
        return -1;
}

static int lock_cluster(struct dev_cluster *c)
{
        char path[DEV_PATH];

        dev_path(c, "", "run", "", path);
        if (dev_make_directory(path) < 0)
                return -1;
        dev_path(c, "/run", "lock", "", path);
        c->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (c->lock_fd < 0)
                return dev_file_error(path);
        if (flock(c->lock_fd, LOCK_EX | LOCK_NB) == 0)
                return 0;
        cli_error("another nacre dev is at work on %s", c->dir);
        return -1;
}

/* Fill in the absolute path of the directory DIR. */
static int resolve(const char *dir, struct dev_cluster *c)
{
        char resolved[PATH_MAX];
        struct stat st;

        if (!realpath(dir, resolved) || stat(resolved, &st) < 0)
                return dev_file_error(dir);
        errno = !S_ISDIR(st.st_mode) ? ENOTDIR : 0;
        if ((size_t)snprintf(c->dir, sizeof c->dir, "%s", resolved) >= sizeof c->dir)
                errno = ENAMETOOLONG;
        return errno == 0 ? check_socket_length(c) : dev_file_error(dir);
}

int dev_open(const char *dir, bool make, struct dev_cluster *ret)
{
        bool made = make && mkdir(dir, 0755) == 0;

        *ret = (struct dev_cluster){
                .lock_fd = -1, .stripe_unit = "1M", .stripe_count = "0", .log_level = "info"
        };
        if (make && !made && errno != EEXIST)
                return dev_file_error(dir);
        if (resolve(dir, ret) < 0) {
                if (made)
                        rmdir(dir);
                return -1;
        }
        return check_version(ret, make) < 0 ? -1 : lock_cluster(ret);
}
