/* SPDX-License-Identifier: Apache-2.0 */
/* CREATE_SESSION, RFC 8881 §18.36: confirms a client id and makes a session.
 *
 * The RFC: its own one-entry replay cache by csa_sequence; confirming a new incarnation of an owner drops the
 * old one. We: the fore channel gets what was asked, to the byte (Linux computes rsize and wsize from it and
 * does not round), cut only at what one buffer holds; 64 slots at first; the client's record is durable
 * before the reply leaves (hook). No persistent replay cache, so SESSION4_PERSIST is never granted. */
#include "nfs4/codec.h"
#include "nfs4/op/callback_security.h"
#include "nfs4/ops.h"
#include "nfs4/server.h"

struct create_session_args {
        uint64_t clientid;
        uint32_t seqid, flags, cb_program;
        struct channel_attrs fore, back;
        uint32_t cb_flavor, cb_uid, cb_gid;
};
struct create_session_res {
        struct session *session; /* NULL: answer client's cached reply */
        uint32_t seqid, flags;
        struct client *client;
};

enum {
        MIN_REQUEST = 256, /* smaller channels cannot carry a useful compound: TOOSMALL */
        MIN_RESPONSE = 256,
        MIN_BACK = 128,
        KNOWN_FLAGS = CREATE_SESSION4_FLAG_PERSIST | CREATE_SESSION4_FLAG_CONN_BACK_CHAN |
                      CREATE_SESSION4_FLAG_CONN_RDMA,
        RESULT_MAX = 16 + 8 + 2 * 28,
};

static void get_channel(struct xdr_in *x, struct channel_attrs *a)
{
        a->headerpad = xdr_get_u32(x);
        a->max_request = xdr_get_u32(x);
        a->max_response = xdr_get_u32(x);
        a->max_response_cached = xdr_get_u32(x);
        a->max_ops = xdr_get_u32(x);
        a->max_requests = xdr_get_u32(x);
        if (xdr_get_count(x, 1, 4) == 1)
                xdr_get_u32(x); /* rdma_ird */
}

static void put_channel(struct xdr_out *x, const struct channel_attrs *a)
{
        xdr_put_u32(x, 0); /* no header padding */
        xdr_put_u32(x, a->max_request);
        xdr_put_u32(x, a->max_response);
        xdr_put_u32(x, a->max_response_cached);
        xdr_put_u32(x, a->max_ops);
        xdr_put_u32(x, a->max_requests);
        xdr_put_u32(x, 0); /* no rdma_ird */
}

void get_callback_security(struct xdr_in *x, uint32_t *ret_flavor, uint32_t *ret_uid, uint32_t *ret_gid)
{
        uint32_t count = xdr_get_count(x, 16, 4);
        bool taken = false;

        *ret_flavor = UINT32_MAX;
        for (uint32_t i = 0; i < count && !x->bad; i++) {
                uint32_t flavor = xdr_get_u32(x), uid = 0, gid = 0;

                if (flavor == RPC_AUTH_SYS) {
                        xdr_get_u32(x);
                        xdr_get_opaque(x, 255);
                        uid = xdr_get_u32(x);
                        gid = xdr_get_u32(x);
                        xdr_get_bytes(x, 4 * xdr_get_count(x, RPC_MAX_GIDS, 4));
                } else if (flavor == RPC_AUTH_GSS) {
                        xdr_get_u32(x);
                        xdr_get_opaque(x, NFS4_OPAQUE_LIMIT);
                        xdr_get_opaque(x, NFS4_OPAQUE_LIMIT);
                        continue;
                } else if (flavor != RPC_AUTH_NONE) {
                        x->bad = true;
                }
                if (!taken) {
                        *ret_flavor = flavor;
                        *ret_uid = uid;
                        *ret_gid = gid;
                        taken = true;
                }
        }
}

static void decode(struct compound *c, struct xdr_in *x)
{
        struct create_session_args *a = OP_ARGS(c, struct create_session_args);

        a->clientid = xdr_get_u64(x);
        a->seqid = xdr_get_u32(x);
        a->flags = xdr_get_u32(x);
        get_channel(x, &a->fore);
        get_channel(x, &a->back);
        a->cb_program = xdr_get_u32(x);
        get_callback_security(x, &a->cb_flavor, &a->cb_uid, &a->cb_gid);
}

static uint32_t least(uint32_t a, uint32_t b)
{
        return a < b ? a : b;
}

static struct channel_attrs negotiate_fore(const struct nfs4_server *s, const struct channel_attrs *asked)
{
        uint32_t slots = least(SESSION_FIRST_SLOTS, s->limits.slots_per_session);

        return (struct channel_attrs){ .max_request = least(asked->max_request, BUF_LARGE - 4096),
                                       .max_response = least(asked->max_response, BUF_LARGE - 4096),
                                       .max_response_cached =
                                               least(asked->max_response_cached, SESSION_MAX_CACHED),
                                       .max_ops = least(asked->max_ops, COMPOUND_MAX_OPS),
                                       .max_requests = least(asked->max_requests, slots) };
}

static struct channel_attrs negotiate_back(const struct channel_attrs *asked)
{
        return (struct channel_attrs){ .max_request = least(asked->max_request, 64 * 1024),
                                       .max_response = least(asked->max_response, 64 * 1024),
                                       .max_response_cached = asked->max_response_cached,
                                       .max_ops = asked->max_ops,
                                       .max_requests = least(asked->max_requests, SESSION_BACK_SLOTS) };
}

