/* SPDX-License-Identifier: Apache-2.0 */
/* A READ at a data server ends exactly where the file ends, not where the component does. RFC 8881 §13.10,
 * §18.22. */
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

static uint8_t buffer[4 * LAB_UNIT];

struct expected {
        uint64_t offset;
        uint32_t count, got;
        bool eof, asks;
};

/* SIZE is what the MDS says. */
static void check(const struct fh *fh, uint64_t size, struct expected e)
{
        uint32_t got, asked = lab.mds.eofs;
        bool eof;

        fake_file(&lab.mds, fh->fileid)->size = size;
        memset(buffer, 0xee, sizeof(buffer));
        assert_int_equal(lab_read(&client, fh, e.offset, buffer, e.count, &got, &eof), NFS4_OK);
        assert_int_equal(got, e.got);
        assert_int_equal(eof, e.eof);
        assert_int_equal(lab.mds.eofs - asked, e.asks);
}

static void assert_zeros(uint32_t from, uint32_t to)
{
        for (uint32_t i = from; i < to; i++)
                assert_int_equal(buffer[i], 0);
}

static void inside_the_object_nobody_is_asked(void **state)
{
        struct fh fh = lab_fh(&client);

        (void)state;
        assert_int_equal(lab_write(&client, &fh, 0, NULL, 10000, UNSTABLE4, NULL), NFS4_OK);
        check(&fh, 10000, (struct expected){ 0, 4096, 4096, false, false });
        check(&fh, 10000, (struct expected){ 0, 9999, 9999, false, false });
        check(&fh, 10000,
              (struct expected){ 0, 10000, 10000, true, true }); /* the last byte: it may end here */
        check(&fh, 20000, (struct expected){ 0, 10000, 10000, false, true });
        check(&fh, 10000, (struct expected){ 5, 0, 0, false, false });
}

static void behind_the_object_are_zeros_up_to_the_size(void **state)
{
        struct fh fh = lab_fh(&client);

        (void)state;
        assert_int_equal(lab_write(&client, &fh, 0, NULL, 1000, UNSTABLE4, NULL), NFS4_OK);
        check(&fh, 50000, (struct expected){ 0, 4096, 4096, false, true });
        assert_int_equal(buffer[999], (uint8_t)(999 * 31));
        assert_zeros(1000, 4096);
        check(&fh, 50000, (struct expected){ 40000, 20000, 10000, true, true });
        assert_zeros(0, 10000);
        check(&fh, 1000, (struct expected){ 0, 4096, 1000, true, true });
        check(&fh, 1000, (struct expected){ 1000, 4096, 0, true, true });
        check(&fh, 1000, (struct expected){ 5000000, 4096, 0, true, true });
        check(&fh, 500, (struct expected){ 0, 4096, 500, true, true }); /* cut, and the object not yet */
}

static void a_missing_object_is_a_hole(void **state)
{
        struct fh fh = lab_fh(&client);

        (void)state;
        check(&fh, 0, (struct expected){ 0, 4096, 0, true, true });
        check(&fh, 3000, (struct expected){ 0, 4096, 3000, true, true });
        assert_zeros(0, 3000);
        check(&fh, 8192, (struct expected){ 0, 4096, 4096, false, true });
        check(&fh, 8192, (struct expected){ 4096, 4096, 4096, true, true });
        check(&fh, 8192, (struct expected){ UINT64_MAX - 10, 4096, 0, true, false });
}

/* A pool of two; we are index 0: units 0, 2, 4 … are ours. */
static void with_two_servers_the_component_is_every_other_unit(void **state)
{
        struct fh fh = lab_fh(&client);
        uint32_t got;
        bool eof;

        (void)state;
        assert_int_equal(lab_write(&client, &fh, 0, NULL, LAB_UNIT, UNSTABLE4, NULL), NFS4_OK);
        assert_int_equal(lab_write(&client, &fh, 2 * LAB_UNIT, NULL, 100, UNSTABLE4, NULL), NFS4_OK);
        check(&fh, 2 * LAB_UNIT + 100, (struct expected){ 0, LAB_UNIT, LAB_UNIT, false, false });
        for (uint32_t i = 0; i < LAB_UNIT; i++)
                assert_int_equal(buffer[i], (uint8_t)(i * 31 + i / 4096));
        check(&fh, 2 * LAB_UNIT + 100, (struct expected){ 2 * LAB_UNIT, LAB_UNIT, 100, true, true });
        check(&fh, 3 * LAB_UNIT, (struct expected){ 2 * LAB_UNIT, LAB_UNIT, LAB_UNIT, true, true });
        assert_zeros(100, LAB_UNIT);
        assert_int_equal(lab_read(&client, &fh, LAB_UNIT, buffer, 10, &got, &eof), NFS4ERR_PNFS_NO_LAYOUT);
        assert_int_equal(lab_read(&client, &fh, 10, buffer, LAB_UNIT, &got, &eof), NFS4ERR_PNFS_NO_LAYOUT);
        assert_int_equal(lab_write(&client, &fh, 10, NULL, LAB_UNIT, UNSTABLE4, NULL),
                         NFS4ERR_PNFS_NO_LAYOUT);
        assert_int_equal(lab_write(&client, &fh, LAB_UNIT, NULL, 10, UNSTABLE4, NULL),
                         NFS4ERR_PNFS_NO_LAYOUT);
        fh.first = 1; /* rotated: now the odd ones */
        assert_int_equal(lab_write(&client, &fh, LAB_UNIT, NULL, 10, UNSTABLE4, NULL), NFS4_OK);
        assert_int_equal(lab_write(&client, &fh, 0, NULL, 10, UNSTABLE4, NULL), NFS4ERR_PNFS_NO_LAYOUT);
}

