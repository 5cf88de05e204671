/* SPDX-License-Identifier: Apache-2.0 */
/* What the MDS knows of sizes: pushed when a WRITE is synchronous, announced and then asked for when it is
 * not. RFC 8881 §12.5.4.2, §13.9.2.3, §18.32 table 11. */
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

static uint8_t buffer[100000];

static bool is_dirty(void)
{
        return fake_file(&lab.mds, LAB_FILE)->dirty;
}

static void after_it_has_asked_the_next_write_announces_again(void **state)
{
        struct fh fh = lab_fh(&client);
        ctl_size size = lab_getsize(&lab, &fh);

        (void)state;
        assert_int_equal(size.status, CTL_NOENT);
        assert_true(size.settled);
        assert_int_equal(lab_write(&client, &fh, 100, NULL, 900, UNSTABLE4, NULL), NFS4_OK);
        assert_true(is_dirty());
        size = lab_getsize(&lab, &fh);
        assert_int_equal(size.status, CTL_OK);
        assert_int_equal(size.size, 1000);
        assert_true(size.mtime_ns > 0);
        assert_true(size.settled);
        assert_int_equal(fake_pushes(&lab.mds, LAB_FILE, NULL), 1);
        assert_int_equal(lab_write(&client, &fh, 1000, NULL, 1, UNSTABLE4, NULL), NFS4_OK);
        assert_int_equal(fake_pushes(&lab.mds, LAB_FILE, NULL), 2);
        assert_int_equal(lab_write(&client, &fh, 1001, NULL, 1, UNSTABLE4, NULL), NFS4_OK);
        assert_int_equal(fake_pushes(&lab.mds, LAB_FILE, NULL), 2);
}

static void a_new_epoch_announces_again(void **state)
{
        struct fh fh = lab_fh(&client);

        (void)state;
        assert_int_equal(lab_write(&client, &fh, 0, "x", 1, UNSTABLE4, NULL), NFS4_OK);
        fh.epoch = 8;
        assert_int_equal(lab_write(&client, &fh, 0, "x", 1, UNSTABLE4, NULL), NFS4_OK);
        fh.epoch = 7; /* covered */
        assert_int_equal(lab_write(&client, &fh, 0, "x", 1, UNSTABLE4, NULL), NFS4_OK);
        assert_int_equal(fake_pushes(&lab.mds, LAB_FILE, NULL), 2);
}

static void a_push_does_not_hide_what_was_announced(void **state)
{
        struct fh fh = lab_fh(&client);
        const ctl_push *push;

        (void)state;
        assert_int_equal(lab_write(&client, &fh, 50000, NULL, 1000, UNSTABLE4, NULL), NFS4_OK);
        assert_int_equal(lab_write(&client, &fh, 0, "x", 1, FILE_SYNC4, NULL), NFS4_OK);
        fake_pushes(&lab.mds, LAB_FILE, &push);
        assert_int_equal(push->size, 51000);
        assert_true(is_dirty());
        assert_true(lab_getsize(&lab, &fh).settled);
        fake_file(&lab.mds, LAB_FILE)->dirty = false;
        fh.flags |= FH_PROXY; /* the MDS's own writes are always pushed */
        assert_int_equal(lab_write(&client, &fh, 0, "x", 1, FILE_SYNC4, NULL), NFS4_OK);
        fake_pushes(&lab.mds, LAB_FILE, &push);
        assert_int_equal(push->size, 51000);
        assert_false(is_dirty());
}

/* A file that is synced again and again, a log or a database: the MDS is told to ask, once. */
static void synced_writes_are_pushed_once_and_then_announced_once(void **state)
{
        struct fh fh = lab_fh(&client);
        uint32_t committed;
        const ctl_push *push;

        (void)state;
        for (int i = 0; i < 10; i++) {
                assert_int_equal(lab_write(&client, &fh, i, "x", 1, FILE_SYNC4, &committed), NFS4_OK);
                assert_int_equal(committed, FILE_SYNC4);
        }
        assert_int_equal(fake_pushes(&lab.mds, LAB_FILE, &push), 2);
        assert_true(push->dirty);
        assert_int_equal(push->size, 0);
        assert_int_equal(lab_getsize(&lab, &fh).size, 10);
        assert_int_equal(lab_write(&client, &fh, 10, "x", 1, FILE_SYNC4, NULL), NFS4_OK);
        assert_int_equal(fake_pushes(&lab.mds, LAB_FILE, NULL), 3);
        fake_file(&lab.mds, LAB_FILE)->gone = true; /* nobody can be told: nobody is promised anything */
        assert_true(lab_getsize(&lab, &fh).settled);
        assert_int_equal(lab_write(&client, &fh, 11, "x", 1, FILE_SYNC4, NULL), NFS4ERR_STALE);
}

