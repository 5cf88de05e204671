/* SPDX-License-Identifier: Apache-2.0 */
/* HEAD, GET, PUT, DELETE, CopyObject. */
#include <stdio.h>

#include "base/digest.h"
#include "s3tier/call.h"
#include "s3tier/pieces.h"

static enum retry_class done_well(struct s3_call *call)
{
        (void)call;
        return RETRY_NEVER;
}

/* --- HEAD */

static enum retry_class head_finish(struct s3_call *call)
{
        call->object.size = call->announced;
        if (!call->has_announced && call->kind == S3_KIND_HEAD)
                return s3_fail(call, S3_BAD_ANSWER, RETRY_LATER, "no Content-Length");
        return RETRY_NEVER;
}

void s3_head(struct s3 *s3, struct s3_call *call, const char *key)
{
        s3_begin(s3, call, S3_KIND_HEAD, HTTP_HEAD, key);
        call->finish = head_finish;
        s3_start(call, S3_SMALL_ANSWER);
}

void s3_head_bucket(struct s3 *s3, struct s3_call *call)
{
        s3_begin(s3, call, S3_KIND_BUCKET, HTTP_HEAD, NULL);
        call->finish = done_well;
        s3_start(call, S3_SMALL_ANSWER);
}

/* --- GET */

static enum retry_class bad(struct s3_call *call, const char *message)
{
        return s3_fail(call, S3_BAD_ANSWER, RETRY_LATER, message);
}

/* The answer holds the range that was asked for, cut at the object's end, and its length is what it says. */
static enum retry_class check_range(struct s3_call *call)
{
        uint64_t last;

        if (call->has_announced && call->announced != call->received)
                return bad(call, "the answer's length is not what it announced");
        if (!call->ranged || call->http.status != 206) {
                call->object.size = call->received;
                if (call->ranged &&
                    (call->want_first > 0 || (call->want_bytes > 0 && call->received > call->want_bytes)))
                        return bad(call, "the whole object instead of a range");
                return RETRY_NEVER;
        }
        if (!call->has_range || call->object.size == 0)
                return bad(call, "no Content-Range");
        last = call->object.size - 1;
        if (call->want_bytes > 0 && call->want_bytes <= last - call->want_first)
                last = call->want_first + call->want_bytes - 1;
        if (call->range_first != call->want_first || call->range_last != last)
                return bad(call, "another range than was asked for");
        if (call->received != last - call->want_first + 1)
                return bad(call, "the answer's length is not its range's");
        return RETRY_NEVER;
}

/* The first COUNT bytes of ROOM, as pieces of OUT; how many. */
static int cut(const struct iovec *room, int pieces, uint64_t count, struct iovec *out, int out_count)
{
        int n = 0;

        for (int i = 0; i < pieces && count > 0 && n < out_count; i++) {
                out[n] = room[i];
                if (out[n].iov_len > count)
                        out[n].iov_len = count;
                count -= out[n++].iov_len;
        }
        return count == 0 ? n : -1;
}

/* Whether a store's ETags of what was put whole are MD5 shows by itself: one fits. What is encrypted with
 * keys of its own has another, and so has all of some stores; then two answers agree with each other and not
 * with it. A bit that was flipped on the way is another one the next time. */
static enum retry_class check_md5(struct s3_call *call, const char *hex)
{
        struct s3 *s3 = call->s3;
        bool again = strcmp(hex, call->md5_hex) == 0;

        if (strcmp(hex, call->object.etag) == 0) {
                s3->etags_fit = true;
                return RETRY_NEVER;
        }
        if (again && (!s3->etags_fit || call->encrypted)) {
                s3->etags_differ += !call->encrypted;
                return RETRY_NEVER;
        }
        snprintf(call->md5_hex, sizeof(call->md5_hex), "%s", hex);
        return s3_fail(call, S3_CHECKSUM, RETRY_LATER, "the bytes are not those that were stored (ETag)");
}

static bool is_whole(const struct s3_call *call)
{
        return call->received == call->object.size;
}

static bool may_check_md5(const struct s3_call *call)
{
        return is_whole(call) && s3_is_md5(call->object.etag) &&
               (call->s3->etags_fit || call->s3->etags_differ < S3_ETAGS_DIFFER);
}

