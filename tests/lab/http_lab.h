/* SPDX-License-Identifier: Apache-2.0 */
/* Connections behind the seam of s3tier/http.h that lead to a store in memory: each request is answered a
 * while after it was sent, on env's clock, or cancelled before. */
#pragma once

#include "s3tier/http.h"

struct http_lab_store {
        void (*serve)(void *arg, struct http_call *); /* fill in the answer */
        uint64_t (*latency_ns)(void *arg);            /* HTTP_LAB_NEVER: it waits to be cancelled */
        /* a request is under way, and is not any more; or NULL */
        void (*sent)(void *arg, struct http_call *);
        void (*over)(void *arg, struct http_call *);
};
#define HTTP_LAB_NEVER UINT64_MAX

/* One connection; STORE and ARG outlive it. */
struct http *http_lab_new(const struct http_lab_store *store, void *arg, struct env *env);
