/* SPDX-License-Identifier: Apache-2.0 */
/* mdops create|open|stat|unlink FOLDER COUNT THREADS: COUNT files in FOLDER/THREAD/, shared out over THREADS.
 * A create is open(O_CREAT|O_EXCL) and close of an empty file, an open open(O_RDONLY) and close. Prints "ops
 * N seconds S". */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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

int main(int argc, char **argv)
{
        pthread_t ids[THREADS_MAX];
        unsigned numbers[THREADS_MAX], threads;
        struct timespec a, b;

        if (argc != 5 || (threads = (unsigned)atoi(argv[4])) < 1 || threads > THREADS_MAX) {
                fputs("mdops create|open|stat|unlink FOLDER COUNT THREADS\n", stderr);
                return 2;
        }
        folder = argv[2];
        per_thread = (unsigned)atoi(argv[3]) / threads;
        if (!strcmp(argv[1], "create")) {
                operation = create_one;
                make_folders(threads);
        } else
                operation = !strcmp(argv[1], "open")   ? open_one
                            : !strcmp(argv[1], "stat") ? stat_one
                                                       : unlink_one;
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
        return 0;
}
