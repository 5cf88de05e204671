/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/record.h"

#include <endian.h>
#include <errno.h>

#include "base/check.h"
#include "rpc/conn.h"

enum {
        MIN_ROOM = 16 * 1024, /* less room than this in a shared buffer: take the next one */
        READ_AHEAD = 4096,    /* beyond a large record: what is read of the next large one must be copied */
};

void record_reader_init(struct record_reader *r, struct bufpool *pool, uint32_t max_record)
{
        CHECK(max_record <= RPC_RECORD_MAX);
        *r = (struct record_reader){ .pool = pool, .max_record = max_record };
}

static bool is_large(const struct buf *buf)
{
        return buf->capacity > BUF_SMALL;
}

static void drop_buffer(struct record_reader *r)
{
        buf_unref(r->buf);
        r->buf = NULL;
        r->body = r->body_end = r->next = r->end = 0;
}

void record_reader_reset(struct record_reader *r)
{
        drop_buffer(r);
        r->fragments = r->fragment_left = 0;
        r->in_fragment = false;
}

void record_release_idle(struct record_reader *r)
{
        /* A shared buffer with room stays while calls hold it anyway: the next records go behind theirs. */
        if (r->buf && !record_partial(r) &&
            (r->buf->refs == 1 || is_large(r->buf) || r->buf->capacity - r->end < MIN_ROOM))
                drop_buffer(r);
}

/* Begin a fragment: its mark is at r->next. */
static int read_mark(struct record_reader *r)
{
        uint32_t mark, length;

        memcpy(&mark, r->buf->data + r->next, RECORD_MARK);
        mark = be32toh(mark);
        length = mark & 0x7fffffffu;
        r->next += RECORD_MARK;
        if (r->fragments == 0)
                r->body = r->body_end = r->next;
        if (length > r->max_record - (r->body_end - r->body))
                return -EMSGSIZE;
        if (++r->fragments > RECORD_MAX_FRAGMENTS)
                return -EPROTO;
        r->in_fragment = true;
        r->last_fragment = mark >> 31;
        r->fragment_left = length;
        return 0;
}

/* Move what is here of the fragment behind what is assembled: with one fragment it stands there. */
static void assemble(struct record_reader *r)
{
        uint32_t n = r->end - r->next;

        if (n > r->fragment_left)
                n = r->fragment_left;
        if (r->body_end != r->next)
                memmove(r->buf->data + r->body_end, r->buf->data + r->next, n);
        r->body_end += n;
        r->next += n;
        r->fragment_left -= n;
}

/* The first byte that is still needed. */
static uint32_t kept_from(const struct record_reader *r)
{
        return r->fragments > 0 ? r->body : r->next;
}

/* Go on at the front of a buffer with room for NEED bytes: a new one, or the same when only we hold it. */
static bool relocate(struct record_reader *r, uint32_t need, bool may_grow)
{
        uint32_t from = kept_from(r), kept = r->end - from;
        bool same = r->buf->refs == 1 && (need > BUF_SMALL) == is_large(r->buf);
        struct buf *buf = same ? r->buf : may_grow ? buf_get(r->pool, need) : NULL;

        if (!buf)
                return false;
        memmove(buf->data, r->buf->data + from, kept);
        if (!same) {
                buf_unref(r->buf);
                r->buf = buf;
        }
        if (r->fragments > 0) {
                r->body -= from;
                r->body_end -= from;
        }
        r->next -= from;
        r->end = kept;
        return true;
}

int record_next(struct record_reader *r, struct slice *ret)
{
        do {
                if (!r->in_fragment) {
                        int error;

                        if (r->end - r->next < RECORD_MARK)
                                return 0;
                        error = read_mark(r);
                        if (error)
                                return error;
                }
                assemble(r);
                if (r->fragment_left > 0)
                        return 0;
                r->in_fragment = false;
        } while (!r->last_fragment);
        /* A small record that was read along with a large one must not hold the large one's buffer. */
        if (is_large(r->buf) && r->body > 0)
                relocate(r, r->end - r->body, true);
        *ret = slice_of(r->buf->data + r->body, r->body_end - r->body);
        r->expect_large = ret->length > BUF_SMALL;
        r->fragments = 0;
        return 1;
}

/* Bytes from kept_from() on that must fit in the buffer: what is here, the fragment's rest, one more mark. */
static uint32_t needed(const struct record_reader *r)
{
        return r->end - kept_from(r) + (r->in_fragment ? r->fragment_left : 0) + RECORD_MARK;
}

static bool must_relocate(const struct record_reader *r, uint32_t need)
{
        if (kept_from(r) + need > r->buf->capacity || (is_large(r->buf) && need <= BUF_SMALL))
                return true;
        return r->fragments == 0 && r->buf->capacity - r->end < MIN_ROOM;
}

bool record_space(struct record_reader *r, struct iovec *ret, bool may_grow)
{
        uint32_t need, room;

        record_release_idle(r);
        if (!r->buf) {
                r->buf = may_grow ? buf_get(r->pool, BUF_SMALL) : NULL;
                if (!r->buf)
                        return false;
        }
        need = needed(r);
        CHECK(need <= BUF_LARGE);
        if (must_relocate(r, need) && !relocate(r, need, may_grow))
                return false;
        room = r->buf->capacity - r->end;
        if (is_large(r->buf) && room > r->fragment_left + READ_AHEAD)
                room = r->fragment_left + READ_AHEAD;
        else if (r->expect_large && r->fragments == 0 && room > READ_AHEAD)
                room = READ_AHEAD;
        CHECK(room > 0);
        *ret = (struct iovec){ .iov_base = r->buf->data + r->end, .iov_len = room };
        return true;
}

void record_received(struct record_reader *r, uint32_t n)
{
        CHECK(n <= r->buf->capacity - r->end);
        r->end += n;
}
