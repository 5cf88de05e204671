/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of rpc/ share about servers and connections; nobody else includes this. */
#pragma once

#include "rpc/client.h"
#include "rpc/record.h"

enum {
        RPC_MAX_LISTENERS = 32,
        RPC_PENDING_BUCKETS = 32,
        RPC_HEADROOM = 8, /* in front of a message: its record mark */
};

struct rpc_server {
        struct env *env;
        struct bufpool *pool;
        const struct rpc_program *programs;
        struct rpc_limits limits;
        struct rpc_stats stats;
        struct slab conns, calls;
        size_t call_bytes;  /* of the largest program's call: the reply's head begins there */
        struct list open;   /* conn.in_server */
        struct list broken; /* conn.in_server: closed, and requests of ours wait for their done() */
        uint32_t open_count;
        struct list waiting; /* conn.in_waiting: for a call object or a receive buffer */
        struct task wake;    /* looks at them again */
        struct timer retry;  /* for buffers that somebody outside rpc/ gives back */
        struct listener *listeners[RPC_MAX_LISTENERS];
        unsigned listener_count;
        struct stream *(*wrap)(void *arg, struct stream *);
        void *wrap_arg;
        bool stopping;
};

/* Watches that a counter of bytes rises while something is unfinished: runs lazily, so that the common case,
 * finished before the timer fires, costs no change of the timer. */
struct stall_watch {
        struct timer timer;
        struct conn *conn;
        const uint64_t *moved; /* the counter */
        bool on;
        uint64_t since_ns, since_moved;
};

struct conn {
        struct rpc_server *server;
        struct stream *stream; /* NULL: closed */
        struct list in_server, in_waiting;
        struct task turn; /* end of the turn: write what was queued */
        struct netaddr local, peer;
        uint32_t refs;
        unsigned wanted; /* what stream->want() was told last */
        void *data;
        void (*on_close)(void *arg, struct conn *);
        void *on_close_arg;

        /* in */
        struct record_reader in;
        struct slice record; /* a whole record that waits for room, when has_record */
        bool has_record, lacks_buffer;
        bool spoke; /* the peer sent a whole record; always true for a stream that we dialled */
        uint64_t bytes_in, records, half_record, read_ns;
        struct stall_watch half; /* a record that began and does not end */
        struct list calls;       /* struct call.node */
        uint32_t call_count;

        /* out */
        struct list queue; /* struct rpc_sending.node */
        uint64_t queued_bytes;
        uint32_t head_sent; /* bytes of the queue's first message that went out */
        bool blocked;       /* the socket takes no more for now */
        uint64_t bytes_out;
        struct stall_watch unread; /* replies that the peer does not read */
        /* A request that was given up when a part of it had gone out: the rest must follow. */
        struct {
                struct rpc_sending sending;
                struct xdr_out out;
                struct buf *head;
        } rest;

        /* our own calls */
        struct list pending[RPC_PENDING_BUCKETS], lost; /* struct rpc_req.node */
        uint32_t pending_count, next_xid;
};

/* conn.c */
struct conn *conn_new(struct rpc_server *s, struct stream *stream, bool accepted);
enum conn_fault { CONN_SLOW, CONN_BAD };
void conn_fail(struct conn *c, enum conn_fault fault, const char *why); /* log, count, close */
void conn_resume(struct conn *c); /* there may be room or a buffer now */

/* send.c */
void conn_queue(struct conn *c, struct rpc_sending *m, struct xdr_out *out,
                void (*sent)(struct rpc_sending *));
void conn_unqueue(struct conn *c, struct rpc_sending *m, struct buf **head); /* a request is given up */
void conn_flush(struct conn *c);
void conn_drop_queue(struct conn *c);

/* call.c */
bool call_has_room(struct conn *c); /* false: C waits for it from now on */
void call_dispatch(struct conn *c, struct slice record);

/* server.c */
void server_wait(struct conn *c);       /* C is resumed when calls or buffers come back */
void server_wake(struct rpc_server *s); /* they came */

/* client.c */
void client_reply(struct conn *c, struct slice record);
void client_lose_all(struct conn *c); /* the connection broke: done(RPC_LOST) at the end of the turn */
void client_run_lost(struct conn *c);

/* watch.c */
void watch_init(struct stall_watch *w, struct conn *c, const uint64_t *moved, void (*fire)(struct timer *));
void watch_begin(struct stall_watch *w); /* something is unfinished from now on */
static inline void watch_end(struct stall_watch *w)
{
        w->on = false;
}
bool watch_stalled(struct stall_watch *w); /* from fire(): true = it moved too little for too long */
