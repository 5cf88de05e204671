/* SPDX-License-Identifier: Apache-2.0 */
/* The seam: time, randomness, timers, deferred work, connections. The servers see nothing else of the machine
 * (disk is base/disk.h, the metadata store mds/store/store.h), so that the same code runs on a real loop
 * (base/loop.c) and, many servers in one process from one seed, in the simulator. One env = one thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/list.h"

struct env;

/* --- addresses: IPv4 or IPv6 and a port, in text "192.0.2.1:2049" or "[::1]:2049" */
struct netaddr {
        uint8_t family; /* 4 or 6; 0 = none */
        uint16_t port;  /* host order */
        uint8_t bytes[16];
};

/* --- timers: a binary heap in the env; a timer is a member of whoever waits */
struct timer {
        void (*fire)(struct timer *);
        uint64_t due_ns;
        uint32_t heap_index; /* 0 = not running */
        struct env *env;     /* of the heap it is in */
};

/* --- deferred work: runs once on the env's thread at the end of this turn; a task is a member of whoever
 * defers */
struct task {
        struct list node; /* list_init() before first use */
        void (*run)(struct task *);
};

/* --- byte streams: non-blocking; never call ready() from inside readv/writev/want */
enum { STREAM_READ = 1, STREAM_WRITE = 2 };
struct stream;
struct stream_ops {
        /* Bytes moved; 0 from readv = end of file; -EAGAIN = call want() and wait; another -errno = broken.
         */
        int64_t (*readv)(struct stream *, const struct iovec *, int count);
        int64_t (*writev)(struct stream *, const struct iovec *, int count);
        /* Which readiness ready() is called for from now on; level-triggered. Starts as 0. */
        void (*want)(struct stream *, unsigned events);
        /* Ends and frees the stream at once; ready() is not called again. */
        void (*close)(struct stream *);
};
struct stream {
        const struct stream_ops *ops;
        void (*ready)(struct stream *, unsigned events); /* set by the owner before want() */
        void *owner;
        struct netaddr local, peer;
};

struct listener;
typedef void accept_fn(void *arg, struct stream *accepted); /* takes ownership of the stream */

struct env_ops {
        uint64_t (*now_ns)(struct env *);  /* monotonic */
        uint64_t (*wall_ns)(struct env *); /* since 1970 */
        void (*random)(struct env *, void *out, uint32_t bytes);
        /* 0 or -errno. */
        int (*listen)(struct env *, const struct netaddr *, accept_fn *, void *arg, struct listener **ret);
        void (*unlisten)(struct env *, struct listener *);
        /* Start to connect: STREAM_WRITE readiness when it is done; writev then says -errno if it failed. The
         * stream breaks within 20 s when the other end is gone, also without a word. */
        int (*connect)(struct env *, const struct netaddr *, struct stream **ret);
};

struct env {
        const struct env_ops *ops;
        struct timer **heap; /* [1..timers] */
        uint32_t timers, heap_capacity;
        struct list tasks;
};

/* env.c: what is common to all envs */
void env_init(struct env *env, const struct env_ops *ops);
void env_destroy(struct env *env);
static inline uint64_t env_now(struct env *env)
{
        return env->ops->now_ns(env);
}
static inline uint64_t env_wall(struct env *env)
{
        return env->ops->wall_ns(env);
}
static inline void env_random(struct env *env, void *out, uint32_t bytes)
{
        env->ops->random(env, out, bytes);
}
uint64_t env_random_u64(struct env *env);

/* (Re)start T to fire once, DELAY_NS from now at the earliest (at least 1 ns). T->fire must be set. */
void timer_start(struct env *env, struct timer *t, uint64_t delay_ns);
void timer_stop(struct timer *t); /* not running is fine */
static inline bool timer_running(const struct timer *t)
{
        return t->heap_index != 0;
}
/* When the next timer is due; UINT64_MAX: none. */
uint64_t env_next_timer(const struct env *env);
/* Fire every timer that is due at NOW. */
void env_run_timers(struct env *env, uint64_t now);

/* Run TASK at the end of this turn; already queued is fine. */
void env_defer(struct env *env, struct task *task);
/* Run deferred tasks until none is left. */
void env_run_tasks(struct env *env);

/* netaddr.c. Text forms; 0 or -EINVAL. DEFAULT_PORT when TEXT has none. A universal address is RFC 5665
 * §5.2.3. */
int netaddr_parse(const char *text, uint16_t default_port, struct netaddr *ret);
enum { NETADDR_TEXT = 64 };
char *netaddr_format(const struct netaddr *a, char out[NETADDR_TEXT]);
const char *netaddr_netid(const struct netaddr *a); /* "tcp" or "tcp6" */
char *netaddr_universal(const struct netaddr *a, char out[NETADDR_TEXT]);
int netaddr_from_universal(const char *netid, const char *uaddr, struct netaddr *ret);
bool netaddr_equal(const struct netaddr *a, const struct netaddr *b);
bool netaddr_is_any(const struct netaddr *a); /* 0.0.0.0 or ::, whatever the port */
