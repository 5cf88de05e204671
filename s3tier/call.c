/* SPDX-License-Identifier: Apache-2.0 */
/* One call from its start to done(): its turn, keys, signature, HTTP, judgement, pause, again. */
#include "s3tier/call.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"

enum { SKEW_SECONDS = 240 }; /* servers refuse 900; a Date further off than this is learnt from */

static void take_turn(struct s3_call *call);
static void on_http_done(struct http_call *http, enum http_result result);

/* --- ends */

/* It is the caller's again. */
static void let_go(struct s3_call *call)
{
        timer_stop(&call->deadline);
        http_text_free(&call->http.text);
        free(call->owned);
        call->owned = NULL;
        call->state = S3_CALL_IDLE;
        call->s3->in_flight--;
}

static void end(struct s3_call *call)
{
        let_go(call);
        call->done(call);
}

static void on_ending(struct task *task)
{
        end(CONTAINER(task, struct s3_call, task));
}

/* done() is owed, but not from here. */
static void end_later(struct s3_call *call)
{
        call->state = S3_CALL_ENDING;
        env_defer(call->s3->http->env, &call->task);
}

static void leave_state(struct s3_call *call)
{
        struct s3 *s3 = call->s3;

        if (call->state == S3_CALL_HTTP)
                http_cancel(s3->http, &call->http);
        budget_done(&s3->budget, &call->turn);
        creds_cancel(&call->creds_wait);
        timer_stop(&call->pause);
        list_remove(&call->task.node);
}

void s3_cancel(struct s3_call *call)
{
        if (call->state == S3_CALL_IDLE)
                return;
        leave_state(call);
        let_go(call);
}

static void on_deadline(struct timer *t)
{
        struct s3_call *call = CONTAINER(t, struct s3_call, deadline);

        if (call->state == S3_CALL_ENDING)
                return;
        leave_state(call);
        if (call->result.error == S3_OK)
                s3_fail(call, S3_TIMED_OUT, RETRY_NEVER, "no answer before the deadline");
        end(call);
}

static void on_pause(struct timer *t)
{
        take_turn(CONTAINER(t, struct s3_call, pause));
}

/* result.error is set. Again after a pause, or by other means, or the end. */
static void again_or_end(struct s3_call *call, enum retry_class class)
{
        struct env *env = call->s3->http->env;
        uint64_t pause;

        if (retry_pause(&call->policy, &call->retry, class, env_now(env), env_random_u64(env), &pause)) {
                call->state = S3_CALL_PAUSE;
                timer_start(env, &call->pause, pause);
                if (call->s3->conf.metrics)
                        metric_add(&call->s3->conf.metrics->retries, 1);
                return;
        }
        if (!call->recover || !call->recover(call))
                end(call);
}

/* --- what the answer's headers say */

static bool is_name(struct slice name, const char *wanted)
{
        return name.length == strlen(wanted) &&
               strncasecmp((const char *)name.data, wanted, name.length) == 0;
}

static void copy_value(struct slice value, char *out, size_t out_bytes)
{
        text_cut(out, out_bytes, value.data, value.length);
}

/* "bytes 0-99/1000" (RFC 9110 §14.4) */
static void read_range(struct s3_call *call, const char *text)
{
        const char *minus = strchr(text, '-'), *slash = strchr(text, '/');

        call->has_range = strncmp(text, "bytes ", 6) == 0 && minus && slash && minus < slash &&
                          parse_u64(text + 6, (size_t)(minus - text - 6), &call->range_first) &&
                          parse_u64(minus + 1, (size_t)(slash - minus - 1), &call->range_last) &&
                          parse_u64(slash + 1, strlen(slash + 1), &call->object.size);
}

/* NAME, behind SKIP bytes of it, in lower case into OUT (256 bytes). False: it is longer. */
static bool lower_name(struct slice name, size_t skip, char *out)
{
        size_t length = name.length - skip;

        if (length >= 256)
                return false;
        for (size_t i = 0; i < length; i++) {
                char c = (char)name.data[skip + i];

                out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        }
        out[length] = '\0';
        return true;
}

static void read_metadata(struct s3_call *call, struct slice name, const char *value)
{
        char lower[256];

        if (lower_name(name, 11, lower))
                s3_metadata_put(&call->object.metadata, lower, value);
        else
                call->object.metadata.full = true;
}

static void read_description(struct s3_call *call, struct slice name, const char *value)
{
        char lower[1 + 256] = ":";

        if (lower_name(name, 0, lower + 1) && s3_is_description(lower + 1) && value[0])
                s3_metadata_put(&call->object.metadata, lower, value);
}

