/* SPDX-License-Identifier: Apache-2.0 */
/* The sending side of a connection: messages queue up during a turn and leave in one writev at its end. */
#include <errno.h>

#include "rpc/internal.h"

enum { PARTS = 64 }; /* of one writev, at most; a message is not begun when it might not fit */

static uint32_t length_on_wire(const struct rpc_sending *m)
{
        return RECORD_MARK + xdr_out_length(m->out);
}

void conn_queue(struct conn *c, struct rpc_sending *m, struct xdr_out *out,
                void (*sent)(struct rpc_sending *))
{
        uint32_t mark = htobe32(0x80000000u | xdr_out_length(out));

        memcpy(out->start - RECORD_MARK, &mark, RECORD_MARK);
        m->out = out;
        m->sent = sent;
        list_push(&c->queue, &m->node);
        c->queued_bytes += length_on_wire(m);
        if (!c->blocked)
                env_defer(c->server->env, &c->turn);
}

static void rest_sent(struct rpc_sending *m)
{
        struct conn *c = CONTAINER(m, struct conn, rest.sending);

        xdr_out_release(&c->rest.out);
        buf_unref(c->rest.head);
}

/* A message of which a part has gone out is finished from the connection's own copy; only the first can be
 * such, so there is never more than one. */
void conn_unqueue(struct conn *c, struct rpc_sending *m, struct buf **head)
{
        bool begun = c->queue.next == &m->node && c->head_sent > 0;

        list_remove(&m->node);
        if (begun) {
                c->rest.out = *m->out;
                c->rest.head = *head;
                c->rest.sending = (struct rpc_sending){ .out = &c->rest.out, .sent = rest_sent };
                list_push_front(&c->queue, &c->rest.sending.node);
                m->out->ref_count = m->out->ref_bytes = 0;
        } else {
                c->queued_bytes -= length_on_wire(m);
                xdr_out_release(m->out);
                buf_unref(*head);
        }
        *head = NULL;
}

void conn_drop_queue(struct conn *c)
{
        c->head_sent = 0;
        c->queued_bytes = 0;
        for (struct list *node; (node = list_pop(&c->queue));) {
                struct rpc_sending *m = CONTAINER(node, struct rpc_sending, node);

                m->sent(m);
        }
}

/* One message with its record mark, which stands in front of the head. */
static int add_message(const struct rpc_sending *m, struct iovec *iov)
{
        int count = xdr_out_iovec(m->out, iov);

        CHECK(count > 0 && iov[0].iov_base == m->out->start);
        iov[0].iov_base = m->out->start - RECORD_MARK;
        iov[0].iov_len += RECORD_MARK;
        return count;
}

static int gather(const struct conn *c, struct iovec iov[PARTS], uint64_t *ret_bytes)
{
        int count = 0;

        LIST_FOR_EACH(node, &c->queue) {
                if (count + XDR_MAX_PARTS > PARTS)
                        break;
                count += add_message(CONTAINER(node, struct rpc_sending, node), iov + count);
        }
        *ret_bytes = 0;
        for (int i = 0; i < count; i++)
                *ret_bytes += iov[i].iov_len;
        return count;
}

/* Take the first BYTES off IOV; returns the index of the first part that is left. */
static int skip(struct iovec *iov, int count, uint32_t bytes)
{
        int i = 0;

        while (i < count && bytes >= iov[i].iov_len)
                bytes -= (uint32_t)iov[i++].iov_len;
        CHECK(i < count); /* a message that has gone out is not in the queue */
        iov[i].iov_base = (uint8_t *)iov[i].iov_base + bytes;
        iov[i].iov_len -= bytes;
        return i;
}

static void advance(struct conn *c, uint64_t bytes)
{
        c->bytes_out += bytes;
        c->server->stats.bytes_out += bytes;
        while (bytes > 0) {
                struct rpc_sending *m = CONTAINER(c->queue.next, struct rpc_sending, node);
                uint32_t left = length_on_wire(m) - c->head_sent;

                if (bytes < left) {
                        c->head_sent += (uint32_t)bytes;
                        return;
                }
                bytes -= left;
                c->queued_bytes -= length_on_wire(m);
                c->head_sent = 0;
                list_remove(&m->node);
                m->sent(m);
        }
}

void conn_flush(struct conn *c)
{
        while (c->stream && !list_empty(&c->queue)) {
                struct iovec iov[PARTS];
                uint64_t bytes;
                int count = gather(c, iov, &bytes), first = skip(iov, count, c->head_sent);
                int64_t n = c->stream->ops->writev(c->stream, iov + first, count - first);

                if (n < 0 && n != -EAGAIN) {
                        conn_close(c);
                        return;
                }
                bytes -= c->head_sent;
                if (n > 0)
                        advance(c, (uint64_t)n);
                if (n < 0 || (uint64_t)n < bytes) {
                        if (!c->blocked)
                                watch_begin(&c->unread);
                        c->blocked = true;
                        return;
                }
        }
        c->blocked = false;
        watch_end(&c->unread);
}
