/* SPDX-License-Identifier: Apache-2.0 */
/* Two clients, on two workers of a data server, read and write files whose bytes are in S3 at random, which
 * answers at times that it is busy; between rounds the data server starts anew. Every byte is the last one
 * written, or what S3 has. RFC 8881 §18.22, §18.32. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lab/tier_lab.h"

enum { FILES = 4, STEPS = 80, OPS = 12, OP_BYTES = 2 * LAB_UNIT, WAIT_MS = 20000 };

struct op {
        struct lab_io io;
        bool busy;
        uint8_t data[OP_BYTES];
};

static struct ds_lab lab;
static struct lab_client clients[2];
static struct op ops[OPS];
static uint8_t expected[TIER_BYTES];
static uint64_t seed, fileid;

static uint32_t random_below(uint32_t n)
{
        return (uint32_t)lab_random_below(&seed, n);
}

static int setup(void **state)
{
        ds_lab_start(&lab, *state);
        lab.use_second_door = false;
        lab_client_start(&clients[0], &lab, "client 1");
        lab.use_second_door = lab.ds_addr6.family != 0;
        lab_client_start(&clients[1], &lab, "client 2");
        memset(ops, 0, sizeof(ops));
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        lab_client_stop(&clients[0]);
        lab_client_stop(&clients[1]);
        ds_lab_stop(&lab);
        return 0;
}

static struct fh handle(uint32_t client)
{
        struct fh fh = tier_fh(&clients[client]);

        fh.fileid = fileid;
        return fh;
}

/* --- operations that overlap are not both under way, unless both read */

static bool is_free(uint32_t opnum, uint64_t offset, uint32_t count)
{
        for (uint32_t i = 0; i < OPS; i++) {
                const struct lab_io *io = &ops[i].io;

                if (ops[i].busy && (opnum == OP_WRITE || io->opnum == OP_WRITE) &&
                    io->offset < offset + count && offset < io->offset + io->count)
                        return false;
        }
        return true;
}

static void take(struct op *op)
{
        struct lab_io *io = &op->io;

        op->busy = false;
        assert_int_equal(io->result, RPC_DONE);
        assert_int_equal(io->status, NFS4_OK);
        if (io->opnum == OP_WRITE) {
                memcpy(expected + io->offset, op->data, io->count);
        } else if (io->opnum == OP_READ) {
                assert_int_equal(io->got, io->count);
                assert_memory_equal(op->data, expected + io->offset, io->count);
        }
}

static void take_done(bool all)
{
        for (uint32_t i = 0; i < OPS; i++) {
                if (ops[i].busy && all)
                        assert_true(lab_io_wait(&ops[i].io, WAIT_MS));
                if (ops[i].busy && ops[i].io.done)
                        take(&ops[i]);
        }
}

static void choose(struct lab_io *io)
{
        uint32_t kind = random_below(8);

        io->opnum = kind < 4 ? OP_READ : kind < 7 ? OP_WRITE : OP_COMMIT;
        io->stable = random_below(4) == 0 ? FILE_SYNC4 : UNSTABLE4;
        io->offset = random_below(TIER_BYTES - 1);
        io->count = 1 + random_below(random_below(3) == 0 ? OP_BYTES : 5000);
        if (random_below(3) == 0) { /* a whole unit */
                io->offset -= io->offset % LAB_UNIT;
                io->count = LAB_UNIT;
        }
        if (io->offset + io->count > TIER_BYTES)
                io->count = (uint32_t)(TIER_BYTES - io->offset);
        if (io->opnum == OP_COMMIT)
                io->offset = io->count = 0;
}

static void step(void)
{
        struct op *op = &ops[random_below(OPS)];
        uint32_t client = random_below(2);
        struct fh fh = handle(client);

        if (!op->busy) {
                memset(&op->io, 0, sizeof(op->io));
                choose(&op->io);
                op->io.data = op->data;
                for (uint32_t i = 0; i < op->io.count && op->io.opnum == OP_WRITE; i++)
                        op->data[i] = (uint8_t)random_below(256);
                if (is_free(op->io.opnum, op->io.offset, op->io.count)) {
                        op->busy = true;
                        lab_io_start(&clients[client], &op->io, &fh);
                }
        }
        if (random_below(3) == 0)
                ds_lab_run(&lab, random_below(4));
        take_done(false);
}

/* --- files and rounds */

static void new_file(void)
{
        tier_file(&lab, ++fileid);
        for (uint64_t i = 0; i < TIER_BYTES; i++)
                expected[i] = tier_byte(i);
}

static void restart(void)
{
        lab_client_stop(&clients[0]);
        lab_client_stop(&clients[1]);
        ds_lab_stop_ds(&lab);
        ds_lab_start_ds(&lab);
        lab.use_second_door = false;
        lab_client_start(&clients[0], &lab, "client 1");
        lab.use_second_door = lab.ds_addr6.family != 0;
        lab_client_start(&clients[1], &lab, "client 2");
}

static void commit_all(void)
{
        struct fh first = handle(0), second = handle(1);

        take_done(true);
        assert_int_equal(lab_commit(&clients[0], &first, NULL), NFS4_OK);
        assert_int_equal(lab_commit(&clients[1], &second, NULL), NFS4_OK);
}

static void read_all(void)
{
        struct fh fh = handle(random_below(2));
        uint32_t got;
        bool eof;

        for (uint64_t at = 0; at < TIER_BYTES; at += got) {
                assert_int_equal(lab_read(&clients[fh.client == clients[1].tag], &fh, at, ops[0].data,
                                          OP_BYTES, &got, &eof),
                                 NFS4_OK);
                assert_true(got > 0);
                assert_memory_equal(ops[0].data, expected + at, got);
        }
        assert_true(eof);
}

static void every_byte_is_what_it_should_be(void **state)
{
        (void)state;
        seed = 4711;
        fileid = LAB_FILE;
        tier_lab_start(&lab);
        lab.s3.latency_ns = 1000000;
        for (uint32_t file = 0; file < FILES; file++) {
                new_file();
                for (uint32_t i = 0; i < STEPS; i++) {
                        if (random_below(20) == 0) {
                                lab.s3.code = "SlowDown";
                                lab.s3.failures = 1 + (int)random_below(3);
                                lab.s3.status = 503;
                        }
                        step();
                }
                commit_all();
                if (file % 2 == 0)
                        restart();
                read_all();
        }
}

int main(void)
{
        static struct ds_lab_conf still = { .virtual_time = true },
                                  three = { .workers = 3, .two_doors = true };
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_prestate_setup_teardown(every_byte_is_what_it_should_be, setup, teardown,
                                                         &still),
                cmocka_unit_test_prestate_setup_teardown(every_byte_is_what_it_should_be, setup, teardown,
                                                         &three),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