/* "null": of before the bucket kept versions, or since it does not; and then such a one is overwritten. */
static void read_version(struct s3_object *o, struct slice value)
{
        if (value.length < sizeof(o->version_id) && !slice_equal(value, slice_str("null")))
                copy_value(value, o->version_id, sizeof(o->version_id));
}

static void on_header(struct http_call *http, struct slice name, struct slice value)
{
        struct s3_call *call = CONTAINER(http, struct s3_call, http);
        enum s3_checksum checksum = call->s3->conf.checksum;
        struct s3_object *o = &call->object;
        char text[S3_METADATA_BYTES];

        copy_value(value, text, sizeof(text));
        read_description(call, name, text);
        if (name.length > 11 && strncasecmp((const char *)name.data, "x-amz-meta-", 11) == 0)
                read_metadata(call, name, text);
        else if (is_name(name, "etag"))
                s3_copy_etag(text, strlen(text), o->etag);
        else if (is_name(name, "content-length"))
                call->has_announced = parse_u64(text, strlen(text), &call->announced);
        else if (is_name(name, "content-range"))
                read_range(call, text);
        else if (is_name(name, "last-modified"))
                parse_http_date(text, &o->modified_ns);
        else if (is_name(name, "date"))
                parse_http_date(text, &call->date_ns);
        else if (is_name(name, "x-amz-request-id"))
                copy_value(value, call->result.request_id, sizeof(call->result.request_id));
        else if (is_name(name, "x-amz-version-id"))
                read_version(o, value);
        else if (is_name(name, "x-amz-server-side-encryption"))
                call->encrypted = strcmp(text, "AES256") != 0;
        else if (is_name(name, "x-amz-server-side-encryption-customer-algorithm"))
                call->encrypted = true;
        else if (is_name(name, "x-amz-storage-class"))
                copy_value(value, o->storage_class, sizeof(o->storage_class));
        else if (is_name(name, "content-type"))
                copy_value(value, o->content_type, sizeof(o->content_type));
        else if (checksum != S3_SUM_NONE && is_name(name, s3_sum_header(checksum)))
                copy_value(value, o->checksum, sizeof(o->checksum));
}

/* --- what became of an attempt */

static void count(struct s3_call *call)
{
        struct s3 *s3 = call->s3;
        struct s3_metrics *m = s3->conf.metrics;
        int status = call->http.status, class = status == 503 ? 5 : status / 100 - 1;

        if (!m)
                return;
        if (status / 100 < 2 || status / 100 > 5)
                class = 0;
        metric_add(&m->requests[call->kind][class], 1);
        metric_add(&m->received, call->http.received);
        metric_add(&m->sent, call->body_bytes);
        metric_set(&m->in_flight, s3->budget.under_way);
        metric_add(&m->waited, s3->budget.waited_ns - s3->told_waited_ns);
        s3->told_waited_ns = s3->budget.waited_ns;
        histogram_add(&m->seconds[call->kind], env_now(s3->http->env) - call->sent_ns);
}

static enum retry_class judge_http(struct s3_call *call, enum http_result result)
{
        const char *why = call->http.error;

        if (result != HTTP_NOT_SENT)
                call->maybe_done = true;
        switch (result) {
        case HTTP_NOT_SENT: return s3_fail(call, S3_UNREACHABLE, RETRY_LATER, why);
        case HTTP_LOST: return s3_fail(call, S3_UNREACHABLE, RETRY_SOON, why);
        case HTTP_TIMED_OUT: return s3_fail(call, S3_TIMED_OUT, RETRY_LATER, why);
        case HTTP_TOO_LONG: return s3_fail(call, S3_BAD_ANSWER, RETRY_LATER, why);
        default: return s3_fail(call, S3_INTERNAL, RETRY_NEVER, why);
        }
}

/* A 403 with a Date far from ours: our clock is wrong, or the server's; what counts is what it believes. */
static bool learn_skew(struct s3_call *call)
{
        struct s3 *s3 = call->s3;
        int64_t skew = (int64_t)(call->date_ns - env_wall(s3->http->env)), change = skew - s3->skew_ns;

        if (call->date_ns == 0 ||
            (change < SKEW_SECONDS * INT64_C(1000000000) && change > -SKEW_SECONDS * INT64_C(1000000000)))
                return false;
        s3->skew_ns = skew;
        log_warn("s3-clock-skew", "endpoint=%s seconds=%lld", s3->origin, (long long)(skew / 1000000000));
        return true;
}

