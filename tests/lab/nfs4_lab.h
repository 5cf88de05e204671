/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of nfs4/: a server of the shared operations and a few of its own, on a virtual clock, and
 * compounds made by hand. connect() of its env leads to it. */
#pragma once

#include "nfs4/codec.h"
#include "nfs4/ops.h"
#include "nfs4/server.h"
#include "rpc/client.h"
#include "tests/lab/stream_pair.h"
#include "tests/lab/virtual_env.h"

#define LAB_SECOND 1000000000ull

/* Operations of the lab, under the numbers of some that nobody implements. */
enum {
        LAB_OP_WAIT = OP_GET_DIR_DELEGATION, /* u32 n, bool early -> u32 n: waits n times for lab_release();
                                              * EARLY: woken from inside, before the engine parks */
        LAB_OP_COUNT = OP_WANT_DELEGATION,   /* -> u32: how often it was executed; it mutates */
        LAB_OP_BLOB = OP_SET_SSV,            /* u32 n -> opaque of n bytes, by reference */
        LAB_OP_STATEID = OP_LOCKU, /* stateid in; -> the stateid it stands for; makes {7, 1 1 1 …} the current
                                    * one when it is special */
        LAB_OP_FAIL = OP_OPEN_CONFIRM, /* u32 status: fails with it */
};

struct nfs4_lab;
typedef void lab_callback_fn(struct nfs4_lab *lab, struct call *call);
struct nfs4_lab {
        struct virtual_env v; /* first */
        struct env_ops env_ops;
        struct stream_pair_conf streams; /* of every connection */
        bool unreachable;                /* connect() fails */
        uint32_t connects;
        struct bufpool *pool;
        struct metrics metrics;
        struct nfs4_hooks hooks; /* may be changed at any time */
        struct nfs4_server nfs;
        const struct nfs4_op *ops[NFS4_OP_LIMIT];
        struct rpc_program programs[2], cb_programs[2];
        struct rpc_server *server, *dialler;
        struct list held;        /* waiting operations, oldest first */
        struct list uncommitted; /* compound.commit_node, while hold_commits */
        bool hold_commits;
        uint32_t count, gone, confirmed; /* of LAB_OP_COUNT; calls of the hooks */
        bool has_state, courtesy;        /* what the hooks say */
        lab_callback_fn *on_callback;    /* answers what the server calls; NULL: PROC_UNAVAIL */
};

/* nfs4_ops.c: the table of operations. */
void nfs4_lab_ops(const struct nfs4_op *ret[NFS4_OP_LIMIT]);
void nfs4_lab_start(struct nfs4_lab *lab);
void nfs4_lab_stop(struct nfs4_lab *lab);
/* The server forgets everything, as after a restart; connections are closed. */
void nfs4_lab_restart(struct nfs4_lab *lab);
void nfs4_lab_run_ms(struct nfs4_lab *lab, uint64_t ms);
/* Wake the oldest waiting operation; false: none. */
bool nfs4_lab_release(struct nfs4_lab *lab);
void nfs4_lab_commit(struct nfs4_lab *lab);
void nfs4_lab_close_conns(struct nfs4_lab *lab);
/* The client's end of a new connection. */
struct conn *nfs4_lab_dial(struct nfs4_lab *lab);

/* A compound by hand: lab_begin(), lab_op() with its arguments put into ->x, …, lab_call(). */
enum { LAB_REPLY = 128 * 1024 };
struct lab_compound {
        struct rpc_req req;
        struct nfs4_lab *lab;
        struct xdr_out *x; /* the arguments */
        uint32_t count_at, ops;
        bool ended;
        enum rpc_result result;
        enum nfsstat4 status; /* of the compound */
        uint32_t results;
        struct xdr_in in;      /* behind the count of results */
        uint32_t reply_length; /* COMPOUND4res */
        uint8_t reply[LAB_REPLY];
};
extern struct rpc_cred lab_cred; /* who calls */
void lab_begin(struct lab_compound *k, struct nfs4_lab *lab, struct conn *conn, uint32_t minor);
struct xdr_out *lab_op(struct lab_compound *k, uint32_t opnum);
void lab_send(struct lab_compound *k);          /* runs the clock a little */
enum nfsstat4 lab_call(struct lab_compound *k); /* until it ended, which must be soon */
/* The next result is OPNUM's: its status. */
enum nfsstat4 lab_result(struct lab_compound *k, uint32_t opnum);

/* What most tests begin with. */
struct lab_session {
        struct conn *conn;
        uint64_t clientid;
        uint32_t create_seqid, flags; /* eir_sequenceid, eir_flags */
        uint8_t id[NFS4_SESSIONID_SIZE];
        uint32_t seqid[SESSION_MAX_SLOTS];
        struct channel_attrs fore, back;
};
extern const struct channel_attrs lab_fore, lab_back;
enum nfsstat4 lab_exchange_id(struct nfs4_lab *lab, struct conn *conn, const char *owner,
                              const char verifier[8], uint32_t flags, struct lab_session *ret);
enum nfsstat4 lab_create_session(struct nfs4_lab *lab, struct lab_session *s, uint32_t seqid, uint32_t flags,
                                 const struct channel_attrs *fore, const struct channel_attrs *back);
/* A client with a session on a connection of its own. */
void lab_session_start(struct nfs4_lab *lab, const char *owner, struct lab_session *ret);
void lab_put_sequence(struct lab_compound *k, const struct lab_session *s, uint32_t slot, uint32_t seqid,
                      bool cache_this);
/* lab_begin() and SEQUENCE with the next seqid of SLOT. */
void lab_begin_in(struct lab_compound *k, struct nfs4_lab *lab, struct lab_session *s, uint32_t slot,
                  bool cache_this);
/* A lonely SEQUENCE: its status. */
enum nfsstat4 lab_ping(struct nfs4_lab *lab, struct lab_session *s, uint32_t slot);
