/* SPDX-License-Identifier: Apache-2.0 */
/* Room is reserved, given back and looked for on every data server of a striped file: ALLOCATE,
 * DEALLOCATE, SEEK and READ_PLUS. RFC 7862 §15.1, §15.4, §15.10, §15.11. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lab/cluster_file.h"

enum { UNIT = CLUSTER_UNIT, WAIT_MS = 20000 };

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

static enum nfsstat4 change(uint32_t opnum, uint64_t offset, uint64_t length)
{
        cluster_file_begin(&file);
        put_stateid(cluster_op(&file.k, opnum), &file.stateid);
        xdr_put_u64(&file.k.x, offset);
        xdr_put_u64(&file.k.x, length);
        return cluster_file_run(&file);
}

static enum nfsstat4 seek(uint64_t offset, uint32_t what, bool *ret_eof, uint64_t *ret_offset)
{
        enum nfsstat4 status;

        cluster_file_begin(&file);
        put_stateid(cluster_op(&file.k, OP_SEEK), &file.stateid);
        xdr_put_u64(&file.k.x, offset);
        xdr_put_u32(&file.k.x, what);
        status = cluster_file_run(&file);
        if (status == NFS4_OK) {
                peer_result(&file.k.in, OP_SEEK);
                *ret_eof = xdr_get_bool(&file.k.in);
                *ret_offset = xdr_get_u64(&file.k.in);
        }
        return status;
}

/* From OFFSET the next of WHAT begins at WANTED; UINT64_MAX: the file ends before, at its SIZE. */
static void finds(uint64_t offset, uint32_t what, uint64_t wanted, uint64_t size)
{
        uint64_t found = 0;
        bool eof;

        assert_int_equal(seek(offset, what, &eof, &found), NFS4_OK);
        assert_int_equal(eof, wanted == UINT64_MAX);
        assert_int_equal(found, wanted == UINT64_MAX ? size : wanted);
}

static void write_unit(uint64_t number)
{
        struct written w;

        assert_int_equal(cluster_file_write(&file, number * UNIT, UNIT, FILE_SYNC4, &w), NFS4_OK);
}

static void zeros(uint64_t offset, uint32_t count)
{
        struct slice data;
        bool eof;

        assert_int_equal(cluster_file_read(&file, offset, count, &data, &eof), NFS4_OK);
        assert_int_equal(data.length, count);
        for (uint32_t i = 0; i < count; i++)
                assert_int_equal(data.data[i], 0);
}

/* Units 0 to 3 are there, 4 to 8 are not, 9 is: with two data servers, holes of both. */
static void seek_goes_over_all_data_servers(void **state)
{
        const uint64_t size = 10 * (uint64_t)UNIT;

        (void)state;
        for (uint64_t i = 0; i < 4; i++)
                write_unit(i);
        write_unit(9);
        finds(0, NFS4_CONTENT_DATA, 0, size);
        finds(5000, NFS4_CONTENT_DATA, 5000, size);
        finds(0, NFS4_CONTENT_HOLE, 4 * (uint64_t)UNIT, size);
        finds(4 * (uint64_t)UNIT, NFS4_CONTENT_HOLE, 4 * (uint64_t)UNIT, size);
        finds(4 * (uint64_t)UNIT, NFS4_CONTENT_DATA, 9 * (uint64_t)UNIT, size);
        finds(9 * (uint64_t)UNIT + 17, NFS4_CONTENT_HOLE, UINT64_MAX, size);
}

static void the_end_is_a_hole_and_beyond_it_is_nothing(void **state)
{
        uint64_t found;
        bool eof;

        (void)state;
        assert_int_equal(seek(0, NFS4_CONTENT_DATA, &eof, &found), NFS4ERR_NXIO);
        assert_int_equal(change(OP_ALLOCATE, 0, 3 * UNIT), NFS4_OK); /* reserved is not written */
        finds(100, NFS4_CONTENT_DATA, UINT64_MAX, 3 * UNIT);
        finds(100, NFS4_CONTENT_HOLE, 100, 3 * UNIT);
        assert_int_equal(seek(3 * UNIT, NFS4_CONTENT_HOLE, &eof, &found), NFS4ERR_NXIO);
        assert_int_equal(seek(0, 2, &eof, &found), NFS4ERR_UNION_NOTSUPP);
}

static void allocate_extends_and_takes_room(void **state)
{
        struct cluster_attrs before = cluster_file_attrs(&file), after;

        (void)state;
        assert_int_equal(change(OP_ALLOCATE, 1000, 4 * UNIT), NFS4_OK);
        after = cluster_file_attrs(&file);
        assert_int_equal(after.size, 4 * UNIT + 1000);
        assert_true(after.used >= 4 * UNIT);
        assert_true(after.change > before.change && after.mtime > before.mtime);
        zeros(4 * UNIT, 1000);
        write_unit(1);
        assert_int_equal(change(OP_ALLOCATE, 0, UNIT), NFS4_OK); /* never shorter */
        assert_int_equal(cluster_file_attrs(&file).size, 4 * UNIT + 1000);
}

