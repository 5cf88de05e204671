/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's multi interface on the loop: curl says which sockets it wants watched and when it wants to be
 * called (CURLMOPT_SOCKETFUNCTION, CURLMOPT_TIMERFUNCTION), and copies bytes between them and the caller's
 * memory. */
#include "s3tier/http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/loop.h"
#include "s3tier/pieces.h"

const char *const http_method_names[] = { "GET", "HEAD", "PUT", "POST", "DELETE" };

/* One connection's worth: at most one call at a time. */
struct transfer {
        struct list node; /* in real_http.idle */
        struct real_http *http;
        CURL *easy;
        struct curl_slist *headers;
        struct http_call *call; /* NULL: idle */
        struct pieces body, room;
        bool too_long, interim;
        char error[CURL_ERROR_SIZE];
};

struct real_http {
        struct http http; /* first */
        struct loop *loop;
        CURLM *multi;
        struct http_conf conf;
        char *ca;
        struct timer timer; /* when curl wants to be called */
        struct task task;   /* tells of those that were refused */
        struct list idle, waiting, refused;
        struct transfer transfers[];
};

static struct real_http *real_of(struct http *http)
{
        return CONTAINER(http, struct real_http, http);
}

/* --- bytes */

static size_t on_send(char *out, size_t size, size_t count, void *arg)
{
        struct transfer *t = arg;

        return pieces_read(&t->body, out, size * count);
}

/* curl has to send the body again: a kept connection was closed by the server. */
static int on_rewind(void *arg, curl_off_t offset, int origin)
{
        struct transfer *t = arg;

        if (offset != 0 || origin != SEEK_SET)
                return CURL_SEEKFUNC_CANTSEEK;
        t->body = (struct pieces){ t->call->body, t->call->body_count, 0 };
        t->call->resent = true;
        return CURL_SEEKFUNC_OK;
}

/* Of an error's body only the beginning matters. */
static void into_text_cut(struct http_text *text, const char *data, size_t length)
{
        size_t left = text->limit > text->length ? text->limit - text->length : 0;

        http_text_append(text, data, length < left ? length : left);
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
        struct transfer *t = arg;
        struct http_call *call = t->call;
        size_t length = size * count;

        call->received += length;
        if (call->status / 100 != 2)
                into_text_cut(&call->text, data, length);
        else if (call->room_count > 0 ? !pieces_write(&t->room, data, length)
                                      : !http_text_append(&call->text, data, length)) {
                t->too_long = true;
                return CURL_WRITEFUNC_ERROR;
        }
        return length;
}

/* A new answer begins: the one before was "100 Continue", or came on a connection that broke. */
static void on_status_line(struct transfer *t, const char *line, size_t length)
{
        const char *blank = memchr(line, ' ', length);
        int status = 0;

        for (const char *p = blank ? blank + 1 : line; blank && p < line + length && *p >= '0' && *p <= '9';
             p++)
                status = status * 10 + (*p - '0');
        t->interim = status < 200;
        t->call->status = status;
        t->call->received = 0;
        t->call->text.length = 0;
        t->room = (struct pieces){ t->call->room, t->call->room_count, 0 };
}

static struct slice trimmed(const char *from, const char *to)
{
        while (from < to && (*from == ' ' || *from == '\t'))
                from++;
        while (to > from && strchr(" \t\r\n", to[-1]))
                to--;
        return slice_of(from, (uint32_t)(to - from));
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
        struct transfer *t = arg;
        size_t length = size * count;
        const char *colon = memchr(line, ':', length);

        if (length >= 5 && memcmp(line, "HTTP/", 5) == 0)
                on_status_line(t, line, length);
        else if (colon && !t->interim && t->call->header)
                t->call->header(t->call, trimmed(line, colon), trimmed(colon + 1, line + length));
        return length;
}

/* --- one call on one handle */

/* curl takes "Name;" for a header without a value, and "Name:" for one of its own that is not to be sent. */
static bool add_header(struct transfer *t, const char *name, const char *value, bool ours)
{
        char small[512], *line = small;
        size_t bytes = strlen(name) + strlen(value) + 3;
        struct curl_slist *grown;

        if (bytes > sizeof(small))
                line = malloc(bytes);
        if (!line)
                return false;
        strcpy(stpcpy(stpcpy(line, name), *value || !ours ? ": " : ";"), value);
        grown = curl_slist_append(t->headers, line);
        if (line != small)
                free(line);
        if (grown)
                t->headers = grown;
        return grown != NULL;
}

static bool add_headers(struct transfer *t, const struct http_call *call)
{
        for (unsigned i = 0; i < call->header_count; i++)
                if (!add_header(t, call->headers[i].name, call->headers[i].value, true))
                        return false;
        return add_header(t, "Expect", "", false) && add_header(t, "Accept", "", false);
}

