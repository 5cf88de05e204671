/* SPDX-License-Identifier: Apache-2.0 */
/* RPC headers and credentials (RFC 5531 §8, §9, appendix A). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rpc/msg.h"

static uint8_t bytes[1024];
static struct xdr_out out;
static struct rpc_header header;

static void begin(void)
{
        xdr_out_init(&out, bytes, sizeof(bytes));
}

static bool parse(struct xdr_in *x)
{
        *x = xdr_in_of(slice_of(bytes, xdr_head_length(&out)));
        memset(&header, 0xff, sizeof(header));
        return rpc_get_call(x, &header);
}

/* A call with a credential and a verifier given by hand. */
static void put_call(uint32_t flavor, const void *body, uint32_t length, uint32_t verf_flavor,
                     uint32_t verf_length)
{
        static const uint8_t zeros[RPC_MAX_AUTH_BYTES];

        begin();
        xdr_put_u32(&out, 7);
        xdr_put_u32(&out, RPC_CALL);
        xdr_put_u32(&out, 2);
        xdr_put_u32(&out, 100003);
        xdr_put_u32(&out, 4);
        xdr_put_u32(&out, 1);
        xdr_put_u32(&out, flavor);
        xdr_put_opaque(&out, body, length);
        xdr_put_u32(&out, verf_flavor);
        xdr_put_opaque(&out, zeros, verf_length);
        xdr_put_u32(&out, 0xaaaaaaaa); /* the arguments */
}

static enum rpc_auth_stat auth_of(uint32_t flavor, const void *body, uint32_t length)
{
        struct xdr_in x;

        put_call(flavor, body, length, RPC_AUTH_NONE, 0);
        assert_true(parse(&x));
        if (header.auth == RPC_AUTH_OK)
                assert_int_equal(xdr_get_u32(&x), 0xaaaaaaaa);
        return header.auth;
}

/* An AUTH_SYS body with a machine name of NAME bytes, GIDS groups and EXTRA bytes behind. */
static enum rpc_auth_stat auth_sys(uint32_t name, uint32_t gids, uint32_t extra)
{
        uint8_t body[800], text[300];
        struct xdr_out x;

        memset(text, 'm', sizeof(text));
        xdr_out_init(&x, body, sizeof(body));
        xdr_put_u32(&x, 12345);
        xdr_put_opaque(&x, text, name);
        xdr_put_u32(&x, 1000);
        xdr_put_u32(&x, 100);
        xdr_put_u32(&x, gids);
        for (uint32_t i = 0; i < gids; i++)
                xdr_put_u32(&x, 500 + i);
        xdr_put_fixed(&x, text, extra);
        return auth_of(RPC_AUTH_SYS, body, xdr_head_length(&x));
}

static void a_call_comes_back(void **state)
{
        const struct rpc_cred cred = {
                .flavor = RPC_AUTH_SYS, .uid = 5, .gid = 6, .gid_count = 2, .gids = { 7, 8 }
        };
        struct xdr_in x;

        (void)state;
        begin();
        rpc_put_call(&out, 0x12345678, 100003, 4, 1, &cred, "name of a machine");
        assert_true(parse(&x));
        assert_int_equal(xdr_left(&x), 0);
        assert_int_equal(header.xid, 0x12345678);
        assert_int_equal(header.kind, RPC_CALL);
        assert_int_equal(header.rpcvers, 2);
        assert_int_equal(header.prog, 100003);
        assert_int_equal(header.vers, 4);
        assert_int_equal(header.proc, 1);
        assert_int_equal(header.auth, RPC_AUTH_OK);
        assert_int_equal(header.cred.uid, 5);
        assert_int_equal(header.cred.gid, 6);
        assert_int_equal(header.cred.gid_count, 2);
        assert_int_equal(header.cred.gids[1], 8);
}

static void auth_none_is_nobody(void **state)
{
        struct xdr_in x;

        (void)state;
        begin();
        rpc_put_call(&out, 1, 2, 3, 4, NULL, "");
        assert_true(parse(&x));
        assert_int_equal(header.auth, RPC_AUTH_OK);
        assert_int_equal(header.cred.flavor, RPC_AUTH_NONE);
        assert_int_equal(header.cred.uid, 65534);
        assert_int_equal(header.cred.gid, 65534);
        assert_int_equal(header.cred.gid_count, 0);
        assert_int_equal(auth_of(RPC_AUTH_NONE, "abcd", 4), RPC_AUTH_BADCRED);
}

static void auth_sys_has_limits(void **state)
{
        (void)state;
        assert_int_equal(auth_sys(0, 0, 0), RPC_AUTH_OK);
        assert_int_equal(auth_sys(255, 16, 0), RPC_AUTH_OK);
        assert_int_equal(header.cred.gid_count, 16);
        assert_int_equal(header.cred.gids[15], 515);
        assert_int_equal(auth_sys(256, 0, 0), RPC_AUTH_BADCRED);
        assert_int_equal(auth_sys(8, 17, 0), RPC_AUTH_BADCRED);
        assert_int_equal(auth_sys(8, 2, 4), RPC_AUTH_BADCRED); /* something behind the groups */
        assert_int_equal(auth_of(RPC_AUTH_SYS, "abcdefgh", 8), RPC_AUTH_BADCRED);
        assert_int_equal(auth_sys(255, 16, 72), RPC_AUTH_BADCRED); /* 420 bytes in all */
}

