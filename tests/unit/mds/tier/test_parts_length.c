/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a file that grows keep their places, never are too many, and are sent anew a few times only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mds/tier/parts_private.h"

#define MIB ((uint64_t)1 << 20)
#define TIB ((uint64_t)1 << 40)

static void first_as_the_engine_says(void **state)
{
        (void)state;
        assert_int_equal(parts_length(17 * MIB, MIB, 0), 16 * MIB);
        assert_int_equal(parts_length(TIB, MIB, 0), s3_part_bytes(TIB, MIB));
}

static void then_as_before(void **state)
{
        (void)state;
        assert_int_equal(parts_length(17 * MIB, MIB, 32 * MIB), 32 * MIB);
        assert_int_equal(parts_length(S3_PARTS * 16 * MIB, MIB, 16 * MIB), 16 * MIB);
        assert_int_equal(parts_length(S3_PARTS * 16 * MIB + 1, MIB, 16 * MIB), 32 * MIB);
        assert_int_equal(parts_length(40 * MIB, 3 * MIB, 16 * MIB), 18 * MIB); /* not of whole units */
}

static void of_a_file_that_grows(void **state)
{
        uint64_t length = 0, most = 640 * MIB; /* what a data server takes at once */
        unsigned changes = 0;

        (void)state;
        for (uint64_t size = 17 * MIB; size < 5 * TIB; size += size / 100) {
                uint64_t next = parts_length(size, MIB, length);

                assert_true((size + next - 1) / next <= S3_PARTS && next % MIB == 0 && next <= most);
                changes += next != length;
                length = next;
        }
        assert_int_equal(changes, 7); /* 16 MiB … 512 MiB, and one of more */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(first_as_the_engine_says),
                cmocka_unit_test(then_as_before),
                cmocka_unit_test(of_a_file_that_grows),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
