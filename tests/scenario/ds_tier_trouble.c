/* SPDX-License-Identifier: Apache-2.0 */
/* When S3 is slow, refuses, or has something else: nobody reads a wrong byte, what is held is bounded, a
 * client is sent to the MDS, and only the MDS is told IO. RFC 8881 §18.22, §13.11. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ds/tier/gate.h"
#include "tests/lab/tier_lab.h"

enum { CLIENT_SLOTS = 64 };

static struct ds_lab lab;
static struct lab_client client;
static uint8_t buffer[LAB_UNIT], other[TIER_BYTES];

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

static enum nfsstat4 read_status(const struct fh *fh)
{
        uint32_t got;
        bool eof;

        return lab_read(&client, fh, LAB_UNIT, buffer, 100, &got, &eof);
}

static struct fh proxy_fh(void)
{
        struct fh fh = tier_fh(&client);

        fh.flags |= FH_PROXY;
        return fh;
}

static void an_object_that_changed_is_lost(void **state)
{
        struct fh fh = tier_fh(&client), proxy = proxy_fh();

        (void)state;
        memset(other, 0xee, sizeof(other));
        s3_model_put(&lab.s3, TIER_PATH, "etag-2", other, sizeof(other));
        assert_int_equal(read_status(&fh), NFS4ERR_BAD_STATEID); /* the MDS says it to the client */
        assert_int_equal(read_status(&proxy), NFS4ERR_IO);
        assert_int_equal(tier_counts(&lab)->lost.value, 1);
        s3_model_delete(&lab.s3, TIER_PATH);
        ds_lab_run(&lab, 10000);
        assert_int_equal(read_status(&proxy), NFS4ERR_IO);
        /* put back, or named anew at the MDS: no restart is needed */
        s3_model_put(&lab.s3, TIER_PATH, "etag-3", other, sizeof(other));
        fake_file(&lab.mds, LAB_FILE)->etag = "etag-3";
        ds_lab_run(&lab, 10000);
        assert_int_equal(read_status(&fh), NFS4_OK);
        assert_int_equal(buffer[0], 0xee);
}

static void an_object_that_ends_too_early_is_lost(void **state)
{
        struct fh proxy = proxy_fh();

        (void)state;
        s3_model_put(&lab.s3, TIER_PATH, "etag-1", other, LAB_UNIT + 10);
        assert_int_equal(read_status(&proxy), NFS4ERR_IO);
}

static void a_store_that_does_not_answer_sends_clients_to_the_mds(void **state)
{
        struct lab_io io = { .opnum = OP_READ, .offset = 0, .count = 100, .data = buffer };
        struct lab_io proxied = { .opnum = OP_READ, .offset = 0, .count = 100, .data = buffer };
        struct fh fh = tier_fh(&client), proxy = proxy_fh();

        (void)state;
        lab.s3.silent = true;
        lab_io_start(&client, &io, &fh);
        lab_io_start(&client, &proxied, &proxy);
        assert_false(lab_io_wait(&io, HOLD_SECONDS * 1000 - 100));
        assert_true(lab_io_wait(&io, 200));
        assert_int_equal(io.status, NFS4ERR_BAD_STATEID);
        assert_false(proxied.done);
        assert_true(lab_io_wait(&proxied, HOLD_PROXY_SECONDS * 1000));
        assert_int_equal(proxied.status, NFS4ERR_DELAY);
        lab.s3.silent = false;
        assert_int_equal(read_status(&fh), NFS4_OK); /* another unit */
        ds_lab_run(&lab, 60000);
        tier_read(&client, &fh, 0, 100);
}

static void a_store_that_is_busy_is_asked_again(void **state)
{
        struct fh fh = tier_fh(&client);

        (void)state;
        lab.s3.status = 503;
        lab.s3.code = "SlowDown";
        lab.s3.failures = 2;
        tier_read(&client, &fh, 0, 100);
        assert_true(atomic_load(&lab.s3.gets) >= 3);
        assert_int_equal(tier_counts(&lab)->lost.value, 0);
}

static void half_of_the_slots_stay_free(void **state)
{
        static struct lab_io ios[CLIENT_SLOTS];
        struct lab_io last = { .opnum = OP_COMMIT };
        struct fh fh = tier_fh(&client);
        uint32_t refused = 0, held = 0;

        (void)state;
        lab.s3.silent = true;
        for (uint32_t i = 0; i < 40; i++) {
                ios[i] = (struct lab_io){
                        .opnum = OP_READ, .offset = i % 8 * LAB_UNIT, .count = 10, .data = buffer
                };
                lab_io_start(&client, &ios[i], &fh);
        }
        ds_lab_run(&lab, 1000);
        for (uint32_t i = 0; i < 40; i++) {
                held += !ios[i].done;
                refused += ios[i].done && ios[i].status == NFS4ERR_BAD_STATEID;
        }
        assert_int_equal(held, tier_counts(&lab)->held.value);
        assert_int_equal(held + refused, 40);
        assert_true(held <= CLIENT_SLOTS / 2 && refused > 0);
        lab_io_start(&client, &last, &fh);
        assert_true(lab_io_wait(&last, 100));
        lab.s3.silent = false;
        for (uint32_t i = 0; i < 40; i++)
                assert_true(lab_io_wait(&ios[i], 20000));
        assert_int_equal(tier_counts(&lab)->held.value, 0);
}

