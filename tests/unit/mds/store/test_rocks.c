/* SPDX-License-Identifier: Apache-2.0 */
/* What only the real store can show: one server at a time, logs torn at the end or damaged in the middle,
 * full and failing disks, both ways to sync, logs that are changed, copies. */
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "mds/store/rocks.h"
#include "tests/unit/mds/store/support.h"

static int put(struct bed *b, uint64_t number, uint32_t bytes)
{
        static uint8_t value[RECORD_MAX];
        struct batch batch = { 0 };
        uint8_t key[KEY_MAX];
        uint64_t seq = 0;
        int r;

        batch_put(&batch, key_inode(key, number), slice_of(value, bytes));
        r = b->store->ops->write(b->store, &batch, &seq);
        batch_free(&batch);
        return r;
}

static bool has(struct store *store, uint64_t number)
{
        static uint8_t value[RECORD_MAX];
        uint8_t key[KEY_MAX];
        uint32_t length;

        return store->ops->get(store, key_inode(key, number), value, sizeof(value), &length) == 0;
}

/* What a crash at this instant leaves: files as the kernel has them. The list of tables is copied before the
 * tables. */
static void copy_files(const struct bed *b, const char *to)
{
        rocksdb_t *db = rocks_of(b->store)->db;
        char command[256], *message = NULL;

        snprintf(command, sizeof(command),
                 "rm -rf '%s' && mkdir '%s' && cd '%s' && cp CURRENT MANIFEST* '%s' && cp -n * '%s'", to, to,
                 b->dir, to, to);
        rocksdb_disable_file_deletions(db, &message);
        assert_int_equal(system(command), 0);
        rocksdb_enable_file_deletions(db, 1, &message);
        assert_null(message);
}

static struct store *open_at(struct bed *b, const char *dir, char *error)
{
        return store_rocks_open(dir, false, b->loop, BED_CACHE_BYTES, error, 512);
}

static void last_log(const char *dir, char *path, size_t bytes)
{
        char pattern[160];
        glob_t found;

        snprintf(pattern, sizeof(pattern), "%s/*.log", dir);
        assert_int_equal(glob(pattern, 0, NULL, &found), 0);
        snprintf(path, bytes, "%s", found.gl_pathv[found.gl_pathc - 1]);
        globfree(&found);
}

/* --- one server at a time */

