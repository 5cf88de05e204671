/* SPDX-License-Identifier: Apache-2.0 */
/* Clients of the lab's metadata server: see mds_lab.h. */
#include <stdlib.h>

#include "tests/lab/mds_lab.h"
#include "tests/lab/stream_pair.h"

#define PATIENCE_NS 600000000000u /* longer than any wait for a data server that does not answer */

static void on_done(struct rpc_req *req, enum rpc_result result, struct xdr_in *results)
{
        struct user *u = CONTAINER(req, struct user, req);

        u->ended = true;
        u->result = result;
        if (result != RPC_DONE)
                return;
        u->reply_length = xdr_left(results);
        CHECK(u->reply_length <= sizeof(u->reply));
        memcpy(u->reply, results->p, u->reply_length);
        u->in = xdr_in_of(slice_of(u->reply, u->reply_length));
        u->status = xdr_get_u32(&u->in);
        xdr_get_opaque(&u->in, NFS4_OPAQUE_LIMIT);
        xdr_get_u32(&u->in);
        CHECK(!u->in.bad);
}

static void begin_bare(struct user *u)
{
        memset(&u->req, 0, sizeof(u->req));
        u->req.done = on_done;
        u->ops = 0;
        u->ended = false;
        CHECK(rpc_req_begin(&u->req, u->conn, NFS4_PROGRAM, NFS4_VERSION, NFSPROC4_COMPOUND, &u->cred,
                            true) == 0);
        u->x = &u->req.out;
        xdr_put_u32(u->x, 0);
        xdr_put_u32(u->x, u->minor);
        u->count_at = xdr_head_length(u->x);
        xdr_put_u32(u->x, 0);
}

struct xdr_out *user_op(struct user *u, uint32_t opnum)
{
        u->ops++;
        xdr_put_u32(u->x, opnum);
        return u->x;
}

void user_send(struct user *u)
{
        xdr_patch_u32(u->x, u->count_at, u->ops);
        rpc_req_send(&u->req, 1000000000000);
        mds_lab_run_ms(u->lab, 1);
}

bool user_ended(struct user *u)
{
        mds_lab_run_ms(u->lab, 1);
        return u->ended;
}

static bool has_ended(void *arg)
{
        return ((struct user *)arg)->ended;
}

enum nfsstat4 user_wait(struct user *u)
{
        CHECK(virtual_env_run_until(&u->lab->v, PATIENCE_NS, has_ended, u) && u->result == RPC_DONE);
        if (u->seqid > 0) {
                enum nfsstat4 status = user_result(u, OP_SEQUENCE);

                CHECK(status == NFS4_OK);
                xdr_get_bytes(&u->in, NFS4_SESSIONID_SIZE + 4 * 4);
                u->status_flags = xdr_get_u32(&u->in);
        }
        return u->status;
}

enum nfsstat4 user_call(struct user *u)
{
        user_send(u);
        return user_wait(u);
}

enum nfsstat4 user_result(struct user *u, uint32_t opnum)
{
        uint32_t got = xdr_get_u32(&u->in);

        CHECK(got == opnum && !u->in.bad);
        return xdr_get_u32(&u->in);
}

void user_begin(struct user *u)
{
        begin_bare(u);
        user_op(u, OP_SEQUENCE);
        xdr_put_fixed(u->x, u->session, NFS4_SESSIONID_SIZE);
        xdr_put_u32(u->x, ++u->seqid);
        xdr_put_u32(u->x, 0);
        xdr_put_u32(u->x, 0);
        xdr_put_bool(u->x, u->cache_this);
}

void user_putfh(struct user *u, const struct user_fh *fh)
{
        xdr_put_opaque(user_op(u, OP_PUTFH), fh->bytes, USER_FH);
}

/* --- getting a session */

static void exchange_id(struct user *u)
{
        begin_bare(u);
        user_op(u, OP_EXCHANGE_ID);
        xdr_put_u64(u->x, u->verifier);
        xdr_put_string(u->x, u->owner);
        xdr_put_u32(u->x, EXCHGID4_FLAG_USE_PNFS_MDS);
        xdr_put_u32(u->x, SP4_NONE);
        xdr_put_u32(u->x, 0);
        CHECK(user_call(u) == NFS4_OK);
        CHECK(user_result(u, OP_EXCHANGE_ID) == NFS4_OK);
        u->clientid = xdr_get_u64(&u->in);
}

