/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/loop.h"
#include "ds/store/fdcache.h"
#include "tests/lab/fault_disk.h"

enum { FD_LIMIT = 4, IN_USE_LIMIT = 64 };

static struct loop *loop;
static struct fault_disk *fault;
static struct folder_marks marks;
static struct objects objects;
static char directory[64];
static int sync_errors;
static uint32_t evictions_ended;

static void eviction_ended(void *arg, int error)
{
        (void)arg;
        evictions_ended++;
        if (error)
                sync_errors++;
        loop_stop(loop);
}

static int setup(void **state)
{
        char path[128];
        int fd;

        (void)state;
        strcpy(directory, "/tmp/test_fdcache.XXXXXX");
        assert_non_null(mkdtemp(directory));
        snprintf(path, sizeof(path), "%s/objects", directory);
        mkdir(path, 0700);
        for (int i = 0; i < STORE_FOLDERS; i++) {
                snprintf(path, sizeof(path), "%s/objects/%02x", directory, i);
                mkdir(path, 0700);
        }
        fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        loop = loop_new();
        fault = fault_disk_new(loop_env(loop), disk_threads_new(loop, fd, 2));
        folder_marks_init(&marks);
        objects = (struct objects){ .eviction_ended = eviction_ended };
        sync_errors = 0;
        evictions_ended = 0;
        assert_true(objects_init(&objects, fault_disk_disk(fault), &marks, FD_LIMIT, IN_USE_LIMIT));
        return 0;
}

static int teardown(void **state)
{
        char command[128];

        (void)state;
        objects_destroy(&objects);
        fault_disk_disk(fault)->ops->free(fault_disk_disk(fault));
        loop_free(loop);
        snprintf(command, sizeof(command), "rm -rf %s", directory);
        return system(command);
}

/* --- one open at a time, waited for */

struct attempt {
        struct opener opener;
        int error;
        bool done;
};

static uint32_t unfinished;

static void opened(struct opener *opener, int error)
{
        struct attempt *a = CONTAINER(opener, struct attempt, opener);

        a->error = error;
        a->done = true;
        if (--unfinished == 0)
                loop_stop(loop);
}

static void try_open(struct object *o, struct attempt *a, bool create)
{
        *a = (struct attempt){ .opener = { .create = create, .opened = opened } };
        a->done = object_open(o, &a->opener) == 0;
        if (!a->done)
                unfinished++;
}

static struct object *hold_open(uint64_t fileid)
{
        struct object *o = object_hold(&objects, fileid, 1);
        struct attempt a;

        try_open(o, &a, true);
        if (!a.done)
                loop_run(loop);
        assert_int_equal(a.error, 0);
        return o;
}

/* --- tests */

static void only_a_writer_makes_an_object(void **state)
{
        struct object *o = object_hold(&objects, 1, 1);
        struct attempt reader, writer, second;

        (void)state;
        try_open(o, &reader, false);
        loop_run(loop);
        assert_int_equal(reader.error, -ENOENT);
        try_open(o, &writer, true);
        loop_run(loop);
        assert_int_equal(writer.error, 0);
        assert_true(o->fd >= 0);
        assert_int_equal(objects.created, 1);
        try_open(o, &second, false);
        assert_true(second.done);
        object_release(o);
        assert_int_equal(objects.open_count, 1);
}

static void a_reader_and_a_writer_who_come_together(void **state)
{
        struct object *o = object_hold(&objects, 1, 1);
        struct attempt reader, writer;

        (void)state;
        try_open(o, &reader, false);
        try_open(o, &writer, true);
        loop_run(loop);
        assert_int_equal(reader.error, -ENOENT);
        assert_int_equal(writer.error, 0);
        object_release(o);
}

static void the_least_recently_used_is_closed(void **state)
{
        struct object *o;

        (void)state;
        for (uint64_t i = 1; i <= FD_LIMIT; i++)
                object_release(hold_open(i));
        object_release(hold_open(1)); /* used again */
        object_release(hold_open(100));
        assert_int_equal(objects.open_count, FD_LIMIT);
        assert_null(object_find(&objects, 2, 1));
        o = object_find(&objects, 1, 1);
        assert_non_null(o);
        object_release(o);
}

