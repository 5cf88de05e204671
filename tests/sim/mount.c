/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/mount.h"

#include <errno.h>
#include <string.h>

#include "nfs4/server.h"
#include "tests/lab/virtual_env.h"

enum {
        REVOKED = SEQ4_STATUS_EXPIRED_ALL_STATE_REVOKED | SEQ4_STATUS_EXPIRED_SOME_STATE_REVOKED |
                  SEQ4_STATUS_ADMIN_STATE_REVOKED | SEQ4_STATUS_RECALLABLE_STATE_REVOKED
};
enum { SETUP_SLOT = 0, REQUEST_BYTES = 40 * 1024, CACHED_BYTES = 4096, OPS = 16 };
#define RESEND_NS (3 * SECOND_NS)
#define RETRY_FIRST_NS (10 * MS_NS)
#define RETRY_MOST_NS (500 * MS_NS)
#define BUSY_NS (50 * MS_NS)

static const struct rpc_cred root = { .flavor = RPC_AUTH_SYS };

/* --- compounds */

void ask_begin(struct ask *k)
{
        xdr_out_init(&k->x, k->args, sizeof(k->args));
        k->ops = 0;
        k->cache_this = false;
}

struct xdr_out *ask_op(struct ask *k, uint32_t opnum)
{
        k->ops++;
        xdr_put_u32(&k->x, opnum);
        return &k->x;
}

enum nfsstat4 ask_result(struct ask *k, uint32_t opnum)
{
        uint32_t got = xdr_get_u32(&k->in);

        CHECK(got == opnum && !k->in.bad);
        return xdr_get_u32(&k->in);
}

static void on_done(struct rpc_req *req, enum rpc_result result, struct xdr_in *results)
{
        struct ask *k = CONTAINER(req, struct ask, req);
        uint32_t length = result == RPC_DONE ? xdr_left(results) : 0;

        CHECK(length <= sizeof(k->reply));
        if (length > 0)
                memcpy(k->reply, results->p, length);
        k->in = xdr_in_of(slice_of(k->reply, length));
        k->ended = true;
        k->result = result;
        co_wake(k->co);
}

/* No answer in time: the connection is closed, or left alone, so that what is on its way in it may still
 * arrive, before or behind what follows in the next. */
static void leave(struct mount *s)
{
        struct conn *old = s->conn;

        if (lab_random_below(&s->node->random, 2) == 0) {
                conn_close(old);
                return;
        }
        if (s->left)
                conn_close(s->left);
        s->left = old;
        s->conn = NULL;
        s->bound = false;
}

/* SLOT NULL: without SEQUENCE. False: no answer, and another connection is needed. */
static bool transmit(struct mount *s, struct ask *k, const uint32_t *slot)
{
        struct xdr_out *x = &k->req.out;

        CHECK(!k->x.full);
        memset(&k->req, 0, sizeof(k->req));
        k->req.done = on_done;
        k->co = co_self();
        k->ended = false;
        if (rpc_req_begin(&k->req, s->conn, NFS4_PROGRAM, NFS4_VERSION, NFSPROC4_COMPOUND, &root, true) < 0)
                return false;
        xdr_put_u32(x, 0); /* tag */
        xdr_put_u32(x, 2); /* minor version */
        xdr_put_u32(x, k->ops + (slot ? 1 : 0));
        if (slot) {
                xdr_put_u32(x, OP_SEQUENCE);
                xdr_put_fixed(x, s->id, NFS4_SESSIONID_SIZE);
                xdr_put_u32(x, s->seqid[*slot] + 1);
                xdr_put_u32(x, *slot);
                xdr_put_u32(x, MOUNT_SLOTS - 1);
                xdr_put_bool(x, k->cache_this);
        }
        xdr_put_fixed(x, k->args, xdr_head_length(&k->x));
        rpc_req_send(&k->req, RESEND_NS);
        while (!k->ended)
                co_wait(UINT64_MAX);
        if (k->result != RPC_DONE && s->conn && k->result != RPC_LOST)
                leave(s);
        if (k->result != RPC_DONE)
                return false;
        k->status = xdr_get_u32(&k->in);
        xdr_get_opaque(&k->in, NFS4_OPAQUE_LIMIT);
        xdr_get_u32(&k->in);
        return true;
}

/* --- connections */

static void on_close(void *arg, struct conn *conn)
{
        struct mount *s = arg;

        if (s->left == conn) {
                s->left = NULL;
                return;
        }
        if (s->conn == conn)
                s->conn = NULL;
        s->bound = false;
}

static bool connected(struct mount *s)
{
        struct env *env = &s->node->env;
        struct stream *stream;

        if (s->conn)
                return true;
        if (env->ops->connect(env, &s->addr, &stream) < 0)
                return false;
        s->conn = rpc_server_adopt(s->rpc, stream);
        CHECK(s->conn != NULL);
        conn_on_close(s->conn, on_close, s);
        return true;
}

static void pause(struct mount *s)
{
        co_sleep(s->retry_ns);
        s->retry_ns = s->retry_ns * 2 < RETRY_MOST_NS ? s->retry_ns * 2 : RETRY_MOST_NS;
}

