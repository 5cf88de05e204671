/* SPDX-License-Identifier: Apache-2.0 */
/* A READ of what is still in S3 is held until it is here, and gets exactly what S3 has; each unit is fetched
 * once. RFC 8881 §18.22. */
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
static uint8_t buffer[2][4 * LAB_UNIT];

static int setup(void **state)
{
        (void)state;
        tier_lab_begin(&lab, &client, false);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        lab_client_stop(&client);
        ds_lab_stop(&lab);
        return 0;
}

static void a_cold_unit_is_fetched_once(void **state)
{
        struct fh fh = tier_fh(&client);

        (void)state;
        tier_read(&client, &fh, 3 * LAB_UNIT + 100, 5000);
        assert_int_equal(tier_gets(&lab), 1);
        tier_read(&client, &fh, 3 * LAB_UNIT, LAB_UNIT);
        tier_settle(&lab);
        assert_int_equal(tier_gets(&lab), 1);
        assert_int_equal(tier_counts(&lab)->fetched_units.value, 1);
        assert_int_equal(tier_counts(&lab)->fetched_bytes.value, LAB_UNIT);
        assert_int_equal(tier_counts(&lab)->held.value, 0);
        assert_int_equal(tier_counts(&lab)->wait.count, 1);
        assert_int_equal(fake_file(&lab.mds, LAB_FILE)->sources, 1);
        assert_int_equal(lab.mds.repos, 1);
}

static void the_end_is_where_the_file_says(void **state)
{
        struct fh fh = tier_fh(&client);
        uint32_t got;
        bool eof;

        (void)state;
        assert_int_equal(lab_read(&client, &fh, TIER_BYTES - 100, buffer[0], LAB_UNIT, &got, &eof), NFS4_OK);
        assert_int_equal(got, 100);
        assert_true(eof);
        for (uint32_t i = 0; i < got; i++)
                assert_int_equal(buffer[0][i], tier_byte(TIER_BYTES - 100 + i));
        assert_int_equal(lab_read(&client, &fh, TIER_BYTES, buffer[0], 10, &got, &eof), NFS4_OK);
        assert_int_equal(got, 0);
        assert_true(eof);
        assert_int_equal(lab_getsize(&lab, &fh).size, TIER_BYTES);
        fake_file(&lab.mds, LAB_FILE)->size = TIER_BYTES + 5000; /* the file was made longer */
        assert_int_equal(lab_read(&client, &fh, TIER_BYTES - 1, buffer[0], 100, &got, &eof), NFS4_OK);
        assert_int_equal(got, 100);
        assert_false(eof);
        assert_int_equal(buffer[0][0], tier_byte(TIER_BYTES - 1));
        for (uint32_t i = 1; i < got; i++)
                assert_int_equal(buffer[0][i], 0);
}

static void readers_of_one_unit_share_the_fetch(void **state)
{
        struct lab_io a = { .opnum = OP_READ, .offset = 5 * LAB_UNIT, .count = 1000, .data = buffer[0] };
        struct lab_io b = {
                .opnum = OP_READ, .offset = 5 * LAB_UNIT + 9000, .count = 1000, .data = buffer[1]
        };
        struct fh fh = tier_fh(&client);

        (void)state;
        lab_io_start(&client, &a, &fh);
        lab_io_start(&client, &b, &fh);
        assert_true(lab_io_wait(&a, 1000) && lab_io_wait(&b, 1000));
        assert_int_equal(a.status, NFS4_OK);
        assert_int_equal(b.status, NFS4_OK);
        assert_int_equal(tier_gets(&lab), 1);
        assert_int_equal(buffer[0][0], tier_byte(a.offset));
        assert_int_equal(buffer[1][0], tier_byte(b.offset));
}

