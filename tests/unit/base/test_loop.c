/* SPDX-License-Identifier: Apache-2.0 */
/* Turns of the real loop: timers, tasks, hooks, descriptors, signals, and the inbox for other threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/loop.h"

#define MS UINT64_C(1000000)

static struct loop *loop;

static int setup(void **state)
{
        (void)state;
        loop = loop_new();
        return loop ? 0 : -1;
}

static int teardown(void **state)
{
        (void)state;
        loop_free(loop);
        return 0;
}

/* --- timers */

struct test_timer {
        struct timer timer;
        uint64_t fired_at;
        int order;
        struct test_timer *stops;
        bool last;
};

static int order;

static void fire(struct timer *timer)
{
        struct test_timer *t = CONTAINER(timer, struct test_timer, timer);

        t->fired_at = env_now(loop_env(loop));
        t->order = ++order;
        assert_true(t->fired_at >= timer->due_ns);
        if (t->stops)
                timer_stop(&t->stops->timer);
        if (t->last)
                loop_stop(loop);
}

static void timers_fire_in_order_and_not_before_time(void **state)
{
        struct test_timer t[4] = { { .timer.fire = fire, .last = true },
                                   { .timer.fire = fire },
                                   { .timer.fire = fire },
                                   { .timer.fire = fire } };
        uint64_t start = env_now(loop_env(loop));

        (void)state;
        order = 0;
        t[1].stops = &t[3];
        timer_start(loop_env(loop), &t[0].timer, 30 * MS);
        timer_start(loop_env(loop), &t[1].timer, 5 * MS);
        timer_start(loop_env(loop), &t[2].timer, 15 * MS);
        timer_start(loop_env(loop), &t[3].timer, 20 * MS);
        loop_run(loop);
        assert_int_equal(t[1].order, 1);
        assert_int_equal(t[2].order, 2);
        assert_int_equal(t[0].order, 3);
        assert_int_equal(t[3].order, 0);
        assert_true(t[0].fired_at - start >= 30 * MS);
        assert_true(t[0].fired_at - start < 2000 * MS);
}

static void a_timer_that_is_pushed_back_fires_late(void **state)
{
        struct test_timer early = { .timer.fire = fire }, late = { .timer.fire = fire, .last = true };
        uint64_t start = env_now(loop_env(loop));

        (void)state;
        order = 0;
        timer_start(loop_env(loop), &late.timer, 1 * MS);
        timer_start(loop_env(loop), &late.timer, 40 * MS);
        timer_start(loop_env(loop), &early.timer, 20 * MS);
        loop_run(loop);
        assert_int_equal(early.order, 1);
        assert_true(late.fired_at - start >= 40 * MS);
}

/* --- tasks and hooks */

struct counter {
        struct turn_hook hook;
        struct task task;
        int hooks, tasks;
};

static void count_task(struct task *task)
{
        struct counter *c = CONTAINER(task, struct counter, task);

        if (++c->tasks == 3)
                loop_stop(loop);
}

static void count_hook(struct turn_hook *hook)
{
        struct counter *c = CONTAINER(hook, struct counter, hook);

        assert_true(c->tasks > c->hooks); /* the task ran before */
        c->hooks++;
        env_defer(loop_env(loop), &c->task); /* runs without anything else to wake the loop */
}

static void hooks_come_after_tasks_and_may_defer(void **state)
{
        struct counter c = { .hook.fn = count_hook, .task.run = count_task };

        (void)state;
        list_init(&c.task.node);
        loop_at_turn_end(loop, &c.hook);
        env_defer(loop_env(loop), &c.task);
        loop_run(loop);
        list_remove(&c.hook.node);
        list_remove(&c.task.node);
        assert_in_range(c.tasks, 3, 20);
        assert_in_range(c.hooks, 3, 20);
}

/* --- descriptors and signals */

static int pipe_fds[2];
static int readable_count;

static void read_pipe(void *arg)
{
        char byte;

        (void)arg;
        assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
        if (++readable_count == 3)
                loop_stop(loop);
}

static void not_called(void *arg)
{
        (void)arg;
        fail();
}

static void a_readable_descriptor_calls_until_unwatched(void **state)
{
        struct test_timer end = { .timer.fire = fire, .last = true };

        (void)state;
        readable_count = 0;
        assert_int_equal(pipe(pipe_fds), 0);
        assert_int_equal(loop_watch(loop, pipe_fds[0], read_pipe, NULL), 0);
        assert_int_equal(write(pipe_fds[1], "abcd", 4), 4);
        loop_run(loop); /* level-triggered: three calls for one write */
        loop_unwatch(loop, pipe_fds[0]);
        timer_start(loop_env(loop), &end.timer, 5 * MS);
        loop_run(loop);
        assert_int_equal(readable_count, 3);
        assert_int_equal(loop_watch(loop, pipe_fds[0], not_called, NULL), 0); /* loop_free() ends it */
        loop_free(loop);
        loop = loop_new();
        close(pipe_fds[0]);
        close(pipe_fds[1]);
}

static void on_signal(void *arg, int signum)
{
        *(int *)arg = signum;
        loop_stop(loop);
}

