/* SPDX-License-Identifier: Apache-2.0 */
/* COPY and CLONE between striped files: the servers move the bytes, durably, and what is answered is what was
 * copied. RFC 7862 §15.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/pnfs/proxy.h"
#include "tests/lab/cluster_file.h"

enum { UNIT = CLUSTER_UNIT, WAIT_MS = 20000, SOME = 3000 };

static struct cluster_lab lab;
static struct peer *mds;
static struct cluster_file from, to, twin; /* the units of from and twin lie on the same data servers */

/* The index of the data server that has the file's first unit. */
static uint8_t first_of(const struct cluster_file *f)
{
        const struct inode *inode;
        struct fh fh;

        assert_true(fh_decode(f->handle, f->fh.length, lab.mds->nfs.key, &fh));
        assert_int_equal(meta_inode(lab.mds->meta, fh.fileid, &inode), 0);
        return inode->first;
}

static void open_one(struct cluster_file *f, char *name, uint8_t first)
{
        for (;; cluster_file_close(f)) {
                assert_true(++*name <= 'z');
                cluster_file_open(f, &lab, mds, name);
                if (first_of(f) == first)
                        return;
        }
}

static int setup(void **state)
{
        char name[] = "a";

        (void)state;
        cluster_lab_start(&lab, 2);
        mds = cluster_lab_connect(&lab, "client", -1);
        open_one(&from, name, 0);
        open_one(&to, name, 1);
        open_one(&twin, name, 0);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        cluster_file_close(&from);
        cluster_file_close(&to);
        cluster_file_close(&twin);
        peer_free(mds);
        cluster_lab_stop(&lab);
        return 0;
}

struct copied {
        uint64_t count;
        struct written written;
        bool consecutive, synchronous;
};

static void put_copy(struct cluster_file *source, struct cluster_file *target, uint64_t source_offset,
                     uint64_t offset, uint64_t count, uint32_t servers)
{
        struct cluster_call *k = &target->k;

        cluster_begin(k, &lab);
        cluster_op(k, OP_PUTFH);
        xdr_put_slice(&k->x, source->fh);
        cluster_op(k, OP_SAVEFH);
        cluster_op(k, OP_PUTFH);
        xdr_put_slice(&k->x, target->fh);
        cluster_op(k, OP_COPY);
        put_stateid(&k->x, &source->stateid);
        put_stateid(&k->x, &target->stateid);
        xdr_put_u64(&k->x, source_offset);
        xdr_put_u64(&k->x, offset);
        xdr_put_u64(&k->x, count);
        xdr_put_bool(&k->x, true);
        xdr_put_bool(&k->x, false); /* it may go on in the background; it does not */
        xdr_put_u32(&k->x, servers);
}

static enum nfsstat4 run_copy(struct cluster_file *target, struct copied *ret)
{
        struct xdr_in *x = &target->k.in;
        enum nfsstat4 status = cluster_run(&target->k, mds);

        if (status != NFS4_OK)
                return status;
        peer_result(x, OP_PUTFH);
        peer_result(x, OP_SAVEFH);
        peer_result(x, OP_PUTFH);
        peer_result(x, OP_COPY);
        assert_int_equal(xdr_get_u32(x), 0);
        ret->count = xdr_get_u64(x);
        ret->written.committed = xdr_get_u32(x);
        xdr_get_fixed(x, &ret->written.verifier, sizeof(ret->written.verifier));
        ret->consecutive = xdr_get_bool(x);
        ret->synchronous = xdr_get_bool(x);
        assert_false(x->bad);
        return status;
}

/* The whole range, in as many calls as that takes. */
static void copy(struct cluster_file *source, struct cluster_file *target, uint64_t source_offset,
                 uint64_t offset, uint64_t count)
{
        struct copied c;

        while (count > 0) {
                put_copy(source, target, source_offset, offset, count, 0);
                assert_int_equal(run_copy(target, &c), NFS4_OK);
                assert_true(c.count > 0 && c.count <= count);
                source_offset += c.count;
                offset += c.count;
                count -= c.count;
        }
}

static enum nfsstat4 copy_fails(struct cluster_file *source, struct cluster_file *target,
                                uint64_t source_offset, uint64_t offset, uint64_t count)
{
        struct copied c;

        put_copy(source, target, source_offset, offset, count, 0);
        return run_copy(target, &c);
}

static enum nfsstat4 clone_file(struct cluster_file *source, struct cluster_file *target)
{
        struct cluster_call *k = &target->k;

