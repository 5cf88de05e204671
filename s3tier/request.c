/* SPDX-License-Identifier: Apache-2.0 */
/* Building requests: URL and header values go into the call's space, one behind the other. */
#include <stdio.h>

#include "base/check.h"
#include "base/digest.h"
#include "s3tier/call.h"
#include "s3tier/pieces.h"

static const char payload_any[] = SIGN_UNSIGNED_PAYLOAD, payload_none[] = SIGN_EMPTY_PAYLOAD;

/* Forget what an earlier use left behind; what the caller set stays. */
static void reset(struct s3 *s3, struct s3_call *call, enum s3_kind kind, enum http_method method)
{
        CHECK(call->done != NULL);
        call->s3 = s3;
        call->kind = kind;
        call->result = (struct s3_result){ .error = S3_OK };
        call->http = (struct http_call){ .method = method };
        call->text = text_of(call->space, sizeof(call->space));
        call->query = slice_of(NULL, 0);
        call->upload_id[0] = call->want_etag[0] = call->md5_hex[0] = call->checksum[0] = '\0';
        call->owned = NULL;
        call->finish = NULL;
        call->recover = NULL;
        call->body_bytes = call->want_first = call->want_bytes = 0;
        call->if_match = 0;
        call->has_crc32c = call->ranged = call->bare = call->maybe_done = call->renewed = false;
        call->same_is_fine = false;
        call->headers[0] = (struct http_header){ "host", s3->host };
        call->header_count = 1;
        strcpy(call->payload_hash, payload_none);
}

void s3_begin(struct s3 *s3, struct s3_call *call, enum s3_kind kind, enum http_method method,
              const char *key)
{
        const char *path;

        reset(s3, call, kind, method);
        text_add(&call->text, s3->origin);
        path = call->text.at;
        text_add(&call->text, s3->path);
        if (key) {
                if (strlen(s3->conf.prefix) + strlen(key) >= S3_KEY_BYTES ||
                    strlen(s3->conf.prefix) + strlen(key) == 0)
                        call->text.full = true;
                text_add_escaped(&call->text, s3->conf.prefix, true);
                text_add_escaped(&call->text, key, true);
        }
        call->path = slice_of(path, (uint32_t)(call->text.at - path));
        call->http.url = call->space;
}

void s3_query(struct s3_call *call, const char *name, const char *value)
{
        CHECK(call->header_count == 1);
        text_add(&call->text, call->query.data ? "&" : "?");
        if (!call->query.data)
                call->query.data = (const uint8_t *)call->text.at;
        text_add_escaped(&call->text, name, false);
        text_add(&call->text, "=");
        text_add_escaped(&call->text, value, false);
        call->query.length = (uint32_t)((const uint8_t *)call->text.at - call->query.data);
}

void s3_query_u64(struct s3_call *call, const char *name, uint64_t value)
{
        char digits[24];

        snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
        s3_query(call, name, digits);
}

/* What was appended since the last NUL is a string now. */
static void end_string(struct s3_call *call)
{
        text_put(&call->text, "", 1);
}

/* The value was appended from VALUE on. */
static void push_header(struct s3_call *call, const char *name, const char *value)
{
        end_string(call);
        if (call->header_count == S3_CALL_HEADERS)
                call->text.full = true;
        if (!call->text.full)
                call->headers[call->header_count++] = (struct http_header){ name, value };
}

/* Where the next header's value begins. The first ends the URL. */
static const char *begin_value(struct s3_call *call)
{
        if (call->header_count == 1)
                end_string(call);
        return call->text.at;
}

void s3_header(struct s3_call *call, const char *name, const char *value)
{
        const char *at = begin_value(call);

        if (strpbrk(value, "\r\n"))
                call->text.full = true;
        text_add(&call->text, value);
        push_header(call, name, at);
}

static void push_quoted(struct s3_call *call, const char *name, const char *etag)
{
        const char *at = begin_value(call);

        text_add(&call->text, "\"");
        text_add(&call->text, etag);
        text_add(&call->text, "\"");
        push_header(call, name, at);
}

