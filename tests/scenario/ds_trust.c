/* SPDX-License-Identifier: Apache-2.0 */
/* A data server that does not hear the MDS parks I/O, then closes its clients' connections, and comes back by
 * itself. RFC 8881 §12.7.4, §13.11; LINUX-CLIENT §2.12: a silent data server hangs a client for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ds/ctl_client.h"
#include "tests/lab/ds_lab.h"

enum { PARK_MS = 1500 };

static struct ds_lab lab;
static struct lab_client client;

/* The second HELLO was taken: heartbeats go on. */
static bool is_beating(void *arg)
{
        (void)arg;
        return lab.mds.hellos == 2 && lab.mds.heartbeats > 0 && !lab.ds->hello;
}

static int setup(void **state)
{
        ds_lab_start(&lab, *state);
        lab.ds->trust.park_ns = PARK_MS * 1000000ull;
        lab.mds.hello.trust_ms = 800; /* from the next HELLO on */
        lab.mds.hello.heartbeat_ms = 50;
        lab.mds.heartbeats = 0;
        fake_mds_hang_up(&lab.mds);
        assert_true(ds_lab_wait(&lab, is_beating, NULL, 20000));
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

static bool is_lost(void *arg)
{
        (void)arg;
        return lab.ds->trust.state == TRUST_LOST;
}

static bool is_held(void *arg)
{
        (void)arg;
        return lab.ds->trust.state == TRUST_HELD;
}

static bool is_closed(void *arg)
{
        (void)arg;
        return lab.ds->trust.state == TRUST_CLOSED;
}

static bool are_three_busy(void *arg)
{
        (void)arg;
        return lab.ds->workers[0]->busy == 3;
}

static bool is_idle(void *arg)
{
        (void)arg;
        return lab.ds->workers[0]->busy == 0;
}

static uint8_t buffer[100];

static void stop_mds(void)
{
        fake_mds_stop(&lab.mds);
        assert_true(ds_lab_wait(&lab, is_lost, NULL, 20000));
}

static void start_mds(void)
{
        fake_mds_start(&lab.mds, lab.env, &lab.mds_addr, lab.conf.cluster_key);
}

static void io_waits_for_an_mds_that_is_back_soon(void **state)
{
        struct fh fh = lab_fh(&client);
        struct lab_io write = { .opnum = OP_WRITE, .count = 5, .data = buffer, .stable = FILE_SYNC4 };
        struct lab_io read = { .opnum = OP_READ, .count = 5, .data = buffer },
                      commit = { .opnum = OP_COMMIT };

        (void)state;
        stop_mds();
        lab_io_start(&client, &write, &fh);
        lab_io_start(&client, &read, &fh);
        lab_io_start(&client, &commit, &fh);
        ds_lab_run(&lab, 100);
        assert_false(write.done || read.done || commit.done);
        start_mds();
        assert_true(lab_io_wait(&write, 20000) && lab_io_wait(&read, 20000) && lab_io_wait(&commit, 20000));
        assert_int_equal(write.status, NFS4_OK);
        assert_int_equal(read.status, NFS4_OK);
        assert_int_equal(commit.status, NFS4_OK);
        assert_int_equal(fake_pushes(&lab.mds, LAB_FILE, NULL), 1);
}

static void parked_io_meets_the_fences_that_came_meanwhile(void **state)
{
        struct fh fh = lab_fh(&client);
        struct lab_io write = { .opnum = OP_WRITE, .count = 5, .data = buffer, .stable = FILE_SYNC4 };

        (void)state;
        stop_mds();
        lab_io_start(&client, &write, &fh);
        ds_lab_run(&lab, 50);
        lab.mds.hello.mds_boot = 2;
        lab.mds.hello.floor = 6;
        start_mds();
        assert_true(lab_io_wait(&write, 20000));
        assert_int_equal(write.status, NFS4ERR_PNFS_NO_LAYOUT);
}

static void clients_are_closed_when_it_takes_long_and_served_again_later(void **state)
{
        struct fh fh = lab_fh(&client);
        struct lab_io write = { .opnum = OP_WRITE, .count = 5, .data = buffer, .stable = FILE_SYNC4 };
        struct lab_client second;

        (void)state;
        stop_mds();
        lab_io_start(&client, &write, &fh);
        assert_true(lab_io_wait(&write, 20000));
        assert_int_equal(write.result, RPC_LOST);
        assert_true(is_closed(NULL));
        assert_false(client.up);
        assert_int_equal(lab.ds->workers[0]->busy, 0);

        lab_client_begin(&second, &lab, "client 2"); /* refused: nobody listens */
        ds_lab_run(&lab, 300);
        assert_false(second.up);
        start_mds();
        assert_true(ds_lab_wait(&lab, is_held, NULL, 20000));
        assert_true(lab_client_wait_up(&second, 20000));
        assert_true(lab_client_wait_up(&client, 20000));
        assert_int_equal(lab_write(&client, &fh, 0, "back", 4, FILE_SYNC4, NULL), NFS4_OK);
        lab_client_stop(&second);
}

/* It is connected, but heartbeats are not answered as they should be. */
static void an_mds_that_answers_wrongly_is_no_ground_for_trust(void **state)
{
        (void)state;
        lab.mds.mute = true;
        lab.mds.hello_status = CTL_REFUSED;
        assert_true(ds_lab_wait(&lab, is_lost, NULL, 20000));
        assert_non_null(strstr(ctl_client_problem(lab.ds->ctl), "refuses"));
        lab.mds.mute = false;
        lab.mds.hello_status = CTL_OK;
        assert_true(ds_lab_wait(&lab, is_held, NULL, 20000));
}

static void a_write_that_waits_for_the_mds_ends_when_clients_are_closed(void **state)
{
        struct fh fh = lab_fh(&client);
        struct lab_io sync = { .opnum = OP_WRITE, .count = 5, .data = buffer, .stable = FILE_SYNC4 };
        struct lab_io unstable = { .opnum = OP_WRITE, .count = 5, .data = buffer };
        struct lab_io read = { .opnum = OP_READ, .offset = 1000, .count = 5, .data = buffer };

        (void)state;
        lab.mds.hold_push = lab.mds.hold_eof = true;
        lab_io_start(&client, &sync, &fh);
        lab_io_start(&client, &unstable, &fh);
        lab_io_start(&client, &read, &fh);
        assert_true(ds_lab_wait(&lab, are_three_busy, NULL, 20000));
        stop_mds();
        assert_true(lab_io_wait(&sync, 20000) && lab_io_wait(&unstable, 20000) && lab_io_wait(&read, 20000));
        assert_int_equal(sync.result, RPC_LOST);
        assert_true(ds_lab_wait(&lab, is_idle, NULL, 20000));
        lab.mds.hold_push = lab.mds.hold_eof = false;
        start_mds();
        assert_true(lab_client_wait_up(&client, 20000));
        assert_int_equal(lab_write(&client, &fh, 0, "back", 4, UNSTABLE4, NULL), NFS4_OK);
}

#define TEST(function, how) \
        { \
#function " " #how, function, setup, teardown, &how \
        }

int main(void)
{
        static struct ds_lab_conf one = { .virtual_time = true }, three = { .workers = 3 };
        const struct CMUnitTest tests[] = {
                TEST(io_waits_for_an_mds_that_is_back_soon, one),
                TEST(io_waits_for_an_mds_that_is_back_soon, three),
                TEST(parked_io_meets_the_fences_that_came_meanwhile, one),
                TEST(parked_io_meets_the_fences_that_came_meanwhile, three),
                TEST(clients_are_closed_when_it_takes_long_and_served_again_later, one),
                TEST(an_mds_that_answers_wrongly_is_no_ground_for_trust, one),
                TEST(a_write_that_waits_for_the_mds_ends_when_clients_are_closed, one),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
