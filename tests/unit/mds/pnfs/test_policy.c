/* SPDX-License-Identifier: Apache-2.0 */
/* The text form of a striping policy, there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/pnfs/policy.h"

static void what_is_read_is_printed(void **state)
{
        static const struct {
                const char *text, *printed;
                uint32_t unit;
                uint16_t width;
        } cases[] = {
                { "unit=4M,width=2", "unit=4M,width=2", 4 << 20, 2 },
                { "width=64", "width=64", 0, 64 },
                { "width=1,unit=4K\n", "unit=4K,width=1", 4096, 1 },
                { "unit=1048576", "unit=1M", 1 << 20, 0 },
                { "unit=1536K", "unit=1536K", 1536 << 10, 0 },
                { "unit=255M", "unit=255M", 255 << 20, 0 },
        };

        (void)state;
        for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct layout_policy p;
                char out[LAYOUT_TEXT];

                assert_true(layout_policy_parse(slice_str(cases[i].text), &p));
                assert_int_equal(p.unit, cases[i].unit);
                assert_int_equal(p.width, cases[i].width);
                assert_true(slice_equal(slice_of(out, layout_policy_print(&p, out)),
                                        slice_str(cases[i].printed)));
        }
}

static void all_else_is_refused(void **state)
{
        static const char *const bad[] = {
                "",
                "\n",
                ",",
                "unit",
                "unit=",
                "unit=0",
                "unit=4k",
                "unit=4G",
                "unit=-1M",
                "unit=4M ",
                "unit=4095",
                "unit=256M",
                "unit=9999999999999999999M",
                "unit=267386881",
                "width=",
                "width=0",
                "width=65",
                "width=2M",
                "width=2,",
                ",width=2",
                "width=2,width=2",
                "Unit=4M",
                "unit=4M;width=2",
        };
        struct layout_policy p = { 1, 2 };

        (void)state;
        for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_false(layout_policy_parse(slice_str(bad[i]), &p));
        assert_false(layout_policy_parse(slice_of("unit=4M\0", 8), &p));
        assert_false(layout_policy_parse(slice_of(NULL, 0), &p));
        assert_true(p.unit == 1 && p.width == 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_read_is_printed),
                cmocka_unit_test(all_else_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
