/* SPDX-License-Identifier: Apache-2.0 */
/* A handle below a fence moves nothing, and the MDS hears OK only when no older write can still land. RFC
 * 8881 §12.5.6, §13.11. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lab/ds_lab.h"

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

static uint8_t buffer[LAB_UNIT];

static void every_write_with_a_fenced_handle_fails(void **state)
{
        struct fh fh = lab_fh(&client);
        uint32_t got;
        bool eof;

        (void)state;
        assert_int_equal(lab_write(&client, &fh, 0, "before", 6, FILE_SYNC4, NULL), NFS4_OK);
        assert_int_equal(lab_fence(&lab, LAB_FILE, 0, 6, false), CTL_OK);
        for (int i = 0; i < 20; i++)
                assert_int_equal(lab_write(&client, &fh, 0, "after!", 6, i % 3, NULL), NFS4ERR_BAD_STATEID);
        assert_int_equal(lab_read(&client, &fh, 0, buffer, 6, &got, &eof), NFS4ERR_BAD_STATEID);
        assert_int_equal(lab_commit(&client, &fh, NULL), NFS4_OK); /* of what was taken before */
        assert_int_equal(lab_fence(&lab, LAB_FILE, client.tag, 6, true), CTL_OK);
        for (int i = 0; i < 20; i++)
                assert_int_equal(lab_write(&client, &fh, 0, "after!", 6, i % 3, NULL),
                                 NFS4ERR_PNFS_NO_LAYOUT);
        assert_int_equal(lab_commit(&client, &fh, NULL), NFS4ERR_PNFS_NO_LAYOUT);
        fh.epoch = 6;
        assert_int_equal(lab_read(&client, &fh, 0, buffer, 100, &got, &eof), NFS4_OK);
        assert_int_equal(got, 6);
        assert_memory_equal(buffer, "before", 6);
}

static void a_fence_waits_for_the_writes_that_are_under_way(void **state)
{
        struct fh fh = lab_fh(&client), other = lab_fh(&client);
        struct lab_io old = { .opnum = OP_WRITE, .count = 5, .data = buffer, .stable = UNSTABLE4 },
                      foreign = old;
        ctl_fence fence = { .fileid = LAB_FILE, .below = 6 };
        ctl_fence_args args = { .fences.fences_len = 1, .fences.fences_val = &fence };
        ctl_result result = { .status = CTL_INVAL };
        struct fake_call call;

        (void)state;
        other.fileid = LAB_FILE + 1;
        assert_int_equal(lab_write(&client, &fh, 0, "x", 1, UNSTABLE4, NULL), NFS4_OK);
        assert_int_equal(lab_write(&client, &other, 0, "x", 1, UNSTABLE4, NULL), NFS4_OK);
        fault_disk_hold(lab.fault, DISK_WRITE);
        lab_io_start(&client, &foreign, &other);
        ds_lab_wait_held(&lab, 1);

        fence.fileid = 12345; /* nothing under way there */
        fake_mds_call(&lab.mds, &call, CTL_FENCE, (xdrproc_t)xdr_ctl_fence_args, &args,
                      (xdrproc_t)xdr_ctl_result, &result);
        assert_true(lab_fake_call_wait(&lab, &call, 20000));

        lab_io_start(&client, &old, &fh);
        ds_lab_wait_held(&lab, 2);
        fence.fileid = LAB_FILE;
        fake_mds_call(&lab.mds, &call, CTL_FENCE, (xdrproc_t)xdr_ctl_fence_args, &args,
                      (xdrproc_t)xdr_ctl_result, &result);
        assert_false(lab_fake_call_wait(&lab, &call, 200));
        fault_disk_let_go(lab.fault, true);
        assert_true(lab_fake_call_wait(&lab, &call, 20000));
        assert_int_equal(result.status, CTL_OK);
        assert_true(lab_io_wait(&old, 20000)); /* it landed before the fence was acknowledged */
        assert_int_equal(old.status, NFS4_OK);
        assert_true(lab_io_wait(&foreign, 20000));
}

