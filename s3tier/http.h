/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 calls on one loop. This is the seam of the S3 engine: everything above sees struct http and its
 * ops; http.c is the real one (libcurl), tests and the simulator put others behind it.
 *
 * One struct http = the connections to one endpoint: at most so many, kept open between calls, calls beyond
 * them wait in order. Nothing is ever tried twice here (s3tier/s3.h does that), but for a kept connection
 * that turns out to be closed before a byte of the answer came. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/env.h"
#include "base/slice.h"

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_PUT, HTTP_POST, HTTP_DELETE };
extern const char *const http_method_names[]; /* by method */

enum http_result {
        HTTP_ANSWERED, /* the whole answer is here; call->status says what it is worth */
        HTTP_NOT_SENT, /* no connection (name, address, TLS): the server has not seen the request */
        HTTP_LOST,     /* the connection ended before the answer did: the request may have been carried out */
        HTTP_TIMED_OUT, /* nothing moved for idle_ms: likewise */
        HTTP_TOO_LONG,  /* a good answer that does not fit where it was to go: likewise */
        HTTP_REFUSED,   /* the call itself cannot be made: a bad URL, no memory */
};

struct http_header {
        const char *name, *value; /* no line ends in either */
};

/* A text that grows with malloc up to LIMIT bytes and is NUL-terminated. Zero it, set limit, free data. */
struct http_text {
        char *data;
        uint32_t length, capacity, limit;
};
/* False: beyond the limit, or out of memory; nothing was appended. */
bool http_text_append(struct http_text *text, const void *data, size_t length);
void http_text_free(struct http_text *text);

enum { HTTP_ERROR_BYTES = 160 };

/* One call; a member of whoever waits. All that it points to is left alone and alive until done(). */
struct http_call {
        /* the request */
        enum http_method method;
        const char *url; /* as it goes on the wire: nothing is normalised or escaped */
        const struct http_header *headers;
        unsigned header_count;    /* Host and Content-Length are added */
        const struct iovec *body; /* of PUT and POST; may be sent more than once */
        int body_count;
        /* where the answer's body goes: that of status 2xx to ROOM if there is any, else to TEXT; that of any
         * other status to TEXT, cut at its limit without a word */
        const struct iovec *room;
        int room_count;
        struct http_text text;
        /* For each header of the answer, in order, name and value without blanks around; of the last answer
         * only (not of 100 Continue). May not cancel. NULL is fine. */
        void (*header)(struct http_call *, struct slice name, struct slice value);
        /* Exactly once, on the loop's thread, never from inside http_send(); the call is the caller's again.
         */
        void (*done)(struct http_call *, enum http_result);

        /* the answer */
        int status;        /* 0: none came */
        uint64_t received; /* bytes of its body */
        bool resent;       /* it went out twice, on a kept connection that then broke: both may count */
        char error[HTTP_ERROR_BYTES]; /* for people, unless HTTP_ANSWERED */

        /* private to whatever is behind the ops */
        struct list node;
        void *transfer;
        enum http_result ended;
};

struct http;
struct http_ops {
        void (*send)(struct http *, struct http_call *);
        void (*cancel)(struct http *, struct http_call *);
        void (*free)(struct http *);
};
struct http {
        const struct http_ops *ops;
        struct env *env;
};

static inline void http_send(struct http *http, struct http_call *call)
{
        http->ops->send(http, call);
}
/* Forget CALL, which was sent and is not done: done() will not be called. Not from header(). */
static inline void http_cancel(struct http *http, struct http_call *call)
{
        http->ops->cancel(http, call);
}
/* No call may be under way. NULL is fine. */
static inline void http_free(struct http *http)
{
        if (http)
                http->ops->free(http);
}

struct loop;
struct http_conf {
        unsigned connections; /* at most, and so calls under way; at least 1 */
        uint32_t connect_ms;  /* name, TCP and TLS together */
        uint32_t idle_ms;     /* with no byte moving in either direction; whole seconds are kept */
        const char *ca;       /* the authorities to believe, as PEM text (copied); NULL: the system's */
};
/* The real one. NULL: out of memory. LOOP must outlive it. */
struct http *http_new(struct loop *loop, const struct http_conf *conf);
