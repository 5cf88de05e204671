/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the peer share: peer.c has the calls and the end, peer_setup.c the way from nothing to a
 * session. */
#pragma once

#include "nfs4/client.h"
#include "nfs4/peer.h"

enum peer_phase {
        PEER_DOWN, /* no connection, or on the way to a session */
        PEER_UP,
        PEER_LEAVING, /* peer_shutdown() */
        PEER_FREED,
};

struct peer {
        struct rpc_server *rpc;
        struct env *env;
        struct peer_conf conf; /* owner: ours */
        peer_state_fn *on_state;
        void *arg;
        const char *told; /* what on_state() was told last */
        enum peer_phase phase;

        struct conn *conn;    /* one reference; NULL: none */
        struct rpc_req setup; /* the step under way: one at a time */
        struct timer pause;   /* before the step ->next */
        void (*next)(struct peer *);
        uint32_t retry_ms; /* the next pause after a failure */

        uint64_t clientid;
        uint32_t create_seqid; /* of the next CREATE_SESSION */
        bool counting;         /* create_seqid is ours to count */
        bool has_session;      /* perhaps not any more on the server */
        uint8_t session[NFS4_SESSIONID_SIZE];

        uint32_t slots; /* usable; those above are never begun */
        uint64_t busy[SESSION_MAX_SLOTS / 64];
        uint32_t seqid[SESSION_MAX_SLOTS]; /* of the last request that the server took */
        struct list waiting, running;      /* struct peer_call.node */
        struct task kick;                  /* look at what waits */
        struct timer again;                /* the same, when there was no buffer */

        struct peer_call own; /* RECLAIM_COMPLETE, then the lease's SEQUENCEs */
        bool own_used;
        struct timer lease;
        uint32_t lease_seconds; /* as the server says; 0: it has not said yet */
        bool renewed;           /* since the last tick */

        void (*farewell)(void *arg);
        void *farewell_arg;
        uint64_t farewell_until_ns;
        bool farewell_begun;
};

enum { PEER_RETRY_FIRST_MS = 100, PEER_BUSY_MS = 20 };

/* peer.c */
void peer_calls_init(struct peer *p);
void peer_calls_end(struct peer *p); /* done(RPC_LOST) for all */
/* Put CALL on SLOT. False: it cannot be sent now. */
bool peer_send(struct peer *p, struct peer_call *call, uint32_t slot);
/* Look at what waits, at the end of the turn. */
void peer_kick(struct peer *p);

/* peer_life.c */
/* The session is of no use: close the connection, say why, start over in a while. */
void peer_fail(struct peer *p, const char *why);
void peer_tell(struct peer *p, const char *state);
/* Nothing is under way any more: say farewell. */
void peer_leave(struct peer *p);

/* peer_setup.c */
typedef void peer_step_fn(struct rpc_req *, enum rpc_result, struct xdr_in *);
void peer_start(struct peer *p);
/* Begin a compound of one operation, its opnum written; rpc_req_send() p->setup behind the arguments. */
bool peer_begin_step(struct peer *p, peer_step_fn *done, uint32_t opnum);
/* The status of its one result; SERVERFAULT when there is none or it makes no sense. */
enum nfsstat4 peer_step_status(enum rpc_result result, struct xdr_in *x, uint32_t opnum);
/* NEXT in MS. */
void peer_pause(struct peer *p, uint32_t ms, void (*next)(struct peer *));
/* Close the connection; nothing of ours is called. */
void peer_drop_conn(struct peer *p);
