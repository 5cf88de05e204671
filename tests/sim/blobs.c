/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/blobs_private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "s3tier/encode.h"

enum { PAGE = 3 /* entries of a listing */, TEXT = 64 * 1024 };
static const char bucket[] = "/bucket/", meta[] = "x-amz-meta-";

/* --- objects */

static void blob_free(struct blob *o)
{
        free(o->data);
        free(o);
}

/* Where KEY is, or would be. */
static uint32_t place_of(const struct blobs *b, const char *key)
{
        uint32_t i = 0;

        while (i < b->count && strcmp(b->list[i]->key, key) < 0)
                i++;
        return i;
}

static struct blob *find(const struct blobs *b, const char *key)
{
        uint32_t i = place_of(b, key);

        return i < b->count && strcmp(b->list[i]->key, key) == 0 ? b->list[i] : NULL;
}

const struct blob *blobs_find(const struct blobs *b, const char *key)
{
        return find(b, key);
}

/* What is at KEY is told of. */
static const struct blob *find_and_tell(struct blobs *b, const char *key)
{
        struct blob *o = find(b, key);

        if (o)
                o->told = true;
        return o;
}

/* Takes O's data. */
void blobs_make(struct blobs *b, const struct blob *o)
{
        struct blob *made = malloc(sizeof(*made));
        uint32_t i = place_of(b, o->key);

        CHECK(made != NULL && b->count < BLOBS_MAX);
        *made = *o;
        if (blobs_find(b, o->key)) {
                blob_free(b->list[i]);
        } else {
                memmove(&b->list[i + 1], &b->list[i], (b->count - i) * sizeof(struct blob *));
                b->count++;
        }
        b->list[i] = made;
        if (b->made)
                b->made(b->arg, made);
}

void blobs_delete(struct blobs *b, const char *key)
{
        uint32_t i = place_of(b, key);

        if (!blobs_find(b, key))
                return;
        blob_free(b->list[i]);
        b->count--;
        memmove(&b->list[i], &b->list[i + 1], (b->count - i) * sizeof(struct blob *));
}

void blobs_look_for_unseen(const struct blobs *b, const char *key)
{
        const struct blob *o = blobs_find(b, key);

        if (o && o->foreign && !o->told && o->size > 0 && b->unseen)
                b->unseen(b->arg_unseen, o);
}

uint8_t *blob_copy_of(const void *data, uint64_t size)
{
        uint8_t *copy = malloc(size + 1);

        CHECK(copy != NULL);
        memcpy(copy, data, size);
        return copy;
}

void blob_digest(const void *data, uint64_t size, uint8_t md5[MD5_BYTES])
{
        struct iovec whole = { (void *)(uintptr_t)data, size };

        md5_iov(&whole, 1, md5);
}

void blob_etag_of(const void *data, uint64_t size, char out[BLOB_ETAG])
{
        uint8_t md5[MD5_BYTES];

        blob_digest(data, size, md5);
        hex_of(md5, MD5_BYTES, out);
}

/* --- answers */

void blob_answer_etag(struct exchange *x, const char *etag)
{
        char text[BLOB_ETAG + 2];

        snprintf(text, sizeof(text), "\"%s\"", etag);
        lines_add(&x->answer, "ETag", text);
}

/* "WANTED" with quotes or without. */
static bool is_etag(const struct blob *o, const char *wanted)
{
        size_t length = strlen(o->etag);

        if (*wanted == '"')
                wanted++;
        return strncmp(wanted, o->etag, length) == 0 && (wanted[length] == '\0' || wanted[length] == '"');
}

/* May what is at KEY be written over? */
bool blobs_allow(const struct blobs *b, const struct exchange *x, const char *key)
{
        const struct blob *o = blobs_find(b, key);
        char etag[64];

        if (lines_get(&x->headers, "if-none-match", etag, sizeof(etag)) && o)
                return false;
        return !lines_get(&x->headers, "if-match", etag, sizeof(etag)) || (o && is_etag(o, etag));
}

void blob_take_metadata(const struct exchange *x, struct lines *to)
{
        char line[LINES_BYTES], *value;
        uint32_t at = 0;

        while (lines_next(&x->headers, &at, line, &value))
                if (strncasecmp(line, meta, sizeof(meta) - 1) == 0)
                        lines_add(to, line, value);
}

/* --- GET and HEAD of an object */

