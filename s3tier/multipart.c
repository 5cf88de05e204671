/* SPDX-License-Identifier: Apache-2.0 */
#include "s3tier/multipart.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/digest.h"
#include "s3tier/call.h"

uint64_t s3_part_bytes(uint64_t size, uint64_t unit)
{
        uint64_t part = size / 9500 + 1;

        if (part < UINT64_C(16) << 20)
                part = UINT64_C(16) << 20;
        return (part + unit - 1) / unit * unit;
}

/* --- create */

static bool on_create_element(struct s3_call *call, const char *path, const char *text, size_t length)
{
        return strcmp(path, "InitiateMultipartUploadResult/UploadId") != 0 ||
               text_copy(call->upload_id, sizeof(call->upload_id), text, length);
}

static enum retry_class create_finish(struct s3_call *call)
{
        enum retry_class class;

        if (!s3_read_answer(call, "InitiateMultipartUploadResult", on_create_element, &class))
                return class;
        return call->upload_id[0] ? RETRY_NEVER : s3_fail(call, S3_BAD_ANSWER, RETRY_LATER, "no UploadId");
}

void s3_upload_create(struct s3 *s3, struct s3_call *call, const char *key, const struct s3_put_args *args)
{
        s3_begin(s3, call, S3_KIND_MULTIPART, HTTP_POST, key);
        s3_query(call, "uploads", "");
        if (s3->conf.checksum != S3_SUM_NONE) {
                s3_header(call, "x-amz-checksum-algorithm", s3_sum_algorithm(s3->conf.checksum));
                s3_header(call, "x-amz-checksum-type", "FULL_OBJECT");
        }
        s3_header_describe(call, args);
        call->finish = create_finish;
        s3_start(call, S3_SMALL_ANSWER);
}

/* --- parts */

static void begin_part(struct s3 *s3, struct s3_call *call, const char *key, const char *upload_id,
                       unsigned number)
{
        CHECK(number > 0 && number <= S3_PARTS);
        s3_begin(s3, call, S3_KIND_PART, HTTP_PUT, key);
        s3_query_u64(call, "partNumber", number);
        s3_query(call, "uploadId", upload_id);
}

void s3_upload_part(struct s3 *s3, struct s3_call *call, const char *key, const char *upload_id,
                    unsigned number, const struct iovec *body, int body_count)
{
        begin_part(s3, call, key, upload_id, number);
        s3_body(call, body, body_count);
        call->finish = s3_put_finish;
        s3_start(call, S3_SMALL_ANSWER);
}

static bool on_part_copy_element(struct s3_call *call, const char *path, const char *text, size_t length)
{
        if (strcmp(path, "CopyPartResult/ETag") == 0)
                s3_copy_etag(text, length, call->object.etag);
        return true;
}

static enum retry_class part_copy_finish(struct s3_call *call)
{
        enum retry_class class;

        call->object.etag[0] = '\0';
        return s3_read_answer(call, "CopyPartResult", on_part_copy_element, &class) ? s3_put_finish(call)
                                                                                    : class;
}

void s3_upload_part_copy(struct s3 *s3, struct s3_call *call, const char *key, const char *upload_id,
                         unsigned number, const char *source, const char *source_etag, uint64_t offset,
                         uint64_t length)
{
        char range[64];

        CHECK(length > 0);
        snprintf(range, sizeof(range), "bytes=%llu-%llu", (unsigned long long)offset,
                 (unsigned long long)(offset + length - 1));
        begin_part(s3, call, key, upload_id, number);
        s3_header_source(call, source, source_etag);
        s3_header(call, "x-amz-copy-source-range", range);
        call->finish = part_copy_finish;
        s3_start(call, S3_SMALL_ANSWER);
}

/* --- complete, and the look at what it made */

static struct s3_complete *complete_of(struct s3_call *call)
{
        return CONTAINER(call, struct s3_complete, call);
}

