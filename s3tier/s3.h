/* SPDX-License-Identifier: Apache-2.0 */
/* Objects in one bucket under one prefix, at any S3 endpoint. Operations are asynchronous: the caller embeds
 * a struct s3_call, starts one operation on it, and its done() runs once when that has succeeded or failed
 * for good. In between the engine waits for its turn (budget.h), signs, sends, checks what came back, and
 * tries again what may be (retry.h). listing.h and multipart.h hold the other operations. Everything is on
 * the loop of the struct http.
 *
 * What is checked: an answer has the length that was asked for and announced, and the ETag that was expected;
 * what is sent carries Content-MD5, and a CRC where the endpoint checks one (probe.h), which it keeps of the
 * whole object: what is read whole is compared with it, or with its ETag. Ranged GETs carry no checksum in
 * S3: over plain http only what the caller knows of the bytes can find a flipped one (s3_get_args.crc32c). */
#pragma once

#include "base/metrics.h"
#include "s3tier/budget.h"
#include "s3tier/creds.h"
#include "s3tier/encode.h"
#include "s3tier/http.h"
#include "s3tier/retry.h"

/* --- what can go wrong: s3_error_name() has the words that users of FSx search for, where there is one */
enum s3_error {
        S3_OK,
        S3_ACCESS_DENIED,    /* 401, 403: keys, policies; also no keys at all */
        S3_OBJECT_NOT_FOUND, /* no such key, upload or version */
        S3_BUCKET_NOT_FOUND,
        S3_PRECONDITION_FAILED, /* If-Match or If-None-Match of a write: somebody else was there */
        S3_OBJECT_CHANGED,      /* a read: the object is not the one that was expected any more */
        S3_RANGE,               /* the range begins at or behind the object's end */
        S3_UNSUPPORTED_TIER,    /* archived: must be restored by other means first */
        S3_PATH_TOO_LONG,       /* key over 1,024 bytes, or too long with its prefix */
        S3_TOO_LARGE,           /* more than the store takes */
        S3_NOT_IMPLEMENTED,     /* 501, 405, or the probe has found so */
        S3_CHECKSUM,            /* bytes that did not survive, even when sent again */
        S3_BAD_ANSWER, /* not what S3 answers: wrong length, not XML, pages in disorder; even when asked again
                        */
        S3_SLOW_DOWN,  /* 503 until the deadline */
        S3_TIMED_OUT,
        S3_UNREACHABLE,
        S3_CLOCK_SKEW, /* the server's clock and ours differ, and its Date did not help */
        S3_ERROR,      /* any other code of the server: see code and message */
        S3_INTERNAL,   /* out of memory and the like */
        S3_ERRORS,
};
/* "S3AccessDenied" … */
const char *s3_error_name(enum s3_error error);

struct s3_result {
        enum s3_error error;
        int status; /* HTTP's, of the last answer; 0: none */
        unsigned attempts;
        char code[48];     /* S3's, "NoSuchKey"; "" when there was none */
        char message[200]; /* for people; one line */
        char request_id[64];
};

/* --- objects */
enum {
        S3_KEY_BYTES = 1024 + 1,
        S3_ETAG_BYTES = 136, /* without quotes */
        S3_UPLOAD_ID_BYTES = 512,
        S3_VERSION_BYTES = 128, /* a longer id is not told */
        S3_METADATA_BYTES = 4096,
};

/* User metadata: name and value, each with a NUL behind it, in the order of the answer; names without
 * "x-amz-meta-", in lower case. What else S3 keeps of an object's description stands there with a colon
 * before the header's name: ":content-type" (s3_is_description()). */
struct s3_metadata {
        uint16_t bytes;
        bool full; /* there was more: not to be written back */
        char text[S3_METADATA_BYTES];
};
/* Is NAME one of those headers? Without the colon. */
bool s3_is_description(const char *name);
/* The value, or NULL. */
const char *s3_metadata_get(const struct s3_metadata *m, const char *name);
/* Walk: *name = NULL first; false at the end. */
bool s3_metadata_next(const struct s3_metadata *m, const char **name, const char **value);
/* Append; false when it does not fit. Writes with this: at most 2 KiB of names and values go through AWS,
 * values of 256 bytes through Swift. Values of other than printable ASCII are the caller's to escape. */
bool s3_metadata_put(struct s3_metadata *m, const char *name, const char *value);

struct s3_object {
        char etag[S3_ETAG_BYTES];
        uint64_t size;
        uint64_t modified_ns;              /* Last-Modified: whole seconds */
        char version_id[S3_VERSION_BYTES]; /* "" unless the bucket keeps versions */
        char storage_class[32];
        char content_type[128];
        char checksum[16]; /* s3_conf.checksum's, in base64: PUT, parts, GET of the whole; "": not told */
        struct s3_metadata metadata; /* of HEAD and GET */
};