static void head_object(struct blobs *b, struct exchange *x, const char *key)
{
        const struct blob *o = find_and_tell(b, key);
        char text[LINES_BYTES], *value;
        uint32_t at = 0;

        if (!o) {
                exchange_refuse(x, 404, "NoSuchKey");
                return;
        }
        x->status = 200;
        blob_answer_etag(x, o->etag);
        snprintf(text, sizeof(text), "%" PRIu64, o->size);
        lines_add(&x->answer, "Content-Length", text);
        while (lines_next(&o->metadata, &at, text, &value))
                lines_add(&x->answer, text, value);
}

/* Data servers ask for ranges. */
static void get_object(struct blobs *b, struct exchange *x, const char *key)
{
        const struct blob *o = find_and_tell(b, key);
        uint64_t first, last;
        char text[96];

        if (!o) {
                exchange_refuse(x, 404, "NoSuchKey");
                return;
        }
        if (lines_get(&x->headers, "if-match", text, sizeof(text)) && !is_etag(o, text)) {
                exchange_refuse(x, 412, "PreconditionFailed");
                return;
        }
        CHECK(lines_get(&x->headers, "range", text, sizeof(text)) &&
              sscanf(text, "bytes=%" SCNu64 "-%" SCNu64, &first, &last) == 2);
        if (first >= o->size) {
                exchange_refuse(x, 416, "InvalidRange");
                return;
        }
        if (last >= o->size)
                last = o->size - 1;
        x->status = 206;
        blob_answer_etag(x, o->etag);
        snprintf(text, sizeof(text), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, first, last, o->size);
        lines_add(&x->answer, "Content-Range", text);
        x->data_bytes = last - first + 1;
        x->data = blob_copy_of(o->data + first, x->data_bytes);
        snprintf(text, sizeof(text), "%" PRIu64, x->data_bytes);
        lines_add(&x->answer, "Content-Length", text);
}

/* --- PUT */

static void copy_object(struct blobs *b, struct exchange *x, const char *key, const char *source)
{
        const struct blob *from;
        struct blob o;
        char text[1024];
        int64_t length = url_decode(source, strlen(source), false, text);

        CHECK(length > 0 && length < (int64_t)sizeof(text));
        text[length] = '\0';
        from = blobs_find(b, text + (*text == '/' ? sizeof(bucket) - 1 : sizeof(bucket) - 2));
        if (!from) {
                exchange_refuse(x, 404, "NoSuchKey");
                return;
        }
        if (!blobs_allow(b, x, key) ||
            (lines_get(&x->headers, "x-amz-copy-source-if-match", text, sizeof(text)) &&
             !is_etag(from, text))) {
                exchange_refuse(x, 412, "PreconditionFailed");
                return;
        }
        o = *from;
        o.foreign = false;
        o.data = blob_copy_of(from->data, from->size);
        snprintf(o.key, sizeof(o.key), "%s", key);
        blob_etag_of(o.data, o.size, o.etag);
        if (lines_get(&x->headers, "x-amz-metadata-directive", text, sizeof(text))) {
                o.metadata.length = 0;
                blob_take_metadata(x, &o.metadata);
        }
        blobs_make(b, &o);
        snprintf(text, sizeof(text), "<CopyObjectResult><ETag>\"%s\"</ETag></CopyObjectResult>", o.etag);
        exchange_answer(x, 200, text);
}

static void put_object(struct blobs *b, struct exchange *x, const char *key)
{
        struct blob o = { .size = x->body_bytes };
        char source[1024];

        if (lines_get(&x->headers, "x-amz-copy-source", source, sizeof(source))) {
                copy_object(b, x, key, source);
                return;
        }
        if (!blobs_allow(b, x, key)) {
                exchange_refuse(x, 412, "PreconditionFailed");
                return;
        }
        blobs_look_for_unseen(b, key);
        snprintf(o.key, sizeof(o.key), "%s", key);
        o.data = blob_copy_of(x->body, x->body_bytes);
        blob_etag_of(o.data, o.size, o.etag);
        blob_take_metadata(x, &o.metadata);
        blobs_make(b, &o);
        blob_answer_etag(x, o.etag);
        exchange_answer(x, 200, "");
}

/* --- somebody else */

void blobs_put(struct blobs *b, const char *key, uint8_t *data, uint64_t size, char ret_etag[BLOB_ETAG])
{
        struct blob o = { .data = data, .size = size, .foreign = true };

        snprintf(o.key, sizeof(o.key), "%s", key);
        blob_etag_of(data, size, o.etag);
        memcpy(ret_etag, o.etag, BLOB_ETAG);
        blobs_make(b, &o);
}

