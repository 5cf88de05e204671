/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: positions (RFC 8881 §2.10.2, §18.46.3), unknown operations (§16.2), garbage, current handle and
 * stateid (§16.2.3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/nfs4/support.h"

static struct lab_session s;

static int setup_session(void **unused)
{
        setup(unused);
        bring_about(CONFIRMED, &s);
        return 0;
}

static void begin(void)
{
        lab_begin_in(&k, &lab, &s, 0, false);
}

/* Behind SEQUENCE's result. */
static enum nfsstat4 call(void)
{
        enum nfsstat4 status = lab_call(&k);

        if (k.results > 0)
                assert_int_equal(lab_result(&k, OP_SEQUENCE), NFS4_OK);
        return status;
}

/* --- what may stand where */

static void no_operations_are_fine(void **unused)
{
        (void)unused;
        lab_begin(&k, &lab, conn, 1);
        assert_int_equal(lab_call(&k), NFS4_OK);
        assert_int_equal(k.results, 0);
}

static enum nfsstat4 call_with_tag(const char *text)
{
        lab_begin(&k, &lab, conn, 1);
        xdr_truncate(k.x, xdr_head_length(k.x) - 12); /* tag, minor version, count */
        xdr_put_string(k.x, text);
        xdr_put_u32(k.x, 1);
        k.count_at = xdr_head_length(k.x);
        xdr_put_u32(k.x, 0);
        return lab_call(&k);
}

static void the_tag_comes_back(void **unused)
{
        struct xdr_in x;
        struct slice tag;

        (void)unused;
        assert_int_equal(call_with_tag("\xc0\xc1"), NFS4ERR_INVAL); /* not UTF-8 */
        assert_int_equal(call_with_tag("tag test"), NFS4_OK);
        x = xdr_in_of(slice_of(k.reply, k.reply_length));
        xdr_get_u32(&x);
        tag = xdr_get_opaque(&x, 100);
        assert_true(slice_equal(tag, slice_str("tag test")));
}

static void positions(void **unused)
{
        (void)unused;
        lab_begin(&k, &lab, conn, 1);
        lab_op(&k, OP_PUTROOTFH);
        assert_int_equal(lab_call(&k), NFS4ERR_OP_NOT_IN_SESSION);
        assert_int_equal(k.results, 1);
        assert_int_equal(lab_result(&k, OP_PUTROOTFH), NFS4ERR_OP_NOT_IN_SESSION);
        begin();
        lab_put_sequence(&k, &s, 1, 1, false);
        assert_int_equal(call(), NFS4ERR_SEQUENCE_POS);
        assert_int_equal(k.results, 2);
        lab_begin(&k, &lab, conn, 1);
        lab_op(&k, OP_DESTROY_CLIENTID);
        xdr_put_u64(k.x, 0);
        lab_op(&k, OP_PUTROOTFH);
        assert_int_equal(lab_call(&k), NFS4ERR_NOT_ONLY_OP);
        begin(); /* behind SEQUENCE it is one of many */
        lab_op(&k, OP_DESTROY_CLIENTID);
        xdr_put_u64(k.x, 0);
        lab_op(&k, OP_PUTROOTFH);
        assert_int_equal(call(), NFS4ERR_STALE_CLIENTID);
}

static void unknown_operations_are_illegal(void **unused)
{
        static const uint32_t unknown[] = { 0, 1, 2, 59, 75, 76, 200, OP_ILLEGAL, UINT32_MAX };

        (void)unused;
        for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++) {
                begin();
                lab_op(&k, unknown[i]);
                assert_int_equal(call(), NFS4ERR_OP_ILLEGAL);
                assert_int_equal(lab_result(&k, OP_ILLEGAL), NFS4ERR_OP_ILLEGAL);
                lab_begin(&k, &lab, conn, 1); /* without a session as well */
                lab_op(&k, unknown[i]);
                assert_int_equal(lab_call(&k), NFS4ERR_OP_ILLEGAL);
                assert_int_equal(lab_result(&k, OP_ILLEGAL), NFS4ERR_OP_ILLEGAL);
        }
}

