/* SPDX-License-Identifier: Apache-2.0 */
/* READ, WRITE and COMMIT at the metadata server, which asks the data servers: the way of clients without
 * layouts, and of all others when something fails. RFC 8881 §18.3, §18.22, §18.32, §12.2.9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lab/cluster_file.h"

enum { UNIT = CLUSTER_UNIT, HALF = UNIT / 2, WAIT_MS = 20000 };

static struct cluster_lab lab;
static struct peer *mds;
static struct cluster_file file;

static int setup(void **state)
{
        (void)state;
        cluster_lab_start(&lab, 2);
        mds = cluster_lab_connect(&lab, "client", -1);
        cluster_file_open(&file, &lab, mds, "file");
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        cluster_file_close(&file);
        peer_free(mds);
        cluster_lab_stop(&lab);
        return 0;
}

static uint64_t written_by(uint32_t ds)
{
        return atomic_load(&lab.ds[ds]->workers[0]->counts.written_bytes.value);
}

/* Two units of two data servers; what was asked to be unstable is stable. */
static void a_write_over_a_border_goes_to_both(void **state)
{
        struct written w;

        (void)state;
        assert_int_equal(cluster_file_write(&file, HALF, UNIT, UNSTABLE4, &w), NFS4_OK);
        assert_int_equal(w.count, UNIT);
        assert_int_equal(w.committed, FILE_SYNC4);
        assert_int_equal(written_by(0), HALF);
        assert_int_equal(written_by(1), HALF);
}

static void is_pattern(struct slice data, uint32_t from)
{
        for (uint32_t i = 0; i < data.length; i++)
                assert_int_equal(data.data[i], (uint8_t)((from + i) / 1000));
}

static void reads_see_one_file(void **state)
{
        struct slice data;
        struct written w;
        bool eof;

        (void)state;
        assert_int_equal(cluster_file_read(&file, 0, 100, &data, &eof), NFS4_OK);
        assert_true(data.length == 0 && eof);
        assert_int_equal(cluster_file_write(&file, HALF, UNIT, FILE_SYNC4, &w), NFS4_OK);
        assert_int_equal(cluster_file_read(&file, UNIT - 1000, 2000, &data, &eof),
                         NFS4_OK); /* over the border */
        assert_true(data.length == 2000 && !eof);
        is_pattern(data, UNIT - 1000 - HALF);
        assert_int_equal(cluster_file_read(&file, HALF - 1000, 1500, &data, &eof),
                         NFS4_OK); /* from the hole */
        assert_true(data.length == 1500 && !eof);
        for (uint32_t i = 0; i < 1000; i++)
                assert_int_equal(data.data[i], 0);
        is_pattern(slice_of(data.data + 1000, 500), 0);
        assert_int_equal(cluster_file_read(&file, HALF + UNIT - 100, 200, &data, &eof),
                         NFS4_OK); /* to the end */
        assert_true(data.length == 100 && eof);
        is_pattern(data, UNIT - 100);
        assert_int_equal(cluster_file_read(&file, HALF + UNIT, 1, &data, &eof), NFS4_OK);
        assert_true(data.length == 0 && eof);
}

static void a_write_moves_the_size_a_read_moves_no_time(void **state)
{
        struct cluster_attrs made = cluster_file_attrs(&file), written, read;
        struct slice data;
        struct written w;
        bool eof;

        (void)state;
        assert_int_equal(made.size, 0);
        assert_int_equal(cluster_file_write(&file, 7, 100, FILE_SYNC4, &w), NFS4_OK);
        written = cluster_file_attrs(&file);
        assert_int_equal(written.size, 107);
        assert_true(written.mtime > made.mtime);
        assert_int_equal(cluster_file_read(&file, 0, 100, &data, &eof), NFS4_OK);
        read = cluster_file_attrs(&file);
        assert_int_equal(read.atime, made.atime);
        assert_int_equal(read.mtime, written.mtime);
}

static void cut(uint64_t size)
{
        struct bitmap4 mask = { 0 };

        bitmap_set(&mask, FATTR4_SIZE);
        cluster_file_begin(&file);
        put_stateid(cluster_op(&file.k, OP_SETATTR), &file.stateid);
        put_bitmap(&file.k.x, &mask);
        xdr_put_u32(&file.k.x, 8);
        xdr_put_u64(&file.k.x, size);
        assert_int_equal(cluster_file_run(&file), NFS4_OK);
}

static bool takes(uint64_t bytes)
{
        uint64_t used = cluster_file_attrs(&file).used;

        return used >= bytes && used <= bytes + 65536;
}

