/* SPDX-License-Identifier: Apache-2.0 */
/* What the metadata server says that cannot be, in its calls and in its answers, is answered with an error,
 * changes nothing at a data server, and is no ground for trust. include/ctl.x. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ds/ctl_client.h"
#include "tests/lab/ds_lab.h"

enum { LONG_MS = 20000 };

static struct ds_lab lab;
static struct lab_client client;

static int setup(void **state)
{
        static const struct ds_lab_conf how = { .virtual_time = true };

        (void)state;
        ds_lab_start(&lab, &how);
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

static void call(uint32_t proc, xdrproc_t args_xdr, void *args, xdrproc_t result_xdr, void *result)
{
        struct fake_call k;

        fake_mds_call(&lab.mds, &k, proc, args_xdr, args, result_xdr, result);
        assert_true(lab_fake_call_wait(&lab, &k, LONG_MS) && k.ok);
}

static ctl_status fence(ctl_fence_args args)
{
        ctl_result res = { .status = CTL_OK };

        call(CTL_FENCE, (xdrproc_t)xdr_ctl_fence_args, &args, (xdrproc_t)xdr_ctl_result, &res);
        return res.status;
}

static ctl_status truncate_object(ctl_object object, uint64_t size)
{
        ctl_truncate_args args = { .object = object, .size = size };
        ctl_result res = { .status = CTL_OK };

        call(CTL_TRUNCATE, (xdrproc_t)xdr_ctl_truncate_args, &args, (xdrproc_t)xdr_ctl_result, &res);
        return res.status;
}

static ctl_status give_back(ctl_object object, uint64_t offset, uint64_t length)
{
        ctl_range_args args = { .object = object, .offset = offset, .length = length };
        ctl_used_res res = { .status = CTL_OK };

        call(CTL_DEALLOCATE, (xdrproc_t)xdr_ctl_range_args, &args, (xdrproc_t)xdr_ctl_used_res, &res);
        return res.status;
}

static ctl_status seek_from(ctl_object object, uint64_t offset)
{
        ctl_seek_args args = { .object = object, .offset = offset };
        ctl_seek_res res = { .status = CTL_OK };

        call(CTL_SEEK, (xdrproc_t)xdr_ctl_seek_args, &args, (xdrproc_t)xdr_ctl_seek_res, &res);
        return res.status;
}

static ctl_object object(void)
{
        return (ctl_object){ .fileid = LAB_FILE, .generation = LAB_GENERATION, .unit = LAB_UNIT, .width = 1 };
}

static bool reads(const char *text)
{
        struct fh fh = lab_fh(&client);
        char got[16];
        uint32_t n;
        bool eof;

        assert_int_equal(lab_read(&client, &fh, 0, got, (uint32_t)strlen(text), &n, &eof), NFS4_OK);
        return n == strlen(text) && memcmp(got, text, n) == 0;
}

static void write_text(const char *text)
{
        struct fh fh = lab_fh(&client);

        assert_int_equal(lab_write(&client, &fh, 0, text, (uint32_t)strlen(text), FILE_SYNC4, NULL), NFS4_OK);
}

/* --- calls */

static void a_place_outside_its_pool(void **state)
{
        ctl_pool pools[] = { { .generation = 1, .position = 0, .size = 1 },
                             { .generation = 2, .position = 3, .size = 3 } };
        ctl_fence fence_it = { .fileid = LAB_FILE, .below = 100, .final = true };
        ctl_fence_args args = { .floor = 50,
                                .fences = { .fences_len = 1, .fences_val = &fence_it },
                                .pools = { .pools_len = 2, .pools_val = pools } };

        (void)state;
        assert_int_equal(fence(args), CTL_INVAL);
        pools[1] = (ctl_pool){ .generation = 0, .position = 0, .size = 3 };
        assert_int_equal(fence(args), CTL_INVAL);
        pools[1] = (ctl_pool){ .generation = 2, .position = 5, .size = UINT32_MAX };
        assert_int_equal(fence(args), CTL_INVAL);
        write_text("as before");
        pools[1] = (ctl_pool){ .generation = 2, .position = 2, .size = 3 };
        args.floor = 1;
        fence_it.below = 1;
        assert_int_equal(fence(args), CTL_OK);
        write_text("as before");
}

