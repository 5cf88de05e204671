/* SPDX-License-Identifier: Apache-2.0 */
/* A batch gives back what was put in, in order; it is reused without losing its memory; it has a ceiling. */
#include "tests/unit/mds/store/support.h"

static void in_order(void **state)
{
        struct batch b = { 0 };
        struct slice key, value;
        uint32_t at = 0, seen = 0;
        bool is_put;

        (void)state;
        for (uint32_t i = 0; i < 1000; i++) {
                uint8_t k[KEY_MAX], v[300];

                memset(v, (int)i, sizeof(v));
                if (i % 3 == 0)
                        batch_delete(&b, key_inode(k, i));
                else
                        batch_put(&b, key_inode(k, i), slice_of(v, i % sizeof(v)));
        }
        assert_int_equal(b.count, 1000);
        for (; batch_next(&b, &at, &is_put, &key, &value); seen++) {
                uint64_t i = 0;

                assert_true(key_parse_u64(key, 'i', &i));
                assert_int_equal(i, seen);
                assert_int_equal(is_put, i % 3 != 0);
                assert_int_equal(value.length, is_put ? i % 300 : 0);
                for (uint32_t n = 0; n < value.length; n++)
                        assert_int_equal(value.data[n], (uint8_t)i);
        }
        assert_int_equal(seen, 1000);
        batch_free(&b);
}

static void reuse_and_ceiling(void **state)
{
        struct batch b = { 0 };
        uint8_t big[RECORD_MAX] = { 0 };
        uint32_t capacity;

        (void)state;
        while (!b.failed)
                batch_put(&b, slice_str("k"), slice_of(big, sizeof(big)));
        assert_true(b.length <= BATCH_MAX_BYTES);
        assert_true(b.length > BATCH_MAX_BYTES - 2 * sizeof(big));
        batch_put(&b, slice_str("k"), slice_str("v")); /* once failed, failed */
        assert_true(b.failed);
        capacity = b.capacity;
        batch_clear(&b);
        assert_false(b.failed);
        assert_int_equal(b.count, 0);
        assert_int_equal(b.capacity, capacity);
        batch_free(&b);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(in_order), cmocka_unit_test(reuse_and_ceiling) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
