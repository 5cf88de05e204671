/* SPDX-License-Identifier: Apache-2.0 */
/* Stripe arithmetic against brute force and against its own inverse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hashtab.h"
#include "include/stripe.h"

static uint64_t seed;

static uint64_t random_below(uint64_t limit)
{
        seed = hash_u64(seed + 0x9e3779b97f4a7c15u);
        return seed % limit;
}

static struct stripe random_stripe(uint32_t largest_unit, uint32_t largest_width)
{
        struct stripe s = { .unit = (uint32_t)random_below(largest_unit) + 1,
                            .width = (uint32_t)random_below(largest_width) + 1 };

        s.first = (uint32_t)random_below(s.width);
        return s;
}

/* Units of a file go round the data servers, and pile up without holes on each. */
static void small_files_byte_by_byte(void **state)
{
        (void)state;
        seed = 1;
        for (int i = 0; i < 2000; i++) {
                struct stripe s = random_stripe(7, 6);
                uint64_t lengths[6] = { 0 }, size = random_below(200);

                for (uint64_t o = 0; o < size; o++) {
                        uint32_t index = (uint32_t)((s.first + o / s.unit) % s.width);

                        assert_int_equal(stripe_index(s, o), index);
                        assert_int_equal(stripe_object_offset(s, o), lengths[index]);
                        assert_int_equal(stripe_file_offset(s, index, lengths[index]), o);
                        lengths[index]++;
                }
                for (uint32_t index = 0; index < s.width; index++)
                        assert_int_equal(stripe_object_size(s, index, size), lengths[index]);
        }
}

static void file_to_object_and_back(void **state)
{
        (void)state;
        seed = 2;
        for (int i = 0; i < 100000; i++) {
                struct stripe s = random_stripe(65535 * 4096u, 256);
                uint64_t o = random_below(UINT64_C(1) << (random_below(62) + 1));
                uint32_t index = stripe_index(s, o);

                assert_true(index < s.width);
                assert_int_equal(stripe_file_offset(s, index, stripe_object_offset(s, o)), o);
        }
}

static void object_to_file_and_back(void **state)
{
        (void)state;
        seed = 3;
        for (int i = 0; i < 100000; i++) {
                struct stripe s = random_stripe(16 << 20, 256);
                uint32_t index = (uint32_t)random_below(s.width);
                uint64_t at = random_below(UINT64_C(1) << (random_below(50) + 1)),
                         o = stripe_file_offset(s, index, at);

                assert_int_equal(stripe_index(s, o), index);
                assert_int_equal(stripe_object_offset(s, o), at);
        }
}

/* The logical size is the largest that any object proves, and every object has just the length the size gives
 * it. */
static void size_is_known_from_the_objects(void **state)
{
        (void)state;
        seed = 4;
        for (int i = 0; i < 20000; i++) {
                struct stripe s = random_stripe(1 << 20, 16);
                uint64_t size = random_below(UINT64_C(1) << (random_below(40) + 1)), proven = 0, total = 0;

                for (uint32_t index = 0; index < s.width; index++) {
                        uint64_t length = stripe_object_size(s, index, size);
                        uint64_t least = stripe_size_from_object(s, index, length);

                        proven = least > proven ? least : proven;
                        total += length;
                }
                assert_int_equal(proven, size);
                assert_int_equal(total, size);
        }
}

static void what_is_left_of_a_unit_ends_at_its_edge(void **state)
{
        (void)state;
        seed = 5;
        for (int i = 0; i < 20000; i++) {
                struct stripe s = random_stripe(1 << 20, 16);
                uint64_t o = random_below(UINT64_C(1) << 50), left = stripe_unit_left(s, o);

                assert_in_range(left, 1, s.unit);
                assert_int_equal((o + left) % s.unit, 0);
        }
}

static void known_values(void **state)
{
        struct stripe s = { .unit = 100, .width = 3, .first = 1 };

        (void)state;
        assert_int_equal(stripe_index(s, 0), 1);
        assert_int_equal(stripe_index(s, 250), 0);
        assert_int_equal(stripe_object_offset(s, 350), 150);
        assert_int_equal(stripe_object_size(s, 1, 350), 150);
        assert_int_equal(stripe_object_size(s, 2, 350), 100);
        assert_int_equal(stripe_size_from_object(s, 0, 1), 201);
        assert_int_equal(stripe_size_from_object(s, 0, 0), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(known_values),
                cmocka_unit_test(small_files_byte_by_byte),
                cmocka_unit_test(file_to_object_and_back),
                cmocka_unit_test(object_to_file_and_back),
                cmocka_unit_test(size_is_known_from_the_objects),
                cmocka_unit_test(what_is_left_of_a_unit_ends_at_its_edge),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