/* Of an object in parts "SUM-3" may be told, which is of its parts' sums. */
static bool is_sum_of_whole(const struct s3_call *call)
{
        const char *told = call->object.checksum;
        size_t length = call->s3->conf.checksum == S3_SUM_CRC32C ? 8 : 12;

        return told[0] && strlen(told) == length && !strchr(told, '-');
}

static enum retry_class check_sum(struct s3_call *call, const struct iovec *pieces, int count)
{
        char text[16];

        s3_sum(call->s3->conf.checksum, pieces, count, text);
        return strcmp(text, call->object.checksum) == 0
                       ? RETRY_NEVER
                       : s3_fail(call, S3_CHECKSUM, RETRY_LATER,
                                 "the bytes are not those that were stored (checksum)");
}

/* What can be known of the bytes themselves. */
static enum retry_class check_bytes(struct s3_call *call)
{
        enum { PIECES = 256 };
        struct iovec pieces[PIECES];
        uint8_t md5[MD5_BYTES];
        char hex[2 * MD5_BYTES + 1];
        bool by_sum = is_whole(call) && is_sum_of_whole(call);
        int count;

        if (!call->has_crc32c && !by_sum && !may_check_md5(call))
                return RETRY_NEVER;
        count = cut(call->http.room, call->http.room_count, call->received, pieces, PIECES);
        if (count < 0)
                return RETRY_NEVER;
        if (by_sum)
                return check_sum(call, pieces, count);
        if (call->has_crc32c && crc32c_iov(pieces, count) != call->want_crc32c)
                return s3_fail(call, S3_CHECKSUM, RETRY_LATER,
                               "the bytes are not those that were stored (CRC32C)");
        if (call->has_crc32c)
                return RETRY_NEVER;
        md5_iov(pieces, count, md5);
        return check_md5(call, hex_of(md5, MD5_BYTES, hex));
}

static enum retry_class get_finish(struct s3_call *call)
{
        enum retry_class class;

        if (call->want_etag[0] && strcmp(call->want_etag, call->object.etag) != 0)
                return s3_fail(call, S3_OBJECT_CHANGED, RETRY_NEVER, "the answer's ETag is another");
        class = check_range(call);
        return call->result.error == S3_OK ? check_bytes(call) : class;
}

void s3_get(struct s3 *s3, struct s3_call *call, const char *key, const struct s3_get_args *args)
{
        char text[64];

        s3_begin(s3, call, S3_KIND_GET, HTTP_GET, key);
        if (args->version)
                s3_query(call, "versionId", args->version);
        call->ranged = args->offset > 0 || args->length > 0;
        call->want_first = args->offset;
        call->want_bytes = args->length;
        if (call->ranged) {
                if (args->length > 0)
                        snprintf(text, sizeof(text), "bytes=%llu-%llu", (unsigned long long)args->offset,
                                 (unsigned long long)(args->offset + args->length - 1));
                else
                        snprintf(text, sizeof(text), "bytes=%llu-", (unsigned long long)args->offset);
                s3_header(call, "range", text);
        }
        if (!call->ranged && s3->conf.checksum != S3_SUM_NONE)
                s3_header(call, "x-amz-checksum-mode", "ENABLED");
        if (args->etag) {
                s3_header_if_match(call, args->etag);
                call->if_match = 0; /* of a read: every store takes both forms */
                snprintf(call->want_etag, sizeof(call->want_etag), "%s", args->etag);
        }
        call->has_crc32c = args->crc32c != NULL;
        call->want_crc32c = args->crc32c ? *args->crc32c : 0;
        call->http.room = args->room;
        call->http.room_count = args->room_count;
        call->finish = get_finish;
        s3_start(call, S3_SMALL_ANSWER);
}

/* --- PUT */

enum retry_class s3_put_finish(struct s3_call *call)
{
        if (call->object.etag[0] == '\0')
                return s3_fail(call, S3_BAD_ANSWER, RETRY_LATER, "no ETag");
        if (call->checksum[0] && call->object.checksum[0] &&
            strcmp(call->checksum, call->object.checksum) != 0)
                return s3_fail(call, S3_CHECKSUM, RETRY_LATER, "other bytes were stored than were sent");
        if (strcmp(call->object.etag, call->md5_hex) == 0)
                call->s3->etags_fit = true;
        call->object.size = call->body_bytes;
        return RETRY_NEVER;
}

