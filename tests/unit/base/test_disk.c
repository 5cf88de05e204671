/* SPDX-License-Identifier: Apache-2.0 */
/* The same behaviours of all disks: io_uring, threads, in place on tmpfs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/disk.h"

enum { RING_ENTRIES = 32, THREADS = 4 };

static struct loop *loop;
static struct disk *disk;
static char directory[64];

static struct disk *make_uring(int root_fd)
{
        return disk_uring_new(loop, root_fd, RING_ENTRIES);
}

static struct disk *make_threads(int root_fd)
{
        return disk_threads_new(loop, root_fd, THREADS);
}

static struct disk *make_inline(int root_fd)
{
        return disk_inline_new(loop, root_fd);
}

static struct disk *(*make)(int root_fd);
static const char *parent = "/tmp";

static int setup(void **state)
{
        int root_fd;

        (void)state;
        snprintf(directory, sizeof(directory), "%s/test_disk.XXXXXX", parent);
        assert_non_null(mkdtemp(directory));
        root_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        loop = loop_new();
        disk = make(root_fd);
        if (!disk) {
                print_message("this disk is refused here: %s\n", strerror(errno));
                close(root_fd);
        }
        return 0;
}

static int teardown(void **state)
{
        char command[128];

        (void)state;
        if (disk)
                disk->ops->free(disk);
        loop_free(loop);
        snprintf(command, sizeof(command), "rm -rf %s", directory);
        return system(command);
}

/* --- one request at a time, waited for */

static int unfinished;

static void finished(struct disk_req *r)
{
        (void)r;
        if (--unfinished == 0)
                loop_stop(loop);
}

static int64_t perform(struct disk_req *r)
{
        r->done = finished;
        unfinished = 1;
        disk_submit(disk, r);
        assert_int_equal(unfinished, 1); /* never from inside submit */
        loop_run(loop);
        return r->result;
}

static int64_t open_file(const char *path, int flags)
{
        return perform(
                &(struct disk_req){ .op = DISK_OPEN, .path = path, .open_flags = flags, .mode = 0600 });
}

static int64_t write_at(int fd, const void *data, uint32_t length, uint64_t offset)
{
        return perform(&(struct disk_req){ .op = DISK_WRITE,
                                           .fd = fd,
                                           .data = (void *)(uintptr_t)data,
                                           .length = length,
                                           .offset = offset });
}

static int64_t read_at(int fd, void *data, uint32_t length, uint64_t offset)
{
        return perform(&(struct disk_req){
                .op = DISK_READ, .fd = fd, .data = data, .length = length, .offset = offset });
}

static int64_t sync_file(int fd)
{
        return perform(&(struct disk_req){ .op = DISK_SYNC, .fd = fd });
}

static int64_t truncate_file(int fd, uint64_t length)
{
        return perform(&(struct disk_req){ .op = DISK_TRUNCATE, .fd = fd, .offset = length });
}

static int64_t unlink_file(const char *path)
{
        return perform(&(struct disk_req){ .op = DISK_UNLINK, .path = path });
}

#define NEEDS_DISK() \
        do { \
                (void)state; \
                if (!disk) \
                        skip(); \
        } while (0)

/* --- the six calls */

static void a_file_from_birth_to_death(void **state)
{
        char data[16] = { 0 };
        uint64_t size, allocated, mtime;
        int fd;

        NEEDS_DISK();
        fd = (int)open_file("f", O_RDWR | O_CREAT | O_EXCL);
        assert_true(fd >= 0);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        assert_int_equal(write_at(fd, "hello world", 11, 5), 11);
        assert_int_equal(sync_file(fd), 0);
        assert_int_equal(disk->ops->file_size(disk, fd, &size, &allocated, &mtime), 0);
        assert_int_equal(size, 16);
        assert_true(allocated > 0);
        assert_true(mtime / 1000000000 > 1700000000);
        assert_int_equal(disk->ops->set_mtime(disk, fd, 1234567890123456789), 0);
        assert_int_equal(disk->ops->file_size(disk, fd, &size, &allocated, &mtime), 0);
        assert_int_equal(mtime, 1234567890123456789);
        assert_int_equal(read_at(fd, data, 11, 5), 11);
        assert_memory_equal(data, "hello world", 11);
        assert_int_equal(truncate_file(fd, 10), 0);
        assert_int_equal(disk->ops->file_size(disk, fd, &size, &allocated, &mtime), 0);
        assert_int_equal(size, 10);
        disk->ops->close_fd(disk, fd);
        assert_int_equal(unlink_file("f"), 0);
        assert_int_equal(open_file("f", O_RDWR), -ENOENT);
}

