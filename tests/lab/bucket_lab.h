/* SPDX-License-Identifier: Apache-2.0 */
/* A bucket as the metadata server sees it: objects in memory, behind the seam of s3tier/http.h, with
 * listings, copies, conditions and multipart uploads; and the data servers of mds_lab that send what they
 * have to it (CTL_UPLOAD). Contents are sizes and the first bytes; what a real store answers is tested with
 * real ones. */
#pragma once

#include "s3tier/http.h"
#include "tests/lab/mds_lab.h"

enum {
        BUCKET_OBJECTS = 128,
        BUCKET_BODY = 4096,
        BUCKET_METADATA = 24,
        BUCKET_UPLOADS = 32,
        BUCKET_PARTS = 16,
        BUCKET_EDITS = 16
};

struct bucket_part {
        char etag[64]; /* with the change attribute of what was sent; "": it is not there */
        uint64_t size;
        uint8_t digest[DIGEST_BYTES]; /* of its bytes (bucket_edit()); zeros: of no part that was sent */
};

struct bucket_object {
        char key[256], etag[40], body[BUCKET_BODY];
        uint64_t modified_ns; /* 0: 2026-01-02T03:04:05Z, of which only listings tell */
        uint64_t size;
        struct {
                char name[40], value[512];
        } metadata[BUCKET_METADATA];
        unsigned metadata_count;
        struct bucket_part parts[BUCKET_PARTS]; /* that it was made of */
};

struct bucket_unfinished { /* an upload that is neither completed nor aborted */
        struct bucket_object object;
        unsigned id; /* 0: free */
        uint64_t initiated_ns;
};

struct bucket_lab {
        struct bucket_object objects[BUCKET_OBJECTS];
        unsigned count;
        uint64_t etags, latency_ns;
        struct env *env; /* of the last who connected */
        struct bucket_unfinished unfinished[BUCKET_UPLOADS];
        unsigned upload_ids;
        /* seen */
        unsigned puts, copies, deletes, heads, gets, uploads /* by data servers */, completes, aborts;
        unsigned part_copies;
        uint64_t uploaded_bytes /* by data servers */, copied_bytes /* of parts */;
        /* what data servers have: bytes that were written; the last of an offset counts */
        struct {
                uint64_t offset, stamp;
        } edits[BUCKET_EDITS];
        unsigned edit_count;
        /* from now on */
        int status;         /* for every request: this, instead of what it deserves; 0: none */
        int head_status;    /* for every HEAD */
        int parts_status;   /* for every ListParts */
        bool versions;      /* it keeps them: answers tell an object's, which is "version-of-ETAG" */
        bool short_values;  /* metadata of more than 256 bytes are too much for it, as for Swift */
        bool no_conditions; /* 501, as Swift */
        enum {
                BUCKET_IGNORES,
                BUCKET_HEEDS,
                BUCKET_ALWAYS_REFUSES,
                BUCKET_KNOWS_NONE /* 501 */
        } deletes_if;             /* the If-Match of a DELETE */
        bool no_copies;           /* 501 */
        bool no_part_copies;      /* likewise */
        bool heedless;            /* copies of parts heed no condition, as those of radosgw 16 */
        bool copies_alike;        /* a copy has the ETag of its source */
        bool keeps_time;          /* objects say when they were written */
        bool wary;                /* they refuse any condition, as Swift's of objects of parts */
        int copy_status;          /* for copies of parts: this; 0: none */
        unsigned page_keys;       /* of a listing; 0: all that there are */
        bool lists;               /* what is in it; else listings are empty */
        bool lose_answers;        /* a data server's PUT is done, and nobody hears of it */
        bool unheard;  /* a data server's PUT is done, but S3's answer is lost: so says the data server */
        bool nonsense; /* data servers cannot make sense of what they are told */
        /* Nobody hears an answer any more: not to the request with this number (1: the next), data servers'
         * included, nor to a later one; 0: all is well. CARRIED_OUT: it is, nevertheless. */
        unsigned silent_from;
        bool carried_out, silent;
        void (*on_copy)(struct bucket_lab *); /* of a part, before it is made */
        /* of a data server, when its bytes have been taken */
        void (*on_upload)(struct bucket_lab *, const ctl_upload_args *);
        void (*on_delete)(struct bucket_lab *); /* before one is carried out */
};
struct bucket_object *bucket_find(struct bucket_lab *b, const char *key);
/* Somebody else puts something there. */
void bucket_put(struct bucket_lab *b, const char *key, const char *body);
void bucket_remove(struct bucket_lab *b, const char *key);
/* Somebody else begins an upload at KEY, with a part or none; its id. */
unsigned bucket_begin(struct bucket_lab *b, const char *key, bool with_part);
/* Is that with ID neither completed nor aborted? */
bool bucket_is_unfinished(const struct bucket_lab *b, unsigned id);
unsigned bucket_count_unfinished(const struct bucket_lab *b);
const char *bucket_metadata(const struct bucket_object *o, const char *name);
/* Somebody else gives it metadata. */
void bucket_describe(struct bucket_object *o, const char *name, const char *value);
/* Other bytes (STAMP) are written at OFFSET of the file of a test that has only one: data servers tell other
 * digests of the parts with that. */
void bucket_edit(struct bucket_lab *b, uint64_t offset, uint64_t stamp);
/* Are the parts of O what data servers would send now? */
bool bucket_is_like_file(const struct bucket_lab *b, const struct bucket_object *o);
/* For tier->connect. */
struct http *bucket_http(struct bucket_lab *b, struct env *env);
/* lab_ds.upload */
bool bucket_upload(void *bucket, const ctl_upload_args *args, ctl_upload_res *res);
