/* SPDX-License-Identifier: Apache-2.0 */
/* Writes and checks files whose every 8 bytes tell the seed and the offset they belong to, so that a
 * misplaced, lost or stale unit is found and named.
 *
 *   iotool fill SEED OFFSET LENGTH PATH [options]   write the pattern; "bytes N seconds S"
 *   iotool check SEED OFFSET LENGTH PATH [options]  read and compare; the first difference is printed; exit
 * status 1 iotool cat SEED OFFSET LENGTH                   the pattern to stdout iotool pread OFFSET LENGTH
 * PATH [options]       one read; prints what it returned options: --direct --mmap --append --fsync --block
 * BYTES --events FILE (a line `E NAME bytes N` each 1/16) PATH may be fd:N, an open file. LENGTH of fill and
 * check counts bytes from OFFSET; numbers take K, M, G. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DIRECT_ALIGNMENT = 4096 };

struct job {
        uint64_t seed, offset, length, block;
        const char *path, *events;
        bool direct, mapped, append, sync;
};

static void die(const char *what)
{
        fprintf(stderr, "iotool: %s: %s\n", what, strerror(errno));
        exit(2);
}

static uint64_t number(const char *text)
{
        char *end;
        uint64_t n = strtoull(text, &end, 0);

        switch (*end) {
        case 'G': n <<= 10; /* fall through */
        case 'M': n <<= 10; /* fall through */
        case 'K': n <<= 10; break;
        case 0: break;
        default: errno = EINVAL; die(text);
        }
        return n;
}

/* splitmix64 of where it stands: fast, and no two places alike. */
static uint64_t word_at(uint64_t seed, uint64_t index)
{
        uint64_t z = (index + 1) * 0x9e3779b97f4a7c15u + seed * 0xd1342543de82ef95u;

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
}

static void pattern(uint64_t seed, uint64_t offset, unsigned char *out, size_t length)
{
        size_t done = 0;

        while (done < length) {
                uint64_t at = offset + done, word = word_at(seed, at / 8);
                size_t skip = at % 8, n = 8 - skip < length - done ? 8 - skip : length - done;

                if (n == 8)
                        memcpy(out + done, &word, 8); /* one store: the rule */
                else
                        memcpy(out + done, (unsigned char *)&word + skip, n);
                done += n;
        }
}

static void tell(const struct job *j, uint64_t before, uint64_t now)
{
        uint64_t part = j->length / 16 ? j->length / 16 : 1;
        FILE *f;

        if (!j->events || before / part == now / part)
                return;
        f = fopen(j->events, "w");
        if (!f)
                die(j->events);
        fprintf(f, "E %s bytes %llu\n", j->path, (unsigned long long)now);
        if (fclose(f))
                die(j->events);
}

static unsigned char *new_buffer(uint64_t bytes)
{
        unsigned char *p = aligned_alloc(DIRECT_ALIGNMENT, (bytes + DIRECT_ALIGNMENT - 1) / DIRECT_ALIGNMENT *
                                                                   DIRECT_ALIGNMENT);

        if (!p)
                die("memory");
        return p;
}

static int open_for(const struct job *j, int flags)
{
        int fd = !strncmp(j->path, "fd:", 3)
                         ? atoi(j->path + 3)
                         : open(j->path, flags | (j->direct ? O_DIRECT : 0) | (j->append ? O_APPEND : 0),
                                0644);

        if (fd < 0)
                die(j->path);
        return fd;
}

static void fill_mapped(const struct job *j, int fd)
{
        unsigned char *map;
        struct stat st;

        if (fstat(fd, &st))
                die(j->path);
        if ((uint64_t)st.st_size < j->offset + j->length && ftruncate(fd, (off_t)(j->offset + j->length)))
                die("ftruncate");
        map = mmap(NULL, j->offset + j->length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED)
                die("mmap");
        for (uint64_t done = 0; done < j->length; done += j->block) {
                uint64_t n = j->block < j->length - done ? j->block : j->length - done;

                pattern(j->seed, j->offset + done, map + j->offset + done, n);
                tell(j, done, done + n);
        }
        if (msync(map, j->offset + j->length, MS_SYNC))
                die("msync");
        munmap(map, j->offset + j->length);
}

static void fill_written(const struct job *j, int fd)
{
        unsigned char *buffer = new_buffer(j->block);

        for (uint64_t done = 0; done < j->length;) {
                uint64_t n = j->block < j->length - done ? j->block : j->length - done;
                ssize_t rc;

                pattern(j->seed, j->offset + done, buffer, n);
                rc = j->append ? write(fd, buffer, n) : pwrite(fd, buffer, n, (off_t)(j->offset + done));
                if (rc < 0 && errno == EINTR)
                        continue;
                if (rc <= 0)
                        die("write");
                tell(j, done, done + (uint64_t)rc);
                done += (uint64_t)rc;
        }
        free(buffer);
}

