/* SPDX-License-Identifier: Apache-2.0 */
/* A handle is a capability: for one client, for reading or writing, and nothing else is believed. RFC 8881
 * §13.6, §13.9.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static uint8_t buffer[100];

static enum nfsstat4 run(struct lab_client *c, struct lab_io *io, const struct fh *fh)
{
        lab_io_start(c, io, fh);
        assert_true(lab_io_wait(io, 20000));
        assert_int_equal(io->result, RPC_DONE);
        return io->status;
}

static void a_handle_for_reading_cannot_write(void **state)
{
        struct fh fh = lab_fh(&client);
        uint32_t got;
        bool eof;

        (void)state;
        fh.flags = 0;
        assert_int_equal(lab_write(&client, &fh, 0, "x", 1, UNSTABLE4, NULL), NFS4ERR_ACCESS);
        assert_int_equal(lab_read(&client, &fh, 0, buffer, 1, &got, &eof), NFS4_OK);
}

static void a_handle_of_another_client_is_stale(void **state)
{
        struct fh fh = lab_fh(&client);
        struct lab_client thief;

        (void)state;
        lab_client_start(&thief, &lab, "client 2");
        assert_int_equal(lab_write(&thief, &fh, 0, "x", 1, UNSTABLE4, NULL), NFS4ERR_STALE);
        fh.flags |= FH_PROXY; /* the MDS's own is good in any session: only the MDS can make one */
        assert_int_equal(lab_write(&thief, &fh, 0, "x", 1, UNSTABLE4, NULL), NFS4_OK);
        assert_int_equal(lab_fence(&lab, LAB_FILE, 0, 6, false), CTL_OK);
        assert_int_equal(lab_write(&thief, &fh, 0, "x", 1, UNSTABLE4, NULL), NFS4ERR_BAD_STATEID);
        lab_client_stop(&thief);
}

static void a_forged_handle_is_bad(void **state)
{
        struct fh fh = lab_fh(&client),
                  mds = { .kind = FH_MDS, .export_id = 1, .fileid = 5, .generation = 1 };
        struct lab_io io = { .opnum = OP_COMMIT };

        (void)state;
        lab.handle_key[0] ^= 1;
        assert_int_equal(run(&client, &io, &fh), NFS4ERR_BADHANDLE);
        lab.handle_key[0] ^= 1;
        assert_int_equal(run(&client, &io, &fh), NFS4_OK);
        assert_int_equal(run(&client, &io, &mds), NFS4ERR_BADHANDLE);
        mds = (struct fh){ .kind = FH_MDS, .flags = FH_PSEUDO };
        assert_int_equal(run(&client, &io, &mds), NFS4ERR_BADHANDLE);
}

static void special_stateids_name_nobody(void **state)
{
        struct lab_io anonymous = { .opnum = OP_READ, .count = 1, .data = buffer, .special = true };
        struct lab_io bypass = anonymous, current = anonymous;
        struct fh fh = lab_fh(&client);

        (void)state;
        memset(&bypass.stateid, 0xff, sizeof(bypass.stateid));
        current.stateid.seqid = 1;
        assert_int_equal(run(&client, &anonymous, &fh), NFS4ERR_BAD_STATEID);
        assert_int_equal(run(&client, &bypass, &fh), NFS4ERR_BAD_STATEID);
        assert_int_equal(run(&client, &current, &fh), NFS4ERR_BAD_STATEID);
        fh.flags |= FH_PROXY;
        assert_int_equal(run(&client, &anonymous, &fh), NFS4_OK);
}

static void getattr_tells_nothing_of_size_and_time(void **state)
{
        struct lab_io io = { .opnum = OP_GETATTR };
        struct fh fh = lab_fh(&client);

        (void)state;
        assert_int_equal(run(&client, &io, &fh), NFS4_OK);
        assert_int_equal(io.attrs & (1u << FATTR4_SIZE | 1u << FATTR4_CHANGE), 0);
        assert_true(io.attrs & 1u << FATTR4_TYPE);
}

/* §13.6: what a data server must do, and nothing else of the 4.1 there is. */
static void all_else_is_not_supported(void **state)
{
        static const uint32_t served[] = {
                OP_EXCHANGE_ID,
                OP_CREATE_SESSION,
                OP_BIND_CONN_TO_SESSION,
                OP_BACKCHANNEL_CTL,
                OP_DESTROY_SESSION,
                OP_SEQUENCE,
                OP_DESTROY_CLIENTID,
                OP_RECLAIM_COMPLETE,
                OP_SECINFO_NO_NAME,
                OP_PUTROOTFH,
                OP_PUTFH,
                OP_READ,
                OP_WRITE,
                OP_COMMIT,
                OP_GETATTR,
                OP_TEST_STATEID,
                OP_FREE_STATEID,
        };
        bool is_served[NFS4_OP_LIMIT_MINOR1] = { false };
        struct fh fh = lab_fh(&client);

        (void)state;
        for (size_t i = 0; i < sizeof(served) / sizeof(served[0]); i++)
                is_served[served[i]] = true;
        for (uint32_t opnum = OP_ACCESS; opnum < NFS4_OP_LIMIT_MINOR1; opnum++) {
                struct lab_io io = { .opnum = opnum };

                if (!is_served[opnum])
                        assert_int_equal(run(&client, &io, &fh), NFS4ERR_NOTSUPP);
        }
}

#define TEST(function, how) \
        { \
#function " " #how, function, setup, teardown, &how \
        }

int main(void)
{
        static struct ds_lab_conf one, three = { .workers = 3 };
        const struct CMUnitTest tests[] = {
                TEST(a_handle_for_reading_cannot_write, one),
                TEST(a_handle_of_another_client_is_stale, one),
                TEST(a_handle_of_another_client_is_stale, three),
                TEST(a_forged_handle_is_bad, one),
                TEST(special_stateids_name_nobody, one),
                TEST(getattr_tells_nothing_of_size_and_time, one),
                TEST(all_else_is_not_supported, one),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