/* --- a bucket at an endpoint */
enum s3_checksum { S3_SUM_NONE, S3_SUM_CRC32C, S3_SUM_CRC64NVME };
struct s3;
struct s3_metrics;
struct s3_conf {
        const char *endpoint; /* "https://s3.eu-central-1.amazonaws.com", "http://127.0.0.1:7480"; no path */
        const char *bucket;
        const char *prefix; /* before every key: "" or "train/"; not escaped */
        const char *region; /* NULL: "us-east-1" */
        bool virtual_host;  /* BUCKET.ENDPOINT/KEY instead of ENDPOINT/BUCKET/KEY */
        bool sign_payload;  /* SHA-256 of each body in its signature, instead of UNSIGNED-PAYLOAD */
        /* what a probe has found */
        enum s3_checksum checksum; /* send it: it is kept and checked */
        bool bare_etags;    /* If-Match of writes wants no quotes (radosgw 16); also learnt from a 412 */
        bool etags_are_md5; /* of objects put whole; also learnt from the first that is */
        struct retry_policy retry; /* all 0: retry_default */
        struct budget_conf
                budget; /* in_flight 0: as many as HTTP has connections is the caller's to say; 16 */
        struct s3_metrics *metrics; /* NULL: none */
};
/* HTTP and CREDS must outlive it. NULL with *WHY a literal: the configuration is wrong. */
struct s3 *s3_new(struct http *http, struct creds_provider *creds, const struct s3_conf *conf,
                  const char **why);
void s3_free(struct s3 *s3); /* no call may be under way; NULL is fine */
struct budget *s3_budget(struct s3 *s3);
const struct s3_conf *s3_conf(const struct s3 *s3);
/* From what a probe has found. */
void s3_set_abilities(struct s3 *s3, enum s3_checksum checksum, bool bare_etags, bool etags_are_md5);

/* --- one call */
struct s3_call;
enum { S3_CALL_SPACE = 12 * 1024, S3_CALL_HEADERS = 48 };

enum s3_kind {
        S3_KIND_HEAD,
        S3_KIND_GET,
        S3_KIND_PUT,
        S3_KIND_DELETE,
        S3_KIND_COPY,
        S3_KIND_LIST,
        S3_KIND_MULTIPART, /* create, complete, abort, list */
        S3_KIND_PART,      /* upload part, upload part copy */
        S3_KIND_BUCKET,    /* of the bucket itself */
        S3_KINDS,
};
extern const char *const s3_kind_names[];

struct s3_call {
        /* set by the caller before it starts an operation; all else is set by the operation */
        enum s3_priority priority;
        uint32_t deadline_ms;           /* 0: the retry policy's */
        void (*done)(struct s3_call *); /* exactly once, never from inside the start; the call is the caller's
                                           again */

        /* the result, in done() */
        struct s3_result result;
        struct s3_object object; /* HEAD, GET: what was read; PUT, copies, parts, complete: etag and
                                    version_id of what was written */
        uint64_t received;       /* GET: bytes in the caller's memory */
        char upload_id[S3_UPLOAD_ID_BYTES]; /* of s3_upload_create() */

        /* private to s3tier/ (call.h) */
        struct s3 *s3;
        enum s3_kind kind;
        enum {
                S3_CALL_IDLE,
                S3_CALL_TURN,  /* waits for the budget */
                S3_CALL_CREDS, /* waits for keys */
                S3_CALL_HTTP,
                S3_CALL_PAUSE, /* before it is tried again */
                S3_CALL_ENDING,
        } state;
        struct http_call http;
        struct http_header headers[S3_CALL_HEADERS]; /* [0] is Host: signed here, sent by libcurl */
        unsigned header_count, fixed_headers;        /* fixed: those that every attempt has */
        char space[S3_CALL_SPACE];                   /* URL, header values */
        struct text text;                            /* what is free of it */
        char *fixed_text;
        struct slice path, query; /* in the URL */
        char payload_hash[65];
        uint64_t body_bytes, sent_ns;
        struct retry_policy policy;
        struct retry retry;
        struct budget_turn turn;
        struct creds_wait creds_wait;
        struct timer pause, deadline;
        struct task task;
        /* The answer is 2xx: is it right, too? Sets result.error; says whether asking again may help. */
        enum retry_class (*finish)(struct s3_call *);
        /* It failed with result.error: true if the call goes on nevertheless (as another request). */
        bool (*recover)(struct s3_call *);
        void *owned; /* malloc'd, as long as the call is under way: a body that was made here */
        /* what the request wants, and what the answer's headers say */
        char want_etag[S3_ETAG_BYTES];
        uint64_t want_first, want_bytes, announced, range_first, range_last, date_ns;
        uint32_t want_crc32c;
        /* of the body sent; "" if none. GET: of the last answer that did not fit its ETag */
        char md5_hex[33];
        char checksum[16]; /* of the body sent, in base64 */
        int if_match;      /* the header's index; 0: none */
        bool encrypted;    /* with keys of its own: its ETag is no MD5 */
        bool has_crc32c, has_announced, has_range, ranged, bare, maybe_done, renewed, same_is_fine;
};
/* In done(): an attempt had no answer, or one that does not tell: it may be carried out yet. */
static inline bool s3_may_come_late(const struct s3_call *call)
{
        return call->maybe_done;
}

