/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads in parts, of the simulated object store. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "tests/sim/blobs_private.h"

static void upload_free(struct blob_upload *u)
{
        for (int i = 0; i < BLOB_PARTS; i++)
                free(u->parts[i].data);
        *u = (struct blob_upload){ 0 };
}

static void begin_upload(struct blobs *b, struct exchange *x, const char *key)
{
        struct blob_upload *u = b->uploads;
        char text[256];

        while (u->id != 0)
                CHECK(++u < b->uploads + BLOB_UPLOADS);
        u->id = ++b->next_upload;
        snprintf(u->target.key, sizeof(u->target.key), "%s", key);
        blob_take_metadata(x, &u->target.metadata);
        snprintf(
                text, sizeof(text),
                "<InitiateMultipartUploadResult><UploadId>upload%u</UploadId></InitiateMultipartUploadResult>",
                u->id);
        exchange_answer(x, 200, text);
}

static void put_part(struct exchange *x, struct blob_upload *u, const char *number)
{
        unsigned long n = strtoul(number, NULL, 10);
        struct blob_part *part = &u->parts[n - 1];

        CHECK(n >= 1 && n <= BLOB_PARTS);
        free(part->data);
        *part = (struct blob_part){ .data = blob_copy_of(x->body, x->body_bytes), .size = x->body_bytes };
        blob_etag_of(x->body, x->body_bytes, part->etag);
        blob_answer_etag(x, part->etag);
        exchange_answer(x, 200, "");
}

static void list_parts(struct exchange *x, const struct blob_upload *u)
{
        char text[BLOB_PARTS * 256];
        int n = snprintf(text, sizeof(text), "<ListPartsResult><IsTruncated>false</IsTruncated>");

        for (int i = 0; i < BLOB_PARTS; i++)
                if (u->parts[i].data)
                        n += snprintf(text + n, sizeof(text) - (size_t)n,
                                      "<Part><PartNumber>%d</PartNumber><ETag>\"%s\"</ETag><Size>%" PRIu64
                                      "</Size></Part>",
                                      i + 1, u->parts[i].etag, u->parts[i].size);
        snprintf(text + n, sizeof(text) - (size_t)n, "</ListPartsResult>");
        exchange_answer(x, 200, text);
}

const struct blob_upload *blobs_unfinished(const struct blobs *b)
{
        for (int i = 0; i < BLOB_UPLOADS; i++)
                for (int part = 0; part < BLOB_PARTS; part++)
                        if (b->uploads[i].parts[part].data)
                                return &b->uploads[i];
        return NULL;
}

/* Does X name all parts that are there, as they are? */
static bool names_parts(const struct exchange *x, const struct blob_upload *u)
{
        for (int i = 0; i < BLOB_PARTS && u->parts[i].data; i++)
                if (!memmem(x->body, x->body_bytes, u->parts[i].etag, strlen(u->parts[i].etag)))
                        return false;
        return u->parts[0].data != NULL;
}

static void complete(struct blobs *b, struct exchange *x, struct blob_upload *u)
{
        struct blob *o = &u->target;
        uint8_t digests[BLOB_PARTS][MD5_BYTES];
        char text[256];
        int count = 0;

        if (!blobs_allow(b, x, o->key)) {
                exchange_refuse(x, 412, "PreconditionFailed");
                return;
        }
        if (!names_parts(x, u)) {
                exchange_refuse(x, 400, "InvalidPart");
                return;
        }
        blobs_look_for_unseen(b, o->key);
        for (; count < BLOB_PARTS && u->parts[count].data; count++)
                o->size += u->parts[count].size;
        o->data = malloc(o->size + 1);
        CHECK(o->data != NULL);
        o->size = 0;
        for (int i = 0; i < count; i++) {
                memcpy(o->data + o->size, u->parts[i].data, u->parts[i].size);
                o->size += u->parts[i].size;
                blob_digest(u->parts[i].data, u->parts[i].size, digests[i]);
        }
        blob_etag_of(digests, (uint64_t)count * MD5_BYTES, o->etag);
        snprintf(o->etag + strlen(o->etag), 4, "-%d", count);
        blobs_make(b, o);
        snprintf(text, sizeof(text),
                 "<CompleteMultipartUploadResult><ETag>\"%s\"</ETag></CompleteMultipartUploadResult>",
                 o->etag);
        upload_free(u);
        exchange_answer(x, 200, text);
}

/* --- requests */

void blobs_serve_upload(struct blobs *b, struct exchange *x, const char *key, const char *query)
{
        char id[BLOB_KEY], number[BLOB_KEY];
        struct blob_upload *u = b->uploads;

        if (exchange_parameter(query, "uploads", id, BLOB_KEY)) {
                begin_upload(b, x, key);
                return;
        }
        CHECK(exchange_parameter(query, "uploadId", id, BLOB_KEY));
        while (u < b->uploads + BLOB_UPLOADS && (u->id == 0 || u->id != strtoul(id + 6, NULL, 10)))
                u++;
        if (u == b->uploads + BLOB_UPLOADS) {
                exchange_refuse(x, 404, "NoSuchUpload");
        } else if (x->method == HTTP_PUT) {
                CHECK(exchange_parameter(query, "partNumber", number, BLOB_KEY));
                put_part(x, u, number);
        } else if (x->method == HTTP_GET) {
                list_parts(x, u);
        } else if (x->method == HTTP_POST) {
                complete(b, x, u);
        } else {
                upload_free(u);
                exchange_answer(x, 204, "");
        }
}

void blobs_free_uploads(struct blobs *b)
{
        for (int i = 0; i < BLOB_UPLOADS; i++)
                upload_free(&b->uploads[i]);
}
