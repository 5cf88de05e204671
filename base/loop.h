/* SPDX-License-Identifier: Apache-2.0 */
/* The real env: a libevent loop with sockets, timers, signals, a readable-fd hook (io_uring's ring), and an inbox for
 * other threads. A turn = wait for readiness, handle all that is ready, run due timers, run deferred tasks, run the
 * end-of-turn hooks (group commit, ring submit), again. */
#pragma once

#include "base/env.h"

struct loop;
struct event_base; /* for base/admin.c's evhttp */

struct loop *loop_new(void); /* NULL: out of memory or descriptors */
void loop_free(struct loop *loop);
struct env *loop_env(struct loop *loop);
struct event_base *loop_event_base(struct loop *loop);

/* Run until loop_stop(). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop); /* from its own thread or a signal handler set with loop_signal() */

/* Call FN on the loop when SIGNUM arrives. */
int loop_signal(struct loop *loop, int signum, void (*fn)(void *arg, int signum), void *arg);
/* Call FN whenever FD is readable, until loop_free(). */
int loop_watch(struct loop *loop, int fd, void (*fn)(void *arg), void *arg);
/* Call FN at the end of every turn. */
struct turn_hook {
        struct list node;
        void (*fn)(struct turn_hook *);
};
void loop_at_turn_end(struct loop *loop, struct turn_hook *hook);

/* From any thread: run MSG->run on the loop's thread. MSG must not be posted twice at a time. Never blocks, never fails. */
struct message {
        struct message *next;
        void (*run)(struct message *);
};
void loop_post(struct loop *loop, struct message *msg);

/* Longest a turn has taken since the last call, in ns: for the loop lag metric. */
uint64_t loop_lag_ns(struct loop *loop);
