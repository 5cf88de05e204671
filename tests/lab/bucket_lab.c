/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/bucket_lab.h"

#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "base/check.h"
#include "s3tier/s3.h"
#include "tests/lab/bucket_private.h"
#include "tests/lab/http_lab.h"

enum { PATH_SKIP = sizeof("/bucket/") - 1 };

/* --- what is there */

struct bucket_object *bucket_find(struct bucket_lab *b, const char *key)
{
        for (unsigned i = 0; i < b->count; i++)
                if (strcmp(b->objects[i].key, key) == 0)
                        return &b->objects[i];
        return NULL;
}

const char *bucket_metadata(const struct bucket_object *o, const char *name)
{
        for (unsigned i = 0; i < o->metadata_count; i++)
                if (strcmp(o->metadata[i].name, name) == 0)
                        return o->metadata[i].value;
        return NULL;
}

void bucket_store(struct bucket_lab *b, const struct bucket_object *object)
{
        struct bucket_object *o = bucket_find(b, object->key);

        CHECK(o || b->count < BUCKET_OBJECTS);
        if (!o)
                o = &b->objects[b->count++];
        *o = *object;
        o->modified_ns = b->keeps_time ? env_wall(b->env) : 0;
        snprintf(o->etag, sizeof(o->etag), "etag%llu", (unsigned long long)++b->etags);
}

void bucket_put(struct bucket_lab *b, const char *key, const char *body)
{
        struct bucket_object o = { .size = strlen(body) };

        snprintf(o.key, sizeof(o.key), "%s", key);
        snprintf(o.body, sizeof(o.body), "%s", body);
        bucket_store(b, &o);
}

void bucket_remove(struct bucket_lab *b, const char *key)
{
        struct bucket_object *o = bucket_find(b, key);

        if (o)
                *o = b->objects[--b->count];
}

void bucket_describe(struct bucket_object *o, const char *name, const char *value)
{
        CHECK(o->metadata_count < BUCKET_METADATA);
        snprintf(o->metadata[o->metadata_count].name, sizeof(o->metadata[0].name), "%s", name);
        snprintf(o->metadata[o->metadata_count++].value, sizeof(o->metadata[0].value), "%s", value);
}

/* --- requests and answers */

const char *bucket_header(const struct http_call *call, const char *name)
{
        for (unsigned i = 0; i < call->header_count; i++)
                if (strcasecmp(call->headers[i].name, name) == 0)
                        return call->headers[i].value;
        return NULL;
}

static void tell(struct http_call *call, const char *name, const char *value)
{
        if (call->header)
                call->header(call, slice_str(name), slice_str(value));
}

void bucket_answer(struct http_call *call, int status, const char *text)
{
        char length[24];

        call->status = status;
        snprintf(length, sizeof(length), "%zu", strlen(text));
        tell(call, "Content-Length", length);
        if (*text)
                http_text_append(&call->text, text, strlen(text));
        call->received = strlen(text);
}

void bucket_refuse(struct http_call *call, int status, const char *code)
{
        char text[256];

        snprintf(text, sizeof(text), "<Error><Code>%s</Code><Message>says the lab</Message></Error>", code);
        bucket_answer(call, status, call->method == HTTP_HEAD ? "" : text);
}

void bucket_version(const struct bucket_object *o, char out[64])
{
        snprintf(out, 64, "version-of-%s", o->etag);
}

/* What the headers of each answer about an object begin with. */
static void tell_etag(const struct bucket_lab *b, struct http_call *call, const struct bucket_object *o)
{
        char text[64];

        snprintf(text, sizeof(text), "\"%s\"", o->etag);
        tell(call, "ETag", text);
        bucket_version(o, text);
        tell(call, "x-amz-version-id", b->versions ? text : "null");
}

static void answer_etag(const struct bucket_lab *b, struct http_call *call, const struct bucket_object *o)
{
        tell_etag(b, call, o);
        bucket_answer(call, 200, "");
}

