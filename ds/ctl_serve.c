/* SPDX-License-Identifier: Apache-2.0 */
/* What the MDS calls on the control connection (include/ctl.x, NACRE_CTL_DS): FENCE, GETSIZES, TRUNCATE,
 * REMOVE, ALLOCATE, DEALLOCATE, SEEK, UPLOAD, RELEASE. Each visits the workers when it concerns them, works
 * on the files from worker 0, and answers. None waits for a client or for the MDS, but UPLOAD, and RELEASE
 * for what the tier has asked already. */
#include "ds/ctl_serve.h"

#include <string.h>

#include "ds/ctl_client.h"
#include "ds/hello.h"

static bool get_args(struct ctl_request *r, xdrproc_t proc)
{
        const struct xdr_in *x = &r->call.args;
        XDR xdr;

        xdrmem_create(&xdr, (char *)(uintptr_t)x->p, xdr_left(x), XDR_DECODE);
        if (proc(&xdr, &r->args)) {
                r->args_xdr = proc;
                return true;
        }
        xdr_free(proc, (char *)&r->args);
        return false;
}

void ctl_serve_answer(struct ctl_request *r, xdrproc_t proc, void *result)
{
        struct xdr_out *x = &r->call.out;
        struct ds *ds = r->ds;
        XDR xdr;

        call_need_head(&r->call, (uint32_t)xdr_sizeof(proc, result));
        xdrmem_create(&xdr, (char *)x->p, xdr_room(x), XDR_ENCODE);
        if (proc(&xdr, result))
                x->p += xdr_getpos(&xdr);
        else
                x->full = true; /* no buffer: an RPC error, and the MDS asks again */
        xdr_free(r->args_xdr, (char *)&r->args);
        call_reply(&r->call);
        CHECK(ds->ctl_requests > 0);
        ds->ctl_requests--;
        ds_stop_step(ds);
}

void ctl_serve_status(struct ctl_request *r, ctl_status status)
{
        ctl_result result = { .status = status };

        ctl_serve_answer(r, (xdrproc_t)xdr_ctl_result, &result);
}

/* --- FENCE */

/* From here on nothing new begins under a fenced handle; what began before is waited for. */
static void fence_worker(struct leg *leg)
{
        struct ctl_request *r = leg->visit->arg;
        const ctl_fence_args *a = &r->args.fence;
        struct worker *w = leg->worker;

        for (u_int i = 0; i < a->fences.fences_len; i++) {
                const ctl_fence *f = &a->fences.fences_val[i];

                fence_table_raise(&w->fences, f->fileid, f->client, f->below, f->final);
        }
        fence_table_raise_floor(&w->fences, a->floor);
        if (a->pools.pools_len > 0)
                places_take(&w->fences, a->pools.pools_val, a->pools.pools_len);
        leg_drain(leg, &w->inflight, fence_refuses, &w->fences);
}

static void fenced(struct visit *v)
{
        ctl_serve_status(v->arg, CTL_OK);
}

static void fence(struct ctl_request *r)
{
        const ctl_fence_args *a = &r->args.fence;

        if (!places_are_valid(a->pools.pools_val, a->pools.pools_len)) {
                ctl_client_nonsense(r->ds->ctl, "a place in a pool");
                ctl_serve_status(r, CTL_INVAL);
                return;
        }
        metric_add(&r->ds->counts.fences, a->fences.fences_len);
        r->visit = (struct visit){ .ds = r->ds, .arg = r, .each = fence_worker, .done = fenced };
        visit_start(&r->visit);
}

/* --- dispatch */

static const struct {
        xdrproc_t args;
        void (*serve)(struct ctl_request *);
} procs[] = {
        [CTL_FENCE] = { (xdrproc_t)xdr_ctl_fence_args, fence },
        [CTL_GETSIZES] = { (xdrproc_t)xdr_ctl_getsizes_args, ctl_serve_getsizes },
        [CTL_TRUNCATE] = { (xdrproc_t)xdr_ctl_truncate_args, ctl_serve_truncate },
        [CTL_REMOVE] = { (xdrproc_t)xdr_ctl_remove_args, ctl_serve_remove },
        [CTL_ALLOCATE] = { (xdrproc_t)xdr_ctl_range_args, ctl_serve_space },
        [CTL_DEALLOCATE] = { (xdrproc_t)xdr_ctl_range_args, ctl_serve_space },
        [CTL_SEEK] = { (xdrproc_t)xdr_ctl_seek_args, ctl_serve_seek },
        [CTL_UPLOAD] = { (xdrproc_t)xdr_ctl_upload_args, ctl_serve_upload },
        [CTL_RELEASE] = { (xdrproc_t)xdr_ctl_release_args, ctl_serve_release },
};

/* An MDS whose HELLO was not taken may be another cluster's: nothing of ours is its to touch. */
static void serve(struct ctl_request *r)
{
        ctl_statuses nothing = { 0 }; /* no sizes look the same */

        if (ctl_client_up(r->ds->ctl))
                procs[r->proc].serve(r);
        else if (r->proc == CTL_GETSIZES || r->proc == CTL_REMOVE)
                ctl_serve_answer(r, (xdrproc_t)xdr_ctl_statuses, &nothing);
        else if (r->proc == CTL_UPLOAD)
                ctl_upload_refuse(r, CTL_UNKNOWN);
        else
                ctl_serve_status(r, CTL_UNKNOWN); /* a union's failure looks the same */
}

void ctl_serve_go_on(struct ds *ds)
{
        struct list waiting = LIST_INIT(waiting);

        list_splice(&waiting, &ds->ctl_waiting);
        for (struct list *node; (node = list_pop(&waiting));)
                serve(CONTAINER(node, struct ctl_request, node));
}

/* What came behind the answer to HELLO must not be overtaken by it: a fence would be forgotten. */
static void begin(struct ctl_request *r, uint32_t proc)
{
        struct ds *ds = r->ds;

        ds->ctl_requests++;
        r->proc = proc;
        if (ds->hello)
                list_push(&ds->ctl_waiting, &r->node);
        else
                serve(r);
}

static void dispatch(void *service, struct call *call)
{
        struct ctl_request *r = CONTAINER(call, struct ctl_request, call);
        uint32_t proc = call->header.proc;

        memset((char *)r + sizeof(r->call), 0, sizeof(*r) - sizeof(r->call));
        r->ds = service;
        if (proc == CTL_DS_NULL)
                call_reply(call);
        else if (proc >= sizeof(procs) / sizeof(procs[0]))
                call_reply_error(call, RPC_PROC_UNAVAIL);
        else if (!get_args(r, procs[proc].args))
                call_reply_error(call, RPC_GARBAGE_ARGS);
        else
                begin(r, proc);
}

struct rpc_program ctl_serve_program(struct ds *ds)
{
        return (struct rpc_program){ .prog = NACRE_CTL_DS,
                                     .vers = NACRE_CTL_DS_V1,
                                     .call_bytes = sizeof(struct ctl_request),
                                     .dispatch = dispatch,
                                     .service = ds };
}
