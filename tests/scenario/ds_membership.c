/* SPDX-License-Identifier: Apache-2.0 */
/* Start, stop and membership of a data server: what it keeps in its directory, whom it serves, and that it
 * goes quietly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lab/ds_lab.h"

#include "ds/ctl_client.h"
#include "ds/health.h"

static struct ds_lab lab;

static int setup(void **state)
{
        ds_lab_start(&lab, *state);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        ds_lab_stop(&lab);
        return 0;
}

static bool has_problem(void *arg)
{
        return lab.ds->ctl && strstr(ctl_client_problem(lab.ds->ctl), arg) != NULL;
}

static bool has_ended(void *arg)
{
        (void)arg;
        return lab.ds_ended;
}

static void it_is_the_same_server_after_a_restart(void **state)
{
        uint8_t uuid[16], boot[8];

        (void)state;
        memcpy(uuid, lab.mds.uuid, 16);
        memcpy(boot, lab.mds.boot, 8);
        ds_lab_stop_ds(&lab);
        assert_string_equal(lab.problem, "");
        ds_lab_start_ds(&lab);
        assert_memory_equal(uuid, lab.mds.uuid, 16);
        assert_memory_not_equal(boot, lab.mds.boot, 8);
}

static void a_store_of_another_cluster_is_not_served(void **state)
{
        (void)state;
        lab.mds.hello.fsid[0] ^= 1;
        fake_mds_hang_up(&lab.mds);
        assert_true(ds_lab_wait(&lab, has_problem, (void *)(uintptr_t) "another cluster", 20000));
        ds_lab_stop_ds(&lab);
        lab.how.no_mds = true;
        ds_lab_start_ds(&lab);
        assert_true(ds_lab_wait(&lab, has_problem, (void *)(uintptr_t) "another cluster", 20000));
        ds_lab_run(&lab, 300);
        assert_false(lab.ds->joined);
        assert_true(has_problem((void *)(uintptr_t) "another cluster"));
}

static void two_of_one_directory_are_one_too_many(void **state)
{
        struct ds *first = lab.ds;

        (void)state;
        lab.ds_addr.port = 0;
        lab.how.no_mds = true;
        ds_lab_start_ds(&lab);
        assert_true(ds_lab_wait(&lab, has_ended, NULL, 20000));
        assert_non_null(strstr(lab.problem, "in use"));
        ds_free(lab.ds);
        lab.ds = first;
        lab.ds_ended = false;
}

static void a_store_of_another_version_is_refused(void **state)
{
        char path[128];
        FILE *f;

        (void)state;
        ds_lab_stop_ds(&lab);
        snprintf(path, sizeof(path), "%s/format", lab.store);
        f = fopen(path, "w");
        fputs("nacre-ds 99\n", f);
        fclose(f);
        lab.how.no_mds = true;
        ds_lab_start_ds(&lab);
        assert_true(ds_lab_wait(&lab, has_ended, NULL, 20000));
        assert_non_null(strstr(lab.problem, "nacre-ds 99"));
        assert_non_null(strstr(lab.problem, "nacre-ds 1"));
        ds_free(lab.ds);
        lab.ds = NULL;
}

static bool is_held(void *arg)
{
        (void)arg;
        return lab.ds->trust.state == TRUST_HELD;
}

/* Clients that come before the MDS is there are kept waiting, not turned away and not told anything. */
static void clients_wait_for_the_first_hello(void **state)
{
        struct lab_client client;
        struct fh fh;

        (void)state;
        lab_client_begin(&client, &lab, "early");
        assert_false(lab_client_wait_up(&client, 300));
        assert_non_null(ds_health(lab.ds));
        fake_mds_start(&lab.mds, lab.env, &lab.mds_addr, lab.conf.cluster_key);
        assert_true(ds_lab_wait(&lab, is_held, NULL, 20000));
        assert_null(ds_health(lab.ds));
        assert_true(lab_client_wait_up(&client, 20000));
        fh = lab_fh(&client);
        assert_int_equal(lab_write(&client, &fh, 0, "x", 1, FILE_SYNC4, NULL), NFS4_OK);
        lab_client_stop(&client);
}

static void without_the_cluster_key_nobody_is_heard(void **state)
{
        uint8_t wrong[32] = { 1 };

        (void)state;
        fake_mds_start(&lab.mds, lab.env, &lab.mds_addr, wrong);
        ds_lab_run(&lab, 500);
        assert_int_equal(lab.mds.hellos, 0);
        assert_false(lab.ds->joined);
}

static void it_can_be_stopped_before_it_joined(void **state)
{
        (void)state;
        ds_lab_stop_ds(&lab);
        assert_string_equal(lab.problem, "");
        lab.ds = NULL;
}

static uint8_t buffer[1000];

/* SIGTERM with everything under way: reads, writes that wait for the disk, for the MDS, for nothing. */
static void it_stops_with_io_under_way(void **state)
{
        struct lab_io io[40];
        struct lab_client client;
        struct fh fh;

        (void)state;
        lab_client_start(&client, &lab, "client 1");
        fh = lab_fh(&client);
        assert_int_equal(lab_write(&client, &fh, 0, NULL, 1000, UNSTABLE4, NULL), NFS4_OK);
        lab.mds.hold_push = lab.mds.hold_eof = true;
        for (uint32_t i = 0; i < 40; i++) {
                static const uint32_t ops[] = { OP_READ, OP_WRITE, OP_COMMIT, OP_WRITE };

                io[i] = (struct lab_io){
                        .opnum = ops[i % 4], .count = i % 3 ? 100 : 1000, .data = buffer, .stable = i % 3
                };
                fh.fileid = LAB_FILE + i % 5;
                lab_io_start(&client, &io[i], &fh);
        }
        ds_lab_run(&lab, 1);
        ds_lab_stop_ds(&lab);
        for (uint32_t i = 0; i < 40; i++)
                assert_true(lab_io_wait(&io[i], 20000));
        lab.mds.hold_push = lab.mds.hold_eof = false;
        fake_mds_release(&lab.mds);
        lab_client_stop(&client);
}

#define TEST(function, how) \
        { \
#function " " #how, function, setup, teardown, &how \
        }

int main(void)
{
        static struct ds_lab_conf one, three = { .workers = 3 }, alone = { .no_mds = true },
                                       three_alone = { .workers = 3, .no_mds = true };
        const struct CMUnitTest tests[] = {
                TEST(it_is_the_same_server_after_a_restart, one),
                TEST(it_is_the_same_server_after_a_restart, three),
                TEST(a_store_of_another_cluster_is_not_served, one),
                TEST(two_of_one_directory_are_one_too_many, one),
                TEST(a_store_of_another_version_is_refused, one),
                TEST(clients_wait_for_the_first_hello, alone),
                TEST(clients_wait_for_the_first_hello, three_alone),
                TEST(without_the_cluster_key_nobody_is_heard, alone),
                TEST(it_can_be_stopped_before_it_joined, alone),
                TEST(it_can_be_stopped_before_it_joined, three_alone),
                TEST(it_stops_with_io_under_way, one),
                TEST(it_stops_with_io_under_way, three),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
