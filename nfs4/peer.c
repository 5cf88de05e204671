/* SPDX-License-Identifier: Apache-2.0 */
/* A small NFSv4.1 client: see peer.h. One connection, one session; setting up is a chain of sole-operation compounds
 * (EXCHANGE_ID, CREATE_SESSION, RECLAIM_COMPLETE), then calls run on slots. A broken connection or a lost session starts
 * the chain again; calls that were under way end with RPC_LOST, calls that wait for a slot keep waiting. */
#include "nfs4/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nfs4/server.h"

enum {
        LINUX_MAX_REQUEST = 1049620,
        LINUX_MAX_RESPONSE = 1049480,
        MAX_CACHED = 7584,
        MAX_OPS = 16,
        CB_PROGRAM = 0x40000000,
        RETRY_FIRST_MS = 100,
        RETRY_MOST_MS = 3000,
        LEASE_FRACTION = 3,
        DEFAULT_LEASE_SECONDS = 30,
};

struct peer_slot {
        uint32_t seqid;
        bool busy;
};

struct peer {
        struct rpc_server *rpc;
        struct env *env;
        struct peer_conf conf;
        uint8_t *owner;
        peer_state_fn *on_state;
        void *arg;
        struct conn *conn;
        struct rpc_req setup;
        struct timer retry, lease;
        struct peer_call renew;
        uint32_t retry_ms;
        uint64_t clientid;
        uint32_t create_seqid;
        uint8_t session[NFS4_SESSIONID_SIZE];
        bool ready, freed, announced_down;
        uint32_t slots, free_hint;
        struct peer_slot slot[SESSION_MAX_SLOTS];
        struct list waiting;
        struct task kick;
        void (*farewell)(void *arg);
        void *farewell_arg;
};

static void start(struct peer *p);

bool peer_ready(const struct peer *p)
{
        return p->ready;
}

uint64_t peer_clientid(const struct peer *p)
{
        return p->clientid;
}

uint32_t peer_slots(const struct peer *p)
{
        return p->slots;
}

static void tell(struct peer *p, const char *state)
{
        if (p->on_state)
                p->on_state(p->arg, p, state);
}

/* Not usable: say why once, try again later. */
static void fail(struct peer *p, const char *why)
{
        bool was = p->ready || !p->announced_down;

        p->ready = false;
        p->announced_down = true;
        if (was)
                tell(p, why);
        timer_start(p->env, &p->retry, p->retry_ms * 1000000ull);
        p->retry_ms = p->retry_ms * 2 < RETRY_MOST_MS ? p->retry_ms * 2 : RETRY_MOST_MS;
}

/* --- setting up: one compound with one operation each */

static bool begin_setup(struct peer *p, void (*done)(struct rpc_req *, enum rpc_result, struct xdr_in *), uint32_t opnum)
{
        struct xdr_out *x = &p->setup.out;

        memset(&p->setup, 0, sizeof(p->setup));
        if (rpc_req_begin(&p->setup, p->conn, NFS4_PROGRAM, NFS4_VERSION, NFSPROC4_COMPOUND, &p->conf.cred, false) < 0) {
                fail(p, "the connection closed");
                return false;
        }
        p->setup.done = done;
        xdr_put_u32(x, 0);
        xdr_put_u32(x, p->conf.minor);
        xdr_put_u32(x, 1);
        xdr_put_u32(x, opnum);
        return true;
}

/* Past the compound's head: the status of its one result, SERVERFAULT when it makes no sense. */
static enum nfsstat4 setup_result(enum rpc_result result, struct xdr_in *x, uint32_t opnum)
{
        uint32_t status;

        if (result != RPC_DONE)
                return NFS4ERR_SERVERFAULT;
        status = xdr_get_u32(x);
        xdr_get_opaque(x, NFS4_OPAQUE_LIMIT);
        if (xdr_get_u32(x) == 0)
                return x->bad || status == NFS4_OK ? NFS4ERR_SERVERFAULT : (enum nfsstat4)status;
        return peer_result(x, opnum);
}

static void run_waiting(struct peer *p);

static void renew_done(struct peer_call *call, enum rpc_result result, enum nfsstat4 status, struct xdr_in *x)
{
        (void)call;
        (void)result;
        (void)status;
        (void)x;
}

static void renew_encode(struct peer_call *call, struct xdr_out *x)
{
        (void)x;
        call->ops = 0;
}

