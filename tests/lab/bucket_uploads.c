/* SPDX-License-Identifier: Apache-2.0 */
/* A bucket's uploads in parts. */
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/sha256.h"
#include "s3tier/s3.h"
#include "tests/lab/bucket_private.h"

static struct bucket_unfinished *new_upload(struct bucket_lab *b, const char *key)
{
        struct bucket_unfinished *u = b->unfinished;

        while (u->id != 0)
                CHECK(++u < b->unfinished + BUCKET_UPLOADS);
        *u = (struct bucket_unfinished){ .id = ++b->upload_ids, .initiated_ns = env_wall(b->env) };
        snprintf(u->object.key, sizeof(u->object.key), "%s", key);
        return u;
}

unsigned bucket_begin(struct bucket_lab *b, const char *key, bool with_part)
{
        struct bucket_unfinished *u = new_upload(b, key);

        if (with_part)
                strcpy(u->object.parts[0].etag, "theirs");
        return u->id;
}

bool bucket_is_unfinished(const struct bucket_lab *b, unsigned id)
{
        for (int i = 0; i < BUCKET_UPLOADS; i++)
                if (b->unfinished[i].id == id)
                        return true;
        return false;
}

unsigned bucket_count_unfinished(const struct bucket_lab *b)
{
        unsigned count = 0;

        for (int i = 0; i < BUCKET_UPLOADS; i++)
                count += b->unfinished[i].id != 0;
        return count;
}

/* The upload with the id that stands in TEXT; NULL. */
static struct bucket_unfinished *find_upload(struct bucket_lab *b, const char *text)
{
        const char *id = strstr(text, "upload-");

        for (int i = 0; id && i < BUCKET_UPLOADS; i++)
                if (b->unfinished[i].id != 0 && b->unfinished[i].id == (unsigned)atoi(id + 7))
                        return &b->unfinished[i];
        return NULL;
}

/* The object of the parts that CALL names; false: some are not there. They are of one content. */
static bool put_together(const struct http_call *call, struct bucket_unfinished *u)
{
        const char *first = NULL;
        char text[4096], etag[64], *at = text;
        size_t length = call->body[0].iov_len;
        unsigned number;

        CHECK(length < sizeof(text));
        memcpy(text, call->body[0].iov_base, length);
        text[length] = '\0';
        u->object.size = 0;
        while ((at = strstr(at, "<PartNumber>")) != NULL) {
                CHECK(sscanf(at, "<PartNumber>%u</PartNumber><ETag>\"%63[^\"]", &number, etag) == 2);
                if (number < 1 || number > BUCKET_PARTS ||
                    strcmp(u->object.parts[number - 1].etag, etag) != 0)
                        return false;
                if (!first && etag[0] != 'c')
                        first = u->object.parts[number - 1].etag;
                CHECK(etag[0] == 'c' /* copied */ || strncmp(etag, first, strcspn(first, ".")) == 0);
                u->object.size += u->object.parts[number - 1].size;
                at++;
        }
        return true;
}

static void complete(struct bucket_lab *b, struct http_call *call, struct bucket_unfinished *u)
{
        const struct bucket_object *o = &u->object;
        char text[256];

        b->completes++;
        if (!bucket_is_allowed(b, o->key, bucket_header(call, "if-none-match"),
                               bucket_header(call, "if-match"))) {
                bucket_refuse(call, 412, "PreconditionFailed");
                return;
        }
        if (!put_together(call, u)) {
                bucket_refuse(call, 400, "InvalidPart");
                return;
        }
        bucket_store(b, o);
        snprintf(text, sizeof(text),
                 "<CompleteMultipartUploadResult><ETag>\"%s\"</ETag></CompleteMultipartUploadResult>",
                 bucket_find(b, o->key)->etag);
        u->id = 0;
        bucket_answer(call, 200, text);
}

static void begin_upload(struct bucket_lab *b, struct http_call *call, const char *key)
{
        struct bucket_unfinished *u = new_upload(b, key);
        char text[128];

        bucket_take_headers(call, &u->object);
        snprintf(
                text, sizeof(text),
                "<InitiateMultipartUploadResult><UploadId>upload-%u</UploadId></InitiateMultipartUploadResult>",
                u->id);
        bucket_answer(call, 200, text);
}

/* Pages of two. */
static void list_parts(struct http_call *call, const struct bucket_unfinished *u, const char *query)
{
        char after[256], text[1024];
        int n = snprintf(text, sizeof(text), "<ListPartsResult>");
        unsigned i, told = 0;

        bucket_parameter(query, "part-number-marker=", after);
        for (i = (unsigned)atoi(after); i < BUCKET_PARTS && told < 2; i++) {
                if (!u->object.parts[i].etag[0])
                        continue;
                n += snprintf(text + n, sizeof(text) - (size_t)n,
                              "<Part><PartNumber>%u</PartNumber><ETag>\"%s\"</ETag><Size>%llu</Size></Part>",
                              i + 1, u->object.parts[i].etag, (unsigned long long)u->object.parts[i].size);
                told++;
        }
        snprintf(
                text + n, sizeof(text) - (size_t)n,
                "<NextPartNumberMarker>%u</NextPartNumberMarker><IsTruncated>%s</IsTruncated></ListPartsResult>",
                i, told == 2 ? "true" : "false");
        bucket_answer(call, 200, text);
}

