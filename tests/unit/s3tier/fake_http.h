/* SPDX-License-Identifier: Apache-2.0 */
/* A transport that answers what a test has written down, on a virtual clock. Not a store: it knows nothing of
 * S3. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "s3tier/http.h"
#include "s3tier/pieces.h"
#include "tests/lab/virtual_env.h"

/* One answer: another result than HTTP_ANSWERED, or a status with headers ("Name: value\n…") and a body. */
struct fake_answer {
        enum http_result result;
        int status;
        const char *headers, *body;
        uint64_t after_ms;
        bool resent;
};

enum { FAKE_ANSWERS = 32, FAKE_LOG = 16384 };
struct fake_http {
        struct http http; /* first */
        struct virtual_env env;
        struct fake_answer answers[FAKE_ANSWERS];
        unsigned count, used, cancelled;
        struct http_call *under_way; /* one at a time */
        struct timer timer;
        char log[FAKE_LOG]; /* of each request "METHOD URL\n", of its headers "  name: value\n" */
};

static void fake_note(struct fake_http *f, const char *a, const char *b, const char *c, const char *d)
{
        size_t used = strlen(f->log);

        snprintf(f->log + used, sizeof f->log - used, "%s%s%s%s\n", a, b, c, d);
}

static void fake_tell_headers(struct http_call *call, const char *headers)
{
        for (const char *line = headers; line && *line; line += strcspn(line, "\n") + 1) {
                const char *colon = strchr(line, ':');

                call->header(call, slice_of(line, (uint32_t)(colon - line)),
                             slice_of(colon + 2, (uint32_t)strcspn(colon + 2, "\n")));
                if (!strchr(line, '\n'))
                        return;
        }
}

static void fake_answer_now(struct timer *t)
{
        struct fake_http *f = CONTAINER(t, struct fake_http, timer);
        const struct fake_answer *a = &f->answers[f->used++];
        struct http_call *call = f->under_way;
        struct pieces room = { call->room, call->room_count, 0 };
        size_t length = a->body ? strlen(a->body) : 0;

        f->under_way = NULL;
        call->status = a->status;
        call->resent = a->resent;
        if (a->status) {
                fake_tell_headers(call, a->headers);
                call->received = length;
                if (a->status / 100 == 2 && call->room_count > 0)
                        CHECK(pieces_write(&room, a->body ? a->body : "", length));
                else
                        CHECK(http_text_append(&call->text, a->body ? a->body : "", length));
        }
        snprintf(call->error, sizeof call->error, "made up");
        call->done(call, a->result);
}

static void fake_send(struct http *http, struct http_call *call)
{
        struct fake_http *f = CONTAINER(http, struct fake_http, http);

        CHECK(!f->under_way && f->used < f->count);
        call->status = 0;
        call->received = 0;
        call->resent = false;
        call->text.length = 0;
        fake_note(f, http_method_names[call->method], " ", call->url, "");
        for (unsigned i = 0; i < call->header_count; i++)
                fake_note(f, "  ", call->headers[i].name, ": ", call->headers[i].value);
        f->under_way = call;
        timer_start(http->env, &f->timer, f->answers[f->used].after_ms * 1000000);
}

static void fake_cancel(struct http *http, struct http_call *call)
{
        struct fake_http *f = CONTAINER(http, struct fake_http, http);

        CHECK(f->under_way == call);
        f->under_way = NULL;
        f->cancelled++;
        timer_stop(&f->timer);
}

static void fake_http_init(struct fake_http *f, uint64_t seed)
{
        static const struct http_ops ops = { fake_send, fake_cancel, NULL };

        memset(f, 0, sizeof *f);
        virtual_env_init(&f->env, seed);
        f->http = (struct http){ &ops, &f->env.env };
        f->timer.fire = fake_answer_now;
}

static inline void fake_will(struct fake_http *f, struct fake_answer answer)
{
        CHECK(f->count < FAKE_ANSWERS);
        f->answers[f->count++] = answer;
}