void bucket_take_headers(const struct http_call *call, struct bucket_object *o)
{
        static const char start[] = "x-amz-meta-";

        char text[64];

        for (unsigned i = 0; i < call->header_count; i++) {
                const char *name = call->headers[i].name;

                snprintf(text, sizeof(text), ":%s", name);
                if (s3_is_description(name))
                        bucket_describe(o, text, call->headers[i].value);
                else if (strncasecmp(name, start, sizeof(start) - 1) == 0)
                        bucket_describe(o, name + sizeof(start) - 1, call->headers[i].value);
        }
}

bool bucket_is_allowed(struct bucket_lab *b, const char *key, const char *if_none_match, const char *if_match)
{
        const struct bucket_object *o = bucket_find(b, key);
        char quoted[48];

        if (if_none_match && o)
                return false;
        if (!if_match)
                return true;
        snprintf(quoted, sizeof(quoted), "\"%s\"", o ? o->etag : "");
        return o && (strcmp(if_match, quoted) == 0 || strcmp(if_match, o->etag) == 0);
}

static void put_object(struct bucket_lab *b, struct http_call *call, const char *key)
{
        const char *source = bucket_header(call, "x-amz-copy-source"),
                   *none = bucket_header(call, "if-none-match");
        const char *match = bucket_header(call, "if-match");
        struct bucket_object o = { .size = 0 }, *from = NULL;
        char text[256];

        if (source) {
                b->copies++;
                if (b->no_copies) {
                        bucket_refuse(call, 501, "NotImplemented");
                        return;
                }
                text[url_decode(source, strlen(source), false, text)] = '\0';
                from = bucket_find(b, text + PATH_SKIP);
                if (!from) {
                        bucket_refuse(call, 404, "NoSuchKey");
                        return;
                }
                if (!bucket_is_source(call, from)) {
                        bucket_refuse(call, 412, "PreconditionFailed");
                        return;
                }
                o = *from;
                if (bucket_header(call, "x-amz-metadata-directive"))
                        o.metadata_count = 0;
        } else {
                b->puts++;
        }
        if ((none || match) && b->no_conditions) {
                bucket_refuse(call, 501, "NotImplemented");
                return;
        }
        if (!bucket_is_allowed(b, key, none, match)) {
                bucket_refuse(call, 412, "PreconditionFailed");
                return;
        }
        snprintf(o.key, sizeof(o.key), "%s", key);
        for (int i = 0; !source && i < call->body_count; i++) {
                if (o.size + call->body[i].iov_len < BUCKET_BODY)
                        memcpy(o.body + o.size, call->body[i].iov_base, call->body[i].iov_len);
                o.size += call->body[i].iov_len;
        }
        bucket_take_headers(call, &o);
        bucket_store(b, &o);
        if (source && b->copies_alike)
                memcpy(bucket_find(b, key)->etag, o.etag, sizeof(o.etag));
        if (!source) {
                answer_etag(b, call, bucket_find(b, key));
                return;
        }
        snprintf(text, sizeof(text), "<CopyObjectResult><ETag>\"%s\"</ETag></CopyObjectResult>",
                 bucket_find(b, key)->etag);
        if (b->versions) {
                char version[64];

                bucket_version(bucket_find(b, key), version);
                tell(call, "x-amz-version-id", version);
        }
        bucket_answer(call, 200, text);
}

static void tell_metadata(struct http_call *call, const struct bucket_object *o)
{
        char name[64];

        for (unsigned i = 0; i < o->metadata_count; i++) {
                snprintf(name, sizeof(name), "x-amz-meta-%s", o->metadata[i].name);
                tell(call, o->metadata[i].name[0] == ':' ? o->metadata[i].name + 1 : name,
                     o->metadata[i].value);
        }
}

