/* SPDX-License-Identifier: Apache-2.0 */
/* The back channel: see callback.h. RFC 8881 §20.9 (CB_SEQUENCE), §2.10.6 (slots).
 *
 * A call waits in client->callbacks until a session has a connection and a free slot for it; from then on it
 * is in session->callbacks and owns the slot. A slot's sequence id starts at 1 and moves on when CB_SEQUENCE
 * was accepted; a refused CB_SEQUENCE leaves it. When no answer came, the same request goes out again in the
 * same slot on another connection: the client executes it, or knows it already (RETRY_UNCACHED_REP, since
 * nothing is cached), and so we know again where the slot stands. A slot that we have to give up without
 * knowing stays busy, and the client is told BACKCHANNEL_FAULT, upon which it makes a new session. */
#include "nfs4/callback.h"

#include <stdlib.h>

#include "nfs4/codec.h"

enum {
        CB_COMPOUND = 1,
        CB_VERSION = 1,
        TRY_SECONDS = 10, /* for an answer to one try; then the connection counts as dead */
        PROBE_SECONDS = 10,
        FIRST_PAUSE_MS = 20,
        LONGEST_PAUSE_MS = 1000,
};

struct callback {
        struct rpc_req rpc;
        struct list node; /* in client->callbacks, or in session->callbacks */
        struct timer deadline, pause;
        struct nfs4_server *server;
        struct client *client;
        struct session *session; /* NULL: it has no slot */
        struct conn *conn;       /* of the last try; compared, never used: it may be gone */
        uint32_t slot;
        uint32_t pause_ms; /* the next one */
        bool sent;         /* an answer is awaited */
        bool again;        /* an earlier try in this slot was not answered: it may have been executed */
        bool forgotten;
        struct callback_what what;
};

static void pump(struct client *client);

static uint32_t op_count(const struct callback *cb)
{
        return cb->what.encode ? 2 : 1;
}

/* --- slots */

static struct cb_slot *slot_of(const struct callback *cb)
{
        return &cb->session->cb_slots[cb->slot];
}

/* The slot is free for others; MOVED: the client took our request. */
static void release_slot(struct callback *cb, bool moved)
{
        struct cb_slot *slot = slot_of(cb);

        if (moved)
                slot->seqid++;
        slot->busy = false;
        cb->session = NULL;
}

/* Nobody knows where the slot stands: it stays busy. */
static void lose_slot(struct callback *cb)
{
        cb->session->back_fault = true;
        cb->session = NULL;
}

static int free_slot(const struct session *session)
{
        for (uint32_t i = 0; i < session->back.max_requests; i++)
                if (!session->cb_slots[i].busy)
                        return (int)i;
        return -1;
}

/* A session with a connection and a free slot; one that has not failed us, if there is one. */
static struct session *find_session(const struct client *client)
{
        struct session *found = NULL;

        LIST_FOR_EACH(node, &client->sessions) {
                struct session *session = CONTAINER(node, struct session, in_client);

                if ((!found || found->back_fault) && callback_path(session) && free_slot(session) >= 0)
                        found = session;
        }
        return found;
}

/* --- ending */

static void discard(struct callback *cb)
{
        timer_stop(&cb->deadline);
        timer_stop(&cb->pause);
        list_remove(&cb->node);
        free(cb);
}

static void finish(struct callback *cb, enum nfsstat4 status, struct xdr_in *results)
{
        struct callback_what what = cb->what;
        bool tell = !cb->forgotten;

        discard(cb);
        if (tell)
                what.done(what.arg, status, results);
}

/* What is under way is waited for all the same, for the sake of its slot. */
void callback_forget(struct callback *cb)
{
        timer_stop(&cb->deadline);
        cb->forgotten = true;
        if (!cb->session)
                discard(cb);
}

static void on_deadline(struct timer *t)
{
        struct callback *cb = CONTAINER(t, struct callback, deadline);
        struct callback_what what = cb->what;

        callback_forget(cb);
        what.done(what.arg, NFS4ERR_CB_PATH_DOWN, NULL);
}