static void one_server_at_a_time(void **state)
{
        struct bed *b = *state;
        char error[512];
        int status;
        pid_t child;

        assert_null(open_at(b, b->dir, error));
        assert_non_null(strstr(error, "another server has this store open"));
        child = fork();
        if (child == 0) { /* as another program: RocksDB's threads and locks do not survive a fork */
                execl("/proc/self/exe", "test_rocks", b->dir, (char *)NULL);
                _exit(127);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_null(open_at(b, "/nonexistent/dir/of/nobody", error));
        assert_non_null(strstr(error, "/nonexistent"));
}

/* The other server: 0 when it was refused. */
static int other_server(const char *dir)
{
        struct bed b = { .loop = loop_new() };
        char error[512] = "";
        struct store *store = open_at(&b, dir, error);

        loop_free(b.loop);
        return store || !strstr(error, "another server has this store open");
}

static void reading_beside_a_server(void **state)
{
        struct bed *b = *state;
        struct fsck_report report;
        struct store *beside;
        char error[512];

        bed_open_meta(b);
        make_file(b->meta, ROOT_FILEID, "synced");
        bed_sync(b);
        make_file(b->meta, ROOT_FILEID, "not synced");
        beside = store_rocks_open(b->dir, true, NULL, BED_CACHE_BYTES, error, sizeof(error));
        assert_non_null(beside);
        assert_int_equal(fsck_run(beside, stderr, &report), 0);
        assert_int_equal(report.problems, 0);
        assert_int_equal(report.entries, 1);
        beside->ops->close(beside);
        assert_true(make_file(b->meta, ROOT_FILEID, "still") != 0);
        bed_sync(b);
}

static void copies(void **state)
{
        struct bed *b = *state;
        struct store *copy;
        char dir[128], error[512];

        for (uint64_t n = 1; n <= 1000; n++)
                assert_int_equal(put(b, n, 100), 0);
        snprintf(dir, sizeof(dir), "%s/copy", b->dir);
        assert_int_equal(b->store->ops->checkpoint(b->store, dir), 0);
        assert_int_equal(put(b, 1001, 100), 0);
        copy = open_at(b, dir, error);
        assert_non_null(copy);
        assert_true(has(copy, 1000));
        assert_false(has(copy, 1001));
        copy->ops->close(copy);
        assert_int_not_equal(b->store->ops->checkpoint(b->store, dir), 0); /* it is there */
}

/* --- damaged logs */

struct image {
        char dir[96], log[192];
        off_t bytes; /* of the log */
};

/* Batches 1..100, each synced, then the files as they are. */
static struct image take_image(struct bed *b)
{
        struct image i;
        struct stat st;

        for (uint64_t n = 1; n <= 100; n++) {
                assert_int_equal(put(b, n, 1000), 0);
                bed_sync(b);
        }
        snprintf(i.dir, sizeof(i.dir), "%s-image", b->dir);
        copy_files(b, i.dir);
        last_log(i.dir, i.log, sizeof(i.log));
        assert_int_equal(stat(i.log, &st), 0);
        i.bytes = st.st_size;
        return i;
}

static void write_at(const char *path, off_t at, const void *bytes, size_t count)
{
        int fd = open(path, O_WRONLY);

        assert_int_equal(pwrite(fd, bytes, count, at), (ssize_t)count);
        close(fd);
}

static void a_torn_tail_is_dropped(void **state)
{
        struct bed *b = *state;
        struct image i = take_image(b);
        char error[512];

        for (int cut = 1; cut < 3000; cut += 500) {
                struct store *s;

                copy_files(b, i.dir);
                assert_int_equal(truncate(i.log, i.bytes - cut), 0);
                s = open_at(b, i.dir, error);
                assert_non_null(s);
                assert_false(has(s, 100));
                for (uint64_t n = 1; n <= 97; n++)
                        assert_true(has(s, n));
                s->ops->close(s);
        }
        bed_remove_dir(i.dir);
}

static void zeros_behind_the_end_are_nothing(void **state)
{
        struct bed *b = *state;
        struct image i = take_image(b);
        struct store *s;
        char error[512];

        assert_int_equal(truncate(i.log, i.bytes + 100000), 0); /* room that was taken but never written */
        s = open_at(b, i.dir, error);
        assert_non_null(s);
        assert_true(has(s, 100));
        s->ops->close(s);
        bed_remove_dir(i.dir);
}

/* Nobody may lose acknowledged batches without being told: such a log is refused, and left as it is. */
static void damage_in_the_middle_is_refused(void **state)
{
        struct bed *b = *state;
        struct image i = take_image(b);
        char error[512];

        write_at(i.log, i.bytes / 2, "damage", 6);
        for (int again = 0; again < 2; again++) {
                assert_null(open_at(b, i.dir, error));
                assert_non_null(strstr(error, "damaged"));
        }
        bed_remove_dir(i.dir);
}

/* Closing a log makes it durable, whoever asked for a sync. */
static void a_new_log_follows_a_whole_one(void **state)
{
        struct bed *b = *state;
        struct image i = take_image(b);
        struct store *s;
        char error[512];

        assert_int_equal(put(b, 101, 1000), 0);
        assert_int_equal(rocks_rotate_log(rocks_of(b->store)), 0);
        copy_files(b, i.dir);
        bed_wait(b);
        assert_int_equal(b->durable, 101);
        s = open_at(b, i.dir, error);
        assert_non_null(s);
        for (uint64_t n = 1; n <= 101; n++)
                assert_true(has(s, n));
        s->ops->close(s);
        bed_remove_dir(i.dir);
}

/* --- logs are changed when they are long */

static void long_logs_are_changed(void **state)
{
        enum { WRITES = 10000, BYTES = 8000 };
        struct bed *b = *state;
        char first[192], last[192], dir[96], error[512];
        struct store *s;

        last_log(b->dir, first, sizeof(first));
        for (uint64_t n = 1; n <= WRITES; n++) {
                assert_int_equal(put(b, n, BYTES), 0);
                if (n % 100 == 0)
                        bed_sync(b);
        }
        last_log(b->dir, last, sizeof(last));
        assert_string_not_equal(first, last);
        snprintf(dir, sizeof(dir), "%s-image", b->dir);
        copy_files(b, dir);
        s = open_at(b, dir, error);
        assert_non_null(s);
        for (uint64_t n = 1; n <= WRITES; n++)
                assert_true(has(s, n));
        s->ops->close(s);
        bed_remove_dir(dir);
}

/* --- syncs */

static void both_ways_to_sync(void **state)
{
        struct bed *b = *state;
        struct rocks *r = rocks_of(b->store);

        for (uint64_t n = 1; n <= 200; n++) {
                uint32_t told = b->told;

                r->sync_average_ns = n % 3 ? 1 : UINT64_MAX / 2;
                assert_int_equal(put(b, n, 10), 0);
                b->store->ops->sync(b->store, n);
                assert_int_equal(b->told, told);
                assert_int_equal(b->store->durable, n - 1);
                bed_wait(b);
                assert_int_equal(b->durable, n);
        }
        assert_true(b->store->stats.syncs >= 200);
}

/* Each change asks for its own sync while others run: groups form, all are told, in order. */
struct flow {
        struct bed *b;
        struct task task;
        uint64_t left, last;
};

static void write_more(struct task *task)
{
        struct flow *s = CONTAINER(task, struct flow, task);

        for (int i = 0; i < 3 && s->left > 0; i++, s->left--) {
                assert_int_equal(put(s->b, s->left, 100), 0);
                s->b->store->ops->sync(s->b->store, s->b->store->written);
        }
}

static void stream_on_durable(void *arg, uint64_t seq, int error)
{
        struct flow *s = arg;

        assert_int_equal(error, 0);
        assert_true(seq > s->last);
        s->last = seq;
        if (s->left == 0 && seq == s->b->store->written)
                loop_stop(s->b->loop);
        env_defer(s->b->env, &s->task);
}

static void a_stream_of_syncs(void **state)
{
        struct bed *b = *state;
        struct flow s = { .b = b, .task = { .run = write_more }, .left = 1000 };

        list_init(&s.task.node);
        b->store->on_durable = stream_on_durable;
        b->store->arg = &s;
        env_defer(b->env, &s.task);
        loop_run(b->loop);
        list_remove(&s.task.node);
        assert_int_equal(s.last, 1000);
        assert_true(b->store->stats.syncs < 1000);
}

static void stop_loop(struct timer *t)
{
        loop_stop((struct loop *)(void *)t->env); /* env is its first member */
}

static void closed_in_the_middle_of_a_sync(void **state)
{
        struct bed *b = *state;
        struct timer timer = { .fire = stop_loop };

        for (int round = 0; round < 20; round++) {
                struct rocks *r = rocks_of(b->store);

                r->sync_average_ns = UINT64_MAX / 2;
                assert_int_equal(put(b, 1, 100), 0);
                b->store->ops->sync(b->store, b->store->written);
                r->hook.fn(&r->hook); /* the thread is at work */
                b->store->ops->close(b->store);
                b->store = NULL;
                timer_start(b->env, &timer, 1000000);
                loop_run(b->loop); /* its message is no harm */
                bed_open_store(b);
                assert_true(has(b->store, 1));
        }
}

/* --- disks that fail */

static void a_failed_sync_is_the_end(void **state)
{
        struct bed *b = *state;
        struct rlimit before, tiny = { 4096, RLIM_INFINITY };

        for (int inlined = 0; inlined < 2; inlined++) {
                struct rocks *r = rocks_of(b->store);

                for (uint64_t n = 1; n <= 100; n++)
                        assert_int_equal(put(b, n, 1000), 0);
                bed_sync(b);
                r->sync_average_ns = inlined ? 1 : UINT64_MAX / 2;
                b->told = 0;
                assert_int_equal(put(b, 1000, 1000), 0);
                assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
                tiny.rlim_max = before.rlim_max;
                signal(SIGXFSZ, SIG_IGN);
                assert_int_equal(setrlimit(RLIMIT_FSIZE, &tiny), 0);
                b->store->ops->sync(b->store, b->store->written);
                bed_wait(b);
                assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
                assert_int_equal(b->error, -EIO);
                assert_int_equal(b->durable, b->store->written - 1);
                assert_int_equal(put(b, 1001, 10), -EIO);
                b->store->ops->sync(b->store, b->store->written);
                assert_int_equal(b->store->ops->sync_now(b->store), -EIO);
                assert_int_equal(b->told, 1);
                b->error = 0;
                bed_reopen(b);
                assert_true(has(b->store, 100));
                assert_false(has(b->store, 1001));
        }
}

/* A long name that does not compress. */
static struct slice long_name(uint64_t n)
{
        static char name[NFS4_MAXNAME];

        for (uint64_t i = 0; i < sizeof(name); i++)
                name[i] = (char)('0' + hash_u64(n << 8 | i) % 64);
        return slice_of(name, sizeof(name));
}

static uint64_t property(struct bed *b, const char *name)
{
        uint64_t value = 0;

        assert_int_equal(rocksdb_property_int(rocks_of(b->store)->db, name, &value), 0);
        return value;
}

/* Tables that are being written or rewritten take room for a while: how much depends on how far behind the
 * threads are that do it. Afterwards what is free does not. */
static void let_tables_be_written(struct bed *b)
{
        static const char *const under_way[] = {
                "rocksdb.num-immutable-mem-table", "rocksdb.mem-table-flush-pending",
                "rocksdb.num-running-flushes",     "rocksdb.compaction-pending",
                "rocksdb.num-running-compactions",
        };
        const struct timespec pause = { .tv_nsec = 100000 };

        for (unsigned i = 0; i < sizeof(under_way) / sizeof(under_way[0]);)
                if (property(b, under_way[i]) == 0)
                        i++;
                else if (nanosleep(&pause, NULL) == 0)
                        i = 0;
}

/* On a file system of 128 MiB: names are refused when little is left, removal still works, and nothing
 * breaks. */
static void a_full_disk(void **state)
{
        struct bed *b = *state;
        uint64_t dir, made = 0;

        b->store->ops->close(b->store);
        b->store = NULL;
        if (mount("nacre-test", b->dir, "tmpfs", 0, "size=128m") < 0) {
                bed_open_store(b);
                skip(); /* not allowed here */
        }
        bed_open_store(b);
        bed_open_meta(b);
        dir = make_dir(b->meta, ROOT_FILEID, "dir");
        for (; make_node(b->meta, dir, long_name(made), NF4REG) != 0; made++) {
                if (made % 100 == 99) {
                        bed_sync(b);
                        let_tables_be_written(b);
                }
                meta_trim(b->meta);
        }
        assert_true(made > 20000);
        let_tables_be_written(b);
        for (uint64_t i = 0; i < 1000; i++)
                assert_int_equal(remove_node(b->meta, dir, long_name(i)), 0);
        bed_sync(b);
        assert_int_equal(b->error, 0);
        bed_fsck(b);
        bed_reopen(b);
        bed_fsck(b);
}

static int drop_and_unmount(void **state)
{
        struct bed *b = *state;

        umount2(b->dir, MNT_DETACH);
        return bed_drop(state);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                ON_ROCKS(one_server_at_a_time),
                ON_ROCKS(reading_beside_a_server),
                ON_ROCKS(copies),
                ON_ROCKS(a_torn_tail_is_dropped),
                ON_ROCKS(zeros_behind_the_end_are_nothing),
                ON_ROCKS(damage_in_the_middle_is_refused),
                ON_ROCKS(a_new_log_follows_a_whole_one),
                ON_ROCKS(long_logs_are_changed),
                ON_ROCKS(both_ways_to_sync),
                ON_ROCKS(a_stream_of_syncs),
                ON_ROCKS(closed_in_the_middle_of_a_sync),
                ON_ROCKS(a_failed_sync_is_the_end),
                { "a_full_disk (rocks)", a_full_disk, bed_make_rocks, drop_and_unmount, NULL },
        };

        if (argc > 1)
                return other_server(argv[1]);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