/* It was let in, but had not begun when the fence came. */
static void a_write_that_waits_for_its_object_is_checked_again(void **state)
{
        struct fh fh = lab_fh(&client);
        struct lab_io io = { .opnum = OP_WRITE, .count = 5, .data = buffer, .stable = UNSTABLE4 };

        (void)state;
        fault_disk_hold(lab.fault, DISK_OPEN);
        lab_io_start(&client, &io, &fh);
        ds_lab_wait_held(&lab, 1);
        assert_int_equal(lab_fence(&lab, LAB_FILE, 0, 6, false), CTL_OK);
        fault_disk_let_go(lab.fault, false);
        assert_true(lab_io_wait(&io, 20000));
        assert_int_equal(io.status, NFS4ERR_BAD_STATEID);
        assert_int_equal(fault_disk_count(lab.fault, DISK_WRITE), 3); /* uuid, format, cluster */
}

static void the_floor_refuses_everything_below(void **state)
{
        ctl_fence_args args = { .floor = 6 };
        ctl_result result = { .status = CTL_INVAL };
        struct fh fh = lab_fh(&client);
        struct fake_call call;

        (void)state;
        fake_mds_call(&lab.mds, &call, CTL_FENCE, (xdrproc_t)xdr_ctl_fence_args, &args,
                      (xdrproc_t)xdr_ctl_result, &result);
        assert_true(lab_fake_call_wait(&lab, &call, 20000));
        assert_int_equal(lab_write(&client, &fh, 0, "x", 1, UNSTABLE4, NULL), NFS4ERR_PNFS_NO_LAYOUT);
        fh.epoch = 6;
        assert_int_equal(lab_write(&client, &fh, 0, "x", 1, UNSTABLE4, NULL), NFS4_OK);
}

static bool has_rejoined(void *arg)
{
        (void)arg;
        return lab.mds.hellos == 2 && lab.ds->ctl && !lab.ds->hello && lab.mds.heartbeats > 0;
}

/* Fences that were raised while the connection was down come with HELLO. */
static void a_new_hello_brings_the_whole_table(void **state)
{
        struct fh fh = lab_fh(&client);

        (void)state;
        assert_int_equal(lab_fence(&lab, LAB_FILE, 0, 6, false), CTL_OK);
        lab.mds.fences[0] = (ctl_fence){ .fileid = LAB_FILE + 1, .below = 9, .final = true };
        lab.mds.hello.fences.fences_len = 1;
        lab.mds.heartbeats = 0;
        fake_mds_hang_up(&lab.mds);
        assert_true(ds_lab_wait(&lab, has_rejoined, NULL, 20000));
        assert_int_equal(lab_write(&client, &fh, 0, "x", 1, UNSTABLE4, NULL),
                         NFS4_OK); /* no longer in force */
        fh.fileid = LAB_FILE + 1;
        assert_int_equal(lab_write(&client, &fh, 0, "x", 1, UNSTABLE4, NULL), NFS4ERR_PNFS_NO_LAYOUT);
}

#define TEST(function, how) \
        { \
#function " " #how, function, setup, teardown, &how \
        }

int main(void)
{
        static struct ds_lab_conf one, three = { .workers = 3 }, fault = { .fault = true };
        const struct CMUnitTest tests[] = {
                TEST(every_write_with_a_fenced_handle_fails, one),
                TEST(every_write_with_a_fenced_handle_fails, three),
                TEST(a_fence_waits_for_the_writes_that_are_under_way, fault),
                TEST(a_write_that_waits_for_its_object_is_checked_again, fault),
                TEST(the_floor_refuses_everything_below, one),
                TEST(the_floor_refuses_everything_below, three),
                TEST(a_new_hello_brings_the_whole_table, one),
                TEST(a_new_hello_brings_the_whole_table, three),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
