/* SPDX-License-Identifier: Apache-2.0 */
/* A bad or full disk costs a client its layout or tells it NOSPC, never IO; lost unstable data shows in the
 * verifier. RFC 8881 §15.1, §18.32; LINUX-CLIENT §2.11. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ds/health.h"
#include "tests/lab/ds_lab.h"

#include <errno.h>

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

static bool is_failing(void *arg)
{
        (void)arg;
        return lab.mds.flags & CTL_HB_FAILING;
}

static bool is_full(void *arg)
{
        (void)arg;
        return lab.mds.flags & CTL_HB_FULL;
}

static enum nfsstat4 write_with(int error)
{
        struct fh fh = lab_fh(&client);

        fault_disk_fail(lab.fault, DISK_WRITE, error);
        return lab_write(&client, &fh, 0, "x", 1, FILE_SYNC4, NULL);
}

static void a_full_disk_is_nospc(void **state)
{
        const ctl_push *push;

        (void)state;
        assert_int_equal(fake_pushes(&lab.mds, LAB_FILE, &push), 0);
        assert_int_equal(write_with(-ENOSPC), NFS4ERR_NOSPC);
        assert_int_equal(fake_pushes(&lab.mds, LAB_FILE, &push), 1);
        assert_true(push->dirty); /* of the empty object: it is to go with the file */
        assert_int_equal(write_with(-EDQUOT), NFS4ERR_DQUOT);
        assert_int_equal(write_with(-EFBIG), NFS4ERR_FBIG);
        assert_int_equal(write_with(-ENOMEM), NFS4ERR_BAD_STATEID);
        assert_false(is_failing(NULL));
        assert_int_equal(write_with(0), NFS4_OK);
}

static void a_bad_medium_takes_the_layout_and_the_mds_hears_of_it(void **state)
{
        struct fh fh = lab_fh(&client);
        uint32_t got;
        bool eof;

        (void)state;
        assert_int_equal(lab_write(&client, &fh, 0, NULL, 1000, UNSTABLE4, NULL), NFS4_OK);
        fault_disk_fail(lab.fault, DISK_READ, -EIO);
        assert_int_equal(lab_read(&client, &fh, 0, buffer, 10, &got, &eof), NFS4ERR_PNFS_NO_LAYOUT);
        assert_true(ds_lab_wait(&lab, is_failing, NULL, 20000));
        assert_string_equal(ds_health(lab.ds), "the disk answers with errors");
        assert_int_equal(write_with(-EIO), NFS4ERR_PNFS_NO_LAYOUT);
        fault_disk_fail(lab.fault, DISK_OPEN, -EIO);
        fh.fileid++;
        assert_int_equal(lab_read(&client, &fh, 0, buffer, 10, &got, &eof), NFS4ERR_PNFS_NO_LAYOUT);
        fault_disk_fail(lab.fault, DISK_OPEN, -EMFILE);
        assert_int_equal(lab_read(&client, &fh, 0, buffer, 10, &got, &eof), NFS4ERR_BAD_STATEID);
}

static void a_failed_sync_changes_the_verifier(void **state)
{
        struct fh fh = lab_fh(&client);
        struct lab_io write = { .opnum = OP_WRITE, .count = 5, .data = buffer };
        uint64_t verifier;

        (void)state;
        lab_io_start(&client, &write, &fh);
        assert_true(lab_io_wait(&write, 20000));
        assert_int_equal(lab_commit(&client, &fh, &verifier), NFS4_OK);
        assert_int_equal(verifier, write.verifier);
        fault_disk_fail(lab.fault, DISK_SYNC, -EIO);
        assert_int_equal(lab_commit(&client, &fh, NULL), NFS4ERR_PNFS_NO_LAYOUT);
        fault_disk_fail(lab.fault, DISK_SYNC, 0);
        assert_int_equal(lab_commit(&client, &fh, &verifier), NFS4_OK);
        assert_int_not_equal(verifier, write.verifier);
}

/* The kernel tells of a failed write-back once: the sync that hears of it may be a WRITE's of FILE_SYNC4. */
static void a_write_that_began_before_the_failure_shows_the_old_verifier(void **state)
{
        struct fh fh = lab_fh(&client), other = fh;
        struct lab_io write = { .opnum = OP_WRITE, .count = 5, .data = buffer };
        uint64_t verifier;

        (void)state;
        other.fileid++;
        assert_int_equal(lab_write(&client, &fh, 0, "x", 1, UNSTABLE4, NULL), NFS4_OK);
        fault_disk_hold(lab.fault, DISK_WRITE);
        lab_io_start(&client, &write, &fh);
        ds_lab_wait_held(&lab, 1);
        fault_disk_fail(lab.fault, DISK_SYNC, -EIO);
        assert_int_equal(lab_commit(&client, &fh, NULL), NFS4ERR_PNFS_NO_LAYOUT);
        fault_disk_fail(lab.fault, DISK_SYNC, 0);
        fault_disk_let_go(lab.fault, false);
        assert_true(lab_io_wait(&write, 20000));
        assert_int_equal(lab_commit(&client, &fh, &verifier), NFS4_OK);
        assert_int_not_equal(verifier, write.verifier);
}

