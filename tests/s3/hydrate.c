/* SPDX-License-Identifier: Apache-2.0 */
/* A data server fetches the units of a file from a real server when they are read or written. The MDS is a
 * fake one (tests/lab/fake_mds.h) that says where they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ds/tier/tier.h"
#include "tests/lab/ds_lab.h"
#include "tests/s3/live.h"

enum { MIB = 1 << 20, UNITS = 12, BYTES = UNITS * MIB - 4321 };

static struct ds_lab lab;
static struct lab_client client;
static uint8_t expected[BYTES], seen[MIB];

static void name_source(const char *key, const char *etag, uint64_t size)
{
        struct fake_file *f = fake_file(&lab.mds, LAB_FILE);

        f->key = key;
        f->etag = etag;
        f->size = f->source_size = f->valid = size;
        lab.mds.repo = (ctl_repo){ .endpoint = (char *)(uintptr_t)live.conf.endpoint,
                                   .bucket = (char *)(uintptr_t)live.conf.bucket,
                                   .prefix = (char *)(uintptr_t)live.conf.prefix,
                                   .region = (char *)(uintptr_t)live.conf.region,
                                   .access_key = getenv("NACRE_S3_ACCESS_KEY"),
                                   .secret_key = getenv("NACRE_S3_SECRET"),
                                   .session_token = (char *)(uintptr_t) "",
                                   .checksum = (u_int)live.conf.checksum,
                                   .ca = (char *)(uintptr_t) "" };
}

static int setup(void **state)
{
        const struct ds_lab_conf how = { .workers = 2 };

        (void)state;
        ds_lab_start(&lab, &how);
        lab.ds->make_http = NULL; /* the real one */
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

static void restart(void)
{
        lab_client_stop(&client);
        ds_lab_stop_ds(&lab);
        ds_lab_start_ds(&lab);
        lab.ds->make_http = NULL;
        lab_client_start(&client, &lab, "client 1");
}

static struct fh handle(void)
{
        struct fh fh = lab_fh(&client);

        fh.flags |= FH_TIERED;
        fh.unit = MIB;
        return fh;
}

static void check_all(void)
{
        struct fh fh = handle();
        uint32_t got;
        bool eof = false;

        for (uint64_t at = 0; at < BYTES; at += got) {
                assert_int_equal(lab_read(&client, &fh, at, seen, MIB, &got, &eof), NFS4_OK);
                assert_true(got > 0);
                assert_memory_equal(seen, expected + at, got);
        }
        assert_true(eof);
}

static uint64_t fetched(void)
{
        uint64_t units = 0;

        for (uint32_t i = 0; i < lab.ds->worker_count; i++)
                units += atomic_load(&lab.ds->workers[i]->tier->counts.fetched_units.value);
        return units;
}

static void a_file_is_what_the_object_is(void **state)
{
        static char etag[S3_ETAG_BYTES];

        (void)state;
        live_put("a/b c", BYTES, 7, etag);
        live_fill(expected, BYTES, 7);
        name_source("a/b c", etag, BYTES);
        check_all();
        ds_lab_run(&lab, 500);
        assert_int_equal(fetched(), UNITS);
        assert_int_equal(fake_file(&lab.mds, LAB_FILE)->residents, 1);
        restart();
        check_all();
        assert_int_equal(fetched(), 0);
}

static void what_is_written_is_not_fetched_over(void **state)
{
        static char etag[S3_ETAG_BYTES];
        struct fh fh = handle();

        (void)state;
        live_put("written", BYTES, 8, etag);
        live_fill(expected, BYTES, 8);
        name_source("written", etag, BYTES);
        memset(seen, 0xee, MIB);
        memset(expected + 3 * MIB, 0xee, MIB);
        memset(expected + 5 * MIB + 1000, 0xee, 2000);
        assert_int_equal(lab_write(&client, &fh, 3 * MIB, seen, MIB, UNSTABLE4, NULL), NFS4_OK);
        assert_int_equal(fetched(), 0);
        assert_int_equal(lab_write(&client, &fh, 5 * MIB + 1000, seen, 2000, UNSTABLE4, NULL), NFS4_OK);
        assert_int_equal(lab_commit(&client, &fh, NULL), NFS4_OK);
        restart();
        check_all();
}

