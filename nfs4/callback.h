/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on a session's back channel: CB_COMPOUND { CB_SEQUENCE, one operation } (RFC 8881 §2.10.3.1, §20).
 * One call at a time per slot; no thread waits. */
#pragma once

#include "nfs4/server.h"

struct callback {
        struct rpc_req rpc;
        struct nfs4_server *server;
        struct session *session; /* NULL: nothing under way */
        struct list in_session;
        uint32_t slot;
        /* status: of the operation, or of CB_SEQUENCE; NFS4ERR_CB_PATH_DOWN: could not be sent or no answer.
         */
        void (*done)(struct callback *, enum nfsstat4 status);
};

/* Send operation OPNUM with the arguments that ENCODE appends to CLIENT. 0; -ENOTCONN: no back channel;
 * -EBUSY: every slot is taken (try again later). CB belongs to the caller until done(). */
int callback_send(struct nfs4_server *s, struct client *client, struct callback *cb, uint32_t opnum,
                  void (*encode)(void *arg, struct xdr_out *x), void *arg);
