/* SPDX-License-Identifier: Apache-2.0 */
/* The peer's calls: slots, requests, answers. See peer.h. */
#include <errno.h>

#include "base/check.h"
#include "nfs4/peer_private.h"
#include "nfs4/server.h"

enum { NO_BUFFER_MS = 10 };

/* --- slots */

static void set_busy(struct peer *p, uint32_t slot, bool busy)
{
        uint64_t bit = 1ull << slot % 64;

        p->busy[slot / 64] = busy ? p->busy[slot / 64] | bit : p->busy[slot / 64] & ~bit;
}

/* The lowest, so that the server can see how many we need. */
static bool free_slot(const struct peer *p, uint32_t *ret)
{
        for (uint32_t i = 0; i * 64 < p->slots; i++) {
                uint32_t slot;

                if (p->busy[i] == UINT64_MAX)
                        continue;
                slot = i * 64 + (uint32_t)__builtin_ctzll(~p->busy[i]);
                if (slot >= p->slots)
                        return false;
                *ret = slot;
                return true;
        }
        return false;
}

static uint32_t highest_busy(const struct peer *p)
{
        for (uint32_t i = SESSION_MAX_SLOTS / 64; i-- > 0;)
                if (p->busy[i])
                        return i * 64 + 63 - (uint32_t)__builtin_clzll(p->busy[i]);
        return 0;
}

/* --- answers */

enum nfsstat4 peer_result(struct xdr_in *x, uint32_t opnum)
{
        uint32_t got = xdr_get_u32(x), status = xdr_get_u32(x);

        return x->bad || got != opnum ? NFS4ERR_BADXDR : (enum nfsstat4)status;
}

/* A refused SEQUENCE that is about the request: the slot stays as it was. */
static bool keeps_session(enum nfsstat4 status)
{
        switch (status) {
        case NFS4ERR_DELAY:
        case NFS4ERR_TOO_MANY_OPS:
        case NFS4ERR_REQ_TOO_BIG:
        case NFS4ERR_REP_TOO_BIG:
        case NFS4ERR_REP_TOO_BIG_TO_CACHE: return true;
        default: return false;
        }
}

/* SEQUENCE's result: it must be of what was sent; then the server takes more slots, or fewer, than before. */
static bool take_sequence(struct peer *p, const struct peer_call *call, struct xdr_in *x)
{
        const uint8_t *session = xdr_get_bytes(x, NFS4_SESSIONID_SIZE);
        uint32_t seqid = xdr_get_u32(x), slot = xdr_get_u32(x), target;

        xdr_get_u32(x); /* sr_highest_slotid */
        target = xdr_get_u32(x);
        xdr_get_u32(x); /* sr_status_flags: we have no state to lose */
        if (x->bad || memcmp(session, p->session, NFS4_SESSIONID_SIZE) != 0 || slot != call->slot ||
            seqid != p->seqid[slot] + 1)
                return false;
        p->seqid[slot] = seqid;
        p->slots = target < p->conf.slots ? target + 1 : p->conf.slots;
        p->renewed = true;
        return true;
}

/* The answer up to the first result behind SEQUENCE. RPC_LOST: the session is lost. */
static enum rpc_result take_head(struct peer *p, const struct peer_call *call, struct xdr_in *x,
                                 enum nfsstat4 *ret_status)
{
        enum nfsstat4 sequence;

        *ret_status = xdr_get_u32(x);
        xdr_get_opaque(x, NFS4_OPAQUE_LIMIT);
        if (xdr_get_u32(x) == 0) { /* refused as a whole */
                if (!x->bad && *ret_status != NFS4_OK)
                        return RPC_DONE;
                *ret_status = NFS4ERR_BADXDR;
                return RPC_LOST;
        }
        sequence = peer_result(x, OP_SEQUENCE);
        if (sequence != NFS4_OK) {
                *ret_status = sequence;
                return keeps_session(sequence) ? RPC_DONE : RPC_LOST;
        }
        if (take_sequence(p, call, x))
                return RPC_DONE;
        *ret_status = NFS4ERR_BADXDR;
        return RPC_LOST;
}

