/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads take a bounded part of the memory, in the order in which they came; of one file the older never
 * lands after the newer; and when S3 refuses, fails or is silent, the MDS is told why. RFC 8881 §18.22. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ds/tier/tier.h"
#include "ds/tier/upload.h"
#include "tests/lab/tier_lab.h"
#include "tests/lab/upload_lab.h"

enum { MIB = 1 << 20, SOME = 300, SLOW_NS = 100000000 };

static struct ds_lab lab;
static struct lab_client client;
static struct lab_upload uploads[SOME];
static char keys[SOME][16];
static uint32_t count; /* of uploads that were begun */

static int start_lab(const struct ds_lab_conf *how)
{
        count = 0;
        ds_lab_start(&lab, how);
        tier_lab_start(&lab);
        lab_client_start(&client, &lab, "client 1");
        return 0;
}

static int setup(void **state)
{
        (void)state;
        return start_lab(&(struct ds_lab_conf){ .virtual_time = true, .fault = true });
}

static int setup_workers(void **state)
{
        (void)state;
        return start_lab(&(struct ds_lab_conf){ .workers = 2 });
}

static int teardown(void **state)
{
        (void)state;
        for (uint32_t i = 0; i < count; i++)
                upload_end(&uploads[i]);
        lab_client_stop(&client);
        ds_lab_stop(&lab);
        return 0;
}

static struct fh file(uint32_t i)
{
        struct fh fh = lab_fh(&client);

        fh.flags |= FH_PROXY;
        fh.fileid = LAB_FILE + 1 + i;
        return fh;
}

static void set_key(uint32_t i)
{
        snprintf(keys[i], sizeof(keys[i]), "key %u", i);
}

static struct lab_upload *next(const struct fh *fh, uint64_t length)
{
        struct lab_upload *u = &uploads[count];

        set_key(count);
        upload_whole(&lab, u, fh, keys[count++], length);
        return u;
}

static struct lab_upload *start(const struct fh *fh, uint64_t length)
{
        struct lab_upload *u = next(fh, length);

        upload_start_call(u);
        return u;
}

static void assert_all_ok(uint32_t ms)
{
        for (uint32_t i = 0; i < count; i++) {
                assert_true(upload_wait(&uploads[i], ms) && uploads[i].call.ok);
                assert_int_equal(uploads[i].res.status, CTL_OK);
        }
}

static struct tier_metrics *counts(void)
{
        return &lab.ds->workers[0]->tier->counts;
}

/* --- memory, and order */

static void what_is_in_memory_is_bounded(void **state)
{
        struct fh fh;

        (void)state;
        lab.s3.latency_ns = SLOW_NS;
        for (uint32_t i = 0; i < 10; i++) {
                fh = file(i);
                start(&fh, 16 * MIB);
        }
        ds_lab_run(&lab, 50);
        assert_int_equal(counts()->uploading.value, 4);
        assert_all_ok(10000);
        assert_int_equal(lab.s3.most_put_bytes, 64 * MIB);
        assert_int_equal(counts()->uploaded.value, 10);
}

/* It waits until it is alone, and nobody who came later goes before it. */
static void one_that_is_longer_than_that_goes_alone(void **state)
{
        struct fh fh[3] = { file(0), file(1), file(2) };
        struct lab_upload *last;

        (void)state;
        lab.s3.latency_ns = SLOW_NS;
        start(&fh[0], MIB);
        start(&fh[1], 80 * MIB);
        last = start(&fh[2], 10);
        ds_lab_run(&lab, 150);
        assert_int_equal(counts()->uploading.value, 1);
        assert_int_equal(lab.s3.put_bytes, 80 * MIB);
        assert_false(last->call.done);
        assert_all_ok(10000);
}

static void many_small_ones_go_side_by_side(void **state)
{
        struct fh fh;

        (void)state;
        lab.s3.latency_ns = SLOW_NS;
        for (uint32_t i = 0; i < SOME; i++) {
                fh = file(i);
                start(&fh, 4096);
        }
        ds_lab_run(&lab, 50);
        assert_int_equal(counts()->uploading.value, 256);
        assert_all_ok(10000);
        assert_int_equal(counts()->uploaded.value, SOME);
}

static uint32_t uploaded_by(uint32_t worker)
{
        return (uint32_t)atomic_load(&lab.ds->workers[worker]->tier->counts.uploaded.value);
}