/* The ETag bare of its quotes, for stores that want it so. */
static bool try_bare(struct s3_call *call)
{
        struct http_header *h = &call->headers[call->if_match];
        char *value;

        if (call->if_match == 0 || call->bare || call->s3->quoted_etags)
                return false;
        value = call->space + (h->value - call->space);
        call->bare = true;
        value[strlen(value) - 1] = '\0';
        h->value++;
        return true;
}

/* A condition of a write was heeded, or not looked at. */
static void learn_quotes(struct s3_call *call)
{
        if (call->bare && call->kind != S3_KIND_DELETE)
                call->s3->conf.bare_etags = true;
        else if (call->kind == S3_KIND_PUT)
                call->s3->quoted_etags = true;
}

/* A DELETE whose condition the store does not know goes without it. */
static bool drop_condition(struct s3_call *call)
{
        unsigned after = (unsigned)call->if_match + 1;

        if (call->kind != S3_KIND_DELETE || call->if_match == 0)
                return false;
        memmove(call->headers + call->if_match, call->headers + after,
                (call->fixed_headers - after) * sizeof(*call->headers));
        call->fixed_headers--;
        call->if_match = 0;
        call->s3->plain_deletes = true;
        return true;
}

static enum retry_class judge_status(struct s3_call *call)
{
        bool was_maybe_done = call->maybe_done;
        enum retry_class class;

        if (call->http.status / 100 == 2) {
                call->result.error = S3_OK;
                return call->finish(call);
        }
        class = s3_judge_error(call);
        if (call->http.status >= 500 && call->result.error != S3_NOT_IMPLEMENTED)
                call->maybe_done = true;
        if ((call->result.error == S3_ACCESS_DENIED || call->result.error == S3_CLOCK_SKEW) &&
            !call->renewed && (learn_skew(call) || creds_refused(call->s3->creds))) {
                call->renewed = true;
                return RETRY_SOON;
        }
        if (call->result.error == S3_PRECONDITION_FAILED && !was_maybe_done && try_bare(call))
                return RETRY_SOON;
        if (call->result.error == S3_NOT_IMPLEMENTED && drop_condition(call))
                return RETRY_SOON;
        return class;
}

static void on_http_done(struct http_call *http, enum http_result result)
{
        struct s3_call *call = CONTAINER(http, struct s3_call, http);
        struct s3 *s3 = call->s3;
        enum retry_class class;

        budget_done(&s3->budget, &call->turn);
        call->state = S3_CALL_IDLE;
        count(call);
        call->result.status = http->status;
        call->received = http->received;
        call->maybe_done |= http->resent;
        class = result == HTTP_ANSWERED ? judge_status(call) : judge_http(call, result);
        if (class == RETRY_SLOW_DOWN)
                budget_slow_down(&s3->budget);
        if (call->result.error == S3_OK) {
                budget_succeeded(&s3->budget);
                call->result.message[0] = call->result.code[0] = '\0';
                if (call->if_match)
                        learn_quotes(call);
                end(call);
                return;
        }
        call->received = 0;
        again_or_end(call, class);
}

/* --- an attempt */

static void forget_answer(struct s3_call *call)
{
        struct s3_object *o = &call->object;

        o->etag[0] = o->version_id[0] = o->storage_class[0] = o->content_type[0] = o->checksum[0] = '\0';
        o->size = o->modified_ns = 0;
        o->metadata.bytes = 0;
        o->metadata.full = false;
        call->announced = call->range_first = call->range_last = call->date_ns = 0;
        call->has_announced = call->has_range = call->encrypted = false;
        call->result.request_id[0] = '\0';
}

static bool sign(struct s3_call *call, const struct creds *creds)
{
        struct s3 *s3 = call->s3;
        uint64_t wall = (uint64_t)((int64_t)env_wall(s3->http->env) + s3->skew_ns);
        char date[SIGN_DATE_BYTES], authorization[SIGN_AUTHORIZATION_BYTES];
        struct sign_request request = { .method = http_method_names[call->http.method],
                                        .path = call->path,
                                        .query = call->query,
                                        .headers = call->headers,
                                        .payload_hash = call->payload_hash };

        call->header_count = call->fixed_headers;
        call->text.at = call->fixed_text;
        sign_date(wall, date);
        s3_header(call, "x-amz-date", date);
        if (creds->token[0])
                s3_header(call, "x-amz-security-token", creds->token);
        request.header_count = call->header_count;
        if (!sign_v4(&s3->key, creds, s3->conf.region, date, &request, authorization))
                return false;
        s3_header(call, "authorization", authorization);
        return !call->text.full;
}

