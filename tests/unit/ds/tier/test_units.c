/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ds/tier/units.h"

static const struct units_of of = { .unit = 65536, .units = 130, .etag = "an-etag" };

static void bits_are_counted_up_to_the_last(void **state)
{
        uint64_t bits[3] = { 0 };

        (void)state;
        assert_int_equal(units_absent(bits, 0), 0);
        assert_int_equal(units_absent(bits, 130), 130);
        units_add(bits, 0);
        units_add(bits, 63);
        units_add(bits, 64);
        units_add(bits, 129);
        units_add(bits, 130); /* does not count */
        assert_int_equal(units_absent(bits, 130), 126);
        assert_int_equal(units_absent(bits, 64), 62);
        assert_true(units_has(bits, 129) && !units_has(bits, 128));
        units_drop(bits, 129);
        assert_false(units_has(bits, 129));
}

static void what_was_encoded_is_found(void **state)
{
        uint64_t bits[3] = { 0x8000000000000001, 0, 3 }, found[3] = { 0 };
        uint8_t file[UNITS_HEADER + 24];

        (void)state;
        assert_int_equal(units_file_bytes(of.units), sizeof(file));
        units_encode(&of, bits, file);
        assert_memory_equal(file, "nunits 1\0\1\0\0", 12);
        assert_int_equal(file[UNITS_HEADER], 0x80);
        assert_int_equal(units_decode(file, sizeof(file), &of, found), UNITS_FOUND);
        assert_memory_equal(found, bits, sizeof(bits));
}

/* A write of which only a part got to the disk. */
static void what_a_crash_left_is_true(void **state)
{
        uint64_t bits[3] = { UINT64_MAX, UINT64_MAX, 3 }, found[3];
        uint8_t file[UNITS_HEADER + 24];

        (void)state;
        units_encode(&of, bits, file);
        for (uint32_t length = 0; length < UNITS_HEADER; length++)
                assert_int_equal(units_decode(file, length, &of, found), UNITS_NONE);
        assert_int_equal(units_decode(file, UNITS_HEADER + 11, &of, found), UNITS_FOUND);
        assert_int_equal(found[0], UINT64_MAX);
        assert_int_equal(found[1], 0);
        assert_int_equal(found[2], 0);
        memset(file, 0, UNITS_HEADER);
        assert_int_equal(units_decode(file, sizeof(file), &of, found), UNITS_NONE);
}

static void bits_of_something_else_mean_nothing(void **state)
{
        struct units_of other = of;
        uint64_t bits[3] = { UINT64_MAX, UINT64_MAX, 3 }, found[3] = { 1, 2, 3 };
        uint8_t file[UNITS_HEADER + 24];

        (void)state;
        units_encode(&of, bits, file);
        other.unit = 4096;
        assert_int_equal(units_decode(file, sizeof(file), &other, found), UNITS_OTHER);
        other = of;
        strcpy(other.etag, "another");
        assert_int_equal(units_decode(file, sizeof(file), &other, found), UNITS_OTHER);
        file[0] ^= 1;
        assert_int_equal(units_decode(file, sizeof(file), &of, found), UNITS_OTHER);
        assert_int_equal(found[1], 2);
}

static void a_file_that_was_cut_has_the_first_of_the_bits(void **state)
{
        struct units_of shorter = of;
        uint64_t bits[3] = { UINT64_MAX, 5, 3 }, found[3] = { 0, 0, 77 };
        uint8_t file[UNITS_HEADER + 24];

        (void)state;
        units_encode(&of, bits, file);
        shorter.units = 70;
        assert_int_equal(units_decode(file, sizeof(file), &shorter, found), UNITS_FOUND);
        assert_int_equal(found[1], 5);
        assert_int_equal(found[2], 77);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(bits_are_counted_up_to_the_last),
                cmocka_unit_test(what_was_encoded_is_found),
                cmocka_unit_test(what_a_crash_left_is_true),
                cmocka_unit_test(bits_of_something_else_mean_nothing),
                cmocka_unit_test(a_file_that_was_cut_has_the_first_of_the_bits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
