/* SPDX-License-Identifier: Apache-2.0 */
/* The back channel: see callback.h. RFC 8881 §20.9 (CB_SEQUENCE), §2.10.6 (slots).
 *
 * A slot's sequence id starts at 1 and moves on when CB_SEQUENCE was accepted; a refused CB_SEQUENCE leaves
 * it. When the answer never came, nobody knows whether the client moved on: the slot is not used again, and
 * the client is told BACKCHANNEL_FAULT, upon which it makes a new session. */
#include "nfs4/callback.h"

#include <errno.h>

#include "nfs4/codec.h"

enum { CB_COMPOUND = 1, CB_VERSION = 1, CB_OPS = 2, CB_TIMEOUT_SECONDS = 20 };

/* The answer up to our operation's status; CB_PATH_DOWN when it is not one. *ret_moved: the slot's sequence
 * id counts. */
static enum nfsstat4 parse_reply(struct xdr_in *x, bool *ret_moved)
{
        uint32_t status = xdr_get_u32(x), results;

        xdr_get_opaque(x, NFS4_OPAQUE_LIMIT);
        results = xdr_get_u32(x);
        if (x->bad || results == 0)
                return status == NFS4_OK || x->bad ? NFS4ERR_CB_PATH_DOWN : (enum nfsstat4)status;
        if (xdr_get_u32(x) != OP_CB_SEQUENCE)
                return NFS4ERR_CB_PATH_DOWN;
        status = xdr_get_u32(x);
        if (x->bad || status != NFS4_OK)
                return x->bad ? NFS4ERR_CB_PATH_DOWN : (enum nfsstat4)status;
        *ret_moved = true;
        xdr_get_bytes(x, NFS4_SESSIONID_SIZE + 4 * 4);
        if (results < 2)
                return NFS4ERR_CB_PATH_DOWN;
        xdr_get_u32(x);
        status = xdr_get_u32(x);
        return x->bad ? NFS4ERR_CB_PATH_DOWN : (enum nfsstat4)status;
}

static void on_reply(struct rpc_req *rpc, enum rpc_result result, struct xdr_in *x)
{
        struct callback *cb = CONTAINER(rpc, struct callback, rpc);
        struct session *session = cb->session;
        struct cb_slot *slot = &session->cb_slots[cb->slot];
        enum nfsstat4 status = NFS4ERR_CB_PATH_DOWN;
        bool moved = false;

        list_remove(&cb->in_session);
        if (result == RPC_DONE) {
                status = parse_reply(x, &moved);
                if (moved)
                        slot->seqid++;
        } else {
                session->back_fault = true;
        }
        /* Without an answer the slot stays busy: its sequence id is not known any more. */
        slot->busy = result == RPC_LOST || result == RPC_TIMED_OUT;
        cb->session = NULL;
        cb->done(cb, status);
}

/* A session of CLIENT with a connection for callbacks and a free slot. */
static int find_slot(const struct client *client, struct session **ret_session, struct conn **ret_conn,
                     uint32_t *ret_slot)
{
        int error = -ENOTCONN;

        LIST_FOR_EACH(node, &client->sessions) {
                struct session *session = CONTAINER(node, struct session, in_client);
                struct conn *conn = session->has_back_channel ? session_back_conn(session) : NULL;

                for (uint32_t i = 0; conn && i < session->back.max_requests; i++) {
                        if (!session->cb_slots[i].busy) {
                                *ret_session = session;
                                *ret_conn = conn;
                                *ret_slot = i;
                                return 0;
                        }
                        error = -EBUSY;
                }
        }
        return error;
}

static void put_sequence(struct xdr_out *x, const struct session *session, uint32_t slot)
{
        xdr_put_u32(x, OP_CB_SEQUENCE);
        xdr_put_fixed(x, session->id, NFS4_SESSIONID_SIZE);
        xdr_put_u32(x, session->cb_slots[slot].seqid + 1);
        xdr_put_u32(x, slot);
        xdr_put_u32(x, session->back.max_requests - 1);
        xdr_put_bool(x, false); /* cachethis */
        xdr_put_u32(x, 0);      /* referring call lists */
}

int callback_send(struct nfs4_server *s, struct client *client, struct callback *cb, uint32_t opnum,
                  void (*encode)(void *arg, struct xdr_out *x), void *arg)
{
        struct session *session;
        struct conn *conn;
        uint32_t slot;
        struct rpc_cred cred = { 0 };
        struct xdr_out *x = &cb->rpc.out;
        int r = find_slot(client, &session, &conn, &slot);

        if (r < 0)
                return r;
        cred.flavor = session->cb_flavor;
        cred.uid = session->cb_uid;
        cred.gid = session->cb_gid;
        r = rpc_req_begin(&cb->rpc, conn, session->cb_program, CB_VERSION, CB_COMPOUND, &cred, false);
        if (r < 0)
                return r;
        xdr_put_u32(x, 0); /* tag */
        xdr_put_u32(x, client->minor);
        xdr_put_u32(x, 0); /* callback_ident: not used in 4.1 */
        xdr_put_u32(x, CB_OPS);
        put_sequence(x, session, slot);
        xdr_put_u32(x, opnum);
        encode(arg, x);
        session->cb_slots[slot].busy = true;
        cb->server = s;
        cb->session = session;
        cb->slot = slot;
        cb->rpc.done = on_reply;
        list_push(&session->callbacks, &cb->in_session);
        rpc_req_send(&cb->rpc, CB_TIMEOUT_SECONDS * 1000000000ull);
        return 0;
}

void callbacks_session_gone(struct nfs4_server *s, struct session *session)
{
        (void)s;
        for (struct list *node = list_pop(&session->callbacks); node; node = list_pop(&session->callbacks)) {
                struct callback *cb = CONTAINER(node, struct callback, in_session);

                rpc_req_cancel(&cb->rpc);
                cb->session = NULL;
                cb->done(cb, NFS4ERR_CB_PATH_DOWN);
        }
}
