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
#include "ds/store/folders.h"
#include "tests/lab/fault_disk.h"

static struct loop *loop;
static struct fault_disk *fault;
static struct folder_marks marks;
static struct folders folders;
static char directory[64];

static int setup(void **state)
{
        char path[128];
        int fd;

        (void)state;
        strcpy(directory, "/tmp/test_folders.XXXXXX");
        assert_non_null(mkdtemp(directory));
        snprintf(path, sizeof(path), "%s/objects", directory);
        mkdir(path, 0700);
        strcat(path, "/07");
        mkdir(path, 0700);
        fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        loop = loop_new();
        fault = fault_disk_new(loop_env(loop), disk_threads_new(loop, fd, 2));
        folder_marks_init(&marks);
        folders_init(&folders, fault_disk_disk(fault), &marks);
        return 0;
}

static int teardown(void **state)
{
        char command[128];

        (void)state;
        folders_close(&folders);
        fault_disk_disk(fault)->ops->free(fault_disk_disk(fault));
        loop_free(loop);
        snprintf(command, sizeof(command), "rm -rf %s", directory);
        return system(command);
}

static uint32_t waiting;
static int last_error;

static void done(struct folder_wait *w, int error)
{
        (void)w;
        last_error = error;
        if (--waiting == 0)
                loop_stop(loop);
}

static bool sync_seven(struct folder_wait *w)
{
        w->done = done;
        if (folder_sync(&folders, 7, w))
                return true;
        waiting++;
        return false;
}

static void the_first_sync_is_always_done(void **state)
{
        struct folder_wait w;

        (void)state;
        assert_false(sync_seven(&w));
        loop_run(loop);
        assert_int_equal(last_error, 0);
        assert_true(sync_seven(&w));
        assert_int_equal(fault_disk_count(fault, DISK_SYNC_FOLDER), 1);
        folder_changed(&folders, 7);
        assert_false(sync_seven(&w));
        loop_run(loop);
        assert_int_equal(fault_disk_count(fault, DISK_SYNC_FOLDER), 2);
}

static void who_waits_together_shares_a_sync(void **state)
{
        struct folder_wait w[20];

        (void)state;
        for (int i = 0; i < 20; i++) {
                folder_changed(&folders, 7);
                assert_false(sync_seven(&w[i]));
        }
        loop_run(loop);
        assert_int_equal(waiting, 0);
        assert_in_range(fault_disk_count(fault, DISK_SYNC_FOLDER), 1, 2);
}

/* A change that came after a sync began is not covered by it. */
static void a_later_change_needs_a_later_sync(void **state)
{
        struct folder_wait first, second;

        (void)state;
        assert_false(sync_seven(&first));
        loop_run(loop);
        folder_changed(&folders, 7);
        fault_disk_hold(fault, DISK_SYNC_FOLDER);
        assert_false(sync_seven(&first));
        folder_changed(&folders, 7);
        assert_false(sync_seven(&second));
        fault_disk_let_go(fault, false);
        loop_run(loop);
        assert_int_equal(fault_disk_count(fault, DISK_SYNC_FOLDER), 3);
}

static void an_error_is_everybodys_and_is_not_forgotten(void **state)
{
        struct folder_wait w;

        (void)state;
        fault_disk_fail(fault, DISK_SYNC_FOLDER, -EIO);
        assert_false(sync_seven(&w));
        loop_run(loop);
        assert_int_equal(last_error, -EIO);
        fault_disk_fail(fault, DISK_SYNC_FOLDER, 0);
        assert_false(sync_seven(&w));
        loop_run(loop);
        assert_int_equal(last_error, 0);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(the_first_sync_is_always_done),
                TEST(who_waits_together_shares_a_sync),
                TEST(a_later_change_needs_a_later_sync),
                TEST(an_error_is_everybodys_and_is_not_forgotten),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
