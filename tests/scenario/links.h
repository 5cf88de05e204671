/* SPDX-License-Identifier: Apache-2.0 */
/* What scenarios of files with several names have in common. */
#pragma once

#include <stdlib.h>

#include "mds/tier/sweep.h"
#include "nfs4/codec.h"
#include "tests/scenario/archive.h"

static inline const char *etag_of(const char *key)
{
        const struct bucket_object *o = bucket_find(&a.bucket, key);

        return o ? o->etag : "none";
}

static inline uint64_t size_of(const char *key)
{
        const struct bucket_object *o = bucket_find(&a.bucket, key);

        return o ? o->size : UINT64_MAX;
}

static inline unsigned links_of(const struct user_fh *dir, const char *name)
{
        return look(dir, name, NULL).links;
}

static inline struct user_fh make_two(void)
{
        struct user_fh fh = make(&a.train, "f", 1000);

        assert_int_equal(user_link(&a.u, &fh, &a.train, "g"), NFS4_OK);
        seconds(15);
        assert_int_equal(size_of("f"), 1000);
        assert_int_equal(size_of("g"), 1000);
        assert_int_equal(links_of(&a.train, "g"), 2);
        return fh;
}

/* With a client that keeps its lease. */
static inline void minutes(unsigned n)
{
        struct user_fh fh;

        for (n *= 4; n > 0; n--) {
                seconds(15);
                user_lookup(&a.u, &a.root, "train", &fh);
        }
}

static inline void sweep(void)
{
        assert_int_equal(sweep_start(a.lab.mds.tier, repo_by_number(a.lab.mds.tier, 1), false), 0);
        seconds(2);
}

/* As it was: nothing is sent, taken over or deleted. */
static inline void nothing_happens(void)
{
        unsigned puts = a.bucket.puts, uploads = a.bucket.uploads, copies = a.bucket.copies,
                 deletes = a.bucket.deletes, count = a.bucket.count;

        sweep();
        minutes(20);
        sweep();
        minutes(2);
        assert_int_equal(a.bucket.puts, puts);
        assert_int_equal(a.bucket.uploads, uploads);
        assert_int_equal(a.bucket.copies, copies);
        assert_int_equal(a.bucket.deletes, deletes);
        assert_int_equal(a.bucket.count, count);
}