/* RFC 8881 §5.8.2.35: nobody has announced anything, the writes were pushed. */
static void the_space_used_follows(void **state)
{
        struct cluster_attrs before, after;
        struct written w;

        (void)state;
        assert_int_equal(cluster_file_write(&file, 0, 4096, FILE_SYNC4, &w), NFS4_OK);
        assert_true(takes(4096));
        for (uint64_t i = 0; i < 3; i++)
                assert_int_equal(cluster_file_write(&file, i * UNIT, UNIT, FILE_SYNC4, &w), NFS4_OK);
        before = cluster_file_attrs(&file);
        assert_true(takes(3 * UNIT));
        after = cluster_file_attrs(&file);
        assert_true(before.change == after.change &&
                    before.mtime == after.mtime); /* asking changes nothing */
        cut(UNIT + 4096);
        assert_true(takes(UNIT + 4096));
        cut(0);
        assert_int_equal(cluster_file_attrs(&file).used, 0);
}

/* A client that lost its layout commits here what it wrote there: every data server of the file syncs. */
static void commit_reaches_every_data_server(void **state)
{
        struct written w;
        uint64_t verifier;

        (void)state;
        assert_int_equal(cluster_file_write(&file, HALF, UNIT, UNSTABLE4, &w), NFS4_OK);
        cluster_file_begin(&file);
        cluster_op(&file.k, OP_COMMIT);
        xdr_put_u64(&file.k.x, 0);
        xdr_put_u32(&file.k.x, 0);
        assert_int_equal(cluster_file_run(&file), NFS4_OK);
        peer_result(&file.k.in, OP_COMMIT);
        xdr_get_fixed(&file.k.in, &verifier, sizeof(verifier));
        assert_true(verifier == w.verifier);
}

static bool one_has_ended(void *arg)
{
        (void)arg;
        return lab.ds_ended == 1;
}

static void without_a_data_server_the_client_comes_again(void **state)
{
        struct written w;
        struct slice data;
        uint32_t here;
        bool eof;

        (void)state;
        assert_int_equal(cluster_file_write(&file, 0, UNIT, FILE_SYNC4, &w), NFS4_OK);
        here = written_by(0) > 0 ? 0 : 1; /* who has the first unit */
        assert_int_equal(cluster_file_write(&file, UNIT, UNIT, FILE_SYNC4, &w), NFS4_OK);
        ds_stop(lab.ds[1 - here]);
        assert_true(cluster_lab_wait(&lab, one_has_ended, NULL, WAIT_MS));
        assert_int_equal(cluster_file_write(&file, HALF, UNIT, FILE_SYNC4, &w), NFS4ERR_DELAY);
        assert_int_equal(cluster_file_write(&file, 0, UNIT, FILE_SYNC4, &w), NFS4_OK);
        assert_int_equal(cluster_file_read(&file, 0, 100, &data, &eof), NFS4_OK);
        assert_int_equal(data.length, 100);
        assert_int_equal(cluster_file_read(&file, UNIT, 100, &data, &eof), NFS4ERR_DELAY);
        cluster_file_begin(&file);
        cluster_op(&file.k, OP_COMMIT);
        xdr_put_u64(&file.k.x, 0);
        xdr_put_u32(&file.k.x, 0);
        assert_int_equal(cluster_file_run(&file), NFS4ERR_DELAY);
}

/* As when we stop: the lab, when it ends, finds every buffer back in its pool. */
static void a_read_that_cannot_begin_takes_no_memory_along(void **state)
{
        struct proxy *proxy = lab.mds->proxy;
        struct slice data;
        struct written w;
        bool eof;

        (void)state;
        assert_int_equal(cluster_file_write(&file, 0, UNIT, FILE_SYNC4, &w), NFS4_OK);
        assert_int_equal(cluster_file_read(&file, 0, 100, &data, &eof), NFS4_OK);
        lab.mds->proxy = NULL;
        assert_int_equal(cluster_file_read(&file, 0, 100, &data, &eof), NFS4ERR_DELAY);
        lab.mds->proxy = proxy;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_write_over_a_border_goes_to_both),
                TEST(reads_see_one_file),
                TEST(a_write_moves_the_size_a_read_moves_no_time),
                TEST(the_space_used_follows),
                TEST(commit_reaches_every_data_server),
                TEST(without_a_data_server_the_client_comes_again),
                TEST(a_read_that_cannot_begin_takes_no_memory_along),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
