/* SPDX-License-Identifier: Apache-2.0 */
/* From HTTP and S3 to one enum, and to what may be tried again. Codes: "Error responses" of the S3 API
 * reference. */
#include <stdio.h>

#include "s3tier/call.h"
#include "s3tier/xml.h"

const char *s3_error_name(enum s3_error error)
{
        static const char *const names[S3_ERRORS] = {
                [S3_OK] = "OK",
                [S3_ACCESS_DENIED] = "S3AccessDenied",
                [S3_OBJECT_NOT_FOUND] = "S3ObjectNotFound",
                [S3_BUCKET_NOT_FOUND] = "S3BucketNotFound",
                [S3_PRECONDITION_FAILED] = "S3PreconditionFailed",
                [S3_OBJECT_CHANGED] = "S3ObjectChanged",
                [S3_RANGE] = "S3InvalidRange",
                [S3_UNSUPPORTED_TIER] = "S3ObjectInUnsupportedTier",
                [S3_PATH_TOO_LONG] = "PathSizeTooLong",
                [S3_TOO_LARGE] = "FileSizeTooLarge",
                [S3_NOT_IMPLEMENTED] = "S3NotImplemented",
                [S3_CHECKSUM] = "S3ChecksumMismatch",
                [S3_BAD_ANSWER] = "S3BadAnswer",
                [S3_SLOW_DOWN] = "S3SlowDown",
                [S3_TIMED_OUT] = "S3TimedOut",
                [S3_UNREACHABLE] = "S3Unreachable",
                [S3_CLOCK_SKEW] = "S3ClockSkew",
                [S3_ERROR] = "S3Error",
                [S3_INTERNAL] = "InternalError",
        };

        return (unsigned)error < S3_ERRORS ? names[error] : "InternalError";
}

struct verdict {
        enum s3_error error;
        enum retry_class class;
};

static const struct {
        const char *code;
        struct verdict verdict;
} by_code[] = {
        { "AccessDenied", { S3_ACCESS_DENIED, RETRY_NEVER } },
        { "AccountProblem", { S3_ACCESS_DENIED, RETRY_NEVER } },
        { "AllAccessDisabled", { S3_ACCESS_DENIED, RETRY_NEVER } },
        { "AuthorizationHeaderMalformed", { S3_ACCESS_DENIED, RETRY_NEVER } },
        { "ExpiredToken", { S3_ACCESS_DENIED, RETRY_NEVER } },
        { "InvalidAccessKeyId", { S3_ACCESS_DENIED, RETRY_NEVER } },
        { "InvalidToken", { S3_ACCESS_DENIED, RETRY_NEVER } },
        { "SignatureDoesNotMatch", { S3_ACCESS_DENIED, RETRY_NEVER } },
        { "NoSuchKey", { S3_OBJECT_NOT_FOUND, RETRY_NEVER } },
        { "NoSuchUpload", { S3_OBJECT_NOT_FOUND, RETRY_NEVER } },
        { "NoSuchVersion", { S3_OBJECT_NOT_FOUND, RETRY_NEVER } },
        { "NoSuchBucket", { S3_BUCKET_NOT_FOUND, RETRY_NEVER } },
        { "PreconditionFailed", { S3_PRECONDITION_FAILED, RETRY_NEVER } },
        { "InvalidRange", { S3_RANGE, RETRY_NEVER } },
        { "InvalidObjectState", { S3_UNSUPPORTED_TIER, RETRY_NEVER } },
        { "KeyTooLongError", { S3_PATH_TOO_LONG, RETRY_NEVER } },
        { "EntityTooLarge", { S3_TOO_LARGE, RETRY_NEVER } },
        { "MethodNotAllowed", { S3_NOT_IMPLEMENTED, RETRY_NEVER } },
        { "NotImplemented", { S3_NOT_IMPLEMENTED, RETRY_NEVER } },
        { "RequestTimeTooSkewed", { S3_CLOCK_SKEW, RETRY_NEVER } },
        { "BadDigest", { S3_CHECKSUM, RETRY_LATER } },
        { "InvalidDigest", { S3_CHECKSUM, RETRY_LATER } },
        { "XAmzContentChecksumMismatch", { S3_CHECKSUM, RETRY_LATER } },
        { "XAmzContentSHA256Mismatch", { S3_CHECKSUM, RETRY_LATER } },
        { "IncompleteBody", { S3_UNREACHABLE, RETRY_LATER } },
        { "RequestTimeout", { S3_TIMED_OUT, RETRY_LATER } },
        { "ConditionalRequestConflict", { S3_ERROR, RETRY_LATER } },
        { "OperationAborted", { S3_ERROR, RETRY_LATER } },
        { "InternalError", { S3_ERROR, RETRY_LATER } },
        { "BandwidthLimitExceeded", { S3_SLOW_DOWN, RETRY_SLOW_DOWN } },
        { "RequestLimitExceeded", { S3_SLOW_DOWN, RETRY_SLOW_DOWN } },
        { "ServiceUnavailable", { S3_SLOW_DOWN, RETRY_SLOW_DOWN } },
        { "SlowDown", { S3_SLOW_DOWN, RETRY_SLOW_DOWN } },
        { "Throttling", { S3_SLOW_DOWN, RETRY_SLOW_DOWN } },
        { "TooManyRequests", { S3_SLOW_DOWN, RETRY_SLOW_DOWN } },
};

