/* SPDX-License-Identifier: Apache-2.0 */
/* READ, WRITE and COMMIT at the metadata server, which asks the data servers: the way of clients without
 * layouts, and of all others when something fails. RFC 8881 §18.3, §18.22, §18.32, §12.2.9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lab/cluster_lab.h"

enum { UNIT = 1 << 20, HALF = UNIT / 2, WAIT_MS = 20000 };

static struct cluster_lab lab;
static struct cluster_call k;
static struct peer *mds;
static uint8_t handle[NFS4_FHSIZE];
static struct slice file;
static struct stateid stateid;
static struct buf *payload; /* byte i is i / 1000 */

static void putfh(void)
{
        cluster_begin(&k, &lab);
        cluster_op(&k, OP_PUTFH);
        xdr_put_slice(&k.x, file);
}

static void open_file(void)
{
        struct bitmap4 mode = { 0 }, set;

        bitmap_set(&mode, FATTR4_MODE);
        cluster_begin(&k, &lab);
        cluster_op(&k, OP_PUTROOTFH);
        cluster_op(&k, OP_OPEN);
        xdr_put_u32(&k.x, 0);
        xdr_put_u32(&k.x, OPEN4_SHARE_ACCESS_BOTH | OPEN4_SHARE_ACCESS_WANT_NO_DELEG);
        xdr_put_u32(&k.x, OPEN4_SHARE_DENY_NONE);
        xdr_put_u64(&k.x, 0);
        xdr_put_string(&k.x, "owner");
        xdr_put_u32(&k.x, OPEN4_CREATE);
        xdr_put_u32(&k.x, UNCHECKED4);
        put_bitmap(&k.x, &mode);
        xdr_put_u32(&k.x, 4);
        xdr_put_u32(&k.x, 0644);
        xdr_put_u32(&k.x, CLAIM_NULL);
        xdr_put_string(&k.x, "file");
        cluster_op(&k, OP_GETFH);
        assert_int_equal(cluster_run(&k, mds), NFS4_OK);
        peer_result(&k.in, OP_PUTROOTFH);
        assert_int_equal(peer_result(&k.in, OP_OPEN), NFS4_OK);
        get_stateid(&k.in, &stateid);
        xdr_get_bytes(&k.in, 20 + 4);
        get_bitmap(&k.in, &set);
        assert_int_equal(xdr_get_u32(&k.in), OPEN_DELEGATE_NONE_EXT);
        xdr_get_u32(&k.in);
        assert_int_equal(peer_result(&k.in, OP_GETFH), NFS4_OK);
        file = xdr_get_opaque(&k.in, NFS4_FHSIZE);
        memcpy(handle, file.data, file.length);
        file.data = handle;
}

static int setup(void **state)
{
        (void)state;
        cluster_lab_start(&lab, 2);
        mds = cluster_lab_connect(&lab, "client", -1);
        payload = buf_get(lab.pool, UNIT);
        for (uint32_t i = 0; i < UNIT; i++)
                payload->data[i] = (uint8_t)(i / 1000);
        open_file();
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        buf_unref(payload);
        peer_free(mds);
        cluster_lab_stop(&lab);
        return 0;
}

struct written {
        uint32_t count, committed;
        uint64_t verifier;
};

static enum nfsstat4 write_at(uint64_t offset, uint32_t count, uint32_t stable, struct written *ret)
{
        enum nfsstat4 status;

        putfh();
        cluster_op(&k, OP_WRITE);
        put_stateid(&k.x, &stateid);
        xdr_put_u64(&k.x, offset);
        xdr_put_u32(&k.x, stable);
        k.data_buf = payload;
        k.data = slice_of(payload->data, count);
        status = cluster_run(&k, mds);
        if (status != NFS4_OK)
                return status;
        peer_result(&k.in, OP_PUTFH);
        peer_result(&k.in, OP_WRITE);
        ret->count = xdr_get_u32(&k.in);
        ret->committed = xdr_get_u32(&k.in);
        xdr_get_fixed(&k.in, &ret->verifier, sizeof(ret->verifier));
        return status;
}

static enum nfsstat4 read_at(uint64_t offset, uint32_t count, struct slice *ret, bool *ret_eof)
{
        enum nfsstat4 status;

