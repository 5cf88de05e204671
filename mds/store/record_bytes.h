/* SPDX-License-Identifier: Apache-2.0 */
/* How values are written and read, byte by byte; all integers big-endian. For the files that hold records. */
#pragma once

#include <string.h>

#include "base/slice.h"

/* --- writing: OUT is known to be large enough */

static inline uint8_t *put(uint8_t *at, uint64_t value, unsigned bytes)
{
        for (unsigned i = bytes; i > 0; i--, value >>= 8)
                at[i - 1] = (uint8_t)value;
        return at + bytes;
}

static inline uint8_t *put_bytes(uint8_t *at, const void *bytes, uint32_t length)
{
        if (length > 0) /* BYTES may be NULL else */
                memcpy(at, bytes, length);
        return at + length;
}

static inline struct slice written(const uint8_t *out, const uint8_t *end)
{
        return slice_of(out, (uint32_t)(end - out));
}

/* --- reading: one that fails sticks and is checked once, at the end */

struct reader {
        const uint8_t *at, *end;
        bool failed;
};

static inline uint64_t take(struct reader *r, unsigned bytes)
{
        uint64_t value = 0;

        if ((size_t)(r->end - r->at) < bytes) {
                r->failed = true;
                r->at = r->end;
                return 0;
        }
        while (bytes-- > 0)
                value = value << 8 | *r->at++;
        return value;
}

static inline void take_bytes(struct reader *r, void *out, uint32_t length)
{
        if ((size_t)(r->end - r->at) < length) {
                r->failed = true;
                return;
        }
        memcpy(out, r->at, length);
        r->at += length;
}

/* Points into the value. */
static inline struct slice take_slice(struct reader *r, uint32_t length)
{
        struct slice s = slice_of(r->at, length);

        if ((size_t)(r->end - r->at) < length) {
                r->failed = true;
                return slice_of(r->at, 0);
        }
        r->at += length;
        return s;
}

static inline struct reader read_value(struct slice value, uint8_t version)
{
        struct reader r = { value.data, value.data + value.length, false };

        if (take(&r, 1) != version)
                r.failed = true;
        return r;
}

static inline bool whole(const struct reader *r)
{
        return !r->failed && r->at == r->end;
}