        cluster_begin(k, &lab);
        cluster_op(k, OP_PUTFH);
        xdr_put_slice(&k->x, source->fh);
        cluster_op(k, OP_SAVEFH);
        cluster_op(k, OP_PUTFH);
        xdr_put_slice(&k->x, target->fh);
        cluster_op(k, OP_CLONE);
        put_stateid(&k->x, &source->stateid);
        put_stateid(&k->x, &target->stateid);
        for (int i = 0; i < 3; i++)
                xdr_put_u64(&k->x, 0); /* from the beginning to the end, to the beginning */
        return cluster_run(k, mds);
}

static void write_units(struct cluster_file *f, uint64_t count)
{
        struct written w;

        for (uint64_t i = 0; i < count; i++)
                assert_int_equal(cluster_file_write(f, i * UNIT, UNIT, FILE_SYNC4, &w), NFS4_OK);
}

static uint8_t pattern(uint64_t at)
{
        return (uint8_t)(at % UNIT / 1000);
}

/* SOME bytes of F from OFFSET on are the pattern's from AT on; AT UINT64_MAX: zeros. */
static void has(struct cluster_file *f, uint64_t offset, uint64_t at)
{
        struct slice data;
        bool eof;

        assert_int_equal(cluster_file_read(f, offset, SOME, &data, &eof), NFS4_OK);
        assert_int_equal(data.length, SOME);
        for (uint32_t i = 0; i < SOME; i++)
                assert_int_equal(data.data[i], at == UINT64_MAX ? 0 : pattern(at + i));
}

static void a_whole_file_and_what_is_answered(void **state)
{
        struct cluster_attrs before, after;
        struct copied c;
        struct written w;

        (void)state;
        write_units(&from, 2);
        before = cluster_file_attrs(&to);
        put_copy(&from, &to, 0, 0, 0 /* to the end */, 0);
        assert_int_equal(run_copy(&to, &c), NFS4_OK);
        assert_true(c.count > 0 && c.count <= 2 * UNIT);
        assert_int_equal(c.written.committed, FILE_SYNC4);
        assert_true(c.consecutive && c.synchronous);
        after = cluster_file_attrs(&to);
        assert_int_equal(after.size, c.count);
        assert_true(after.change > before.change && after.mtime > before.mtime);
        if (c.count < 2 * UNIT)
                copy(&from, &to, c.count, c.count, 2 * UNIT - c.count);
        has(&to, 0, 0);
        has(&to, UNIT - 1500, UNIT - 1500);
        has(&to, 2 * UNIT - SOME, 2 * UNIT - SOME);
        assert_int_equal(cluster_file_write(&to, 0, 1, UNSTABLE4, &w), NFS4_OK);
        assert_true(w.verifier == c.written.verifier); /* COMMIT's too */
}

/* Nothing of it goes through the MDS. */
static void what_a_data_server_has_both_of_it_copies_itself(void **state)
{
        uint64_t moved;

        (void)state;
        write_units(&from, 5);
        write_units(&twin, 1);
        moved = proxy_bytes(lab.mds->proxy);
        copy(&from, &twin, 0, 0, 4 * UNIT + SOME);
        copy(&from, &twin, UNIT / 2, 6 * UNIT + UNIT / 2, 3 * UNIT);
        assert_true(proxy_bytes(lab.mds->proxy) == moved);
        assert_int_equal(cluster_file_attrs(&twin).size, 9 * UNIT + UNIT / 2);
        has(&twin, UNIT - 1500, UNIT - 1500);
        has(&twin, 4 * UNIT, 4 * UNIT);
        has(&twin, 4 * UNIT + SOME, UINT64_MAX);
        has(&twin, 6 * UNIT + UNIT / 2 - SOME, UINT64_MAX);
        has(&twin, 6 * UNIT + UNIT / 2, UNIT / 2);
        has(&twin, 9 * UNIT, 3 * UNIT);
}

/* The test's own file system is told from others by what it says to FICLONE. */
static void clone_shares_or_is_not_there(void **state)
{
        enum nfsstat4 status;

        (void)state;
        write_units(&from, 3);
        status = clone_file(&from, &twin);
        assert_true(status == NFS4_OK || status == NFS4ERR_NOTSUPP);
        if (status == NFS4_OK)
                has(&twin, 2 * UNIT, 2 * UNIT);
        assert_int_equal(cluster_file_attrs(&twin).size, status == NFS4_OK ? 3 * UNIT : 0);
        write_units(&to, 1);
        assert_int_equal(clone_file(&from, &to), NFS4ERR_XDEV); /* other data servers */
        assert_int_equal(clone_file(&from, &from), NFS4ERR_INVAL);
}

