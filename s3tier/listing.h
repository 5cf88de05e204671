/* SPDX-License-Identifier: Apache-2.0 */
/* ListObjectsV2, page by page. Memory does not grow with the bucket. A page is checked as a whole before its
 * first entry is told: well-formed, for what was asked, of the length it says, and its keys behind all keys
 * so far; one that is not is asked for again, then S3_BAD_ANSWER. So a server or a proxy that repeats or
 * reorders pages makes an error, not a loop, nor a key told twice. (AWS's directory buckets list in no order
 * and are not for this.) */
#pragma once

#include "s3tier/s3.h"

struct s3_entry {
        const char *key; /* without the bucket's prefix; of a common prefix with its delimiter at the end */
        bool is_prefix;
        uint64_t size, modified_ns;
        const char *etag, *storage_class; /* "" if there is none */
};

struct s3_list {
        struct s3_call call;     /* set priority, deadline_ms, done: after each page */
        const char *prefix;      /* behind the bucket's; "" for all */
        const char *delimiter;   /* "/" or "" */
        const char *start_after; /* a key, or "" */
        unsigned page;           /* keys a page, 1 … 1,000 */
        void (*entry)(struct s3_list *, const struct s3_entry *);

        /* after each page */
        bool more;
        uint64_t told; /* entries so far */

        /* private */
        char token[2048], last_key[S3_KEY_BYTES], last_prefix[S3_KEY_BYTES];
        unsigned empty_pages;
        struct s3_list_page *reading;
};
/* The first page, then, while more, the next. The same token twice is an error. */
void s3_list_first(struct s3 *s3, struct s3_list *list);
void s3_list_next(struct s3 *s3, struct s3_list *list);