static enum nfsstat4 check(const struct create_session_args *a)
{
        if (a->flags & ~(uint32_t)KNOWN_FLAGS)
                return NFS4ERR_INVAL;
        if (a->fore.max_request < MIN_REQUEST || a->fore.max_response < MIN_RESPONSE || a->fore.max_ops < 2 ||
            a->fore.max_requests == 0)
                return NFS4ERR_TOOSMALL;
        if (a->back.max_request < MIN_BACK || a->back.max_response < MIN_BACK || a->back.max_ops < 2 ||
            a->back.max_requests == 0)
                return NFS4ERR_TOOSMALL;
        return NFS4_OK;
}

/* Requests of CLIENT other than this one are being executed. */
static bool others_running(const struct compound *c, const struct client *client)
{
        return client->references - client->session_count > (client == c->client ? 1 : 0);
}

/* Make the client the confirmed one of its owner; an older incarnation goes, with all its state (§18.35.4
 * case 5), once none of its requests is being executed any more. */
static enum nfsstat4 confirm(struct compound *c, struct client *client)
{
        struct nfs4_server *s = c->server;
        struct client *old = client_by_owner(s, slice_of(client->owner, client->owner_length), true);
        enum nfsstat4 status = NFS4_OK;

        if (old && others_running(c, old))
                return NFS4ERR_DELAY;
        if (s->hooks->client_confirm)
                status = s->hooks->client_confirm(c, client, old);
        if (status != NFS4_OK)
                return status;
        if (old)
                client_destroy(s, old);
        client->confirmed = true;
        return NFS4_OK;
}

static enum nfsstat4 make(struct compound *c, struct client *client, const struct create_session_args *a)
{
        struct create_session_res *r = OP_RES(c, struct create_session_res);
        struct channel_attrs fore = negotiate_fore(c->server, &a->fore), back = negotiate_back(&a->back);
        bool wants_back = (a->flags & CREATE_SESSION4_FLAG_CONN_BACK_CHAN) != 0 && c->server->back_channel;
        struct session *session;
        enum nfsstat4 status;

        if (client->session_count >= c->server->limits.sessions_per_client) {
                metric_add(&c->server->sessions_refused, 1);
                return NFS4ERR_NOSPC; /* it has to give one back */
        }
        session = session_new(c->server, client, &fore, &back);
        if (!session) {
                metric_add(&c->server->sessions_refused, 1);
                return NFS4ERR_DELAY;
        }
        status = client->confirmed ? NFS4_OK : confirm(c, client);
        if (status == NFS4_OK && session_bind(session, c->call.conn, true, wants_back) < 0)
                status = NFS4ERR_DELAY;
        if (status != NFS4_OK) {
                session_destroy(c->server, session);
                return status;
        }
        client->minor = c->minor;
        session->has_back_channel = wants_back;
        session->cb_program = a->cb_program;
        session->cb_flavor = a->cb_flavor;
        session->cb_uid = a->cb_uid;
        session->cb_gid = a->cb_gid;
        r->session = session;
        r->seqid = client->create_seqid;
        r->flags = wants_back ? CREATE_SESSION4_FLAG_CONN_BACK_CHAN : 0;
        return NFS4_OK;
}

static enum nfsstat4 execute(struct compound *c)
{
        const struct create_session_args *a = OP_ARGS(c, struct create_session_args);
        struct create_session_res *r = OP_RES(c, struct create_session_res);
        struct client *client = client_by_id(c->server, a->clientid);
        enum nfsstat4 status;

        *r = (struct create_session_res){ .client = client };
        if (!client)
                return NFS4ERR_STALE_CLIENTID;
        if (a->seqid == client->create_seqid - 1 && client->create_replay_valid) {
                c->commit_seq = client->create_commit_seq;
                return NFS4_OK;
        }
        if (a->seqid != client->create_seqid)
                return NFS4ERR_SEQ_MISORDERED;
        if (!client->confirmed &&
            (compound_cred(c)->flavor != client->flavor || compound_cred(c)->uid != client->uid))
                return NFS4ERR_CLID_INUSE;
        status = check(a);
        if (status != NFS4_OK)
                return status;
        status = make(c, client, a);
        if (status != NFS4_OK)
                return status; /* nothing was done: the same sequence may come again */
        client_renew(c->server, client);
        client->create_seqid++;
        client->create_commit_seq = c->commit_seq;
        client->create_replay_valid = true;
        return status;
}

/* The result is remembered in the client as it goes out. */
static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct create_session_res *r = OP_RES(c, struct create_session_res);
        struct client *client = r->client;
        uint32_t at = xdr_head_length(x);

        (void)status;
        if (!r->session) {
                xdr_put_fixed(x, client->create_reply, client->create_reply_length);
                return;
        }
        xdr_put_fixed(x, r->session->id, NFS4_SESSIONID_SIZE);
        xdr_put_u32(x, r->seqid);
        xdr_put_u32(x, r->flags);
        put_channel(x, &r->session->fore);
        put_channel(x, &r->session->back);
        client->create_reply_length = xdr_head_length(x) - at;
        CHECK(client->create_reply_length <= sizeof(client->create_reply));
        memcpy(client->create_reply, x->start + at, client->create_reply_length);
}

const struct nfs4_op op_create_session = {
        .name = "CREATE_SESSION",
        .flags = OP_NO_SEQUENCE | OP_SOLE | OP_MUTATES,
        .reply_max = 8 + RESULT_MAX,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