static void put_channel(struct xdr_out *x, uint32_t bytes, uint32_t ops, uint32_t requests)
{
        xdr_put_u32(x, 0);
        xdr_put_u32(x, bytes);
        xdr_put_u32(x, bytes);
        xdr_put_u32(x, 4096);
        xdr_put_u32(x, ops);
        xdr_put_u32(x, requests);
        xdr_put_u32(x, 0);
}

static enum nfsstat4 create_session(struct user *u, uint32_t seqid)
{
        begin_bare(u);
        user_op(u, OP_CREATE_SESSION);
        xdr_put_u64(u->x, u->clientid);
        xdr_put_u32(u->x, seqid);
        xdr_put_u32(u->x, u->lab->back_channels ? CREATE_SESSION4_FLAG_CONN_BACK_CHAN : 0);
        put_channel(u->x, 1049620, 16, 8);
        put_channel(u->x, 4096, 2, 4);
        xdr_put_u32(u->x, 0x40000000);
        xdr_put_u32(u->x, 0);
        if (user_call(u) != NFS4_OK)
                return u->status;
        user_result(u, OP_CREATE_SESSION);
        xdr_get_fixed(&u->in, u->session, NFS4_SESSIONID_SIZE);
        return NFS4_OK;
}

static void connect_user(struct user *u, struct mds_lab *lab, const char *owner, uint8_t host)
{
        struct stream_pair_conf conf = { .seed = 1000 + (uint64_t)host };
        struct stream *ends[2];

        memset(u, 0, offsetof(struct user, reply));
        u->lab = lab;
        u->minor = 2;
        u->owner = owner;
        stream_pair_new(&lab->v.env, &conf, ends);
        ends[1]->peer = (struct netaddr){ .family = 4, .port = 700, .bytes = { 192, 0, 2, host } };
        rpc_server_accept(lab->server, ends[1]);
        u->conn = rpc_server_adopt(lab->dialler, ends[0]);
        conn_set_data(u->conn, u);
}

enum nfsstat4 user_connect(struct user *u, struct mds_lab *lab, const char *owner, uint8_t host, uint32_t uid,
                           uint64_t verifier)
{
        connect_user(u, lab, owner, host);
        u->cred = (struct rpc_cred){ .flavor = RPC_AUTH_SYS, .uid = uid };
        u->verifier = verifier;
        exchange_id(u);
        return create_session(u, 1);
}

enum nfsstat4 user_session_again(struct user *u, const struct user *old)
{
        connect_user(u, old->lab, old->owner, 3);
        u->cred = old->cred;
        u->clientid = old->clientid;
        return create_session(u, 2);
}

enum nfsstat4 user_reclaim_complete(struct user *u)
{
        user_begin(u);
        xdr_put_bool(user_op(u, OP_RECLAIM_COMPLETE), false);
        return user_call(u);
}

enum nfsstat4 user_renew(struct user *u)
{
        user_begin(u);
        return user_call(u);
}

void user_start(struct user *u, struct mds_lab *lab, const char *owner, uint8_t host, uint32_t uid,
                uint32_t gid)
{
        CHECK(user_connect(u, lab, owner, host, uid, 0x1122334455667788) == NFS4_OK);
        u->cred.gid = gid;
        CHECK(user_reclaim_complete(u) == NFS4_OK);
}

void mds_lab_start_delegating(struct mds_lab *lab, struct user *u, struct user *other)
{
        mds_lab_start(lab, NULL);
        lab->conf.delegations = true;
        lab->mds.nfs.probe_back_channel = true;
        lab->back_channels = true;
        user_start(u, lab, "client", 1, 0, 0);
        user_start(other, lab, "other", 2, 0, 0);
}

void user_renew_for(uint32_t seconds, struct user *u, struct user *other)
{
        for (uint32_t i = 0; i < seconds; i++) {
                mds_lab_run_ms(u->lab, 1000);
                if (i % 10 != 9)
                        continue;
                CHECK(user_renew(u) == NFS4_OK);
                CHECK(!other || user_renew(other) == NFS4_OK);
        }
}
