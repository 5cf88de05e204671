/* SPDX-License-Identifier: Apache-2.0 */
/* The cursors: total reading, bounded writing, payloads by reference (RFC 4506). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rpc/xdr.h"

static uint8_t bytes[256];
static struct xdr_out out;

static void begin(uint32_t capacity)
{
        memset(bytes, 0xee, sizeof(bytes));
        xdr_out_init(&out, bytes, capacity);
}

static struct xdr_in written(void)
{
        return xdr_in_of(slice_of(out.start, xdr_head_length(&out)));
}

static void numbers_and_opaques_come_back(void **state)
{
        uint8_t fixed[5];
        struct slice s;
        struct xdr_in x;

        (void)state;
        begin(sizeof(bytes));
        xdr_put_u32(&out, 0x01020304);
        xdr_put_u64(&out, 0x1122334455667788);
        xdr_put_bool(&out, true);
        xdr_put_opaque(&out, "abcde", 5);
        xdr_put_fixed(&out, "fghij", 5);
        xdr_put_string(&out, "");
        assert_int_equal(xdr_head_length(&out), 4 + 8 + 4 + 12 + 8 + 4);
        x = written();
        assert_int_equal(xdr_get_u32(&x), 0x01020304);
        assert_int_equal(xdr_get_u64(&x), 0x1122334455667788);
        assert_true(xdr_get_bool(&x));
        s = xdr_get_opaque(&x, 5);
        assert_true(slice_equal(s, slice_str("abcde")));
        assert_memory_equal(bytes + 20, "abcde\0\0\0", 8); /* padding is zeros */
        xdr_get_fixed(&x, fixed, 5);
        assert_memory_equal(fixed, "fghij", 5);
        assert_int_equal(xdr_get_opaque(&x, 10).length, 0);
        assert_false(x.bad);
        assert_int_equal(xdr_left(&x), 0);
}

static void a_failed_read_sticks_and_gives_zeros(void **state)
{
        static const uint8_t data[8] = { 0, 0, 0, 9, 1, 2, 3, 4 };
        struct xdr_in x = xdr_in_of(slice_of(data, 8));
        uint8_t fixed[4] = { 7, 7, 7, 7 };

        (void)state;
        assert_int_equal(xdr_get_opaque(&x, 100).length, 0); /* 9 bytes are not there */
        assert_true(x.bad);
        assert_int_equal(xdr_get_u32(&x), 0);
        assert_int_equal(xdr_get_u64(&x), 0);
        xdr_get_fixed(&x, fixed, 4);
        assert_memory_equal(fixed, "\0\0\0\0", 4);
        assert_null(xdr_get_bytes(&x, 0));
}

static void lengths_over_their_limit_are_bad(void **state)
{
        static const uint8_t five[12] = { 0, 0, 0, 5, 1, 2, 3, 4, 5 };
        static const uint8_t huge[8] = { 0xff, 0xff, 0xff, 0xff };
        static const uint8_t two[4] = { 0, 0, 0, 2 };
        struct xdr_in x = xdr_in_of(slice_of(five, 12));

        (void)state;
        assert_int_equal(xdr_get_opaque(&x, 4).length, 0);
        assert_true(x.bad);
        x = xdr_in_of(slice_of(huge, 8)); /* the padded length must not wrap */
        assert_int_equal(xdr_get_opaque(&x, UINT32_MAX).length, 0);
        assert_true(x.bad);
        x = xdr_in_of(slice_of(huge, 8));
        assert_int_equal(xdr_get_count(&x, UINT32_MAX, 8), 0);
        assert_true(x.bad);
        x = xdr_in_of(slice_of(two, 4));
        assert_false(xdr_get_bool(&x));
        assert_true(x.bad);
}

static void a_put_that_does_not_fit_sticks(void **state)
{
        (void)state;
        begin(12);
        xdr_put_u64(&out, 1);
        xdr_put_u64(&out, 2);
        assert_true(out.full);
        xdr_put_u32(&out, 3); /* would fit, but what stands behind a gap is worth nothing */
        assert_int_equal(xdr_head_length(&out), 8);
        assert_int_equal(bytes[8], 0xee);
        xdr_truncate(&out, 0);
        assert_false(out.full);
}