static void known_operations_that_nobody_does(void **unused)
{
        (void)unused;
        begin();
        lab_op(&k, LAB_OP_COUNT);
        lab_op(&k, OP_DELEGPURGE);
        lab_op(&k, LAB_OP_COUNT);
        assert_int_equal(call(), NFS4ERR_NOTSUPP);
        assert_int_equal(k.results, 3);
        assert_int_equal(lab_result(&k, LAB_OP_COUNT), NFS4_OK);
        xdr_get_u32(&k.in);
        assert_int_equal(lab_result(&k, OP_DELEGPURGE), NFS4ERR_NOTSUPP);
        assert_int_equal(lab.count, 1);
}

static void the_minor_version_says_which_are_known(void **unused)
{
        (void)unused;
        for (uint32_t minor = 0; minor < 4; minor++) {
                lab_begin(&k, &lab, conn, minor);
                lab_op(&k, OP_SEEK);
                if (minor == 1)
                        assert_int_equal(lab_call(&k), NFS4ERR_OP_ILLEGAL);
                else if (minor == 2)
                        assert_int_equal(lab_call(&k), NFS4ERR_OP_NOT_IN_SESSION);
                else
                        assert_int_equal(lab_call(&k), NFS4ERR_MINOR_VERS_MISMATCH);
                assert_int_equal(k.results, minor == 1 || minor == 2);
        }
        lab_begin(&k, &lab, conn, 2);
        lab_put_sequence(&k, &s, 0, ++s.seqid[0], false);
        lab_op(&k, OP_SEEK);
        assert_int_equal(lab_call(&k), NFS4ERR_NOTSUPP);
}

/* --- garbage */

static void arguments_that_end_too_soon(void **unused)
{
        (void)unused;
        begin();
        lab_op(&k, OP_PUTFH);
        xdr_put_u32(k.x, 8);
        xdr_put_u32(k.x, 0);
        assert_int_equal(call(), NFS4ERR_BADXDR);
        assert_int_equal(lab_result(&k, OP_PUTFH), NFS4ERR_BADXDR);
        begin();
        lab_op(&k, LAB_OP_COUNT);
        k.ops++; /* one that is not there */
        assert_int_equal(call(), NFS4ERR_BADXDR);
        assert_int_equal(k.results, 3);
        assert_int_equal(lab.count, 1);
}

static void values_that_cannot_be(void **unused)
{
        (void)unused;
        begin();
        lab_op(&k, OP_RECLAIM_COMPLETE);
        xdr_put_u32(k.x, 2); /* a boolean */
        assert_int_equal(call(), NFS4ERR_BADXDR);
        begin();
        lab_op(&k, OP_PUTFH);
        xdr_put_u32(k.x, NFS4_FHSIZE + 1);
        memset(xdr_reserve(k.x, NFS4_FHSIZE + 4), 0, NFS4_FHSIZE + 4);
        assert_int_equal(call(), NFS4ERR_BADXDR);
}

static void compounds_that_are_none(void **unused)
{
        (void)unused;
        lab_begin(&k, &lab, conn, 1);
        xdr_truncate(k.x, k.count_at);
        xdr_put_u32(k.x, 0);
        xdr_truncate(k.x, k.count_at - 8);
        xdr_put_u32(k.x, 2000); /* a tag of 2,000 bytes */
        xdr_put_u32(k.x, 0);
        xdr_put_u32(k.x, 0);
        k.ops = 0;
        lab_send(&k);
        assert_int_equal(k.result, RPC_REFUSED); /* GARBAGE_ARGS */
}

static void unheard_of_counts_are_harmless(void **unused)
{
        (void)unused;
        begin();
        k.ops = UINT32_MAX;
        assert_int_equal(lab_call(&k), NFS4ERR_TOO_MANY_OPS);
        lab_begin(&k, &lab, conn, 1);
        k.ops = UINT32_MAX;
        assert_int_equal(lab_call(&k), NFS4ERR_BADXDR);
}

/* --- the current file handle */

static void put_root(void)
{
        lab_op(&k, OP_PUTROOTFH);
}

