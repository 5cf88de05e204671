/* SPDX-License-Identifier: Apache-2.0 */
/* What is written to a file whose bytes are in S3 is never fetched over, whatever happens; cuts and removals
 * hold against fetches; fetching is no writing. RFC 8881 §18.32, §18.3. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ds/tier/tier.h"
#include "tests/lab/tier_lab.h"

static struct ds_lab lab;
static struct lab_client client;
static uint8_t buffer[2 * LAB_UNIT], ones[2 * LAB_UNIT];

static int setup(void **state)
{
        (void)state;
        tier_lab_begin(&lab, &client, true);
        memset(ones, 0xff, sizeof(ones));
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        lab_client_stop(&client);
        ds_lab_stop(&lab);
        return 0;
}

static struct fake_file *file(void)
{
        return fake_file(&lab.mds, LAB_FILE);
}

/* [OFFSET, OFFSET + COUNT): what was written where it is in [FROM, TO), else what S3 has. */
static void check(uint64_t offset, uint32_t count, uint64_t from, uint64_t to)
{
        struct fh fh = tier_fh(&client);
        uint32_t got;
        bool eof;

        assert_int_equal(lab_read(&client, &fh, offset, buffer, count, &got, &eof), NFS4_OK);
        assert_int_equal(got, count);
        for (uint32_t i = 0; i < count; i++) {
                uint64_t at = offset + i;

                if (buffer[i] != (at >= from && at < to ? 0xff : tier_byte(at)))
                        fail_msg("byte %llu is %u", (unsigned long long)at, buffer[i]);
        }
}

static void a_whole_unit_is_written_without_a_fetch(void **state)
{
        struct fh fh = tier_fh(&client);

        (void)state;
        assert_int_equal(lab_write(&client, &fh, LAB_UNIT, ones, LAB_UNIT, UNSTABLE4, NULL), NFS4_OK);
        /* all that the last unit has below the end */
        assert_int_equal(lab_write(&client, &fh, 9 * LAB_UNIT, ones, LAB_UNIT - 1000, FILE_SYNC4, NULL),
                         NFS4_OK);
        assert_int_equal(tier_gets(&lab), 0);
        check(LAB_UNIT, LAB_UNIT, LAB_UNIT, 2 * LAB_UNIT);
        assert_int_equal(tier_gets(&lab), 0);
}

static void a_part_of_a_unit_is_written_into_what_was_fetched(void **state)
{
        struct fh fh = tier_fh(&client);

        (void)state;
        assert_int_equal(lab_write(&client, &fh, LAB_UNIT + 10, ones, 20, UNSTABLE4, NULL), NFS4_OK);
        assert_int_equal(tier_gets(&lab), 1);
        check(LAB_UNIT, LAB_UNIT, LAB_UNIT + 10, LAB_UNIT + 30);
        /* over the border: the second unit is written whole, of the first a part */
        assert_int_equal(lab_write(&client, &fh, 4 * LAB_UNIT - 10, ones, LAB_UNIT + 10, UNSTABLE4, NULL),
                         NFS4_OK);
        assert_int_equal(tier_gets(&lab), 2);
        check(3 * LAB_UNIT, 2 * LAB_UNIT, 4 * LAB_UNIT - 10, 5 * LAB_UNIT);
}

static void a_write_waits_for_the_fetch_that_is_under_way(void **state)
{
        struct lab_io read = { .opnum = OP_READ, .offset = LAB_UNIT, .count = 100, .data = buffer };
        struct lab_io write = { .opnum = OP_WRITE, .offset = LAB_UNIT, .count = LAB_UNIT, .data = ones };
        struct fh fh = tier_fh(&client);

        (void)state;
        lab.s3.latency_ns = 100000000;
        lab_io_start(&client, &read, &fh);
        ds_lab_run(&lab, 10);
        lab_io_start(&client, &write, &fh);
        assert_true(lab_io_wait(&read, 1000) && lab_io_wait(&write, 1000));
        assert_int_equal(write.status, NFS4_OK);
        tier_settle(&lab);
        check(LAB_UNIT, LAB_UNIT, LAB_UNIT, 2 * LAB_UNIT);
}