static void a_read_is_short_only_at_the_end(void **state)
{
        char data[100];
        int fd;

        NEEDS_DISK();
        fd = (int)open_file("f", O_RDWR | O_CREAT);
        assert_int_equal(write_at(fd, "0123456789", 10, 0), 10);
        assert_int_equal(read_at(fd, data, 100, 0), 10);
        assert_int_equal(read_at(fd, data, 5, 7), 3);
        assert_memory_equal(data, "789", 3);
        assert_int_equal(read_at(fd, data, 100, 10), 0);
        assert_int_equal(read_at(fd, data, 100, 1000), 0);
        assert_int_equal(read_at(fd, data, 0, 0), 0);
        assert_int_equal(write_at(fd, data, 0, 0), 0);
        assert_int_equal(truncate_file(fd, 1000), 0); /* a hole reads as zeros, in full */
        assert_int_equal(read_at(fd, data, 100, 500), 100);
        assert_int_equal(data[99], 0);
        disk->ops->close_fd(disk, fd);
}

/* --- at once */

/* What just went through the page cache is there; a file system need not know the flag, but then never does.
 */
static void what_is_cached_is_read_at_once(void **state)
{
        char data[100] = { 0 };
        uint32_t first;
        int fd;

        NEEDS_DISK();
        fd = (int)open_file("f", O_RDWR | O_CREAT);
        assert_int_equal(write_at(fd, "0123456789", 10, 0), 10);
        first = disk_read_now(disk, fd, data, 5, 2);
        assert_true(first == 5 || first == 0);
        assert_memory_equal(data, "23456", first);
        assert_int_equal(disk_read_now(disk, fd, data, 100, 0), first ? 10 : 0);
        assert_int_equal(disk_read_now(disk, fd, data, 100, 10), 0);
        assert_int_equal(disk_read_now(disk, -1, data, 100, 0), 0);
        disk->ops->close_fd(disk, fd);
}

/* --- without a copy */

enum { MAPPED = 512 * 1024, MAPPED_AT = 4096 * 3 + 100 };

static uint8_t *new_pattern(void)
{
        uint8_t *data = malloc(MAPPED);

        assert_non_null(data);
        for (int i = 0; i < MAPPED; i++)
                data[i] = (uint8_t)(i * 7 + i / 256);
        return data;
}

/* What is mapped changes with the file; what is kept does not, not even when the file is cut, closed and
 * gone. */
static void what_is_cached_is_mapped(void **state)
{
        uint8_t *pattern = new_pattern();
        const uint8_t *seen, *kept;
        int fd;

        NEEDS_DISK();
        fd = (int)open_file("mapped", O_RDWR | O_CREAT);
        assert_int_equal(write_at(fd, pattern, MAPPED, MAPPED_AT), MAPPED);
        seen = disk_map(disk, fd, MAPPED, MAPPED_AT);
        kept = disk_map(disk, fd, MAPPED / 2, MAPPED_AT);
        assert_non_null(seen);
        assert_non_null(kept);
        assert_memory_equal(seen, pattern, MAPPED);
        disk->ops->keep(disk, kept, MAPPED / 2);
        assert_int_equal(write_at(fd, "other", 5, MAPPED_AT), 5);
        assert_memory_equal(seen, "other", 5);
        assert_int_equal(truncate_file(fd, 0), 0);
        disk->ops->close_fd(disk, fd);
        assert_int_equal(unlink_file("mapped"), 0);
        assert_memory_equal(kept, pattern, MAPPED / 2);
        disk->ops->unmap(disk, seen, MAPPED);
        disk->ops->unmap(disk, kept, MAPPED / 2);
        free(pattern);
}

