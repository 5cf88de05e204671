/* SPDX-License-Identifier: Apache-2.0 */
/* Locks a file as it is told, and says what came of it.
 *
 *   locktool PATH STEP...    opens PATH for reading and writing, made when new
 *
 * r OFFSET LENGTH, w, u     fcntl: shared, exclusive, unlock; LENGTH 0: to the end of file
 * R OFFSET LENGTH, W        the same, and wait for it
 * t OFFSET LENGTH           who is in the way of w: "free" or "r:START:LENGTH" or "w:…"
 * s, x, n; S, X             flock: shared, exclusive, unlock; and wait
 * ofd                       from here on fcntl's locks belong to the open file, not to the process
 * put TEXT                  writes TEXT at the front of the file, and through to the server
 * dirty LENGTH              writes so many bytes, to nowhere but the page cache
 * over OFFSET               writes 64 KiB there, past the page cache, again and again, until that fails
 * add COUNT                 one higher is the number in the file, COUNT times, each under W 0 0
 * pass COUNT                W 0 0 and u 0 0, COUNT times, with nothing in between
 * event TEXT                a line `E TEXT` to $EVENTS
 * until FILE                go on when FILE is there
 *
 * A word to stdout for each lock, put, dirty and over: ok, denied, or the name of an error. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static int fd;
static int command = F_SETLK, waiting_command = F_SETLKW, test_command = F_GETLK;

static void die(const char *what)
{
        fprintf(stderr, "locktool: %s: %s\n", what, strerror(errno));
        exit(2);
}

static void say(int result)
{
        if (result == 0)
                printf("ok\n");
        else if (errno == EAGAIN || errno == EACCES)
                printf("denied\n");
        else
                printf("%s\n", strerrorname_np(errno));
        fflush(stdout);
}

static int set_lock(short type, bool wait, long long offset, long long length)
{
        struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = offset, .l_len = length };

        return fcntl(fd, wait ? waiting_command : command, &l);
}

static void test_lock(long long offset, long long length)
{
        struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = offset, .l_len = length };

        if (fcntl(fd, test_command, &l) < 0)
                say(-1);
        else if (l.l_type == F_UNLCK)
                printf("free\n");
        else
                printf("%c:%lld:%lld\n", l.l_type == F_RDLCK ? 'r' : 'w', (long long)l.l_start,
                       (long long)l.l_len);
        fflush(stdout);
}

static void put(const char *text)
{
        bool written = pwrite(fd, text, strlen(text), 0) == (ssize_t)strlen(text);

        say(written ? fsync(fd) : -1);
}

static void dirty(long long length)
{
        static char bytes[1 << 16];
        long long done = 0;

        memset(bytes, 'd', sizeof(bytes));
        while (done < length) {
                ssize_t n = pwrite(fd, bytes, sizeof(bytes), done);

                if (n < 0)
                        break;
                done += n;
        }
        say(done < length ? -1 : 0);
}

static void over(long long offset)
{
        static _Alignas(4096) char bytes[1 << 16];

        memset(bytes, 'o', sizeof(bytes));
        if (fcntl(fd, F_SETFL, O_DIRECT) < 0)
                die("O_DIRECT");
        while (pwrite(fd, bytes, sizeof(bytes), offset) == (ssize_t)sizeof(bytes))
                ;
        say(-1);
}

static void add_one(void)
{
        char text[32] = "";
        long long n;

        if (pread(fd, text, sizeof(text) - 1, 0) < 0)
                die("read");
        n = atoll(text) + 1;
        snprintf(text, sizeof(text), "%lld\n", n);
        if (pwrite(fd, text, strlen(text), 0) != (ssize_t)strlen(text))
                die("write");
}

static void repeat(long long count, void (*inside)(void))
{
        for (long long i = 0; i < count; i++) {
                if (set_lock(F_WRLCK, true, 0, 0) < 0)
                        die("lock");
                if (inside)
                        inside();
                if (set_lock(F_UNLCK, true, 0, 0) < 0)
                        die("unlock");
        }
}

static void event(const char *text)
{
        const char *path = getenv("EVENTS");
        int events = path ? open(path, O_WRONLY | O_APPEND) : -1;

        if (events < 0 || dprintf(events, "E %s\n", text) < 0)
                die("event");
        close(events);
}

static void until(const char *path)
{
        while (access(path, F_OK) < 0)
                nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
}

static void belong_to_the_open_file(void)
{
        command = F_OFD_SETLK;
        waiting_command = F_OFD_SETLKW;
        test_command = F_OFD_GETLK;
}

static const char *next(char ***argv)
{
        if (!**argv) {
                errno = EINVAL;
                die("a step without its arguments");
        }
        return *(*argv)++;
}

/* A step of one letter; *ARGV stands behind it. */
static void lock_step(char step, char ***argv)
{
        static const struct {
                char step;
                int how;
        } flocks[] = { { 's', LOCK_SH | LOCK_NB },
                       { 'x', LOCK_EX | LOCK_NB },
                       { 'S', LOCK_SH },
                       { 'X', LOCK_EX },
                       { 'n', LOCK_UN } };
        long long offset;

        for (unsigned i = 0; i < sizeof(flocks) / sizeof(flocks[0]); i++)
                if (flocks[i].step == step) {
                        say(flock(fd, flocks[i].how));
                        return;
                }
        offset = atoll(next(argv));
        switch (step) {
        case 'r':
        case 'R': say(set_lock(F_RDLCK, step == 'R', offset, atoll(next(argv)))); return;
        case 'w':
        case 'W': say(set_lock(F_WRLCK, step == 'W', offset, atoll(next(argv)))); return;
        case 'u': say(set_lock(F_UNLCK, false, offset, atoll(next(argv)))); return;
        case 't': test_lock(offset, atoll(next(argv))); return;
        default: errno = EINVAL; die("unknown step");
        }
}

int main(int argc, char **argv)
{
        if (argc < 2) {
                fprintf(stderr, "locktool PATH STEP...\n");
                return 2;
        }
        fd = open(argv[1], O_RDWR | O_CREAT, 0666);
        if (fd < 0)
                die(argv[1]);
        argv += 2;
        while (*argv) {
                const char *step = next(&argv);

                if (strlen(step) == 1)
                        lock_step(step[0], &argv);
                else if (strcmp(step, "dirty") == 0)
                        dirty(atoll(next(&argv)));
                else if (strcmp(step, "over") == 0)
                        over(atoll(next(&argv)));
                else if (strcmp(step, "add") == 0)
                        repeat(atoll(next(&argv)), add_one);
                else if (strcmp(step, "put") == 0)
                        put(next(&argv));
                else if (strcmp(step, "pass") == 0)
                        repeat(atoll(next(&argv)), NULL);
                else if (strcmp(step, "ofd") == 0)
                        belong_to_the_open_file();
                else if (strcmp(step, "event") == 0)
                        event(next(&argv));
                else if (strcmp(step, "until") == 0)
                        until(next(&argv));
                else {
                        errno = EINVAL;
                        die(step);
                }
        }
        return 0;
}
