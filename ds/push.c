/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/push.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "ds/ctl_client.h"
#include "ds/ds.h"

/* --- on a worker */

static void enqueue(struct message *msg);

void push_send(struct worker *w, struct push *p)
{
        p->worker = w;
        p->msg.run = enqueue;
        worker_post(w, w->ds->workers[0], &p->msg);
}

/* --- on worker 0 */

/* An announcement leaves. */
static void touch_settles(struct pusher *p, uint64_t fileid)
{
        LIST_FOR_EACH(node, &p->settles) {
                struct settle *s = CONTAINER(node, struct settle, node);
                const ctl_object *objects = s->objects;

                for (uint32_t i = 0; i < s->count; i++)
                        if (objects[i].fileid == fileid)
                                s->touched[i / 64] |= 1ull << i % 64;
        }
}

void pusher_watch(struct pusher *p, struct settle *s)
{
        list_push(&p->settles, &s->node);
}

void pusher_unwatch(struct settle *s)
{
        list_remove(&s->node);
}

struct push_call {
        struct rpc_req rpc;
        struct list node;   /* in idle_calls */
        struct list pushes; /* in the order of the call */
        struct pusher *pusher;
        ctl_push files[CTL_MAX_FILES];
        ctl_status statuses[CTL_MAX_FILES];
};

static void run_done(struct message *msg)
{
        struct push *p = CONTAINER(msg, struct push, msg);

        p->done(p);
}

static void finish(struct pusher *pusher, struct push *p, int status)
{
        p->status = status;
        p->msg.run = run_done;
        worker_post(pusher->ds->workers[0], p->worker, &p->msg);
}

static void enqueue(struct message *msg)
{
        struct push *p = CONTAINER(msg, struct push, msg);
        struct ds *ds = p->worker->ds;

        if (ds->pusher.giving_up) {
                finish(&ds->pusher, p, PUSH_LOST);
                return;
        }
        list_push(&ds->pusher.queue, &p->node);
        env_defer(ds->env, &ds->pusher.flush);
}

/* A call got no answer: its pushes go first on the next connection. */
static void again(struct pusher *pusher, struct list *pushes)
{
        list_splice(pushes, &pusher->queue);
        list_splice(&pusher->queue, pushes);
        if (pusher->giving_up)
                pusher_give_up(pusher);
}

static bool decode_statuses(struct push_call *call, struct xdr_in *results, uint32_t count)
{
        ctl_push_res res = { .statuses.statuses_len = 0, .statuses.statuses_val = call->statuses };

        return ctl_decode(results, (xdrproc_t)xdr_ctl_push_res, &res) && res.statuses.statuses_len == count;
}

static void answered(struct rpc_req *rpc, enum rpc_result result, struct xdr_in *results)
{
        struct push_call *call = CONTAINER(rpc, struct push_call, rpc);
        struct pusher *pusher = call->pusher;
        struct list pushes = LIST_INIT(pushes);
        uint32_t count = 0;

        list_splice(&pushes, &call->pushes);
        list_push(&pusher->idle_calls, &call->node);
        LIST_FOR_EACH(node, &pushes)
                count++;
        if (result != RPC_DONE || !decode_statuses(call, results, count)) {
                again(pusher, &pushes);
                if (result != RPC_LOST)
                        ctl_client_reset(pusher->ds->ctl, "push not answered");
                return;
        }
        count = 0;
        for (struct list *node; (node = list_pop(&pushes));)
                finish(pusher, CONTAINER(node, struct push, node), (int)call->statuses[count++]);
        env_defer(pusher->ds->env, &pusher->flush);
}

static uint32_t fill(struct pusher *pusher, struct push_call *call)
{
        uint32_t count = 0;

        while (count < CTL_MAX_FILES && !list_empty(&pusher->queue)) {
                struct push *p = CONTAINER(list_pop(&pusher->queue), struct push, node);

                if (p->dirty)
                        touch_settles(pusher, p->fileid);
                call->files[count++] = (ctl_push){
                        .fileid = p->fileid,
                        .generation = p->generation,
                        .epoch = p->epoch,
                        .size = p->size,
                        .mtime_ns = p->mtime_ns,
                        .used = p->used,
                        .dirty = p->dirty,
                };
                list_push(&call->pushes, &p->node);
        }
        return count;
}

static void flush(struct task *task)
{
        struct pusher *pusher = CONTAINER(task, struct pusher, flush);
        struct ctl_client *ctl = pusher->ds->ctl;

        while (!list_empty(&pusher->queue) && !list_empty(&pusher->idle_calls) && ctl && ctl_client_up(ctl)) {
                struct push_call *call = CONTAINER(list_pop(&pusher->idle_calls), struct push_call, node);
                ctl_push_args args = { .files.files_val = call->files };

                args.files.files_len = fill(pusher, call);
                call->rpc = (struct rpc_req){ .done = answered };
                if (ctl_client_call(ctl, &call->rpc, CTL_PUSH, (xdrproc_t)xdr_ctl_push_args, &args,
                                    CTL_CALL_TIMEOUT_MS) < 0)
                        answered(&call->rpc, RPC_REFUSED, NULL); /* no memory to ask: start over */
        }
}

static void shorten(const struct list *pushes, uint64_t fileid, uint64_t size)
{
        LIST_FOR_EACH(node, pushes) {
                struct push *p = CONTAINER(node, struct push, node);

                if (p->fileid == fileid && p->size > size)
                        p->size = size;
        }
}

/* Those under way may have to be sent again. */
void pusher_shorten(struct pusher *p, uint64_t fileid, uint64_t size)
{
        shorten(&p->queue, fileid, size);
        for (uint32_t i = 0; i < PUSH_CALLS; i++)
                shorten(&p->calls[i].pushes, fileid, size);
}

void pusher_go(struct pusher *p)
{
        p->giving_up = false;
        env_defer(p->ds->env, &p->flush);
}

void pusher_give_up(struct pusher *p)
{
        struct list pushes = LIST_INIT(pushes);

        p->giving_up = true;
        list_splice(&pushes, &p->queue);
        for (struct list *node; (node = list_pop(&pushes));)
                finish(p, CONTAINER(node, struct push, node), PUSH_LOST);
}

bool pusher_init(struct pusher *p, struct ds *ds)
{
        p->ds = ds;
        p->flush.run = flush;
        list_init(&p->flush.node);
        list_init(&p->queue);
        list_init(&p->idle_calls);
        list_init(&p->settles);
        p->calls = calloc(PUSH_CALLS, sizeof(*p->calls));
        if (!p->calls)
                return false;
        for (uint32_t i = 0; i < PUSH_CALLS; i++) {
                p->calls[i].pusher = p;
                list_init(&p->calls[i].pushes);
                list_push(&p->idle_calls, &p->calls[i].node);
        }
        return true;
}

void pusher_destroy(struct pusher *p)
{
        list_remove(&p->flush.node);
        free(p->calls);
}
