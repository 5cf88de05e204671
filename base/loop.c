/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/loop_private.h"

enum { ROUNDS_A_TURN = 8 };

struct watch {
        struct list node;
        struct loop *loop;
        void (*fn)(void *arg);
        void *arg;
        struct event event;
};

struct signal_watch {
        struct list node;
        struct loop *loop;
        void (*fn)(void *arg, int signum);
        void *arg;
        struct event event;
};

/* --- time and randomness */

static uint64_t clock_ns(clockid_t clock)
{
        struct timespec ts;

        clock_gettime(clock, &ts);
        return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t real_now(struct env *env)
{
        (void)env;
        return clock_ns(CLOCK_MONOTONIC);
}

static uint64_t real_wall(struct env *env)
{
        (void)env;
        return clock_ns(CLOCK_REALTIME);
}

static void real_random(struct env *env, void *out, uint32_t bytes)
{
        char *at = out;

        (void)env;
        while (bytes > 0) {
                ssize_t got = getrandom(at, bytes, 0);

                CHECK(got > 0 || errno == EINTR);
                if (got > 0) {
                        at += got;
                        bytes -= (uint32_t)got;
                }
        }
}

static const struct env_ops real_ops = {
        .now_ns = real_now,
        .wall_ns = real_wall,
        .random = real_random,
        .listen = tcp_listen,
        .unlisten = tcp_unlisten,
        .connect = tcp_connect,
};

/* --- the inbox */

/* The push and the look at `asleep` are in one total order with the loop's store to `asleep` and its look at
 * the inbox (wait_for_events), so either the loop sees the message or the poster sees the sleeper. */
void loop_post(struct loop *loop, struct message *msg)
{
        static const uint64_t one = 1;
        struct message *head = atomic_load_explicit(&loop->inbox, memory_order_relaxed);

        do
                msg->next = head;
        while (!atomic_compare_exchange_weak(&loop->inbox, &head, msg));
        if (atomic_load(&loop->asleep) && atomic_exchange(&loop->asleep, false))
                CHECK(write(loop->bell_fd, &one, sizeof(one)) == sizeof(one));
}

void loop_read_inbox(struct loop *loop)
{
        struct message *newest, *oldest = NULL;

        if (!atomic_load_explicit(&loop->inbox, memory_order_relaxed))
                return;
        newest = atomic_exchange_explicit(&loop->inbox, NULL, memory_order_acquire);
        loop_note_event(loop);
        while (newest) {
                struct message *next = newest->next;

                newest->next = oldest;
                oldest = newest;
                newest = next;
        }
        while (oldest) {
                struct message *msg = oldest;

                oldest = msg->next; /* before run(), which may free or post it again */
                msg->run(msg);
        }
}

/* --- turns */

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
        struct loop *loop = arg;

        (void)fd;
        if (what & EV_TIMEOUT)
                loop->alarm_ns = UINT64_MAX;
        loop_note_event(loop);
}

/* Have libevent wake us for the first timer. An alarm that is set too early is left alone: timers that are
 * pushed back all the time then cost one idle turn instead of a change each. */
static void set_alarm(struct loop *loop, uint64_t due, uint64_t now)
{
        uint64_t microseconds = (due - now + 999) / 1000;
        struct timeval wait = { (time_t)(microseconds / 1000000), (suseconds_t)(microseconds % 1000000) };

        if (due >= loop->alarm_ns)
                return;
        CHECK(event_add(&loop->alarm, &wait) == 0);
        loop->alarm_ns = due;
}

static void wait_for_events(struct loop *loop)
{
        uint64_t due = env_next_timer(&loop->env);
        bool busy = !list_empty(&loop->env.tasks);

        if (!busy && due != UINT64_MAX) {
                uint64_t now = env_now(&loop->env);

                busy = due <= now;
                if (!busy)
                        set_alarm(loop, due, now);
        }
        if (!busy) {
                atomic_store(&loop->asleep, true);
                busy = atomic_load(&loop->inbox) != NULL;
        }
        event_base_loop(loop->base, EVLOOP_ONCE | (busy ? EVLOOP_NONBLOCK : 0));
        atomic_store_explicit(&loop->asleep, false, memory_order_relaxed);
}

/* Tasks, then hooks; again when hooks made tasks (a read that the page cache answered at once), so that they
 * need no trip through epoll, but not for ever, so that sockets get their turn. */
static void end_turn(struct loop *loop)
{
        for (int round = 0; round < ROUNDS_A_TURN; round++) {
                env_run_tasks(&loop->env);
                LIST_FOR_EACH_SAFE(node, &loop->hooks) {
                        struct turn_hook *hook = CONTAINER(node, struct turn_hook, node);

                        hook->fn(hook);
                }
                if (list_empty(&loop->env.tasks))
                        return;
        }
}

