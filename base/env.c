/* SPDX-License-Identifier: Apache-2.0 */
#include "base/env.h"

#include <stdlib.h>

#include "base/check.h"

enum { FIRST_HEAP = 64 };

void env_init(struct env *env, const struct env_ops *ops)
{
        *env = (struct env){ .ops = ops };
        list_init(&env->tasks);
}

void env_destroy(struct env *env)
{
        for (uint32_t i = 1; i <= env->timers; i++)
                env->heap[i]->heap_index = 0; /* so that a late timer_stop() is harmless */
        free(env->heap);
        env->heap = NULL;
        env->timers = env->heap_capacity = 0;
}

uint64_t env_random_u64(struct env *env)
{
        uint64_t value;

        env_random(env, &value, sizeof(value));
        return value;
}

/* --- the heap: heap[1] is due first, and no parent is due after its children */

static void place(struct env *env, uint32_t at, struct timer *t)
{
        env->heap[at] = t;
        t->heap_index = at;
}

static void sift_up(struct env *env, uint32_t at, struct timer *t)
{
        while (at > 1 && env->heap[at / 2]->due_ns > t->due_ns) {
                place(env, at, env->heap[at / 2]);
                at /= 2;
        }
        place(env, at, t);
}

static void sift_down(struct env *env, uint32_t at, struct timer *t)
{
        for (uint32_t child; (child = 2 * at) <= env->timers; at = child) {
                if (child < env->timers && env->heap[child + 1]->due_ns < env->heap[child]->due_ns)
                        child++;
                if (env->heap[child]->due_ns >= t->due_ns)
                        break;
                place(env, at, env->heap[child]);
        }
        place(env, at, t);
}

/* T's due time changed, or T replaces what was at AT: move it where it belongs. */
static void settle(struct env *env, uint32_t at, struct timer *t)
{
        if (at > 1 && env->heap[at / 2]->due_ns > t->due_ns)
                sift_up(env, at, t);
        else
                sift_down(env, at, t);
}

/* Timers are members of bounded things, so the heap is bounded with them; it doubles and never shrinks. */
static void reserve(struct env *env)
{
        uint32_t capacity = env->heap_capacity ? env->heap_capacity * 2 : FIRST_HEAP;
        struct timer **grown;

        if (env->timers + 1 < env->heap_capacity)
                return;
        grown = realloc(env->heap, capacity * sizeof(*grown)); /* NOLINT(bugprone-sizeof-expression) */
        CHECK(grown != NULL);
        env->heap = grown;
        env->heap_capacity = capacity;
}

void timer_start(struct env *env, struct timer *t, uint64_t delay_ns)
{
        uint64_t now = env_now(env);

        CHECK(t->fire != NULL);
        CHECK(t->heap_index == 0 || t->env == env);
        if (delay_ns == 0)
                delay_ns = 1; /* so that env_run_timers() ends although a timer restarts itself */
        t->due_ns = delay_ns < UINT64_MAX - now ? now + delay_ns : UINT64_MAX - 1;
        if (t->heap_index != 0) {
                settle(env, t->heap_index, t);
                return;
        }
        reserve(env);
        t->env = env;
        sift_up(env, ++env->timers, t);
}

void timer_stop(struct timer *t)
{
        struct env *env = t->env;
        uint32_t at = t->heap_index;
        struct timer *last;

        if (at == 0)
                return;
        t->heap_index = 0;
        last = env->heap[env->timers--];
        if (last != t)
                settle(env, at, last);
}

uint64_t env_next_timer(const struct env *env)
{
        return env->timers == 0 ? UINT64_MAX : env->heap[1]->due_ns;
}

void env_run_timers(struct env *env, uint64_t now)
{
        while (env->timers > 0 && env->heap[1]->due_ns <= now) {
                struct timer *t = env->heap[1];

                timer_stop(t);
                t->fire(t);
        }
}

/* --- deferred tasks */

void env_defer(struct env *env, struct task *task)
{
        CHECK(task->run != NULL);
        if (list_empty(&task->node))
                list_push(&env->tasks, &task->node);
}

void env_run_tasks(struct env *env)
{
        for (struct list *node; (node = list_pop(&env->tasks));) {
                struct task *task = CONTAINER(node, struct task, node);

                task->run(task);
        }
}
