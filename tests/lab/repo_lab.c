/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/repo_lab.h"

#include <stdlib.h>
#include <string.h>

enum { REPO = 3, MOST_BYTES = 65536, MOST_FILES = 64 };

void repo_lab_link(struct mds_lab *lab, struct s3_model *s3)
{
        static const struct s3_conf conf = { .endpoint = "http://127.0.0.1:1",
                                             .bucket = "bucket",
                                             .prefix = "p/",
                                             .budget = { .in_flight = 16 } };
        struct repo *r = calloc(1, sizeof(*r));
        const char *why;

        CHECK(r != NULL);
        r->number = REPO;
        r->creds = creds_given("key", "secret");
        r->http = s3_model_http(s3, lab->mds.env);
        r->s3 = s3_new(r->http, r->creds, &conf, &why);
        CHECK(r->s3 != NULL);
        list_push(&lab->mds.tier->repos, &r->node);
}

void repo_lab_archive(struct mds_lab *lab, struct s3_model *s3, uint64_t fileid, const char *key,
                      uint64_t bytes)
{
        static const uint8_t content[MOST_BYTES];
        static char paths[MOST_FILES][64];
        static uint32_t path;
        struct txn *t = txn_begin(lab->mds.meta);
        struct inode *i = txn_edit(t, fileid);
        struct backing b = { .repo = REPO,
                             .size = bytes,
                             .valid = bytes,
                             .change = i->change,
                             .key = slice_str(key),
                             .etag = slice_str("etag-1") };
        uint64_t seq;

        CHECK(bytes <= MOST_BYTES);
        i->size = bytes;
        i->flags |= INODE_DATA;
        memset(b.here, 0xff, sizeof(b.here));
        tier_put_backing(t, i, &b);
        CHECK(txn_commit(t, &seq) == 0);
        for (int n = 0; n < LAB_DATA_SERVERS; n++)
                *lab_ds_object(&lab->ds[n], fileid) = (struct lab_object){
                        .fileid = fileid, .size = bytes, .used = 8192, .settled = true, .there = true
                };
        path = (path + 1) % MOST_FILES;
        snprintf(paths[path], sizeof(paths[path]), "/bucket/p/%s", key);
        s3_model_put(s3, paths[path], "etag-1", content, bytes);
}
