/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/s3.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "s3tier/pieces.h"

#define IDLE_NS (20 * SECOND_NS) /* until the caller gives up */
#define AGAIN_NS (1 * SECOND_NS) /* TCP sends again what did not come through */
#define USUAL_DELAY_NS (20 * MS_NS)

struct connection {
        struct http http; /* first */
        struct sim_s3 *s3;
        uint32_t life; /* of its process */
};

/* One request, from its sending until it was carried out and nobody waits for its answer. */
struct wire {
        struct list node; /* in s3->wires */
        struct sim_s3 *s3;
        struct node *from;
        struct connection *connection; /* NULL: nobody waits for the answer */
        struct http_call *call;
        struct timer arrive; /* on the store's machine */
        struct timer back;   /* on the caller's: the answer, or the end of its patience */
        uint64_t give_up_ns;
        bool carried; /* or never will be */
        bool cut;
        struct exchange x;
};

static uint64_t now(const struct sim_s3 *s)
{
        return s->node->world->now;
}

static bool is_dead(const struct connection *c)
{
        return c->life != c->s3->lives[CONTAINER(c->http.env, struct node, env)->host];
}

static bool happens(struct sim_s3 *s, uint32_t once_in)
{
        return once_in > 0 && world_once_in(s->node->world, once_in);
}

static bool is_blocked(const struct node *from, const struct node *to)
{
        return from->world->blocked[from->host][to->host];
}

static uint64_t delay(struct sim_s3 *s)
{
        return 1 + world_random(s->node->world, s->delay_ns);
}

static void wire_free(struct wire *w)
{
        timer_stop(&w->arrive);
        timer_stop(&w->back);
        list_remove(&w->node);
        exchange_free(&w->x);
        free(w);
}

/* --- the answer */

static void end_call(struct wire *w, enum http_result result)
{
        struct http_call *call = w->call;

        timer_stop(&w->back);
        call->transfer = NULL;
        w->connection = NULL;
        w->call = NULL;
        if (w->carried)
                wire_free(w);
        call->done(call, result);
}

/* LENGTH bytes of the body. */
static void put_body(struct http_call *call, const struct exchange *x, uint64_t length)
{
        struct pieces room = { call->room, call->room_count, 0 };

        call->received = length;
        if (length > 0 && x->status / 100 == 2 && call->room_count > 0)
                CHECK(pieces_write(&room, (const char *)x->data, length));
        else if (length > 0)
                http_text_append(&call->text, x->data, length);
}

static void give(struct wire *w)
{
        struct http_call *call = w->call;
        char line[LINES_BYTES], *value;
        uint32_t at = 0;

        call->status = w->x.status;
        while (call->header && lines_next(&w->x.answer, &at, line, &value))
                call->header(call, slice_str(line), slice_str(value));
        put_body(call, &w->x, w->cut ? w->x.data_bytes / 2 : w->x.data_bytes);
        end_call(w, w->cut ? HTTP_LOST : HTTP_ANSWERED);
}

static void on_back(struct timer *t)
{
        struct wire *w = CONTAINER(t, struct wire, back);

        if (is_dead(w->connection) || (w->cut && w->x.status == 0))
                end_call(w, HTTP_LOST);
        else if (now(w->s3) >= w->give_up_ns)
                end_call(w, HTTP_TIMED_OUT);
        else if (is_blocked(w->s3->node, w->from))
                timer_start(&w->from->env, &w->back, AGAIN_NS);
        else
                give(w);
}

static void send_back(struct wire *w)
{
        uint64_t left = w->give_up_ns > now(w->s3) ? w->give_up_ns - now(w->s3) : 1, ns = delay(w->s3);

        timer_stop(&w->back);
        timer_start(&w->from->env, &w->back, ns < left ? ns : left);
}

/* --- the request */