static void payloads_go_out_where_they_were_linked(void **state)
{
        struct bufpool *pool = bufpool_new(BUF_SMALL);
        struct buf *buf = buf_get(pool, 100);
        struct iovec iov[XDR_MAX_PARTS];

        (void)state;
        memcpy(buf->data, "payload", 7);
        begin(sizeof(bytes));
        xdr_put_u32(&out, 7);
        xdr_put_ref(&out, buf_ref(buf), buf->data, 7);
        xdr_put_u32(&out, 99);
        xdr_put_ref(&out, buf_ref(buf), buf->data + 3, 4);
        assert_int_equal(xdr_out_length(&out), 4 + 7 + 1 + 4 + 4);
        assert_int_equal(xdr_out_iovec(&out, iov), 4);
        assert_int_equal(iov[0].iov_len, 4);
        assert_ptr_equal(iov[1].iov_base, buf->data);
        assert_int_equal(iov[1].iov_len, 7);
        assert_int_equal(iov[2].iov_len, 1 + 4);
        assert_int_equal(bytes[4], 0);
        assert_int_equal(iov[3].iov_len, 4);
        assert_int_equal(buf->refs, 3);
        xdr_out_release(&out);
        assert_int_equal(buf->refs, 1);
        buf_unref(buf);
        bufpool_free(pool);
}

static void truncating_drops_the_payloads_behind(void **state)
{
        struct bufpool *pool = bufpool_new(BUF_SMALL);
        struct buf *buf = buf_get(pool, 100);
        uint32_t second;

        (void)state;
        memset(buf->data, 1, 100);
        begin(sizeof(bytes));
        xdr_put_u32(&out, 8);
        xdr_put_ref(&out, buf_ref(buf), buf->data, 8); /* no padding: the next result begins at its offset */
        second = xdr_head_length(&out);
        xdr_put_u32(&out, 5);
        xdr_put_ref(&out, buf_ref(buf), buf->data, 5);
        xdr_truncate(&out, second);
        assert_int_equal(out.ref_count, 1);
        assert_int_equal(xdr_out_length(&out), 4 + 8);
        assert_int_equal(buf->refs, 2);
        xdr_truncate(&out, 0);
        assert_int_equal(xdr_out_length(&out), 0);
        assert_int_equal(buf->refs, 1);
        buf_unref(buf);
        bufpool_free(pool);
}

static void a_payload_that_does_not_fit_gives_its_reference_back(void **state)
{
        struct bufpool *pool = bufpool_new(BUF_SMALL);
        struct buf *buf = buf_get(pool, 100);

        (void)state;
        memset(buf->data, 1, 100);
        begin(2); /* no room for two bytes of padding and more */
        xdr_put_ref(&out, buf_ref(buf), buf->data, 1);
        assert_true(out.full);
        assert_int_equal(buf->refs, 1);
        begin(sizeof(bytes));
        for (int i = 0; i < XDR_MAX_REFS; i++)
                xdr_put_ref(&out, buf_ref(buf), buf->data, 4);
        assert_false(out.full);
        xdr_put_ref(&out, buf_ref(buf), buf->data, 4);
        assert_true(out.full);
        assert_int_equal(buf->refs, 1 + XDR_MAX_REFS);
        xdr_truncate(&out, 0);
        xdr_put_ref(&out, buf_ref(buf), buf->data, 0);
        assert_int_equal(out.ref_count, 0);
        xdr_out_release(&out);
        assert_int_equal(buf->refs, 1);
        buf_unref(buf);
        bufpool_free(pool);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(numbers_and_opaques_come_back),
                cmocka_unit_test(a_failed_read_sticks_and_gives_zeros),
                cmocka_unit_test(lengths_over_their_limit_are_bad),
                cmocka_unit_test(a_put_that_does_not_fit_sticks),
                cmocka_unit_test(payloads_go_out_where_they_were_linked),
                cmocka_unit_test(truncating_drops_the_payloads_behind),
                cmocka_unit_test(a_payload_that_does_not_fit_gives_its_reference_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
