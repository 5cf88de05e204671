/* SPDX-License-Identifier: Apache-2.0 */
/* What was written to a data server is read back, RFC 8881 §18.22, §18.32; FILE_SYNC4 reaches the MDS first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lab/ds_lab.h"

static uint8_t buffer[2 * 1024 * 1024];

static struct ds_lab lab;
static struct lab_client client;

static int setup(void **state)
{
        ds_lab_start(&lab, *state);
        lab_client_start(&client, &lab, "client 1");
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        lab_client_stop(&client);
        ds_lab_stop(&lab);
        return 0;
}

static void hello_tells_who_we_are(void **state)
{
        (void)state;
        assert_int_equal(lab.mds.hellos, 1);
        assert_string_equal(lab.mds.name, "lab");
        assert_int_equal(lab.mds.addr_count, 1);
        assert_true(lab.mds.space.total > 0);
}

static void unstable_write_is_announced_and_read_back(void **state)
{
        struct fh fh = lab_fh(&client);
        uint32_t committed, got;
        const ctl_push *push;
        bool eof;

        (void)state;
        assert_int_equal(lab_write(&client, &fh, 0, NULL, 1024 * 1024, UNSTABLE4, &committed), NFS4_OK);
        assert_int_equal(committed, UNSTABLE4);
        assert_int_equal(fake_pushes(&lab.mds, LAB_FILE, &push), 1);
        assert_true(push->dirty);
        assert_int_equal(push->size, 0);
        assert_int_equal(lab_write(&client, &fh, 1024 * 1024, NULL, 1000, UNSTABLE4, &committed), NFS4_OK);
        assert_int_equal(fake_pushes(&lab.mds, LAB_FILE, NULL), 1);
        assert_int_equal(lab_commit(&client, &fh, NULL), NFS4_OK);

        assert_int_equal(lab_read(&client, &fh, 0, buffer, 1024 * 1024, &got, &eof), NFS4_OK);
        assert_int_equal(got, 1024 * 1024);
        assert_false(eof);
        assert_int_equal(lab.mds.eofs, 0);
        for (uint32_t i = 0; i < got; i++)
                assert_int_equal(buffer[i], (uint8_t)(i * 31 + i / 4096));
}

static void synchronous_write_is_pushed_with_its_size(void **state)
{
        struct fh fh = lab_fh(&client);
        uint32_t committed, got;
        const ctl_push *push;
        bool eof;

        (void)state;
        assert_int_equal(lab_write(&client, &fh, 0, "hello", 5, FILE_SYNC4, &committed), NFS4_OK);
        assert_int_equal(committed, FILE_SYNC4);
        assert_int_equal(fake_pushes(&lab.mds, LAB_FILE, &push), 1);
        assert_false(push->dirty);
        assert_int_equal(push->size, 5);
        assert_true(push->mtime_ns > 0);
        assert_int_equal(lab_read(&client, &fh, 0, buffer, 4096, &got, &eof), NFS4_OK);
        assert_int_equal(got, 5);
        assert_true(eof);
        assert_memory_equal(buffer, "hello", 5);
        assert_int_equal(lab.mds.eofs, 1);
}

#define TEST(function, how) \
        { \
#function " " #how, function, setup, teardown, &how \
        }

int main(void)
{
        static struct ds_lab_conf uring, threads = { .threads = true }, three = { .workers = 3 };
        const struct CMUnitTest tests[] = {
                TEST(hello_tells_who_we_are, uring),
                TEST(unstable_write_is_announced_and_read_back, uring),
                TEST(unstable_write_is_announced_and_read_back, threads),
                TEST(unstable_write_is_announced_and_read_back, three),
                TEST(synchronous_write_is_pushed_with_its_size, uring),
                TEST(synchronous_write_is_pushed_with_its_size, threads),
                TEST(synchronous_write_is_pushed_with_its_size, three),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
