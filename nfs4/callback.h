/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to clients: CB_COMPOUND { CB_SEQUENCE, one operation } on the back channel of a session (RFC 8881
 * §2.10.3.1, §2.10.6, §20). No thread waits for one. Who calls says what and for how long to try; this part
 * finds a session and a slot, and tries again: after a DELAY, on another connection when one breaks, on the
 * client's next session when one ends. A server that wants to know early whether a client can be called
 * (nfs4_server.probe_back_channel) sends it a lone CB_SEQUENCE when it first has a path. */
#pragma once

#include "nfs4/server.h"

/* A request of the client whose answer the callback must not overtake (§2.10.6.3): the one that gave what is
 * called back. seqid 0: none. */
struct referring {
        uint8_t session[NFS4_SESSIONID_SIZE];
        uint32_t slot, seqid;
};

struct callback_what {
        uint32_t opnum;
        uint32_t seconds; /* give up after */
        struct referring refers;
        void *arg;
        /* Appends the operation's arguments, at most 4,000 bytes; once for every try. NULL: there is no
         * operation, only CB_SEQUENCE. */
        void (*encode)(void *arg, struct xdr_out *x);
        /* Exactly once, never from inside callback_send(). STATUS: of the operation; NFS4ERR_CB_PATH_DOWN: no
         * answer in time, or the client is gone. RESULTS: what follows the status in the answer; NULL with
         * CB_PATH_DOWN. */
        void (*done)(void *arg, enum nfsstat4 status, struct xdr_in *results);
};

struct callback; /* one call, until done() or callback_forget() */

/* Call CLIENT. NULL: out of memory, done() is not called. */
struct callback *callback_send(struct nfs4_server *s, struct client *client,
                               const struct callback_what *what);
/* The answer is not wanted any more: done() and encode() are not called again. */
void callback_forget(struct callback *cb);

/* The present request of C, to refer to later. */
struct referring referring_of(const struct compound *c);

/* Did CLIENT ever ask for a back channel? Without one a call is never answered. */
bool callback_possible(const struct client *client);
/* Did it answer when it was called last, and can it be called now? */
bool callback_proven(const struct client *client);
/* SEQ4_STATUS_CB_PATH_DOWN and its like, for an answer on SESSION (§18.46.3). */
uint32_t callback_status_flags(const struct session *session);

/* The connection for calls on SESSION now; NULL: none. Has CLIENT a session with one? */
struct conn *callback_path(const struct session *session);
bool callback_has_path(const struct client *client);

/* From sessions and clients (session.c, client.c, op/): a session of CLIENT has a connection for callbacks
 * (again), or is used for the first time; SESSION ends; CLIENT ends. */
void callbacks_path_up(struct nfs4_server *s, struct client *client);
void callbacks_session_gone(struct session *session);
void callbacks_client_gone(struct client *client);