/* FORM: of strftime(3). */
static const char *time_of(const struct bucket_object *o, const char *form, char out[64])
{
        enum { SECONDS = 1767323045 };
        time_t t = o->modified_ns ? (time_t)(o->modified_ns / 1000000000) : SECONDS;
        struct tm tm;

        CHECK(gmtime_r(&t, &tm) && strftime(out, 64, form, &tm) > 0);
        return out;
}

static void head_object(struct bucket_lab *b, struct http_call *call, const char *key)
{
        const struct bucket_object *o = bucket_find(b, key);
        char text[64];

        b->heads++;
        if (b->head_status) {
                bucket_refuse(call, b->head_status, "InternalError");
                return;
        }
        if (!o) {
                bucket_refuse(call, 404, "NoSuchKey");
                return;
        }
        call->status = 200;
        tell_etag(b, call, o);
        snprintf(text, sizeof(text), "%llu", (unsigned long long)o->size);
        tell(call, "Content-Length", text);
        if (o->modified_ns)
                tell(call, "Last-Modified", time_of(o, "%a, %d %b %Y %H:%M:%S GMT", text));
        tell_metadata(call, o);
}

static void get_object(struct bucket_lab *b, struct http_call *call, const char *key)
{
        const struct bucket_object *o = bucket_find(b, key);
        char text[48];

        b->gets++;
        if (!o) {
                bucket_refuse(call, 404, "NoSuchKey");
                return;
        }
        CHECK(o->size <= BUCKET_BODY && call->room_count == 1 && call->room[0].iov_len >= o->size);
        call->status = 200;
        tell_etag(b, call, o);
        snprintf(text, sizeof(text), "%llu", (unsigned long long)o->size);
        tell(call, "Content-Length", text);
        tell_metadata(call, o);
        memcpy(call->room[0].iov_base, o->body, o->size);
        call->received = o->size;
}

static void delete_object(struct bucket_lab *b, struct http_call *call, const char *key)
{
        const char *match = bucket_header(call, "if-match");

        b->deletes++;
        if (b->on_delete)
                b->on_delete(b);
        if (match && b->deletes_if == BUCKET_KNOWS_NONE) {
                bucket_refuse(call, 501, "NotImplemented");
        } else if (match && b->deletes_if != BUCKET_IGNORES &&
                   (b->deletes_if == BUCKET_ALWAYS_REFUSES || !bucket_is_allowed(b, key, NULL, match))) {
                bucket_refuse(call, 412, "PreconditionFailed");
        } else {
                bucket_remove(b, key);
                bucket_answer(call, 204, "");
        }
}

void bucket_parameter(const char *query, const char *name, char out[256])
{
        const char *at = strstr(query, name);
        int64_t length = 0;

        if (at) {
                at += strlen(name);
                length = url_decode(at, strcspn(at, "&"), false, out);
        }
        CHECK(length >= 0 && length < 256);
        out[length] = '\0';
}

/* The one with the smallest key that begins with PREFIX and comes behind AFTER. */
static const struct bucket_object *next_object(const struct bucket_lab *b, const char *prefix,
                                               const char *after)
{
        const struct bucket_object *next = NULL;

        for (unsigned i = 0; i < b->count; i++) {
                const struct bucket_object *o = &b->objects[i];

                if (strncmp(o->key, prefix, strlen(prefix)) == 0 && strcmp(o->key, after) > 0 &&
                    (!next || strcmp(o->key, next->key) < 0))
                        next = o;
        }
        return next;
}

static const char token[] = "continuation-token=";