static void the_answer_waits_for_the_announcement(void **state)
{
        struct fh fh = lab_fh(&client);
        struct lab_io first = { .opnum = OP_WRITE, .count = 5, .data = buffer }, second = first,
                      third = first;

        (void)state;
        lab.mds.hold_push = true;
        lab_io_start(&client, &first, &fh);
        assert_false(lab_io_wait(&first, 100));
        lab_io_start(&client, &second, &fh);
        assert_false(lab_io_wait(&second, 100));
        assert_false(lab_getsize(&lab, &fh).settled);
        lab.mds.hold_push = false;
        fake_mds_release(&lab.mds);
        assert_true(lab_io_wait(&first, 20000) && lab_io_wait(&second, 20000));
        assert_int_equal(fake_pushes(&lab.mds, LAB_FILE, NULL), 1);
        lab_io_start(&client, &third, &fh);
        assert_true(lab_io_wait(&third, 20000));
        assert_int_equal(fake_pushes(&lab.mds, LAB_FILE, NULL), 1);
}

/* The MDS asks for two files; while one is being opened the other is announced: that must not be outlived by
 * "settled". */
static void an_announcement_overtakes_an_answer_that_is_being_made(void **state)
{
        struct fh second = lab_fh(&client);
        ctl_object objects[2] = { { LAB_FILE, LAB_GENERATION, LAB_UNIT, 1, 0, 0 },
                                  { LAB_FILE + 1, LAB_GENERATION, LAB_UNIT, 1, 0, 0 } };
        ctl_getsizes_args args = { .objects.objects_len = 2, .objects.objects_val = objects };
        ctl_getsizes_res res = { 0 };
        struct fake_call call;

        (void)state;
        second.fileid = LAB_FILE + 1;
        assert_int_equal(lab_write(&client, &second, 0, "x", 1, UNSTABLE4, NULL), NFS4_OK);
        fault_disk_hold(lab.fault, DISK_OPEN);
        fake_mds_call(&lab.mds, &call, CTL_GETSIZES, (xdrproc_t)xdr_ctl_getsizes_args, &args,
                      (xdrproc_t)xdr_ctl_getsizes_res, &res);
        assert_false(lab_fake_call_wait(&lab, &call, 50));
        assert_int_equal(lab_write(&client, &second, 1, "x", 1, UNSTABLE4, NULL), NFS4_OK);
        assert_int_equal(fake_pushes(&lab.mds, LAB_FILE + 1, NULL), 2);
        fault_disk_let_go(lab.fault, false);
        assert_true(lab_fake_call_wait(&lab, &call, 20000));
        assert_true(res.sizes.sizes_val[0].settled);
        assert_false(res.sizes.sizes_val[1].settled);
        xdr_free((xdrproc_t)xdr_ctl_getsizes_res, (char *)&res);
}

static void a_push_outlives_the_connection(void **state)
{
        struct fh fh = lab_fh(&client);
        struct lab_io sync = { .opnum = OP_WRITE, .count = 5, .data = buffer, .stable = FILE_SYNC4 };
        struct lab_io unstable = { .opnum = OP_WRITE, .offset = 10, .count = 5, .data = buffer };

        (void)state;
        lab.mds.hold_push = true;
        lab_io_start(&client, &sync, &fh);
        fh.fileid++;
        lab_io_start(&client, &unstable, &fh);
        ds_lab_run(&lab, 100);
        assert_false(sync.done || unstable.done);
        lab.mds.hold_push = false;
        fake_mds_hang_up(&lab.mds);
        assert_true(lab_io_wait(&sync, 20000) && lab_io_wait(&unstable, 20000));
        assert_int_equal(sync.status, NFS4_OK);
        assert_int_equal(unstable.status, NFS4_OK);
        assert_int_equal(fake_file(&lab.mds, LAB_FILE)->size, 5);
        assert_true(fake_file(&lab.mds, LAB_FILE + 1)->dirty);
        fake_mds_release(&lab.mds);
}