static void nothing_is_closed_while_it_is_used(void **state)
{
        struct object *used[10];

        (void)state;
        for (uint64_t i = 0; i < 10; i++)
                used[i] = hold_open(i + 1);
        assert_int_equal(objects.open_count, 10);
        for (uint64_t i = 0; i < 10; i++) {
                assert_int_equal(fcntl(used[i]->fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
                object_release(used[i]);
        }
        assert_int_equal(objects.open_count, FD_LIMIT);
}

static void what_was_written_is_synced_before_it_is_closed(void **state)
{
        struct object *o = hold_open(1);

        (void)state;
        object_written(o, 10);
        object_release(o);
        for (uint64_t i = 2; i <= FD_LIMIT; i++)
                object_release(hold_open(i));
        assert_int_equal(fault_disk_count(fault, DISK_SYNC), 0);
        fault_disk_fail(fault, DISK_SYNC, -EIO);
        object_release(hold_open(100));
        assert_int_equal(fault_disk_count(fault, DISK_SYNC), 1);
        while (evictions_ended == 0)
                loop_run(loop);
        assert_int_equal(sync_errors, 1);
        assert_int_equal(objects.open_count, FD_LIMIT);
}

struct syncer {
        struct sync_wait wait;
        int error;
};

static void synced(struct sync_wait *wait, int error)
{
        CONTAINER(wait, struct syncer, wait)->error = error;
        if (--unfinished == 0)
                loop_stop(loop);
}

/* One that is under way alone, and two that come meanwhile. */
static void sync_three(struct object *o, struct syncer *s)
{
        uint64_t before = fault_disk_count(fault, DISK_SYNC);

        unfinished = 3;
        for (int i = 0; i < 3; i++) {
                s[i] = (struct syncer){ { .synced = synced }, 1 };
                object_sync(o, &s[i].wait);
        }
        assert_int_equal(fault_disk_count(fault, DISK_SYNC), before + 1);
        loop_run(loop);
}

static void who_comes_during_a_sync_shares_the_next(void **state)
{
        struct object *o = hold_open(1);
        struct syncer s[3];

        (void)state;
        object_written(o, 10);
        sync_three(o, s);
        for (int i = 0; i < 3; i++)
                assert_int_equal(s[i].error, 0);
        assert_int_equal(fault_disk_count(fault, DISK_SYNC), 2);
        assert_false(o->unsynced);
        object_release(o);
}

static void a_failed_sync_fails_for_who_waits_for_the_next(void **state)
{
        struct object *o = hold_open(1);
        struct syncer s[3];

        (void)state;
        object_written(o, 10);
        fault_disk_fail(fault, DISK_SYNC, -EIO);
        sync_three(o, s);
        for (int i = 0; i < 3; i++)
                assert_int_equal(s[i].error, -EIO);
        assert_int_equal(fault_disk_count(fault, DISK_SYNC), 1);
        assert_true(o->unsynced); /* closing it syncs again */
        object_release(o);
}

static uint32_t idle;

static void became_idle(struct idle_wait *w)
{
        (void)w;
        idle++;
}

static void removers_wait_for_users_not_for_each_other(void **state)
{
        struct object *user = hold_open(1), *a = object_find(&objects, 1, 1),
                      *b = object_find(&objects, 1, 1);
        struct idle_wait first = { .idle = became_idle }, second = { .idle = became_idle };

        (void)state;
        idle = 0;
        assert_false(object_when_idle(a, &first));
        assert_false(object_when_idle(b, &second));
        assert_int_equal(idle, 0);
        object_release(user);
        assert_int_equal(idle, 2);
        object_close(a);
        object_release(a);
        object_close(b);
        object_release(b);
        assert_int_equal(objects.open_count, 0);
        assert_null(object_find(&objects, 1, 1));
}

static void a_size_is_a_lower_bound(void **state)
{
        struct object *o = hold_open(1);
        uint64_t used, mtime;

        (void)state;
        assert_int_equal(o->size, 0);
        assert_int_equal(pwrite(o->fd, "0123456789", 10, 90), 10);
        object_written(o, 50);
        assert_int_equal(o->size, 50);
        assert_int_equal(object_stat(o, &used, &mtime), 0);
        assert_int_equal(o->size, 100);
        assert_true(used > 0 && mtime > 0);
        object_release(o);
}

static void too_many_in_use_is_told(void **state)
{
        struct object *used[FD_LIMIT + IN_USE_LIMIT];

        (void)state;
        for (uint64_t i = 0; i < FD_LIMIT + IN_USE_LIMIT; i++)
                used[i] = object_hold(&objects, i, 1);
        assert_null(object_hold(&objects, 1000, 1));
        for (uint64_t i = 0; i < FD_LIMIT + IN_USE_LIMIT; i++)
                object_release(used[i]);
        assert_int_equal(objects.table.count, 0); /* nothing was open: nothing is kept */
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(only_a_writer_makes_an_object),
                TEST(a_reader_and_a_writer_who_come_together),
                TEST(the_least_recently_used_is_closed),
                TEST(nothing_is_closed_while_it_is_used),
                TEST(what_was_written_is_synced_before_it_is_closed),
                TEST(who_comes_during_a_sync_shares_the_next),
                TEST(a_failed_sync_fails_for_who_waits_for_the_next),
                TEST(removers_wait_for_users_not_for_each_other),
                TEST(a_size_is_a_lower_bound),
                TEST(too_many_in_use_is_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
