/* SPDX-License-Identifier: Apache-2.0 */
/* What is cut stays cut and what is removed stays away, whoever is still reading or writing. RFC 8881 §13.10,
 * §18.30. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ds/mapped.h"
#include "rpc/internal.h"
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

/* TRUNCATE of the first of two objects with units of 4 KiB. */
static ctl_status cut_half(uint64_t size)
{
        ctl_truncate_args args = { .object = { LAB_FILE, LAB_GENERATION, 4096, 2, 0, 0 }, .size = size };
        ctl_result result = { .status = CTL_INVAL };
        struct fake_call call;

        fake_mds_call(&lab.mds, &call, CTL_TRUNCATE, (xdrproc_t)xdr_ctl_truncate_args, &args,
                      (xdrproc_t)xdr_ctl_result, &result);
        assert_true(lab_fake_call_wait(&lab, &call, 5000));
        return result.status;
}

static void truncate_cuts_and_re_extending_shows_no_old_bytes(void **state)
{
        struct fh fh = lab_fh(&client);
        uint32_t got;
        bool eof;

        (void)state;
        assert_int_equal(lab_truncate(&lab, &fh, 0), CTL_OK); /* there is no object */
        assert_int_equal(lab_write(&client, &fh, 0, NULL, 10000, FILE_SYNC4, NULL), NFS4_OK);
        assert_int_equal(cut_half(23000), CTL_OK); /* of which the last byte lies elsewhere: never longer */
        assert_int_equal(lab_getsize(&lab, &fh).size, 10000);
        assert_int_equal(lab_truncate(&lab, &fh, 20000), CTL_OK); /* its last byte is here */
        assert_int_equal(lab_getsize(&lab, &fh).size, 20000);
        assert_int_equal(lab_truncate(&lab, &fh, INT64_MAX), CTL_OK); /* no disk is as large */
        assert_int_equal(lab_getsize(&lab, &fh).size, 20000);
        assert_int_equal(lab_truncate(&lab, &fh, 5000), CTL_OK);
        assert_int_equal(lab_getsize(&lab, &fh).size, 5000);
        assert_int_equal(lab_write(&client, &fh, 9000, "end", 3, FILE_SYNC4, NULL), NFS4_OK);
        fake_file(&lab.mds, LAB_FILE)->size = 9003;
        assert_int_equal(lab_read(&client, &fh, 0, buffer, 10000, &got, &eof), NFS4_OK);
        assert_int_equal(got, 9003);
        assert_true(eof);
        assert_int_equal(buffer[4999], (uint8_t)(4999u * 31 + 1));
        for (int i = 5000; i < 9000; i++)
                assert_int_equal(buffer[i], 0);
}

static void a_write_during_a_truncate_comes_after_it(void **state)
{
        struct fh fh = lab_fh(&client);
        struct lab_io old = { .opnum = OP_WRITE, .offset = 6000, .count = 5, .data = buffer };
        struct lab_io late = { .opnum = OP_WRITE, .offset = 8000, .count = 5, .data = buffer };
        ctl_truncate_args args = { .object = { LAB_FILE, LAB_GENERATION, LAB_UNIT, 1, 0, 0 }, .size = 1000 };
        ctl_result result = { .status = CTL_INVAL };
        struct fake_call call;

        (void)state;
        assert_int_equal(lab_write(&client, &fh, 0, NULL, 5000, UNSTABLE4, NULL), NFS4_OK);
        fault_disk_hold(lab.fault, DISK_WRITE);
        lab_io_start(&client, &old, &fh);
        ds_lab_wait_held(&lab, 1);
        fake_mds_call(&lab.mds, &call, CTL_TRUNCATE, (xdrproc_t)xdr_ctl_truncate_args, &args,
                      (xdrproc_t)xdr_ctl_result, &result);
        assert_false(lab_fake_call_wait(&lab, &call, 50));
        lab_io_start(&client, &late, &fh);
        assert_false(lab_io_wait(&late, 50));
        assert_int_equal(fault_disk_held(lab.fault), 1); /* the late one is held by us */
        assert_int_equal(fault_disk_count(lab.fault, DISK_TRUNCATE), 0);
        fault_disk_let_go(lab.fault, false);
        assert_true(lab_io_wait(&old, 20000) && lab_fake_call_wait(&lab, &call, 20000) &&
                    lab_io_wait(&late, 20000));
        assert_int_equal(result.status, CTL_OK);
        assert_int_equal(lab_getsize(&lab, &fh).size, 8005);
        assert_int_equal(lab_truncate(&lab, &fh, 1000), CTL_OK);
        assert_int_equal(lab_getsize(&lab, &fh).size, 1000);
}