static void handles_are_demanded(void **unused)
{
        static const uint32_t needy[] = { OP_GETFH, OP_SAVEFH, OP_RESTOREFH, OP_SECINFO_NO_NAME };

        (void)unused;
        for (size_t i = 0; i < sizeof(needy) / sizeof(*needy); i++) {
                begin();
                lab_op(&k, needy[i]);
                if (needy[i] == OP_SECINFO_NO_NAME)
                        xdr_put_u32(k.x, 0);
                assert_int_equal(call(), NFS4ERR_NOFILEHANDLE);
        }
}

static void handles_come_back(void **unused)
{
        struct slice handle;

        (void)unused;
        begin();
        put_root();
        lab_op(&k, OP_GETFH);
        assert_int_equal(call(), NFS4_OK);
        lab_result(&k, OP_PUTROOTFH);
        lab_result(&k, OP_GETFH);
        handle = xdr_get_opaque(&k.in, NFS4_FHSIZE);
        assert_int_equal(handle.length, FH_BYTES);
        memcpy(k.reply, handle.data, FH_BYTES);
        {
                uint8_t bytes[FH_BYTES];

                memcpy(bytes, handle.data, FH_BYTES);
                begin();
                lab_op(&k, OP_PUTFH);
                xdr_put_opaque(k.x, bytes, FH_BYTES);
                lab_op(&k, OP_GETFH);
                assert_int_equal(call(), NFS4_OK);
                lab_result(&k, OP_PUTFH);
                lab_result(&k, OP_GETFH);
                handle = xdr_get_opaque(&k.in, NFS4_FHSIZE);
                assert_memory_equal(handle.data, bytes, FH_BYTES);
                begin();
                lab_op(&k, OP_PUTFH);
                bytes[20] ^= 1;
                xdr_put_opaque(k.x, bytes, FH_BYTES);
                assert_int_equal(call(), NFS4ERR_BADHANDLE);
        }
}

static void secinfo_no_name_consumes_the_handle(void **unused)
{
        (void)unused;
        begin();
        put_root();
        lab_op(&k, OP_SECINFO_NO_NAME);
        xdr_put_u32(k.x, 0);
        lab_op(&k, OP_GETFH);
        assert_int_equal(call(), NFS4ERR_NOFILEHANDLE);
        lab_result(&k, OP_PUTROOTFH);
        assert_int_equal(lab_result(&k, OP_SECINFO_NO_NAME), NFS4_OK);
        assert_int_equal(xdr_get_u32(&k.in), 1);
        assert_int_equal(xdr_get_u32(&k.in), RPC_AUTH_SYS);
}

/* --- the current stateid */

static const struct stateid makes_one = { 0 }, is_current = { .seqid = 1 };

static void put_current(const struct stateid *id)
{
        lab_op(&k, LAB_OP_STATEID);
        put_stateid(k.x, id);
}

static void expect_stateid(uint32_t seqid)
{
        struct stateid got;

        assert_int_equal(lab_result(&k, LAB_OP_STATEID), NFS4_OK);
        get_stateid(&k.in, &got);
        assert_int_equal(got.seqid, seqid);
}

static void the_current_stateid_is_what_was_returned_last(void **unused)
{
        const struct stateid other = { .seqid = 3, .other = { 9 } };

        (void)unused;
        begin();
        put_root();
        put_current(&other);
        put_current(&makes_one);
        put_current(&is_current);
        assert_int_equal(call(), NFS4_OK);
        lab_result(&k, OP_PUTROOTFH);
        expect_stateid(3);
        expect_stateid(7);
        expect_stateid(7);
}

static void without_one_it_is_a_bad_stateid(void **unused)
{
        (void)unused;
        begin();
        put_root();
        put_current(&is_current);
        assert_int_equal(call(), NFS4ERR_BAD_STATEID);
        begin(); /* a new handle forgets it */
        put_root();
        put_current(&makes_one);
        put_root();
        put_current(&is_current);
        assert_int_equal(call(), NFS4ERR_BAD_STATEID);
}

