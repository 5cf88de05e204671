/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/xdr.h"

static bool put_padding(struct xdr_out *x, uint32_t n)
{
        uint32_t padding = -n & 3u;
        uint8_t *p = xdr_reserve(x, padding);

        if (p)
                memset(p, 0, padding);
        return p != NULL;
}

void xdr_put_ref(struct xdr_out *x, struct buf *buf, const uint8_t *data, uint32_t n)
{
        uint32_t at = xdr_head_length(x);

        CHECK(data >= buf->data && n <= buf->capacity && data + n <= buf->data + buf->capacity);
        if (x->ref_count == XDR_MAX_REFS)
                x->full = true;
        if (n == 0 || !put_padding(x, n)) {
                buf_unref(buf);
                return;
        }
        x->refs[x->ref_count++] =
                (struct xdr_ref){ .buf = buf, .data = data, .length = n, .head_offset = at };
        x->ref_bytes += n;
}

static void drop_last_ref(struct xdr_out *x)
{
        struct xdr_ref *ref = &x->refs[--x->ref_count];

        x->ref_bytes -= ref->length;
        buf_unref(ref->buf);
}

void xdr_truncate(struct xdr_out *x, uint32_t at)
{
        CHECK(at <= xdr_head_length(x));
        while (x->ref_count > 0 && (at == 0 || x->refs[x->ref_count - 1].head_offset > at))
                drop_last_ref(x);
        x->p = x->start + at;
        x->full = false;
}

void xdr_out_release(struct xdr_out *x)
{
        while (x->ref_count > 0)
                drop_last_ref(x);
}

static int add_part(struct iovec *iov, int count, const uint8_t *data, uint32_t n)
{
        if (n == 0)
                return count;
        iov[count] = (struct iovec){ .iov_base = (void *)data, .iov_len = n };
        return count + 1;
}

int xdr_out_iovec(const struct xdr_out *x, struct iovec *iov)
{
        uint32_t from = 0;
        int count = 0;

        for (uint32_t i = 0; i < x->ref_count; i++) {
                const struct xdr_ref *ref = &x->refs[i];

                count = add_part(iov, count, x->start + from, ref->head_offset - from);
                count = add_part(iov, count, ref->data, ref->length);
                from = ref->head_offset;
        }
        return add_part(iov, count, x->start + from, xdr_head_length(x) - from);
}