static bool has_new_boot(void *arg)
{
        (void)arg;
        return lab.mds.hellos == 2 && lab.ds->trust.state == TRUST_HELD && !lab.ds->hello;
}

static void an_mds_that_has_restarted_is_told_again(void **state)
{
        struct fh fh = lab_fh(&client);

        (void)state;
        assert_int_equal(lab_write(&client, &fh, 0, "x", 1, UNSTABLE4, NULL), NFS4_OK);
        lab.mds.hello.mds_boot++;
        fake_mds_hang_up(&lab.mds);
        assert_true(ds_lab_wait(&lab, has_new_boot, NULL, 20000));
        ds_lab_run(&lab, 50);
        assert_int_equal(lab_write(&client, &fh, 0, "x", 1, UNSTABLE4, NULL), NFS4_OK);
        assert_int_equal(fake_pushes(&lab.mds, LAB_FILE, NULL), 2);
}

/* Also what was written before it started. */
static void a_restarted_server_pushes_what_its_object_has(void **state)
{
        struct fh fh = lab_fh(&client);
        const ctl_push *push;

        (void)state;
        assert_int_equal(lab_write(&client, &fh, 0, NULL, 70000, UNSTABLE4, NULL), NFS4_OK);
        lab_client_stop(&client);
        ds_lab_stop_ds(&lab);
        assert_int_equal(lab.mds.flags & CTL_HB_LEAVING, CTL_HB_LEAVING);
        ds_lab_start_ds(&lab);
        assert_true(memcmp(lab.mds.boot, lab.ds->boot, 8) == 0);
        lab_client_start(&client, &lab, "client 1");
        assert_int_equal(lab_write(&client, &fh, 0, "x", 1, FILE_SYNC4, NULL), NFS4_OK);
        fake_pushes(&lab.mds, LAB_FILE, &push);
        assert_int_equal(push->size, 70000);
        assert_false(push->dirty);
}

static void what_the_mds_cannot_keep_is_not_acknowledged(void **state)
{
        struct fh fh = lab_fh(&client);

        (void)state;
        lab.mds.push_status = CTL_NOSPC;
        assert_int_equal(lab_write(&client, &fh, 0, "x", 1, FILE_SYNC4, NULL), NFS4ERR_NOSPC);
        lab.mds.push_status = CTL_IO;
        assert_int_equal(lab_write(&client, &fh, 0, "x", 1, UNSTABLE4, NULL), NFS4ERR_BAD_STATEID);
        lab.mds.push_status = CTL_OK;
        fake_file(&lab.mds, LAB_FILE)->gone = true;
        assert_int_equal(lab_write(&client, &fh, 0, "x", 1, FILE_SYNC4, NULL), NFS4ERR_STALE);
}

#define TEST(function, how) \
        { \
#function " " #how, function, setup, teardown, &how \
        }

int main(void)
{
        static struct ds_lab_conf one, three = { .workers = 3 }, fault = { .fault = true };
        const struct CMUnitTest tests[] = {
                TEST(after_it_has_asked_the_next_write_announces_again, one),
                TEST(after_it_has_asked_the_next_write_announces_again, three),
                TEST(a_new_epoch_announces_again, one),
                TEST(a_push_does_not_hide_what_was_announced, one),
                TEST(a_push_does_not_hide_what_was_announced, three),
                TEST(synced_writes_are_pushed_once_and_then_announced_once, one),
                TEST(synced_writes_are_pushed_once_and_then_announced_once, three),
                TEST(the_answer_waits_for_the_announcement, one),
                TEST(an_announcement_overtakes_an_answer_that_is_being_made, fault),
                TEST(a_push_outlives_the_connection, one),
                TEST(a_push_outlives_the_connection, three),
                TEST(an_mds_that_has_restarted_is_told_again, one),
                TEST(a_restarted_server_pushes_what_its_object_has, one),
                TEST(what_the_mds_cannot_keep_is_not_acknowledged, one),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
