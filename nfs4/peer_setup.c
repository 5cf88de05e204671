/* SPDX-License-Identifier: Apache-2.0 */
/* From nothing to a session, and keeping it: connect, EXCHANGE_ID, DESTROY_SESSION of the one before,
 * CREATE_SESSION, RECLAIM_COMPLETE; each step is a compound of its own (RFC 8881 §2.4, §2.10). */
#include "base/check.h"
#include "nfs4/attrs.h"
#include "nfs4/peer_private.h"
#include "nfs4/server.h"

enum {
        LINUX_MAX_REQUEST = 1049620,
        LINUX_MAX_RESPONSE = 1049480,
        MAX_CACHED = 7584,
        MAX_OPS = 16,
        CB_SLOTS = 16,
        CB_BYTES = 4096,
        SHORT_LEASE_SECONDS = 3, /* until the server has told its own: too short for none */
};

/* --- steps */

static void on_pause(struct timer *t)
{
        struct peer *p = CONTAINER(t, struct peer, pause);

        p->next(p);
}

void peer_pause(struct peer *p, uint32_t ms, void (*next)(struct peer *))
{
        p->next = next;
        p->pause.fire = on_pause;
        timer_start(p->env, &p->pause, ms * 1000000ull);
}

bool peer_begin_step(struct peer *p, peer_step_fn *done, uint32_t opnum)
{
        struct xdr_out *x = &p->setup.out;

        CHECK(!p->setup.conn);
        memset(&p->setup, 0, sizeof(p->setup));
        if (rpc_req_begin(&p->setup, p->conn, NFS4_PROGRAM, NFS4_VERSION, NFSPROC4_COMPOUND, &p->conf.cred,
                          false) < 0)
                return false;
        p->setup.done = done;
        xdr_put_u32(x, 0); /* tag */
        xdr_put_u32(x, p->conf.minor);
        xdr_put_u32(x, 1);
        xdr_put_u32(x, opnum);
        return true;
}

enum nfsstat4 peer_step_status(enum rpc_result result, struct xdr_in *x, uint32_t opnum)
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

static void step_failed(struct peer *p, enum rpc_result result, enum nfsstat4 status)
{
        peer_fail(p, result == RPC_DONE        ? nfs4_status_name(status)
                     : result == RPC_TIMED_OUT ? "no answer in time"
                     : result == RPC_REFUSED   ? "refused by the RPC layer"
                                               : "the connection closed");
}

/* --- the lease */

/* SEQUENCE alone renews; the first one also asks how long the lease is (§5.8.1.11). */
static void renew_encode(struct peer_call *call, struct xdr_out *x)
{
        if (CONTAINER(call, struct peer, own)->lease_seconds != 0)
                return;
        xdr_put_u32(x, OP_PUTROOTFH);
        xdr_put_u32(x, OP_GETATTR);
        xdr_put_u32(x, 1);
        xdr_put_u32(x, 1u << FATTR4_LEASE_TIME);
        call->ops = 2;
}

/* 0: it does not say. */
static uint32_t get_lease(struct xdr_in *x)
{
        struct raw_attrs a;
        struct xdr_in values;

        if (peer_result(x, OP_PUTROOTFH) != NFS4_OK || peer_result(x, OP_GETATTR) != NFS4_OK)
                return 0;
        attrs_get_raw(x, &a);
        values = xdr_in_of(a.values);
        return a.mask.word[0] == 1u << FATTR4_LEASE_TIME && a.values.length == 4 ? xdr_get_u32(&values) : 0;
}

static void renew_done(struct peer_call *call, enum rpc_result result, enum nfsstat4 status, struct xdr_in *x)
{
        struct peer *p = CONTAINER(call, struct peer, own);

        p->own_used = false; /* what went wrong was seen to */
        p->renewed = false;  /* or it would come at every second tick only */
        if (call->ops > 0 && result == RPC_DONE && status == NFS4_OK)
                p->lease_seconds = get_lease(x);
}

/* A third of the lease. */
static void start_lease(struct peer *p)
{
        uint64_t seconds = p->lease_seconds ? p->lease_seconds : SHORT_LEASE_SECONDS;

        timer_start(p->env, &p->lease, seconds * 1000000000ull / 3);
}

