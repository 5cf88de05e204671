/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/ctl_lab.h"

enum { CALL_SECONDS = 300 };

void ctl_lab_args(struct call *call, xdrproc_t proc, void *args)
{
        XDR xdr;

        xdrmem_create(&xdr, (char *)(uintptr_t)call->args.p, xdr_left(&call->args), XDR_DECODE);
        CHECK(proc(&xdr, args));
}

void ctl_lab_answer(struct call *call, xdrproc_t proc, void *result)
{
        struct xdr_out *x = &call->out;
        XDR xdr;

        xdrmem_create(&xdr, (char *)x->p, xdr_room(x), XDR_ENCODE);
        CHECK(proc(&xdr, result));
        x->p += xdr_getpos(&xdr);
        call_reply(call);
}

static void called(struct rpc_req *rpc, enum rpc_result result, struct xdr_in *x)
{
        struct fake_call *call = CONTAINER(rpc, struct fake_call, rpc);
        XDR xdr;

        call->done = true;
        if (result != RPC_DONE)
                return;
        xdrmem_create(&xdr, (char *)(uintptr_t)x->p, xdr_left(x), XDR_DECODE);
        call->ok = call->result_xdr(&xdr, call->result);
}

void ctl_lab_call(struct conn *conn, struct fake_call *call, uint32_t prog, uint32_t proc, xdrproc_t args_xdr,
                  void *args, xdrproc_t result_xdr, void *result)
{
        bool large = xdr_sizeof(args_xdr, args) > 32768;
        XDR xdr;

        *call = (struct fake_call){ .rpc.done = called, .result_xdr = result_xdr, .result = result };
        CHECK(rpc_req_begin(&call->rpc, conn, prog, 1, proc, NULL, large) == 0);
        xdrmem_create(&xdr, (char *)call->rpc.out.p, xdr_room(&call->rpc.out), XDR_ENCODE);
        CHECK(args_xdr(&xdr, args));
        call->rpc.out.p += xdr_getpos(&xdr);
        rpc_req_send(&call->rpc, CALL_SECONDS * 1000000000ull);
}