/* The first behind KEY and ID, by these. */
static const struct bucket_unfinished *next_upload(const struct bucket_lab *b, const char *prefix,
                                                   const char *key, unsigned id)
{
        const struct bucket_unfinished *next = NULL;

        for (int i = 0; i < BUCKET_UPLOADS; i++) {
                const struct bucket_unfinished *u = &b->unfinished[i];
                int order = strcmp(u->object.key, key);

                if (u->id == 0 || strncmp(u->object.key, prefix, strlen(prefix)) != 0 || order < 0 ||
                    (order == 0 && u->id <= id))
                        continue;
                order = next ? strcmp(u->object.key, next->object.key) : -1;
                if (order < 0 || (order == 0 && u->id < next->id))
                        next = u;
        }
        return next;
}

/* Pages of two. */
void bucket_list_uploads(const struct bucket_lab *b, struct http_call *call, const char *query)
{
        char prefix[256], key[256], id[256], date[32], text[2048];
        int n = snprintf(text, sizeof(text), "<ListMultipartUploadsResult>");
        const struct bucket_unfinished *u;
        unsigned last, told = 0;

        bucket_parameter(query, "&prefix=", prefix);
        bucket_parameter(query, "key-marker=", key);
        bucket_parameter(query, "upload-id-marker=", id);
        last = *id ? (unsigned)atoi(id + strlen("upload-")) : 0;
        for (; told < 2 && (u = next_upload(b, prefix, key, last)); told++) {
                time_t seconds = (time_t)(u->initiated_ns / 1000000000);
                struct tm tm;

                strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S.000Z", gmtime_r(&seconds, &tm));
                n += snprintf(
                        text + n, sizeof(text) - (size_t)n,
                        "<Upload><Key>%s</Key><UploadId>upload-%u</UploadId><Initiated>%s</Initiated></Upload>",
                        u->object.key, u->id, date);
                snprintf(key, sizeof(key), "%s", u->object.key);
                last = u->id;
        }
        snprintf(text + n, sizeof(text) - (size_t)n,
                 "<NextKeyMarker>%s</NextKeyMarker><NextUploadIdMarker>upload-%u</NextUploadIdMarker>"
                 "<IsTruncated>%s</IsTruncated></ListMultipartUploadsResult>",
                 key, last, told == 2 ? "true" : "false");
        bucket_answer(call, 200, text);
}

/* --- digests of parts */

void bucket_edit(struct bucket_lab *b, uint64_t offset, uint64_t stamp)
{
        unsigned i = 0;

        while (i < b->edit_count && b->edits[i].offset != offset)
                i++;
        CHECK(i < BUCKET_EDITS);
        b->edits[i].offset = offset;
        b->edits[i].stamp = stamp;
        b->edit_count += i == b->edit_count;
}

void bucket_digest(const struct bucket_lab *b, uint64_t offset, uint64_t length, uint8_t out[DIGEST_BYTES])
{
        uint64_t words[2 + 2 * BUCKET_EDITS] = { offset, length };
        unsigned n = 2;

        for (unsigned i = 0; i < b->edit_count; i++) {
                if (b->edits[i].offset < offset || b->edits[i].offset >= offset + length)
                        continue;
                words[n++] = b->edits[i].offset;
                words[n++] = b->edits[i].stamp;
        }
        sha256(words, n * sizeof(words[0]), out);
}

bool bucket_is_like_file(const struct bucket_lab *b, const struct bucket_object *o)
{
        uint8_t digest[DIGEST_BYTES];
        uint64_t offset = 0;

        for (int i = 0; i < BUCKET_PARTS && o->parts[i].etag[0]; i++) {
                bucket_digest(b, offset, o->parts[i].size, digest);
                if (memcmp(digest, o->parts[i].digest, DIGEST_BYTES) != 0)
                        return false;
                offset += o->parts[i].size;
        }
        return offset == o->size;
}

/* [FIRST, LAST] of FROM; a digest only when that is one of its parts. */
static struct bucket_part part_of(const struct bucket_object *from, uint64_t first, uint64_t last)
{
        struct bucket_part part = { .size = last - first + 1 };
        uint64_t offset = 0;

        for (int i = 0; i < BUCKET_PARTS; offset += from->parts[i++].size)
                if (offset == first && from->parts[i].size == part.size)
                        memcpy(part.digest, from->parts[i].digest, DIGEST_BYTES);
        return part;
}

