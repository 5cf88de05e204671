/* SPDX-License-Identifier: Apache-2.0 */
/* What creds.c (who has keys, who waits) and creds_fetch.c (programs, metadata services) share. */
#pragma once

#include <sys/types.h>

#include "base/loop.h"
#include "s3tier/creds.h"
#include "s3tier/http.h"

enum { CREDS_ERROR_BYTES = 256, CREDS_URL_BYTES = 512, CREDS_ANSWER_BYTES = 16 * 1024 };

struct creds_provider {
        struct loop *loop; /* NULL: creds_given() */
        struct creds_conf conf;
        char *text; /* the strings of conf */
        struct creds creds;
        bool have;
        char error[CREDS_ERROR_BYTES];
        struct list waiting;
        struct task tell; /* the waiting */
        uint64_t looked_ns, refused_ns;
        int64_t file_mtime_ns;

        /* a fetch under way */
        bool fetching;
        struct http *http;
        struct http_call call;
        struct http_header header;
        char url[CREDS_URL_BYTES], value[CREDS_TOKEN_BYTES];
        enum { CREDS_TOKEN, CREDS_ROLE, CREDS_KEYS } step; /* what an instance is asked for */
        pid_t pid;
        int pid_fd, out_fd; /* -1: none */
        struct http_text out;
        struct timer timeout;
};

/* Start; creds_fetched() sooner or later, maybe at once. */
void creds_fetch(struct creds_provider *p);
void creds_stop_fetch(struct creds_provider *p);
/* TEXT: the JSON, or NULL when p->error says why there is none. */
void creds_fetched(struct creds_provider *p, const char *text);
/* p->error. */
void creds_fail(struct creds_provider *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
