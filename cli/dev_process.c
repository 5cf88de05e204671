/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "cli/dev.h"

extern char **environ;

enum { STOP_SECONDS = 30, KILL_SECONDS = 10, LOG_TAIL_BYTES = 2048, LOG_TAIL_LINES = 8 };

/* --- finding one that runs */

static pid_t read_pid(const struct dev_cluster *c, const char *name)
{
        char path[DEV_PATH];
        CLEANUP_FILE FILE *in = fopen(dev_path(c, "/run", name, ".pid", path), "re");
        int pid = 0;

        return in && fscanf(in, "%9d", &pid) == 1 && pid > 0 ? pid : -1;
}

/* A number in a file may long be another's: it is ours when it was started as spawn() does. */
static bool is_ours(const struct dev_cluster *c, const char *name, pid_t pid)
{
        char path[64], config[DEV_PATH], arguments[2 * DEV_PATH];
        CLEANUP_CLOSE int fd = -1;
        bool is_value = false;
        ssize_t length;

        snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || (length = read(fd, arguments, sizeof arguments - 1)) <= 0)
                return false;
        arguments[length] = '\0';
        dev_path(c, "", name, ".yaml", config);
        for (const char *a = arguments; a < arguments + length; a += strlen(a) + 1) {
                if (is_value && strcmp(a, config) == 0)
                        return true;
                is_value = strcmp(a, "--config") == 0;
        }
        return false;
}

int dev_find(const struct dev_cluster *c, const char *name, pid_t *ret_pid)
{
        pid_t pid = read_pid(c, name);
        int fd = pid > 0 ? pidfd_open(pid, 0) : -1;

        if (fd < 0)
                return -1;
        /* In this order: the descriptor pins the process, and what we read about the number is then about it,
         * unless it has ended, which the signal tells. */
        if (!is_ours(c, name, pid) || pidfd_send_signal(fd, 0, NULL, 0) < 0) {
                close(fd);
                return -1;
        }
        *ret_pid = pid;
        return fd;
}

void dev_forget(const struct dev_cluster *c, const char *name)
{
        char path[DEV_PATH];

        unlink(dev_path(c, "/run", name, ".pid", path));
}

/* --- starting */

/* The daemon's program: beside this one (a build directory, or the same installation), else in $PATH. */
static const char *find_program(const char *program, char out[DEV_PATH])
{
        ssize_t length = readlink("/proc/self/exe", out, DEV_PATH - 1);
        char *slash;

        if (length > 0) {
                out[length] = '\0';
                slash = strrchr(out, '/');
                if (slash && (size_t)(slash + 1 - out) + strlen(program) < DEV_PATH) {
                        strcpy(slash + 1, program);
                        if (access(out, X_OK) == 0)
                                return out;
                }
        }
        return program;
}

/* stdin from nowhere, stdout and stderr to the log, nothing else kept, and a session of its own. */
static int spawn(const char *program, const char *config, const char *log, pid_t *ret)
{
        char *arguments[] = { (char *)program, "--config", (char *)config, NULL };
        posix_spawn_file_actions_t files;
        posix_spawnattr_t attributes;
        sigset_t none;
        int error;

        CHECK(posix_spawn_file_actions_init(&files) == 0 && posix_spawnattr_init(&attributes) == 0);
        CHECK(posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0) == 0);
        CHECK(posix_spawn_file_actions_addopen(&files, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0644) == 0);
        CHECK(posix_spawn_file_actions_adddup2(&files, 1, 2) == 0);
        CHECK(posix_spawn_file_actions_addclosefrom_np(&files, 3) == 0);
        sigemptyset(&none);
        CHECK(posix_spawnattr_setsigmask(&attributes, &none) == 0);
        CHECK(posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK) == 0);
        error = posix_spawnp(ret, program, &files, &attributes, arguments, environ);
        posix_spawn_file_actions_destroy(&files);
        posix_spawnattr_destroy(&attributes);
        return -error;
}

static int write_pid(const struct dev_cluster *c, const char *name, pid_t pid)
{
        char path[DEV_PATH], text[16];

        snprintf(text, sizeof text, "%d\n", pid);
        return dev_write_text(dev_path(c, "/run", name, ".pid", path), text, 0644);
}

int dev_start(const struct dev_cluster *c, const char *name)
{
        char program[DEV_PATH], config[DEV_PATH], log[DEV_PATH];
        const char *found = find_program(strcmp(name, "mds") == 0 ? "nacre-mds" : "nacre-ds", program);
        int status, fd;
        pid_t pid;

        dev_path(c, "/log", name, ".log", log);
        status = spawn(found, dev_path(c, "", name, ".yaml", config), log, &pid);
        if (status < 0) {
                cli_error("cannot start %s: %s%s", found, strerror(-status),
                          status == -ENOENT ? ", neither beside nacre nor in $PATH" : "");
                return -1;
        }
        fd = pidfd_open(pid, 0);
        if (fd >= 0 && write_pid(c, name, pid) == 0)
                return fd;
        cli_error("cannot keep track of %s (pid %d): %s", name, pid, strerror(errno));
        kill(pid, SIGTERM); /* our child, not reaped: the number is still its own */
        if (fd >= 0)
                close(fd);
        return -1;
}

/* --- stopping */

static uint64_t now_ms(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void send_to_all(const int *pidfds, unsigned count, int signum)
{
        for (unsigned i = 0; i < count; i++)
                if (pidfds[i] >= 0)
                        pidfd_send_signal(pidfds[i], signum, NULL, 0);
}

/* A pidfd is readable once its process has ended. True when all have. */
static bool wait_for_all(const int *pidfds, unsigned count, unsigned seconds)
{
        uint64_t deadline = now_ms() + 1000 * (uint64_t)seconds;

        for (unsigned i = 0; i < count; i++) {
                struct pollfd p = { .fd = pidfds[i], .events = POLLIN };
                uint64_t now = now_ms();

                if (pidfds[i] >= 0 && poll(&p, 1, now < deadline ? (int)(deadline - now) : 0) != 1)
                        return false;
        }
        return true;
}

void dev_stop(const int *pidfds, unsigned count)
{
        send_to_all(pidfds, count, SIGTERM);
        if (wait_for_all(pidfds, count, STOP_SECONDS))
                return;
        cli_error("not all servers have stopped within %d s: killing them", STOP_SECONDS);
        send_to_all(pidfds, count, SIGKILL);
        wait_for_all(pidfds, count, KILL_SECONDS);
}

/* --- what they said */

void dev_print_log_tail(const struct dev_cluster *c, const char *name)
{
        char path[DEV_PATH], data[LOG_TAIL_BYTES + 1];
        CLEANUP_CLOSE int fd = open(dev_path(c, "/log", name, ".log", path), O_RDONLY | O_CLOEXEC);
        struct stat st;
        ssize_t length;
        char *at;

        if (fd < 0 || fstat(fd, &st) < 0)
                return;
        length = pread(fd, data, LOG_TAIL_BYTES,
                       st.st_size > LOG_TAIL_BYTES ? st.st_size - LOG_TAIL_BYTES : 0);
        if (length <= 0)
                return;
        data[length] = '\0';
        at = data + length - (data[length - 1] == '\n');
        for (unsigned lines = 0; at > data && (at[-1] != '\n' || ++lines < LOG_TAIL_LINES);)
                at--;
        fprintf(stderr, "the end of %s:\n%s%s", path, at, data[length - 1] == '\n' ? "" : "\n");
}