static void attempt(struct s3_call *call, const struct creds *creds)
{
        struct s3 *s3 = call->s3;

        forget_answer(call);
        if (!sign(call, creds)) {
                budget_done(&s3->budget, &call->turn);
                s3_fail(call, S3_PATH_TOO_LONG, RETRY_NEVER, "the request is longer than can be");
                end(call);
                return;
        }
        call->http.headers = call->headers + 1;
        call->http.header_count = call->header_count - 1;
        call->state = S3_CALL_HTTP;
        call->sent_ns = env_now(s3->http->env);
        call->result.attempts = ++call->retry.attempts;
        http_send(s3->http, &call->http);
}

static void on_creds(struct creds_wait *wait, const struct creds *creds)
{
        struct s3_call *call = CONTAINER(wait, struct s3_call, creds_wait);

        if (creds) {
                attempt(call, creds);
                return;
        }
        budget_done(&call->s3->budget, &call->turn);
        s3_fail(call, S3_ACCESS_DENIED, RETRY_NEVER, creds_error(call->s3->creds));
        end(call);
}

static void on_granted(struct budget_turn *turn)
{
        struct s3_call *call = CONTAINER(turn, struct s3_call, turn);
        const struct creds *creds = creds_now(call->s3->creds);

        if (creds) {
                attempt(call, creds);
                return;
        }
        call->state = S3_CALL_CREDS;
        creds_ask(call->s3->creds, &call->creds_wait);
}

static void take_turn(struct s3_call *call)
{
        call->state = S3_CALL_TURN;
        budget_ask(&call->s3->budget, &call->turn, call->priority, call->body_bytes + call->want_bytes);
}

/* The members that wait are put right for each start: the caller may not have zeroed them. */
static void arm(struct s3_call *call)
{
        struct s3 *s3 = call->s3;

        call->turn = (struct budget_turn){ .granted = on_granted };
        list_init(&call->turn.node);
        call->creds_wait = (struct creds_wait){ .ready = on_creds };
        list_init(&call->creds_wait.node);
        call->task.run = on_ending;
        list_init(&call->task.node);
        call->pause = (struct timer){ .fire = on_pause };
        call->deadline = (struct timer){ .fire = on_deadline };
        call->policy = s3->conf.retry;
        if (call->deadline_ms > 0)
                call->policy.deadline_ms = call->deadline_ms;
        call->retry = (struct retry){ .began_ns = env_now(s3->http->env) };
        timer_start(s3->http->env, &call->deadline, (uint64_t)call->policy.deadline_ms * 1000000);
}

void s3_start(struct s3_call *call, uint32_t text_limit)
{
        CHECK(call->finish != NULL);
        s3_header(call, "x-amz-content-sha256", call->payload_hash);
        call->fixed_headers = call->header_count;
        call->fixed_text = call->text.at;
        call->http.header = on_header;
        call->http.done = on_http_done;
        call->http.text.limit = text_limit;
        call->s3->in_flight++;
        forget_answer(call);
        arm(call);
        if (call->fixed_headers > S3_CALL_HEADERS - 4) /* those of each attempt */
                call->text.full = true;
        if (call->text.full) {
                s3_fail(call, S3_PATH_TOO_LONG, RETRY_NEVER,
                        "the key, or what is to be kept with it, is too long");
                end_later(call);
                return;
        }
        take_turn(call);
}

void s3_again_as_head(struct s3_call *call, enum retry_class (*finish)(struct s3_call *))
{
        uint32_t path_end = (uint32_t)((const char *)call->path.data - call->space) + call->path.length;

        call->http.method = HTTP_HEAD;
        call->http.body = NULL;
        call->http.body_count = 0;
        call->http.room_count = 0;
        call->kind = S3_KIND_HEAD;
        call->finish = finish;
        call->recover = NULL;
        call->if_match = 0;
        call->want_etag[0] = '\0';
        call->body_bytes = 0;
        call->query = slice_of(NULL, 0);
        call->text = text_of(call->space, sizeof(call->space));
        call->text.at = call->space + path_end;
        call->header_count = 1;
        strcpy(call->payload_hash, SIGN_EMPTY_PAYLOAD);
        s3_header(call, "x-amz-content-sha256", call->payload_hash);
        call->fixed_headers = call->header_count;
        call->fixed_text = call->text.at;
        call->retry.attempts = 0;
        take_turn(call);
}