/* For answers without a document (HEAD, proxies), and codes that nobody has heard of. */
static struct verdict by_status(enum s3_kind kind, int status)
{
        switch (status) {
        case 401:
        case 403: return (struct verdict){ S3_ACCESS_DENIED, RETRY_NEVER };
        case 404:
                return (struct verdict){ kind == S3_KIND_BUCKET || kind == S3_KIND_LIST ? S3_BUCKET_NOT_FOUND
                                                                                        : S3_OBJECT_NOT_FOUND,
                                         RETRY_NEVER };
        case 405:
        case 501: return (struct verdict){ S3_NOT_IMPLEMENTED, RETRY_NEVER };
        case 408: return (struct verdict){ S3_TIMED_OUT, RETRY_LATER };
        case 412: return (struct verdict){ S3_PRECONDITION_FAILED, RETRY_NEVER };
        case 413: return (struct verdict){ S3_TOO_LARGE, RETRY_NEVER };
        case 416: return (struct verdict){ S3_RANGE, RETRY_NEVER };
        case 429:
        case 503: return (struct verdict){ S3_SLOW_DOWN, RETRY_SLOW_DOWN };
        default: return (struct verdict){ S3_ERROR, status >= 500 ? RETRY_LATER : RETRY_NEVER };
        }
}

/* --- the error document */

/* TEXT as one line for people, cut. */
static void put_line(char *out, size_t out_bytes, const char *text)
{
        size_t i;

        for (i = 0; text[i] && i + 1 < out_bytes; i++)
                out[i] = (unsigned char)text[i] < ' ' ? ' ' : text[i];
        out[i] = '\0';
}

static bool on_error_element(void *arg, const char *path, const char *text, size_t length)
{
        struct s3_result *r = arg;

        (void)length;
        if (strcmp(path, "Error/Code") == 0)
                put_line(r->code, sizeof(r->code), text);
        else if (strcmp(path, "Error/Message") == 0)
                put_line(r->message, sizeof(r->message), text);
        else if (strcmp(path, "Error/RequestId") == 0)
                put_line(r->request_id, sizeof(r->request_id), text);
        else if (strcmp(path, "Error/Region") == 0)
                snprintf(r->message, sizeof(r->message), "the bucket's region is %.40s", text);
        return true;
}