static void workers_share_them(void **state)
{
        struct fh fh;
        char path[32];

        (void)state;
        for (uint32_t i = 0; i < 60; i++) {
                fh = file(i);
                assert_int_equal(lab_write(&client, &fh, 0, &i, sizeof(i), UNSTABLE4, NULL), NFS4_OK);
                start(&fh, sizeof(i));
        }
        assert_all_ok(20000);
        assert_int_equal(uploaded_by(0), 30);
        assert_int_equal(uploaded_by(1), 30);
        for (uint32_t i = 0; i < 60; i++) {
                snprintf(path, sizeof(path), "/bucket/key%%20%u", i);
                assert_non_null(s3_model_find(&lab.s3, path));
                assert_memory_equal(s3_model_find(&lab.s3, path)->data, &i, sizeof(i));
        }
}

/* The MDS has lost sight of the first: it asks again, after more was written. */
static void the_newer_one_lands_last(void **state)
{
        struct fh fh = file(0);
        const struct s3_model_object *o;

        (void)state;
        lab.s3.latency_ns = SLOW_NS;
        assert_int_equal(lab_write(&client, &fh, 0, "old", 3, UNSTABLE4, NULL), NFS4_OK);
        start(&fh, 3);
        ds_lab_run(&lab, 10);
        assert_int_equal(lab_write(&client, &fh, 0, "new", 3, UNSTABLE4, NULL), NFS4_OK);
        start(&fh, 3)->args.key = keys[0];
        ds_lab_run(&lab, 10);
        assert_int_equal(atomic_load(&lab.s3.puts), 1);
        assert_all_ok(1000);
        o = s3_model_find(&lab.s3, "/bucket/key%201");
        assert_non_null(o);
        assert_memory_equal(o->data, "new", 3);
}

static void parts_of_one_file_go_side_by_side(void **state)
{
        struct fh fh = file(0);

        (void)state;
        lab.s3.latency_ns = SLOW_NS;
        for (uint32_t i = 0; i < 3; i++) {
                struct lab_upload *u = next(&fh, MIB);

                u->args.upload_id = (char *)(uintptr_t) "id";
                u->args.part = i + 1;
                u->args.offset = i * MIB;
                upload_start_call(u);
        }
        start(&fh, 100); /* the whole waits for them */
        ds_lab_run(&lab, 50);
        assert_int_equal(atomic_load(&lab.s3.puts), 3);
        assert_all_ok(1000);
}

/* --- S3 */

static void a_store_that_is_busy_is_asked_again(void **state)
{
        struct fh fh = file(0);

        (void)state;
        lab.s3.code = "SlowDown";
        lab.s3.failures = 2;
        lab.s3.status = 503;
        start(&fh, 100);
        assert_all_ok(20000);
        assert_int_equal(atomic_load(&lab.s3.puts), 3);
}

static void assert_refused(const char *code, int status, const char *error)
{
        struct fh fh = file(count);
        struct lab_upload *u;

        lab.s3.code = code;
        lab.s3.status = status;
        u = next(&fh, 100);
        assert_int_equal(upload_run(u), CTL_REFUSED);
        assert_string_equal(u->res.error, error);
        assert_non_null(strstr(u->res.message, code));
        assert_string_equal(u->res.etag, "");
        lab.s3.status = 0;
}

static void the_reason_is_told(void **state)
{
        (void)state;
        assert_refused("SlowDown", 503, "S3SlowDown");
        assert_refused("AccessDenied", 403, "S3AccessDenied");
        assert_refused("NoSuchBucket", 404, "S3BucketNotFound");
        assert_refused("EntityTooLarge", 400, "FileSizeTooLarge");
        assert_int_equal(counts()->upload_errors[S3_ACCESS_DENIED].value, 1);
        assert_int_equal(counts()->uploading.value, 0);
}

static void keys_that_are_refused_are_asked_for_anew(void **state)
{
        struct fh fh = file(0);

        (void)state;
        start(&fh, 100);
        assert_all_ok(1000);
        assert_int_equal(lab.mds.repos, 1);
        ds_lab_run(&lab, 6000); /* they are not asked for twice in a short time */
        lab.s3.code = "InvalidAccessKeyId";
        lab.s3.failures = 1;
        lab.s3.status = 403;
        start(&fh, 100);
        assert_all_ok(1000);
        assert_int_equal(lab.mds.repos, 2);
}

static void a_silent_store_is_given_up(void **state)
{
        struct fh fh = file(0);
        struct lab_upload *u;

        (void)state;
        lab.s3.silent = true;
        u = start(&fh, 100);
        assert_false(upload_wait(u, 59000));
        assert_true(upload_wait(u, 2000));
        assert_int_equal(u->res.status, CTL_REFUSED);
        assert_string_equal(u->res.error, "S3TimedOut");
}