static void on_arrive(struct timer *t)
{
        struct wire *w = CONTAINER(t, struct wire, arrive);
        struct sim_s3 *s = w->s3;

        if (is_blocked(w->from, s->node)) {
                timer_start(&s->node->env, &w->arrive, AGAIN_NS);
                return;
        }
        if (happens(s, s->refuse_once_in))
                exchange_refuse(&w->x, 503, "SlowDown");
        else
                blobs_serve(&s->blobs, &w->x);
        world_say(s->node->world, "s3", "%s %s of %s: %d", http_method_names[w->x.method],
                  strchr(w->x.url + strlen("http://"), '/'), w->from->name, w->x.status);
        w->carried = true;
        w->cut = happens(s, s->cut_once_in);
        if (w->call)
                send_back(w);
        else
                wire_free(w);
}

static void copy_request(struct exchange *x, const struct http_call *call)
{
        struct pieces body = { call->body, call->body_count, 0 };

        x->method = call->method;
        CHECK(strlen(call->url) < sizeof(x->url));
        strcpy(x->url, call->url);
        for (unsigned i = 0; i < call->header_count; i++)
                lines_add(&x->headers, call->headers[i].name, call->headers[i].value);
        x->body_bytes = pieces_bytes(call->body, call->body_count);
        x->body = malloc(x->body_bytes + 1);
        CHECK(x->body != NULL && pieces_read(&body, (char *)x->body, x->body_bytes) == x->body_bytes);
}

static void wire_send(struct http *http, struct http_call *call)
{
        struct connection *c = CONTAINER(http, struct connection, http);
        struct sim_s3 *s = c->s3;
        struct wire *w = calloc(1, sizeof(*w));

        CHECK(w != NULL);
        w->s3 = s;
        w->from = CONTAINER(http->env, struct node, env);
        w->connection = c;
        w->call = call;
        w->arrive.fire = on_arrive;
        w->back.fire = on_back;
        w->give_up_ns = now(s) + IDLE_NS;
        copy_request(&w->x, call);
        call->transfer = w;
        call->status = 0;
        call->received = 0;
        call->text.length = 0;
        list_push(&s->wires, &w->node);
        w->carried = w->cut = is_dead(c) || happens(s, s->cut_once_in);
        if (w->cut) {
                send_back(w);
                return;
        }
        timer_start(&s->node->env, &w->arrive, delay(s));
        timer_start(&w->from->env, &w->back, IDLE_NS);
}

/* It is on its way, and may arrive. */
static void let_go(struct wire *w)
{
        timer_stop(&w->back);
        w->call->transfer = NULL;
        w->connection = NULL;
        w->call = NULL;
        if (w->carried || world_once_in(w->s3->node->world, 2))
                wire_free(w);
}

static void wire_cancel(struct http *http, struct http_call *call)
{
        (void)http;
        if (call->transfer)
                let_go(call->transfer);
}

static void connection_free(struct http *http)
{
        free(CONTAINER(http, struct connection, http));
}

struct http *sim_s3_connect(void *s3, struct env *env)
{
        static const struct http_ops ops = { .send = wire_send,
                                             .cancel = wire_cancel,
                                             .free = connection_free };
        struct connection *c = calloc(1, sizeof(*c));

        CHECK(c != NULL);
        c->http = (struct http){ .ops = &ops, .env = env };
        c->s3 = s3;
        c->life = c->s3->lives[CONTAINER(env, struct node, env)->host];
        return &c->http;
}

/* --- the store */

void sim_s3_crash(struct sim_s3 *s, struct node *node)
{
        s->lives[node->host]++;
        LIST_FOR_EACH(at, &s->wires) {
                struct wire *w = CONTAINER(at, struct wire, node);

                if (w->from != node || !w->call)
                        continue;
                timer_stop(&w->back);
                timer_start(&node->env, &w->back, 1); /* who is to be freed is not to wait */
        }
}

void sim_s3_mend(struct sim_s3 *s)
{
        s->refuse_once_in = s->cut_once_in = 0;
        s->delay_ns = USUAL_DELAY_NS;
}

struct sim_s3 *sim_s3_new(struct world *w)
{
        struct sim_s3 *s = calloc(1, sizeof(*s));

        CHECK(s != NULL);
        s->node = world_add(w, "s3");
        list_init(&s->wires);
        sim_s3_mend(s);
        return s;
}

void sim_s3_free(struct sim_s3 *s)
{
        while (!list_empty(&s->wires))
                wire_free(CONTAINER(s->wires.next, struct wire, node));
        blobs_free(&s->blobs);
        free(s);
}