/* A page, with the delimiter '/'. */
static void list(struct bucket_lab *b, struct http_call *call, const char *query)
{
        char prefix[256], after[260], time[64], text[32768];
        const struct bucket_object *o = NULL;
        unsigned keys = 0;
        int n = snprintf(text, sizeof(text), "<ListBucketResult><EncodingType>url</EncodingType>");

        bucket_parameter(query, "prefix=", prefix);
        bucket_parameter(query, strstr(query, token) ? token : "start-after=", after);
        if (strstr(query, token) && after[0] && after[strlen(after) - 1] == '/')
                strcat(after, "\xff"); /* all that is in it was told */
        while (b->lists && (o = next_object(b, prefix, after))) {
                if (b->page_keys > 0 && keys++ == b->page_keys)
                        break;
                const char *slash = strchr(o->key + strlen(prefix), '/');

                snprintf(after, sizeof(after), slash ? "%.*s\xff" : "%.*s",
                         slash ? (int)(slash + 1 - o->key) : 255, o->key);
                if (slash)
                        n += snprintf(text + n, sizeof(text) - (size_t)n,
                                      "<CommonPrefixes><Prefix>%.*s</Prefix></CommonPrefixes>",
                                      (int)(slash + 1 - o->key), o->key);
                else
                        n += snprintf(text + n, sizeof(text) - (size_t)n,
                                      "<Contents><Key>%s</Key><LastModified>%s</LastModified>"
                                      "<ETag>\"%s\"</ETag><Size>%llu</Size></Contents>",
                                      o->key, time_of(o, "%Y-%m-%dT%H:%M:%S.000Z", time), o->etag,
                                      (unsigned long long)o->size);
                CHECK(n < (int)sizeof(text) - 1024);
        }
        after[strcspn(after, "\xff")] = '\0';
        if (b->lists && o)
                n += snprintf(
                        text + n, sizeof(text) - (size_t)n,
                        "<IsTruncated>true</IsTruncated><NextContinuationToken>%s</NextContinuationToken>",
                        after);
        else
                n += snprintf(text + n, sizeof(text) - (size_t)n, "<IsTruncated>false</IsTruncated>");
        snprintf(text + n, sizeof(text) - (size_t)n, "</ListBucketResult>");
        bucket_answer(call, 200, text);
}

static void serve(void *arg, struct http_call *call)
{
        struct bucket_lab *b = arg;
        const char *path = strchr(call->url + strlen("http://"), '/'), *query = strchr(path, '?');
        char key[256];
        int64_t length =
                url_decode(path + PATH_SKIP,
                           query ? (size_t)(query - path) - PATH_SKIP : strlen(path) - PATH_SKIP, false, key);

        CHECK(length >= 0 && length < (int64_t)sizeof(key));
        key[length] = '\0';
        if (b->status)
                bucket_refuse(call, b->status, "AccessDenied");
        else if (query && strstr(query, "&uploads"))
                bucket_list_uploads(b, call, query);
        else if (call->method == HTTP_GET && !key[0])
                list(b, call, query ? query : "");
        else if (call->method == HTTP_GET && !query)
                get_object(b, call, key);
        else if (query)
                bucket_serve_upload(b, call, key, query + 1);
        else if (call->method == HTTP_HEAD)
                head_object(b, call, key);
        else if (call->method == HTTP_PUT)
                put_object(b, call, key);
        else
                delete_object(b, call, key);
}

bool bucket_goes_silent(struct bucket_lab *b, bool *ret_carried_out)
{
        *ret_carried_out = b->silent_from == 1 && b->carried_out;
        if (b->silent_from > 0 && --b->silent_from == 0)
                b->silent = true;
        return b->silent;
}

static uint64_t latency_ns(void *arg)
{
        const struct bucket_lab *b = arg;

        return b->silent || b->silent_from == 1 ? HTTP_LAB_NEVER : b->latency_ns;
}

static void sent(void *arg, struct http_call *call)
{
        struct http_call unheard = *call;
        bool carried_out;

        bucket_goes_silent(arg, &carried_out);
        if (!carried_out)
                return;
        unheard.header = NULL;
        unheard.text = (struct http_text){ .limit = call->text.limit };
        serve(arg, &unheard);
        http_text_free(&unheard.text);
}

struct http *bucket_http(struct bucket_lab *b, struct env *env)
{
        static const struct http_lab_store store = { .serve = serve, .latency_ns = latency_ns, .sent = sent };

        b->env = env;
        return http_lab_new(&store, b, env);
}