static bool pushed_again(void *arg)
{
        (void)arg;
        return lab.mds.push_calls == 2;
}

/* It goes once more when its connection breaks: then it tells of what the cut has left. */
/* --- what is sent out of the page cache */

enum { LARGE = 1 << 20, LARGES = 16 /* more than two sockets take */ };

static bool something_waits_to_be_sent(void *arg)
{
        (void)arg;
        return !list_empty(&lab.ds->workers[0]->mapped);
}

static void client_listens(const struct lab_io *io, unsigned events)
{
        struct stream *stream = io->call.rpc.conn->stream;

        stream->ops->want(stream, events);
}

static void a_reply_that_is_being_sent_keeps_its_bytes(void **state)
{
        struct fh fh = lab_fh(&client);
        struct lab_io reads[LARGES] = { 0 };
        uint8_t *data = malloc((size_t)LARGES * LARGE);

        (void)state;
        assert_non_null(data);
        for (uint32_t i = 0; i <= LARGES; i++)
                assert_int_equal(lab_write(&client, &fh, (uint64_t)i * LARGE, NULL, LARGE, UNSTABLE4, NULL),
                                 NFS4_OK);
        for (uint32_t i = 0; i < LARGES; i++) {
                reads[i] = (struct lab_io){ .opnum = OP_READ,
                                            .offset = (uint64_t)i * LARGE,
                                            .count = LARGE,
                                            .data = data + i * LARGE };
                lab_io_start(&client, &reads[i], &fh);
        }
        assert_true(ds_lab_wait(&lab, something_waits_to_be_sent, NULL, 5000));
        client_listens(&reads[LARGES - 1], 0);
        assert_int_equal(lab_truncate(&lab, &fh, 0), CTL_OK);
        assert_false(something_waits_to_be_sent(NULL)); /* but for copies */
        assert_false(reads[LARGES - 1].done);
        client_listens(&reads[LARGES - 1], STREAM_READ);
        for (uint32_t i = 0; i < LARGES; i++) {
                assert_true(lab_io_wait(&reads[i], 5000));
                assert_int_equal(reads[i].status, NFS4_OK);
                assert_int_equal(reads[i].got, LARGE);
        }
        for (uint32_t i = 0; i < LARGES * LARGE; i++)
                if (data[i] != (uint8_t)(i * 31 + i / 4096))
                        fail_msg("byte %u is %u", i, data[i]);
        free(data);
}

static void a_push_from_before_a_cut_does_not_undo_it(void **state)
{
        struct fh fh = lab_fh(&client);
        struct lab_io write = { .opnum = OP_WRITE, .count = 5000, .stable = FILE_SYNC4, .data = buffer };
        const ctl_push *last;

        (void)state;
        lab.mds.hold_push = true;
        lab_io_start(&client, &write, &fh);
        assert_false(lab_io_wait(&write, 100));
        assert_int_equal(lab.mds.push_calls, 1);
        assert_int_equal(lab_truncate(&lab, &fh, 1000), CTL_OK);
        lab.mds.hold_push = false;
        fake_mds_hang_up(&lab.mds);
        assert_true(ds_lab_wait(&lab, pushed_again, NULL, 20000));
        assert_int_equal(fake_pushes(&lab.mds, LAB_FILE, &last), 1); /* the first is still unanswered */
        assert_int_equal(last->size, 1000);
        assert_true(lab_io_wait(&write, 20000));
        assert_int_equal(write.status, NFS4_OK);
}

