/* SPDX-License-Identifier: Apache-2.0 */
/* The control connection (include/ctl.x): dials the MDS over TLS, says HELLO, beats, and is dialled again
 * with growing pauses whenever it breaks. Runs on worker 0. What the MDS calls on it is in ctl_serve.c. */
#pragma once

#include <ctl.h>

#include "ds/ds.h"
#include "rpc/client.h"

enum {
        CTL_REDIAL_FIRST_MS = 20,
        CTL_REDIAL_MOST_MS = 1000,
        CTL_HELLO_TIMEOUT_MS = 5000,
        CTL_CALL_TIMEOUT_MS = 30000
};

/* Dials at once. NULL: out of memory or no TLS. */
struct ctl_client *ctl_client_new(struct ds *ds);
void ctl_client_free(struct ctl_client *c);
/* HELLO was answered on the present connection. */
bool ctl_client_up(const struct ctl_client *c);
/* Why it is not, for people. */
const char *ctl_client_problem(const struct ctl_client *c);
/* Say that we leave, then DONE (also when nobody listens). No more calls after this. */
void ctl_client_leave(struct ctl_client *c, void (*done)(void *arg), void *arg);
/* Give up the connection: what the MDS believes of us and what we believe may differ. */
void ctl_client_reset(struct ctl_client *c, const char *why);

/* The MDS said WHAT (a literal), which cannot be: one log line until it is something else, or HELLO. */
void ctl_client_nonsense(struct ctl_client *c, const char *what);

/* A call to the MDS with ARGS, which are encoded before it returns. REQ->done must be set. 0; -ENOTCONN,
 * -ENOBUFS. */
int ctl_client_call(struct ctl_client *c, struct rpc_req *req, uint32_t proc, xdrproc_t args_xdr, void *args,
                    uint32_t timeout_ms);
/* Decode a reply; pointers in RESULT that are not NULL are used for arrays. */
bool ctl_decode(struct xdr_in *x, xdrproc_t xdr, void *result);