static void set_method(CURL *easy, const struct http_call *call)
{
        switch (call->method) {
        case HTTP_GET: break;
        case HTTP_HEAD: curl_easy_setopt(easy, CURLOPT_NOBODY, 1L); break;
        case HTTP_DELETE: curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "DELETE"); break;
        case HTTP_PUT:
        case HTTP_POST:
                curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
                curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE,
                                 (curl_off_t)pieces_bytes(call->body, call->body_count));
                curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, http_method_names[call->method]);
                break;
        }
}

static void set_connection(CURL *easy, const struct real_http *http)
{
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
        curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L * 1024);
        curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)http->conf.connect_ms);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)(http->conf.idle_ms + 999) / 1000);
        curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
        if (http->ca) {
                struct curl_blob blob = { .data = http->ca,
                                          .len = strlen(http->ca),
                                          .flags = CURL_BLOB_NOCOPY };

                curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
        }
}

static bool prepare(struct transfer *t, struct http_call *call)
{
        CURL *easy = t->easy;

        curl_easy_reset(easy);
        t->error[0] = '\0';
        t->too_long = t->interim = false;
        t->body = (struct pieces){ call->body, call->body_count, 0 };
        t->room = (struct pieces){ call->room, call->room_count, 0 };
        if (!add_headers(t, call) || curl_easy_setopt(easy, CURLOPT_URL, call->url) != CURLE_OK)
                return false;
        set_connection(easy, t->http);
        set_method(easy, call);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->error);
        curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
        curl_easy_setopt(easy, CURLOPT_READDATA, t);
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_rewind);
        curl_easy_setopt(easy, CURLOPT_SEEKDATA, t);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
        return true;
}

/* T is idle again; whatever curl knew of its call is forgotten. */
static void release(struct transfer *t)
{
        curl_multi_remove_handle(t->http->multi, t->easy);
        curl_slist_free_all(t->headers);
        t->headers = NULL;
        t->call->transfer = NULL;
        t->call = NULL;
        list_push_front(&t->http->idle, &t->node); /* the last used has the warmest connection */
}

/* done() is owed, but not from here. */
static void refuse(struct real_http *h, struct http_call *call, const char *why)
{
        call->ended = HTTP_REFUSED;
        snprintf(call->error, sizeof(call->error), "%s", why);
        list_push(&h->refused, &call->node);
        env_defer(h->http.env, &h->task);
}

static void start(struct real_http *h, struct transfer *t, struct http_call *call)
{
        t->call = call;
        call->transfer = t;
        if (!prepare(t, call) || curl_multi_add_handle(h->multi, t->easy) != CURLM_OK) {
                release(t);
                refuse(h, call, "the request cannot be made: a bad URL, or no memory");
        }
}

static void start_waiting(struct real_http *h)
{
        while (!list_empty(&h->waiting) && !list_empty(&h->idle)) {
                struct http_call *call = CONTAINER(list_pop(&h->waiting), struct http_call, node);

                start(h, CONTAINER(list_pop(&h->idle), struct transfer, node), call);
        }
}

static void real_send(struct http *http, struct http_call *call)
{
        struct real_http *h = real_of(http);

        CHECK(call->done != NULL);
        call->status = 0;
        call->received = 0;
        call->resent = false;
        call->error[0] = '\0';
        call->transfer = NULL;
        call->text.length = 0;
        list_push(&h->waiting, &call->node);
        start_waiting(h);
}

static void real_cancel(struct http *http, struct http_call *call)
{
        struct real_http *h = real_of(http);

        if (call->transfer)
                release(call->transfer);
        else
                list_remove(&call->node);
        start_waiting(h);
}

/* --- ends */

/* Did the request go out before time ran out? */
static bool was_sent(CURL *easy)
{
        curl_off_t us = 0;

        curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &us);
        return us > 0;
}

static enum http_result result_of(const struct transfer *t, CURLcode code)
{
        switch (code) {
        case CURLE_OK: return HTTP_ANSWERED;
        case CURLE_OPERATION_TIMEDOUT: return was_sent(t->easy) ? HTTP_TIMED_OUT : HTTP_NOT_SENT;
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_CONNECT:
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_PEER_FAILED_VERIFICATION: return HTTP_NOT_SENT;
        case CURLE_WRITE_ERROR: return t->too_long ? HTTP_TOO_LONG : HTTP_LOST;
        case CURLE_URL_MALFORMAT:
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_OUT_OF_MEMORY: return HTTP_REFUSED;
        default: return HTTP_LOST;
        }
}

