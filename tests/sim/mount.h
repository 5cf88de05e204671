/* SPDX-License-Identifier: Apache-2.0 */
/* A scripted client's session with one server, MDS or data server: NFSv4.1 over rpc/, for coroutines. What
 * was not answered when a connection broke is sent again on the next one, in the same slot under the same
 * sequence id, as RFC 8881 §2.10.6.2 wants it; when the session itself is lost nobody knows whether it was
 * executed. */
#pragma once

#include "nfs4/codec.h"
#include "rpc/client.h"
#include "tests/sim/co.h"
#include "tests/sim/world.h"

enum { MOUNT_SLOTS = 8, ASK_BYTES = 32 * 1024, MOUNT_CB_PROGRAM = 0x40000000 };

/* A compound without its SEQUENCE, and its answer. */
struct ask {
        struct xdr_out x;
        uint32_t ops;
        bool cache_this;
        enum nfsstat4 status; /* of the compound */
        struct xdr_in in;     /* results behind SEQUENCE's */
        uint8_t args[ASK_BYTES], reply[ASK_BYTES];
        /* private */
        struct rpc_req req;
        struct co *co;
        bool ended;
        enum rpc_result result;
};
void ask_begin(struct ask *k);
struct xdr_out *ask_op(struct ask *k, uint32_t opnum);
/* The next result is OPNUM's: its status. */
enum nfsstat4 ask_result(struct ask *k, uint32_t opnum);

enum ask_end {
        ASK_DONE,        /* answered: status and in */
        ASK_LOST,        /* the session is gone: perhaps it was executed */
        ASK_UNREACHABLE, /* no answer in time: perhaps it was, or will be until the next session */
};

struct mount {
        struct node *node;
        struct rpc_server *rpc;
        struct netaddr addr;
        const char *owner;
        uint8_t verifier[NFS4_VERIFIER_SIZE];
        bool is_mds;
        uint32_t number;      /* of sessions so far; 0: none yet */
        uint32_t incarnation; /* rises when the server has forgotten all state */
        uint64_t clientid;
        uint64_t renewed_ns; /* the lease: it runs at least from here */
        bool doubtful;       /* something was revoked: nobody here asks what */
        /* Between CREATE_SESSION and RECLAIM_COMPLETE, with slot 0 for its own; may be NULL. */
        void (*reclaim)(struct mount *);
        /* Whatever was sent on the sessions before has been executed by now, or never will be. */
        void (*settled)(struct mount *);
        void *arg;
        /* private */
        struct conn *conn;
        struct conn *left;               /* one that did not answer in time; NULL: none, or it is closed */
        bool up, complete, busy, doomed; /* doomed: there is one to be destroyed before the next is made */
        bool bound;             /* the connection is one for callbacks too (of a data server: none is) */
        uint64_t last_clientid; /* of the session before; 0: none yet */
        uint8_t id[NFS4_SESSIONID_SIZE];
        uint32_t create_seqid, seqid[MOUNT_SLOTS];
        uint64_t retry_ns;
        struct ask setup;
};

/* Nothing is sent yet. NUMBER makes the instance of the client. */
void mount_init(struct mount *s, struct node *node, struct rpc_server *rpc, const struct netaddr *addr,
                bool is_mds, const char *owner, uint64_t number);
/* Run K in SLOT, which nobody else uses, waiting PATIENCE (UINT64_MAX: for ever). */
enum ask_end mount_run(struct mount *s, uint32_t slot, struct ask *k, uint64_t patience_ns);
