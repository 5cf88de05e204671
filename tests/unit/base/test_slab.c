/* SPDX-License-Identifier: Apache-2.0 */
/* A slab hands out distinct, aligned, zeroed objects up to its limit and takes no memory after warm-up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/slab.h"

static void stops_at_the_limit(void **state)
{
        struct slab s;
        void *objects[1000];

        (void)state;
        slab_init(&s, 100, 1000);
        for (int i = 0; i < 1000; i++) {
                objects[i] = slab_get(&s);
                assert_non_null(objects[i]);
                assert_int_equal((uintptr_t)objects[i] % 64, 0);
                memset(objects[i], i, 100); /* overlapping neighbours would show below */
        }
        assert_null(slab_get(&s));
        assert_int_equal(s.in_use, 1000);
        for (int i = 0; i < 1000; i++) {
                assert_int_equal(*(uint8_t *)objects[i], (uint8_t)i);
                assert_int_equal(((uint8_t *)objects[i])[99], (uint8_t)i);
        }
        slab_put(&s, objects[7]);
        assert_ptr_equal(slab_get(&s), objects[7]);
        for (int i = 0; i < 1000; i++)
                slab_put(&s, objects[i]);
        assert_int_equal(s.in_use, 0);
        slab_destroy(&s);
}

static void objects_come_zeroed_unless_raw(void **state)
{
        struct slab s;
        char *object;

        (void)state;
        slab_init(&s, 64, 1);
        object = slab_get_raw(&s);
        memset(object, 0xee, 64);
        slab_put(&s, object);
        object = slab_get(&s);
        for (int i = 0; i < 64; i++)
                assert_int_equal(object[i], 0);
        slab_put(&s, object);
        slab_put(&s, NULL);
        slab_destroy(&s);
}

static void memory_is_made_once(void **state)
{
        struct slab s;
        uint32_t chunks;

        (void)state;
        slab_init(&s, 4096, 100);
        for (int round = 0; round < 3; round++) {
                void *objects[100];

                for (int i = 0; i < 100; i++)
                        objects[i] = slab_get_raw(&s);
                chunks = s.chunk_count;
                for (int i = 0; i < 100; i++)
                        slab_put(&s, objects[i]);
                assert_int_equal(s.made, 100);
        }
        assert_int_equal(s.chunk_count, chunks);
        slab_destroy(&s);
}

static void objects_larger_than_a_chunk(void **state)
{
        struct slab s;
        char *a, *b;

        (void)state;
        slab_init(&s, 200000, 2);
        a = slab_get(&s);
        b = slab_get(&s);
        assert_true(a && b && (a + 200000 <= b || b + 200000 <= a));
        assert_null(slab_get(&s));
        slab_put(&s, a);
        slab_put(&s, b);
        slab_destroy(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(stops_at_the_limit),
                cmocka_unit_test(objects_come_zeroed_unless_raw),
                cmocka_unit_test(memory_is_made_once),
                cmocka_unit_test(objects_larger_than_a_chunk),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