/* The condition failed, perhaps after an answer that was lost: is it our own object that is in the way? */
static enum retry_class put_seen(struct s3_call *call)
{
        call->object.size = call->announced;
        if (strcmp(call->object.etag, call->md5_hex) == 0)
                return RETRY_NEVER;
        return s3_fail(call, S3_PRECONDITION_FAILED, RETRY_NEVER, "another object is there");
}

static bool put_recover(struct s3_call *call)
{
        if (call->result.error != S3_PRECONDITION_FAILED || !(call->maybe_done || call->same_is_fine))
                return false;
        s3_again_as_head(call, put_seen);
        return true;
}

static void add_conditions(struct s3_call *call, const struct s3_put_args *args)
{
        if (args->if_none_match)
                s3_header(call, "if-none-match", "*");
        if (args->if_match)
                s3_header_if_match(call, args->if_match);
}

void s3_put(struct s3 *s3, struct s3_call *call, const char *key, const struct s3_put_args *args)
{
        s3_begin(s3, call, S3_KIND_PUT, HTTP_PUT, key);
        s3_body(call, args->body, args->body_count);
        add_conditions(call, args);
        s3_header_describe(call, args);
        call->same_is_fine = args->same_is_fine;
        call->finish = s3_put_finish;
        call->recover = put_recover;
        s3_start(call, S3_SMALL_ANSWER);
}

void s3_put_raw(struct s3_call *call, const struct iovec *body, int count)
{
        call->http.body = body;
        call->http.body_count = count;
        call->body_bytes = pieces_bytes(body, count);
        strcpy(call->payload_hash, SIGN_UNSIGNED_PAYLOAD);
        call->finish = s3_put_finish;
}

/* --- DELETE */

static bool delete_recover(struct s3_call *call)
{
        if (call->result.error == S3_OBJECT_NOT_FOUND)
                call->result.error = S3_OK;
        return false;
}

void s3_start_delete(struct s3_call *call)
{
        call->finish = done_well;
        call->recover = delete_recover;
        s3_start(call, S3_SMALL_ANSWER);
}

void s3_delete(struct s3 *s3, struct s3_call *call, const char *key, const char *etag)
{
        s3_begin(s3, call, S3_KIND_DELETE, HTTP_DELETE, key);
        if (etag && !s3->plain_deletes)
                s3_header_if_match(call, etag);
        s3_start_delete(call);
}

/* --- CopyObject */

static bool on_copy_element(struct s3_call *call, const char *path, const char *text, size_t length)
{
        if (strcmp(path, "CopyObjectResult/ETag") == 0)
                s3_copy_etag(text, length, call->object.etag);
        else if (strcmp(path, "CopyObjectResult/LastModified") == 0)
                parse_iso8601(text, &call->object.modified_ns);
        return true;
}

static enum retry_class copy_finish(struct s3_call *call)
{
        enum retry_class class;

        call->object.etag[0] = '\0';
        if (!s3_read_answer(call, "CopyObjectResult", on_copy_element, &class))
                return class;
        if (call->s3->conf.etags_are_md5 && s3_is_md5(call->want_etag) && s3_is_md5(call->object.etag) &&
            strcmp(call->want_etag, call->object.etag) != 0) /* radosgw 16 does not heed the condition */
                return s3_fail(call, S3_OBJECT_CHANGED, RETRY_NEVER,
                               "the source was another one; it was copied");
        return s3_put_finish(call);
}

void s3_copy(struct s3 *s3, struct s3_call *call, const char *source, const char *source_etag,
             const char *key, const struct s3_put_args *args)
{
        s3_begin(s3, call, S3_KIND_COPY, HTTP_PUT, key);
        s3_header_source(call, source, source_etag);
        add_conditions(call, args);
        if (args->metadata) {
                s3_header(call, "x-amz-metadata-directive", "REPLACE");
                s3_header_describe(call, args);
        }
        call->finish = copy_finish;
        s3_start(call, S3_SMALL_ANSWER);
}
