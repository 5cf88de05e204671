/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "ds/trust.h"
#include "tests/lab/virtual_env.h"

#define MS 1000000ull

static struct virtual_env v;
static struct trust trust;
static enum trust_state seen[16];
static uint32_t seen_count;

static void changed(void *arg, enum trust_state now)
{
        assert_ptr_equal(arg, &trust);
        seen[seen_count++] = now;
}

static int setup(void **state)
{
        (void)state;
        log_open("test", LOG_ERROR);
        virtual_env_init(&v, 1);
        virtual_env_run(&v, 50 * MS);
        seen_count = 0;
        trust_init(&trust, &v.env, 1000, changed, &trust);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        trust_stop(&trust);
        virtual_env_destroy(&v);
        return 0;
}

static void there_is_none_at_first_and_clients_do_not_wait_for_ever(void **state)
{
        (void)state;
        assert_false(trust_held(&trust, v.now));
        virtual_env_run(&v, 999 * MS);
        assert_int_equal(seen_count, 0);
        virtual_env_run(&v, 2 * MS);
        assert_int_equal(seen_count, 1);
        assert_int_equal(seen[0], TRUST_CLOSED);
}

static void it_runs_from_the_sending_and_ends_before_the_mds_thinks_so(void **state)
{
        uint64_t sent = v.now;

        (void)state;
        virtual_env_run(&v, 100 * MS);
        trust_extend(&trust, sent, 800);
        assert_int_equal(seen_count, 1);
        assert_int_equal(seen[0], TRUST_HELD);
        assert_true(trust_held(&trust, sent + 699 * MS));
        assert_false(trust_held(&trust, sent + 700 * MS));
        virtual_env_run(&v, 601 * MS);
        assert_int_equal(seen_count, 2);
        assert_int_equal(seen[1], TRUST_LOST);
}

static void it_is_extended_and_comes_back(void **state)
{
        (void)state;
        for (int i = 0; i < 20; i++) {
                trust_extend(&trust, v.now, 800);
                virtual_env_run(&v, 400 * MS);
        }
        assert_int_equal(seen_count, 1);
        virtual_env_run(&v, 301 * MS);
        assert_int_equal(seen[1], TRUST_LOST);
        virtual_env_run(&v, 500 * MS);
        trust_extend(&trust, v.now, 800);
        assert_int_equal(seen_count, 3);
        assert_int_equal(seen[2], TRUST_HELD);
        virtual_env_run(&v, 700 * MS + 1000 * MS + 2);
        assert_int_equal(seen_count, 5);
        assert_int_equal(seen[4], TRUST_CLOSED);
        trust_extend(&trust, v.now, 800);
        assert_int_equal(seen[5], TRUST_HELD);
}

static void an_answer_that_comes_too_late_gives_none(void **state)
{
        uint64_t sent = v.now;

        (void)state;
        virtual_env_run(&v, 701 * MS);
        trust_extend(&trust, sent, 800);
        assert_int_equal(seen_count, 0);
        assert_false(trust_held(&trust, v.now));
}

static void an_older_answer_takes_none_away(void **state)
{
        uint64_t sent = v.now;

        (void)state;
        virtual_env_run(&v, 100 * MS);
        trust_extend(&trust, v.now, 800);
        trust_extend(&trust, sent, 800);
        assert_true(trust_held(&trust, sent + 750 * MS));
}

/* The timer has not run yet, and will not. */
static void who_sees_its_end_first_is_told_when_it_goes_on(void **state)
{
        uint64_t sent = v.now;

        (void)state;
        trust_extend(&trust, sent, 800);
        assert_false(trust_park(&trust, sent + 699 * MS));
        trust_extend(&trust, sent, 800);
        assert_int_equal(seen_count, 2);
        assert_true(trust_park(&trust, sent + 700 * MS));
        trust_extend(&trust, sent + 1, 800);
        assert_int_equal(seen_count, 3);
        assert_int_equal(seen[2], TRUST_HELD);
        trust_extend(&trust, sent + 2, 800);
        assert_int_equal(seen_count, 3);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(there_is_none_at_first_and_clients_do_not_wait_for_ever),
                TEST(it_runs_from_the_sending_and_ends_before_the_mds_thinks_so),
                TEST(it_is_extended_and_comes_back),
                TEST(an_answer_that_comes_too_late_gives_none),
                TEST(an_older_answer_takes_none_away),
                TEST(who_sees_its_end_first_is_told_when_it_goes_on),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
