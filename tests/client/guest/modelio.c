/* SPDX-License-Identifier: Apache-2.0 */
/* Random I/O on one file against a model of it in memory: whatever way the bytes went in, every way of
 * reading has to show what the model says, at all times.
 *
 *   modelio SEED COUNT PATH [options]    COUNT operations on a new file PATH; the same SEED does the same
 *     --most BYTES    the file never gets longer than this (1048576)
 *     --until FILE    an end before COUNT: when FILE is there
 *     --copy FILE     at the end the model becomes FILE, for others to compare with
 *     --events FILE   a line `E PATH operations N` each 20
 *     --plain         neither holes nor mappings, for mounts that have none
 *
 * Prints `seed S operations N size B longest-ms M`: M is how long the slowest operation took. The first
 * difference is printed with the operations before it; exit status 1. */
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

enum { REMEMBERED = 40, ONE_IO_MAX = 256 << 10, EVENT_EVERY = 20 };

struct step {
        const char *what;
        uint64_t offset, length;
};

static const char *path, *until, *copy, *events;
static uint64_t seed, count = 1000, most = 1 << 20, state;
static bool plain;
static unsigned char *model, *buffer; /* MOST bytes each */
static uint64_t size;                 /* of the file, by the model; the model is zero behind it */
static int fd = -1;
static struct step steps[REMEMBERED];
static uint64_t done;
static double longest;

static double now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static _Noreturn void give_up(const char *what, uint64_t offset)
{
        printf("seed %llu operation %llu: %s at %llu, size %llu\n", (unsigned long long)seed,
               (unsigned long long)done, what, (unsigned long long)offset, (unsigned long long)size);
        for (uint64_t i = done < REMEMBERED ? 0 : done - REMEMBERED + 1; i <= done; i++) {
                struct step *s = &steps[i % REMEMBERED];

                if (s->what)
                        printf("  %llu %s %llu+%llu\n", (unsigned long long)i, s->what,
                               (unsigned long long)s->offset, (unsigned long long)s->length);
        }
        exit(1);
}

static void must(bool well, const char *what, uint64_t offset)
{
        char text[200];

        if (well)
                return;
        snprintf(text, sizeof(text), "%s: %s", what, strerror(errno));
        give_up(text, offset);
}

/* splitmix64 */
static uint64_t random_u64(void)
{
        uint64_t z = state += 0x9e3779b97f4a7c15u;

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
}

static uint64_t below(uint64_t limit)
{
        return limit ? random_u64() % limit : 0;
}

/* A place, one in four at a page's border, and a length, mostly small. */
static uint64_t some_offset(uint64_t limit)
{
        uint64_t offset = below(limit);

        return below(4) ? offset : offset & ~(uint64_t)4095;
}

static uint64_t some_length(uint64_t room)
{
        uint64_t limit = below(4) ? 16 << 10 : ONE_IO_MAX, length = 1 + below(limit);

        return length < room ? length : room;
}

static void note(const char *what, uint64_t offset, uint64_t length)
{
        steps[done % REMEMBERED] = (struct step){ what, offset, length };
}

static void compare(const unsigned char *seen, uint64_t offset, uint64_t length, const char *how)
{
        char text[100];

        if (memcmp(seen, model + offset, length) == 0)
                return;
        for (uint64_t i = 0; i < length; i++) {
                if (seen[i] == model[offset + i])
                        continue;
                snprintf(text, sizeof(text), "%s shows %02x where %02x was written", how, seen[i],
                         model[offset + i]);
                give_up(text, offset + i);
        }
}

static void open_file(int flags)
{
        fd = open(path, O_RDWR | flags, 0644);
        must(fd >= 0, "open", 0);
}

static void shut_file(void)
{
        must(close(fd) == 0, "close", 0);
}

/* --- the operations */

static void fill(uint64_t offset, uint64_t length)
{
        for (uint64_t i = 0; i < length; i++)
                model[offset + i] = (unsigned char)(1 + ((i * 7 + state) & 0x7f)); /* never 0, as holes are */
        if (offset + length > size)
                size = offset + length;
}

static void do_write(void)
{
        uint64_t offset = some_offset(most), length = some_length(most - offset), at = 0;

        note("write", offset, length);
        random_u64();
        fill(offset, length);
        while (at < length) {
                ssize_t n = pwrite(fd, model + offset + at, length - at, (off_t)(offset + at));

                must(n > 0, "write", offset + at);
                at += (uint64_t)n;
        }
}

static void do_read(void)
{
        uint64_t offset = some_offset(size), length = some_length(most - offset), there, at = 0;

        note("read", offset, length);
        there = offset + length < size ? length : size - offset;
        for (;;) { /* to the end of the file, where there has to be one */
                ssize_t n = pread(fd, buffer + at, length - at, (off_t)(offset + at));

                must(n >= 0, "read", offset + at);
                at += (uint64_t)n;
                if (n == 0 || at == length)
                        break;
        }
        if (at != there)
                give_up(at < there ? "read ends too early" : "read goes beyond the end", offset + at);
        compare(buffer, offset, at, "read");
}

static void do_truncate(void)
{
        uint64_t length = below(2) ? below(most) : below(size + 1);

        note("truncate", length, 0);
        if (length < size)
                memset(model + length, 0, size - length);
        size = length;
        must(ftruncate(fd, (off_t)length) == 0, "truncate", length);
}