bool bucket_is_source(const struct http_call *call, const struct bucket_object *from)
{
        const char *wanted = bucket_header(call, "x-amz-copy-source-if-match");
        char quoted[48];

        snprintf(quoted, sizeof(quoted), "\"%s\"", from->etag);
        return !wanted || strcmp(wanted, quoted) == 0 || strcmp(wanted, from->etag) == 0;
}

/* False: it is refused. */
static bool may_copy(const struct bucket_lab *b, struct http_call *call, const struct bucket_object *from,
                     uint64_t last)
{
        bool has_condition = bucket_header(call, "x-amz-copy-source-if-match") != NULL;

        if (b->no_part_copies)
                bucket_refuse(call, 501, "NotImplemented");
        else if (b->copy_status)
                bucket_refuse(call, b->copy_status, b->copy_status == 503 ? "SlowDown" : "");
        else if (!from)
                bucket_refuse(call, 404, "NoSuchKey");
        else if ((b->wary && has_condition) || (!b->heedless && !bucket_is_source(call, from)))
                bucket_refuse(call, 412, "PreconditionFailed");
        else if (last >= from->size)
                bucket_refuse(call, 416, "InvalidRange");
        else
                return true;
        return false;
}

static void copy_part(struct bucket_lab *b, struct http_call *call, struct bucket_unfinished *u,
                      const char *query)
{
        const char *source = bucket_header(call, "x-amz-copy-source"),
                   *range = bucket_header(call, "x-amz-copy-source-range");
        char text[256], number[256];
        struct bucket_object *from;
        struct bucket_part *part;
        unsigned long long first, last;
        int n;

        if (!source) { /* data servers send parts: bucket_take_part() */
                bucket_refuse(call, 501, "NotImplemented");
                return;
        }
        CHECK(range && sscanf(range, "bytes=%llu-%llu", &first, &last) == 2);
        b->part_copies++;
        if (b->on_copy)
                b->on_copy(b);
        text[url_decode(source, strlen(source), false, text)] = '\0';
        from = bucket_find(b, text + strlen("/bucket/"));
        if (!may_copy(b, call, from, last))
                return;
        bucket_parameter(query, "partNumber=", number);
        n = atoi(number);
        CHECK(n >= 1 && n <= BUCKET_PARTS);
        part = &u->object.parts[n - 1];
        *part = part_of(from, first, last);
        snprintf(part->etag, sizeof(part->etag), "copied.%d.%llu", n, last - first + 1);
        b->copied_bytes += part->size;
        snprintf(text, sizeof(text), "<CopyPartResult><ETag>\"%s\"</ETag></CopyPartResult>", part->etag);
        bucket_answer(call, 200, text);
}

void bucket_serve_upload(struct bucket_lab *b, struct http_call *call, const char *key, const char *query)
{
        struct bucket_unfinished *u = find_upload(b, query);

        if (strncmp(query, "uploads", 7) == 0) {
                begin_upload(b, call, key);
        } else if (call->method == HTTP_DELETE) {
                b->aborts++;
                if (u)
                        u->id = 0;
                bucket_answer(call, u ? 204 : 404, "");
        } else if (!u) {
                bucket_refuse(call, 404, "NoSuchUpload");
        } else if (call->method == HTTP_GET && b->parts_status) {
                bucket_refuse(call, b->parts_status, "AccessDenied");
        } else if (call->method == HTTP_GET) {
                list_parts(call, u, query);
        } else if (call->method == HTTP_PUT) {
                copy_part(b, call, u, query);
        } else {
                complete(b, call, u);
        }
}

/* What it reads has the digest that the MDS knows, or is sent. */
static bool is_known(const struct bucket_lab *b, const ctl_upload_args *a, ctl_upload_res *res)
{
        static uint8_t digest[DIGEST_BYTES]; /* until the answer is on its way */

        bucket_digest(b, a->offset, a->length, digest);
        if (!a->digest)
                return false;
        res->digest.digest_len = DIGEST_BYTES;
        res->digest.digest_val = (char *)digest;
        return a->known.known_len > 0 && memcmp(a->known.known_val, digest, DIGEST_BYTES) == 0;
}

bool bucket_take_part(struct bucket_lab *b, const ctl_upload_args *a, ctl_upload_res *res)
{
        struct bucket_unfinished *u = find_upload(b, a->upload_id);

        res->same = is_known(b, a, res);
        if (res->same) {
                b->uploads--; /* it was none */
                return true;
        }
        if (!u)
                return false;
        b->uploaded_bytes += a->length;
        bucket_digest(b, a->offset, a->length, u->object.parts[a->part - 1].digest);
        CHECK(strcmp(a->key, u->object.key) == 0 && a->part >= 1 && a->part <= BUCKET_PARTS);
        snprintf(u->object.parts[a->part - 1].etag, sizeof(u->object.parts[0].etag), "%llx.%u.%llu",
                 (unsigned long long)a->change, a->part, (unsigned long long)a->length);
        u->object.parts[a->part - 1].size = a->length;
        res->etag = u->object.parts[a->part - 1].etag;
        return true;
}
