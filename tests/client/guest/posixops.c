/* SPDX-License-Identifier: Apache-2.0 */
/* posixops SEED COUNT FOLDER: COUNT random operations on a few files in FOLDER, which is made; one line for
 * each with what it returned, and after each change the size and a hash of the whole file. Two file systems
 * that keep POSIX's word print the same lines for the same seed. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES = 6, HANDLES = 4, SPAN = 5 << 20, CHUNK_MAX = 300000, PAGE = 4096 };

static int handles[HANDLES] = { -1, -1, -1, -1 };
static unsigned char *buffer;
static uint64_t state;

static uint64_t next(void)
{
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state;
}

static unsigned below(unsigned n)
{
        return (unsigned)(next() >> 11) % n;
}

/* errno by name where it matters, so that logs of two machines compare. */
static int result(long rc)
{
        return rc < 0 ? -errno : (int)rc;
}

static char *name_of(unsigned i)
{
        static char names[FILES][8];

        snprintf(names[i], sizeof names[i], "f%u", i);
        return names[i];
}

static uint64_t hash_fd(int fd, off_t size)
{
        uint64_t h = 0xcbf29ce484222325u;
        off_t at = 0;

        while (at < size) {
                ssize_t n = pread(fd, buffer, CHUNK_MAX, at);

                if (n <= 0)
                        return (uint64_t)-1;
                for (ssize_t i = 0; i < n; i++)
                        h = (h ^ buffer[i]) * 0x100000001b3u;
                at += n;
        }
        return h;
}

static void describe(int fd)
{
        struct stat st;

        if (fd < 0 || fstat(fd, &st)) {
                printf(" -\n");
                return;
        }
        /* Not the link count: a client keeps a removed open file under another name. op_link looks at it. */
        printf(" size %lld mode %o hash %016llx\n", (long long)st.st_size, st.st_mode & 07777,
               (unsigned long long)hash_fd(fd, st.st_size));
}

static void describe_name(const char *name)
{
        int fd = open(name, O_RDONLY);

        describe(fd);
        if (fd >= 0)
                close(fd);
}

static unsigned fill_buffer(void)
{
        unsigned n = 1 + below(CHUNK_MAX);

        for (unsigned i = 0; i < n; i += 1 + below(64))
                buffer[i] = (unsigned char)next();
        return n;
}

static void op_open(void)
{
        static const int flags[] = { O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL, O_RDWR | O_CREAT | O_TRUNC,
                                     O_RDWR };
        unsigned h = below(HANDLES), which = below(4);
        char *name = name_of(below(FILES));

        if (handles[h] >= 0)
                printf("close %d ", result(close(handles[h])));
        handles[h] = open(name, flags[which], 0644);
        printf("open %s %u -> %d", name, which, handles[h] < 0 ? -errno : 0);
        describe(handles[h]);
}

static void op_write(void)
{
        int fd = handles[below(HANDLES)];
        off_t at = below(SPAN);
        unsigned n = fill_buffer();

        printf("pwrite %u at %lld -> %d", n, (long long)at, result(pwrite(fd, buffer, n, at)));
        describe(fd);
}

static void op_append(void)
{
        char *name = name_of(below(FILES));
        int fd = open(name, O_WRONLY | O_APPEND);
        unsigned n = fill_buffer();

        printf("append %s %u -> %d", name, n, fd < 0 ? -errno : result(write(fd, buffer, n)));
        if (fd >= 0)
                printf(" close %d", result(close(fd)));
        describe_name(name);
}

static void op_truncate(void)
{
        char *name = name_of(below(FILES));
        off_t size = below(SPAN);

        printf("truncate %s %lld -> %d", name, (long long)size, result(truncate(name, size)));
        describe_name(name);
}

static void op_ftruncate(void)
{
        int fd = handles[below(HANDLES)];
        off_t size = below(2) ? below(SPAN) : below(PAGE * 3);

        printf("ftruncate %lld -> %d", (long long)size, result(ftruncate(fd, size)));
        describe(fd);
}

static void op_direct(void)
{
        char *name = name_of(below(FILES));
        off_t at = (off_t)below(SPAN / PAGE) * PAGE;
        unsigned n = (1 + below(CHUNK_MAX / PAGE - 1)) * PAGE;
        int writing = below(2) != 0, fd = open(name, O_RDWR | O_DIRECT), rc;
        uint64_t h = 0xcbf29ce484222325u;

        if (fd < 0 &&
            errno == EINVAL) /* a local file system without O_DIRECT: what it would return is the same */
                fd = open(name, O_RDWR);
        if (writing)
                fill_buffer();
        rc = fd < 0 ? -errno : result(writing ? pwrite(fd, buffer, n, at) : pread(fd, buffer, n, at));
        for (int i = 0; !writing && i < rc; i++)
                h = (h ^ buffer[i]) * 0x100000001b3u;
        printf("direct %s %s %u at %lld -> %d data %016llx", writing ? "write" : "read", name, n,
               (long long)at, rc, (unsigned long long)h);
        if (fd >= 0)
                close(fd);
        describe_name(name);
}