        putfh();
        cluster_op(&k, OP_READ);
        put_stateid(&k.x, &stateid);
        xdr_put_u64(&k.x, offset);
        xdr_put_u32(&k.x, count);
        status = cluster_run(&k, mds);
        if (status != NFS4_OK)
                return status;
        peer_result(&k.in, OP_PUTFH);
        peer_result(&k.in, OP_READ);
        *ret_eof = xdr_get_bool(&k.in);
        *ret = xdr_get_opaque(&k.in, count);
        assert_false(k.in.bad);
        return status;
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
        assert_int_equal(write_at(HALF, UNIT, UNSTABLE4, &w), NFS4_OK);
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
        assert_int_equal(read_at(0, 100, &data, &eof), NFS4_OK);
        assert_true(data.length == 0 && eof);
        assert_int_equal(write_at(HALF, UNIT, FILE_SYNC4, &w), NFS4_OK);
        assert_int_equal(read_at(UNIT - 1000, 2000, &data, &eof), NFS4_OK); /* over the border */
        assert_true(data.length == 2000 && !eof);
        is_pattern(data, UNIT - 1000 - HALF);
        assert_int_equal(read_at(HALF - 1000, 1500, &data, &eof), NFS4_OK); /* from the hole */
        assert_true(data.length == 1500 && !eof);
        for (uint32_t i = 0; i < 1000; i++)
                assert_int_equal(data.data[i], 0);
        is_pattern(slice_of(data.data + 1000, 500), 0);
        assert_int_equal(read_at(HALF + UNIT - 100, 200, &data, &eof), NFS4_OK); /* to the end */
        assert_true(data.length == 100 && eof);
        is_pattern(data, UNIT - 100);
        assert_int_equal(read_at(HALF + UNIT, 1, &data, &eof), NFS4_OK);
        assert_true(data.length == 0 && eof);
}

struct times {
        uint64_t size, atime, mtime;
};

static struct times times(void)
{
        struct bitmap4 asked = { 0 };
        struct times t;

        bitmap_set(&asked, FATTR4_SIZE);
        bitmap_set(&asked, FATTR4_TIME_ACCESS);
        bitmap_set(&asked, FATTR4_TIME_MODIFY);
        putfh();
        cluster_op(&k, OP_GETATTR);
        put_bitmap(&k.x, &asked);
        assert_int_equal(cluster_run(&k, mds), NFS4_OK);
        peer_result(&k.in, OP_PUTFH);
        peer_result(&k.in, OP_GETATTR);
        get_bitmap(&k.in, &asked);
        xdr_get_u32(&k.in);
        t.size = xdr_get_u64(&k.in);
        t.atime = xdr_get_u64(&k.in) * 1000000000;
        t.atime += xdr_get_u32(&k.in);
        t.mtime = xdr_get_u64(&k.in) * 1000000000;
        t.mtime += xdr_get_u32(&k.in);
        return t;
}

static void a_write_moves_the_size_a_read_moves_no_time(void **state)
{
        struct times made = times(), written, read;
        struct slice data;
        struct written w;
        bool eof;

        (void)state;
        assert_int_equal(made.size, 0);
        assert_int_equal(write_at(7, 100, FILE_SYNC4, &w), NFS4_OK);
        written = times();
        assert_int_equal(written.size, 107);
        assert_true(written.mtime > made.mtime);
        assert_int_equal(read_at(0, 100, &data, &eof), NFS4_OK);
        read = times();
        assert_int_equal(read.atime, made.atime);
        assert_int_equal(read.mtime, written.mtime);
}

/* A client that lost its layout commits here what it wrote there: every data server of the file syncs. */
static void commit_reaches_every_data_server(void **state)
{
        struct written w;
        uint64_t verifier;

        (void)state;
        assert_int_equal(write_at(HALF, UNIT, UNSTABLE4, &w), NFS4_OK);
        putfh();
        cluster_op(&k, OP_COMMIT);
        xdr_put_u64(&k.x, 0);
        xdr_put_u32(&k.x, 0);
        assert_int_equal(cluster_run(&k, mds), NFS4_OK);
        peer_result(&k.in, OP_PUTFH);
        peer_result(&k.in, OP_COMMIT);
        xdr_get_fixed(&k.in, &verifier, sizeof(verifier));
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
        assert_int_equal(write_at(0, UNIT, FILE_SYNC4, &w), NFS4_OK);
        here = written_by(0) > 0 ? 0 : 1; /* who has the first unit */
        assert_int_equal(write_at(UNIT, UNIT, FILE_SYNC4, &w), NFS4_OK);
        ds_stop(lab.ds[1 - here]);
        assert_true(cluster_lab_wait(&lab, one_has_ended, NULL, WAIT_MS));
        assert_int_equal(write_at(HALF, UNIT, FILE_SYNC4, &w), NFS4ERR_DELAY);
        assert_int_equal(write_at(0, UNIT, FILE_SYNC4, &w), NFS4_OK);
        assert_int_equal(read_at(0, 100, &data, &eof), NFS4_OK);
        assert_int_equal(data.length, 100);
        assert_int_equal(read_at(UNIT, 100, &data, &eof), NFS4ERR_DELAY);
        putfh();
        cluster_op(&k, OP_COMMIT);
        xdr_put_u64(&k.x, 0);
        xdr_put_u32(&k.x, 0);
        assert_int_equal(cluster_run(&k, mds), NFS4ERR_DELAY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_write_over_a_border_goes_to_both),           TEST(reads_see_one_file),
                TEST(a_write_moves_the_size_a_read_moves_no_time),  TEST(commit_reaches_every_data_server),
                TEST(without_a_data_server_the_client_comes_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