/* Beyond the end, in a hole of tmpfs, and where the call would cost more than the copy. */
static void what_is_not_there_is_not_mapped(void **state)
{
        uint8_t *pattern = new_pattern();
        int fd;

        NEEDS_DISK();
        fd = (int)open_file("short", O_RDWR | O_CREAT);
        assert_int_equal(write_at(fd, pattern, MAPPED, 0), MAPPED);
        assert_null(disk_map(disk, fd, MAPPED, 8192));
        assert_null(disk_map(disk, fd, 4096, 0));
        assert_null(disk_map(disk, fd, UINT32_MAX, 0));
        assert_null(disk_map(disk, -1, MAPPED, 0));
        assert_int_equal(truncate_file(fd, 4 * MAPPED), 0);
        assert_null(disk_map(disk, fd, MAPPED, 2 * MAPPED));
        disk->ops->close_fd(disk, fd);
        free(pattern);
}

/* --- errors */

static void errors_come_as_results(void **state)
{
        char data[8] = { 0 };
        int fd;

        NEEDS_DISK();
        assert_int_equal(open_file("none", O_RDWR), -ENOENT);
        assert_int_equal(open_file("none/below", O_RDWR | O_CREAT), -ENOENT);
        assert_int_equal(unlink_file("none"), -ENOENT);
        assert_int_equal(read_at(-1, data, 8, 0), -EBADF);
        assert_int_equal(write_at(-1, data, 8, 0), -EBADF);
        assert_int_equal(sync_file(-1), -EBADF);
        assert_int_equal(truncate_file(-1, 0), -EBADF);
        fd = (int)open_file("f", O_RDONLY | O_CREAT);
        assert_true(fd >= 0);
        assert_int_equal(write_at(fd, data, 8, 0), -EBADF);
        assert_int_equal(open_file("f", O_RDWR | O_CREAT | O_EXCL), -EEXIST);
        disk->ops->close_fd(disk, fd);
        fd = (int)open_file("/dev/full", O_WRONLY);
        assert_true(fd >= 0);
        assert_int_equal(write_at(fd, data, 8, 0), -ENOSPC);
        disk->ops->close_fd(disk, fd);
}

/* The kernel writes as far as the limit goes and says so: the rest must be asked for, and its error is the
 * result. */
static void a_short_write_is_continued_to_its_error(void **state)
{
        static char data[300 * 1024];
        struct rlimit before, limit;
        uint64_t size, allocated, mtime;
        int64_t result;
        int fd;

        NEEDS_DISK();
        fd = (int)open_file("f", O_RDWR | O_CREAT);
        signal(SIGXFSZ, SIG_IGN);
        getrlimit(RLIMIT_FSIZE, &before);
        limit = (struct rlimit){ 100 * 1024, before.rlim_max };
        setrlimit(RLIMIT_FSIZE, &limit);
        result = write_at(fd, data, sizeof(data), 0);
        setrlimit(RLIMIT_FSIZE, &before);
        assert_int_equal(result, -EFBIG);
        assert_int_equal(disk->ops->file_size(disk, fd, &size, &allocated, &mtime), 0);
        assert_int_equal(size, 100 * 1024);
        disk->ops->close_fd(disk, fd);
}

static void a_full_file_system_is_enospc(void **state)
{
        static char data[2 << 20];
        char path[96];
        uint64_t total, available;
        int64_t result;
        int fd;

        NEEDS_DISK();
        snprintf(path, sizeof(path), "%s/small", directory);
        assert_int_equal(disk->ops->mkdir(disk, "small"), 0);
        if (mount("none", path, "tmpfs", 0, "size=1M") < 0)
                skip(); /* only root may */
        fd = (int)open_file("small/f", O_RDWR | O_CREAT);
        result = write_at(fd, data, sizeof(data), 0);
        assert_int_equal(disk->ops->space(disk, &total, &available), 0); /* of the root, not of "small" */
        disk->ops->close_fd(disk, fd);
        umount2(path, MNT_DETACH);
        assert_int_equal(result, -ENOSPC);
        assert_true(total > (1 << 20));
}

/* --- directories and space */

static void count_name(void *arg, const char *name)
{
        int *found = arg;

        assert_true(strlen(name) == 1);
        *found |= 1 << (name[0] - 'a');
}

