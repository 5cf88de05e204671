/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/tier/ask.h"

#include <string.h>

#include "ds/ctl_client.h"
#include "ds/tier/tier.h"
#include "ds/worker.h"

static xdrproc_t args_of(const struct tier_ask *a)
{
        return a->proc == CTL_SOURCE ? (xdrproc_t)xdr_ctl_file
               : a->proc == CTL_REPO ? (xdrproc_t)xdr_ctl_repo_args
               : a->proc == CTL_SAME ? (xdrproc_t)xdr_ctl_same_args
                                     : (xdrproc_t)xdr_ctl_resident_args;
}

static xdrproc_t res_of(const struct tier_ask *a)
{
        return a->proc == CTL_SOURCE ? (xdrproc_t)xdr_ctl_source_res
               : a->proc == CTL_REPO ? (xdrproc_t)xdr_ctl_repo_res
                                     : (xdrproc_t)xdr_ctl_result;
}

static int status_of(const struct tier_ask *a)
{
        return (int)(a->proc == CTL_SOURCE ? a->res.source.status
                     : a->proc == CTL_REPO ? a->res.repo.status
                                           : a->res.plain.status);
}

void tier_ask_forget(struct tier_ask *a)
{
        if (a->status != ASK_LOST)
                xdr_free(res_of(a), (char *)&a->res);
        a->status = ASK_LOST;
}

/* --- on the asker's worker */

static void run_done(struct message *msg)
{
        struct tier_ask *a = CONTAINER(msg, struct tier_ask, msg);
        struct worker *w = a->worker;

        a->done(a);
        CHECK(w->busy > 0);
        w->busy--;
        worker_note_end(w);
}

/* --- on worker 0 */

static void finish(struct tier_asker *asker, struct tier_ask *a, int status)
{
        a->status = status;
        a->msg.run = run_done;
        worker_post(asker->ds->workers[0], a->worker, &a->msg);
}

static void queue(struct tier_asker *asker, struct tier_ask *a)
{
        if (asker->giving_up) {
                finish(asker, a, ASK_LOST);
                return;
        }
        list_push(&asker->queue, &a->node);
        env_defer(asker->ds->env, &asker->flush);
}

static void enqueue(struct message *msg)
{
        struct tier_ask *a = CONTAINER(msg, struct tier_ask, msg);

        queue(a->asker, a);
}

void tier_ask(struct worker *w, struct tier_ask *a)
{
        a->worker = w;
        a->asker = &w->ds->tier->asker;
        a->msg.run = enqueue;
        list_init(&a->node);
        w->busy++;
        worker_post(w, w->ds->workers[0], &a->msg);
}

static void answered(struct rpc_req *rpc, enum rpc_result result, struct xdr_in *results)
{
        struct tier_ask *a = CONTAINER(rpc, struct tier_ask, rpc);
        struct tier_asker *asker = a->asker;

        asker->under_way--;
        memset(&a->res, 0, sizeof(a->res));
        if (result == RPC_DONE && ctl_decode(results, res_of(a), &a->res)) {
                finish(asker, a, status_of(a));
        } else {
                if (result == RPC_DONE)
                        xdr_free(res_of(a), (char *)&a->res);
                queue(asker, a);
                if (result != RPC_LOST)
                        ctl_client_reset(asker->ds->ctl, "a question of the tier was not answered");
        }
        env_defer(asker->ds->env, &asker->flush);
}

static void flush(struct task *task)
{
        struct tier_asker *asker = CONTAINER(task, struct tier_asker, flush);
        struct ctl_client *ctl = asker->ds->ctl;

        while (!list_empty(&asker->queue) && asker->under_way < ASKS_UNDER_WAY && ctl && ctl_client_up(ctl)) {
                struct tier_ask *a = CONTAINER(list_pop(&asker->queue), struct tier_ask, node);

                asker->under_way++;
                a->rpc = (struct rpc_req){ .done = answered };
                if (ctl_client_call(ctl, &a->rpc, a->proc, args_of(a), &a->args, CTL_CALL_TIMEOUT_MS) < 0)
                        answered(&a->rpc, RPC_REFUSED, NULL); /* no memory to ask: start over */
        }
}

void tier_asker_go(struct tier_asker *a)
{
        a->giving_up = false;
        env_defer(a->ds->env, &a->flush);
}

void tier_asker_give_up(struct tier_asker *a)
{
        struct list asks = LIST_INIT(asks);

        a->giving_up = true;
        list_splice(&asks, &a->queue);
        for (struct list *node; (node = list_pop(&asks));)
                finish(a, CONTAINER(node, struct tier_ask, node), ASK_LOST);
}

void tier_asker_init(struct tier_asker *a, struct ds *ds)
{
        a->ds = ds;
        a->flush.run = flush;
        list_init(&a->flush.node);
        list_init(&a->queue);
}

void tier_asker_destroy(struct tier_asker *a)
{
        list_remove(&a->flush.node);
}