static void finish(struct transfer *t, CURLcode code)
{
        struct http_call *call = t->call;
        enum http_result result = result_of(t, code);

        if (result != HTTP_ANSWERED)
                snprintf(call->error, sizeof(call->error), "%.*s", HTTP_ERROR_BYTES - 1,
                         t->too_long   ? "the answer is longer than there is room for"
                         : t->error[0] ? t->error
                                       : curl_easy_strerror(code));
        release(t);
        start_waiting(t->http);
        call->done(call, result);
}

static void tell_ended(struct real_http *h)
{
        int left;

        for (CURLMsg *m; (m = curl_multi_info_read(h->multi, &left));) {
                struct transfer *t;

                CHECK(m->msg == CURLMSG_DONE);
                curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
                finish(t, m->data.result);
        }
}

static void tell_refused(struct task *task)
{
        struct real_http *h = CONTAINER(task, struct real_http, task);

        for (struct list *node; (node = list_pop(&h->refused));) {
                struct http_call *call = CONTAINER(node, struct http_call, node);

                call->done(call, call->ended);
        }
}

/* --- what curl wants of the loop */

static void on_poll(void *arg, int fd, unsigned events)
{
        struct real_http *h = arg;
        int what = (events & STREAM_READ ? CURL_CSELECT_IN : 0) |
                   (events & STREAM_WRITE ? CURL_CSELECT_OUT : 0),
            running;

        curl_multi_socket_action(h->multi, fd, what, &running);
        tell_ended(h);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
        struct real_http *h = arg;
        struct poll *poll = known;

        (void)easy;
        if (what == CURL_POLL_REMOVE) {
                loop_poll_free(poll);
                curl_multi_assign(h->multi, fd, NULL);
                return 0;
        }
        if (!poll) {
                poll = loop_poll_new(h->loop, fd, on_poll, h);
                if (!poll)
                        return -1;
                curl_multi_assign(h->multi, fd, poll);
        }
        return loop_poll_want(poll, (what & CURL_POLL_IN ? STREAM_READ : 0u) |
                                            (what & CURL_POLL_OUT ? STREAM_WRITE : 0u))
                       ? 0
                       : -1;
}

static void on_timer(struct timer *timer)
{
        struct real_http *h = CONTAINER(timer, struct real_http, timer);
        int running;

        curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        tell_ended(h);
}

static int on_timeout(CURLM *multi, long ms, void *arg)
{
        struct real_http *h = arg;

        (void)multi;
        if (ms < 0)
                timer_stop(&h->timer);
        else
                timer_start(h->http.env, &h->timer, (uint64_t)ms * 1000000);
        return 0;
}

/* --- birth and death */

static void real_free(struct http *http)
{
        struct real_http *h = real_of(http);

        CHECK(list_empty(&h->waiting) && list_empty(&h->refused));
        for (unsigned i = 0; i < h->conf.connections; i++) {
                CHECK(h->transfers[i].call == NULL);
                if (h->transfers[i].easy)
                        curl_easy_cleanup(h->transfers[i].easy);
        }
        if (h->multi)
                curl_multi_cleanup(h->multi);
        timer_stop(&h->timer);
        list_remove(&h->task.node);
        free(h->ca);
        free(h);
}

static const struct http_ops real_ops = { real_send, real_cancel, real_free };

static bool open_multi(struct real_http *h)
{
        h->multi = curl_multi_init();
        if (!h->multi)
                return false;
        curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
        curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
        curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
        curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
        curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
        curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)h->conf.connections);
        for (unsigned i = 0; i < h->conf.connections; i++) {
                struct transfer *t = &h->transfers[i];

                t->http = h;
                t->easy = curl_easy_init();
                if (!t->easy)
                        return false;
                list_push(&h->idle, &t->node);
        }
        return true;
}

static void initialise_curl(void)
{
        CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

struct http *http_new(struct loop *loop, const struct http_conf *conf)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        struct real_http *h;

        CHECK(conf->connections > 0);
        pthread_once(&once, initialise_curl);
        h = calloc(1, sizeof(*h) + conf->connections * sizeof(h->transfers[0]));
        if (!h)
                return NULL;
        h->http = (struct http){ &real_ops, loop_env(loop) };
        h->loop = loop;
        h->conf = *conf;
        h->timer.fire = on_timer;
        h->task.run = tell_refused;
        list_init(&h->task.node);
        list_init(&h->idle);
        list_init(&h->waiting);
        list_init(&h->refused);
        h->ca = conf->ca ? strdup(conf->ca) : NULL;
        if ((conf->ca && !h->ca) || !open_multi(h)) {
                real_free(&h->http);
                return NULL;
        }
        return &h->http;
}
