/* SPDX-License-Identifier: Apache-2.0 */
/* Multipart uploads. Parts are 1 … 10,000, each but the last of 5 MiB to 5 GiB (s3_part_bytes() chooses). */
#pragma once

#include "s3tier/s3.h"

enum { S3_PARTS = 10000 };
#define S3_PART_MIN_BYTES ((uint64_t)5 << 20)

/* How long the parts of an object of SIZE bytes are: max(16 MiB, SIZE / 9,500), rounded up to UNIT bytes. */
uint64_t s3_part_bytes(uint64_t size, uint64_t unit);

/* call.upload_id. Of ARGS metadata, content_type and storage_class count. */
void s3_upload_create(struct s3 *s3, struct s3_call *call, const char *key, const struct s3_put_args *args);
/* object.etag: to be given to complete. UPLOAD_ID is copied by all. */
void s3_upload_part(struct s3 *s3, struct s3_call *call, const char *key, const char *upload_id,
                    unsigned number, const struct iovec *body, int body_count);
/* The part is LENGTH bytes from OFFSET of SOURCE (with ETag SOURCE_ETAG, or NULL: any), copied by the server.
 */
void s3_upload_part_copy(struct s3 *s3, struct s3_call *call, const char *key, const char *upload_id,
                         unsigned number, const char *source, const char *source_etag, uint64_t offset,
                         uint64_t length);

struct s3_part {
        unsigned number;
        uint64_t size;
        char etag[S3_ETAG_BYTES];
};
struct s3_complete {
        struct s3_call call;         /* object: as it is afterwards, by a HEAD of its own */
        const struct s3_part *parts; /* ascending numbers; alive until done */
        unsigned count;
        uint64_t size;      /* of the whole */
        bool if_none_match; /* not every store heeds these (probe.h) */
        const char *if_match;
        /* private */
        struct iovec iov;
        bool made; /* the store has said so; it is being looked at */
};
/* Make the object of its parts. Success is believed when a HEAD shows the size, and the ETag that follows
 * from the parts' (where those are MD5s); so a complete whose answer was lost, and that finds its upload gone
 * when tried again, is one. */
void s3_upload_complete(struct s3 *s3, struct s3_complete *c, const char *key, const char *upload_id);
/* An upload that is not there is fine. */
void s3_upload_abort(struct s3 *s3, struct s3_call *call, const char *key, const char *upload_id);

/* The parts that have arrived, in order of numbers, page by page as s3_list; resumes an upload after a crash.
 */
struct s3_part_list {
        struct s3_call call;
        void (*part)(struct s3_part_list *, const struct s3_part *);
        bool more;
        /* private */
        unsigned last, next, next_marker;
        bool telling, truncated;
        struct s3_part reading;
};
/* LIST->next = 0: from the first. */
void s3_upload_parts(struct s3 *s3, struct s3_part_list *list, const char *key, const char *upload_id);

/* The uploads that were begun under the bucket's prefix and neither completed nor aborted, by key, page by
 * page. */
struct s3_upload {
        char key[S3_KEY_BYTES], upload_id[S3_UPLOAD_ID_BYTES];
        uint64_t initiated_ns;
};
struct s3_upload_list {
        struct s3_call call;
        const char *prefix; /* of the keys, behind the bucket's; NULL: all */
        void (*upload)(struct s3_upload_list *, const struct s3_upload *);
        bool more;
        /* private; zero before the first page */
        char key_marker[S3_KEY_BYTES], id_marker[S3_UPLOAD_ID_BYTES];
        char next_key[S3_KEY_BYTES], next_id[S3_UPLOAD_ID_BYTES];
        struct s3_upload reading;
        bool telling, truncated;
};
void s3_uploads(struct s3 *s3, struct s3_upload_list *list);
