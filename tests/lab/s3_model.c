/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/s3_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/digest.h"
#include "s3tier/pieces.h"
#include "tests/lab/http_lab.h"

static struct s3_model_object *find(struct s3_model *m, const char *path)
{
        for (uint32_t i = 0; i < m->count; i++)
                if (strcmp(m->objects[i].path, path) == 0)
                        return &m->objects[i];
        return NULL;
}

const struct s3_model_object *s3_model_find(const struct s3_model *m, const char *path)
{
        return find((struct s3_model *)(uintptr_t)m, path);
}

static void forget(struct s3_model_object *o)
{
        free(o->owned[0]);
        free(o->owned[1]);
        free(o->metadata);
}

static struct s3_model_object *put(struct s3_model *m, const struct s3_model_object *object)
{
        struct s3_model_object *o = find(m, object->path);

        CHECK(o || m->count < S3_MODEL_OBJECTS);
        if (o)
                forget(o);
        else
                o = &m->objects[m->count++];
        *o = *object;
        return o;
}

void s3_model_put(struct s3_model *m, const char *path, const char *etag, const void *data, uint64_t size)
{
        struct s3_model_object *o =
                put(m, &(struct s3_model_object){ .path = path, .data = data, .size = size });

        snprintf(o->etag, sizeof(o->etag), "%s", etag);
}

void s3_model_delete(struct s3_model *m, const char *path)
{
        struct s3_model_object *o = find(m, path);

        CHECK(o != NULL);
        forget(o);
        *o = m->objects[--m->count];
}

void s3_model_free(struct s3_model *m)
{
        while (m->count > 0)
                forget(&m->objects[--m->count]);
}

/* --- answers */

static const char *request_header(const struct http_call *call, const char *name)
{
        for (unsigned i = 0; i < call->header_count; i++)
                if (strcasecmp(call->headers[i].name, name) == 0)
                        return call->headers[i].value;
        return NULL;
}

static void put_header(struct http_call *call, const char *name, const char *value)
{
        if (call->header)
                call->header(call, (struct slice){ (const uint8_t *)name, (uint32_t)strlen(name) },
                             (struct slice){ (const uint8_t *)value, (uint32_t)strlen(value) });
}

static void put_length(struct http_call *call, uint64_t length)
{
        char text[32];

        snprintf(text, sizeof(text), "%" PRIu64, length);
        put_header(call, "Content-Length", text);
}

static void put_etag(struct http_call *call, const struct s3_model_object *o)
{
        char text[96];

        snprintf(text, sizeof(text), "\"%s\"", o->etag);
        put_header(call, "ETag", text);
}

static void answer_error(struct http_call *call, int status, const char *code)
{
        char text[256];
        int length = snprintf(text, sizeof(text),
                              "<Error><Code>%s</Code><Message>the model says so</Message></Error>", code);

        call->status = status;
        put_header(call, "Content-Type", "application/xml");
        put_length(call, (uint64_t)length);
        http_text_append(&call->text, text, (size_t)length);
        call->received = (uint64_t)length;
}

static void give_bytes(struct http_call *call, const struct s3_model_object *o, uint64_t first,
                       uint64_t length)
{
        uint64_t moved = 0;

        put_etag(call, o);
        put_length(call, length);
        for (int i = 0; i < call->room_count && moved < length; i++) {
                uint64_t n = call->room[i].iov_len < length - moved ? call->room[i].iov_len : length - moved;

                memcpy(call->room[i].iov_base, o->data + first + moved, n);
                moved += n;
        }
        CHECK(moved == length);
        call->received = length;
}

static void answer_range(struct http_call *call, const struct s3_model_object *o, uint64_t first,
                         uint64_t last)
{
        char text[96];

        call->status = 206;
        snprintf(text, sizeof(text), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, first, last, o->size);
        put_header(call, "Content-Range", text);
        give_bytes(call, o, first, last - first + 1);
}

static void answer_whole(struct http_call *call, const struct s3_model_object *o)
{
        char name[48] = "x-amz-checksum-", value[40];

        if (request_header(call, "x-amz-checksum-mode") &&
            sscanf(o->checksum, "%20s %39s", name + strlen(name), value) == 2)
                put_header(call, name, value);
        call->status = 200;
        give_bytes(call, o, 0, o->size);
}

static bool is_expected(const struct http_call *call, const struct s3_model_object *o)
{
        const char *wanted = request_header(call, "If-Match");
        char quoted[80];

        snprintf(quoted, sizeof(quoted), "\"%s\"", o->etag);
        return !wanted || strcmp(wanted, quoted) == 0 || strcmp(wanted, o->etag) == 0;
}

static const char *path_of(const struct http_call *call)
{
        const char *path = strchr(call->url + strlen("http://"), '/');

        return path ? path : "/";
}

static void answer_get(struct s3_model *m, struct http_call *call)
{
        const char *range = request_header(call, "Range");
        const struct s3_model_object *o = find(m, path_of(call));
        uint64_t first, last;

        if (!o)
                answer_error(call, 404, "NoSuchKey");
        else if (!is_expected(call, o))
                answer_error(call, 412, "PreconditionFailed");
        else if (!range)
                answer_whole(call, o);
        else if (sscanf(range, "bytes=%" SCNu64 "-%" SCNu64, &first, &last) != 2)
                answer_error(call, 501, "NotImplemented"); /* data servers know where theirs end */
        else if (first >= o->size)
                answer_error(call, 416, "InvalidRange");
        else
                answer_range(call, o, first, last < o->size ? last : o->size - 1);
}

static void answer_head(struct s3_model *m, struct http_call *call)
{
        const struct s3_model_object *o = find(m, path_of(call));

        call->status = o ? 200 : 404;
        if (!o)
                return;
        put_etag(call, o);
        put_length(call, o->size);
}