/* Whatever else was called has renewed it as well. */
static void on_lease(struct timer *t)
{
        struct peer *p = CONTAINER(t, struct peer, lease);

        if (p->phase != PEER_UP)
                return;
        if ((!p->renewed || p->lease_seconds == 0) && !p->own_used) {
                p->own = (struct peer_call){ .done = renew_done, .encode = renew_encode };
                p->own_used = true;
                CHECK(peer_run(p, &p->own, true) == 0);
        }
        p->renewed = false;
        start_lease(p);
}

/* --- RECLAIM_COMPLETE: the session's first call; others wait for it */

static void reclaimed(struct peer_call *call, enum rpc_result result, enum nfsstat4 status, struct xdr_in *x)
{
        struct peer *p = CONTAINER(call, struct peer, own);

        (void)x;
        p->own_used = false;
        if (p->phase != PEER_DOWN)
                return; /* being freed, or shut down */
        if (result != RPC_DONE || (status != NFS4_OK && status != NFS4ERR_COMPLETE_ALREADY)) {
                if (p->conn)
                        step_failed(p, result, status);
                return;
        }
        p->phase = PEER_UP;
        p->retry_ms = PEER_RETRY_FIRST_MS;
        p->lease.fire = on_lease;
        p->lease_seconds = 0; /* it may be another start of the server */
        start_lease(p);
        peer_kick(p);
        peer_tell(p, NULL);
}

static void reclaim_encode(struct peer_call *call, struct xdr_out *x)
{
        xdr_put_u32(x, OP_RECLAIM_COMPLETE);
        xdr_put_bool(x, false);
        call->ops = 1;
}

static void reclaim(struct peer *p)
{
        CHECK(list_empty(&p->running) && !p->own_used);
        p->own = (struct peer_call){ .done = reclaimed, .encode = reclaim_encode };
        list_init(&p->own.node);
        p->own_used = true;
        if (peer_send(p, &p->own, 0))
                return;
        p->own_used = false;
        peer_fail(p, "out of buffers");
}

/* --- CREATE_SESSION */

static void created(struct rpc_req *req, enum rpc_result result, struct xdr_in *x)
{
        struct peer *p = CONTAINER(req, struct peer, setup);
        enum nfsstat4 status = peer_step_status(result, x, OP_CREATE_SESSION);
        uint8_t session[NFS4_SESSIONID_SIZE];
        uint32_t slots;

        if (status == NFS4_OK) {
                xdr_get_fixed(x, session, NFS4_SESSIONID_SIZE);
                xdr_get_bytes(
                        x,
                        4 + 4 + 5 * 4); /* csr_sequence, csr_flags; fore: padding, three sizes, operations */
                slots = xdr_get_u32(x);
                status = x->bad || slots == 0 ? NFS4ERR_BADXDR : NFS4_OK;
        }
        if (status != NFS4_OK) {
                /* Sent again with the same sequence id unless the server said no: then it knows better which
                 * is next. */
                p->counting = result != RPC_DONE;
                step_failed(p, result, status);
                return;
        }
        memcpy(p->session, session, sizeof(session));
        p->has_session = true;
        p->create_seqid++;
        p->slots = slots < p->conf.slots ? slots : p->conf.slots;
        memset(p->busy, 0, sizeof(p->busy));
        memset(p->seqid, 0, sizeof(p->seqid));
        reclaim(p);
}

static void put_channel(struct xdr_out *x, uint32_t request, uint32_t response, uint32_t cached, uint32_t ops,
                        uint32_t slots)
{
        xdr_put_u32(x, 0); /* header padding */
        xdr_put_u32(x, request);
        xdr_put_u32(x, response);
        xdr_put_u32(x, cached);
        xdr_put_u32(x, ops);
        xdr_put_u32(x, slots);
        xdr_put_u32(x, 0); /* no rdma_ird */
}

static void create_session(struct peer *p)
{
        const struct peer_conf *conf = &p->conf;
        struct xdr_out *x = &p->setup.out;

        if (!peer_begin_step(p, created, OP_CREATE_SESSION)) {
                peer_fail(p, "out of buffers");
                return;
        }
        xdr_put_u64(x, p->clientid);
        xdr_put_u32(x, p->create_seqid);
        xdr_put_u32(x, conf->back_channel ? CREATE_SESSION4_FLAG_CONN_BACK_CHAN : 0);
        put_channel(x, conf->max_request ? conf->max_request : LINUX_MAX_REQUEST,
                    conf->max_response ? conf->max_response : LINUX_MAX_RESPONSE, MAX_CACHED, MAX_OPS,
                    conf->slots);
        put_channel(x, CB_BYTES, CB_BYTES, 0, 2, CB_SLOTS);
        xdr_put_u32(x, NFS4_CB_PROGRAM_LINUX);
        xdr_put_u32(x, 1);
        xdr_put_u32(x, RPC_AUTH_NONE);
        rpc_req_send(&p->setup, conf->timeout_ns);
}