static int hex_value(char c)
{
        return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* MD5 of the parts' MD5s, and how many: as every store makes it whose parts' ETags are MD5s. False: they are
 * not. */
static bool expected_etag(const struct s3_complete *c, char out[S3_ETAG_BYTES])
{
        uint8_t *all = malloc((size_t)c->count * MD5_BYTES), digest[MD5_BYTES];
        struct iovec piece = { all, (size_t)c->count * MD5_BYTES };
        char hex[2 * MD5_BYTES + 1];

        CHECK(all != NULL);
        for (unsigned i = 0; i < c->count; i++) {
                if (!s3_is_md5(c->parts[i].etag)) {
                        free(all);
                        return false;
                }
                for (int j = 0; j < MD5_BYTES; j++)
                        all[i * MD5_BYTES + (unsigned)j] = (uint8_t)(hex_value(c->parts[i].etag[2 * j]) << 4 |
                                                                     hex_value(c->parts[i].etag[2 * j + 1]));
        }
        md5_iov(&piece, 1, digest);
        free(all);
        snprintf(out, S3_ETAG_BYTES, "%s-%u", hex_of(digest, MD5_BYTES, hex), c->count);
        return true;
}

static enum retry_class complete_seen(struct s3_call *call)
{
        struct s3_complete *c = complete_of(call);
        char etag[S3_ETAG_BYTES];

        call->object.size = call->announced;
        if (call->object.size == c->size && (!expected_etag(c, etag) || strcmp(etag, call->object.etag) == 0))
                return RETRY_NEVER;
        if (c->made)
                return s3_fail(call, S3_BAD_ANSWER, RETRY_LATER, "the object is not made of its parts");
        return s3_fail(call, S3_OBJECT_NOT_FOUND, RETRY_NEVER,
                       "the upload is gone, and the object is another");
}

static enum retry_class complete_finish(struct s3_call *call)
{
        enum retry_class class;

        if (!s3_read_answer(call, "CompleteMultipartUploadResult", NULL, &class))
                return class;
        complete_of(call)->made = true;
        return s3_fail(call, S3_BAD_ANSWER, RETRY_NEVER, "not looked at yet"); /* complete_recover() does */
}

static bool complete_recover(struct s3_call *call)
{
        struct s3_complete *c = complete_of(call);

        if (!c->made && !(call->result.error == S3_OBJECT_NOT_FOUND && call->maybe_done))
                return false;
        s3_again_as_head(call, complete_seen);
        return true;
}

static void write_parts(const struct s3_complete *c, struct text *t)
{
        text_add(t, "<CompleteMultipartUpload>");
        for (unsigned i = 0; i < c->count; i++) {
                text_add(t, "<Part><PartNumber>");
                text_add_u64(t, c->parts[i].number);
                text_add(t, "</PartNumber><ETag>\"");
                text_add_xml(t, c->parts[i].etag, strlen(c->parts[i].etag));
                text_add(t, "\"</ETag></Part>");
        }
        text_add(t, "</CompleteMultipartUpload>");
        CHECK(!t->full);
}

void s3_upload_complete(struct s3 *s3, struct s3_complete *c, const char *key, const char *upload_id)
{
        size_t bytes = 128 + (size_t)c->count * (80 + 6 * S3_ETAG_BYTES);
        char *body = malloc(bytes);
        struct text text = text_of(body, bytes);

        CHECK(body != NULL && c->count > 0 && c->count <= S3_PARTS);
        write_parts(c, &text);
        c->made = false;
        c->iov = (struct iovec){ body, (size_t)(text.at - body) };
        s3_begin(s3, &c->call, S3_KIND_MULTIPART, HTTP_POST, key);
        c->call.owned = body;
        s3_query(&c->call, "uploadId", upload_id);
        s3_body(&c->call, &c->iov, 1);
        if (c->if_none_match)
                s3_header(&c->call, "if-none-match", "*");
        if (c->if_match)
                s3_header_if_match(&c->call, c->if_match);
        c->call.finish = complete_finish;
        c->call.recover = complete_recover;
        s3_start(&c->call, S3_SMALL_ANSWER);
}

/* --- abort */

void s3_upload_abort(struct s3 *s3, struct s3_call *call, const char *key, const char *upload_id)
{
        s3_begin(s3, call, S3_KIND_MULTIPART, HTTP_DELETE, key);
        s3_query(call, "uploadId", upload_id);
        s3_start_delete(call);
}