static void keys_that_are_refused_are_asked_for_anew(void **state)
{
        struct fh fh = tier_fh(&client);

        (void)state;
        tier_read(&client, &fh, 0, 100);
        assert_int_equal(lab.mds.repos, 1);
        ds_lab_run(&lab, 20000);
        lab.s3.status = 403;
        lab.s3.code = "AccessDenied";
        lab.s3.failures = 1;
        tier_read(&client, &fh, 5 * LAB_UNIT, 100);
        assert_int_equal(lab.mds.repos, 2);
        assert_int_equal(tier_counts(&lab)->lost.value, 0);
}

static void a_repo_that_is_paused_is_waited_for(void **state)
{
        struct fh fh = tier_fh(&client), proxy = proxy_fh();

        (void)state;
        lab.mds.repo_status = CTL_REFUSED;
        assert_int_equal(read_status(&fh), NFS4ERR_BAD_STATEID);
        assert_int_equal(read_status(&proxy), NFS4ERR_DELAY);
        assert_int_equal(atomic_load(&lab.s3.gets), 0);
        lab.mds.repo_status = CTL_OK;
        ds_lab_run(&lab, 10000);
        assert_int_equal(read_status(&fh), NFS4_OK);
}

static void a_source_that_cannot_be_is_not_believed(void **state)
{
        struct fh proxy = proxy_fh();

        (void)state;
        fake_file(&lab.mds, LAB_FILE)->valid = TIER_BYTES + 1;
        assert_int_equal(read_status(&proxy), NFS4ERR_IO);
        assert_int_equal(atomic_load(&lab.s3.gets), 0);
}

/* With requests at S3, with the MDS and on the way to the disk. */
static void it_stops_while_something_is_held(void **state)
{
        static struct lab_io ios[8];
        struct fh fh = tier_fh(&client);

        (void)state;
        lab.s3.silent = true;
        for (uint32_t i = 0; i < 8; i++) {
                ios[i] = (struct lab_io){
                        .opnum = OP_READ, .offset = i * LAB_UNIT, .count = 10, .data = buffer
                };
                lab_io_start(&client, &ios[i], &fh);
        }
        ds_lab_run(&lab, 100);
        assert_true(tier_counts(&lab)->held.value > 0);
        ds_lab_stop_ds(&lab);
        assert_int_equal(atomic_load(&lab.s3.under_way), 0);
        ds_lab_start_ds(&lab);
        lab.s3.silent = false;
}

static void without_trust_it_is_parked(void **state)
{
        struct lab_io io = { .opnum = OP_READ, .offset = 0, .count = 100, .data = buffer };
        struct fh fh = tier_fh(&client);

        (void)state;
        tier_read(&client, &fh, 5 * LAB_UNIT, 100); /* the MDS was asked, and the repo */
        lab.s3.latency_ns = 4500000000;
        lab_io_start(&client, &io, &fh);
        ds_lab_run(&lab, 100);
        fake_mds_stop(&lab.mds);
        assert_false(lab_io_wait(&io, 4800));
        assert_int_equal(atomic_load(&lab.s3.answers), 2); /* it is here, and not written */
        assert_int_equal(tier_counts(&lab)->fetched_units.value, 1);
        fake_mds_start(&lab.mds, lab.env, &lab.mds_addr, lab.conf.cluster_key);
        assert_true(lab_io_wait(&io, 20000));
        assert_int_equal(io.status, NFS4_OK);
        assert_int_equal(buffer[0], tier_byte(0));
        assert_int_equal(tier_counts(&lab)->fetched_units.value, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(an_object_that_changed_is_lost),
                TEST(an_object_that_ends_too_early_is_lost),
                TEST(a_store_that_does_not_answer_sends_clients_to_the_mds),
                TEST(a_store_that_is_busy_is_asked_again),
                TEST(half_of_the_slots_stay_free),
                TEST(keys_that_are_refused_are_asked_for_anew),
                TEST(a_repo_that_is_paused_is_waited_for),
                TEST(a_source_that_cannot_be_is_not_believed),
                TEST(it_stops_while_something_is_held),
                TEST(without_trust_it_is_parked),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
