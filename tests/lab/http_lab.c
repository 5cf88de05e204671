/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/http_lab.h"

#include <stdlib.h>

#include "base/check.h"

struct connection {
        struct http http; /* first */
        const struct http_lab_store *store;
        void *arg;
};

struct answer {
        struct timer timer;
        struct connection *on;
        struct http_call *call;
};

/* It is under way no more. */
static void end(struct answer *a)
{
        const struct http_lab_store *store = a->on->store;

        timer_stop(&a->timer);
        a->call->transfer = NULL;
        if (store->over)
                store->over(a->on->arg, a->call);
        free(a);
}

static void fire(struct timer *t)
{
        struct answer *a = CONTAINER(t, struct answer, timer);
        struct connection *c = a->on;
        struct http_call *call = a->call;

        end(a);
        c->store->serve(c->arg, call);
        call->done(call, HTTP_ANSWERED);
}

static void lab_send(struct http *http, struct http_call *call)
{
        struct connection *c = CONTAINER(http, struct connection, http);
        struct answer *a = calloc(1, sizeof(*a));
        uint64_t latency_ns = c->store->latency_ns(c->arg);

        CHECK(a != NULL);
        a->on = c;
        a->call = call;
        a->timer.fire = fire;
        call->transfer = a;
        call->status = 0;
        call->received = 0;
        if (c->store->sent)
                c->store->sent(c->arg, call);
        if (latency_ns != HTTP_LAB_NEVER)
                timer_start(http->env, &a->timer, latency_ns + 1);
}

static void lab_cancel(struct http *http, struct http_call *call)
{
        (void)http;
        if (call->transfer)
                end(call->transfer);
}

static void lab_free(struct http *http)
{
        free(CONTAINER(http, struct connection, http));
}

struct http *http_lab_new(const struct http_lab_store *store, void *arg, struct env *env)
{
        static const struct http_ops ops = { .send = lab_send, .cancel = lab_cancel, .free = lab_free };
        struct connection *c = calloc(1, sizeof(*c));

        CHECK(c != NULL);
        *c = (struct connection){ .http = { .ops = &ops, .env = env }, .store = store, .arg = arg };
        return &c->http;
}
