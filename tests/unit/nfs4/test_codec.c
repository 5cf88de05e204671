/* SPDX-License-Identifier: Apache-2.0 */
/* Bitmaps (RFC 8881 §3.3.7) and names of files (§14, as bytes). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nfs4/codec.h"

static uint8_t bytes[64];

static void bitmaps(void **state)
{
        static const uint32_t huge[] = { 0xffffffff };
        struct bitmap4 b = { .word = { 1, 2, 1u << 31 } }, back;
        struct xdr_out x;
        struct xdr_in in;

        (void)state;
        xdr_out_init(&x, bytes, sizeof(bytes));
        put_bitmap(&x, &b);
        assert_int_equal(xdr_head_length(&x), 16);
        in = xdr_in_of(slice_of(bytes, 16));
        get_bitmap(&in, &back);
        assert_memory_equal(b.word, back.word,
                            sizeof(b.word)); /* what lies behind them in memory is nobody's */
        assert_false(back.beyond);
        assert_false(bitmap_has(&b, 96));
        bitmap_clear(&b, 95);
        bitmap_clear(&b, 33);
        xdr_out_init(&x, bytes, sizeof(bytes));
        put_bitmap(&x, &b);
        assert_int_equal(xdr_head_length(&x), 8); /* no words of zeros at the end */
        in = xdr_in_of(slice_of(huge, 4));
        get_bitmap(&in, &back);
        assert_true(in.bad);
}

static void names(void **state)
{
        char longest[256];

        (void)state;
        memset(longest, 'a', sizeof(longest));
        assert_int_equal(check_name(slice_str("x")), NFS4_OK);
        assert_int_equal(check_name(slice_str("...")), NFS4_OK);
        assert_int_equal(check_name(slice_str(".a")), NFS4_OK);
        assert_int_equal(check_name(slice_str("\xff\xfe no UTF-8")),
                         NFS4_OK); /* bytes are kept as they are */
        assert_int_equal(check_name(slice_of(longest, 255)), NFS4_OK);
        assert_int_equal(check_name(slice_of(longest, 256)), NFS4ERR_NAMETOOLONG);
        assert_int_equal(check_name(slice_str("")), NFS4ERR_INVAL);
        assert_int_equal(check_name(slice_str(".")), NFS4ERR_BADNAME);
        assert_int_equal(check_name(slice_str("..")), NFS4ERR_BADNAME);
        assert_int_equal(check_name(slice_str("a/b")), NFS4ERR_BADCHAR);
        assert_int_equal(check_name(slice_of("a\0b", 3)), NFS4ERR_BADCHAR);
}

static void utf8(void **state)
{
        static const char *const good[] = { "",
                                            "abc",
                                            "\xc2\x80",
                                            "\xdf\xbf",
                                            "\xe0\xa0\x80",
                                            "\xed\x9f\xbf",
                                            "\xee\x80\x80",
                                            "\xf0\x90\x80\x80",
                                            "\xf4\x8f\xbf\xbf",
                                            "a\xc3\xa4z" };
        static const char *const bad[] = { "\x80",
                                           "\xc0\xc1",
                                           "\xc1\xbf",
                                           "\xc2",
                                           "\xc2z",
                                           "\xe0\x9f\xbf",
                                           "\xed\xa0\x80",
                                           "\xe1\x80",
                                           "\xf0\x8f\xbf\xbf",
                                           "\xf4\x90\x80\x80",
                                           "\xf5\x80\x80\x80",
                                           "\xf1\x80\x80z",
                                           "abc\xff",
                                           "\xe1\x80\xc0" };

        (void)state;
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
                assert_true(is_utf8(slice_str(good[i])));
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_false(is_utf8(slice_str(bad[i])));
        assert_true(is_utf8(slice_of("a\0b", 3)));
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(bitmaps), cmocka_unit_test(names),
                                            cmocka_unit_test(utf8) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
