/* SPDX-License-Identifier: Apache-2.0 */
/* Names of clients: not known while they are looked up, remembered afterwards, asked for again when they are
 * old. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mds/ns/names.h"

static struct loop *loop;
static struct export_names *names;
static atomic_uint asked;

/* 192.0.2.N is hostN.lab.example, but odd ones have no name. */
static void resolve(const struct netaddr *addr, char name[HOST_NAME_BYTES])
{
        atomic_fetch_add(&asked, 1);
        if (addr->bytes[3] % 2 == 0)
                snprintf(name, HOST_NAME_BYTES, "host%u.lab.example", addr->bytes[3]);
}

static int setup(void **state)
{
        (void)state;
        atomic_store(&asked, 0);
        loop = loop_new();
        names = names_new(loop, resolve);
        assert_non_null(names);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        names_free(names);
        loop_free(loop);
        return 0;
}

static void stop(struct timer *t)
{
        (void)t;
        loop_stop(loop);
}

static void run_ms(uint64_t ms)
{
        struct timer t = { .fire = stop };

        timer_start(loop_env(loop), &t, ms * 1000000);
        loop_run(loop);
}

static struct netaddr host(uint8_t n, uint16_t port)
{
        return (struct netaddr){ .family = 4, .port = port, .bytes = { 192, 0, 2, n } };
}

static const char *wait_for(const struct netaddr *a)
{
        const char *name = names->name_of(names, a);

        for (int i = 0; i < 200 && !name; i++) {
                run_ms(5);
                name = names->name_of(names, a);
        }
        return name;
}

static void first_not_known_then_remembered(void **state)
{
        struct netaddr a = host(2, 700), other_port = host(2, 701), odd = host(3, 1);
        struct netaddr mapped = { .family = 6, .bytes = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 2 } };

        (void)state;
        assert_null(names->name_of(names, &a));
        assert_null(names->name_of(names, &a)); /* asked for once */
        assert_string_equal(wait_for(&a), "host2.lab.example");
        assert_string_equal(names->name_of(names, &other_port), "host2.lab.example");
        assert_string_equal(names->name_of(names, &mapped), "host2.lab.example");
        assert_int_equal(atomic_load(&asked), 1);
        assert_string_equal(wait_for(&odd), "");
        assert_string_equal(names->name_of(names, &odd), "");
        assert_int_equal(atomic_load(&asked), 2);
}

static void no_more_than_the_bound(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 10000; i++) {
                struct netaddr a = { .family = 4, .bytes = { 10, 0, (uint8_t)(i >> 8), (uint8_t)i } };

                names->name_of(names, &a);
                if (i % 100 == 0)
                        run_ms(1);
        }
        assert_string_equal(wait_for(&(struct netaddr){ .family = 4, .bytes = { 10, 0, 200, 4 } }),
                            "host4.lab.example");
}

static void free_while_asking(void **state)
{
        (void)state;
        for (uint8_t i = 0; i < 200; i++) {
                struct netaddr a = host(i, 0);

                names->name_of(names, &a);
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = { TEST(first_not_known_then_remembered),
                                            TEST(no_more_than_the_bound), TEST(free_while_asking) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
