/* SPDX-License-Identifier: Apache-2.0 */
/* The control protocol (include/ctl.x) on the wire, for the servers of the lab that are fakes. */
#pragma once

#include <ctl.h>

#include "rpc/client.h"

/* CALL's arguments into ARGS (zeroed by the caller, freed with xdr_free); aborts when they are none. */
void ctl_lab_args(struct call *call, xdrproc_t proc, void *args);
void ctl_lab_answer(struct call *call, xdrproc_t proc, void *result);

/* A call to the other end; a member of whoever waits. */
struct fake_call {
        struct rpc_req rpc;
        xdrproc_t result_xdr;
        void *result;
        bool done, ok; /* ok: RESULT was decoded */
};
/* Call PROC of PROG (version 1) over CONN. RESULT (zeroed by the caller, freed with xdr_free) is filled in
 * when call->done. */
void ctl_lab_call(struct conn *conn, struct fake_call *call, uint32_t prog, uint32_t proc, xdrproc_t args_xdr,
                  void *args, xdrproc_t result_xdr, void *result);
