/* SPDX-License-Identifier: Apache-2.0 */
/* mdops OPERATION FOLDER COUNT THREADS: COUNT files in FOLDER/THREAD/, shared out over THREADS. A create is
 * open(O_CREAT|O_EXCL) and close of an empty file, an open open(O_RDONLY) and close, a hold opens, reads or
 * writes, and does not close. Prints "ops N seconds S"; after a hold, a child that has the files open stays,
 * until it is killed: "pid P". */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 64 };

static const char *folder;
static unsigned per_thread;
static void (*operation)(const char *path);

static void die(const char *path)
{
        fprintf(stderr, "mdops: %s: %s\n", path, strerror(errno));
        exit(1);
}

static void create_one(const char *path)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);

        if (fd < 0 || close(fd))
                die(path);
}

static void open_one(const char *path)
{
        int fd = open(path, O_RDONLY);

        if (fd < 0 || close(fd))
                die(path);
}

static void open_write_one(const char *path)
{
        int fd = open(path, O_WRONLY);

        if (fd < 0 || close(fd))
                die(path);
}

/* Opened again and again before, so that a server that gives delegations has reason to. */
static void hold_read_one(const char *path)
{
        char byte;
        int fd;

        for (int i = 0; i < 3; i++)
                open_one(path);
        fd = open(path, O_RDONLY);
        if (fd < 0 || read(fd, &byte, 1) < 0)
                die(path);
}

static void hold_write_one(const char *path)
{
        int fd = open(path, O_RDWR);

        if (fd < 0 || write(fd, path, 1) != 1 || fsync(fd))
                die(path);
}

static void truncate_one(const char *path)
{
        if (truncate(path, 0))
                die(path);
}

static void stat_one(const char *path)
{
        struct stat st;

        if (stat(path, &st))
                die(path);
}

static void unlink_one(const char *path)
{
        if (unlink(path))
                die(path);
}

static const struct {
        const char *name;
        void (*run)(const char *path);
        bool makes_folders, holds;
} operations[] = {
        { .name = "create", .run = create_one, .makes_folders = true },
        { .name = "open", .run = open_one },
        { .name = "open-write", .run = open_write_one },
        { .name = "hold-read", .run = hold_read_one, .holds = true },
        { .name = "hold-write", .run = hold_write_one, .holds = true },
        { .name = "truncate", .run = truncate_one },
        { .name = "stat", .run = stat_one },
        { .name = "unlink", .run = unlink_one },
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

static void *work(void *arg)
{
        char path[512];

        for (unsigned i = 0; i < per_thread; i++) {
                snprintf(path, sizeof path, "%s/%u/file%u", folder, *(const unsigned *)arg, i);
                operation(path);
        }
        return NULL;
}

static void make_folders(unsigned threads)
{
        char path[512];

        if (mkdir(folder, 0755) && errno != EEXIST)
                die(folder);
        for (unsigned i = 0; i < threads; i++) {
                snprintf(path, sizeof path, "%s/%u", folder, i);
                if (mkdir(path, 0755) && errno != EEXIST)
                        die(path);
        }
}

/* The descriptors of a child are the parent's. */
static void leave_a_holder(void)
{
        pid_t pid;

        fflush(stdout);
        pid = fork();
        if (pid < 0)
                die("fork");
        if (pid > 0) {
                printf("pid %d\n", (int)pid);
                return;
        }
        for (int fd = 0; fd <= STDERR_FILENO; fd++)
                close(fd); /* whoever waits for our output sees its end */
        for (;;)
                pause();
}

static int usage(void)
{
        fputs("mdops ", stderr);
        for (size_t i = 0; i < OPERATIONS; i++)
                fprintf(stderr, "%s%s", i ? "|" : "", operations[i].name);
        fputs(" FOLDER COUNT THREADS\n", stderr);
        return 2;
}

int main(int argc, char **argv)
{
        pthread_t ids[THREADS_MAX];
        unsigned numbers[THREADS_MAX], threads, chosen = 0;
        struct timespec a, b;

        while (argc == 5 && chosen < OPERATIONS && strcmp(argv[1], operations[chosen].name) != 0)
                chosen++;
        if (argc != 5 || chosen == OPERATIONS || (threads = (unsigned)atoi(argv[4])) < 1 ||
            threads > THREADS_MAX)
                return usage();
        folder = argv[2];
        per_thread = (unsigned)atoi(argv[3]) / threads;
        operation = operations[chosen].run;
        if (operations[chosen].makes_folders)
                make_folders(threads);
        clock_gettime(CLOCK_MONOTONIC, &a);
        for (unsigned i = 0; i < threads; i++) {
                numbers[i] = i;
                if (pthread_create(&ids[i], NULL, work, &numbers[i]))
                        die("pthread_create");
        }
        for (unsigned i = 0; i < threads; i++)
                pthread_join(ids[i], NULL);
        clock_gettime(CLOCK_MONOTONIC, &b);
        printf("ops %u seconds %.6f\n", per_thread * threads,
               (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
        if (operations[chosen].holds)
                leave_a_holder();
        return 0;
}