static void directories_are_made_and_listed(void **state)
{
        int found = 0;
        uint64_t total = 0, available = 0;

        NEEDS_DISK();
        assert_int_equal(disk->ops->mkdir(disk, "d"), 0);
        assert_int_equal(disk->ops->mkdir(disk, "d"), 0);
        assert_int_equal(disk->ops->mkdir(disk, "no/d"), -ENOENT);
        assert_int_equal(disk->ops->mkdir(disk, "d/c"), 0);
        disk->ops->close_fd(disk, (int)open_file("d/a", O_RDWR | O_CREAT));
        disk->ops->close_fd(disk, (int)open_file("d/b", O_RDWR | O_CREAT));
        assert_int_equal(disk->ops->list(disk, "d", count_name, &found), 0);
        assert_int_equal(found, 7);
        assert_int_equal(disk->ops->list(disk, "none", count_name, &found), -ENOENT);
        assert_int_equal(disk->ops->list(disk, "d/a", count_name, &found), -ENOTDIR);
        assert_int_equal(disk->ops->space(disk, &total, &available), 0);
        assert_true(total > 0 && available <= total);
}

/* --- many at a time */

enum { MANY = 1000, BLOCK = 4096 };
static struct disk_req requests[MANY];
static uint8_t blocks[MANY][BLOCK];

static void submit_all(enum disk_op op, int fd)
{
        unfinished = MANY;
        for (int i = 0; i < MANY; i++) {
                requests[i] = (struct disk_req){ .op = op,
                                                 .fd = fd,
                                                 .data = blocks[i],
                                                 .length = BLOCK,
                                                 .offset = (uint64_t)i * BLOCK,
                                                 .done = finished };
                disk_submit(disk, &requests[i]);
        }
        loop_run(loop);
        for (int i = 0; i < MANY; i++)
                assert_int_equal(requests[i].result, BLOCK);
}

static void a_thousand_at_a_time(void **state)
{
        int fd;

        NEEDS_DISK();
        fd = (int)open_file("f", O_RDWR | O_CREAT);
        for (int i = 0; i < MANY; i++)
                memset(blocks[i], i % 251, BLOCK);
        submit_all(DISK_WRITE, fd);
        memset(blocks, 0xff, sizeof(blocks));
        submit_all(DISK_READ, fd);
        for (int i = 0; i < MANY; i++)
                for (int b = 0; b < BLOCK; b += 511)
                        assert_int_equal(blocks[i][b], i % 251);
        disk->ops->close_fd(disk, fd);
}

/* Each completion submits the next request: from done(), with nothing else to wake the loop. */
static int chain_left;

static void next_in_chain(struct disk_req *r)
{
        assert_int_equal(r->result, BLOCK);
        if (--chain_left == 0)
                loop_stop(loop);
        else
                disk_submit(disk, r);
}

static void a_chain_of_requests(void **state)
{
        struct disk_req r = { .op = DISK_READ, .data = blocks[0], .length = BLOCK, .done = next_in_chain };
        int fd;

        NEEDS_DISK();
        fd = (int)open_file("f", O_RDWR | O_CREAT);
        assert_int_equal(write_at(fd, blocks[1], BLOCK, 0), BLOCK);
        chain_left = 5000;
        r.fd = fd;
        disk_submit(disk, &r);
        loop_run(loop);
        assert_int_equal(chain_left, 0);
        disk->ops->close_fd(disk, fd);
}

static void large_transfers_are_whole(void **state)
{
        enum { LARGE = 16 << 20 };
        uint32_t *data = malloc(LARGE), *back = malloc(LARGE);
        int fd;

        NEEDS_DISK();
        for (uint32_t i = 0; i < LARGE / 4; i++)
                data[i] = i * 2654435761u;
        fd = (int)open_file("f", O_RDWR | O_CREAT);
        assert_int_equal(write_at(fd, data, LARGE, 12345), LARGE);
        assert_int_equal(read_at(fd, back, LARGE, 12345), LARGE);
        assert_memory_equal(data, back, LARGE);
        disk->ops->close_fd(disk, fd);
        free(data);
        free(back);
}

/* --- where io_uring is refused */

static int new_disk_errno_under_seccomp(void)
{
        struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };
        int root_fd = open("/", O_RDONLY | O_DIRECTORY);

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
                return -1;
        errno = 0;
        if (disk_uring_new(loop, root_fd, RING_ENTRIES))
                return 0;
        return fcntl(root_fd, F_GETFD) < 0 ? 0 : errno; /* the descriptor is still ours */
}

