/* SPDX-License-Identifier: Apache-2.0 */
/* The XDR cursors (RFC 4506). Reading: a failed read sticks (`bad`) and gives zeros, so decoders have no ifs
 * and check once. Opaque data is a slice of the record, never a copy. Writing: into one bounded head buffer;
 * data that lives elsewhere is linked in by reference and goes out with writev. */
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include "base/bufpool.h"
#include "base/check.h"
#include "base/slice.h"

struct xdr_in {
        const uint8_t *p, *end;
        bool bad;
};

static inline struct xdr_in xdr_in_of(struct slice s)
{
        /* Empty slices may have no bytes at all. */
        return (struct xdr_in){ s.data, s.length > 0 ? s.data + s.length : s.data, false };
}
static inline uint32_t xdr_left(const struct xdr_in *x)
{
        return (uint32_t)(x->end - x->p);
}

/* N bytes (padding not counted), or NULL and bad. */
static inline const uint8_t *xdr_get_bytes(struct xdr_in *x, uint32_t n)
{
        uint64_t padded = ((uint64_t)n + 3) & ~3ULL;
        const uint8_t *p = x->p;

        if (x->bad || padded > (uint64_t)(x->end - p)) {
                x->bad = true;
                return NULL;
        }
        x->p = p + padded;
        return p;
}
static inline uint32_t xdr_get_u32(struct xdr_in *x)
{
        uint32_t v;

        if (x->bad || x->end - x->p < 4) {
                x->bad = true;
                return 0;
        }
        memcpy(&v, x->p, 4);
        x->p += 4;
        return be32toh(v);
}
static inline uint64_t xdr_get_u64(struct xdr_in *x)
{
        uint64_t high = xdr_get_u32(x);

        return high << 32 | xdr_get_u32(x);
}
static inline bool xdr_get_bool(struct xdr_in *x)
{
        uint32_t v = xdr_get_u32(x);

        if (v > 1)
                x->bad = true;
        return v == 1;
}
/* Variable-length opaque or string of at most MAX bytes; an empty slice when bad. */
static inline struct slice xdr_get_opaque(struct xdr_in *x, uint32_t max)
{
        uint32_t n = xdr_get_u32(x);
        const uint8_t *p;

        if (n > max)
                x->bad = true;
        p = xdr_get_bytes(x, n);
        return p ? slice_of(p, n) : (struct slice){ 0 };
}
/* Fixed-length opaque into OUT (zeroed when bad). */
static inline void xdr_get_fixed(struct xdr_in *x, void *out, uint32_t n)
{
        const uint8_t *p = xdr_get_bytes(x, n);

        if (p)
                memcpy(out, p, n);
        else
                memset(out, 0, n);
}
/* The count of an array whose elements take at least ELEMENT_BYTES each: never more than can follow. */
static inline uint32_t xdr_get_count(struct xdr_in *x, uint32_t max, uint32_t element_bytes)
{
        uint32_t n = xdr_get_u32(x);

        if (n > max || (uint64_t)n * element_bytes > xdr_left(x)) {
                x->bad = true;
                return 0;
        }
        return n;
}

/* A payload that lives in BUF (one reference held) and goes out behind the first HEAD_OFFSET bytes of the
 * head. */
struct xdr_ref {
        struct buf *buf;
        const uint8_t *data;
        uint32_t length, head_offset;
};
enum { XDR_MAX_REFS = 8 };

struct xdr_out {
        uint8_t *start, *p, *end;
        bool full; /* a put did not fit: sticks; p stays where it was */
        uint32_t ref_count, ref_bytes;
        struct xdr_ref refs[XDR_MAX_REFS];
};

static inline void xdr_out_init(struct xdr_out *x, uint8_t *data, uint32_t capacity)
{
        x->start = x->p = data;
        x->end = data + capacity;
        x->full = false;
        x->ref_count = x->ref_bytes = 0;
}
static inline uint32_t xdr_head_length(const struct xdr_out *x)
{
        return (uint32_t)(x->p - x->start);
}
/* Head and payloads together: what the peer gets. */
static inline uint32_t xdr_out_length(const struct xdr_out *x)
{
        return xdr_head_length(x) + x->ref_bytes;
}
static inline uint32_t xdr_room(const struct xdr_out *x)
{
        return (uint32_t)(x->end - x->p);
}
/* N bytes to fill (a multiple of 4), or NULL and full. */
static inline uint8_t *xdr_reserve(struct xdr_out *x, uint32_t n)
{
        uint8_t *p = x->p;

        if (x->full || n > xdr_room(x)) {
                x->full = true;
                return NULL;
        }
        x->p += n;
        return p;
}
static inline void xdr_put_u32(struct xdr_out *x, uint32_t v)
{
        uint8_t *p = xdr_reserve(x, 4);

        v = htobe32(v);
        if (p)
                memcpy(p, &v, 4);
}
static inline void xdr_put_u64(struct xdr_out *x, uint64_t v)
{
        uint8_t *p = xdr_reserve(x, 8);

        v = htobe64(v);
        if (p)
                memcpy(p, &v, 8);
}
static inline void xdr_put_bool(struct xdr_out *x, bool v)
{
        xdr_put_u32(x, v ? 1 : 0);
}
static inline void xdr_put_fixed(struct xdr_out *x, const void *data, uint32_t n)
{
        uint32_t padded = (n + 3) & ~3u;
        uint8_t *p = xdr_reserve(x, padded);

        if (!p || padded == 0)
                return;
        memset(p + padded - 4, 0, 4);
        memcpy(p, data, n);
}
static inline void xdr_put_opaque(struct xdr_out *x, const void *data, uint32_t n)
{
        xdr_put_u32(x, n);
        xdr_put_fixed(x, data, n);
}
static inline void xdr_put_slice(struct xdr_out *x, struct slice s)
{
        xdr_put_opaque(x, s.data, s.length);
}
static inline void xdr_put_string(struct xdr_out *x, const char *text)
{
        xdr_put_opaque(x, text, (uint32_t)strlen(text));
}
/* Overwrite the u32 that stands at byte AT of the head. */
static inline void xdr_patch_u32(struct xdr_out *x, uint32_t at, uint32_t v)
{
        CHECK(at + 4 <= xdr_head_length(x));
        v = htobe32(v);
        memcpy(x->start + at, &v, 4);
}
/* Link N bytes at DATA inside BUF as opaque contents (the length word is the caller's); pads with zeros in
 * the head. Takes over the caller's reference on BUF, also when it does not fit (full: no room to pad, or
 * XDR_MAX_REFS taken). */
void xdr_put_ref(struct xdr_out *x, struct buf *buf, const uint8_t *data, uint32_t n);
/* Go back to head length AT, dropping what was linked in after head byte AT was written: a payload that ends
 * at AT stays (its length word stands before it, so a later payload's offset is above AT). There is room
 * again: `full` is cleared. */
void xdr_truncate(struct xdr_out *x, uint32_t at);
/* Drop all references (buf_unref). */
void xdr_out_release(struct xdr_out *x);
enum { XDR_MAX_PARTS = 2 * XDR_MAX_REFS + 1 };
/* The whole reply as an iovec of at most XDR_MAX_PARTS parts; returns their number. */
int xdr_out_iovec(const struct xdr_out *x, struct iovec *iov);
