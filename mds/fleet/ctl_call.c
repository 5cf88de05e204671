/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/fleet/ctl_call.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "mds/fleet/fleet.h"

enum { CALL_TIMEOUT_SECONDS = 30, UPLOAD_TIMEOUT_SECONDS = 300 /* it waits for S3, and for its turn */ };

static void on_reply(struct rpc_req *rpc, enum rpc_result result, struct xdr_in *x)
{
        struct ctl_call *call = CONTAINER(rpc, struct ctl_call, rpc);
        bool ok = false;

        list_remove(&call->node);
        if (result == RPC_DONE) {
                XDR xdr;

                xdrmem_create(&xdr, (char *)(uintptr_t)x->p, xdr_left(x), XDR_DECODE);
                ok = call->result_xdr(&xdr, call->result) != 0;
                if (!ok)
                        server_makes_no_sense(call->server, "an answer that cannot be read");
        }
        call->done(call->arg, call->server, ok ? call->result : NULL);
        xdr_free(call->result_xdr, call->result);
        free(call->result);
        free(call);
}

int ctl_call(struct server *server, uint32_t proc, xdrproc_t args_xdr, void *args, xdrproc_t result_xdr,
             size_t result_bytes, void (*done)(void *arg, struct server *server, void *result), void *arg)
{
        struct ctl_call *call;
        struct xdr_out *x;
        XDR xdr;
        int r;

        if (!server->conn)
                return -ENOTCONN;
        call = calloc(1, sizeof(*call));
        if (!call || !(call->result = calloc(1, result_bytes))) {
                free(call);
                return -ENOMEM;
        }
        r = rpc_req_begin(&call->rpc, server->conn, NACRE_CTL_DS, NACRE_CTL_DS_V1, proc, NULL,
                          xdr_sizeof(args_xdr, args) > 8192);
        if (r < 0) {
                free(call->result);
                free(call);
                return r;
        }
        x = &call->rpc.out;
        xdrmem_create(&xdr, (char *)x->p, xdr_room(x), XDR_ENCODE);
        CHECK(args_xdr(&xdr, args));
        x->p += xdr_getpos(&xdr);
        call->server = server;
        call->result_xdr = result_xdr;
        call->done = done;
        call->arg = arg;
        call->rpc.done = on_reply;
        list_push(&server->queue.calls, &call->node);
        rpc_req_send(&call->rpc,
                     (proc == CTL_UPLOAD ? UPLOAD_TIMEOUT_SECONDS : CALL_TIMEOUT_SECONDS) * 1000000000ull);
        return 0;
}