static void renew(struct timer *t)
{
        struct peer *p = CONTAINER(t, struct peer, lease);

        if (!p->ready)
                return;
        if (!p->renew.peer) {
                p->renew = (struct peer_call){ .done = renew_done, .encode = renew_encode };
                peer_run(p, &p->renew, true);
        }
        timer_start(p->env, &p->lease, DEFAULT_LEASE_SECONDS / LEASE_FRACTION * 1000000000ull);
}

static void reclaim_done(struct peer_call *call, enum rpc_result result, enum nfsstat4 status, struct xdr_in *x)
{
        struct peer *p = CONTAINER(call, struct peer, renew);

        (void)x;
        call->peer = NULL;
        if (result != RPC_DONE || (status != NFS4_OK && status != NFS4ERR_COMPLETE_ALREADY)) {
                if (p->ready)
                        fail(p, "RECLAIM_COMPLETE failed");
                return;
        }
        p->retry_ms = RETRY_FIRST_MS;
        p->announced_down = false;
        tell(p, NULL);
        timer_start(p->env, &p->lease, DEFAULT_LEASE_SECONDS / LEASE_FRACTION * 1000000000ull);
        run_waiting(p);
}

static void reclaim_encode(struct peer_call *call, struct xdr_out *x)
{
        xdr_put_u32(x, OP_RECLAIM_COMPLETE);
        xdr_put_bool(x, false);
        call->ops = 1;
}

static void session_made(struct rpc_req *req, enum rpc_result result, struct xdr_in *x)
{
        struct peer *p = CONTAINER(req, struct peer, setup);
        enum nfsstat4 status = setup_result(result, x, OP_CREATE_SESSION);

        if (status != NFS4_OK) {
                fail(p, nfs4_status_name(status));
                return;
        }
        xdr_get_fixed(x, p->session, NFS4_SESSIONID_SIZE);
        xdr_get_bytes(x, 4 + 4 + 4 * 5); /* sequence, flags, fore: padding, sizes, operations */
        p->slots = xdr_get_u32(x);
        if (x->bad || p->slots == 0) {
                fail(p, "a CREATE_SESSION reply that makes no sense");
                return;
        }
        if (p->slots > SESSION_MAX_SLOTS)
                p->slots = SESSION_MAX_SLOTS;
        memset(p->slot, 0, sizeof(p->slot));
        p->ready = true;
        p->renew = (struct peer_call){ .done = reclaim_done, .encode = reclaim_encode };
        peer_run(p, &p->renew, true);
}

static void put_channel(struct xdr_out *x, uint32_t request, uint32_t response, uint32_t cached, uint32_t ops, uint32_t slots)
{
        xdr_put_u32(x, 0);
        xdr_put_u32(x, request);
        xdr_put_u32(x, response);
        xdr_put_u32(x, cached);
        xdr_put_u32(x, ops);
        xdr_put_u32(x, slots);
        xdr_put_u32(x, 0);
}

static void identified(struct rpc_req *req, enum rpc_result result, struct xdr_in *x)
{
        struct peer *p = CONTAINER(req, struct peer, setup);
        enum nfsstat4 status = setup_result(result, x, OP_EXCHANGE_ID);
        struct xdr_out *out = &p->setup.out;

        if (status != NFS4_OK) {
                fail(p, result == RPC_DONE ? nfs4_status_name(status) : "no answer to EXCHANGE_ID");
                return;
        }
        p->clientid = xdr_get_u64(x);
        p->create_seqid = xdr_get_u32(x);
        if (!begin_setup(p, session_made, OP_CREATE_SESSION))
                return;
        xdr_put_u64(out, p->clientid);
        xdr_put_u32(out, p->create_seqid);
        xdr_put_u32(out, p->conf.back_channel ? CREATE_SESSION4_FLAG_CONN_BACK_CHAN : 0);
        put_channel(out, p->conf.max_request, p->conf.max_response, MAX_CACHED, MAX_OPS, p->conf.slots);
        put_channel(out, 4096, 4096, 0, 2, 16);
        xdr_put_u32(out, CB_PROGRAM);
        xdr_put_u32(out, 1);
        xdr_put_u32(out, RPC_AUTH_NONE);
        rpc_req_send(&p->setup, p->conf.timeout_ns);
}

