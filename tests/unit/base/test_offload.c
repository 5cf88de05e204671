/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs run on threads, their ends on the loop; the pool's end waits for what it has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/offload.h"

enum { JOBS = 5000 };

struct test_job {
        struct offload_job job;
        uint64_t number, square;
        pthread_t thread;
};

static struct loop *loop;
static pthread_t loop_thread;
static int left;
static atomic_int worked;

static void work(struct offload_job *job)
{
        struct test_job *t = CONTAINER(job, struct test_job, job);

        t->square = t->number * t->number;
        t->thread = pthread_self();
        atomic_fetch_add(&worked, 1);
}

static void done(struct offload_job *job)
{
        struct test_job *t = CONTAINER(job, struct test_job, job);

        assert_true(pthread_equal(pthread_self(), loop_thread));
        assert_false(pthread_equal(t->thread, loop_thread));
        assert_int_equal(t->square, t->number * t->number);
        if (--left == 0)
                loop_stop(loop);
}

static struct test_job jobs[JOBS];

static void submit(struct offload *o, int count)
{
        loop_thread = pthread_self();
        left = count;
        atomic_store(&worked, 0);
        for (int i = 0; i < count; i++) {
                jobs[i] = (struct test_job){ .number = (uint64_t)i, .job = { .work = work, .done = done } };
                offload_submit(o, &jobs[i].job);
        }
}

static void all_jobs_come_back_on_the_loop(void **state)
{
        struct offload *o;

        (void)state;
        loop = loop_new();
        o = offload_new(loop, 4);
        submit(o, JOBS);
        loop_run(loop);
        assert_int_equal(left, 0);
        submit(o, 1); /* now that the threads sleep */
        loop_run(loop);
        offload_free(o);
        loop_free(loop);
}

static void the_end_waits_and_the_results_still_arrive(void **state)
{
        struct offload *o;

        (void)state;
        loop = loop_new();
        o = offload_new(loop, 2);
        submit(o, 100);
        offload_free(o);
        assert_int_equal(worked, 100);
        assert_int_equal(left, 100); /* done() needs the loop */
        loop_run(loop);
        assert_int_equal(left, 0);
        loop_free(loop);
        offload_free(NULL);
}

static void resubmit(struct offload_job *job)
{
        if (--left > 0)
                offload_submit(job->pool, job);
        else
                loop_stop(loop);
}

static void a_job_may_be_submitted_again_from_done(void **state)
{
        struct test_job again = { .job = { .work = work, .done = resubmit } };
        struct offload *o;

        (void)state;
        loop = loop_new();
        o = offload_new(loop, 2);
        left = 2000;
        offload_submit(o, &again.job);
        loop_run(loop);
        assert_int_equal(left, 0);
        offload_free(o);
        loop_free(loop);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_jobs_come_back_on_the_loop),
                cmocka_unit_test(the_end_waits_and_the_results_still_arrive),
                cmocka_unit_test(a_job_may_be_submitted_again_from_done),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
