/* SPDX-License-Identifier: Apache-2.0 */
/* Record marking (RFC 5531 §11), the receiving side: bytes are read into pooled buffers, and records are
 * parsed where they lie. Many small records share one buffer, each holding a reference; a record that does
 * not fit in what is left of the buffer gets one of its own, and only what had arrived of it is copied. */
#pragma once

#include <sys/uio.h>

#include "base/bufpool.h"
#include "base/slice.h"

enum {
        RECORD_MARK = 4,
        RECORD_MAX_FRAGMENTS = 1024, /* in one record */
};

struct record_reader {
        struct bufpool *pool;
        uint32_t max_record;
        struct buf *buf;         /* NULL: nothing received */
        uint32_t body, body_end; /* what is assembled of the present record */
        uint32_t next;           /* first byte not looked at */
        uint32_t end;            /* first byte not received */
        uint32_t fragment_left;  /* of the present fragment, not assembled yet */
        uint32_t fragments;      /* seen of the present record; 0 = between records */
        bool in_fragment, last_fragment;
        bool expect_large; /* the record before was large: do not read far into the next one */
};

void record_reader_init(struct record_reader *r, struct bufpool *pool, uint32_t max_record);
/* Drop everything. */
void record_reader_reset(struct record_reader *r);
/* 1: *ret is the next whole record, inside r->buf (buf_ref() it to keep it beyond the next call); 0: more
 * bytes are needed; -EMSGSIZE: longer than max_record; -EPROTO: too many fragments. */
int record_next(struct record_reader *r, struct slice *ret);
/* Where to read to, after record_next() said 0. False: no buffer (MAY_GROW false: the pool is not asked). */
bool record_space(struct record_reader *r, struct iovec *ret, bool may_grow);
/* N bytes were read there. */
void record_received(struct record_reader *r, uint32_t n);
/* Part of a record is here, its rest is not. */
static inline bool record_partial(const struct record_reader *r)
{
        return r->fragments > 0 || r->next < r->end;
}
/* Give the buffer back when nothing is kept in it. */
void record_release_idle(struct record_reader *r);
