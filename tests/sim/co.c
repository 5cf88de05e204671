/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/co.h"

#include <stdlib.h>

#include "base/check.h"

enum { STACK_BYTES = 256 * 1024 };

static struct co *running;

struct co *co_self(void)
{
        CHECK(running != NULL);
        return running;
}

static void begin(void)
{
        struct co *co = running;

        co->run(co->arg);
        co->ended = true;
        swapcontext(&co->here, &co->caller);
        abort();
}

static void enter(struct co *co)
{
        struct co *outer = running;

        running = co;
        CHECK(swapcontext(&co->caller, &co->here) == 0);
        running = outer;
}

static void on_resume(struct task *task)
{
        enter(CONTAINER(task, struct co, resume));
}

static void on_timer(struct timer *t)
{
        struct co *co = CONTAINER(t, struct co, timer);

        env_defer(co->env, &co->resume);
}

void co_start(struct co *co, struct env *env, void (*run)(void *arg), void *arg)
{
        *co = (struct co){ .env = env, .run = run, .arg = arg };
        co->resume.run = on_resume;
        co->timer.fire = on_timer;
        list_init(&co->resume.node);
        co->stack = malloc(STACK_BYTES);
        CHECK(co->stack != NULL && getcontext(&co->here) == 0);
        co->here.uc_stack.ss_sp = co->stack;
        co->here.uc_stack.ss_size = STACK_BYTES;
        makecontext(&co->here, begin, 0);
        env_defer(env, &co->resume);
}

void co_end(struct co *co)
{
        CHECK(co != running);
        if (!co->stack)
                return;
        timer_stop(&co->timer);
        list_remove(&co->resume.node);
        free(co->stack);
        co->stack = NULL;
        co->ended = true;
}

void co_wake(struct co *co)
{
        if (co->ended || co->awake)
                return;
        co->awake = true;
        timer_stop(&co->timer);
        env_defer(co->env, &co->resume);
}

bool co_wait(uint64_t ns)
{
        struct co *co = co_self();
        bool woken;

        if (!co->awake) {
                if (ns < UINT64_MAX)
                        timer_start(co->env, &co->timer, ns);
                CHECK(swapcontext(&co->here, &co->caller) == 0);
        }
        woken = co->awake;
        co->awake = false;
        return woken;
}

void co_sleep(uint64_t ns)
{
        struct co *co = co_self();
        uint64_t end = env_now(co->env) + ns;
        bool awake = co->awake;

        while (env_now(co->env) < end) {
                co->awake = false;
                awake |= co_wait(end - env_now(co->env));
        }
        co->awake = awake; /* it was meant for the wait that follows */
}
