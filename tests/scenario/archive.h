/* SPDX-License-Identifier: Apache-2.0 */
/* What scenarios of an archive_lab have in common: one lab for all cases, and its calls by short names. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lab/archive_lab.h"

static struct archive_lab a;

static inline int setup(void **state)
{
        (void)state;
        archive_lab_start(&a, "");
        return 0;
}

/* The bucket can be listed: sweeps find what others put there. */
static inline int setup_with_listings(void **state)
{
        setup(state);
        a.bucket.lists = true;
        return 0;
}

static inline int teardown(void **state)
{
        (void)state;
        archive_lab_stop(&a);
        return 0;
}

static inline void seconds(unsigned n)
{
        archive_lab_seconds(&a, n);
}

static inline struct user_fh make(const struct user_fh *dir, const char *name, uint64_t size)
{
        return archive_lab_make(&a, dir, name, size);
}

static inline void written(const struct user_fh *fh, uint64_t size)
{
        archive_lab_written(&a, fh, size);
}

static inline bool is_archived(const struct user_fh *fh)
{
        return archive_lab_is_archived(&a, fh);
}

static inline struct user_attrs look(const struct user_fh *dir, const char *name, struct user_fh *ret)
{
        return archive_lab_look(&a, dir, name, ret);
}

/* NAME is the same in both directories, as far as attributes say; its handles. */
static inline void expect_same(const struct user_fh *one, const struct user_fh *other, const char *name,
                               struct user_fh *ret_one, struct user_fh *ret_other)
{
        struct user_attrs x = look(one, name, ret_one), y = look(other, name, ret_other);

        assert_int_equal(x.type, y.type);
        assert_int_equal(x.mode, y.mode);
        assert_int_equal(x.uid, y.uid);
        assert_int_equal(x.gid, y.gid);
        assert_int_equal(x.mtime, y.mtime);
        if (x.type != NF4DIR)
                assert_int_equal(x.size, y.size);
}

#define OBJECT(...) ARCHIVE_LAB_OBJECT(&a, __VA_ARGS__)
