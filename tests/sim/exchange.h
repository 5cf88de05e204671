/* SPDX-License-Identifier: Apache-2.0 */
/* A request of HTTP to the simulated object store and its answer, in memory of their own. */
#pragma once

#include "s3tier/http.h"

enum { LINES_BYTES = 4096 };

/* "name: value\n" each. */
struct lines {
        uint32_t length;
        char text[LINES_BYTES];
};
void lines_add(struct lines *l, const char *name, const char *value);
/* The value of NAME into OUT; false: it is not there. */
bool lines_get(const struct lines *l, const char *name, char *out, size_t out_bytes);
/* Walk: AT is 0 first; name and value end with a NUL in OUT. */
bool lines_next(const struct lines *l, uint32_t *at, char out[LINES_BYTES], char **ret_value);

/* One request, and its answer. */
struct exchange {
        enum http_method method;
        char url[2048];
        struct lines headers;
        uint8_t *body;
        uint64_t body_bytes;
        int status;
        struct lines answer;
        uint8_t *data; /* the answer's body */
        uint64_t data_bytes;
};
void exchange_free(struct exchange *x); /* what it points to */

/* STATUS with the document TEXT; an error. */
void exchange_answer(struct exchange *x, int status, const char *text);
void exchange_refuse(struct exchange *x, int status, const char *code);
/* The parameter NAME of QUERY, decoded, into OUT; false, and OUT empty: it has none. */
bool exchange_parameter(const char *query, const char *name, char *out, size_t out_bytes);
