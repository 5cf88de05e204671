/* SPDX-License-Identifier: Apache-2.0 */
/* A small NFSv4.1 client: the MDS's own I/O to data servers (mds/pnfs/proxy), the tests' scripted clients (tests/lab) and
 * the load generator (bench/nfsload). It connects, makes a client id and a session, keeps the lease, runs compounds on
 * free slots and starts over when the session is lost. Asynchronous; one loop. */
#pragma once

#include "nfs4/codec.h"
#include "rpc/client.h"

struct peer;
struct peer_conf {
        struct netaddr addr;
        struct slice owner;              /* co_ownerid */
        uint8_t verifier[NFS4_VERIFIER_SIZE];
        uint32_t minor;                  /* 1 or 2 */
        uint32_t exchange_flags;         /* EXCHGID4_FLAG_USE_PNFS_DS … */
        uint32_t slots;                  /* asked for */
        uint32_t max_request, max_response; /* 0 = as Linux */
        bool back_channel;
        uint64_t timeout_ns;             /* of a call */
        struct rpc_cred cred;            /* AUTH_SYS */
};
/* STATE: NULL when the session is up; else why not, for people. Called on every change. */
typedef void peer_state_fn(void *arg, struct peer *p, const char *state);

struct peer *peer_new(struct rpc_server *rpc, struct env *env, const struct peer_conf *conf, peer_state_fn *on_state, void *arg);
void peer_free(struct peer *p);                  /* pending compounds end with RPC_LOST; no farewell to the server */
void peer_shutdown(struct peer *p, void (*done)(void *arg), void *arg); /* DESTROY_SESSION, DESTROY_CLIENTID */
bool peer_ready(const struct peer *p);
uint64_t peer_clientid(const struct peer *p);
uint32_t peer_slots(const struct peer *p);

/* One compound under way: SEQUENCE is put in front. A member of whoever waits; zero it before use. */
struct peer_call {
        struct rpc_req rpc;
        struct peer *peer;
        uint32_t slot, ops_at, ops;
        struct list node;                /* waiting for a slot or a session */
        /* RESULT RPC_DONE: STATUS is the compound's, X stands at the first result behind SEQUENCE. Else X is NULL. */
        void (*done)(struct peer_call *, enum rpc_result result, enum nfsstat4 status, struct xdr_in *x);
        void (*encode)(struct peer_call *, struct xdr_out *x); /* appends the operations when a slot is free; returns by ->ops how many */
        bool large, cache_this;
};
/* Run CALL: encode() is called when there is a slot. 0, or -EAGAIN: not ready and FAIL_FAST. */
int peer_run(struct peer *p, struct peer_call *call, bool fail_fast);
/* Take the opnum and status of the next result; the status (BADXDR when it is not OPNUM). */
enum nfsstat4 peer_result(struct xdr_in *x, uint32_t opnum);