static void a_read_of_many_units_fetches_them_in_parallel(void **state)
{
        struct lab_io io = {
                .opnum = OP_READ, .offset = 2 * LAB_UNIT - 10, .count = 3 * LAB_UNIT, .data = buffer[0]
        };
        struct fh fh = tier_fh(&client);

        (void)state;
        lab.s3.latency_ns = 100000000;
        lab_io_start(&client, &io, &fh);
        ds_lab_run(&lab, 50);
        assert_true(atomic_load(&lab.s3.under_way) >= 4);
        assert_true(lab_io_wait(&io, 100));
        assert_int_equal(io.got, 3 * LAB_UNIT);
        for (uint32_t i = 0; i < io.got; i++)
                assert_int_equal(buffer[0][i], tier_byte(io.offset + i));
}

static void sequential_reads_find_the_next_unit_fetched(void **state)
{
        struct fh fh = tier_fh(&client);

        (void)state;
        for (uint32_t i = 0; i < TIER_UNITS - 1; i++) {
                tier_read(&client, &fh, i * LAB_UNIT, LAB_UNIT);
                ds_lab_run(&lab, 20);
        }
        tier_settle(&lab);
        assert_int_equal(tier_gets(&lab), TIER_UNITS);
        assert_true(tier_counts(&lab)->prefetched.value >= TIER_UNITS - 2);
        assert_true(tier_counts(&lab)->prefetch_hits.value >= 3);
        assert_true(tier_counts(&lab)->wait.count <= 3);
}

/* Where the repo has a checksum, and the object one of the whole. */
static void a_small_object_is_compared_with_its_checksum(void **state)
{
        static const uint8_t small[] = "123456789";
        struct s3_model_object *o = lab.s3.objects + lab.s3.count;
        struct fake_file *f = tier_file(&lab, LAB_FILE + 1);
        struct lab_io io = { .opnum = OP_READ, .count = 100, .data = buffer[0] };
        struct fh fh = tier_fh(&client);

        (void)state;
        fh.fileid++;
        f->key = "data/small";
        f->size = f->source_size = f->valid = 9;
        s3_model_put(&lab.s3, "/bucket/data/small", "etag-1", small, 9);
        lab.mds.repo.checksum = S3_SUM_CRC64NVME;
        strcpy(o->checksum, "crc64nvme rosUhgp5mIc=");
        lab_io_start(&client, &io, &fh);
        assert_false(lab_io_wait(&io, 2000)); /* it is asked for again and again */
        assert_true(tier_gets(&lab) >= 2);
        strcpy(o->checksum, "crc64nvme rosUhgp5mIg=");
        assert_true(lab_io_wait(&io, 5000));
        assert_int_equal(io.status, NFS4_OK);
        assert_int_equal(io.got, 9);
        assert_memory_equal(buffer[0], small, 9);
}

static void jumping_about_fetches_nothing_else(void **state)
{
        static const uint32_t units[] = { 9, 0, 8, 1 };
        struct fh fh = tier_fh(&client);

        (void)state;
        for (uint32_t i = 0; i < 4; i++)
                tier_read(&client, &fh, (uint64_t)units[i] * LAB_UNIT, 100);
        tier_settle(&lab);
        assert_int_equal(tier_gets(&lab), 4);
}

static void when_all_is_here_the_mds_is_told_once(void **state)
{
        struct fh fh = tier_fh(&client);

        (void)state;
        for (uint32_t i = TIER_UNITS; --i > 0;)
                tier_read(&client, &fh, i * LAB_UNIT, 100);
        tier_settle(&lab);
        assert_int_equal(fake_file(&lab.mds, LAB_FILE)->residents, 0);
        tier_read(&client, &fh, 10, 10);
        tier_settle(&lab);
        assert_int_equal(fake_file(&lab.mds, LAB_FILE)->residents, 1);
        assert_true(tier_has_units_file(&lab));
        tier_read(&client, &fh, 0, 10);
        tier_settle(&lab);
        assert_int_equal(fake_file(&lab.mds, LAB_FILE)->residents, 1);
}