static uint64_t body_bytes(const struct http_call *call)
{
        uint64_t bytes = 0;

        for (int i = 0; i < call->body_count; i++)
                bytes += call->body[i].iov_len;
        return bytes;
}

static char *copy_metadata(const struct http_call *call)
{
        static const char prefix[] = "x-amz-meta-";
        struct http_text text = { .limit = 1 << 20 };

        CHECK(http_text_append(&text, "", 0));
        for (unsigned i = 0; i < call->header_count; i++) {
                const struct http_header *h = &call->headers[i];

                if (strncmp(h->name, prefix, strlen(prefix)) != 0)
                        continue;
                CHECK(http_text_append(&text, h->name + strlen(prefix), strlen(h->name) - strlen(prefix)));
                CHECK(http_text_append(&text, "=", 1));
                CHECK(http_text_append(&text, h->value, strlen(h->value)));
                CHECK(http_text_append(&text, "\n", 1));
        }
        return text.data;
}

/* NAME's of the body, which is SUM of BYTES: is it what the call says? As stores do that keep it. */
static bool is_sum(const struct http_call *call, const char *name, uint64_t sum, unsigned bytes, char *said,
                   size_t said_bytes)
{
        char header[40], text[16];
        const char *value;
        uint8_t order[8];

        snprintf(header, sizeof(header), "x-amz-checksum-%s", name);
        value = request_header(call, header);
        if (!value)
                return true;
        for (unsigned i = 0; i < bytes; i++)
                order[i] = (uint8_t)(sum >> 8 * (bytes - 1 - i));
        snprintf(said, said_bytes, "%s %s", name, value);
        return strcmp(value, base64_of(order, bytes, text)) == 0;
}

static bool is_whole(const struct http_call *call, char *said, size_t said_bytes)
{
        said[0] = '\0';
        return is_sum(call, "crc32c", crc32c_iov(call->body, call->body_count), 4, said, said_bytes) &&
               is_sum(call, "crc64nvme", crc64nvme_iov(call->body, call->body_count), 8, said, said_bytes);
}

static void take(struct s3_model *m, struct http_call *call)
{
        struct s3_model_object o = { .size = body_bytes(call), .metadata = copy_metadata(call) };
        uint8_t md5[MD5_BYTES], *data = malloc(o.size + 1);
        char *path = strdup(path_of(call));
        struct pieces body = { call->body, call->body_count, 0 };

        CHECK(path && data && pieces_read(&body, (char *)data, o.size) == o.size);
        md5_iov(call->body, call->body_count, md5);
        hex_of(md5, MD5_BYTES, o.etag);
        CHECK(is_whole(call, o.checksum, sizeof(o.checksum)));
        o.path = o.owned[0] = path;
        o.data = o.owned[1] = data;
        call->status = 200;
        put_etag(call, put(m, &o));
        put_length(call, 0);
}

static void answer_put(struct s3_model *m, struct http_call *call)
{
        const struct s3_model_object *o = find(m, path_of(call));
        char said[40];

        if (o ? request_header(call, "If-None-Match") || !is_expected(call, o)
              : request_header(call, "If-Match") != NULL)
                answer_error(call, 412, "PreconditionFailed");
        else if (body_bytes(call) > S3_MODEL_BYTES)
                answer_error(call, 400, "EntityTooLarge");
        else if (!is_whole(call, said, sizeof(said)))
                answer_error(call, 400, "BadDigest");
        else
                take(m, call);
}

static void give(struct s3_model *m, struct http_call *call)
{
        int status = atomic_load(&m->status);

        if (status != 0 && atomic_load(&m->failures) > 0 && atomic_fetch_sub(&m->failures, 1) == 1)
                atomic_store(&m->status, 0); /* this is the last */
        if (status != 0)
                answer_error(call, status, m->code);
        else if (call->method == HTTP_GET)
                answer_get(m, call);
        else if (call->method == HTTP_HEAD)
                answer_head(m, call);
        else if (call->method == HTTP_PUT)
                answer_put(m, call);
        else
                answer_error(call, 501, "NotImplemented");
}

static void sent(void *arg, struct http_call *call)
{
        struct s3_model *m = arg;

        atomic_fetch_add(&m->under_way, 1);
        atomic_fetch_add(&m->gets, call->method == HTTP_GET);
        if (call->method != HTTP_PUT)
                return;
        atomic_fetch_add(&m->puts, 1);
        pthread_mutex_lock(&m->lock);
        m->put_bytes += body_bytes(call);
        if (m->put_bytes > m->most_put_bytes)
                m->most_put_bytes = m->put_bytes;
        pthread_mutex_unlock(&m->lock);
}

static void over(void *arg, struct http_call *call)
{
        struct s3_model *m = arg;

        atomic_fetch_sub(&m->under_way, 1);
        if (call->method != HTTP_PUT)
                return;
        pthread_mutex_lock(&m->lock);
        m->put_bytes -= body_bytes(call);
        pthread_mutex_unlock(&m->lock);
}

static void serve(void *arg, struct http_call *call)
{
        struct s3_model *m = arg;

        atomic_fetch_add(&m->answers, 1);
        pthread_mutex_lock(&m->lock);
        give(m, call);
        pthread_mutex_unlock(&m->lock);
}

static uint64_t latency_ns(void *arg)
{
        const struct s3_model *m = arg;

        return m->silent ? HTTP_LAB_NEVER : m->latency_ns;
}

struct http *s3_model_http(void *arg, struct env *env)
{
        static const struct http_lab_store store = {
                .serve = serve, .latency_ns = latency_ns, .sent = sent, .over = over
        };

        return http_lab_new(&store, arg, env);
}
