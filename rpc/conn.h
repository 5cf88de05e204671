/* SPDX-License-Identifier: Apache-2.0 */
/* One TCP connection: records in, calls dispatched; replies in any order, gathered and written once a turn;
 * calls of our own in the other direction (rpc/client.h) on the same connection. Bounded: receive buffers,
 * calls in flight, reply bytes waiting; when a call has to wait for room the socket is not read until there
 * is. A peer that sends half a record and falls silent, or does not read its replies, is closed.
 *
 * Lifetime: a connection that broke is `closed` but stays in memory while calls hold it (refs); replies to it
 * vanish. */
#pragma once

#include "base/env.h"
#include "base/slab.h"
#include "rpc/msg.h"

struct conn;
struct rpc_server;

enum {
        RPC_RECORD_MAX =
                (1024 + 32) * 1024, /* the longest that any limit may allow: one BUF_LARGE holds it */
        RPC_HEAD_BYTES = 16 * 1024, /* of a reply; more goes with xdr_put_ref(), or after call_need_head() */
};

/* A message that waits to be written. */
struct rpc_sending {
        struct list node;
        struct xdr_out *out;
        void (*sent)(struct rpc_sending *); /* all written, or the connection is gone */
};

/* One call in progress. The first member of what the service keeps for a call (struct compound), from the
 * server's slab; the reply's head (RPC_HEAD_BYTES) stands behind it in the same object. */
struct call {
        struct conn *conn; /* one reference */
        struct list node;  /* in conn->calls */
        struct rpc_header header;
        struct buf *record; /* holds the arguments: one reference, given back by call_reply() */
        struct xdr_in args;
        struct buf *big_head; /* holds the reply's head when it has outgrown its place (call_need_head) */
        struct xdr_out out;   /* the reply; the RPC header is already there, body is appended */
        uint64_t arrived_ns;
        struct rpc_sending sending; /* private; once call_reply() was called */
};

struct rpc_program {
        uint32_t prog, vers;
        size_t call_bytes; /* size of the slab objects; struct call first; only struct call is initialised */
        /* Handle CALL; call_reply() sooner or later, exactly once, also for a closed connection. */
        void (*dispatch)(void *service, struct call *call);
        /* The connection is gone: forget pointers to it (sessions, back channels). */
        void (*conn_closed)(void *service, struct conn *conn);
        void *service;
};

struct rpc_limits {
        uint32_t max_connections; /* one more is closed at once, with a log line */
        uint32_t max_calls;       /* in flight in the whole server: the slab */
        /* More than a peer has outstanding that itself must answer calls of ours: a call that waits for room
         * holds up the replies behind it on its connection. */
        uint32_t max_calls_per_conn;
        uint32_t max_record; /* bytes, at most RPC_RECORD_MAX; a longer record closes the connection */
        /* Half a record, unread replies, or nothing at all since it was accepted, for so long: closed. Long
         * records and replies must move 64 KiB in that time. */
        uint32_t stall_ms;
        uint32_t max_reply_bytes; /* waiting on one connection before no more of its calls are begun */
        /* Of the pool, in use by anybody, before no more is received, so that those who answer still find
         * buffers; replies to our own calls are received up to the pool's own limit. 0: no such bound. */
        size_t max_pool_bytes;
};

/* rpc_server: what is common to the connections of one loop. PROGRAMS: array ended by prog 0; lives as long
 * as the server. */
struct rpc_server *rpc_server_new(struct env *env, struct bufpool *pool, const struct rpc_program *programs,
                                  const struct rpc_limits *limits);
void rpc_server_free(struct rpc_server *s); /* closes all connections; all calls must have been replied to */
/* 0 or -errno; several addresses are fine. */
int rpc_server_listen(struct rpc_server *s, const struct netaddr *addr);
void rpc_server_stop_listening(struct rpc_server *s);
/* What is done with a stream that a listener accepted, for streams that were accepted elsewhere (by another
 * loop). */
void rpc_server_accept(struct rpc_server *s, struct stream *stream);
/* Serve STREAM (takes it over). NULL when over the limits (closed then). A dialled stream may serve programs
 * too. */
struct conn *rpc_server_adopt(struct rpc_server *s, struct stream *stream);
/* Called for each accepted stream before it is adopted, to wrap it (TLS); takes it over; NULL result =
 * refused and closed. */
void rpc_server_wrap(struct rpc_server *s, struct stream *(*wrap)(void *arg, struct stream *), void *arg);
uint32_t rpc_server_connections(const struct rpc_server *s);
void rpc_server_each_conn(struct rpc_server *s, void (*each)(void *arg, struct conn *), void *arg);
struct rpc_stats {
        uint64_t accepted, refused; /* refused: over max_connections, or by the wrapper */
        uint64_t closed_slow, closed_bad;
        uint64_t calls;         /* begun by a program */
        uint64_t rejected;      /* answered by the RPC layer: version, credential, program */
        uint64_t stray_replies; /* to no call of ours, or too late */
        uint64_t bytes_in, bytes_out;
};
const struct rpc_stats *rpc_server_stats(const struct rpc_server *s);

/* Send CALL's reply (out) and give the call back to its slab when it has gone out. */
void call_reply(struct call *call);
/* Make room for at least BYTES more in the reply's head, by moving it into a bigger buffer when needed (up to
 * BUF_LARGE); out.full tells when that was not possible. */
void call_need_head(struct call *call, uint32_t bytes);
/* Replace what stands in out by an RPC-level error (not PROG_MISMATCH), then as call_reply(). */
void call_reply_error(struct call *call, enum rpc_accept stat);

struct conn *conn_ref(struct conn *c);
void conn_unref(struct conn *c);
void conn_close(struct conn *c); /* now; conn_closed() of every program runs; twice is harmless */
bool conn_is_closed(const struct conn *c);
const struct netaddr *conn_peer(const struct conn *c);
const struct netaddr *conn_local(const struct conn *c);
struct env *conn_env(const struct conn *c);
void *conn_data(const struct conn *c); /* one pointer for the service */
void conn_set_data(struct conn *c, void *data);
/* Called once when the connection closes, after the programs' conn_closed(); one slot: whoever dialled. */
void conn_on_close(struct conn *c, void (*fn)(void *arg, struct conn *), void *arg);