static void exchange_id(struct peer *p)
{
        struct xdr_out *x = &p->setup.out;

        if (!begin_setup(p, identified, OP_EXCHANGE_ID))
                return;
        xdr_put_fixed(x, p->conf.verifier, NFS4_VERIFIER_SIZE);
        xdr_put_slice(x, p->conf.owner);
        xdr_put_u32(x, p->conf.exchange_flags);
        xdr_put_u32(x, SP4_NONE);
        xdr_put_u32(x, 0);
        rpc_req_send(&p->setup, p->conf.timeout_ns);
}

static void conn_closed(void *arg, struct conn *conn)
{
        struct peer *p = arg;

        if (p->conn != conn)
                return;
        p->conn = NULL;
        conn_unref(conn);
        if (!p->freed)
                fail(p, "the connection closed");
}

static void start(struct peer *p)
{
        struct stream *stream;
        struct conn *conn;

        if (!p->conn) {
                if (p->env->ops->connect(p->env, &p->conf.addr, &stream) < 0) {
                        fail(p, "cannot connect");
                        return;
                }
                conn = rpc_server_adopt(p->rpc, stream);
                if (!conn) {
                        fail(p, "too many connections");
                        return;
                }
                p->conn = conn_ref(conn);
                conn_on_close(conn, conn_closed, p);
        }
        exchange_id(p);
}

static void retry(struct timer *t)
{
        start(CONTAINER(t, struct peer, retry));
}

/* --- calls */

static void call_done(struct rpc_req *req, enum rpc_result result, struct xdr_in *x)
{
        struct peer_call *call = CONTAINER(req, struct peer_call, rpc);
        struct peer *p = call->peer;
        enum nfsstat4 status = NFS4ERR_SERVERFAULT;
        bool sequence_ok = false;

        call->peer = NULL;
        if (result == RPC_DONE) {
                status = xdr_get_u32(x);
                xdr_get_opaque(x, NFS4_OPAQUE_LIMIT);
                if (xdr_get_u32(x) > 0) {
                        enum nfsstat4 first = peer_result(x, OP_SEQUENCE);

                        sequence_ok = first == NFS4_OK;
                        if (sequence_ok)
                                xdr_get_bytes(x, NFS4_SESSIONID_SIZE + 5 * 4);
                        else
                                status = first;
                }
                if (x->bad)
                        status = NFS4ERR_BADXDR;
                p->slot[call->slot].busy = false;
                if (sequence_ok)
                        p->slot[call->slot].seqid++;
        }
        if (result == RPC_DONE && !sequence_ok && p->ready && status != NFS4ERR_DELAY)
                fail(p, nfs4_status_name(status)); /* the session is lost: make another */
        else if (result == RPC_TIMED_OUT && p->conn)
                conn_close(p->conn); /* whether it was executed is unknown: the slot with its session goes */
        env_defer(p->env, &p->kick);
        call->done(call, result == RPC_DONE && !sequence_ok ? RPC_LOST : result, status, x);
}

static int free_slot(struct peer *p)
{
        for (uint32_t i = 0; i < p->slots; i++) {
                uint32_t at = (p->free_hint + i) % p->slots;

                if (!p->slot[at].busy) {
                        p->free_hint = 0;
                        return (int)at;
                }
        }
        return -1;
}

static uint32_t highest_busy(const struct peer *p)
{
        uint32_t highest = 0;

        for (uint32_t i = 0; i < p->slots; i++)
                if (p->slot[i].busy)
                        highest = i;
        return highest;
}

/* False: it could not be sent; the connection is going down. */
static bool send_on(struct peer *p, struct peer_call *call, uint32_t slot)
{
        struct xdr_out *x = &call->rpc.out;
        uint32_t ops_at;

        memset(&call->rpc, 0, sizeof(call->rpc));
        if (rpc_req_begin(&call->rpc, p->conn, NFS4_PROGRAM, NFS4_VERSION, NFSPROC4_COMPOUND, &p->conf.cred, call->large) < 0)
                return false;
        call->rpc.done = call_done;
        call->peer = p;
        call->slot = slot;
        p->slot[slot].busy = true;
        xdr_put_u32(x, 0);
        xdr_put_u32(x, p->conf.minor);
        ops_at = xdr_head_length(x);
        xdr_put_u32(x, 1);
        xdr_put_u32(x, OP_SEQUENCE);
        xdr_put_fixed(x, p->session, NFS4_SESSIONID_SIZE);
        xdr_put_u32(x, p->slot[slot].seqid + 1);
        xdr_put_u32(x, slot);
        xdr_put_u32(x, highest_busy(p));
        xdr_put_bool(x, call->cache_this);
        call->encode(call, x);
        xdr_patch_u32(x, ops_at, call->ops + 1);
        rpc_req_send(&call->rpc, p->conf.timeout_ns);
        return true;
}