/* What was written and counted by the MDS before it answered is seen, even if the object was missing when we
 * asked. */
static void the_object_is_read_after_the_size_is_known(void **state)
{
        struct fh fh = lab_fh(&client);
        struct lab_io read = { .opnum = OP_READ, .count = 4096, .data = buffer };

        (void)state;
        lab.mds.hold_eof = true;
        lab_io_start(&client, &read, &fh);
        assert_false(lab_io_wait(&read, 50));
        assert_int_equal(lab_write(&client, &fh, 0, "late", 4, FILE_SYNC4, NULL), NFS4_OK);
        fake_mds_release(&lab.mds);
        lab.mds.hold_eof = false;
        assert_true(lab_io_wait(&read, 20000));
        assert_int_equal(read.got, 4);
        assert_true(read.eof);
        assert_memory_equal(buffer, "late", 4);
}

/* The same when it is made by another worker. */
static void what_another_worker_wrote_is_read(void **state)
{
        struct lab_client other;
        struct fh fh = lab_fh(&client), theirs;
        struct lab_io read = { .opnum = OP_READ, .count = 4096, .data = buffer };

        (void)state;
        if (!ds_lab_has_two_doors(&lab))
                skip();
        lab.use_second_door = true;
        lab_client_start(&other, &lab, "client 2");
        theirs = lab_fh(&other);
        lab.mds.hold_eof = true;
        lab_io_start(&client, &read, &fh);
        assert_false(lab_io_wait(&read, 50));
        assert_int_equal(lab_write(&other, &theirs, 0, "late", 4, FILE_SYNC4, NULL), NFS4_OK);
        fake_mds_release(&lab.mds);
        lab.mds.hold_eof = false;
        assert_true(lab_io_wait(&read, 20000));
        assert_int_equal(read.got, 4);
        assert_memory_equal(buffer, "late", 4);
        check(&fh, 4, (struct expected){ 0, 100, 4, true, true });
        assert_int_equal(lab_write(&other, &theirs, 0, NULL, 8192, UNSTABLE4, NULL), NFS4_OK);
        check(&fh, 8192, (struct expected){ 0, 4096, 4096, false, false }); /* it looks before it asks */
        lab_client_stop(&other);
}

static void what_the_mds_cannot_say_goes_through_the_mds(void **state)
{
        struct fh fh = lab_fh(&client);
        uint32_t got;
        bool eof;

        (void)state;
        lab.mds.eof_status = CTL_IO;
        assert_int_equal(lab_read(&client, &fh, 0, buffer, 10, &got, &eof), NFS4ERR_BAD_STATEID);
        lab.mds.eof_status = CTL_OK;
        fake_file(&lab.mds, LAB_FILE)->gone = true;
        assert_int_equal(lab_read(&client, &fh, 0, buffer, 10, &got, &eof), NFS4ERR_STALE);
}

static void asks_of_one_turn_share_a_call_and_a_lost_one_is_asked_again(void **state)
{
        struct lab_io reads[8];
        struct fh fh = lab_fh(&client);

        (void)state;
        fake_file(&lab.mds, LAB_FILE)->size = 100;
        lab.mds.hold_eof = true;
        for (uint32_t i = 0; i < 8; i++) {
                reads[i] = (struct lab_io){ .opnum = OP_READ, .count = 50, .data = buffer };
                lab_io_start(&client, &reads[i], &fh);
        }
        assert_false(lab_io_wait(&reads[0], 50));
        if (lab.how.workers <= 1) /* workers on threads of their own hand asks over one by one, at times */
                assert_true(lab.mds.eofs < 8);
        lab.mds.hold_eof = false;
        fake_mds_hang_up(&lab.mds);
        for (uint32_t i = 0; i < 8; i++) {
                assert_true(lab_io_wait(&reads[i], 20000));
                assert_int_equal(reads[i].status, NFS4_OK);
                assert_int_equal(reads[i].got, 50);
        }
        fake_mds_release(&lab.mds);
}

#define TEST(function, how) \
        { \
#function " " #how, function, setup, teardown, &how \
        }

int main(void)
{
        static struct ds_lab_conf one, three = { .workers = 3 }, wide = { .width = 2 };
        static struct ds_lab_conf doors = { .workers = 3, .two_doors = true };
        const struct CMUnitTest tests[] = {
                TEST(inside_the_object_nobody_is_asked, one),
                TEST(behind_the_object_are_zeros_up_to_the_size, one),
                TEST(behind_the_object_are_zeros_up_to_the_size, three),
                TEST(a_missing_object_is_a_hole, one),
                TEST(with_two_servers_the_component_is_every_other_unit, wide),
                TEST(the_object_is_read_after_the_size_is_known, one),
                TEST(what_another_worker_wrote_is_read, doors),
                TEST(what_the_mds_cannot_say_goes_through_the_mds, one),
                TEST(asks_of_one_turn_share_a_call_and_a_lost_one_is_asked_again, one),
                TEST(asks_of_one_turn_share_a_call_and_a_lost_one_is_asked_again, three),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