static void an_object_that_was_replaced_is_not_served(void **state)
{
        static char etag[S3_ETAG_BYTES];
        struct fh fh = handle();
        uint32_t got;
        bool eof;

        (void)state;
        live_put("replaced", BYTES, 9, etag);
        live_put("replaced", BYTES, 10, NULL);
        name_source("replaced", etag, BYTES);
        assert_int_equal(lab_read(&client, &fh, 0, seen, 100, &got, &eof), NFS4ERR_BAD_STATEID);
        fh.flags |= FH_PROXY;
        assert_int_equal(lab_read(&client, &fh, 0, seen, 100, &got, &eof), NFS4ERR_IO);
        name_source("never there", etag, BYTES);
        ds_lab_run(&lab, 1500);
        assert_int_equal(lab_read(&client, &fh, 0, seen, 100, &got, &eof), NFS4ERR_IO);
}

/* KEY has what the file is of, which SEED makes; its version into VERSION. */
static void put_version(const char *key, uint64_t seed, char version[S3_VERSION_BYTES])
{
        static char etag[S3_ETAG_BYTES];
        static struct s3_call call;

        live_put(key, BYTES, seed, etag);
        s3_head(live.s3, live_call(&call), key);
        live_ok(&call);
        assert_string_equal(call.object.etag, etag);
        assert_true(call.object.version_id[0] != '\0');
        strcpy(version, call.object.version_id);
        live_fill(expected, BYTES, seed);
        name_source(key, etag, BYTES);
        fake_file(&lab.mds, LAB_FILE)->version = version;
}

static void the_version_that_a_file_is_of_is_read(void **state)
{
        static char version[S3_VERSION_BYTES];

        (void)state;
        if (!live_enter_versions())
                return; /* Swift keeps them in another way, if it is told to */
        put_version("overwritten", 12, version);
        live_put("overwritten", BYTES, 13, NULL);
        check_all();
        assert_int_equal(fetched(), UNITS);
        live_leave_versions();
}

static void a_deleted_one_too(void **state)
{
        static char version[S3_VERSION_BYTES];
        static struct s3_call call;

        (void)state;
        if (!live_enter_versions())
                return;
        put_version("deleted", 14, version);
        s3_delete(live.s3, live_call(&call), "deleted", NULL);
        live_ok(&call);
        s3_head(live.s3, live_call(&call), "deleted");
        assert_int_equal(live_wait(&call), S3_OBJECT_NOT_FOUND);
        check_all();
        live_leave_versions();
}

static void a_version_that_is_another_is_not_served(void **state)
{
        static char version[S3_VERSION_BYTES];
        struct fh fh = handle();
        uint32_t got;
        bool eof;

        (void)state;
        if (!live_enter_versions())
                return;
        put_version("another", 15, version);
        fake_file(&lab.mds, LAB_FILE)->etag = "0123456789abcdef0123456789abcdef"; /* is not of that version */
        fh.flags |= FH_PROXY;
        assert_int_equal(lab_read(&client, &fh, 0, seen, 100, &got, &eof), NFS4ERR_IO);
        live_leave_versions();
}

static void keys_that_are_wrong_are_an_error(void **state)
{
        static char etag[S3_ETAG_BYTES];
        struct fh fh = handle();
        uint32_t got;
        bool eof;

        (void)state;
        live_put("denied", MIB, 11, etag);
        name_source("denied", etag, MIB);
        lab.mds.repo.secret_key = (char *)(uintptr_t) "wrong";
        fh.flags |= FH_PROXY;
        assert_int_equal(lab_read(&client, &fh, 0, seen, 100, &got, &eof), NFS4ERR_IO);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_file_is_what_the_object_is, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_written_is_not_fetched_over, setup, teardown),
                cmocka_unit_test_setup_teardown(an_object_that_was_replaced_is_not_served, setup, teardown),
                cmocka_unit_test_setup_teardown(the_version_that_a_file_is_of_is_read, setup, teardown),
                cmocka_unit_test_setup_teardown(a_deleted_one_too, setup, teardown),
                cmocka_unit_test_setup_teardown(a_version_that_is_another_is_not_served, setup, teardown),
                cmocka_unit_test_setup_teardown(keys_that_are_wrong_are_an_error, setup, teardown),
        };

        return cmocka_run_group_tests(tests, live_setup, live_teardown);
}