static void a_refused_ring_is_an_errno(void **state)
{
        pid_t child;
        int status;

        (void)state;
        loop = loop_new();
        child = fork();
        if (child == 0)
                _exit(new_disk_errno_under_seccomp());
        assert_int_equal(waitpid(child, &status, 0), child);
        loop_free(loop);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 255)
                skip(); /* no seccomp here */
        assert_int_equal(WEXITSTATUS(status), EPERM);
}

static void only_memory_is_served_in_place(void **state)
{
        int root_fd = open("/proc", O_RDONLY | O_DIRECTORY);

        (void)state;
        loop = loop_new();
        assert_null(disk_inline_new(loop, root_fd));
        assert_int_equal(errno, EOPNOTSUPP);
        assert_int_equal(close(root_fd), 0); /* still ours */
        loop_free(loop);
}

/* Of a GiB with a page in its middle, into a file that has pages where the other has none. */
static void a_copy_leaves_holes(void **state)
{
        enum { PAGE = 4096, MIDDLE = 512 << 20, LONG = 1 << 30 };
        static char data[PAGE], got[PAGE], zeros[PAGE];
        struct disk_req r = { .op = DISK_COPY, .offset = PAGE, .span = 2ull * LONG };
        struct stat st;

        NEEDS_DISK();
        memset(data, 7, PAGE);
        r.from_fd = (int)open_file("sparse", O_CREAT | O_RDWR);
        r.fd = (int)open_file("target", O_CREAT | O_RDWR);
        assert_int_equal(write_at(r.from_fd, data, PAGE, MIDDLE), PAGE);
        assert_int_equal(truncate_file(r.from_fd, LONG), 0);
        for (int i = 0; i < 4; i++)
                assert_int_equal(write_at(r.fd, data, PAGE, (uint64_t)i * PAGE), PAGE);
        assert_int_equal(perform(&r), LONG);

        assert_int_equal(fstat(r.fd, &st), 0);
        assert_int_equal(st.st_size, LONG + PAGE);
        assert_true(st.st_blocks < 2048); /* of 512 bytes: nothing of what is not there */
        assert_int_equal(read_at(r.fd, got, PAGE, MIDDLE + PAGE), PAGE);
        assert_memory_equal(got, data, PAGE);
        assert_int_equal(read_at(r.fd, got, PAGE, 0), PAGE); /* before the range */
        assert_memory_equal(got, data, PAGE);
        for (int i = 1; i < 4; i++) {
                assert_int_equal(read_at(r.fd, got, PAGE, (uint64_t)i * PAGE), PAGE);
                assert_memory_equal(got, zeros, PAGE);
        }

        r.from_offset = LONG - PAGE; /* what of it there is */
        assert_int_equal(perform(&r), PAGE);
        r.from_offset = LONG;
        assert_int_equal(perform(&r), 0);
        disk->ops->close_fd(disk, r.fd);
        disk->ops->close_fd(disk, r.from_fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest behaviours[] = {
        TEST(a_file_from_birth_to_death),   TEST(a_read_is_short_only_at_the_end),
        TEST(errors_come_as_results),       TEST(a_short_write_is_continued_to_its_error),
        TEST(a_full_file_system_is_enospc), TEST(directories_are_made_and_listed),
        TEST(a_thousand_at_a_time),         TEST(a_chain_of_requests),
        TEST(large_transfers_are_whole),    TEST(what_is_cached_is_read_at_once),
        TEST(what_is_cached_is_mapped),     TEST(what_is_not_there_is_not_mapped),
        TEST(a_copy_leaves_holes),
};

int main(void)
{
        static const struct CMUnitTest refusal[] = { cmocka_unit_test(a_refused_ring_is_an_errno),
                                                     cmocka_unit_test(only_memory_is_served_in_place) };
        int failed;

        failed = cmocka_run_group_tests_name("refusal", refusal, NULL, NULL);
        make = make_uring;
        failed += cmocka_run_group_tests_name("io_uring", behaviours, NULL, NULL);
        make = make_threads;
        failed += cmocka_run_group_tests_name("threads", behaviours, NULL, NULL);
        make = make_inline;
        parent = "/dev/shm";
        failed += cmocka_run_group_tests_name("in place", behaviours, NULL, NULL);
        return failed;
}