static void what_was_committed_is_not_fetched_over_after_a_restart(void **state)
{
        struct fh fh = tier_fh(&client);

        (void)state;
        assert_int_equal(lab_write(&client, &fh, 2 * LAB_UNIT, ones, LAB_UNIT, UNSTABLE4, NULL), NFS4_OK);
        assert_int_equal(lab_commit(&client, &fh, NULL), NFS4_OK);
        assert_true(tier_has_units_file(&lab));
        assert_int_equal(lab_write(&client, &fh, 5 * LAB_UNIT, ones, LAB_UNIT, FILE_SYNC4, NULL), NFS4_OK);
        tier_lab_restart(&lab, &client);
        check(2 * LAB_UNIT, LAB_UNIT, 0, UINT64_MAX);
        check(5 * LAB_UNIT, LAB_UNIT, 0, UINT64_MAX);
        assert_int_equal(tier_gets(&lab), 0);
}

static void bits_get_durable_after_their_data(void **state)
{
        struct lab_io commit = { .opnum = OP_COMMIT };
        struct fh fh = tier_fh(&client);
        uint64_t writes;

        (void)state;
        assert_int_equal(lab_write(&client, &fh, 2 * LAB_UNIT, ones, LAB_UNIT, UNSTABLE4, NULL), NFS4_OK);
        writes = fault_disk_count(lab.fault, DISK_WRITE);
        fault_disk_hold(lab.fault, DISK_SYNC);
        lab_io_start(&client, &commit, &fh);
        ds_lab_wait_held(&lab, 1);
        assert_int_equal(fault_disk_count(lab.fault, DISK_WRITE), writes); /* not of the units */
        fault_disk_let_go(lab.fault, false);
        assert_true(lab_io_wait(&commit, 1000));
        assert_int_equal(commit.status, NFS4_OK);
        assert_int_equal(fault_disk_count(lab.fault, DISK_WRITE), writes + 1);
        assert_int_equal(lab_commit(&client, &fh, NULL), NFS4_OK); /* they are durable already */
        assert_int_equal(fault_disk_count(lab.fault, DISK_WRITE), writes + 1);
}

static void a_commit_whose_units_cannot_be_kept_fails(void **state)
{
        struct fh fh = tier_fh(&client);

        (void)state;
        assert_int_equal(lab_write(&client, &fh, 2 * LAB_UNIT, ones, LAB_UNIT, UNSTABLE4, NULL), NFS4_OK);
        fault_disk_fail(lab.fault, DISK_WRITE, -ENOSPC);
        assert_int_equal(lab_commit(&client, &fh, NULL), NFS4ERR_NOSPC);
        fault_disk_fail(lab.fault, DISK_WRITE, 0);
        assert_int_equal(lab_commit(&client, &fh, NULL), NFS4_OK);
        tier_lab_restart(&lab, &client);
        check(2 * LAB_UNIT, LAB_UNIT, 0, UINT64_MAX);
}

static void a_write_that_fails_leaves_the_unit_in_s3(void **state)
{
        struct fh fh = tier_fh(&client);

        (void)state;
        fault_disk_fail(lab.fault, DISK_WRITE, -ENOSPC);
        assert_int_equal(lab_write(&client, &fh, LAB_UNIT, ones, LAB_UNIT, UNSTABLE4, NULL), NFS4ERR_NOSPC);
        fault_disk_fail(lab.fault, DISK_WRITE, 0);
        check(LAB_UNIT, LAB_UNIT, 0, 0);
        assert_int_equal(tier_gets(&lab), 1);
}

static void fetching_is_no_writing(void **state)
{
        struct fh fh = tier_fh(&client);
        ctl_size size;

        (void)state;
        tier_read(&client, &fh, 0, 100);
        tier_settle(&lab);
        size = lab_getsize(&lab, &fh);
        assert_int_equal(size.mtime_ns, 0);
        assert_true(size.size <= TIER_BYTES);
        assert_int_equal(lab_write(&client, &fh, 10, ones, 10, FILE_SYNC4, NULL), NFS4_OK);
        size = lab_getsize(&lab, &fh);
        assert_true(size.mtime_ns > 0);
        ds_lab_run(&lab, 5000);
        tier_read(&client, &fh, 5 * LAB_UNIT, 100);
        tier_settle(&lab);
        assert_true(lab_getsize(&lab, &fh).mtime_ns <= size.mtime_ns + 1000000000);
        assert_true(lab_getsize(&lab, &fh).mtime_ns > 0);
}

