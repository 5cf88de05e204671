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
#include "ds/store/local.h"
#include "tests/lab/fault_disk.h"

static struct loop *loop;
static struct fault_disk *fault;
static char directory[64];

static int setup(void **state)
{
        int fd;

        (void)state;
        strcpy(directory, "/tmp/test_local.XXXXXX");
        assert_non_null(mkdtemp(directory));
        fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        loop = loop_new();
        fault = fault_disk_new(loop_env(loop), disk_threads_new(loop, fd, 2));
        return 0;
}

static int teardown(void **state)
{
        char command[128];

        (void)state;
        fault_disk_disk(fault)->ops->free(fault_disk_disk(fault));
        loop_free(loop);
        snprintf(command, sizeof(command), "rm -rf %s", directory);
        return system(command);
}

static void done(struct identity *id)
{
        (void)id;
        loop_stop(loop);
}

static void load(struct identity *id)
{
        id->done = done;
        identity_load(id, loop_env(loop), fault_disk_disk(fault));
        loop_run(loop);
}

static void put_file(const char *name, const char *text)
{
        char path[128];
        FILE *f;

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        f = fopen(path, "w");
        assert_non_null(f);
        fputs(text, f);
        fclose(f);
}

static void an_empty_directory_becomes_a_store(void **state)
{
        struct identity first, second;
        char path[128];
        struct stat st;

        (void)state;
        load(&first);
        assert_string_equal(first.problem, "");
        assert_false(first.has_fsid);
        snprintf(path, sizeof(path), "%s/objects/ff", directory);
        assert_int_equal(stat(path, &st), 0);
        assert_true(S_ISDIR(st.st_mode));
        load(&second);
        assert_string_equal(second.problem, "");
        assert_memory_equal(first.uuid, second.uuid, STORE_UUID);
}

static void it_remembers_its_cluster(void **state)
{
        static const uint8_t fsid[STORE_UUID] = { 1, 2, 0xff };
        struct identity id;

        (void)state;
        load(&id);
        identity_bind(&id, fsid);
        loop_run(loop);
        assert_string_equal(id.problem, "");
        assert_true(id.has_fsid);
        load(&id);
        assert_true(id.has_fsid);
        assert_memory_equal(id.fsid, fsid, STORE_UUID);
}

static void what_was_half_made_is_made_again(void **state)
{
        struct identity id;

        (void)state;
        fault_disk_fail(fault, DISK_SYNC, -EIO);
        load(&id);
        assert_non_null(strstr(id.problem, "uuid"));
        fault_disk_fail(fault, DISK_SYNC, 0);
        load(&id);
        assert_string_equal(id.problem, "");
}

static void damage_is_told(void **state)
{
        struct identity id;

        (void)state;
        load(&id);
        put_file("cluster", "nonsense\n");
        load(&id);
        assert_non_null(strstr(id.problem, "cluster is damaged"));
        put_file("uuid", "0123\n");
        load(&id);
        assert_non_null(strstr(id.problem, "uuid is damaged"));
        put_file("format", "nacre-ds 2\n");
        load(&id);
        assert_non_null(strstr(id.problem, "\"nacre-ds 2\", this program needs \"nacre-ds 1\""));
        fault_disk_fail(fault, DISK_OPEN, -EACCES);
        load(&id);
        assert_non_null(strstr(id.problem, "Permission denied"));
}

static void paths_are_fixed_for_ever(void **state)
{
        char path[STORE_PATH];

        (void)state;
        object_path(0x1234, 7, path);
        assert_string_equal(path, "objects/36/0000000000001234.00000007");
        object_path(UINT64_MAX, UINT32_MAX, path);
        assert_int_equal(strlen(path), strlen("objects/00/0000000000001234.00000007"));
}

static void objects_are_counted(void **state)
{
        struct identity id;
        char name[STORE_PATH];

        (void)state;
        load(&id);
        assert_int_equal(objects_count(fault_disk_disk(fault)), 0);
        for (uint64_t i = 1; i <= 30; i++) {
                object_path(i, 1, name);
                put_file(name, "x");
        }
        assert_int_equal(objects_count(fault_disk_disk(fault)), 30);
        for (int i = 0; i < 500; i++) {
                snprintf(name, sizeof(name), "objects/00/%016x.00000001", i + 100000);
                put_file(name, "");
        }
        assert_in_range(objects_count(fault_disk_disk(fault)), 500 * 256, 530 * 256); /* an estimate */
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(an_empty_directory_becomes_a_store), TEST(it_remembers_its_cluster),
                TEST(what_was_half_made_is_made_again),   TEST(damage_is_told),
                TEST(paths_are_fixed_for_ever),           TEST(objects_are_counted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