static void geometry_that_no_file_has(void **state)
{
        ctl_object wrong[] = { object(), object(), object(), object(), object() };
        ctl_getsizes_args args = { .objects.objects_len = 1 };

        (void)state;
        write_text("twelve bytes");
        wrong[0].unit = 0;
        wrong[1].unit = 4097;
        wrong[2].width = UINT32_MAX;
        wrong[3].first = 1;
        wrong[4].index = 1;
        for (int i = 0; i < 5; i++) {
                ctl_getsizes_res res = { .sizes.sizes_len = 0 };

                assert_int_equal(truncate_object(wrong[i], 1), CTL_INVAL);
                assert_int_equal(give_back(wrong[i], 0, 6), CTL_INVAL);
                assert_int_equal(seek_from(wrong[i], 0), CTL_INVAL);
                args.objects.objects_val = &wrong[i];
                call(CTL_GETSIZES, (xdrproc_t)xdr_ctl_getsizes_args, &args, (xdrproc_t)xdr_ctl_getsizes_res,
                     &res);
                assert_int_equal(res.sizes.sizes_len, 1);
                assert_int_equal(res.sizes.sizes_val[0].status, CTL_INVAL);
                assert_false(res.sizes.sizes_val[0].settled);
                xdr_free((xdrproc_t)xdr_ctl_getsizes_res, (char *)&res);
        }
        assert_int_equal(truncate_object(object(), 1ull << 63), CTL_INVAL);
        assert_int_equal(give_back(object(), 6, UINT64_MAX), CTL_INVAL);
        assert_int_equal(give_back(object(), 1ull << 63, 0), CTL_INVAL);
        assert_int_equal(seek_from(object(), 1ull << 63), CTL_INVAL);
        assert_true(reads("twelve bytes"));
        assert_int_equal(truncate_object(object(), 6), CTL_OK);
        fake_file(&lab.mds, LAB_FILE)->size = 6;
        assert_true(reads("twelve"));
}

/* --- answers */

static bool is_away(void *arg)
{
        (void)arg;
        return strstr(ctl_client_problem(lab.ds->ctl), "cannot be") != NULL;
}

static void hello_is_refused(const ctl_hello_ok *wrong)
{
        ctl_hello_ok right = lab.mds.hello;

        lab.mds.hello = *wrong;
        fake_mds_hang_up(&lab.mds);
        assert_true(ds_lab_wait(&lab, is_away, NULL, LONG_MS));
        ds_lab_run(&lab, 10000);
        assert_int_not_equal(lab.ds->trust.state, TRUST_HELD);
        lab.mds.hello = right;
        lab.mds.pools[0].position = 0;
        assert_true(ds_lab_wait(&lab, ds_lab_joined, &lab, LONG_MS));
}

static void a_hello_that_cannot_be_worked_with(void **state)
{
        ctl_hello_ok wrong = lab.mds.hello;

        (void)state;
        wrong.server_id = 0;
        hello_is_refused(&wrong);
        wrong = lab.mds.hello;
        wrong.lease_seconds = 0;
        hello_is_refused(&wrong);
        wrong = lab.mds.hello;
        wrong.heartbeat_ms = 0;
        hello_is_refused(&wrong);
        wrong.heartbeat_ms = wrong.trust_ms;
        hello_is_refused(&wrong);
        wrong = lab.mds.hello;
        lab.mds.pools[0].position = 1;
        hello_is_refused(&wrong);
}

static void a_size_beyond_what_files_have(void **state)
{
        struct fh fh = lab_fh(&client);
        uint8_t got[100];
        uint32_t n;
        bool eof;

        (void)state;
        write_text("text");
        fake_file(&lab.mds, LAB_FILE)->size = UINT64_MAX;
        assert_int_equal(lab_read(&client, &fh, 0, got, 100, &n, &eof), NFS4ERR_BAD_STATEID);
        fake_file(&lab.mds, LAB_FILE)->size = 4;
        assert_int_equal(lab_read(&client, &fh, 0, got, 100, &n, &eof), NFS4_OK);
        assert_int_equal(n, 4);
}

