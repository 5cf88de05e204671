/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/client.h"

#include <errno.h>

#include "base/log.h"
#include "rpc/internal.h"

static void end(struct rpc_req *req, enum rpc_result result, struct xdr_in *results);

static void on_deadline(struct timer *t)
{
        end(CONTAINER(t, struct rpc_req, deadline), RPC_TIMED_OUT, NULL);
}

int rpc_req_begin(struct rpc_req *req, struct conn *conn, uint32_t prog, uint32_t vers, uint32_t proc,
                  const struct rpc_cred *cred, bool large)
{
        uint32_t capacity = large ? BUF_LARGE : BUF_SMALL;
        struct buf *head;

        if (conn_is_closed(conn))
                return -ENOTCONN;
        head = buf_get(conn->server->pool, capacity);
        if (!head)
                return -ENOBUFS;
        req->conn = conn_ref(conn);
        req->head = head;
        req->xid = conn->next_xid++;
        req->deadline = (struct timer){ .fire = on_deadline };
        list_init(&req->node);
        list_init(&req->sending.node);
        xdr_out_init(&req->out, head->data + RPC_HEADROOM, capacity - RPC_HEADROOM);
        rpc_put_call(&req->out, req->xid, prog, vers, proc, cred, "nacre");
        return 0;
}

static void release_head(struct rpc_req *req)
{
        xdr_out_release(&req->out);
        buf_unref(req->head);
        req->head = NULL;
}

static void request_sent(struct rpc_sending *m)
{
        release_head(CONTAINER(m, struct rpc_req, sending));
}

/* rpc_server_free() finds the debts of closed connections in this list. */
static void note_broken(struct conn *c)
{
        if (conn_is_closed(c) && !list_empty(&c->lost) && list_empty(&c->in_server))
                list_push(&c->server->broken, &c->in_server);
}

/* done() is owed, but not from here. The connection lives until then. */
static void lose(struct rpc_req *req, enum rpc_result result)
{
        struct conn *c = req->conn;

        timer_stop(&req->deadline);
        list_remove(&req->node);
        req->ended = result;
        list_push(&c->lost, &req->node);
        note_broken(c);
        env_defer(c->server->env, &c->turn);
}

void rpc_req_send(struct rpc_req *req, uint64_t timeout_ns)
{
        struct conn *c = req->conn;

        if (req->out.full)
                log_error("request-too-long", "bytes=%u", xdr_out_length(&req->out));
        if (req->out.full || conn_is_closed(c)) {
                lose(req, req->out.full ? RPC_REFUSED : RPC_LOST);
                return;
        }
        list_push(&c->pending[req->xid % RPC_PENDING_BUCKETS], &req->node);
        c->pending_count++;
        timer_start(c->server->env, &req->deadline, timeout_ns);
        conn_queue(c, &req->sending, &req->out, request_sent);
}

/* Take REQ out of everything: it is the caller's again. Returns its connection with REQ's reference. */
static struct conn *detach(struct rpc_req *req)
{
        struct conn *c = req->conn;

        timer_stop(&req->deadline);
        if (!list_empty(&req->sending.node))
                conn_unqueue(c, &req->sending, &req->head);
        else if (req->head)
                release_head(req);
        list_remove(&req->node);
        req->conn = NULL;
        return c;
}

static void end(struct rpc_req *req, enum rpc_result result, struct xdr_in *results)
{
        struct conn *c = detach(req);

        c->pending_count--;
        req->done(req, result, results);
        conn_unref(c);
}

void rpc_req_cancel(struct rpc_req *req)
{
        struct conn *c = req->conn;

        if (!c)
                return;
        if (timer_running(&req->deadline)) /* sent, and not lost */
                c->pending_count--;
        conn_unref(detach(req));
}

static struct rpc_req *find(struct conn *c, uint32_t xid)
{
        LIST_FOR_EACH(node, &c->pending[xid % RPC_PENDING_BUCKETS]) {
                struct rpc_req *req = CONTAINER(node, struct rpc_req, node);

                if (req->xid == xid)
                        return req;
        }
        return NULL;
}

void client_reply(struct conn *c, struct slice record)
{
        struct xdr_in x = xdr_in_of(record);
        struct rpc_req *req = find(c, xdr_get_u32(&x));
        struct buf *buf;

        if (!req) {
                c->server->stats.stray_replies++;
                return;
        }
        xdr_get_u32(&x);          /* RPC_REPLY */
        buf = buf_ref(c->in.buf); /* done() may close the connection */
        if (rpc_get_reply(&x) == 0)
                end(req, RPC_DONE, &x);
        else
                end(req, RPC_REFUSED, NULL);
        buf_unref(buf);
}

void client_lose_all(struct conn *c)
{
        for (int i = 0; i < RPC_PENDING_BUCKETS; i++)
                while (!list_empty(&c->pending[i]))
                        lose(CONTAINER(c->pending[i].next, struct rpc_req, node), RPC_LOST);
        c->pending_count = 0;
        note_broken(c);
}

void client_run_lost(struct conn *c)
{
        conn_ref(c);
        while (!list_empty(&c->lost)) {
                struct rpc_req *req = CONTAINER(c->lost.next, struct rpc_req, node);
                enum rpc_result result = req->ended;
                struct conn *held = detach(req);

                req->done(req, result, NULL);
                conn_unref(held);
        }
        if (conn_is_closed(c))
                list_remove(&c->in_server); /* from server->broken */
        conn_unref(c);
}