/* --- the session of before */

static void drop_session(struct peer *p);

/* DELAY: something is being executed on it still. */
static void dropped(struct rpc_req *req, enum rpc_result result, struct xdr_in *x)
{
        struct peer *p = CONTAINER(req, struct peer, setup);
        enum nfsstat4 status = peer_step_status(result, x, OP_DESTROY_SESSION);

        if (result != RPC_DONE) {
                step_failed(p, result, status);
        } else if (status == NFS4ERR_DELAY) {
                peer_kick(p); /* who waits for us may wait too long */
                peer_pause(p, PEER_BUSY_MS, drop_session);
        } else {
                p->has_session = false;
                create_session(p);
        }
}

static void drop_session(struct peer *p)
{
        if (!p->has_session) {
                create_session(p);
                return;
        }
        if (!peer_begin_step(p, dropped, OP_DESTROY_SESSION)) {
                peer_fail(p, "out of buffers");
                return;
        }
        xdr_put_fixed(&p->setup.out, p->session, NFS4_SESSIONID_SIZE);
        rpc_req_send(&p->setup, p->conf.timeout_ns);
}

/* --- EXCHANGE_ID */

/* eir_sequenceid does not count for a client id that is confirmed (§18.35.4): with one that we had before we
 * go on from where we were, and get the result of a CREATE_SESSION whose answer was lost. */
static void identified(struct rpc_req *req, enum rpc_result result, struct xdr_in *x)
{
        struct peer *p = CONTAINER(req, struct peer, setup);
        enum nfsstat4 status = peer_step_status(result, x, OP_EXCHANGE_ID);
        uint64_t clientid = status == NFS4_OK ? xdr_get_u64(x) : 0;
        uint32_t seqid = status == NFS4_OK ? xdr_get_u32(x) : 0;
        uint32_t flags = status == NFS4_OK ? xdr_get_u32(x) : 0;

        if (status == NFS4_OK && x->bad)
                status = NFS4ERR_BADXDR;
        if (status != NFS4_OK) {
                step_failed(p, result, status);
                return;
        }
        if (clientid != p->clientid)
                p->counting = p->has_session =
                        false; /* the server forgot the old one, with all its sessions */
        p->clientid = clientid;
        if (!p->counting || !(flags & EXCHGID4_FLAG_CONFIRMED_R))
                p->create_seqid = seqid;
        p->counting = true;
        drop_session(p);
}

static void exchange_id(struct peer *p)
{
        struct xdr_out *x = &p->setup.out;

        if (!peer_begin_step(p, identified, OP_EXCHANGE_ID)) {
                peer_fail(p, "out of buffers");
                return;
        }
        xdr_put_fixed(x, p->conf.verifier, NFS4_VERIFIER_SIZE);
        xdr_put_slice(x, p->conf.owner);
        xdr_put_u32(x, p->conf.exchange_flags);
        xdr_put_u32(x, SP4_NONE);
        xdr_put_u32(x, 0); /* no implementation id */
        rpc_req_send(&p->setup, p->conf.timeout_ns);
}

/* --- the connection */

static void conn_closed(void *arg, struct conn *conn)
{
        struct peer *p = arg;

        CHECK(p->conn == conn);
        peer_fail(p, "the connection closed");
}

void peer_drop_conn(struct peer *p)
{
        struct conn *conn = p->conn;

        rpc_req_cancel(&p->setup);
        if (!conn)
                return;
        p->conn = NULL;
        conn_on_close(conn, NULL, NULL);
        conn_close(conn);
        conn_unref(conn);
}

void peer_start(struct peer *p)
{
        struct stream *stream;
        struct conn *conn;

        CHECK(!p->conn);
        if (p->env->ops->connect(p->env, &p->conf.addr, &stream) < 0) {
                peer_fail(p, "cannot connect");
                return;
        }
        conn = rpc_server_adopt(p->rpc, stream);
        if (!conn) {
                peer_fail(p, "too many connections");
                return;
        }
        p->conn = conn_ref(conn);
        conn_on_close(conn, conn_closed, p);
        exchange_id(p);
}
