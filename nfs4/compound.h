/* SPDX-License-Identifier: Apache-2.0 */
/* The compound engine (RFC 8881 §2.3, §15, §16.2): one COMPOUND, operation by operation: decode, execute,
 * encode, next. Shared by both servers; what differs is a table of operations and a few hooks
 * (nfs4/server.h).
 *
 * An operation is a file (nfs4/op/sequence.c, mds/op/layoutget.c, ds/op/read.c) that ends with its `struct
 * nfs4_op`. execute() runs to completion and returns a status, or NFS4_WAIT after it started something
 * asynchronous whose completion calls compound_wake(): the engine then calls resume(), which may return
 * NFS4_WAIT again. compound_run() is the only function that waits. Decoded arguments and results live in the
 * compound, so nothing is allocated. */
#pragma once

#include "include/fh.h"
#include "include/nfs4.h"
#include "include/stateid.h"
#include "rpc/conn.h"

struct nfs4_server;
struct session;
struct slot;
struct client;
struct compound;

enum nfs4_op_flags {
        OP_NEEDS_FH = 1, /* NFS4ERR_NOFILEHANDLE without a current file handle */
        OP_NEEDS_SAVED_FH = 2,
        OP_MUTATES = 4,        /* not idempotent: before it runs its worst reply must fit (§2.10.6.4) */
        OP_ENCODES_ERRORS = 8, /* encode() is called for failures too (it writes what follows the status) */
        OP_NO_SEQUENCE = 16,   /* may come first, without SEQUENCE */
        OP_SOLE = 32,          /* without SEQUENCE it must be alone: NFS4ERR_NOT_ONLY_OP */
        OP_PSEUDO = 64,        /* MDS: works on nodes of the pseudo file system too */
        OP_NAMES =
                128, /* MDS: looks for names in the current directory, and in the saved one if it needs it */
};

struct nfs4_op {
        const char *name;
        uint32_t flags;
        uint32_t reply_max; /* worst result in bytes with the opnum and status; payload by reference not
                               counted */
        /* Fill OP_ARGS from X; total: check nothing, X is looked at once afterwards (BADXDR). May be NULL:
         * void. A decoder that finds a value for which the RFC has an error other than BADXDR stores it in
         * c->decode_status. */
        void (*decode)(struct compound *c, struct xdr_in *x);
        enum nfsstat4 (*execute)(struct compound *c);
        enum nfsstat4 (*resume)(struct compound *c); /* NULL when execute() never waits */
        /* Append what follows the status. NULL: nothing. */
        void (*encode)(struct compound *c, struct xdr_out *x, enum nfsstat4 status);
        /* With OP_NAMES: the name on whose object it acts, in the current directory or (SAVED) the saved one;
         * empty: none there. NULL: it acts on directories only. */
        struct slice (*acts_on)(struct compound *c, bool saved);
};

enum compound_phase { C_DECODE, C_ADMIT, C_EXECUTE, C_RESUME, C_ENCODE, C_COMMIT, C_REPLY, C_PARKED };
enum {
        COMPOUND_ARGS = 1408,
        COMPOUND_RES = 640,
        COMPOUND_WAIT = 1024,
        COMPOUND_MAX_OPS = 64,
        COMPOUND_HEAD_RESERVE = 512
};

struct compound {
        struct call call; /* first: the rpc layer makes us */
        struct nfs4_server *server;
        enum compound_phase phase;
        bool waiting;         /* inside NFS4_WAIT: compound_wake() is awaited */
        bool woken;           /* it came before the engine parked */
        bool admitted;        /* execute() was called: a wake leads to resume() */
        bool abandoned_reply; /* the slot's cached bytes answer instead */
        uint32_t minor;
        uint32_t op_count, op_index, opnum;
        const struct nfs4_op *op;    /* NULL: not supported or illegal */
        enum nfsstat4 status;        /* of the present operation, at the end of the compound */
        enum nfsstat4 decode_status; /* see nfs4_op.decode */
        uint32_t body_at, count_at;  /* head offsets: compound status word; result count word */
        uint32_t op_at;              /* head offset of the present result */

        /* from SEQUENCE */
        struct session *session;
        struct slot *slot;
        struct client *client;
        bool cache_this;

        /* §16.2.3: current and saved file handle and stateid */
        bool has_fh, has_saved_fh, has_stateid, has_saved_stateid;
        struct fh fh, saved_fh;
        struct stateid stateid, saved_stateid;

        /* what the reply must wait for (mds/store): highest sequence number */
        uint64_t commit_seq;
        struct list commit_node;
        uint64_t op_started_ns; /* when the call arrived, then the end of the operation before */
        void *role;             /* hooks may keep one pointer per compound (export rule …) */
        uint32_t waits;         /* how often the present operation has waited */

        _Alignas(16) uint8_t args[COMPOUND_ARGS];
        _Alignas(16) uint8_t res[COMPOUND_RES];
        _Alignas(16) uint8_t wait[COMPOUND_WAIT]; /* disk_req, rpc_req … of an operation that waits; kept from
                                                     execute to resume */
};

/* The present operation's arguments, results and wait context as a struct of its own. */
#define OP_ARGS(c, type) \
        ((type *)(void *)((c)->args + 0 * sizeof(char[sizeof(type) <= COMPOUND_ARGS ? 1 : -1])))
#define OP_RES(c, type) ((type *)(void *)((c)->res + 0 * sizeof(char[sizeof(type) <= COMPOUND_RES ? 1 : -1])))
#define OP_WAIT(c, type) \
        ((type *)(void *)((c)->wait + 0 * sizeof(char[sizeof(type) <= COMPOUND_WAIT ? 1 : -1])))

static inline struct compound *compound_of(void *wait_member_owner)
{
        return wait_member_owner;
}
static inline const struct rpc_cred *compound_cred(const struct compound *c)
{
        return &c->call.header.cred;
}
static inline struct env *compound_env(const struct compound *c)
{
        return conn_env(c->call.conn);
}

/* rpc_program.dispatch of both servers; SERVICE is the struct nfs4_server. */
void compound_dispatch(void *service, struct call *call);
/* The awaited thing happened: go on. From the loop, at any time after NFS4_WAIT was decided (also before the
 * return). */
void compound_wake(struct compound *c);
/* The batch up to the compound's commit_seq is durable. */
void compound_committed(struct compound *c);

/* The current stateid rules of §16.2.3.1.2: {1,0} stands for the current stateid; BAD_STATEID when there is
 * none. */
enum nfsstat4 compound_stateid(struct compound *c, struct stateid *inout);
/* Operations that return a stateid make it the current one. */
void compound_set_stateid(struct compound *c, const struct stateid *s);
/* A new current file handle; forgets the current stateid. */
void compound_set_fh(struct compound *c, const struct fh *fh);
/* How many bytes of reply this compound may still produce (session limits, minus what is there). */
uint32_t compound_reply_room(const struct compound *c);