static void a_truncate_that_fails_says_so(void **state)
{
        struct fh fh = lab_fh(&client);

        (void)state;
        assert_int_equal(lab_write(&client, &fh, 0, NULL, 1000, UNSTABLE4, NULL), NFS4_OK);
        fault_disk_fail(lab.fault, DISK_TRUNCATE, -EIO);
        assert_int_equal(lab_truncate(&lab, &fh, 10), CTL_IO);
        fault_disk_fail(lab.fault, DISK_TRUNCATE, 0);
        fault_disk_fail(lab.fault, DISK_UNLINK, -EIO);
        assert_int_equal(lab_remove(&lab, &fh), CTL_IO);
        fault_disk_fail(lab.fault, DISK_UNLINK, 0);
        assert_int_equal(lab_remove(&lab, &fh), CTL_OK);
}

static void a_store_that_fails_while_it_stops_keeps_it_from_nothing(void **state)
{
        (void)state;
        ds_lab_stop_ds(&lab);
        lab.how.no_mds = true;
        ds_lab_start_ds(&lab);
        fault_disk_hold(lab.fault, DISK_OPEN);
        ds_lab_wait_held(&lab, 1);
        ds_stop(lab.ds);
        fault_disk_fail(lab.fault, DISK_READ, -EIO);
        fault_disk_let_go(lab.fault, false);
        ds_lab_stop_ds(&lab);
        assert_non_null(strstr(lab.problem, "cannot be used"));
}

static void below_the_reserve_it_says_full(void **state)
{
        (void)state;
        assert_false(is_full(NULL));
        lab.conf.reserve_bytes = UINT64_MAX;
        assert_true(ds_lab_wait(&lab, is_full, NULL, 20000));
}

/* A disk of 64 MiB, of which 4 are kept back. */
static void the_last_room_is_not_for_data(void **state)
{
        static char data[LAB_UNIT];
        struct fh fh = lab_fh(&client);
        uint32_t used = 0;
        enum nfsstat4 status;

        (void)state;
        lab.conf.reserve_bytes = LAB_UNIT;
        do {
                fh.fileid += used % MEMORY_FILE_MAX == 0;
                status = lab_write(&client, &fh, used % MEMORY_FILE_MAX, data, LAB_UNIT, UNSTABLE4, NULL);
                used += LAB_UNIT;
        } while (status == NFS4_OK);
        assert_int_equal(status, NFS4ERR_NOSPC);
        assert_in_range(used, MEMORY_FILES_MAX / 16 * 15 - LAB_UNIT, MEMORY_FILES_MAX / 16 * 15);
        assert_true(ds_lab_wait(&lab, is_full, NULL, 20000));
        assert_int_equal(lab_write(&client, &fh, 0, "y", 1, FILE_SYNC4, NULL), NFS4_OK); /* no longer */
        fh.fileid++;
        assert_int_equal(lab_space(&lab, &fh, CTL_ALLOCATE, 0, LAB_UNIT), CTL_NOSPC);
        fh.fileid--;
        assert_int_equal(lab_remove(&lab, &fh), CTL_OK);
        fh.fileid++;
        assert_int_equal(lab_write(&client, &fh, 0, "x", 1, FILE_SYNC4, NULL), NFS4_OK);
}

static void room_that_there_is_not_or_cannot_be_had(void **state)
{
        static const struct {
                int error;
                ctl_status status;
        } cases[] = { { -ENOSPC, CTL_NOSPC }, { -EOPNOTSUPP, CTL_NOTSUPP }, { -EIO, CTL_IO } };
        struct fh fh = lab_fh(&client);

        (void)state;
        assert_int_equal(lab_space(&lab, &fh, CTL_DEALLOCATE, 0, 100), CTL_OK); /* there is no object */
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                fault_disk_fail(lab.fault, DISK_ALLOCATE, cases[i].error);
                assert_int_equal(lab_space(&lab, &fh, CTL_ALLOCATE, 0, 100), cases[i].status);
        }
        fault_disk_fail(lab.fault, DISK_ALLOCATE, 0);
        assert_int_equal(lab_space(&lab, &fh, CTL_ALLOCATE, 0, INT64_MAX), CTL_NOSPC);
        assert_int_equal(lab_space(&lab, &fh, CTL_ALLOCATE, 0, 100), CTL_OK);
        assert_int_equal(lab_getsize(&lab, &fh).size, 0); /* it is there, and as long as before */
        fault_disk_fail(lab.fault, DISK_SYNC, -EIO);
        assert_int_equal(lab_space(&lab, &fh, CTL_ALLOCATE, 0, 100), CTL_IO);
        fault_disk_fail(lab.fault, DISK_SYNC, 0);
        assert_true(ds_lab_wait(&lab, is_failing, NULL, 20000));
}

#define TEST(function, how) \
        { \
#function " " #how, function, setup, teardown, &how \
        }

int main(void)
{
        static struct ds_lab_conf fault = { .fault = true }, memory = { .virtual_time = true };
        const struct CMUnitTest tests[] = {
                TEST(a_full_disk_is_nospc, fault),
                TEST(a_bad_medium_takes_the_layout_and_the_mds_hears_of_it, fault),
                TEST(a_failed_sync_changes_the_verifier, fault),
                TEST(a_write_that_began_before_the_failure_shows_the_old_verifier, fault),
                TEST(a_truncate_that_fails_says_so, fault),
                TEST(room_that_there_is_not_or_cannot_be_had, fault),
                TEST(a_store_that_fails_while_it_stops_keeps_it_from_nothing, fault),
                TEST(below_the_reserve_it_says_full, fault),
                TEST(the_last_room_is_not_for_data, memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
