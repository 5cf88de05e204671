/* SPDX-License-Identifier: Apache-2.0 */
/* A data server copies its part of a range from one object into another when the MDS says so, and for nobody
 * else. RFC 7862 §15.2, §15.13; RFC 8881 §13.6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lab/ds_lab.h"

#include <errno.h>

enum { UNIT = LAB_UNIT, OTHER_FILE = 78, WAIT_MS = 20000 };

static struct ds_lab lab;
static struct lab_client client;
static struct fh from, to; /* the MDS's handles; two data servers to a file, and this is the first */
static uint8_t buffer[2 * UNIT];

static int setup(void **state)
{
        ds_lab_start(&lab, *state);
        lab_client_start(&client, &lab, "client 1");
        from = to = lab_fh(&client);
        from.flags |= FH_PROXY;
        to.flags |= FH_PROXY;
        to.fileid = OTHER_FILE;
        fake_file(&lab.mds, LAB_FILE)->size = fake_file(&lab.mds, OTHER_FILE)->size = 4 * UNIT;
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        lab_client_stop(&client);
        ds_lab_stop(&lab);
        return 0;
}

struct copy {
        struct peer_call call;
        uint32_t opnum;
        uint64_t from_offset, offset, count;
        bool done;
        enum nfsstat4 status;
};

static void put_handle(struct xdr_out *x, const struct fh *fh)
{
        uint8_t bytes[FH_BYTES];

        fh_encode(fh, lab.handle_key, bytes);
        xdr_put_u32(x, OP_PUTFH);
        xdr_put_opaque(x, bytes, FH_BYTES);
}

static void put_copy(struct peer_call *call, struct xdr_out *x)
{
        const struct copy *k = CONTAINER(call, struct copy, call);
        const struct stateid any = { .seqid = 0, .other = { 1 } };

        call->ops = 4;
        put_handle(x, &from);
        xdr_put_u32(x, OP_SAVEFH);
        put_handle(x, &to);
        xdr_put_u32(x, k->opnum);
        put_stateid(x, &any);
        put_stateid(x, &any);
        xdr_put_u64(x, k->from_offset);
        xdr_put_u64(x, k->offset);
        xdr_put_u64(x, k->count);
        if (k->opnum == OP_CLONE)
                return;
        xdr_put_bool(x, true);
        xdr_put_bool(x, true);
        xdr_put_u32(x, 0);
}

static void on_done(struct peer_call *call, enum rpc_result result, enum nfsstat4 status, struct xdr_in *x)
{
        struct copy *k = CONTAINER(call, struct copy, call);

        (void)x;
        assert_int_equal(result, RPC_DONE);
        k->status = status;
        k->done = true;
}

static bool is_done(void *arg)
{
        return ((struct copy *)arg)->done;
}

static void start_copy(struct copy *k)
{
        k->call.encode = put_copy;
        k->call.done = on_done;
        assert_int_equal(peer_run(client.peer, &k->call, false), 0);
}

static enum nfsstat4 copy(uint32_t opnum, uint64_t from_offset, uint64_t offset, uint64_t count)
{
        struct copy k = { .opnum = opnum, .from_offset = from_offset, .offset = offset, .count = count };

        start_copy(&k);
        assert_true(ds_lab_wait(&lab, is_done, &k, WAIT_MS));
        return k.status;
}

static void write_unit(const struct fh *fh, uint64_t number)
{
        assert_int_equal(lab_write(&client, fh, number * UNIT, NULL, UNIT, FILE_SYNC4, NULL), NFS4_OK);
}

/* The unit of the target is as it was written to unit WAS of some file; -1: zeros. */
static void has_unit(uint64_t number, int was)
{
        uint32_t got;
        bool eof;

        assert_int_equal(lab_read(&client, &to, number * UNIT, buffer, UNIT, &got, &eof), NFS4_OK);
        assert_int_equal(got, UNIT);
        for (uint32_t i = 0; i < UNIT; i++) {
                uint64_t at = (uint64_t)was * UNIT + i;

                assert_int_equal(buffer[i], was < 0 ? 0 : (uint8_t)(at * 31 + at / 4096)); /* lab_write()'s */
        }
}

static void its_part_of_the_range_is_copied(void **state)
{
        const ctl_push *push;

        (void)state;
        write_unit(&from, 0);
        write_unit(&from, 2);
        assert_int_equal(copy(OP_COPY, 0, 0, 4 * UNIT), NFS4_OK);
        has_unit(0, 0);
        has_unit(2, 2);
        assert_true(fake_pushes(&lab.mds, OTHER_FILE, &push) > 0);
        assert_int_equal(push->size, 3 * UNIT); /* unit 3 is another's to tell of */
        assert_int_equal(copy(OP_COPY, 2 * UNIT, 0, UNIT), NFS4_OK);
        has_unit(0, 2);
        assert_int_equal(copy(OP_COPY, UNIT, UNIT, UNIT), NFS4_OK);    /* nothing of it is here */
        assert_int_equal(copy(OP_COPY, 0, UNIT, UNIT), NFS4ERR_INVAL); /* one is here, the other not */
        assert_int_equal(copy(OP_COPY, 0, 0, 2ull * CTL_COPY_MAX), NFS4_OK);
        assert_int_equal(copy(OP_COPY, 0, 0, 2ull * CTL_COPY_MAX + UNIT), NFS4ERR_INVAL);
        assert_int_equal(copy(OP_COPY, 0, 0, UINT64_MAX), NFS4ERR_INVAL);
        assert_int_equal(copy(OP_COPY, INT64_MAX, 0, 1), NFS4ERR_INVAL);
}