void s3_header_if_match(struct s3_call *call, const char *etag)
{
        call->bare = call->s3->conf.bare_etags;
        if (call->bare)
                s3_header(call, "if-match", etag);
        else
                push_quoted(call, "if-match", etag);
        call->if_match = (int)call->header_count - 1;
}

void s3_header_source(struct s3_call *call, const char *key, const char *etag)
{
        const char *at = begin_value(call);

        if (strlen(call->s3->conf.prefix) + strlen(key) >= S3_KEY_BYTES)
                call->text.full = true;
        text_add(&call->text, "/");
        text_add_escaped(&call->text, call->s3->conf.bucket, false);
        text_add(&call->text, "/");
        text_add_escaped(&call->text, call->s3->conf.prefix, true);
        text_add_escaped(&call->text, key, true);
        push_header(call, "x-amz-copy-source", at);
        if (etag) {
                push_quoted(call, "x-amz-copy-source-if-match", etag);
                snprintf(call->want_etag, sizeof(call->want_etag), "%s", etag);
        }
}

static void push_metadata(struct s3_call *call, const char *name, const char *value)
{
        const char *at = begin_value(call);

        if (name[0] == ':') {
                name++;
        } else {
                text_add(&call->text, "x-amz-meta-");
        }
        text_add(&call->text, name);
        end_string(call);
        s3_header(call, at, value);
}

void s3_header_describe(struct s3_call *call, const struct s3_put_args *args)
{
        const char *name = NULL, *value;

        if (args->content_type)
                s3_header(call, "content-type", args->content_type);
        if (args->storage_class)
                s3_header(call, "x-amz-storage-class", args->storage_class);
        while (args->metadata && s3_metadata_next(args->metadata, &name, &value))
                push_metadata(call, name, value);
}

/* --- bodies and their digests */

static const struct {
        const char *algorithm, *header;
} sums[] = { [S3_SUM_CRC32C] = { "CRC32C", "x-amz-checksum-crc32c" },
             [S3_SUM_CRC64NVME] = { "CRC64NVME", "x-amz-checksum-crc64nvme" } };

const char *s3_sum_algorithm(enum s3_checksum checksum)
{
        return sums[checksum].algorithm;
}

const char *s3_sum_header(enum s3_checksum checksum)
{
        return sums[checksum].header;
}

void s3_sum(enum s3_checksum checksum, const struct iovec *body, int count, char out[16])
{
        uint64_t sum = checksum == S3_SUM_CRC32C ? crc32c_iov(body, count) : crc64nvme_iov(body, count);
        size_t length = checksum == S3_SUM_CRC32C ? 4 : 8;
        uint8_t bytes[8];

        for (size_t i = 0; i < length; i++)
                bytes[i] = (uint8_t)(sum >> 8 * (length - 1 - i));
        base64_of(bytes, length, out);
}

void s3_body(struct s3_call *call, const struct iovec *body, int count)
{
        enum s3_checksum checksum = call->s3->conf.checksum;
        uint8_t digest[SHA256_BYTES];
        char text[64];

        call->http.body = body;
        call->http.body_count = count;
        call->body_bytes = pieces_bytes(body, count);
        md5_iov(body, count, digest);
        hex_of(digest, MD5_BYTES, call->md5_hex);
        s3_header(call, "content-md5", base64_of(digest, MD5_BYTES, text));
        if (checksum != S3_SUM_NONE && (call->kind == S3_KIND_PUT || call->kind == S3_KIND_PART)) {
                s3_sum(checksum, body, count, call->checksum);
                s3_header(call, "x-amz-sdk-checksum-algorithm", s3_sum_algorithm(checksum)); /* radosgw 20 */
                s3_header(call, s3_sum_header(checksum), call->checksum);
        }
        if (!call->s3->conf.sign_payload) {
                strcpy(call->payload_hash, payload_any);
                return;
        }
        sha256_iov(body, count, digest);
        hex_of(digest, SHA256_BYTES, call->payload_hash);
}
