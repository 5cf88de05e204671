/* SPDX-License-Identifier: Apache-2.0 */
/* Two sizes, counted, page-aligned, under one ceiling; those at rest of one size make room for the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bufpool.h"

static void a_buffer_is_large_enough_and_aligned(void **state)
{
        static const uint32_t sizes[] = { 0, 1, BUF_SMALL, BUF_SMALL + 1, BUF_LARGE };
        struct bufpool *pool = bufpool_new(16 << 20);

        (void)state;
        for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                struct buf *buf = buf_get(pool, sizes[i]);

                assert_true(buf->capacity >= sizes[i]);
                assert_int_equal(buf->capacity, sizes[i] <= BUF_SMALL ? BUF_SMALL : BUF_LARGE);
                assert_int_equal((uintptr_t)buf->data % 4096, 0);
                memset(buf->data, 1, buf->capacity);
                buf_unref(buf);
        }
        bufpool_free(pool);
}

static void returns_only_with_the_last_reference(void **state)
{
        struct bufpool *pool = bufpool_new(BUF_SMALL);
        struct buf *buf = buf_get(pool, 1);

        (void)state;
        assert_ptr_equal(buf_ref(buf), buf);
        buf_unref(buf);
        assert_int_equal(bufpool_in_use_bytes(pool), BUF_SMALL);
        assert_null(buf_get(pool, 1));
        buf_unref(buf);
        assert_int_equal(bufpool_in_use_bytes(pool), 0);
        assert_ptr_equal(buf_get(pool, 1), buf); /* kept, not made anew */
        buf_unref(buf);
        buf_unref(NULL);
        bufpool_free(pool);
        bufpool_free(NULL);
}

static void the_limit_is_shared_by_both_sizes(void **state)
{
        struct bufpool *pool = bufpool_new(2 * BUF_LARGE);
        struct buf *small[2 * BUF_LARGE / BUF_SMALL], *large;
        enum { COUNT = 2 * BUF_LARGE / BUF_SMALL };

        (void)state;
        for (int i = 0; i < COUNT; i++)
                assert_non_null(small[i] = buf_get(pool, 1));
        assert_null(buf_get(pool, 1));
        assert_null(buf_get(pool, BUF_LARGE));
        for (int i = 0; i < COUNT; i++)
                buf_unref(small[i]);
        assert_non_null(large = buf_get(pool, BUF_LARGE)); /* small ones at rest are given up for it */
        assert_int_equal(bufpool_in_use_bytes(pool), BUF_LARGE);
        for (int i = 0; i < COUNT / 2; i++)
                assert_non_null(small[i] = buf_get(pool, 1));
        assert_null(buf_get(pool, 1));
        for (int i = 0; i < COUNT / 2; i++)
                buf_unref(small[i]);
        buf_unref(large);
        bufpool_free(pool);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_buffer_is_large_enough_and_aligned),
                cmocka_unit_test(returns_only_with_the_last_reference),
                cmocka_unit_test(the_limit_is_shared_by_both_sizes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