/* --- sending */

static void put_sequence(struct xdr_out *x, const struct callback *cb)
{
        const struct referring *refers = &cb->what.refers;

        xdr_put_u32(x, OP_CB_SEQUENCE);
        xdr_put_fixed(x, cb->session->id, NFS4_SESSIONID_SIZE);
        xdr_put_u32(x, slot_of(cb)->seqid + 1);
        xdr_put_u32(x, cb->slot);
        xdr_put_u32(x, cb->session->back.max_requests - 1);
        xdr_put_bool(x, false); /* cachethis */
        if (refers->seqid == 0) {
                xdr_put_u32(x, 0);
                return;
        }
        xdr_put_u32(x, 1); /* one session's list, of one call */
        xdr_put_fixed(x, refers->session, NFS4_SESSIONID_SIZE);
        xdr_put_u32(x, 1);
        xdr_put_u32(x, refers->seqid);
        xdr_put_u32(x, refers->slot);
}

/* Until the pause is over; without a slot in its client's queue, with one in its session's. */
static void sleep_on_it(struct callback *cb)
{
        if (cb->forgotten && !cb->session) {
                discard(cb);
                return;
        }
        list_push(cb->session ? &cb->session->callbacks : &cb->client->callbacks, &cb->node);
        timer_start(cb->server->env, &cb->pause, cb->pause_ms * 1000000ull);
        cb->pause_ms = cb->pause_ms * 2 > LONGEST_PAUSE_MS ? LONGEST_PAUSE_MS : cb->pause_ms * 2;
}

/* Try again, in any slot. */
static void queue(struct callback *cb)
{
        struct client *client = cb->client;

        cb->again = false;
        if (cb->forgotten) {
                discard(cb);
        } else {
                list_push(&client->callbacks, &cb->node);
        }
        pump(client);
}

static void on_reply(struct rpc_req *rpc, enum rpc_result result, struct xdr_in *x);

/* Send in the slot that CB owns. */
static void transmit(struct callback *cb, struct conn *conn)
{
        const struct session *session = cb->session;
        struct rpc_cred cred = { .flavor = session->cb_flavor,
                                 .uid = session->cb_uid,
                                 .gid = session->cb_gid };
        struct xdr_out *x = &cb->rpc.out;

        memset(&cb->rpc, 0, sizeof(cb->rpc));
        list_remove(&cb->node);
        if (rpc_req_begin(&cb->rpc, conn, session->cb_program, CB_VERSION, CB_COMPOUND, &cred, false) < 0) {
                if (!cb->again)
                        release_slot(cb, false);
                sleep_on_it(cb);
                return;
        }
        cb->rpc.done = on_reply;
        xdr_put_u32(x, 0); /* tag */
        xdr_put_u32(x, cb->client->minor);
        xdr_put_u32(x, 0); /* callback_ident: not used in 4.1 */
        xdr_put_u32(x, op_count(cb));
        put_sequence(x, cb);
        if (cb->what.encode) {
                xdr_put_u32(x, cb->what.opnum);
                cb->what.encode(cb->what.arg, x);
        }
        cb->sent = true;
        cb->conn = conn;
        list_push(&cb->session->callbacks, &cb->node);
        rpc_req_send(&cb->rpc, TRY_SECONDS * 1000000000ull);
}

/* It went out and was not answered: again in its slot, or, when only other sessions can be reached, there. */
static void send_again(struct callback *cb)
{
        struct conn *conn = callback_path(cb->session);

        cb->again = true;
        if (cb->forgotten) {
                lose_slot(cb);
                discard(cb);
        } else if (conn) {
                transmit(cb, conn);
        } else if (callback_has_path(cb->client)) {
                list_remove(&cb->node);
                lose_slot(cb);
                queue(cb);
        }
}