static void what_was_fetched_outlives_a_restart(void **state)
{
        struct fh fh = tier_fh(&client);

        (void)state;
        tier_read(&client, &fh, 2 * LAB_UNIT, 100);
        tier_read(&client, &fh, 6 * LAB_UNIT, 100);
        tier_settle(&lab);
        assert_int_equal(tier_gets(&lab), 2);
        lab_client_stop(&client);
        ds_lab_stop_ds(&lab);
        ds_lab_start_ds(&lab);
        lab_client_start(&client, &lab, "client 1");
        fh = tier_fh(&client);
        tier_read(&client, &fh, 2 * LAB_UNIT, LAB_UNIT);
        tier_read(&client, &fh, 6 * LAB_UNIT, LAB_UNIT);
        assert_int_equal(tier_gets(&lab), 2);
        tier_read(&client, &fh, 4 * LAB_UNIT, 100);
        assert_int_equal(tier_gets(&lab), 3);
}

static void another_source_makes_old_units_void(void **state)
{
        static uint8_t other[TIER_BYTES];
        struct fh fh = tier_fh(&client);
        uint32_t got;
        bool eof;

        (void)state;
        tier_read(&client, &fh, 0, 100);
        tier_settle(&lab);
        lab_client_stop(&client);
        ds_lab_stop_ds(&lab);
        memset(other, 0xee, sizeof(other));
        s3_model_put(&lab.s3, TIER_PATH, "etag-2", other, TIER_BYTES);
        fake_file(&lab.mds, LAB_FILE)->etag = "etag-2";
        ds_lab_start_ds(&lab);
        lab_client_start(&client, &lab, "client 1");
        fh = tier_fh(&client);
        assert_int_equal(lab_read(&client, &fh, 0, buffer[0], 100, &got, &eof), NFS4_OK);
        assert_int_equal(got, 100);
        for (uint32_t i = 0; i < got; i++)
                assert_int_equal(buffer[0][i], 0xee);
}

static void a_file_that_the_mds_calls_whole_costs_no_fetch(void **state)
{
        struct fh fh = tier_fh(&client);

        (void)state;
        fake_file(&lab.mds, LAB_FILE)->key = NULL;
        fake_file(&lab.mds, LAB_FILE)->size = 0;
        assert_int_equal(lab_write(&client, &fh, 0, NULL, 10000, FILE_SYNC4, NULL), NFS4_OK);
        assert_int_equal(tier_gets(&lab), 0);
        assert_false(tier_has_units_file(&lab));
}

static void a_repo_that_moved_is_read_where_it_is_now(void **state)
{
        const struct s3_model_object *there = s3_model_find(&lab.s3, TIER_PATH);
        struct fh first = tier_fh(&client), second = first;

        (void)state;
        tier_read(&client, &first, 0, 100);
        s3_model_put(&lab.s3, "/moved/data/file", "etag-1", there->data, there->size);
        s3_model_delete(&lab.s3, TIER_PATH);
        lab.mds.repo.bucket = "moved";
        lab.mds.repo.revision++;
        second.fileid = LAB_FILE + 1;
        tier_file(&lab, second.fileid);
        tier_read(&client, &second, 0, 100);
        assert_int_equal(lab.mds.repos, 2);
        tier_read(&client, &first, 5 * LAB_UNIT, 100); /* what was asked for before, too */
        assert_int_equal(lab.mds.repos, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_cold_unit_is_fetched_once),
                TEST(the_end_is_where_the_file_says),
                TEST(readers_of_one_unit_share_the_fetch),
                TEST(a_read_of_many_units_fetches_them_in_parallel),
                TEST(sequential_reads_find_the_next_unit_fetched),
                TEST(a_small_object_is_compared_with_its_checksum),
                TEST(jumping_about_fetches_nothing_else),
                TEST(when_all_is_here_the_mds_is_told_once),
                TEST(what_was_fetched_outlives_a_restart),
                TEST(another_source_makes_old_units_void),
                TEST(a_repo_that_moved_is_read_where_it_is_now),
                TEST(a_file_that_the_mds_calls_whole_costs_no_fetch),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