/* --- an MDS whose HELLO was not taken */

static bool answered_as_another_cluster(void *arg, struct call *c)
{
        static const ctl_pool pool = { .generation = 1, .position = 0, .size = 1 };
        ctl_hello_res res = { .status = CTL_OK, .ctl_hello_res_u.ok = lab.mds.hello };

        if (c->header.proc != CTL_HELLO)
                return false;
        memcpy(res.ctl_hello_res_u.ok.fsid, "another cluster!", 16);
        res.ctl_hello_res_u.ok.pools.pools_val = (ctl_pool *)(uintptr_t)&pool;
        lab.mds.conn = c->conn;
        *(uint32_t *)arg += 1;
        ctl_lab_answer(c, (xdrproc_t)xdr_ctl_hello_res, &res);
        return true;
}

static bool said_hello(void *arg)
{
        return *(uint32_t *)arg > 0;
}

/* Its REMOVE comes right behind its answer to HELLO. */
static void the_mds_of_another_cluster_removes_nothing(void **state)
{
        ctl_object mine = object();
        ctl_remove_args args = { .objects = { .objects_len = 1, .objects_val = &mine } };
        ctl_statuses res = { .statuses.statuses_len = 0 };
        struct fake_call k;
        uint32_t hellos = 0;

        (void)state;
        write_text("ours");
        lab.mds.intercept = answered_as_another_cluster;
        lab.mds.intercept_arg = &hellos;
        fake_mds_hang_up(&lab.mds);
        assert_true(ds_lab_wait(&lab, said_hello, &hellos, LONG_MS));
        fake_mds_call(&lab.mds, &k, CTL_REMOVE, (xdrproc_t)xdr_ctl_remove_args, &args,
                      (xdrproc_t)xdr_ctl_statuses, &res);
        assert_true(lab_fake_call_wait(&lab, &k, LONG_MS));
        assert_int_equal(res.statuses.statuses_len, 0);
        xdr_free((xdrproc_t)xdr_ctl_statuses, (char *)&res);
        lab.mds.intercept = NULL;
        assert_true(ds_lab_wait(&lab, ds_lab_joined, &lab, LONG_MS));
        assert_true(lab_client_wait_up(&client, LONG_MS));
        assert_true(reads("ours"));
}

static bool swallow_hello(void *arg, struct call *c)
{
        if (c->header.proc != CTL_HELLO)
                return false;
        lab.mds.conn = c->conn;
        *(struct call **)arg = c;
        return true;
}

static bool holds_hello(void *arg)
{
        return *(struct call **)arg != NULL;
}

static void calls_before_hello_is_answered(void **state)
{
        struct call *held = NULL;

        (void)state;
        write_text("ours");
        lab.mds.intercept = swallow_hello;
        lab.mds.intercept_arg = &held;
        fake_mds_hang_up(&lab.mds);
        assert_true(ds_lab_wait(&lab, holds_hello, &held, LONG_MS));
        assert_int_equal(fence((ctl_fence_args){ .floor = 7 }), CTL_UNKNOWN);
        assert_int_equal(truncate_object(object(), 0), CTL_UNKNOWN);
        assert_int_equal(give_back(object(), 0, 6), CTL_UNKNOWN);
        assert_int_equal(seek_from(object(), 0), CTL_UNKNOWN);
        lab.mds.intercept = NULL;
        call_reply_error(held, RPC_SYSTEM_ERR);
        assert_true(ds_lab_wait(&lab, ds_lab_joined, &lab, LONG_MS));
        assert_true(reads("ours"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_place_outside_its_pool),
                TEST(geometry_that_no_file_has),
                TEST(a_hello_that_cannot_be_worked_with),
                TEST(a_size_beyond_what_files_have),
                TEST(the_mds_of_another_cluster_removes_nothing),
                TEST(calls_before_hello_is_answered),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