static void other_flavours_are_refused(void **state)
{
        (void)state;
        assert_int_equal(auth_of(2, "abcd", 4), RPC_AUTH_REJECTEDCRED); /* AUTH_SHORT */
        assert_int_equal(auth_of(3, "abcd", 4), RPC_AUTH_TOOWEAK);      /* AUTH_DH */
        assert_int_equal(auth_of(RPC_AUTH_GSS, "abcd", 4), RPC_AUTH_REJECTEDCRED);
        assert_int_equal(auth_of(RPC_AUTH_TLS, "", 0), RPC_AUTH_REJECTEDCRED);
        assert_int_equal(auth_of(0xdeadbeef, "", 0), RPC_AUTH_REJECTEDCRED);
}

static void verifiers_are_empty(void **state)
{
        struct xdr_in x;

        (void)state;
        put_call(RPC_AUTH_NONE, "", 0, RPC_AUTH_NONE, 4);
        assert_true(parse(&x));
        assert_int_equal(header.auth, RPC_AUTH_BADVERF);
        put_call(RPC_AUTH_NONE, "", 0, RPC_AUTH_SYS, 0);
        assert_true(parse(&x));
        assert_int_equal(header.auth, RPC_AUTH_BADVERF);
}

static void every_cut_of_a_header_is_no_header(void **state)
{
        const struct rpc_cred cred = {
                .flavor = RPC_AUTH_SYS, .uid = 5, .gid = 6, .gid_count = 2, .gids = { 7, 8 }
        };

        (void)state;
        begin();
        rpc_put_call(&out, 1, 2, 3, 4, &cred, "machine");
        for (uint32_t n = 0; n < xdr_head_length(&out); n++) {
                struct xdr_in x = xdr_in_of(slice_of(bytes, n));

                assert_false(rpc_get_call(&x, &header));
        }
}

static void other_rpc_versions_are_told_apart(void **state)
{
        struct xdr_in x;

        (void)state;
        begin();
        for (uint32_t i = 0; i < 6; i++)
                xdr_put_u32(&out, (const uint32_t[]){ 9, RPC_CALL, 3, 100003, 4, 1 }[i]);
        assert_true(parse(&x));
        assert_int_equal(header.rpcvers, 3);
        assert_int_not_equal(header.auth, RPC_AUTH_OK);
}

/* What rpc_get_reply() makes of what was put. */
static int result_of_put(void)
{
        struct xdr_in x = xdr_in_of(slice_of(bytes, xdr_head_length(&out)));

        assert_int_equal(xdr_get_u32(&x), 77);
        assert_int_equal(xdr_get_u32(&x), RPC_REPLY);
        return rpc_get_reply(&x);
}

static int accepted(enum rpc_accept stat)
{
        begin();
        rpc_put_accepted(&out, 77, stat);
        return result_of_put();
}

static int denied(enum rpc_auth_stat stat)
{
        begin();
        rpc_put_denied(&out, 77, stat);
        return result_of_put();
}

static void replies_become_errors(void **state)
{
        (void)state;
        assert_int_equal(accepted(RPC_SUCCESS), 0);
        assert_int_equal(accepted(RPC_PROG_UNAVAIL), -ENOSYS);
        assert_int_equal(accepted(RPC_PROC_UNAVAIL), -ENOSYS);
        assert_int_equal(accepted(RPC_GARBAGE_ARGS), -EINVAL);
        assert_int_equal(accepted(RPC_SYSTEM_ERR), -EIO);
        assert_int_equal(accepted((enum rpc_accept)99), -EPROTO);
        assert_int_equal(denied(RPC_AUTH_BADCRED), -EACCES);
        assert_int_equal(denied(RPC_AUTH_OK), -EPROTO); /* RPC_MISMATCH */
        begin();
        rpc_put_mismatch(&out, 77, 3, 4);
        assert_int_equal(result_of_put(), -ENOSYS);
        begin();
        rpc_put_accepted(&out, 77, RPC_SUCCESS);
        xdr_truncate(&out, 20);
        assert_int_equal(result_of_put(), -EPROTO);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_call_comes_back),
                cmocka_unit_test(auth_none_is_nobody),
                cmocka_unit_test(auth_sys_has_limits),
                cmocka_unit_test(other_flavours_are_refused),
                cmocka_unit_test(verifiers_are_empty),
                cmocka_unit_test(every_cut_of_a_header_is_no_header),
                cmocka_unit_test(other_rpc_versions_are_told_apart),
                cmocka_unit_test(replies_become_errors),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
