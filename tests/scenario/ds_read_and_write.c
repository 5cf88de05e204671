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

enum { MANY = 60, MIB = 1024 * 1024 };

/* 64 MiB of buffers, of which a half may hold what was received: READs wait for each other, and all end. */
static void more_reads_than_memory_all_end(void **state)
{
        static struct lab_client others[3];
        static struct lab_io io[3][MANY];
        struct fh fh = lab_fh(&client);
        uint8_t *data = malloc(3 * MANY * (size_t)MIB);

        (void)state;
        for (uint64_t i = 0; i < 4; i++)
                assert_int_equal(lab_write(&client, &fh, i * MIB, NULL, MIB, UNSTABLE4, NULL), NFS4_OK);
        fake_file(&lab.mds, LAB_FILE)->size = 4 * MIB;
        for (int c = 0; c < 3; c++) {
                char name[] = { 'c', (char)('0' + c), 0 };

                lab_client_start(&others[c], &lab, name);
                fh.client = others[c].tag;
                for (int i = 0; i < MANY; i++) {
                        io[c][i] = (struct lab_io){ .opnum = OP_READ,
                                                    .offset = (uint64_t)(i % 4) * MIB,
                                                    .count = MIB };
                        io[c][i].data = data + (size_t)(c * MANY + i) * MIB;
                        lab_io_start(&others[c], &io[c][i], &fh);
                }
        }
        for (int c = 0; c < 3; c++) {
                for (int i = 0; i < MANY; i++) {
                        assert_true(lab_io_wait(&io[c][i], 20000));
                        assert_int_equal(io[c][i].status, NFS4_OK);
                        assert_int_equal(io[c][i].got, MIB);
                        assert_int_equal(io[c][i].eof, i % 4 == 3);
                        assert_int_equal(io[c][i].data[5], (uint8_t)((i % 4 * MIB + 5) * 31 + i % 4 * 256));
                }
                lab_client_stop(&others[c]);
        }
        free(data);
}

static void metrics_add_up_over_the_workers(void **state)
{
        struct fh fh = lab_fh(&client);
        char *text = NULL;
        size_t length;
        uint32_t got;
        bool eof;
        FILE *out;

        (void)state;
        assert_int_equal(lab_write(&client, &fh, 0, NULL, 5000, UNSTABLE4, NULL), NFS4_OK);
        assert_int_equal(lab_read(&client, &fh, 0, buffer, 1000, &got, &eof), NFS4_OK);
        ds_metrics_refresh(lab.ds);
        ds_metrics_refresh(lab.ds); /* sums, not sums of sums */
        out = open_memstream(&text, &length);
        metrics_print(&lab.ds->metrics, out);
        fclose(out);
        assert_non_null(strstr(text, "\nnacre_ds_read_bytes_total 1000\n"));
        assert_non_null(strstr(text, "\nnacre_ds_written_bytes_total 5000\n"));
        assert_non_null(strstr(text, "\nnacre_nfs_operations_total{op=\"write\"} 1\n"));
        assert_non_null(strstr(text, "\nnacre_ds_trusted 1\n"));
        assert_non_null(strstr(text, "\nnacre_nfs_operation_seconds_count{op=\"read\"} 1\n"));
        assert_non_null(strstr(text, "\nnacre_ds_objects_open 1\n"));
        free(text);
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
                TEST(more_reads_than_memory_all_end, uring),
                TEST(more_reads_than_memory_all_end, threads),
                TEST(metrics_add_up_over_the_workers, uring),
                TEST(metrics_add_up_over_the_workers, three),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
