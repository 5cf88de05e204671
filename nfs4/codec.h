/* SPDX-License-Identifier: Apache-2.0 */
/* Wire forms that many operations share. */
#pragma once

#include "include/stateid.h"
#include "rpc/xdr.h"

static inline void get_stateid(struct xdr_in *x, struct stateid *s)
{
        s->seqid = xdr_get_u32(x);
        xdr_get_fixed(x, s->other, NFS4_OTHER_SIZE);
}
static inline void put_stateid(struct xdr_out *x, const struct stateid *s)
{
        xdr_put_u32(x, s->seqid);
        xdr_put_fixed(x, s->other, NFS4_OTHER_SIZE);
}

/* nfstime4 from ns since 1970; the other way: attrs_get_time(). */
static inline void put_time(struct xdr_out *x, int64_t ns)
{
        int64_t seconds = ns / 1000000000, rest = ns % 1000000000;

        if (rest < 0) {
                rest += 1000000000;
                seconds--;
        }
        xdr_put_u64(x, (uint64_t)seconds);
        xdr_put_u32(x, (uint32_t)rest);
}

struct change_info {
        bool atomic;
        uint64_t before, after;
};
static inline void put_change_info(struct xdr_out *x, const struct change_info *c)
{
        xdr_put_bool(x, c->atomic);
        xdr_put_u64(x, c->before);
        xdr_put_u64(x, c->after);
}

/* bitmap4; words beyond the third must be read and are folded into `beyond`. */
struct bitmap4 {
        uint32_t word[3];
        bool beyond;
};
void get_bitmap(struct xdr_in *x, struct bitmap4 *b);
void put_bitmap(struct xdr_out *x, const struct bitmap4 *b);
static inline bool bitmap_has(const struct bitmap4 *b, unsigned bit)
{
        return bit < 96 && (b->word[bit / 32] >> (bit % 32) & 1) != 0;
}
static inline void bitmap_set(struct bitmap4 *b, unsigned bit)
{
        b->word[bit / 32] |= 1u << (bit % 32);
}
static inline void bitmap_clear(struct bitmap4 *b, unsigned bit)
{
        b->word[bit / 32] &= ~(1u << (bit % 32));
}

/* Owners and groups are numbers as text (§5.9): decimal digits without leading zeros, below 2^32-1, which
 * stands for nobody in chown(2). */
bool parse_numeric_owner(struct slice text, uint32_t *ret);
void put_numeric_owner(struct xdr_out *x, uint32_t id);

/* Bytes of the UTF-8 sequence at AT, which is before END; 0: it is none (RFC 3629 §4: no overlong form, no
 * surrogate, nothing above U+10FFFF). Is TEXT whole UTF-8? */
unsigned utf8_length(const uint8_t *at, const uint8_t *end);
bool is_utf8(struct slice text);

/* A file name (component4): NFS4_OK, or INVAL (empty), NAMETOOLONG (> 255), BADNAME (".", ".."), BADCHAR ('/'
 * or NUL inside). */
enum nfsstat4 check_name(struct slice name);