static void a_removed_object_is_gone_and_does_not_come_back(void **state)
{
        struct fh fh = lab_fh(&client);
        char path[128], name[STORE_PATH];

        (void)state;
        object_path(LAB_FILE, LAB_GENERATION, name);
        snprintf(path, sizeof(path), "%s/%s", lab.store, name);
        assert_int_equal(lab_write(&client, &fh, 0, NULL, 10000, FILE_SYNC4, NULL), NFS4_OK);
        assert_int_equal(access(path, F_OK), 0);
        assert_int_equal(lab_remove(&lab, &fh), CTL_OK);
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(lab_remove(&lab, &fh), CTL_OK);
        assert_int_equal(lab_write(&client, &fh, 0, "late", 4, UNSTABLE4, NULL), NFS4ERR_PNFS_NO_LAYOUT);
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(lab_getsize(&lab, &fh).status, CTL_NOENT);
}

static void a_remove_waits_for_those_who_use_the_object(void **state)
{
        struct fh fh = lab_fh(&client);
        struct lab_io read = { .opnum = OP_READ, .count = 100, .data = buffer };
        ctl_object object = { LAB_FILE, LAB_GENERATION, LAB_UNIT, 1, 0, 0 };
        ctl_remove_args args = { .objects.objects_len = 1, .objects.objects_val = &object };
        ctl_statuses first_result = { 0 }, second_result = { 0 };
        struct fake_call first, second;

        (void)state;
        assert_int_equal(lab_write(&client, &fh, 0, NULL, 10000, UNSTABLE4, NULL), NFS4_OK);
        fault_disk_hold(lab.fault, DISK_READ);
        lab_io_start(&client, &read, &fh);
        ds_lab_wait_held(&lab, 1);
        fake_mds_call(&lab.mds, &first, CTL_REMOVE, (xdrproc_t)xdr_ctl_remove_args, &args,
                      (xdrproc_t)xdr_ctl_statuses, &first_result);
        fake_mds_call(&lab.mds, &second, CTL_REMOVE, (xdrproc_t)xdr_ctl_remove_args, &args,
                      (xdrproc_t)xdr_ctl_statuses, &second_result);
        assert_false(lab_fake_call_wait(&lab, &first, 50));
        assert_int_equal(fault_disk_count(lab.fault, DISK_UNLINK), 0);
        fault_disk_let_go(lab.fault, false);
        assert_true(lab_io_wait(&read, 20000));
        assert_int_equal(read.got, 100);
        assert_true(lab_fake_call_wait(&lab, &first, 1000) && lab_fake_call_wait(&lab, &second, 20000));
        assert_int_equal(first_result.statuses.statuses_val[0], CTL_OK);
        assert_int_equal(second_result.statuses.statuses_val[0], CTL_OK);
        xdr_free((xdrproc_t)xdr_ctl_statuses, (char *)&first_result);
        xdr_free((xdrproc_t)xdr_ctl_statuses, (char *)&second_result);
}

#define TEST(function, how) \
        { \
#function " " #how, function, setup, teardown, &how \
        }

int main(void)
{
        static struct ds_lab_conf one, three = { .workers = 3 }, fault = { .fault = true };
        const struct CMUnitTest tests[] = {
                TEST(truncate_cuts_and_re_extending_shows_no_old_bytes, one),
                TEST(truncate_cuts_and_re_extending_shows_no_old_bytes, three),
                TEST(a_write_during_a_truncate_comes_after_it, fault),
                TEST(a_reply_that_is_being_sent_keeps_its_bytes, one),
                TEST(a_push_from_before_a_cut_does_not_undo_it, one),
                TEST(a_removed_object_is_gone_and_does_not_come_back, one),
                TEST(a_removed_object_is_gone_and_does_not_come_back, three),
                TEST(a_remove_waits_for_those_who_use_the_object, fault),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