/* Whoever waits goes out while there are slots. */
static void pump(struct client *client)
{
        if (client->gone)
                return;
        LIST_FOR_EACH_SAFE(node, &client->callbacks) {
                struct callback *cb = CONTAINER(node, struct callback, node);
                struct session *session;

                if (timer_running(&cb->pause))
                        continue;
                session = find_session(client);
                if (!session)
                        return;
                cb->session = session;
                cb->slot = (uint32_t)free_slot(session);
                slot_of(cb)->busy = true;
                transmit(cb, callback_path(session));
        }
}

static void pause_over(struct timer *t)
{
        struct callback *cb = CONTAINER(t, struct callback, pause);

        if (cb->session)
                send_again(cb);
        else
                pump(cb->client);
}

/* In its client's queue. */
static struct callback *enqueue(struct nfs4_server *s, struct client *client,
                                const struct callback_what *what)
{
        struct callback *cb = client->gone ? NULL : calloc(1, sizeof(*cb));

        if (!cb)
                return NULL;
        cb->server = s;
        cb->client = client;
        cb->what = *what;
        cb->pause_ms = FIRST_PAUSE_MS;
        cb->deadline.fire = on_deadline;
        cb->pause.fire = pause_over;
        list_push(&client->callbacks, &cb->node);
        timer_start(s->env, &cb->deadline, what->seconds * 1000000000ull);
        return cb;
}

struct callback *callback_send(struct nfs4_server *s, struct client *client, const struct callback_what *what)
{
        struct callback *cb = enqueue(s, client, what);

        if (cb)
                pump(client);
        return cb;
}

/* --- answers */

/* COMPOUND4res up to the status of CB_SEQUENCE, or the COMPOUND's own when there are no results.
 * CB_PATH_DOWN: no sense in it. */
static enum nfsstat4 get_sequence(struct xdr_in *x, uint32_t *ret_results)
{
        uint32_t status = xdr_get_u32(x);

        xdr_get_opaque(x, NFS4_OPAQUE_LIMIT);
        *ret_results = xdr_get_u32(x);
        if (*ret_results > 0) {
                if (xdr_get_u32(x) != OP_CB_SEQUENCE)
                        return NFS4ERR_CB_PATH_DOWN;
                status = xdr_get_u32(x);
        } else if (status == NFS4_OK) {
                return NFS4ERR_CB_PATH_DOWN;
        }
        return x->bad ? NFS4ERR_CB_PATH_DOWN : (enum nfsstat4)status;
}

/* What the operation says, behind CB_SEQUENCE's result. */
static enum nfsstat4 get_status(const struct callback *cb, struct xdr_in *x, uint32_t results)
{
        enum nfsstat4 status;

        if (!cb->what.encode)
                return NFS4_OK;
        if (results < op_count(cb) || xdr_get_u32(x) != cb->what.opnum)
                return NFS4ERR_SERVERFAULT;
        status = (enum nfsstat4)xdr_get_u32(x);
        return x->bad ? NFS4ERR_SERVERFAULT : status;
}

/* CB_SEQUENCE was taken. */
static void take_result(struct callback *cb, struct xdr_in *x, uint32_t results)
{
        struct client *client = cb->client;
        enum nfsstat4 status;

        client->callbacks_answered = true;
        release_slot(cb, true);
        xdr_get_bytes(x, NFS4_SESSIONID_SIZE + 4 * 4);
        status = get_status(cb, x, results);
        cb->again = false;
        if (status == NFS4ERR_DELAY)
                sleep_on_it(cb);
        else if (status == NFS4ERR_RETRY_UNCACHED_REP)
                queue(cb); /* executed when it went out before; what came of it is lost */
        pump(client);
        if (status != NFS4ERR_DELAY && status != NFS4ERR_RETRY_UNCACHED_REP)
                finish(cb, status, x);
}