static void deallocate_gives_room_back_and_leaves_zeros(void **state)
{
        struct cluster_attrs before, after;
        struct slice data;
        bool eof;

        (void)state;
        for (uint64_t i = 0; i < 4; i++)
                write_unit(i);
        assert_int_equal(change(OP_ALLOCATE, 0, 4 * UNIT), NFS4_OK); /* tells what is used */
        before = cluster_file_attrs(&file);
        assert_int_equal(change(OP_DEALLOCATE, UNIT - 500, 2 * UNIT), NFS4_OK);
        after = cluster_file_attrs(&file);
        assert_int_equal(after.size, before.size);
        assert_true(after.change > before.change && after.mtime > before.mtime);
        assert_true(after.used + 2 * UNIT - 65536 <= before.used);
        zeros(UNIT - 500, 1000);
        zeros(3 * UNIT - 1000, 500);
        assert_int_equal(cluster_file_read(&file, UNIT - 501, 1, &data, &eof), NFS4_OK);
        assert_int_equal(data.data[0], (uint8_t)((UNIT - 501) / 1000));
        assert_int_equal(cluster_file_read(&file, 3 * UNIT - 500, 1, &data, &eof), NFS4_OK);
        assert_int_equal(data.data[0], (uint8_t)((UNIT - 500) / 1000));
        assert_int_equal(change(OP_DEALLOCATE, 3 * UNIT, UINT32_MAX), NFS4_OK); /* beyond the end too */
        assert_int_equal(cluster_file_attrs(&file).size, before.size);
        zeros(3 * UNIT, 1000);
        finds(3 * UNIT, NFS4_CONTENT_DATA, UINT64_MAX, before.size);
}

static void what_cannot_be_is_refused(void **state)
{
        (void)state;
        assert_int_equal(change(OP_ALLOCATE, 0, 0), NFS4ERR_INVAL);
        assert_int_equal(change(OP_DEALLOCATE, 10, UINT64_MAX), NFS4ERR_INVAL);
        assert_int_equal(change(OP_ALLOCATE, INT64_MAX, 1), NFS4ERR_FBIG);
        assert_int_equal(change(OP_ALLOCATE, 0, 1ull << 50), NFS4ERR_NOSPC); /* and takes none */
        assert_int_equal(cluster_file_attrs(&file).size, 0);
        assert_true(cluster_file_attrs(&file).used < UNIT);
        file.stateid.other[11] ^= 1;
        assert_int_equal(change(OP_ALLOCATE, 0, 1), NFS4ERR_BAD_STATEID);
}

/* COUNT bytes from OFFSET: first HOLE bytes of a hole, then data to the end. */
static void reads_plus(uint64_t offset, uint32_t count, uint64_t hole, uint32_t length, bool at_end)
{
        struct xdr_in *x = &file.k.in;

        cluster_file_begin(&file);
        put_stateid(cluster_op(&file.k, OP_READ_PLUS), &file.stateid);
        xdr_put_u64(&file.k.x, offset);
        xdr_put_u32(&file.k.x, count);
        assert_int_equal(cluster_file_run(&file), NFS4_OK);
        peer_result(x, OP_READ_PLUS);
        assert_int_equal(xdr_get_bool(x), at_end);
        assert_int_equal(xdr_get_u32(x), (hole > 0) + (length > 0));
        if (hole > 0) {
                assert_int_equal(xdr_get_u32(x), NFS4_CONTENT_HOLE);
                assert_int_equal(xdr_get_u64(x), offset);
                assert_int_equal(xdr_get_u64(x), hole);
        }
        if (length > 0) {
                struct slice data;

                assert_int_equal(xdr_get_u32(x), NFS4_CONTENT_DATA);
                assert_int_equal(xdr_get_u64(x), offset + hole);
                data = xdr_get_opaque(x, UINT32_MAX);
                assert_int_equal(data.length, length);
                assert_int_equal(data.data[0], (uint8_t)((offset + hole) % UNIT / 1000));
        }
        assert_false(x->bad);
}

static void read_plus_leaves_out_a_hole_at_the_front(void **state)
{
        (void)state;
        assert_int_equal(change(OP_ALLOCATE, 0, 4 * UNIT), NFS4_OK);
        reads_plus(UNIT, UNIT, UNIT, 0, false);
        write_unit(2);
        reads_plus(0, UNIT, UNIT, 0, false);
        reads_plus(2 * UNIT - 500000, 501000, 500000, 1000, false);
        reads_plus(2 * UNIT + 5000, 2000, 0, 2000, false);
        reads_plus(3 * UNIT, UNIT, UNIT, 0, true);
        reads_plus(4 * UNIT, UNIT, 0, 0, true);
        reads_plus(0, 0, 0, 0, false);
}

static bool one_has_ended(void *arg)
{
        (void)arg;
        return lab.ds_ended == 1;
}

static void without_a_data_server_the_client_comes_again(void **state)
{
        uint64_t found;
        bool eof;

        (void)state;
        write_unit(0);
        write_unit(1);
        ds_stop(lab.ds[0]);
        assert_true(cluster_lab_wait(&lab, one_has_ended, NULL, WAIT_MS));
        assert_int_equal(change(OP_ALLOCATE, 0, 2 * UNIT), NFS4ERR_DELAY);
        assert_int_equal(change(OP_DEALLOCATE, 0, 2 * UNIT), NFS4ERR_DELAY);
        assert_int_equal(seek(0, NFS4_CONTENT_HOLE, &eof, &found), NFS4ERR_DELAY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(seek_goes_over_all_data_servers),
                TEST(the_end_is_a_hole_and_beyond_it_is_nothing),
                TEST(allocate_extends_and_takes_room),
                TEST(deallocate_gives_room_back_and_leaves_zeros),
                TEST(read_plus_leaves_out_a_hole_at_the_front),
                TEST(what_cannot_be_is_refused),
                TEST(without_a_data_server_the_client_comes_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
