/* SPDX-License-Identifier: Apache-2.0 */
/* ListParts and ListMultipartUploads: read twice like pages of objects, first checked, then told. */
#include <stdio.h>

#include "base/check.h"
#include "s3tier/call.h"
#include "s3tier/multipart.h"

enum { PAGE_BYTES = 4 * 1024 * 1024 };

static enum retry_class in_disorder(struct s3_call *call)
{
        return s3_fail(call, S3_BAD_ANSWER, RETRY_LATER, "a page in disorder, or one that leads to itself");
}

/* --- parts */

static struct s3_part_list *parts_of(struct s3_call *call)
{
        return CONTAINER(call, struct s3_part_list, call);
}

static bool end_part(struct s3_part_list *list)
{
        if (list->reading.number <= list->last)
                return false;
        list->last = list->reading.number;
        if (list->telling)
                list->part(list, &list->reading);
        list->reading = (struct s3_part){ .number = 0 };
        return true;
}

static bool on_part_element(struct s3_call *call, const char *path, const char *text, size_t length)
{
        struct s3_part_list *list = parts_of(call);
        uint64_t n = 0;

        path += strlen("ListPartsResult");
        if (strcmp(path, "/Part") == 0)
                return end_part(list);
        if (strcmp(path, "/Part/ETag") == 0)
                s3_copy_etag(text, length, list->reading.etag);
        else if (strcmp(path, "/Part/Size") == 0)
                return parse_u64(text, length, &list->reading.size);
        else if (strcmp(path, "/IsTruncated") == 0)
                list->truncated = strcmp(text, "true") == 0;
        else if (strcmp(path, "/Part/PartNumber") == 0 || strcmp(path, "/NextPartNumberMarker") == 0) {
                if (length > 0 && (!parse_u64(text, length, &n) || n > S3_PARTS))
                        return false;
                *(path[1] == 'P' ? &list->reading.number : &list->next_marker) = (unsigned)n;
        }
        return true;
}

static bool read_parts(struct s3_call *call, bool telling, enum retry_class *ret)
{
        struct s3_part_list *list = parts_of(call);

        list->telling = telling;
        list->truncated = false;
        list->last = list->next;
        list->next_marker = 0;
        list->reading = (struct s3_part){ .number = 0 };
        return s3_read_answer(call, "ListPartsResult", on_part_element, ret);
}

static enum retry_class parts_finish(struct s3_call *call)
{
        struct s3_part_list *list = parts_of(call);
        enum retry_class class;

        if (!read_parts(call, false, &class))
                return class;
        if (list->truncated && (list->next_marker <= list->next || list->next_marker < list->last))
                return in_disorder(call);
        CHECK(read_parts(call, true, &class));
        list->next = list->next_marker;
        list->more = list->truncated;
        return RETRY_NEVER;
}

void s3_upload_parts(struct s3 *s3, struct s3_part_list *list, const char *key, const char *upload_id)
{
        list->more = false;
        s3_begin(s3, &list->call, S3_KIND_MULTIPART, HTTP_GET, key);
        s3_query_u64(&list->call, "max-parts", 1000);
        if (list->next > 0)
                s3_query_u64(&list->call, "part-number-marker", list->next);
        s3_query(&list->call, "uploadId", upload_id);
        list->call.finish = parts_finish;
        s3_start(&list->call, PAGE_BYTES);
}

/* --- uploads */

static struct s3_upload_list *uploads_of(struct s3_call *call)
{
        return CONTAINER(call, struct s3_upload_list, call);
}

static bool on_upload_element(struct s3_call *call, const char *path, const char *text, size_t length)
{
        struct s3_upload_list *list = uploads_of(call);
        struct s3_upload *u = &list->reading;

        path += strlen("ListMultipartUploadsResult");
        if (strcmp(path, "/Upload/Key") == 0)
                return !s3_take_key(call->s3, text, length, u->key);
        if (strcmp(path, "/Upload/UploadId") == 0)
                return text_copy(u->upload_id, sizeof(u->upload_id), text, length);
        if (strcmp(path, "/Upload/Initiated") == 0)
                parse_iso8601(text, &u->initiated_ns);
        else if (strcmp(path, "/IsTruncated") == 0)
                list->truncated = strcmp(text, "true") == 0;
        else if (strcmp(path, "/NextKeyMarker") == 0 && length > 0)
                return !s3_take_key(call->s3, text, length, list->next_key);
        else if (strcmp(path, "/NextUploadIdMarker") == 0)
                return text_copy(list->next_id, sizeof(list->next_id), text, length);
        else if (strcmp(path, "/Upload") == 0) {
                if (list->telling)
                        list->upload(list, u);
                *u = (struct s3_upload){ .initiated_ns = 0 };
        }
        return true;
}

static bool read_uploads(struct s3_call *call, bool telling, enum retry_class *ret)
{
        struct s3_upload_list *list = uploads_of(call);

        list->telling = telling;
        list->truncated = false;
        list->next_key[0] = list->next_id[0] = '\0';
        list->reading = (struct s3_upload){ .initiated_ns = 0 };
        return s3_read_answer(call, "ListMultipartUploadsResult", on_upload_element, ret);
}

static enum retry_class uploads_finish(struct s3_call *call)
{
        struct s3_upload_list *list = uploads_of(call);
        enum retry_class class;
        int order;

        if (!read_uploads(call, false, &class))
                return class;
        order = strcmp(list->next_key, list->key_marker);
        if (list->truncated && (order < 0 || (order == 0 && strcmp(list->next_id, list->id_marker) == 0)))
                return in_disorder(call);
        CHECK(read_uploads(call, true, &class));
        strcpy(list->key_marker, list->next_key);
        strcpy(list->id_marker, list->next_id);
        list->more = list->truncated;
        return RETRY_NEVER;
}

void s3_uploads(struct s3 *s3, struct s3_upload_list *list)
{
        struct s3_call *call = &list->call;
        char marker[2 * S3_KEY_BYTES], prefix[2 * S3_KEY_BYTES];

        list->more = false;
        snprintf(marker, sizeof(marker), "%s%s", s3->conf.prefix, list->key_marker);
        snprintf(prefix, sizeof(prefix), "%s%s", s3->conf.prefix, list->prefix ? list->prefix : "");
        s3_begin(s3, call, S3_KIND_MULTIPART, HTTP_GET, NULL);
        s3_query(call, "encoding-type", "url");
        if (list->key_marker[0])
                s3_query(call, "key-marker", marker);
        s3_query_u64(call, "max-uploads", 1000);
        s3_query(call, "prefix", prefix);
        if (list->id_marker[0])
                s3_query(call, "upload-id-marker", list->id_marker);
        s3_query(call, "uploads", "");
        call->finish = uploads_finish;
        s3_start(call, PAGE_BYTES);
}
