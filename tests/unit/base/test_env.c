/* SPDX-License-Identifier: Apache-2.0 */
/* The timer heap and the deferred tasks, on a clock that the test turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/env.h"
#include "base/hashtab.h"

struct test_env {
        struct env env;
        uint64_t now;
};

static uint64_t test_now(struct env *env)
{
        return CONTAINER(env, struct test_env, env)->now;
}

static const struct env_ops ops = { .now_ns = test_now };

struct test_timer {
        struct timer timer;
        uint64_t last_due;
        int fired;
        struct test_timer *stops;
};

static uint64_t latest_due;

static void fire(struct timer *timer)
{
        struct test_timer *t = CONTAINER(timer, struct test_timer, timer);

        assert_false(timer_running(timer));
        assert_true(timer->due_ns >= latest_due);
        latest_due = timer->due_ns;
        t->fired++;
        if (t->stops)
                timer_stop(&t->stops->timer);
}

static void restart(struct timer *timer)
{
        CONTAINER(timer, struct test_timer, timer)->fired++;
        timer_start(timer->env, timer, 0);
}

static void heap_is_sound(const struct env *env)
{
        for (uint32_t i = 1; i <= env->timers; i++) {
                assert_int_equal(env->heap[i]->heap_index, i);
                assert_true(i == 1 || env->heap[i / 2]->due_ns <= env->heap[i]->due_ns);
        }
}

static void fire_in_order_of_time(void **state)
{
        struct test_env t = { .now = 1000 };
        struct test_timer timers[3] = { { .timer.fire = fire },
                                        { .timer.fire = fire },
                                        { .timer.fire = fire } };

        (void)state;
        latest_due = 0;
        env_init(&t.env, &ops);
        assert_int_equal(env_next_timer(&t.env), UINT64_MAX);
        timer_start(&t.env, &timers[0].timer, 300);
        timer_start(&t.env, &timers[1].timer, 100);
        timer_start(&t.env, &timers[2].timer, 200);
        assert_int_equal(env_next_timer(&t.env), 1100);
        env_run_timers(&t.env, 1099);
        assert_int_equal(timers[1].fired, 0);
        env_run_timers(&t.env, 1200);
        assert_true(timers[1].fired && timers[2].fired && !timers[0].fired);
        assert_int_equal(env_next_timer(&t.env), 1300);
        timer_start(&t.env, &timers[0].timer, 50); /* moves it */
        assert_int_equal(env_next_timer(&t.env), 1050);
        timer_stop(&timers[0].timer);
        timer_stop(&timers[0].timer);
        env_run_timers(&t.env, UINT64_MAX);
        assert_int_equal(timers[0].fired, 0);
        env_destroy(&t.env);
}

static void one_may_stop_another_as_it_fires(void **state)
{
        struct test_env t = { .now = 0 };
        struct test_timer b = { .timer.fire = fire }, a = { .timer.fire = fire, .stops = &b };

        (void)state;
        latest_due = 0;
        env_init(&t.env, &ops);
        timer_start(&t.env, &b.timer, 10);
        timer_start(&t.env, &a.timer, 5);
        env_run_timers(&t.env, 100);
        assert_int_equal(a.fired, 1);
        assert_int_equal(b.fired, 0);
        env_destroy(&t.env);
}

static void one_that_restarts_itself_does_not_hold_the_clock(void **state)
{
        struct test_env t = { .now = 7 };
        struct test_timer a = { .timer.fire = restart };

        (void)state;
        env_init(&t.env, &ops);
        timer_start(&t.env, &a.timer, 0);
        t.now = 8;
        env_run_timers(&t.env, t.now);
        assert_int_equal(a.fired, 1);
        assert_true(timer_running(&a.timer));
        env_destroy(&t.env);
        assert_false(timer_running(&a.timer));
        timer_stop(&a.timer);
}

static void never_is_a_time_too(void **state)
{
        struct test_env t = { .now = 1000 };
        struct test_timer a = { .timer.fire = fire };

        (void)state;
        env_init(&t.env, &ops);
        timer_start(&t.env, &a.timer, UINT64_MAX);
        assert_true(env_next_timer(&t.env) >= UINT64_MAX - 1);
        env_run_timers(&t.env, UINT64_MAX - 2);
        assert_int_equal(a.fired, 0);
        env_destroy(&t.env);
}

static void random_starts_and_stops_keep_the_heap(void **state)
{
        enum { N = 300 };
        struct test_env t = { .now = 0 };
        struct test_timer timers[N] = { 0 };
        uint64_t random = 12345;
        uint32_t running = 0;

        (void)state;
        env_init(&t.env, &ops);
        for (int step = 0; step < 20000; step++) {
                struct test_timer *one;

                random = hash_u64(random + (uint64_t)step);
                one = &timers[random % N];
                one->timer.fire = fire;
                running -= timer_running(&one->timer);
                if (random >> 32 & 1) {
                        timer_start(&t.env, &one->timer, random >> 40);
                        running++;
                } else {
                        timer_stop(&one->timer);
                }
                assert_int_equal(t.env.timers, running);
                if (step % 64 == 0)
                        heap_is_sound(&t.env);
                if (step % 100 == 0) {
                        latest_due = t.now;
                        t.now += 1000;
                        env_run_timers(&t.env, t.now);
                        assert_true(env_next_timer(&t.env) > t.now);
                        running = t.env.timers;
                }
        }
        env_destroy(&t.env);
}

struct test_task {
        struct task task;
        struct env *env;
        struct test_task *defers;
        int ran;
};

static void run_task(struct task *task)
{
        struct test_task *t = CONTAINER(task, struct test_task, task);

        t->ran++;
        if (t->defers)
                env_defer(t->env, &t->defers->task);
}

static void tasks_run_once_with_those_they_defer(void **state)
{
        struct test_env t = { .now = 0 };
        struct test_task b = { .task.run = run_task, .env = &t.env };
        struct test_task a = { .task.run = run_task, .env = &t.env, .defers = &b };

        (void)state;
        env_init(&t.env, &ops);
        list_init(&a.task.node);
        list_init(&b.task.node);
        env_defer(&t.env, &a.task);
        env_defer(&t.env, &a.task);
        env_run_tasks(&t.env);
        assert_int_equal(a.ran, 1);
        assert_int_equal(b.ran, 1);
        env_run_tasks(&t.env);
        assert_int_equal(a.ran + b.ran, 2);
        env_destroy(&t.env);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(fire_in_order_of_time),
                cmocka_unit_test(one_may_stop_another_as_it_fires),
                cmocka_unit_test(one_that_restarts_itself_does_not_hold_the_clock),
                cmocka_unit_test(never_is_a_time_too),
                cmocka_unit_test(random_starts_and_stops_keep_the_heap),
                cmocka_unit_test(tasks_run_once_with_those_they_defer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