static void a_repo_that_is_not_to_be_had(void **state)
{
        struct fh fh = file(0);

        (void)state;
        lab.mds.repo_status = CTL_REFUSED;
        assert_int_equal(upload_run(next(&fh, 100)), CTL_REFUSED);
        assert_string_equal(uploads[0].res.error, "");
        lab.mds.repo_status = CTL_NOENT;
        assert_int_equal(upload_run(next(&fh, 100)), CTL_NOENT);
}

/* --- the disk, and the end */

static void a_disk_that_fails_is_told(void **state)
{
        struct fh fh = file(0);

        (void)state;
        assert_int_equal(lab_write(&client, &fh, 0, "data", 4, FILE_SYNC4, NULL), NFS4_OK);
        fault_disk_fail(lab.fault, DISK_READ, -EIO);
        assert_int_equal(upload_run(next(&fh, 100)), CTL_IO);
        assert_true(atomic_load(&lab.ds->disk_failed_ns) != 0);
        assert_int_equal(atomic_load(&lab.s3.puts), 0);
}

/* Some are with S3, others wait for their turn. */
static void stopping_ends_them_all(void **state)
{
        struct fh fh;

        (void)state;
        lab.s3.silent = true;
        for (uint32_t i = 0; i < 6; i++) {
                fh = file(i);
                start(&fh, 16 * MIB);
        }
        ds_lab_run(&lab, 100);
        ds_lab_stop_ds(&lab); /* aborts when it does not come to an end */
        assert_int_equal(atomic_load(&lab.s3.under_way), 0);
        for (uint32_t i = 0; i < count; i++)
                assert_true(upload_wait(&uploads[i], 100) && !uploads[i].call.ok);
}

/* The first that is under way. */
static bool is_digesting(void *arg)
{
        const struct list *all = &lab.ds->workers[0]->tier->uploading;

        (void)arg;
        return !list_empty(all) && CONTAINER(all->next, struct upload, node)->step == UPLOAD_DIGESTS;
}

static void stopping_ends_one_whose_digest_is_made(void **state)
{
        struct fh fh = file(0);
        struct lab_upload *u = next(&fh, 60 * MIB);

        (void)state;
        u->args.upload_id = (char *)(uintptr_t) "id";
        u->args.part = 1;
        u->args.digest = true;
        upload_start_call(u);
        assert_true(ds_lab_wait(&lab, is_digesting, NULL, 10000));
        ds_lab_stop_ds(&lab);
        assert_int_equal(atomic_load(&lab.s3.puts), 0);
        assert_true(upload_wait(u, 100) && !u->call.ok);
}

/* Whoever asked is gone, so what waits is not begun; what was begun ends by itself. */
static void what_nobody_waits_for_any_more_is_not_begun(void **state)
{
        struct fh fh;

        (void)state;
        lab.s3.latency_ns = SLOW_NS;
        for (uint32_t i = 0; i < 6; i++) {
                fh = file(i);
                start(&fh, 16 * MIB);
        }
        ds_lab_run(&lab, 10);
        fake_mds_hang_up(&lab.mds);
        ds_lab_run(&lab, 1000);
        assert_int_equal(atomic_load(&lab.s3.puts), 4);
        assert_int_equal(counts()->uploading.value, 0);
        fh = file(0);
        assert_int_equal(upload_run(next(&fh, 10)), CTL_OK);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(what_is_in_memory_is_bounded, setup, teardown),
                cmocka_unit_test_setup_teardown(one_that_is_longer_than_that_goes_alone, setup, teardown),
                cmocka_unit_test_setup_teardown(many_small_ones_go_side_by_side, setup, teardown),
                cmocka_unit_test_setup_teardown(workers_share_them, setup_workers, teardown),
                cmocka_unit_test_setup_teardown(the_newer_one_lands_last, setup, teardown),
                cmocka_unit_test_setup_teardown(parts_of_one_file_go_side_by_side, setup, teardown),
                cmocka_unit_test_setup_teardown(a_store_that_is_busy_is_asked_again, setup, teardown),
                cmocka_unit_test_setup_teardown(the_reason_is_told, setup, teardown),
                cmocka_unit_test_setup_teardown(keys_that_are_refused_are_asked_for_anew, setup, teardown),
                cmocka_unit_test_setup_teardown(a_silent_store_is_given_up, setup, teardown),
                cmocka_unit_test_setup_teardown(a_repo_that_is_not_to_be_had, setup, teardown),
                cmocka_unit_test_setup_teardown(a_disk_that_fails_is_told, setup, teardown),
                cmocka_unit_test_setup_teardown(stopping_ends_them_all, setup, teardown),
                cmocka_unit_test_setup_teardown(stopping_ends_one_whose_digest_is_made, setup, teardown),
                cmocka_unit_test_setup_teardown(what_nobody_waits_for_any_more_is_not_begun, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