/* --- a new session */

static void lose(struct mount *s, bool doomed)
{
        if (!s->up)
                return;
        s->up = false;
        s->doomed = doomed;
}

static bool run_bare(struct mount *s, uint32_t opnum, enum nfsstat4 *ret)
{
        struct ask *k = &s->setup;

        if (!connected(s) || !transmit(s, k, NULL))
                return false;
        *ret = ask_result(k, opnum);
        return true;
}

static bool destroy_old(struct mount *s)
{
        enum nfsstat4 status;

        ask_begin(&s->setup);
        xdr_put_fixed(ask_op(&s->setup, OP_DESTROY_SESSION), s->id, NFS4_SESSIONID_SIZE);
        if (!run_bare(s, OP_DESTROY_SESSION, &status))
                return false;
        if (status == NFS4ERR_DELAY)
                return false;
        if (status != NFS4_OK && status != NFS4ERR_BADSESSION)
                world_fail(s->node->world, "DESTROY_SESSION: %s", nfs4_status_name(status));
        s->doomed = false;
        return true;
}

static bool exchange_id(struct mount *s)
{
        struct xdr_out *x;
        enum nfsstat4 status;

        ask_begin(&s->setup);
        x = ask_op(&s->setup, OP_EXCHANGE_ID);
        xdr_put_fixed(x, s->verifier, NFS4_VERIFIER_SIZE);
        xdr_put_string(x, s->owner);
        xdr_put_u32(x, s->is_mds ? EXCHGID4_FLAG_USE_PNFS_MDS : EXCHGID4_FLAG_USE_PNFS_DS);
        xdr_put_u32(x, SP4_NONE);
        xdr_put_u32(x, 0);
        if (!run_bare(s, OP_EXCHANGE_ID, &status))
                return false;
        if (status == NFS4ERR_DELAY)
                return false;
        if (status != NFS4_OK)
                world_fail(s->node->world, "EXCHANGE_ID: %s", nfs4_status_name(status));
        s->clientid = xdr_get_u64(&s->setup.in);
        s->create_seqid = xdr_get_u32(&s->setup.in);
        return true;
}

static void put_channel(struct xdr_out *x, uint32_t bytes, uint32_t requests)
{
        xdr_put_u32(x, 0);
        xdr_put_u32(x, bytes);
        xdr_put_u32(x, bytes);
        xdr_put_u32(x, CACHED_BYTES);
        xdr_put_u32(x, OPS);
        xdr_put_u32(x, requests);
        xdr_put_u32(x, 0);
}

static bool create_session(struct mount *s)
{
        struct xdr_out *x;
        enum nfsstat4 status;

        ask_begin(&s->setup);
        x = ask_op(&s->setup, OP_CREATE_SESSION);
        xdr_put_u64(x, s->clientid);
        xdr_put_u32(x, s->create_seqid);
        xdr_put_u32(x, s->is_mds ? CREATE_SESSION4_FLAG_CONN_BACK_CHAN : 0);
        put_channel(x, REQUEST_BYTES, MOUNT_SLOTS);
        put_channel(x, CACHED_BYTES, 1);
        xdr_put_u32(x, MOUNT_CB_PROGRAM);
        xdr_put_u32(x, 0);
        if (!run_bare(s, OP_CREATE_SESSION, &status))
                return false;
        if (status == NFS4ERR_STALE_CLIENTID)
                s->clientid = 0;
        else if (status != NFS4_OK && status != NFS4ERR_DELAY && status != NFS4ERR_NOSPC) /* for its record */
                world_fail(s->node->world, "CREATE_SESSION: %s", nfs4_status_name(status));
        if (status != NFS4_OK)
                return false;
        s->create_seqid++;
        xdr_get_fixed(&s->setup.in, s->id, NFS4_SESSIONID_SIZE);
        memset(s->seqid, 0, sizeof(s->seqid));
        s->bound = true;
        return true;
}

/* A new connection of the session, for callbacks too: RFC 8881 §18.34. */
static bool bind(struct mount *s)
{
        struct xdr_out *x;
        enum nfsstat4 status;

        ask_begin(&s->setup);
        x = ask_op(&s->setup, OP_BIND_CONN_TO_SESSION);
        xdr_put_fixed(x, s->id, NFS4_SESSIONID_SIZE);
        xdr_put_u32(x, CDFC4_FORE_OR_BOTH);
        xdr_put_bool(x, false);
        if (!run_bare(s, OP_BIND_CONN_TO_SESSION, &status))
                return false;
        if (status == NFS4ERR_BADSESSION || status == NFS4ERR_DEADSESSION)
                lose(s, false);
        else if (status != NFS4_OK && status != NFS4ERR_DELAY)
                world_fail(s->node->world, "BIND_CONN_TO_SESSION: %s", nfs4_status_name(status));
        s->bound = status == NFS4_OK;
        return s->bound;
}

