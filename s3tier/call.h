/* SPDX-License-Identifier: Apache-2.0 */
/* What the operations share: building a request, and the engine that carries it out. Inside s3tier/ only. */
#pragma once

#include "s3tier/s3.h"
#include "s3tier/sign.h"

struct s3 {
        struct http *http;
        struct creds_provider *creds;
        struct s3_conf conf; /* its strings stand behind the struct */
        struct budget budget;
        struct sign_key key;
        /* What was read or written whole had the ETag that its bytes' MD5 is; how often it had not, and the
         * store is to be believed (object.c). */
        bool etags_fit;
        uint32_t etags_differ;
        bool quoted_etags;  /* If-Match of a write was taken with its quotes */
        bool plain_deletes; /* a DELETE with a condition is not implemented */
        int64_t skew_ns;    /* the server's clock minus ours, once it has complained */
        const char *origin; /* "http://HOST[:PORT]" as in the URL */
        const char *host;   /* HOST[:PORT] as in the header */
        const char *path;   /* before the key, escaped: "/BUCKET/" or "/" */
        uint32_t in_flight;
        uint64_t told_waited_ns; /* of budget.waited_ns, in the metrics */
};

enum { S3_ETAGS_DIFFER = 8 /* none has fitted: they are something else here */ };

/* --- building; what does not fit makes s3_start() fail with S3_PATH_TOO_LONG */

/* Begin: KEY is put behind the bucket's prefix; NULL: the request is of the bucket itself. */
void s3_begin(struct s3 *s3, struct s3_call *call, enum s3_kind kind, enum http_method method,
              const char *key);
/* In the order of names; all before the first header. */
void s3_query(struct s3_call *call, const char *name, const char *value);
void s3_query_u64(struct s3_call *call, const char *name, uint64_t value);
/* NAME is a literal; VALUE is copied. */
void s3_header(struct s3_call *call, const char *name, const char *value);
/* VALUE is quoted; a bare one where the store wants it: for conditions of writes. */
void s3_header_if_match(struct s3_call *call, const char *etag);
/* x-amz-copy-source (and its If-Match, when there is an ETag) */
void s3_header_source(struct s3_call *call, const char *key, const char *etag);
/* The metadata, content type, storage class. */
void s3_header_describe(struct s3_call *call, const struct s3_put_args *args);
/* The body, with its digests. */
void s3_body(struct s3_call *call, const struct iovec *body, int count);
/* The names of CHECKSUM, which is one. */
const char *s3_sum_algorithm(enum s3_checksum checksum);
const char *s3_sum_header(enum s3_checksum checksum);
/* In base64. */
void s3_sum(enum s3_checksum checksum, const struct iovec *body, int count, char out[16]);
/* A put without digests, whose headers are still to come (for the probe). */
void s3_put_raw(struct s3_call *call, const struct iovec *body, int count);
/* Carry it out; the answer's body is kept in http.text up to TEXT_LIMIT bytes, if it has no room. */
void s3_start(struct s3_call *call, uint32_t text_limit);
/* The same for what deletes: who finds nothing has done it. */
void s3_start_delete(struct s3_call *call);
/* finish() of what stores bytes: there is an ETag, and the sum is the one that was sent. */
enum retry_class s3_put_finish(struct s3_call *call);
/* From recover() only: the same request line from the start, as a HEAD without conditions or body. */
void s3_again_as_head(struct s3_call *call, enum retry_class (*finish)(struct s3_call *));

/* --- answers */
enum { S3_SMALL_ANSWER = 64 * 1024 };

/* For finish(): set the error, with a message for people. */
enum retry_class s3_fail(struct s3_call *call, enum s3_error error, enum retry_class class,
                         const char *message);
/* The answer is an error document: its code and what that means; S3_BAD_ANSWER when it is none. */
enum retry_class s3_judge_error(struct s3_call *call);
/* Read http.text; elements go to ELEMENT with CALL; NULL: is it whole? False: s3_fail() was called, *RET is
 * what it returned (an error document in a 200 is one that the server means). */
bool s3_read_answer(struct s3_call *call, const char *root,
                    bool (*element)(struct s3_call *, const char *path, const char *text, size_t length),
                    enum retry_class *ret);
/* A key, or the start of some, escaped as in a URL; without the bucket's prefix into OUT. NULL, or what is
 * wrong with it. */
const char *s3_take_key(const struct s3 *s3, const char *text, size_t length, char out[S3_KEY_BYTES]);
/* ETag without its quotes into OUT. */
void s3_copy_etag(const char *text, size_t length, char out[S3_ETAG_BYTES]);
bool s3_is_md5(const char *etag);
