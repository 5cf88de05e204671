/* SPDX-License-Identifier: Apache-2.0 */
/* Rates, places and priorities on a virtual clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "s3tier/budget.h"
#include "tests/lab/virtual_env.h"

#define SECOND UINT64_C(1000000000)
enum { TURNS = 4000 };

static struct virtual_env env;
static struct budget budget;
static struct budget_turn turns[TURNS];
static unsigned granted, order[TURNS];
static bool keep; /* granted turns stay under way */

static void on_granted(struct budget_turn *turn)
{
        order[granted++] = (unsigned)(turn - turns);
        if (!keep)
                budget_done(&budget, turn);
}

static void start(uint32_t requests, uint64_t bytes, uint32_t in_flight)
{
        const struct budget_conf conf = { requests, bytes, in_flight };

        virtual_env_init(&env, 1);
        budget_init(&budget, &env.env, &conf);
        granted = 0;
        keep = false;
        for (int i = 0; i < TURNS; i++) {
                turns[i] = (struct budget_turn){ .granted = on_granted };
                list_init(&turns[i].node);
        }
}

static void ask(unsigned first, unsigned count, enum s3_priority priority, uint64_t bytes)
{
        for (unsigned i = first; i < first + count; i++)
                budget_ask(&budget, &turns[i], priority, bytes);
}

static void end(void)
{
        for (int i = 0; i < TURNS; i++)
                budget_done(&budget, &turns[i]);
        budget_destroy(&budget);
        virtual_env_destroy(&env);
}

static void test_without_limits_all_go(void **state)
{
        (void)state;
        start(0, 0, 8);
        ask(0, 100, S3_SCAN, 1 << 20);
        assert_int_equal(granted, 0); /* never from inside */
        virtual_env_run(&env, 1);
        assert_int_equal(granted, 100);
        end();
}

static void test_so_many_requests_a_second(void **state)
{
        (void)state;
        start(100, 0, 8);
        ask(0, 1000, S3_DEMAND, 0);
        virtual_env_run(&env, 1);
        assert_in_range(granted, 99, 101); /* a second's worth was saved up */
        virtual_env_run(&env, 5 * SECOND);
        assert_in_range(granted, 590, 610);
        assert_true(budget.waited_ns > 4 * SECOND);
        end();
}

static void test_so_many_bytes_a_second(void **state)
{
        (void)state;
        start(0, 1000000, 8);
        ask(0, 100, S3_DEMAND, 500000);
        virtual_env_run(&env, 10 * SECOND);
        assert_in_range(granted, 20, 24);
        end();
}

static void test_places_and_the_quarter_for_demand(void **state)
{
        (void)state;
        start(0, 0, 8);
        keep = true;
        ask(0, 10, S3_EXPORT, 0);
        virtual_env_run(&env, 1);
        assert_int_equal(granted, 6);
        ask(10, 10, S3_DEMAND, 0);
        virtual_env_run(&env, 1);
        assert_int_equal(granted, 8);
        assert_int_equal(order[7], 11);
        budget_done(&budget, &turns[0]);
        virtual_env_run(&env, 1);
        assert_int_equal(granted, 9);
        assert_int_equal(order[8], 12);
        end();
}

/* Demand goes first, and nobody starves. */
static void test_priorities(void **state)
{
        unsigned scans = 0;

        (void)state;
        start(10, 0, 1000);
        virtual_env_run(&env, SECOND);
        ask(0, 100, S3_SCAN, 0);
        virtual_env_run(&env, SECOND / 2);
        granted = 0;
        ask(100, 1000, S3_DEMAND, 0);
        virtual_env_run(&env, 8 * SECOND);
        for (unsigned i = 0; i < granted; i++)
                scans += order[i] < 100;
        assert_in_range(granted, 75, 90);
        assert_in_range(scans, granted / 8 - 1, granted / 8 + 2);
        end();
}

static void test_who_leaves_is_not_granted(void **state)
{
        (void)state;
        start(1, 0, 1);
        ask(0, 3, S3_DEMAND, 0);
        budget_done(&budget, &turns[1]);
        virtual_env_run(&env, 5 * SECOND);
        assert_int_equal(granted, 2);
        assert_int_equal(order[1], 2);
        end();
}

/* 1,000 a second were sent when the server complained: less from then on, and more again as it takes them. */
static void test_slow_down(void **state)
{
        unsigned before;

        (void)state;
        start(0, 0, 64);
        for (unsigned i = 0; i < 1000; i++) {
                ask(i, 1, S3_DEMAND, 0);
                virtual_env_run(&env, SECOND / 1000);
        }
        budget_slow_down(&budget);
        assert_true(budget.server_rate > 300 && budget.server_rate < 700);
        budget_slow_down(&budget); /* of the same burst */
        assert_true(budget.server_rate > 300);
        before = granted;
        ask(1000, 3000, S3_DEMAND, 0);
        virtual_env_run(&env, SECOND);
        assert_in_range(granted - before, 300, 700);
        virtual_env_run(&env, SECOND);
        budget_slow_down(&budget);
        assert_true(budget.server_rate < 450);
        for (int i = 0; i < 3000; i++)
                budget_succeeded(&budget);
        assert_true(budget.server_rate == 0 || budget.server_rate > 1000);
        end();
}

static void test_limits_change_while_turns_wait(void **state)
{
        const struct budget_conf more = { 1000, 0, 8 };

        (void)state;
        start(1, 0, 8);
        ask(0, 500, S3_DEMAND, 0);
        virtual_env_run(&env, SECOND);
        assert_true(granted < 5);
        budget_set(&budget, &more);
        virtual_env_run(&env, 2 * SECOND);
        assert_int_equal(granted, 500);
        end();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_without_limits_all_go),
                cmocka_unit_test(test_so_many_requests_a_second),
                cmocka_unit_test(test_so_many_bytes_a_second),
                cmocka_unit_test(test_places_and_the_quarter_for_demand),
                cmocka_unit_test(test_priorities),
                cmocka_unit_test(test_who_leaves_is_not_granted),
                cmocka_unit_test(test_slow_down),
                cmocka_unit_test(test_limits_change_while_turns_wait),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