static void call_done(struct rpc_req *req, enum rpc_result result, struct xdr_in *x)
{
        struct peer_call *call = CONTAINER(req, struct peer_call, rpc);
        struct peer *p = call->peer;
        enum nfsstat4 status = NFS4ERR_SERVERFAULT;

        call->peer = NULL;
        list_remove(&call->node);
        if (result == RPC_DONE) {
                result = take_head(p, call, x, &status);
                set_busy(p, call->slot, false);
                if (result == RPC_LOST)
                        peer_fail(p, nfs4_status_name(status));
        } else if (result == RPC_REFUSED) {
                set_busy(p, call->slot, false); /* not executed, or SEQ_MISORDERED will tell */
        } else if (result == RPC_TIMED_OUT) {
                peer_fail(p, "no answer in time"); /* whether it was executed is unknown: its slot goes with
                                                      the session */
        }
        peer_kick(p);
        call->done(call, result, status, result == RPC_DONE ? x : NULL);
}

/* --- calls */

bool peer_send(struct peer *p, struct peer_call *call, uint32_t slot)
{
        struct xdr_out *x = &call->rpc.out;
        uint32_t ops_at;

        memset(&call->rpc, 0, sizeof(call->rpc));
        if (rpc_req_begin(&call->rpc, p->conn, NFS4_PROGRAM, NFS4_VERSION, NFSPROC4_COMPOUND, &p->conf.cred,
                          call->large) < 0)
                return false;
        call->rpc.done = call_done;
        call->peer = p;
        call->slot = slot;
        call->ops = 0;
        list_push(&p->running, &call->node);
        set_busy(p, slot, true);
        xdr_put_u32(x, 0); /* tag */
        xdr_put_u32(x, p->conf.minor);
        ops_at = xdr_head_length(x);
        xdr_put_u32(x, 1);
        xdr_put_u32(x, OP_SEQUENCE);
        xdr_put_fixed(x, p->session, NFS4_SESSIONID_SIZE);
        xdr_put_u32(x, p->seqid[slot] + 1);
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
        uint32_t slot;

        while (p->phase == PEER_UP && !list_empty(&p->waiting) && free_slot(p, &slot)) {
                struct peer_call *call = CONTAINER(list_pop(&p->waiting), struct peer_call, node);

                if (!peer_send(p, call, slot)) {
                        list_push_front(&p->waiting, &call->node);
                        timer_start(p->env, &p->again, NO_BUFFER_MS * 1000000ull);
                        return;
                }
        }
}

int peer_run(struct peer *p, struct peer_call *call, bool fail_fast)
{
        CHECK(!call->peer);
        if (p->phase > PEER_UP || (fail_fast && p->phase != PEER_UP))
                return -EAGAIN;
        call->since_ns = env_now(p->env);
        list_init(&call->node);
        list_push(&p->waiting, &call->node);
        run_waiting(p);
        return 0;
}

/* One that has waited too long for a session. One at a time, since done() may free us. */
static void expire_waiting(struct peer *p)
{
        struct peer_call *call;

        if (p->phase != PEER_DOWN || list_empty(&p->waiting))
                return;
        call = CONTAINER(p->waiting.next, struct peer_call, node);
        if (env_now(p->env) - call->since_ns < p->conf.timeout_ns)
                return;
        list_remove(&call->node);
        peer_kick(p);
        call->done(call, RPC_TIMED_OUT, NFS4ERR_SERVERFAULT, NULL);
}

static void on_kick(struct task *t)
{
        struct peer *p = CONTAINER(t, struct peer, kick);

        run_waiting(p);
        if (p->phase == PEER_LEAVING && list_empty(&p->running) && !p->farewell_begun)
                peer_leave(p);
        else
                expire_waiting(p);
}

static void on_again(struct timer *t)
{
        run_waiting(CONTAINER(t, struct peer, again));
}

void peer_kick(struct peer *p)
{
        env_defer(p->env, &p->kick);
}

void peer_calls_init(struct peer *p)
{
        p->kick.run = on_kick;
        p->again.fire = on_again;
        list_init(&p->kick.node);
        list_init(&p->waiting);
        list_init(&p->running);
}

void peer_calls_end(struct peer *p)
{
        list_remove(&p->kick.node);
        timer_stop(&p->again);
        list_splice(&p->waiting, &p->running);
        for (struct list *node; (node = list_pop(&p->waiting));) {
                struct peer_call *call = CONTAINER(node, struct peer_call, node);

                if (call->peer)
                        rpc_req_cancel(&call->rpc);
                call->peer = NULL;
                call->done(call, RPC_LOST, NFS4ERR_SERVERFAULT, NULL);
        }
}