static void turn(struct loop *loop)
{
        uint64_t took;

        loop->turn_began_ns = 0;
        wait_for_events(loop);
        loop_read_inbox(loop);
        loop_note_event(loop);
        if (loop->env.timers > 0)
                env_run_timers(&loop->env, env_now(&loop->env));
        end_turn(loop);
        took = env_now(&loop->env) - loop->turn_began_ns;
        if (took > atomic_load_explicit(&loop->longest_turn_ns, memory_order_relaxed))
                atomic_store_explicit(&loop->longest_turn_ns, took, memory_order_relaxed);
}

void loop_run(struct loop *loop)
{
        while (!loop->stopping)
                turn(loop);
        loop->stopping = false;
}

void loop_stop(struct loop *loop)
{
        loop->stopping = true;
}

void loop_at_turn_end(struct loop *loop, struct turn_hook *hook)
{
        list_push(&loop->hooks, &hook->node);
}

uint64_t loop_lag_ns(struct loop *loop)
{
        return atomic_exchange_explicit(&loop->longest_turn_ns, 0, memory_order_relaxed);
}

/* --- signals and descriptors */

static void on_signal(evutil_socket_t signum, short what, void *arg)
{
        struct signal_watch *w = arg;

        (void)what;
        loop_note_event(w->loop);
        w->fn(w->arg, (int)signum);
}

int loop_signal(struct loop *loop, int signum, void (*fn)(void *arg, int signum), void *arg)
{
        struct signal_watch *w = malloc(sizeof(*w));

        if (!w)
                return -ENOMEM;
        *w = (struct signal_watch){ .loop = loop, .fn = fn, .arg = arg };
        if (evsignal_assign(&w->event, loop->base, signum, on_signal, w) < 0 ||
            evsignal_add(&w->event, NULL) < 0) {
                free(w);
                return -EINVAL;
        }
        list_push(&loop->signals, &w->node);
        return 0;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
        struct watch *w = arg;

        (void)fd, (void)what;
        loop_note_event(w->loop);
        w->fn(w->arg);
}

int loop_watch(struct loop *loop, int fd, void (*fn)(void *arg), void *arg)
{
        struct watch *w = malloc(sizeof(*w));

        if (!w)
                return -ENOMEM;
        *w = (struct watch){ .loop = loop, .fn = fn, .arg = arg };
        if (event_assign(&w->event, loop->base, fd, EV_READ | EV_PERSIST, on_readable, w) < 0 ||
            event_add(&w->event, NULL) < 0) {
                free(w);
                return -EINVAL;
        }
        list_push(&loop->watches, &w->node);
        return 0;
}

static void end_watch(struct watch *w)
{
        event_del(&w->event);
        list_remove(&w->node);
        free(w);
}

void loop_unwatch(struct loop *loop, int fd)
{
        LIST_FOR_EACH_SAFE(node, &loop->watches) {
                struct watch *w = CONTAINER(node, struct watch, node);

                if (event_get_fd(&w->event) == fd)
                        end_watch(w);
        }
}

/* --- birth and death */

static bool open_base(struct loop *loop)
{
        struct event_config *config = event_config_new();

        if (config && event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0)
                loop->base = event_base_new_with_config(config);
        if (config)
                event_config_free(config);
        return loop->base != NULL;
}

static bool open_inbox(struct loop *loop)
{
        loop->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        return loop->bell_fd >= 0 &&
               event_assign(&loop->bell, loop->base, loop->bell_fd, EV_READ | EV_PERSIST | EV_ET, on_wake,
                            loop) == 0 &&
               event_add(&loop->bell, NULL) == 0;
}

struct loop *loop_new(void)
{
        struct loop *loop = calloc(1, sizeof(*loop));

        if (!loop)
                return NULL;
        env_init(&loop->env, &real_ops);
        list_init(&loop->watches);
        list_init(&loop->signals);
        list_init(&loop->hooks);
        loop->bell_fd = -1;
        loop->alarm_ns = UINT64_MAX;
        if (!open_base(loop) || !open_inbox(loop) ||
            evtimer_assign(&loop->alarm, loop->base, on_wake, loop) < 0) {
                loop_free(loop);
                return NULL;
        }
        return loop;
}

void loop_free(struct loop *loop)
{
        if (!loop)
                return;
        LIST_FOR_EACH_SAFE(node, &loop->watches)
                end_watch(CONTAINER(node, struct watch, node));
        for (struct list *node; (node = list_pop(&loop->signals));) {
                struct signal_watch *w = CONTAINER(node, struct signal_watch, node);

                evsignal_del(&w->event);
                free(w);
        }
        if (loop->base)
                event_base_free(loop->base);
        if (loop->bell_fd >= 0)
                close(loop->bell_fd);
        env_destroy(&loop->env);
        free(loop);
}

struct env *loop_env(struct loop *loop)
{
        return &loop->env;
}

struct event_base *loop_event_base(struct loop *loop)
{
        return loop->base;
}