static void savefh_and_restorefh_take_it_along(void **unused)
{
        (void)unused;
        begin();
        put_root();
        put_current(&makes_one);
        lab_op(&k, OP_SAVEFH);
        put_root();
        lab_op(&k, OP_RESTOREFH);
        put_current(&is_current);
        assert_int_equal(call(), NFS4_OK);
        begin(); /* there was none to save */
        put_root();
        lab_op(&k, OP_SAVEFH);
        put_current(&makes_one);
        lab_op(&k, OP_RESTOREFH);
        put_current(&is_current);
        assert_int_equal(call(), NFS4ERR_BAD_STATEID);
}

/* --- metrics, RECLAIM_COMPLETE, TEST_STATEID */

static void operations_are_counted(void **unused)
{
        struct nfs4_op_metrics *m = lab.nfs.op_metrics;

        (void)unused;
        begin();
        put_root();
        put_root();
        lab_op(&k, OP_RESTOREFH);
        lab_call(&k);
        assert_int_equal(m[OP_PUTROOTFH].calls.value, 2);
        assert_int_equal(m[OP_PUTROOTFH].errors.value, 0);
        assert_int_equal(m[OP_RESTOREFH].errors.value, 1);
        assert_int_equal(m[OP_PUTROOTFH].latency.count, 2);
        begin();
        lab_op(&k, 99);
        lab_call(&k);
        assert_int_equal(m[0].errors.value, 1);
}

static enum nfsstat4 reclaim_failed(struct compound *c, struct client *client)
{
        (void)c, (void)client;
        return NFS4ERR_DELAY;
}

static enum nfsstat4 reclaim(bool one_fs, bool handle)
{
        begin();
        if (handle)
                put_root();
        lab_op(&k, OP_RECLAIM_COMPLETE);
        xdr_put_bool(k.x, one_fs);
        return call();
}

static void reclaim_complete_once(void **unused)
{
        (void)unused;
        assert_int_equal(reclaim(true, false), NFS4ERR_NOFILEHANDLE);
        assert_int_equal(reclaim(true, true), NFS4_OK);
        lab.hooks.reclaim_complete = reclaim_failed;
        assert_int_equal(reclaim(false, false), NFS4ERR_DELAY);
        lab.hooks.reclaim_complete = NULL;
        assert_int_equal(reclaim(false, false), NFS4_OK);
        assert_int_equal(reclaim(false, false), NFS4ERR_COMPLETE_ALREADY);
}

static void test_stateid_answers_for_each(void **unused)
{
        (void)unused;
        begin();
        lab_op(&k, OP_TEST_STATEID);
        xdr_put_u32(k.x, 64);
        for (int i = 0; i < 64; i++)
                put_stateid(k.x, &makes_one);
        assert_int_equal(call(), NFS4_OK);
        lab_result(&k, OP_TEST_STATEID);
        assert_int_equal(xdr_get_u32(&k.in), 64);
        for (int i = 0; i < 64; i++)
                assert_int_equal(xdr_get_u32(&k.in), NFS4ERR_BAD_STATEID);
        begin();
        lab_op(&k, OP_TEST_STATEID);
        xdr_put_u32(k.x, 65);
        for (int i = 0; i < 65; i++)
                put_stateid(k.x, &makes_one);
        assert_int_equal(call(), NFS4ERR_REQ_TOO_BIG);
        begin();
        lab_op(&k, OP_TEST_STATEID);
        xdr_put_u32(k.x, 0x10000001);
        put_stateid(k.x, &makes_one);
        assert_int_equal(call(), NFS4ERR_BADXDR);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_session, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(no_operations_are_fine),
                TEST(the_tag_comes_back),
                TEST(positions),
                TEST(unknown_operations_are_illegal),
                TEST(known_operations_that_nobody_does),
                TEST(the_minor_version_says_which_are_known),
                TEST(arguments_that_end_too_soon),
                TEST(values_that_cannot_be),
                TEST(compounds_that_are_none),
                TEST(unheard_of_counts_are_harmless),
                TEST(handles_are_demanded),
                TEST(handles_come_back),
                TEST(secinfo_no_name_consumes_the_handle),
                TEST(the_current_stateid_is_what_was_returned_last),
                TEST(without_one_it_is_a_bad_stateid),
                TEST(savefh_and_restorefh_take_it_along),
                TEST(operations_are_counted),
                TEST(reclaim_complete_once),
                TEST(test_stateid_answers_for_each),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
