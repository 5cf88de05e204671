/* SPDX-License-Identifier: Apache-2.0 */
/* The real env: a libevent loop with sockets, timers, signals, a readable-fd hook (io_uring's ring), and an
 * inbox for other threads. A turn = wait for readiness, handle all that is ready, run due timers, run
 * deferred tasks, run the end-of-turn hooks (group commit, ring submit), again. */
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
/* Call FN whenever FD is readable, until loop_unwatch() (before FD is closed) or loop_free(). 0 or -errno. */
int loop_watch(struct loop *loop, int fd, void (*fn)(void *arg), void *arg);
void loop_unwatch(struct loop *loop, int fd);
/* The same in both directions, for descriptors of another library (curl's sockets): FN is called with
 * STREAM_READ and STREAM_WRITE bits while loop_poll_want() says so (level-triggered; nothing at first). FN
 * may free the poll. Free it before FD is closed. NULL: out of memory; false: the kernel cannot watch FD. */
struct poll;
struct poll *loop_poll_new(struct loop *loop, int fd, void (*fn)(void *arg, int fd, unsigned events),
                           void *arg);
bool loop_poll_want(struct poll *poll, unsigned events);
void loop_poll_free(struct poll *poll); /* NULL is fine */
/* Call FN at the end of every turn, until list_remove(&hook->node). Work that it defers runs in the same
 * turn, and then FN again, a few times over: a hook with nothing to do must be cheap. */
struct turn_hook {
        struct list node;
        void (*fn)(struct turn_hook *);
};
void loop_at_turn_end(struct loop *loop, struct turn_hook *hook);

/* From any thread: run MSG->run on the loop's thread. MSG must not be posted twice at a time. Never blocks,
 * never fails. */
struct message {
        struct message *next;
        void (*run)(struct message *);
};
void loop_post(struct loop *loop, struct message *msg);
/* On the loop's thread: run what was posted so far. For the end, when the loop does not turn any more. */
void loop_read_inbox(struct loop *loop);

/* Hand a TCP stream of this env to another loop (a data server deals its connections out so): it stops
 * wanting, and ARRIVED runs on TO's thread with the stream, which is TO's from then on. Called on the loop
 * that has it. */
void loop_stream_move(struct stream *stream, struct loop *to, accept_fn *arrived, void *arg);
/* Where a listener of this env really listens: the port the kernel chose for port 0. */
struct netaddr loop_listener_address(const struct listener *listener);

/* Longest a turn has taken since the last call, in ns: for the loop lag metric. From any thread. */
uint64_t loop_lag_ns(struct loop *loop);