static bool reclaim_complete(struct mount *s)
{
        enum nfsstat4 status;

        ask_begin(&s->setup);
        s->setup.cache_this = true;
        xdr_put_bool(ask_op(&s->setup, OP_RECLAIM_COMPLETE), false);
        if (mount_run(s, SETUP_SLOT, &s->setup, UINT64_MAX) != ASK_DONE)
                return false;
        status = s->setup.status;
        if (status != NFS4_OK && status != NFS4ERR_COMPLETE_ALREADY && status != NFS4ERR_DELAY)
                world_fail(s->node->world, "RECLAIM_COMPLETE: %s", nfs4_status_name(status));
        return status != NFS4ERR_DELAY;
}

/* One try, from where it stands. */
static bool set_up(struct mount *s)
{
        bool is_new;

        if (s->doomed && !destroy_old(s))
                return false;
        if (s->clientid == 0 && !exchange_id(s))
                return false;
        if (!create_session(s))
                return false;
        is_new = s->clientid != s->last_clientid;
        s->last_clientid = s->clientid;
        s->up = true;
        s->number++;
        s->incarnation += is_new;
        s->complete &= !is_new;
        if (s->settled)
                s->settled(s);
        return true;
}

static void complete(struct mount *s)
{
        if (s->is_mds && s->reclaim)
                s->reclaim(s);
        if (!s->is_mds || reclaim_complete(s))
                s->complete = true;
}

/* A session is there, and a connection; several may wait for that. */
static bool ready(struct mount *s, uint64_t end)
{
        while (!s->up || !s->complete || !s->conn || (s->is_mds && !s->bound)) {
                if (env_now(&s->node->env) >= end)
                        return false;
                if (s->busy) {
                        co_sleep(BUSY_NS);
                        continue;
                }
                s->busy = true;
                if (s->up ? !connected(s) || (s->is_mds && !s->bound && !bind(s)) : !set_up(s))
                        pause(s);
                else if (!s->complete)
                        complete(s);
                s->busy = false;
        }
        return true;
}

/* --- calls */

/* What SEQUENCE said: false: come again with the same one. */
static bool take_sequence(struct mount *s, uint32_t slot, struct ask *k, enum ask_end *ret)
{
        enum nfsstat4 status = k->in.p == k->in.end ? k->status : ask_result(k, OP_SEQUENCE);

        switch (status) {
        case NFS4_OK:
                xdr_get_bytes(&k->in, NFS4_SESSIONID_SIZE + 4 * 4);
                s->doubtful = xdr_get_u32(&k->in) & REVOKED;
                s->seqid[slot]++;
                *ret = ASK_DONE;
                return true;
        case NFS4ERR_RETRY_UNCACHED_REP:
                s->seqid[slot]++;
                *ret = ASK_LOST;
                return true;
        case NFS4ERR_DELAY: co_sleep(BUSY_NS); return false;
        case NFS4ERR_BADSESSION:
        case NFS4ERR_DEADSESSION:
                lose(s, false);
                *ret = ASK_LOST;
                return true;
        default:
                world_fail(s->node->world, "SEQUENCE of slot %u, sequence id %u: %s", slot,
                           s->seqid[slot] + 1, nfs4_status_name(status));
        }
}

enum ask_end mount_run(struct mount *s, uint32_t slot, struct ask *k, uint64_t patience_ns)
{
        uint64_t now = env_now(&s->node->env),
                 end = patience_ns > UINT64_MAX - now ? UINT64_MAX : now + patience_ns;
        uint64_t sent_ns = now;
        uint32_t sent_on = 0;
        enum ask_end how;

        for (;;) {
                if (slot == SETUP_SLOT && !s->up)
                        return ASK_LOST; /* what was to be set up is gone */
                if (!(slot == SETUP_SLOT ? connected(s) : ready(s, end))) {
                        if (sent_on == s->number && sent_on != 0)
                                lose(s, true); /* what is in the slot nobody knows */
                        return ASK_UNREACHABLE;
                }
                if (sent_on != 0 && sent_on != s->number)
                        return ASK_LOST;
                if (sent_on == 0) /* the answer may be that of the first time, from the slot */
                        sent_ns = env_now(&s->node->env);
                sent_on = s->number;
                if (transmit(s, k, &slot)) {
                        if (sent_on != s->number)
                                return ASK_LOST;
                        s->retry_ns = RETRY_FIRST_NS;
                        if (!take_sequence(s, slot, k, &how))
                                continue;
                        if (how == ASK_DONE)
                                s->renewed_ns = sent_ns;
                        return how;
                } else if (env_now(&s->node->env) >= end) {
                        lose(s, true);
                        return ASK_UNREACHABLE;
                } else {
                        pause(s);
                }
        }
}

void mount_init(struct mount *s, struct node *node, struct rpc_server *rpc, const struct netaddr *addr,
                bool is_mds, const char *owner, uint64_t number)
{
        memset(s, 0, sizeof(*s));
        s->node = node;
        s->rpc = rpc;
        s->addr = *addr;
        s->is_mds = is_mds;
        s->owner = owner;
        memcpy(s->verifier, &number, sizeof(s->verifier));
        s->retry_ns = RETRY_FIRST_NS;
}