static void where_the_source_has_nothing_the_target_has_zeros(void **state)
{
        (void)state;
        write_unit(&to, 0);
        write_unit(&to, 2);
        assert_int_equal(copy(OP_COPY, 0, 0, UNIT), NFS4_OK); /* there is no such object */
        has_unit(0, -1);
        write_unit(&from, 0);
        assert_int_equal(copy(OP_COPY, 0, 0, 4 * UNIT), NFS4_OK);
        has_unit(0, 0);
        has_unit(2, -1);
}

static void only_the_mds_may_ask(void **state)
{
        (void)state;
        write_unit(&from, 0);
        to.flags &= (uint8_t)~FH_PROXY;
        assert_int_equal(copy(OP_COPY, 0, 0, UNIT), NFS4ERR_NOTSUPP);
        assert_int_equal(copy(OP_CLONE, 0, 0, UNIT), NFS4ERR_NOTSUPP);
        from.flags &= (uint8_t)~FH_PROXY;
        to.flags |= FH_PROXY;
        assert_int_equal(copy(OP_COPY, 0, 0, UNIT), NFS4ERR_NOTSUPP);
}

static void a_fence_is_one_for_copies_too(void **state)
{
        (void)state;
        write_unit(&from, 0);
        assert_int_equal(lab_fence(&lab, OTHER_FILE, 0, 6, false), CTL_OK);
        assert_int_equal(copy(OP_COPY, 0, 0, UNIT), NFS4ERR_BAD_STATEID);
        to.epoch = 6;
        assert_int_equal(copy(OP_COPY, 0, 0, UNIT), NFS4_OK);
}

static void what_the_disk_says_is_told(void **state)
{
        (void)state;
        write_unit(&from, 0);
        fault_disk_fail(lab.fault, DISK_CLONE, -EOPNOTSUPP);
        assert_int_equal(copy(OP_CLONE, 0, 0, UNIT), NFS4ERR_NOTSUPP);
        fault_disk_fail(lab.fault, DISK_CLONE, -EINVAL);
        assert_int_equal(copy(OP_CLONE, 0, 0, UNIT), NFS4ERR_INVAL);
        fault_disk_fail(lab.fault, DISK_COPY, -ENOSPC);
        assert_int_equal(copy(OP_COPY, 0, 0, UNIT), NFS4ERR_NOSPC);
        fault_disk_fail(lab.fault, DISK_COPY, 0);
        fault_disk_fail(lab.fault, DISK_SYNC, -EIO);
        assert_int_equal(copy(OP_COPY, 0, 0, UNIT), NFS4ERR_PNFS_NO_LAYOUT);
        fault_disk_fail(lab.fault, DISK_SYNC, 0);
        assert_int_equal(copy(OP_COPY, 0, 0, UNIT), NFS4_OK);
}

static void a_cut_waits_for_a_copy_under_way(void **state)
{
        struct copy k = { .opnum = OP_COPY, .count = UNIT };
        ctl_truncate_args args = { .object = { OTHER_FILE, LAB_GENERATION, UNIT, 2, 0, 0 }, .size = 1000 };
        ctl_result result = { .status = CTL_INVAL };
        struct fake_call cut;

        (void)state;
        write_unit(&from, 0);
        fault_disk_hold(lab.fault, DISK_COPY);
        start_copy(&k);
        ds_lab_wait_held(&lab, 1);
        fake_mds_call(&lab.mds, &cut, CTL_TRUNCATE, (xdrproc_t)xdr_ctl_truncate_args, &args,
                      (xdrproc_t)xdr_ctl_result, &result);
        assert_false(lab_fake_call_wait(&lab, &cut, 50));
        fault_disk_let_go(lab.fault, false);
        assert_true(ds_lab_wait(&lab, is_done, &k, WAIT_MS) && lab_fake_call_wait(&lab, &cut, WAIT_MS));
        assert_int_equal(k.status, NFS4_OK);
        assert_int_equal(result.status, CTL_OK);
        assert_int_equal(lab_getsize(&lab, &to).size, 1000);
}

/* Of a disk of 64 MiB. */
static void a_full_disk_takes_no_copy_but_a_clone(void **state)
{
        struct fh fh = lab_fh(&client);
        enum nfsstat4 status = NFS4_OK;

        (void)state;
        write_unit(&from, 0);
        lab.conf.reserve_bytes = 1;
        fh.fileid = OTHER_FILE;
        for (uint64_t at = 0; status == NFS4_OK; at = (at + 2 * UNIT) % MEMORY_FILE_MAX) {
                fh.fileid += at == 0;
                status = lab_write(&client, &fh, at, buffer, UNIT, UNSTABLE4, NULL);
        }
        assert_int_equal(status, NFS4ERR_NOSPC);
        assert_int_equal(copy(OP_COPY, 0, 0, UNIT), NFS4ERR_NOSPC);
        assert_int_equal(copy(OP_CLONE, 0, 0, UNIT), NFS4_OK);
        assert_int_equal(copy(OP_COPY, 0, 0, UNIT), NFS4_OK); /* it gets no longer */
}

#define TEST(name) \
        { \
#name, name, setup, teardown, &how \
        }

int main(void)
{
        static struct ds_lab_conf how = { .width = 2, .fault = true, .virtual_time = true };
        const struct CMUnitTest tests[] = {
                TEST(its_part_of_the_range_is_copied),
                TEST(where_the_source_has_nothing_the_target_has_zeros),
                TEST(only_the_mds_may_ask),
                TEST(a_fence_is_one_for_copies_too),
                TEST(what_the_disk_says_is_told),
                TEST(a_cut_waits_for_a_copy_under_way),
                TEST(a_full_disk_takes_no_copy_but_a_clone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
