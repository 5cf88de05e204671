/* SPDX-License-Identifier: Apache-2.0 */
/* A bucket's uploads in parts. */
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
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
                strcpy(u->parts[0].etag, "theirs");
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
        const char *first = u->parts[0].etag;
        char text[4096], etag[64], *at = text;
        size_t length = call->body[0].iov_len;
        unsigned number;

        CHECK(length < sizeof(text));
        memcpy(text, call->body[0].iov_base, length);
        text[length] = '\0';
        u->object.size = 0;
        while ((at = strstr(at, "<PartNumber>")) != NULL) {
                CHECK(sscanf(at, "<PartNumber>%u</PartNumber><ETag>\"%63[^\"]", &number, etag) == 2);
                if (number < 1 || number > BUCKET_PARTS || strcmp(u->parts[number - 1].etag, etag) != 0)
                        return false;
                CHECK(strncmp(etag, first, strcspn(first, ".")) == 0);
                u->object.size += u->parts[number - 1].size;
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
                if (!u->parts[i].etag[0])
                        continue;
                n += snprintf(text + n, sizeof(text) - (size_t)n,
                              "<Part><PartNumber>%u</PartNumber><ETag>\"%s\"</ETag><Size>%llu</Size></Part>",
                              i + 1, u->parts[i].etag, (unsigned long long)u->parts[i].size);
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
        } else if (call->method == HTTP_PUT) { /* data servers send parts: bucket_take_part() */
                bucket_refuse(call, 501, "NotImplemented");
        } else {
                complete(b, call, u);
        }
}

bool bucket_take_part(struct bucket_lab *b, const ctl_upload_args *a, ctl_upload_res *res)
{
        struct bucket_unfinished *u = find_upload(b, a->upload_id);

        if (!u)
                return false;
        CHECK(strcmp(a->key, u->object.key) == 0 && a->part >= 1 && a->part <= BUCKET_PARTS);
        snprintf(u->parts[a->part - 1].etag, sizeof(u->parts[0].etag), "%llx.%u.%llu",
                 (unsigned long long)a->change, a->part, (unsigned long long)a->length);
        u->parts[a->part - 1].size = a->length;
        res->etag = u->parts[a->part - 1].etag;
        return true;
}