static void a_signal_runs_on_the_loop(void **state)
{
        int got = 0;

        (void)state;
        assert_int_equal(loop_signal(loop, SIGUSR1, on_signal, &got), 0);
        raise(SIGUSR1);
        assert_int_equal(got, 0);
        loop_run(loop);
        assert_int_equal(got, SIGUSR1);
}

/* --- the inbox */

enum { POSTERS = 4, POSTS = 20000 };

struct test_message {
        struct message message;
        int poster, number;
};

static int received, next_number[POSTERS];

static void receive(struct message *message)
{
        struct test_message *m = CONTAINER(message, struct test_message, message);

        assert_int_equal(m->number, next_number[m->poster]++); /* one poster's messages stay in order */
        free(m);
        if (++received == POSTERS * POSTS)
                loop_stop(loop);
}

static void *post_many(void *arg)
{
        int poster = *(int *)arg;

        for (int i = 0; i < POSTS; i++) {
                struct test_message *m = malloc(sizeof(*m));

                *m = (struct test_message){ .message.run = receive, .poster = poster, .number = i };
                loop_post(loop, &m->message);
                if (i % 1000 == 0)
                        usleep(200); /* let the loop fall asleep now and then */
        }
        return NULL;
}

static void messages_of_four_threads_all_arrive_in_order(void **state)
{
        pthread_t threads[POSTERS];
        int numbers[POSTERS];

        (void)state;
        received = 0;
        for (int i = 0; i < POSTERS; i++) {
                numbers[i] = i;
                next_number[i] = 0;
                assert_int_equal(pthread_create(&threads[i], NULL, post_many, &numbers[i]), 0);
        }
        loop_run(loop);
        for (int i = 0; i < POSTERS; i++)
                pthread_join(threads[i], NULL);
        assert_int_equal(received, POSTERS * POSTS);
}

/* Ping-pong between two loops: every hop finds the other one asleep, so a lost wake-up would hang here. */
enum { HOPS = 20000 };
static struct loop *loops[2];
static struct message ball;
static int hops;

static void stop_first(struct message *message)
{
        (void)message;
        loop_stop(loops[0]);
}

static struct message stop_message = { .run = stop_first };

static void hop(struct message *message)
{
        if (++hops < HOPS) {
                loop_post(loops[hops % 2], message);
        } else { /* HOPS is even: this is the second loop */
                loop_post(loops[0], &stop_message);
                loop_stop(loops[1]);
        }
}

static void *run_second(void *arg)
{
        (void)arg;
        loop_run(loops[1]);
        return NULL;
}

static void no_wake_up_is_lost(void **state)
{
        pthread_t thread;

        (void)state;
        hops = 0;
        loops[0] = loop;
        loops[1] = loop_new();
        ball.run = hop;
        assert_int_equal(pthread_create(&thread, NULL, run_second, NULL), 0);
        loop_post(loops[1], &ball);
        loop_run(loops[0]);
        pthread_join(thread, NULL);
        assert_int_equal(hops, HOPS);
        loop_free(loops[1]);
}

/* --- time, randomness, lag */

static void sleep_in_task(struct task *task)
{
        (void)task;
        usleep(20000);
        loop_stop(loop);
}

static void the_longest_turn_is_the_lag(void **state)
{
        struct task task = { .run = sleep_in_task };

        (void)state;
        list_init(&task.node);
        loop_lag_ns(loop);
        env_defer(loop_env(loop), &task);
        loop_run(loop);
        assert_true(loop_lag_ns(loop) >= 20 * MS);
        assert_int_equal(loop_lag_ns(loop), 0);
}

static void clocks_and_randomness_are_real(void **state)
{
        struct env *env = loop_env(loop);
        uint64_t now = env_now(env);
        uint8_t bytes[1000] = { 0 };
        int zeros = 0;

        (void)state;
        assert_true(env_now(env) >= now);
        assert_true(env_wall(env) > UINT64_C(1700000000) * 1000 * MS);
        env_random(env, bytes, sizeof(bytes));
        for (size_t i = 0; i < sizeof(bytes); i++)
                zeros += bytes[i] == 0;
        assert_true(zeros < 100);
        assert_int_not_equal(env_random_u64(env), env_random_u64(env));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(timers_fire_in_order_and_not_before_time, setup, teardown),
                cmocka_unit_test_setup_teardown(a_timer_that_is_pushed_back_fires_late, setup, teardown),
                cmocka_unit_test_setup_teardown(hooks_come_after_tasks_and_may_defer, setup, teardown),
                cmocka_unit_test_setup_teardown(a_readable_descriptor_calls_until_unwatched, setup, teardown),
                cmocka_unit_test_setup_teardown(a_signal_runs_on_the_loop, setup, teardown),
                cmocka_unit_test_setup_teardown(messages_of_four_threads_all_arrive_in_order, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(no_wake_up_is_lost, setup, teardown),
                cmocka_unit_test_setup_teardown(the_longest_turn_is_the_lag, setup, teardown),
                cmocka_unit_test_setup_teardown(clocks_and_randomness_are_real, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
