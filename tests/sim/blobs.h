/* SPDX-License-Identifier: Apache-2.0 */
/* What the simulated object store holds, and what it answers to a request: objects and uploads of one bucket,
 * with listings, copies, ranges and conditions, in no time. Requests are carried here by s3.h. What a real
 * store answers is tested with real ones (tests/s3). */
#pragma once

#include "tests/sim/exchange.h"

enum {
        BLOBS_MAX = 256,
        BLOB_UPLOADS = 1024, /* also those that nobody knows of any more: their creation had no answer */
        BLOB_KEY = 256,
        BLOB_ETAG = 48,
        BLOB_PARTS = 8,
};

struct blob {
        char key[BLOB_KEY], etag[BLOB_ETAG]; /* the key is without the bucket's name */
        uint8_t *data;
        uint64_t size;
        struct lines metadata; /* x-amz-meta-… */
        bool foreign, told;    /* not made by a request; told of in an answer */
};

struct blob_part {
        uint8_t *data; /* NULL: it is not there */
        uint64_t size;
        char etag[BLOB_ETAG];
};
struct blob_upload {
        uint32_t id; /* 0: free */
        struct blob target;
        struct blob_part parts[BLOB_PARTS]; /* by number, from 1 on */
};

struct blobs {
        struct blob *list[BLOBS_MAX]; /* by key */
        uint32_t count;
        struct blob_upload uploads[BLOB_UPLOADS];
        uint32_t next_upload;
        void (*made)(void *arg, const struct blob *o); /* an object has come; may be NULL */
        void *arg;
        void (*unseen)(void *arg, const struct blob *o); /* a foreign one goes untold; may be NULL */
        void *arg_unseen;
};
void blobs_free(struct blobs *b);
const struct blob *blobs_find(const struct blobs *b, const char *key);
/* An upload with a part; NULL: there is none. */
const struct blob_upload *blobs_unfinished(const struct blobs *b);
void blobs_serve(struct blobs *b, struct exchange *x);
/* By somebody else, who asks for no leave. Takes DATA. */
void blobs_put(struct blobs *b, const char *key, uint8_t *data, uint64_t size, char ret_etag[BLOB_ETAG]);
void blobs_delete(struct blobs *b, const char *key);
