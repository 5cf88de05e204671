/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of rpc/: a program that does a little of everything, and a peer that speaks bytes. */
#pragma once

#include "rpc/client.h"
#include "tests/lab/stream_pair.h"
#include "tests/lab/virtual_env.h"

enum { LAB_PROGRAM = 0x20000099, LAB_VERSION = 3 };
enum lab_proc {
        LAB_NULL,
        LAB_ECHO,     /* the arguments come back */
        LAB_HOLD,     /* replied to as LAB_ECHO, but only by lab_release() */
        LAB_BLOB,     /* u32 n -> opaque of n bytes, linked in by reference; byte i is i * 7 */
        LAB_SUM,      /* opaque -> u32 length, u32 sum of the bytes */
        LAB_FAIL,     /* SYSTEM_ERR */
        LAB_OVERFLOW, /* a reply that does not fit */
        LAB_CLOSE,    /* closes the connection, then replies */
        LAB_GARBAGE,  /* GARBAGE_ARGS */
        LAB_LONG,     /* u32 n -> n words 0, 1, 2 …, in the reply's head */
};

struct lab_call {
        struct call call; /* first */
        struct list held;
};

struct lab_service {
        struct bufpool *pool;
        struct list held; /* struct lab_call.held, oldest first */
        uint32_t held_count, dispatched, conns_closed;
};

void lab_service_init(struct lab_service *s, struct bufpool *pool);
/* Two rows for rpc_server_new(): the program, and the end. */
void lab_programs(struct lab_service *s, struct rpc_program ret[2]);
/* Reply to the oldest (or newest) held call; false when there is none. */
bool lab_release(struct lab_service *s, bool newest);
void lab_release_all(struct lab_service *s);
/* What tests start from: everything roomy. */
extern const struct rpc_limits lab_limits;

/* A peer that sends and collects bytes. */
struct raw_peer {
        struct stream *stream; /* NULL: closed, by either side */
        uint8_t *out, *in;
        size_t out_length, in_length, taken; /* taken: of in, by raw_next() */
        bool deaf;                           /* does not read */
        bool ended;                          /* the other side closed, or it broke */
        int64_t error;                       /* how: what readv() said last */
};

struct raw_peer *raw_peer_new(struct stream *stream);
void raw_peer_free(struct raw_peer *p);
void raw_send(struct raw_peer *p, const void *data, size_t length);
void raw_deaf(struct raw_peer *p, bool deaf);
/* Send a record in fragments of at most FRAGMENT bytes (0: one). */
void raw_send_record(struct raw_peer *p, const void *data, uint32_t length, uint32_t fragment);
/* Send a call of the lab program with AUTH_SYS. */
void raw_call(struct raw_peer *p, uint32_t xid, uint32_t proc, const void *args, uint32_t length);
/* The next whole record that came in; false: none yet. */
bool raw_next(struct raw_peer *p, struct slice *ret);
/* The next record is a reply to XID with accept status STAT; X stands behind it. Fails the test otherwise. */
struct xdr_in raw_expect(struct raw_peer *p, uint32_t xid, uint32_t stat);

/* A server of the lab's program on a virtual clock. */
struct rpc_lab {
        struct virtual_env v;
        struct bufpool *pool;
        struct lab_service service;
        struct rpc_program programs[2];
        struct rpc_server *server;
};

void rpc_lab_start(struct rpc_lab *lab, uint64_t seed, const struct rpc_limits *limits, size_t pool_bytes);
/* Everything is given back, or it aborts. */
void rpc_lab_stop(struct rpc_lab *lab);
/* A peer that connects: the server accepts the other end. */
struct raw_peer *rpc_lab_peer(struct rpc_lab *lab, const struct stream_pair_conf *conf);
void rpc_lab_run_ms(struct rpc_lab *lab, uint64_t ms);
