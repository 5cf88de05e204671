/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/eof.h"

#include <stdlib.h>

#include "ds/ctl_client.h"
#include "ds/ds.h"

struct eof_call {
        struct rpc_req rpc;
        struct list node; /* in idle_calls */
        struct list asks; /* all for one file */
        struct asker *asker;
};

static void run_done(struct message *msg)
{
        struct eof_ask *a = CONTAINER(msg, struct eof_ask, msg);

        a->done(a);
}

static void finish(struct asker *asker, struct eof_ask *a, int status, uint64_t size)
{
        a->status = status;
        a->size = size;
        a->msg.run = run_done;
        worker_post(asker->ds->workers[0], a->worker, &a->msg);
}

static void enqueue(struct message *msg)
{
        struct eof_ask *a = CONTAINER(msg, struct eof_ask, msg);
        struct ds *ds = a->worker->ds;

        if (ds->asker.giving_up) {
                finish(&ds->asker, a, EOF_LOST, 0);
                return;
        }
        list_push(&ds->asker.queue, &a->node);
        env_defer(ds->env, &ds->asker.flush);
}

void eof_ask(struct worker *w, struct eof_ask *a)
{
        metric_add(&w->counts.eof_asked, 1);
        a->worker = w;
        a->msg.run = enqueue;
        worker_post(w, w->ds->workers[0], &a->msg);
}

static void again(struct asker *asker, struct list *asks)
{
        list_splice(asks, &asker->queue);
        list_splice(&asker->queue, asks);
        if (asker->giving_up)
                asker_give_up(asker);
}

static void answered(struct rpc_req *rpc, enum rpc_result result, struct xdr_in *results)
{
        struct eof_call *call = CONTAINER(rpc, struct eof_call, rpc);
        struct asker *asker = call->asker;
        struct list asks = LIST_INIT(asks);
        ctl_eof_res res = { .status = CTL_IO };

        list_splice(&asks, &call->asks);
        list_push(&asker->idle_calls, &call->node);
        if (result != RPC_DONE || !ctl_decode(results, (xdrproc_t)xdr_ctl_eof_res, &res)) {
                again(asker, &asks);
                if (result != RPC_LOST)
                        ctl_client_reset(asker->ds->ctl, "eof not answered");
                return;
        }
        if (res.size > INT64_MAX) {
                ctl_client_nonsense(asker->ds->ctl, "a size beyond 2^63");
                res = (ctl_eof_res){ .status = CTL_INVAL };
        }
        for (struct list *node; (node = list_pop(&asks));)
                finish(asker, CONTAINER(node, struct eof_ask, node), (int)res.status, res.size);
        env_defer(asker->ds->env, &asker->flush);
}

/* The first that waits, and the others that ask for the same file. */
static ctl_eof_args fill(struct asker *asker, struct eof_call *call)
{
        struct eof_ask *first = CONTAINER(list_pop(&asker->queue), struct eof_ask, node);
        ctl_eof_args args = { .fileid = first->fileid, .generation = first->generation };

        list_push(&call->asks, &first->node);
        LIST_FOR_EACH_SAFE(node, &asker->queue) {
                struct eof_ask *a = CONTAINER(node, struct eof_ask, node);

                if (a->fileid != args.fileid || a->generation != args.generation)
                        continue;
                list_remove(node);
                list_push(&call->asks, node);
        }
        return args;
}

static void flush(struct task *task)
{
        struct asker *asker = CONTAINER(task, struct asker, flush);
        struct ctl_client *ctl = asker->ds->ctl;

        while (!list_empty(&asker->queue) && !list_empty(&asker->idle_calls) && ctl && ctl_client_up(ctl)) {
                struct eof_call *call = CONTAINER(list_pop(&asker->idle_calls), struct eof_call, node);
                ctl_eof_args args = fill(asker, call);

                call->rpc = (struct rpc_req){ .done = answered };
                if (ctl_client_call(ctl, &call->rpc, CTL_EOF, (xdrproc_t)xdr_ctl_eof_args, &args,
                                    CTL_CALL_TIMEOUT_MS) < 0)
                        answered(&call->rpc, RPC_REFUSED, NULL);
        }
}

void asker_go(struct asker *a)
{
        a->giving_up = false;
        env_defer(a->ds->env, &a->flush);
}

void asker_give_up(struct asker *a)
{
        struct list asks = LIST_INIT(asks);

        a->giving_up = true;
        list_splice(&asks, &a->queue);
        for (struct list *node; (node = list_pop(&asks));)
                finish(a, CONTAINER(node, struct eof_ask, node), EOF_LOST, 0);
}

bool asker_init(struct asker *a, struct ds *ds)
{
        a->ds = ds;
        a->giving_up = false;
        a->flush.run = flush;
        list_init(&a->flush.node);
        list_init(&a->queue);
        list_init(&a->idle_calls);
        a->calls = calloc(EOF_CALLS, sizeof(*a->calls));
        if (!a->calls)
                return false;
        for (uint32_t i = 0; i < EOF_CALLS; i++) {
                a->calls[i].asker = a;
                list_init(&a->calls[i].asks);
                list_push(&a->idle_calls, &a->calls[i].node);
        }
        return true;
}

void asker_destroy(struct asker *a)
{
        list_remove(&a->flush.node);
        free(a->calls);
}