static void run_waiting(struct peer *p)
{
        while (p->ready && p->conn && !list_empty(&p->waiting)) {
                int slot = free_slot(p);
                struct peer_call *call;

                if (slot < 0)
                        return;
                call = CONTAINER(list_pop(&p->waiting), struct peer_call, node);
                if (!send_on(p, call, (uint32_t)slot)) {
                        list_push_front(&p->waiting, &call->node);
                        return;
                }
        }
}

static void kick(struct task *t)
{
        run_waiting(CONTAINER(t, struct peer, kick));
}

int peer_run(struct peer *p, struct peer_call *call, bool fail_fast)
{
        list_init(&call->node);
        if (fail_fast && (!p->ready || !p->conn))
                return -EAGAIN;
        list_push(&p->waiting, &call->node);
        run_waiting(p);
        return 0;
}

enum nfsstat4 peer_result(struct xdr_in *x, uint32_t opnum)
{
        uint32_t got = xdr_get_u32(x), status = xdr_get_u32(x);

        return x->bad || got != opnum ? NFS4ERR_BADXDR : (enum nfsstat4)status;
}

/* --- life */

struct peer *peer_new(struct rpc_server *rpc, struct env *env, const struct peer_conf *conf, peer_state_fn *on_state, void *arg)
{
        struct peer *p = calloc(1, sizeof(*p));

        if (!p || !(p->owner = malloc(conf->owner.length + 1))) {
                free(p);
                return NULL;
        }
        memcpy(p->owner, conf->owner.data, conf->owner.length);
        p->rpc = rpc;
        p->env = env;
        p->conf = *conf;
        p->conf.owner = slice_of(p->owner, conf->owner.length);
        if (p->conf.max_request == 0)
                p->conf.max_request = LINUX_MAX_REQUEST;
        if (p->conf.max_response == 0)
                p->conf.max_response = LINUX_MAX_RESPONSE;
        p->on_state = on_state;
        p->arg = arg;
        p->retry_ms = RETRY_FIRST_MS;
        p->retry.fire = retry;
        p->lease.fire = renew;
        p->kick.run = kick;
        list_init(&p->kick.node);
        list_init(&p->waiting);
        timer_start(env, &p->retry, 0);
        return p;
}

static void release(struct peer *p)
{
        struct conn *conn = p->conn;

        p->freed = true;
        p->ready = false;
        timer_stop(&p->retry);
        timer_stop(&p->lease);
        if (conn)
                conn_close(conn); /* calls under way end with RPC_LOST, in a task of the connection */
}

void peer_free(struct peer *p)
{
        if (!p)
                return;
        release(p);
        env_run_tasks(p->env);
        for (struct list *node = list_pop(&p->waiting); node; node = list_pop(&p->waiting)) {
                struct peer_call *call = CONTAINER(node, struct peer_call, node);

                call->done(call, RPC_LOST, NFS4ERR_SERVERFAULT, NULL);
        }
        list_remove(&p->kick.node);
        free(p->owner);
        free(p);
}

static void gone(struct rpc_req *req, enum rpc_result result, struct xdr_in *x)
{
        struct peer *p = CONTAINER(req, struct peer, setup);

        (void)result;
        (void)x;
        p->farewell(p->farewell_arg);
}

static void session_destroyed(struct rpc_req *req, enum rpc_result result, struct xdr_in *x)
{
        struct peer *p = CONTAINER(req, struct peer, setup);

        (void)x;
        if (result != RPC_DONE || !begin_setup(p, gone, OP_DESTROY_CLIENTID)) {
                p->farewell(p->farewell_arg);
                return;
        }
        xdr_put_u64(&p->setup.out, p->clientid);
        rpc_req_send(&p->setup, p->conf.timeout_ns);
}

void peer_shutdown(struct peer *p, void (*done)(void *arg), void *arg)
{
        p->farewell = done;
        p->farewell_arg = arg;
        p->ready = false;
        timer_stop(&p->lease);
        if (!p->conn || !begin_setup(p, session_destroyed, OP_DESTROY_SESSION)) {
                done(arg);
                return;
        }
        xdr_put_fixed(&p->setup.out, p->session, NFS4_SESSIONID_SIZE);
        rpc_req_send(&p->setup, p->conf.timeout_ns);
}