enum retry_class s3_fail(struct s3_call *call, enum s3_error error, enum retry_class class,
                         const char *message)
{
        call->result.error = error;
        put_line(call->result.message, sizeof(call->result.message), message);
        return class;
}

enum retry_class s3_judge_error(struct s3_call *call)
{
        struct s3_result *r = &call->result;
        struct verdict v = by_status(call->kind, r->status);

        r->code[0] = r->message[0] = '\0';
        if (call->http.text.length > 0)
                xml_read(call->http.text.data, call->http.text.length, on_error_element, r);
        for (size_t i = 0; i < sizeof(by_code) / sizeof(*by_code); i++)
                if (strcmp(r->code, by_code[i].code) == 0)
                        v = by_code[i].verdict;
        if (r->message[0] == '\0')
                snprintf(r->message, sizeof(r->message), "HTTP status %d", r->status);
        if (v.error == S3_PRECONDITION_FAILED && call->want_etag[0])
                v.error = S3_OBJECT_CHANGED;
        r->error = v.error;
        return v.class;
}

/* --- other documents */

struct document {
        struct s3_call *call;
        const char *root;
        size_t root_length;
        bool is_error, is_other;
        bool (*element)(struct s3_call *, const char *path, const char *text, size_t length);
};

static bool on_element(void *arg, const char *path, const char *text, size_t length)
{
        struct document *d = arg;

        if (strncmp(path, d->root, d->root_length) == 0 &&
            (path[d->root_length] == '/' || !path[d->root_length]))
                return !d->element || d->element(d->call, path, text, length);
        if (strcmp(path, "Error") == 0)
                d->is_error = true;
        else if (strncmp(path, "Error/", 6) != 0)
                d->is_other = true;
        return true;
}

bool s3_read_answer(struct s3_call *call, const char *root,
                    bool (*element)(struct s3_call *, const char *path, const char *text, size_t length),
                    enum retry_class *ret)
{
        struct document d = { call, root, strlen(root), false, false, element };
        bool good = call->http.text.length > 0 &&
                    xml_read(call->http.text.data, call->http.text.length, on_element, &d);

        if (good && d.is_error) {
                *ret = s3_judge_error(call);
                if (*ret == RETRY_NEVER && call->result.error == S3_ERROR)
                        *ret = RETRY_LATER; /* it began well: "200 OK" */
                return false;
        }
        if (!good || d.is_other) {
                char message[80];

                snprintf(message, sizeof(message), "the answer is not a whole %s", root);
                *ret = s3_fail(call, S3_BAD_ANSWER, RETRY_LATER, message);
                return false;
        }
        return true;
}

const char *s3_take_key(const struct s3 *s3, const char *text, size_t length, char out[S3_KEY_BYTES])
{
        size_t prefix = strlen(s3->conf.prefix);
        char key[3 * S3_KEY_BYTES + 1];
        int64_t bytes;

        if (length >= sizeof(key))
                return "a key is longer than keys can be";
        bytes = url_decode(text, length, true, key);
        if (bytes < 0 || memchr(key, '\0', (size_t)bytes))
                return "a key is escaped wrongly";
        key[bytes] = '\0';
        if (bytes >= S3_KEY_BYTES || strncmp(key, s3->conf.prefix, prefix) != 0)
                return "a key is not one that was asked for";
        text_cut(out, S3_KEY_BYTES, key + prefix, (size_t)bytes - prefix);
        return NULL;
}

void s3_copy_etag(const char *text, size_t length, char out[S3_ETAG_BYTES])
{
        if (length >= 2 && text[0] == 'W' && text[1] == '/')
                text += 2, length -= 2;
        if (length >= 2 && text[0] == '"' && text[length - 1] == '"')
                text++, length -= 2;
        text_cut(out, S3_ETAG_BYTES, text, length);
}

bool s3_is_md5(const char *etag)
{
        return strlen(etag) == 32 && strspn(etag, "0123456789abcdef") == 32;
}
