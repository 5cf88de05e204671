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

#define OBJECT(...) ARCHIVE_LAB_OBJECT(&a, __VA_ARGS__)
