/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that somebody else owns. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"

struct slice {
        const uint8_t *data;
        uint32_t length;
};

static inline struct slice slice_of(const void *data, uint32_t length)
{
        return (struct slice){ data, length };
}
static inline struct slice slice_str(const char *text)
{
        return slice_of(text, (uint32_t)strlen(text));
}
/* Into OUT, which has BYTES, as a C string. */
static inline void slice_text(char *out, size_t bytes, struct slice s)
{
        CHECK(s.length < bytes);
        if (s.length > 0)
                memcpy(out, s.data, s.length);
        out[s.length] = '\0';
}
static inline bool slice_equal(struct slice a, struct slice b)
{
        return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}