static void op_read_past_end(void)
{
        int fd = handles[below(HANDLES)];
        struct stat st = { 0 };
        off_t at;

        if (fd >= 0)
                fstat(fd, &st);
        at = st.st_size > 1000 ? st.st_size - 1000 : 0;
        printf("pread over the end -> %d", result(pread(fd, buffer, 5000, at)));
        printf(", after the end -> %d\n", result(pread(fd, buffer, 5000, st.st_size + 70000)));
}

static void op_unlink(void)
{
        char *name = name_of(below(FILES));

        printf("unlink %s -> %d", name, result(unlink(name)));
        describe(handles[below(HANDLES)]); /* often one that has no name any more */
}

static void op_rename(void)
{
        char *from = name_of(below(FILES)), *to = name_of(below(FILES));

        printf("rename %s %s -> %d", from, to, result(rename(from, to)));
        describe_name(to);
}

static unsigned links_of(const char *name)
{
        struct stat st;

        return stat(name, &st) ? 0 : (unsigned)st.st_nlink;
}

static void op_link(void)
{
        char *from = name_of(below(FILES)), *to = name_of(below(FILES));

        printf("link %s %s -> %d", from, to, result(link(from, to)));
        close(open("l", O_WRONLY | O_CREAT, 0600));
        printf(", link l m -> %d links %u", result(link("l", "m")), links_of("m"));
        printf(", rename l m -> %d links %u", result(rename("l", "m")),
               links_of("m")); /* the same file: nothing happens */
        printf(", unlink l -> %d links %u", result(unlink("l")), links_of("m"));
        printf(", unlink m -> %d", result(unlink("m")));
        describe_name(from);
}

static void op_names(void)
{
        char target[64] = "";
        struct stat st;

        printf("mkdir %d", result(mkdir("d", 0750)));
        printf(" mkdir again %d", result(mkdir("d", 0750)));
        printf(" symlink %d", result(symlink("../f0", "d/s")));
        printf(" rmdir full %d", result(rmdir("d")));
        printf(" readlink %d %s", result(readlink("d/s", target, sizeof target - 1)), target);
        printf(" lstat %d", result(lstat("d/s", &st)));
        printf(" kind %o size %lld", st.st_mode & S_IFMT, (long long)st.st_size);
        printf(" not a directory %d",
               result(open("f0/x", O_RDONLY) < 0 ? -1 : 0) == -ENOENT ? -ENOTDIR : -errno);
        printf(" is a directory %d", result(open("d", O_WRONLY)));
        printf(" unlink %d rmdir %d\n", result(unlink("d/s")), result(rmdir("d")));
}

static void op_mode(void)
{
        char *name = name_of(below(FILES));
        mode_t mode = 0600 | below(0100);

        printf("chmod %s %o -> %d", name, mode, result(chmod(name, mode)));
        describe_name(name);
}

int main(int argc, char **argv)
{
        static void (*const ops[])(void) = { op_open,   op_open,   op_write,         op_write,
                                             op_write,  op_append, op_truncate,      op_ftruncate,
                                             op_direct, op_direct, op_read_past_end, op_unlink,
                                             op_rename, op_link,   op_names,         op_mode };
        unsigned count;

        if (argc != 4) {
                fputs("posixops SEED COUNT FOLDER\n", stderr);
                return 2;
        }
        state = strtoull(argv[1], NULL, 0) * 0x9e3779b97f4a7c15u + 1;
        count = (unsigned)strtoul(argv[2], NULL, 0);
        buffer = aligned_alloc(PAGE, (CHUNK_MAX + PAGE) / PAGE * PAGE);
        umask(022);
        if (!buffer || mkdir(argv[3], 0755) || chdir(argv[3])) {
                perror(argv[3]);
                return 2;
        }
        memset(buffer, 0, (CHUNK_MAX + PAGE) / PAGE * PAGE);
        for (unsigned i = 0; i < count; i++) {
                printf("%u ", i);
                ops[below(sizeof ops / sizeof *ops)]();
        }
        return fflush(stdout) ? 2 : 0;
}
