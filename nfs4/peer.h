/* SPDX-License-Identifier: Apache-2.0 */
/* A small NFSv4.1 client: the MDS's own I/O to data servers (mds/pnfs/proxy), the tests' scripted clients
 * (tests/lab) and the load generator (bench/nfsload). It connects, makes a client id and a session, keeps the
 * lease, runs compounds on free slots and starts over when the connection or the session is lost.
 * Asynchronous; one loop.
 *
 * What was under way when the connection broke ends with RPC_LOST. The old session is destroyed before a new
 * one is made, and a server does that only when nothing is executed on it any more: no request of before runs
 * behind one of after. */
#pragma once

#include "nfs4/codec.h"
#include "rpc/client.h"

struct peer;
struct peer_conf {
        struct netaddr addr;
        struct slice owner; /* co_ownerid */
        uint8_t verifier[NFS4_VERIFIER_SIZE];
        uint32_t minor;          /* 1 or 2 */
        uint32_t exchange_flags; /* EXCHGID4_FLAG_USE_PNFS_DS … */
        uint32_t slots;          /* asked for: 1..256; the server may give fewer, and more of them later */
        uint32_t max_request, max_response; /* 0 = as Linux */
        bool back_channel;
        uint64_t timeout_ns;  /* of a call */
        struct rpc_cred cred; /* AUTH_SYS */
};
/* STATE: NULL when the session is up; else why not, for people. Called on every change. Must not free the
 * peer. */
typedef void peer_state_fn(void *arg, struct peer *p, const char *state);

/* Begins to connect. NULL: out of memory. */
struct peer *peer_new(struct rpc_server *rpc, struct env *env, const struct peer_conf *conf,
                      peer_state_fn *on_state, void *arg);
/* Now: all its calls end with RPC_LOST, from inside; no farewell to the server. From done() it is the last
 * thing to do with the peer. NULL is fine. */
void peer_free(struct peer *p);
/* No call is begun any more; when those under way have ended: DESTROY_SESSION, DESTROY_CLIENTID. Then, or
 * when the server cannot be reached, DONE, never from inside; it may call peer_free(). */
void peer_shutdown(struct peer *p, void (*done)(void *arg), void *arg);
bool peer_ready(const struct peer *p);
uint64_t peer_clientid(const struct peer *p);
uint32_t peer_slots(const struct peer *p); /* how many calls may be under way */

/* One compound under way: SEQUENCE is put in front. A member of whoever waits; zero it before use. */
struct peer_call {
        struct rpc_req rpc;
        struct peer *peer; /* under way */
        uint32_t slot, ops;
        uint64_t since_ns; /* when it began to wait for a slot */
        struct list node;  /* waiting for a slot or a session, or under way */
        /* Exactly once, never from inside peer_run(). RPC_DONE: STATUS is the compound's; X stands at the
         * first result behind SEQUENCE, at the end when SEQUENCE itself was refused. RPC_TIMED_OUT also: no
         * session in all that time. Else X is NULL. The call is the caller's again and may be run anew from
         * here. */
        void (*done)(struct peer_call *, enum rpc_result result, enum nfsstat4 status, struct xdr_in *x);
        void (*encode)(
                struct peer_call *,
                struct xdr_out *x); /* appends the operations when a slot is free; says in ->ops how many */
        bool large, cache_this;
};
/* Run CALL: encode() is called when there is a slot, perhaps from inside. 0, or -EAGAIN: not ready and
 * FAIL_FAST, or the peer is shutting down; done() is not called then. */
int peer_run(struct peer *p, struct peer_call *call, bool fail_fast);
/* Take the opnum and status of the next result; the status (BADXDR when it is not OPNUM). */
enum nfsstat4 peer_result(struct xdr_in *x, uint32_t opnum);