static void what_is_cut_is_not_fetched_any_more(void **state)
{
        struct fh fh = tier_fh(&client);
        uint32_t got;
        bool eof;

        (void)state;
        tier_read(&client, &fh, 0, 100);
        file()->valid = file()->size = 3 * LAB_UNIT + 50;
        assert_int_equal(lab_truncate(&lab, &fh, 3 * LAB_UNIT + 50), CTL_OK);
        file()->size = TIER_BYTES; /* and made longer again */
        assert_int_equal(lab_read(&client, &fh, 3 * LAB_UNIT, buffer, LAB_UNIT, &got, &eof), NFS4_OK);
        assert_int_equal(got, LAB_UNIT);
        for (uint32_t i = 0; i < LAB_UNIT; i++)
                assert_int_equal(buffer[i], i < 50 ? tier_byte(3 * LAB_UNIT + i) : 0);
        assert_int_equal(lab_read(&client, &fh, 6 * LAB_UNIT, buffer, 100, &got, &eof), NFS4_OK);
        assert_int_equal(buffer[0], 0);
        tier_settle(&lab);
        assert_true(tier_gets(&lab) <= 4);
}

static void a_cut_to_nothing_fetches_nothing(void **state)
{
        struct fh fh = tier_fh(&client);

        (void)state;
        file()->valid = file()->size = 0;
        assert_int_equal(lab_truncate(&lab, &fh, 0), CTL_OK);
        assert_int_equal(lab_write(&client, &fh, 100, ones, 100, FILE_SYNC4, NULL), NFS4_OK);
        assert_int_equal(tier_gets(&lab), 0);
}

static void a_cut_during_a_fetch_wins(void **state)
{
        struct lab_io read = { .opnum = OP_READ, .offset = 5 * LAB_UNIT, .count = 100, .data = buffer };
        struct fh fh = tier_fh(&client);

        (void)state;
        lab.s3.latency_ns = 100000000;
        lab_io_start(&client, &read, &fh);
        ds_lab_run(&lab, 20);
        file()->valid = file()->size = 1000;
        assert_int_equal(lab_truncate(&lab, &fh, 1000), CTL_OK);
        assert_true(lab_io_wait(&read, 1000));
        assert_int_equal(read.status, NFS4_OK);
        assert_int_equal(read.got, 0);
        assert_true(read.eof);
        tier_settle(&lab);
        assert_true(lab_getsize(&lab, &fh).size <= 1000);
}

static void a_fetch_does_not_bring_a_removed_file_back(void **state)
{
        struct lab_io read = { .opnum = OP_READ, .offset = 5 * LAB_UNIT, .count = 100, .data = buffer };
        struct fh fh = tier_fh(&client);

        (void)state;
        tier_read(&client, &fh, 0, 100);
        tier_settle(&lab);
        assert_true(tier_has_units_file(&lab));
        lab.s3.latency_ns = 100000000;
        lab_io_start(&client, &read, &fh);
        ds_lab_run(&lab, 20);
        assert_int_equal(lab_remove(&lab, &fh), CTL_OK);
        assert_true(lab_io_wait(&read, 1000));
        assert_int_equal(read.status, NFS4ERR_PNFS_NO_LAYOUT);
        tier_settle(&lab);
        assert_int_equal(lab_getsize(&lab, &fh).status, CTL_NOENT);
        assert_false(tier_has_units_file(&lab));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_whole_unit_is_written_without_a_fetch),
                TEST(a_part_of_a_unit_is_written_into_what_was_fetched),
                TEST(a_write_waits_for_the_fetch_that_is_under_way),
                TEST(what_was_committed_is_not_fetched_over_after_a_restart),
                TEST(bits_get_durable_after_their_data),
                TEST(a_commit_whose_units_cannot_be_kept_fails),
                TEST(a_write_that_fails_leaves_the_unit_in_s3),
                TEST(fetching_is_no_writing),
                TEST(what_is_cut_is_not_fetched_any_more),
                TEST(a_cut_to_nothing_fetches_nothing),
                TEST(a_cut_during_a_fetch_wins),
                TEST(a_fetch_does_not_bring_a_removed_file_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
