/* SPDX-License-Identifier: Apache-2.0 */
/* What stands before anything is served: the directory, locked, and the workers with their loops and disks.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "ds/worker.h"

enum { RING_ENTRIES = 1024, DISK_THREADS = 16, FEW_CONNECTIONS = 1024 };

static uint32_t choose_worker_count(const struct ds *ds)
{
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        uint64_t count = ds->conf->loops > 0 ? ds->conf->loops : processors > 0 ? (uint64_t)processors : 1;

        return !ds->loop ? 1 : count > DS_MAX_WORKERS ? DS_MAX_WORKERS : (uint32_t)count;
}

/* One daemon a directory: two would not see each other's fences. */
static bool open_directory(struct ds *ds)
{
        const char *path = ds->conf->store;

        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                ds_fail(ds, "cannot make the store %s: %s", path, strerror(errno));
        else if ((ds->root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
                ds_fail(ds, "cannot open the store %s: %s", path, strerror(errno));
        else if (flock(ds->root_fd, LOCK_EX | LOCK_NB) < 0)
                ds_fail(ds,
                        errno == EWOULDBLOCK ? "the store %s is in use by another process"
                                             : "cannot lock the store %s",
                        path);
        else
                return true;
        return false;
}

/* As many as the limits of the configuration can ever need, or what is allowed. */
static void raise_fd_limit(const struct ds *ds)
{
        rlim_t folders = ds->worker_share * STORE_FOLDERS,
               least = ds->conf->fd_cache + folders + FEW_CONNECTIONS;
        rlim_t most =
                ds->conf->fd_cache + folders + ds->worker_share * DS_CALLS + ds->conf->limits.connections;
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= most)
                return;
        limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        if (limit.rlim_cur < least)
                log_warn("few-descriptors", "have=%llu need=%llu", (unsigned long long)limit.rlim_cur,
                         (unsigned long long)least);
}

static struct disk *open_disk(struct ds *ds, struct loop *loop)
{
        int fd = fcntl(ds->root_fd, F_DUPFD_CLOEXEC, 0);
        struct disk *disk = NULL;

        if (fd < 0)
                return NULL;
        if (ds->conf->io == DS_IO_URING) {
                disk = disk_inline_new(loop, fd);
                if (!disk)
                        disk = disk_uring_new(loop, fd, RING_ENTRIES);
                if (!disk)
                        log_warn("io-uring-refused", "error=%s instead=threads", strerror(errno));
        }
        if (!disk)
                disk = disk_threads_new(loop, fd, DISK_THREADS);
        if (!disk)
                close(fd);
        return disk;
}

static bool add_worker(struct ds *ds, struct loop *loop, struct disk *disk)
{
        uint32_t number = ds->worker_count;
        struct env *env = number == 0 ? ds->env : loop_env(loop);

        if (disk)
                ds->workers[number] = worker_new(ds, number, env, loop, disk);
        if (!ds->workers[number]) {
                if (number > 0)
                        loop_free(loop);
                return false;
        }
        ds->worker_count++;
        return number == 0 || worker_start(ds->workers[number]);
}

/* COUNT is known before the first is made: they share the limits. */
bool ds_make_workers(struct ds *ds, struct disk *first)
{
        uint32_t count = choose_worker_count(ds);

        ds->worker_share = count;
        if (!first) {
                if (!open_directory(ds))
                        return false;
                raise_fd_limit(ds);
                first = open_disk(ds, ds->loop);
        }
        if (!add_worker(ds, ds->loop, first))
                return false;
        while (ds->worker_count < count) {
                struct loop *loop = loop_new();

                if (!loop || !add_worker(ds, loop, open_disk(ds, loop)))
                        return false;
        }
        return true;
}
