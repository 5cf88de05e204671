/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hashtab.h"
#include "ds/inflight.h"

static const struct fh file_1 = { .fileid = 1 }, file_2 = { .fileid = 2 };
static uint32_t drained;

static void count(struct drain *d)
{
        (void)d;
        drained++;
}

static bool is_file(void *arg, const struct fh *fh)
{
        return fh == arg;
}

#define FILE_1 ((void *)(uintptr_t)&file_1)

static void nobody_waits_for_nothing(void **state)
{
        struct inflight in;
        struct ticket other;
        struct drain d = { .done = count };

        (void)state;
        inflight_init(&in);
        assert_true(inflight_drain(&in, &d, is_file, FILE_1));
        inflight_begin(&in, &other, &file_2);
        assert_true(inflight_drain(&in, &d, is_file, FILE_1));
        assert_false(inflight_any(&in, is_file, FILE_1));
        inflight_end(&in, &other);
}

static void older_writes_are_waited_for_and_younger_are_not(void **state)
{
        struct inflight in;
        struct ticket a, b, younger;
        struct drain d = { .done = count };

        (void)state;
        drained = 0;
        inflight_init(&in);
        inflight_begin(&in, &a, &file_1);
        inflight_begin(&in, &b, &file_1);
        assert_true(inflight_any(&in, is_file, FILE_1));
        assert_false(inflight_drain(&in, &d, is_file, FILE_1));
        inflight_begin(&in, &younger, &file_1);
        inflight_end(&in, &b);
        assert_int_equal(drained, 0);
        inflight_end(&in, &a);
        assert_int_equal(drained, 1);
        inflight_end(&in, &younger);
        assert_int_equal(drained, 1);
        assert_int_equal(in.count, 0);
}

static void several_can_wait(void **state)
{
        struct inflight in;
        struct ticket a, b;
        struct drain first = { .done = count }, second = { .done = count };

        (void)state;
        drained = 0;
        inflight_init(&in);
        inflight_begin(&in, &a, &file_1);
        assert_false(inflight_drain(&in, &first, is_file, FILE_1));
        inflight_begin(&in, &b, &file_1);
        assert_false(inflight_drain(&in, &second, is_file, FILE_1));
        inflight_end(&in, &a);
        assert_int_equal(drained, 1);
        inflight_end(&in, &b);
        assert_int_equal(drained, 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nobody_waits_for_nothing),
                cmocka_unit_test(older_writes_are_waited_for_and_younger_are_not),
                cmocka_unit_test(several_can_wait),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
