/* SPDX-License-Identifier: Apache-2.0 */
/* ackload write FOLDER MAX EVENTS: make files 0, 1, 2 …, each written, synced and closed, and only then named
 * on stdout; every 20 of them a line `E acknowledged N` in EVENTS. ackload check FOLDER <NAMES: each named
 * file is there, whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BYTES_MAX = 40000 };

static unsigned bytes_of(unsigned i)
{
        return 1 + i * 7919u % BYTES_MAX;
}

static void content(unsigned i, unsigned char *out)
{
        for (unsigned k = 0, n = bytes_of(i); k < n; k++)
                out[k] = (unsigned char)(i * 31u + k * 7u + (k >> 8));
}

static void die(const char *what, unsigned i)
{
        fprintf(stderr, "ackload: file %u: %s: %s\n", i, what, strerror(errno));
        exit(1);
}

static void tell(const char *events, unsigned count)
{
        FILE *f = fopen(events, "w");

        if (!f || fprintf(f, "E acknowledged %u\n", count) < 0 || fclose(f))
                die(events, count);
}

static void make(const char *folder, unsigned i)
{
        static unsigned char data[BYTES_MAX];
        char path[256], line[32];
        int fd, n;

        snprintf(path, sizeof path, "%s/%u", folder, i);
        content(i, data);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
        if (fd < 0)
                die("create", i);
        if (write(fd, data, bytes_of(i)) != (ssize_t)bytes_of(i))
                die("write", i);
        if (fsync(fd))
                die("fsync", i);
        if (close(fd))
                die("close", i);
        n = snprintf(line, sizeof line, "%u\n", i);
        if (write(STDOUT_FILENO, line, (size_t)n) != n)
                die("stdout", i);
}

static int check(const char *folder)
{
        static unsigned char wanted[BYTES_MAX], seen[BYTES_MAX + 1];
        unsigned i, bad = 0, good = 0;

        while (scanf("%u", &i) == 1) {
                char path[256];
                ssize_t n = -1;
                int fd;

                snprintf(path, sizeof path, "%s/%u", folder, i);
                content(i, wanted);
                fd = open(path, O_RDONLY);
                if (fd >= 0) {
                        n = read(fd, seen, sizeof seen);
                        close(fd);
                }
                if (n == (ssize_t)bytes_of(i) && !memcmp(seen, wanted, (size_t)n))
                        good++;
                else if (bad++ < 10)
                        printf("file %u: %s, %zd bytes, wanted %u\n", i, fd < 0 ? strerror(errno) : "differs",
                               n, bytes_of(i));
        }
        printf("%u good, %u bad\n", good, bad);
        return bad != 0;
}

int main(int argc, char **argv)
{
        if (argc == 3 && !strcmp(argv[1], "check"))
                return check(argv[2]);
        if (argc != 5 || strcmp(argv[1], "write")) {
                fputs("ackload write FOLDER MAX EVENTS | check FOLDER\n", stderr);
                return 2;
        }
        if (mkdir(argv[2], 0755) && errno != EEXIST)
                die(argv[2], 0);
        for (unsigned i = 0, max = (unsigned)atoi(argv[3]); i < max; i++) {
                make(argv[2], i);
                if (i % 20 == 19)
                        tell(argv[4], i + 1);
        }
        return 0;
}