static int fill(const struct job *j)
{
        struct timespec a, b;
        int fd = open_for(j, O_RDWR | O_CREAT);

        clock_gettime(CLOCK_MONOTONIC, &a);
        if (j->mapped)
                fill_mapped(j, fd);
        else
                fill_written(j, fd);
        if (j->sync && fsync(fd))
                die("fsync");
        if (close(fd))
                die("close");
        clock_gettime(CLOCK_MONOTONIC, &b);
        printf("bytes %llu seconds %.6f\n", (unsigned long long)j->length,
               (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
        return 0;
}

/* N is at most j->block. */
static int compare(const struct job *j, uint64_t offset, const unsigned char *seen, size_t n)
{
        static unsigned char *wanted;
        size_t i = 0;

        if (!wanted)
                wanted = new_buffer(j->block);
        pattern(j->seed, offset, wanted, n);
        if (!memcmp(seen, wanted, n))
                return 0;
        while (seen[i] == wanted[i])
                i++;
        printf("different at byte %llu: 0x%02x\n", (unsigned long long)(offset + i), seen[i]);
        return 1;
}

static int check_mapped(const struct job *j, int fd)
{
        unsigned char *map = mmap(NULL, j->offset + j->length, PROT_READ, MAP_SHARED, fd, 0);
        int rc = 0;

        if (map == MAP_FAILED)
                die("mmap");
        for (uint64_t done = 0; !rc && done < j->length; done += j->block) {
                uint64_t n = j->block < j->length - done ? j->block : j->length - done;

                rc = compare(j, j->offset + done, map + j->offset + done, n);
                tell(j, done, done + n);
        }
        munmap(map, j->offset + j->length);
        return rc;
}

static int check_read(const struct job *j, int fd)
{
        unsigned char *buffer = new_buffer(j->block);

        for (uint64_t done = 0; done < j->length;) {
                uint64_t n = j->block < j->length - done ? j->block : j->length - done;
                uint64_t asked =
                        j->direct ? (n + DIRECT_ALIGNMENT - 1) / DIRECT_ALIGNMENT * DIRECT_ALIGNMENT : n;
                ssize_t rc = pread(fd, buffer, asked, (off_t)(j->offset + done));

                if (rc < 0 && errno == EINTR)
                        continue;
                if (rc < 0)
                        die("read");
                if ((uint64_t)rc != n && (rc == 0 || j->direct)) {
                        printf("read of %llu bytes at %llu returned %zd, wanted %llu\n",
                               (unsigned long long)asked, (unsigned long long)(j->offset + done), rc,
                               (unsigned long long)n);
                        return 1;
                }
                if (compare(j, j->offset + done, buffer, (size_t)rc))
                        return 1;
                tell(j, done, done + (uint64_t)rc);
                done += (uint64_t)rc;
        }
        free(buffer);
        return 0;
}

static int check(const struct job *j)
{
        int fd = open_for(j, O_RDONLY);
        struct stat st;

        if (fstat(fd, &st))
                die(j->path);
        if ((uint64_t)st.st_size < j->offset + j->length) {
                printf("size %lld, wanted at least %llu\n", (long long)st.st_size,
                       (unsigned long long)(j->offset + j->length));
                return 1;
        }
        return j->mapped ? check_mapped(j, fd) : check_read(j, fd);
}

static int cat(const struct job *j)
{
        unsigned char *buffer = new_buffer(j->block);

        for (uint64_t done = 0; done < j->length; done += j->block) {
                uint64_t n = j->block < j->length - done ? j->block : j->length - done;

                pattern(j->seed, j->offset + done, buffer, n);
                if (fwrite(buffer, 1, n, stdout) != n)
                        die("stdout");
        }
        return fflush(stdout) ? 2 : 0;
}

static int one_pread(const struct job *j)
{
        unsigned char *buffer = new_buffer(j->length);
        uint64_t zeros = 0;
        ssize_t rc = pread(open_for(j, O_RDONLY), buffer, j->length, (off_t)j->offset);

        if (rc < 0)
                printf("returned -%d\n", errno);
        else {
                while (zeros < (uint64_t)rc && !buffer[zeros])
                        zeros++;
                printf("returned %zd zeros %llu\n", rc, (unsigned long long)zeros);
        }
        return 0;
}

static void options(struct job *j, char **argv)
{
        for (; *argv; argv++)
                if (!strcmp(*argv, "--direct"))
                        j->direct = true;
                else if (!strcmp(*argv, "--mmap"))
                        j->mapped = true;
                else if (!strcmp(*argv, "--append"))
                        j->append = true;
                else if (!strcmp(*argv, "--fsync"))
                        j->sync = true;
                else if (!strcmp(*argv, "--block") && argv[1])
                        j->block = number(*++argv);
                else if (!strcmp(*argv, "--events") && argv[1])
                        j->events = *++argv;
                else {
                        errno = EINVAL;
                        die(*argv);
                }
}

int main(int argc, char **argv)
{
        struct job j = { .block = 1 << 20 };

        if (argc >= 5 && !strcmp(argv[1], "pread")) {
                j.offset = number(argv[2]);
                j.length = number(argv[3]);
                j.path = argv[4];
                options(&j, argv + 5);
                return one_pread(&j);
        }
        if (argc < 5 || (argc < 6 && strcmp(argv[1], "cat"))) {
                fputs("iotool fill|check SEED OFFSET LENGTH PATH [options] | cat SEED OFFSET LENGTH | pread OFFSET LENGTH PATH [options]\n",
                      stderr);
                return 2;
        }
        j.seed = number(argv[2]);
        j.offset = number(argv[3]);
        j.length = number(argv[4]);
        if (!strcmp(argv[1], "cat"))
                return cat(&j);
        j.path = argv[5];
        options(&j, argv + 6);
        if (!strcmp(argv[1], "fill"))
                return fill(&j);
        if (!strcmp(argv[1], "check"))
                return check(&j);
        errno = EINVAL;
        die(argv[1]);
}