/* The client of this test asks for no layouts: what of those is in mds_layout_policy. */
static void a_file_without_data_is_striped_as_its_source_is(void **state)
{
        uint64_t moved;

        (void)state;
        write_units(&from, 3);
        moved = proxy_bytes(lab.mds->proxy);
        copy(&from, &to, 100, 100, SOME);
        assert_int_equal(first_of(&to), 1); /* not for so little: that has gone through the MDS */
        assert_true(proxy_bytes(lab.mds->proxy) > moved);
        cluster_file_close(&to);
        cluster_file_open(&to, &lab, mds, "new");
        moved = proxy_bytes(lab.mds->proxy);
        copy(&from, &to, UNIT / 2, UNIT / 2, 2 * UNIT);
        assert_int_equal(first_of(&to), 0);
        assert_true(proxy_bytes(lab.mds->proxy) == moved);
        has(&to, 0, UINT64_MAX);
        has(&to, UNIT - 1500, UNIT - 1500);
        has(&to, 5 * UNIT / 2 - SOME, 5 * UNIT / 2 - SOME);
}

/* Units of the two files do not meet, and the end of the target is not in the way. */
static void any_range_to_any_place(void **state)
{
        (void)state;
        write_units(&from, 4);
        write_units(&to, 2);
        copy(&from, &to, 1000, 500000, 3 * UNIT);
        assert_int_equal(cluster_file_attrs(&to).size, 500000 + 3 * UNIT);
        has(&to, 500000 - SOME, 500000 - SOME);
        has(&to, 500000, 1000);
        has(&to, UNIT - 1500, UNIT - 1500 - 499000);
        has(&to, 2 * UNIT, 2 * UNIT - 499000);
        has(&to, 500000 + 3 * UNIT - SOME, 1000 + 3 * UNIT - SOME);
        has(&from, UNIT, 0);
}

static void holes_cover_what_was_there(void **state)
{
        struct written w;

        (void)state;
        write_units(&to, 3);
        assert_int_equal(cluster_file_write(&from, 3 * UNIT, UNIT, FILE_SYNC4, &w), NFS4_OK);
        copy(&from, &to, 0, 0, 3 * UNIT + SOME);
        has(&to, 0, UINT64_MAX);
        has(&to, 2 * UNIT + 77777, UINT64_MAX);
        has(&to, 3 * UNIT, 0);
}

static void a_file_into_itself(void **state)
{
        (void)state;
        write_units(&from, 2);
        assert_int_equal(copy_fails(&from, &from, 0, UNIT, UNIT + 1), NFS4ERR_INVAL);
        assert_int_equal(copy_fails(&from, &from, UNIT, UNIT, 0), NFS4ERR_INVAL);
        copy(&from, &from, 1000, 2 * UNIT, UNIT);
        has(&from, 2 * UNIT, 1000);
}

static void what_cannot_be_is_refused(void **state)
{
        struct copied c;

        (void)state;
        write_units(&from, 1);
        assert_int_equal(copy_fails(&from, &to, 0, 0, UNIT + 1), NFS4ERR_INVAL);
        assert_int_equal(copy_fails(&from, &to, UNIT + 1, 0, 0), NFS4ERR_INVAL);
        assert_int_equal(copy_fails(&from, &to, UINT64_MAX, 0, UINT64_MAX), NFS4ERR_INVAL);
        assert_int_equal(copy_fails(&from, &to, 0, INT64_MAX, 1), NFS4ERR_FBIG);
        put_copy(&from, &to, UNIT, 0, 0, 0); /* nothing is not an error */
        assert_int_equal(run_copy(&to, &c), NFS4_OK);
        assert_int_equal(c.count, 0);
        put_copy(&from, &to, 0, 0, 0, 1); /* from another server */
        xdr_put_u32(&to.k.x, 1);
        xdr_put_string(&to.k.x, "elsewhere.example");
        assert_int_equal(run_copy(&to, &c), NFS4ERR_NOTSUPP);
        from.stateid.other[11] ^= 1;
        assert_int_equal(copy_fails(&from, &to, 0, 0, 0), NFS4ERR_BAD_STATEID);
        assert_int_equal(cluster_file_attrs(&to).size, 0);
}

static bool one_has_ended(void *arg)
{
        (void)arg;
        return lab.ds_ended == 1;
}

static void without_a_data_server_the_client_comes_again(void **state)
{
        (void)state;
        write_units(&from, 2);
        ds_stop(lab.ds[0]);
        assert_true(cluster_lab_wait(&lab, one_has_ended, NULL, WAIT_MS));
        assert_int_equal(copy_fails(&from, &to, 0, 0, 2 * UNIT), NFS4ERR_DELAY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_whole_file_and_what_is_answered),
                TEST(any_range_to_any_place),
                TEST(what_a_data_server_has_both_of_it_copies_itself),
                TEST(a_file_without_data_is_striped_as_its_source_is),
                TEST(clone_shares_or_is_not_there),
                TEST(holes_cover_what_was_there),
                TEST(a_file_into_itself),
                TEST(what_cannot_be_is_refused),
                TEST(without_a_data_server_the_client_comes_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
