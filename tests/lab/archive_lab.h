/* SPDX-License-Identifier: Apache-2.0 */
/* A metadata server (mds_lab) with a repo /train that exports to a bucket_lab, and a client. */
#pragma once

#include "mds/tier/archive.h"
#include "tests/lab/bucket_lab.h"

struct archive_lab {
        struct mds_lab lab; /* first */
        struct bucket_lab bucket;
        struct user u;
        struct user_fh root, train; /* directories: outside, inside */
        const char *conf;
};

/* With CONF, more lines of the repo's configuration, or "". Export after 5 s, deletions after 60, and no
 * manifests unless CONF says so: most scenarios count requests. */
void archive_lab_start(struct archive_lab *a, const char *conf);
void archive_lab_stop(struct archive_lab *a);
/* kill -9 of the metadata server; then the client is a new one. */
void archive_lab_crash(struct archive_lab *a);
void archive_lab_seconds(struct archive_lab *a, unsigned n);
/* A file with SIZE bytes on its data servers, closed; its handle. */
struct user_fh archive_lab_make(struct archive_lab *a, const struct user_fh *dir, const char *name,
                                uint64_t size);
/* Data servers say that FH has SIZE bytes now. */
void archive_lab_written(struct archive_lab *a, const struct user_fh *fh, uint64_t size);
uint64_t archive_lab_fileid(struct archive_lab *a, const struct user_fh *fh);
/* NAME in DIR: what it is like, its handle in *RET unless that is NULL. */
struct user_attrs archive_lab_look(struct archive_lab *a, const struct user_fh *dir, const char *name,
                                   struct user_fh *ret);
/* Somebody else puts an object there, with METADATA: names and values, then NULL. */
void archive_lab_object(struct archive_lab *a, const char *key, const char *body,
                        const char *const *metadata);
#define ARCHIVE_LAB_OBJECT(lab, key, body, ...) \
        archive_lab_object(lab, key, body, (const char *const[]){ __VA_ARGS__, NULL })
/* Does S3 have all of it, as far as the metadata say? */
bool archive_lab_is_archived(struct archive_lab *a, const struct user_fh *fh);