static void do_punch(void)
{
        uint64_t offset = some_offset(size), length = some_length(most - offset), end = offset + length;

        note("punch", offset, length);
        must(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)length) == 0,
             "punch", offset);
        if (offset < size)
                memset(model + offset, 0, (end < size ? end : size) - offset);
}

static void through_mapping(bool writes)
{
        uint64_t offset, length, base;
        unsigned char *map;

        if (!size)
                return;
        offset = some_offset(size), length = some_length(size - offset), base = offset & ~(uint64_t)4095;
        note(writes ? "mapped write" : "mapped read", offset, length);
        map = mmap(NULL, offset - base + length, PROT_READ | (writes ? PROT_WRITE : 0), MAP_SHARED, fd,
                   (off_t)base);
        must(map != MAP_FAILED, "mmap", base);
        if (writes) {
                random_u64();
                fill(offset, length);
                memcpy(map + (offset - base), model + offset, length);
        } else {
                compare(map + (offset - base), offset, length, "a mapping");
        }
        must(munmap(map, offset - base + length) == 0, "munmap", base);
}

static void do_sync(void)
{
        note("fsync", 0, size);
        must(fsync(fd) == 0, "fsync", 0);
}

/* What was written has to come back from the servers. */
static void do_forget(void)
{
        note("fsync and forget", 0, size);
        must(fsync(fd) == 0, "fsync", 0);
        must(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "fadvise", 0);
}

static void do_reopen(void)
{
        struct stat st;

        note("close and open", 0, size);
        shut_file();
        open_file(0);
        must(fstat(fd, &st) == 0, "stat", 0);
        if ((uint64_t)st.st_size != size)
                give_up("stat shows another size", (uint64_t)st.st_size);
}

static void one_operation(void)
{
        double start = now(), took;
        uint64_t choice = below(100);

        if (choice < 35)
                do_write();
        else if (choice < 65)
                do_read();
        else if (choice < 72)
                do_truncate();
        else if (choice < 78)
                plain ? do_write() : do_punch();
        else if (choice < 86)
                plain ? do_read() : through_mapping(true);
        else if (choice < 92)
                plain ? do_read() : through_mapping(false);
        else if (choice < 95)
                do_sync();
        else if (choice < 98)
                do_forget();
        else
                do_reopen();
        took = now() - start;
        if (took > longest)
                longest = took;
}

static void tell(void)
{
        FILE *f;

        if (!events || done % EVENT_EVERY)
                return;
        f = fopen(events, "a");
        must(f != NULL, events, 0);
        fprintf(f, "E %s operations %llu\n", path, (unsigned long long)done);
        fclose(f);
}

static void whole_file(void)
{
        uint64_t at = 0;
        struct stat st;

        done = done ? done - 1 : 0; /* of the last operation, should it not be so */
        must(fsync(fd) == 0, "fsync", 0);
        shut_file();
        open_file(0);
        must(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "fadvise", 0);
        must(fstat(fd, &st) == 0, "stat", 0);
        if ((uint64_t)st.st_size != size)
                give_up("at the end stat shows another size", (uint64_t)st.st_size);
        while (at < size) {
                ssize_t n = pread(fd, buffer + at, size - at, (off_t)at);

                must(n > 0, "read", at);
                at += (uint64_t)n;
        }
        compare(buffer, 0, size, "the whole file");
        shut_file();
        done++;
}

static void write_copy(void)
{
        int out = open(copy, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        uint64_t at = 0;

        must(out >= 0, copy, 0);
        while (at < size) {
                ssize_t n = write(out, model + at, size - at);

                must(n > 0, copy, at);
                at += (uint64_t)n;
        }
        must(close(out) == 0, copy, 0);
}

static _Noreturn void usage(void)
{
        fputs("usage: modelio SEED COUNT PATH [--most BYTES] [--until FILE] [--copy FILE] [--events FILE] [--plain]\n",
              stderr);
        exit(2);
}

static void take_arguments(int argc, char **argv)
{
        if (argc < 4)
                usage();
        seed = strtoull(argv[1], NULL, 0);
        count = strtoull(argv[2], NULL, 0);
        path = argv[3];
        for (int i = 4; i < argc; i++) {
                if (strcmp(argv[i], "--plain") == 0) {
                        plain = true;
                        continue;
                }
                if (i + 1 == argc)
                        usage();
                if (strcmp(argv[i], "--most") == 0)
                        most = strtoull(argv[++i], NULL, 0);
                else if (strcmp(argv[i], "--until") == 0)
                        until = argv[++i];
                else if (strcmp(argv[i], "--copy") == 0)
                        copy = argv[++i];
                else if (strcmp(argv[i], "--events") == 0)
                        events = argv[++i];
                else
                        usage();
        }
        if (!most)
                usage();
}

int main(int argc, char **argv)
{
        take_arguments(argc, argv);
        state = seed;
        model = calloc(1, most);
        buffer = malloc(most);
        if (!model || !buffer)
                return 2;
        open_file(O_CREAT | O_TRUNC);
        while (done < count && !(until && access(until, F_OK) == 0)) {
                one_operation();
                done++;
                tell();
        }
        whole_file();
        if (copy)
                write_copy();
        printf("seed %llu operations %llu size %llu longest-ms %.0f\n", (unsigned long long)seed,
               (unsigned long long)done, (unsigned long long)size, longest * 1000);
        free(model);
        free(buffer);
        return 0;
}