/* --- listings */

static void add(char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(char *text, const char *format, ...)
{
        size_t length = strlen(text);
        va_list args;

        va_start(args, format);
        CHECK(vsnprintf(text + length, TEXT - length, format, args) < (int)(TEXT - length));
        va_end(args);
}

static const char *escaped(const char *key)
{
        static char out[3 * BLOB_KEY + 1];
        struct text text = text_of(out, sizeof(out));

        text_add_escaped(&text, key, true);
        text_end(&text);
        return out;
}

/* KEY up to and with the first slash behind PREFIX, into OUT; false: it has none. */
static bool common_prefix(const char *key, const char *prefix, char out[BLOB_KEY])
{
        const char *slash = strchr(key + strlen(prefix), '/');

        if (slash)
                snprintf(out, BLOB_KEY, "%.*s", (int)(slash + 1 - key), key);
        return slash != NULL;
}

/* What comes behind AFTER, with "/" as the delimiter if there is one. */
static void list(const struct blobs *b, struct exchange *x, const char *prefix, const char *after,
                 bool delimited)
{
        static char text[TEXT];
        char last[BLOB_KEY], common[BLOB_KEY];
        uint32_t i, entries = 0;

        snprintf(last, sizeof(last), "%s", after);
        snprintf(text, sizeof(text), "<ListBucketResult><EncodingType>url</EncodingType>");
        for (i = 0; i < b->count && entries < PAGE; i++) {
                struct blob *o = b->list[i];
                bool in = delimited && strncmp(o->key, prefix, strlen(prefix)) == 0 &&
                          common_prefix(o->key, prefix, common);

                if (strncmp(o->key, prefix, strlen(prefix)) != 0 || strcmp(o->key, last) <= 0 ||
                    (in && strcmp(common, last) <= 0))
                        continue;
                if (in)
                        add(text, "<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>", escaped(common));
                else
                        add(text,
                            "<Contents><Key>%s</Key><LastModified>2023-11-14T22:13:20.000Z</LastModified>"
                            "<ETag>\"%s\"</ETag><Size>%" PRIu64 "</Size></Contents>",
                            escaped(o->key), o->etag, o->size);
                snprintf(last, sizeof(last), "%s", in ? common : o->key);
                o->told = true;
                entries++;
        }
        add(text, "<KeyCount>%u</KeyCount><IsTruncated>%s</IsTruncated>", entries,
            i < b->count ? "true" : "false");
        if (i < b->count)
                add(text, "<NextContinuationToken>%s</NextContinuationToken>", last);
        add(text, "</ListBucketResult>");
        exchange_answer(x, 200, text);
}

/* --- requests */

static void serve_list(struct blobs *b, struct exchange *x, const char *query)
{
        char prefix[BLOB_KEY], after[BLOB_KEY], delimiter[BLOB_KEY];

        exchange_parameter(query, "prefix", prefix, BLOB_KEY);
        if (!exchange_parameter(query, "continuation-token", after, BLOB_KEY))
                exchange_parameter(query, "start-after", after, BLOB_KEY);
        list(b, x, prefix, after, exchange_parameter(query, "delimiter", delimiter, BLOB_KEY));
}

void blobs_serve(struct blobs *b, struct exchange *x)
{
        const char *path = strchr(x->url + strlen("http://"), '/'), *query = strchrnul(path, '?');
        char key[BLOB_KEY] = "";

        CHECK(strncmp(path, bucket, sizeof(bucket) - 2) == 0);
        if (query > path + sizeof(bucket) - 1) {
                path += sizeof(bucket) - 1;
                CHECK(query - path < BLOB_KEY);
                key[url_decode(path, (size_t)(query - path), false, key)] = '\0';
        }
        if (x->method == HTTP_GET && !key[0])
                serve_list(b, x, query + 1);
        else if (*query)
                blobs_serve_upload(b, x, key, query + 1);
        else if (x->method == HTTP_GET)
                get_object(b, x, key);
        else if (x->method == HTTP_HEAD)
                head_object(b, x, key);
        else if (x->method == HTTP_PUT)
                put_object(b, x, key);
        else if (x->method == HTTP_DELETE) {
                blobs_delete(b, key);
                exchange_answer(x, 204, "");
        } else
                exchange_refuse(x, 501, "NotImplemented");
}

void blobs_free(struct blobs *b)
{
        while (b->count > 0)
                blob_free(b->list[--b->count]);
        blobs_free_uploads(b);
}
