/* SPDX-License-Identifier: Apache-2.0 */
/* In steady state a READ or WRITE costs one request to the disk and no allocation, whatever its size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lab/ds_lab.h"
#include "tests/lab/heap_count.h"

enum { ROUNDS = 50, DEPTH = 16, MIB = 1024 * 1024 };

static struct ds_lab lab;
static struct lab_client client;
static struct lab_io io[DEPTH];
static uint8_t buffer[MIB];

static bool has_rejoined(void *arg)
{
        (void)arg;
        return lab.mds.hellos == 2 && lab.ds->ctl && !lab.ds->hello && lab.mds.conn;
}

static int setup(void **state)
{
        ds_lab_start(&lab, *state);
        lab.mds.hello.heartbeat_ms = 60000; /* TLS and XDR may allocate */
        lab.mds.hello.trust_ms = 120000;
        fake_mds_hang_up(&lab.mds);
        assert_true(ds_lab_wait(&lab, has_rejoined, NULL, 20000));
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

static void round_of(uint32_t opnum, uint32_t size)
{
        struct fh fh = lab_fh(&client);

        for (uint32_t i = 0; i < DEPTH; i++) {
                io[i] = (struct lab_io){ .opnum = opnum, .offset = i * size, .count = size, .data = buffer };
                lab_io_start(&client, &io[i], &fh);
        }
        for (uint32_t i = 0; i < DEPTH; i++) {
                assert_true(lab_io_wait(&io[i], 20000));
                assert_int_equal(io[i].status, NFS4_OK);
        }
}

static void check(uint32_t opnum, enum disk_op op, uint32_t size)
{
        uint64_t allocated, requests;

        for (int i = 0; i < ROUNDS; i++)
                round_of(opnum, size); /* pools grow to what is in flight */
        allocated = heap_count_all();
        requests = fault_disk_count(lab.fault, op);
        for (int i = 0; i < ROUNDS; i++)
                round_of(opnum, size);
        requests = fault_disk_count(lab.fault, op) - requests;
        allocated = heap_count_all() - allocated;
        assert_int_equal(requests, ROUNDS * DEPTH);
        /* None is made for an operation. On a loaded machine more operations than before may be under way at
         * a time, and the pools grow by that once. */
        if (heap_is_counted())
                assert_true(allocated * 10 < requests);
}

static void small_and_large_writes(void **state)
{
        (void)state;
        check(OP_WRITE, DISK_WRITE, 4096);
        check(OP_WRITE, DISK_WRITE, MIB);
}

static void small_and_large_reads(void **state)
{
        struct fh fh = lab_fh(&client);

        (void)state;
        for (int i = 0; i < DEPTH; i++)
                assert_int_equal(lab_write(&client, &fh, (uint64_t)i * MIB, buffer, MIB, UNSTABLE4, NULL),
                                 NFS4_OK);
        assert_int_equal(lab_write(&client, &fh, (uint64_t)DEPTH * MIB, "x", 1, UNSTABLE4, NULL), NFS4_OK);
        check(OP_READ, DISK_READ, 4096);
        check(OP_READ, DISK_READ, MIB);
        assert_int_equal(lab.mds.eofs, 0);
}

int main(void)
{
        static struct ds_lab_conf fault = { .fault = true };
        const struct CMUnitTest tests[] = {
                { "small_and_large_writes", small_and_large_writes, setup, teardown, &fault },
                { "small_and_large_reads", small_and_large_reads, setup, teardown, &fault },
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
