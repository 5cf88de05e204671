/* SPDX-License-Identifier: Apache-2.0 */
/* Private to manifest_queue.c (which are due) and manifest_write.c (one of them). */
#pragma once

#include "mds/tier/manifest.h"

/* One directory's. */
struct writing {
        struct list node; /* in manifests->active */
        struct manifests *manifests;
        struct repo *repo;
        uint64_t directory;
        char prefix[BACKING_KEY_BYTES + 1];
        bool again;                 /* something has changed since it began */
        bool full;                  /* the page has no room for what is behind THROUGH */
        unsigned pages;             /* written */
        unsigned there;             /* so many may be in the bucket */
        char through[S3_KEY_BYTES]; /* the last key that was looked at */
        struct s3_list list;
        struct s3_call call;
        struct manifest_page page;
        struct iovec body;
        char key[MANIFEST_KEY_BYTES];
};

struct manifests {
        struct tier *tier;
        struct list active;
        unsigned count;
        struct timer turn;
        int64_t next; /* the first that is due behind those that were looked at, wall time; INT64_MAX: none */
        uint8_t from[KEY_MAX + 1]; /* the pass goes on here */
        uint32_t from_length;      /* 0: at the first */
        bool passing;              /* a pass is under way, or about to begin */
        bool stopping;
        struct metric written, failed;
};

/* --- manifest_queue.c */

int64_t manifests_wall(const struct manifests *m);
/* How many pages of the directory PREFIX of REPO may be in the bucket. */
uint32_t manifest_pages(struct tier *t, uint32_t repo, struct slice prefix);
/* In T: PREFIX is to be written at DUE, and not before. */
void manifest_put_mark(struct manifests *m, struct txn *t, uint32_t repo, struct slice prefix, int64_t due);
/* From a change until it is told, in ns, of a directory of R with so many PAGES. */
int64_t manifest_delay(const struct repo *r, unsigned pages);
/* A directory was written, or not: there is room for another one. */
void manifests_go_on(struct manifests *m);
/* Another look is due then, wall time. */
void manifests_look_at(struct manifests *m, int64_t due);

/* --- manifest_write.c */

/* Write that of the directory PREFIX of R, or remove it if that is gone. */
void manifest_write(struct manifests *m, struct repo *r, struct slice prefix);
void writing_free(struct writing *w); /* its mark stands */
