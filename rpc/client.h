/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of our own over a connection: back channel callbacks, the control protocol, and the NFS client of
 * nfs4/peer. */
#pragma once

#include "rpc/conn.h"

enum rpc_result {
        RPC_DONE,      /* reply decoded up to the results */
        RPC_LOST,      /* the connection closed before the reply; it may have been executed */
        RPC_TIMED_OUT, /* no reply in time; a late one is ignored */
        RPC_REFUSED,   /* an RPC-level error reply */
};

/* One call under way; a member of whoever waits. Zero it before use. */
struct rpc_req {
        /* RESULTS: only with RPC_DONE, good until return; else NULL. */
        void (*done)(struct rpc_req *, enum rpc_result, struct xdr_in *results);
        /* private, but for out */
        struct conn *conn; /* one reference while the call is under way */
        struct list node;
        struct timer deadline;
        uint32_t xid;
        enum rpc_result ended; /* for done(), when it is called from the list of the lost */
        struct buf *head;
        struct xdr_out out;
        struct rpc_sending sending;
};

/* Begin a call: the header is put into REQ->out (capacity BUF_SMALL, or BUF_LARGE when LARGE); append the
 * arguments, then rpc_req_send(). -ENOTCONN or -ENOBUFS: nothing to undo. */
int rpc_req_begin(struct rpc_req *req, struct conn *conn, uint32_t prog, uint32_t vers, uint32_t proc,
                  const struct rpc_cred *cred, bool large);
/* Send; done() is called exactly once later (never from inside), also when the connection breaks. */
void rpc_req_send(struct rpc_req *req, uint64_t timeout_ns);
/* Forget it: done() will not be called. */
void rpc_req_cancel(struct rpc_req *req);