/* CB_SEQUENCE was refused (§20.9.4). */
static void take_refusal(struct callback *cb, enum nfsstat4 status)
{
        struct session *session = cb->session;

        switch (status) {
        case NFS4ERR_DELAY:
                if (!cb->again) /* else the client is still at it: only this request may follow in this slot
                                 */
                        release_slot(cb, false);
                sleep_on_it(cb);
                return;
        case NFS4ERR_RETRY_UNCACHED_REP:
        case NFS4ERR_SEQ_FALSE_RETRY:
                if (!cb->again)
                        break;
                release_slot(cb, true);
                queue(cb);
                return;
        case NFS4ERR_BADSESSION:
        case NFS4ERR_DEADSESSION:
        case NFS4ERR_CONN_NOT_BOUND_TO_SESSION: /* until the client binds one */
                session_back_down(session, cb->conn);
                release_slot(cb, false);
                queue(cb);
                return;
        case NFS4ERR_CB_PATH_DOWN: /* garbage */
                session->back_fault = true;
                release_slot(cb, false);
                sleep_on_it(cb);
                return;
        default: break;
        }
        lose_slot(cb);
        sleep_on_it(cb);
}

static void on_reply(struct rpc_req *rpc, enum rpc_result result, struct xdr_in *x)
{
        struct callback *cb = CONTAINER(rpc, struct callback, rpc);
        enum nfsstat4 status;
        uint32_t results;

        cb->sent = false;
        switch (result) {
        case RPC_TIMED_OUT:
                session_back_down(cb->session, cb->conn);
                cb->client->callbacks_answered = false; /* fall through */
        case RPC_LOST: send_again(cb); return;
        case RPC_REFUSED:
                list_remove(&cb->node);
                take_refusal(cb, NFS4ERR_CB_PATH_DOWN);
                return;
        case RPC_DONE: break;
        }
        list_remove(&cb->node);
        status = get_sequence(x, &results);
        if (status == NFS4_OK)
                take_result(cb, x, results);
        else
                take_refusal(cb, status);
}

/* --- sessions and clients come and go */

static void path_is_up(struct task *task)
{
        struct client *client = CONTAINER(task, struct client, callbacks_task);

        LIST_FOR_EACH(node, &client->sessions) {
                struct session *session = CONTAINER(node, struct session, in_client);

                LIST_FOR_EACH_SAFE(n, &session->callbacks) {
                        struct callback *cb = CONTAINER(n, struct callback, node);

                        if (!cb->sent && !timer_running(&cb->pause))
                                send_again(cb);
                }
        }
        pump(client);
}

static void probed(void *arg, enum nfsstat4 status, struct xdr_in *results)
{
        struct client *client = arg;

        (void)status;
        (void)results;
        client->probing = false;
}

static void probe(struct nfs4_server *s, struct client *client)
{
        const struct callback_what what = { .seconds = PROBE_SECONDS, .arg = client, .done = probed };

        if (s->probe_back_channel && !client->callbacks_answered && !client->probing)
                client->probing = enqueue(s, client, &what) != NULL;
}

/* Later: what the client asked with comes to an answer first. */
void callbacks_path_up(struct nfs4_server *s, struct client *client)
{
        probe(s, client);
        client->callbacks_task.run = path_is_up;
        env_defer(s->env, &client->callbacks_task);
}

void callbacks_session_gone(struct session *session)
{
        struct client *client = session->client;

        for (struct list *node = list_pop(&session->callbacks); node; node = list_pop(&session->callbacks)) {
                struct callback *cb = CONTAINER(node, struct callback, node);

                rpc_req_cancel(&cb->rpc);
                timer_stop(&cb->pause);
                cb->session = NULL;
                cb->sent = cb->again = false;
                if (cb->forgotten)
                        discard(cb);
                else
                        list_push(&client->callbacks, &cb->node);
        }
        pump(client);
}

void callbacks_client_gone(struct client *client)
{
        list_remove(&client->callbacks_task.node);
        while (!list_empty(&client->callbacks))
                finish(CONTAINER(client->callbacks.next, struct callback, node), NFS4ERR_CB_PATH_DOWN, NULL);
}