/* Forget it: done() is not called. What was sent may be carried out nevertheless. A call that is not under
 * way is fine if it was zeroed or used. */
void s3_cancel(struct s3_call *call);

/* Keys are NUL-terminated, without the bucket's prefix, and not escaped; they and all that the arguments
 * point to live until done(), unless it says "copied". */

/* HEAD: object. */
void s3_head(struct s3 *s3, struct s3_call *call, const char *key);

struct s3_get_args {
        uint64_t offset, length; /* length 0: to the end. A range past the object's end is cut there */
        const char *etag; /* If-Match: S3_OBJECT_CHANGED when it is another one by now; NULL: any. Copied */
        const char *version; /* that version of it, also when there are newer ones or it was deleted; NULL:
                                the present one. Copied */
        const struct iovec *room; /* at least LENGTH bytes, or the whole object */
        int room_count;
        const uint32_t *crc32c; /* of the bytes asked for, where the caller knows; else NULL */
};
/* GET: object, received. */
void s3_get(struct s3 *s3, struct s3_call *call, const char *key, const struct s3_get_args *args);

struct s3_put_args {
        const struct iovec *body;
        int body_count;
        bool if_none_match;   /* only if there is no such object: S3_PRECONDITION_FAILED else */
        const char *if_match; /* only over this one (ETag without quotes); NULL: over any. Copied */
        bool same_is_fine; /* where a condition fails, but what is there has these bytes (by its ETag): S3_OK
                            */
        const struct s3_metadata *metadata;       /* NULL: none. Copied */
        const char *content_type, *storage_class; /* NULL: the store's own. Copied */
};
/* PUT: object.etag. A put that may have been carried out although its answer was lost is recognised by the
 * ETag and is a success. */
void s3_put(struct s3 *s3, struct s3_call *call, const char *key, const struct s3_put_args *args);

/* DELETE; a key that is not there is fine. ETAG: only that one (S3_PRECONDITION_FAILED else), where the store
 * heeds it (probe.h); or NULL. */
void s3_delete(struct s3 *s3, struct s3_call *call, const char *key, const char *etag);

/* CopyObject inside the bucket, at most 5 GiB: object.etag. SOURCE_ETAG: only if it is that one
 * (S3_OBJECT_CHANGED else), or NULL. METADATA: NULL keeps the source's. args->body is not used. */
void s3_copy(struct s3 *s3, struct s3_call *call, const char *source, const char *source_etag,
             const char *key, const struct s3_put_args *args);

/* Of the bucket: is it there, and may we? */
void s3_head_bucket(struct s3 *s3, struct s3_call *call);

/* Delete up to 1,000 in one request. */
struct s3_delete_many {
        struct s3_call call; /* call.done: OK when the request was answered; see failed */
        const char *const *keys;
        unsigned count;
        /* For each that was not deleted, before done(): code and message as S3's. */
        void (*failed)(struct s3_delete_many *, const char *key, const char *code, const char *message);
        /* private */
        struct iovec iov;
        char key[S3_KEY_BYTES], code[48], message[200];
};
void s3_delete_many(struct s3 *s3, struct s3_delete_many *d);

/* --- metrics, common to all buckets of a program */
enum { S3_STATUS_CLASSES = 6 }; /* none, 2xx, 3xx, 4xx, 5xx, 503 */
struct s3_metrics {
        struct metric requests[S3_KINDS][S3_STATUS_CLASSES];
        char labels[S3_KINDS][S3_STATUS_CLASSES][48];
        struct metric retries, received, sent, waited, in_flight;
        struct histogram seconds[S3_KINDS];
        char histogram_labels[S3_KINDS][24];
};
/* Zero it first; M keeps it. */
void s3_metrics_init(struct s3_metrics *s, struct metrics *m);
