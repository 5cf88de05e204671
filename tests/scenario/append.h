/* SPDX-License-Identifier: Apache-2.0 */
/* What scenarios of mds_archive_append*.c have in common: "big" is an object of three parts, and is changed.
 */
#pragma once

#include "mds/tier/digests.h"
#include "tests/scenario/archive.h"

#define MIB ((uint64_t)1 << 20)
#define PART (16 * MIB)
#define BIG (40 * MIB) /* 16 + 16 + 8 MiB */

static struct user_fh big;

/* The client keeps its lease. */
static inline void seconds_of_use(unsigned n)
{
        for (unsigned i = 0; i < n; i += 20) {
                seconds(20);
                archive_lab_fileid(&a, &big);
        }
}

/* What is counted is what happens from now on. */
static inline void forget(void)
{
        a.bucket.uploads = a.bucket.part_copies = a.bucket.completes = 0;
        a.bucket.uploaded_bytes = a.bucket.copied_bytes = 0;
}

/* "big" is in S3. */
static inline int setup_big(void **state)
{
        setup_with_listings(state);
        big = make(&a.train, "big", BIG);
        seconds(10);
        assert_true(is_archived(&big));
        assert_int_equal(a.bucket.uploaded_bytes, BIG);
        forget();
        return 0;
}

static inline void assert_same(uint64_t size)
{
        const struct bucket_object *o = bucket_find(&a.bucket, "big");

        assert_true(is_archived(&big));
        assert_int_equal(o->size, size);
        assert_true(bucket_is_like_file(&a.bucket, o));
        assert_int_equal(bucket_count_unfinished(&a.bucket), 0);
}

/* SENT bytes of SIZE came from data servers, and the others are copies. */
static inline void assert_sent(uint64_t sent, uint64_t size)
{
        assert_same(size);
        assert_int_equal(a.bucket.uploaded_bytes, sent);
        assert_int_equal(a.bucket.copied_bytes, size - sent);
        assert_int_equal(a.bucket.completes, 1);
}

/* It has SIZE bytes now, those at OFFSET are others. */
static inline void change(uint64_t offset, uint64_t stamp, uint64_t size)
{
        bucket_edit(&a.bucket, offset, stamp);
        written(&big, size);
}

static inline void cut(uint64_t size)
{
        struct attr_set set = { .size = size };

        bitmap_set(&set.mask, FATTR4_SIZE);
        assert_int_equal(user_setattr(&a.u, &big, NULL, &set), NFS4_OK);
}

/* It is "new" now. */
static inline void rename_it(void)
{
        assert_int_equal(user_rename(&a.u, &a.train, "big", &a.train, "new"), NFS4_OK);
}

static inline void assert_new(uint64_t sent)
{
        assert_true(is_archived(&big));
        assert_int_equal(a.bucket.uploaded_bytes, sent);
        assert_true(bucket_is_like_file(&a.bucket, bucket_find(&a.bucket, "new")));
        assert_int_equal(bucket_count_unfinished(&a.bucket), 0);
}

static inline void forget_digests(void)
{
        uint64_t fileid = archive_lab_fileid(&a, &big), seq;
        struct txn *t = txn_begin(a.lab.mds.meta);
        uint8_t key[KEY_MAX];

        txn_delete_all(t, key_all_digests(key, fileid));
        assert_int_equal(txn_commit(t, &seq), 0);
}
