/* SPDX-License-Identifier: Apache-2.0 */
/* TLS as a stream on a stream. OpenSSL works on two memory BIOs; what it wants to read is fed from the lower
 * stream when that is readable, what it wrote is flushed to the lower stream at once as far as it goes. */
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "rpc/tls_private.h"

enum {
        RECORD = 16 * 1024,      /* plaintext of one TLS record */
        MAX_UNSENT = 128 * 1024, /* ciphertext that waits for the lower stream before writev() says -EAGAIN */
};
#define HANDSHAKE_NS 10000000000u

struct tls_stream {
        struct stream stream; /* first */
        struct tls_context *context;
        struct stream *lower;
        SSL *ssl;
        BIO *in, *out;           /* ciphertext; owned by ssl */
        bool established, ended; /* ended: the peer said goodbye */
        bool may_feed;           /* the lower stream was readable and has not been read since */
        int error;               /* -errno: broken, sticks */
        unsigned wanted, lower_wanted;
        struct task again; /* calls ready() for what is known here and not below */
        struct timer handshake;
};

/* --- between OpenSSL and the lower stream */

static struct tls_stream *tls_of(struct stream *s)
{
        return CONTAINER(s, struct tls_stream, stream);
}

/* Take BYTES off what waits to go out. */
static void discard(struct tls_stream *t, int64_t bytes)
{
        while (bytes > 0) {
                int n = BIO_read(t->out, t->context->scratch, bytes < TLS_SCRATCH ? (int)bytes : TLS_SCRATCH);

                CHECK(n > 0);
                bytes -= n;
        }
}

/* 0, also when some of it has to wait, or -errno. */
static int flush_out(struct tls_stream *t)
{
        char *data;
        long length;

        while ((length = BIO_get_mem_data(t->out, &data)) > 0) {
                struct iovec iov = { .iov_base = data, .iov_len = (size_t)length };
                int64_t n = t->lower->ops->writev(t->lower, &iov, 1);

                if (n < 0)
                        return n == -EAGAIN ? 0 : (int)n;
                discard(t, n);
                if (n < length)
                        break;
        }
        return 0;
}

static void flush(struct tls_stream *t)
{
        if (!t->error)
                t->error = flush_out(t);
}

/* Once a readiness of the lower stream, so that a fast peer cannot keep us here. True: there is news. */
static bool feed(struct tls_stream *t)
{
        struct iovec iov = { .iov_base = t->context->scratch, .iov_len = TLS_SCRATCH };
        int64_t n;

        if (!t->may_feed || t->error)
                return false;
        t->may_feed = false;
        n = t->lower->ops->readv(t->lower, &iov, 1);
        if (n == -EAGAIN)
                return false;
        if (n <= 0) {
                t->error = n == 0 ? -ECONNRESET : (int)n; /* an end without goodbye may be an attacker's */
                return false;
        }
        if (BIO_write(t->in, t->context->scratch, (int)n) != n)
                t->error = -ENOMEM;
        return !t->error;
}

/* After a call of OpenSSL that did not succeed; false: it is not because of missing input. */
static bool wants_input(struct tls_stream *t, int error)
{
        int why = SSL_get_error(t->ssl, 0);

        if (why == SSL_ERROR_WANT_READ)
                return true;
        if (why == SSL_ERROR_ZERO_RETURN)
                t->ended = true;
        else if (!t->error)
                t->error = error;
        return false;
}

/* Not SSL_has_pending(): that counts the part of a TLS record whose rest is still to come. */
static bool has_plaintext(const struct tls_stream *t)
{
        return t->established && (SSL_pending(t->ssl) > 0 || BIO_ctrl_pending(t->in) > 0);
}

static bool takes_more(const struct tls_stream *t)
{
        return t->established && BIO_ctrl_pending(t->out) < MAX_UNSENT;
}

/* What the lower stream has to watch, and what the owner has to be told although nothing happens there. */
static void settle(struct tls_stream *t)
{
        unsigned want = 0;

        if (!t->error && !t->ended) {
                if (!t->established || (t->wanted & STREAM_READ))
                        want |= STREAM_READ;
                if (BIO_ctrl_pending(t->out) > 0 || (t->established && (t->wanted & STREAM_WRITE)))
                        want |= STREAM_WRITE;
        }
        if (want != t->lower_wanted) {
                t->lower_wanted = want;
                t->lower->ops->want(t->lower, want);
        }
        if (t->wanted != 0 && (t->error || t->ended || ((t->wanted & STREAM_READ) && has_plaintext(t))))
                env_defer(t->context->env, &t->again);
}

static void refused(struct tls_stream *t)
{
        const char *why = ERR_reason_error_string(ERR_peek_last_error());
        char peer[NETADDR_TEXT];

        netaddr_format(&t->stream.peer, peer);
        log_warn("tls-refused", "peer=%s why=%s", peer, why ? why : "no key");
}

/* A handshake without the key is none, whatever certificates it had: the PSK shows as a resumed session. */
static void shake_hands(struct tls_stream *t)
{
        ERR_clear_error();
        if (SSL_do_handshake(t->ssl) == 1) {
                t->established = SSL_session_reused(t->ssl);
                if (!t->established)
                        t->error = -EACCES;
        } else {
                wants_input(t, -EACCES);
        }
        if (t->established || t->error)
                timer_stop(&t->handshake);
        if (t->error) {
                refused(t);
                flush_out(t); /* the alert, so that the peer knows why */
        }
        flush(t);
}

static void on_lower_ready(struct stream *lower, unsigned events)
{
        struct tls_stream *t = lower->owner;
        unsigned tell;

        if (events & STREAM_WRITE)
                flush(t);
        if (events & STREAM_READ)
                t->may_feed = true;
        while (!t->established && !t->error && feed(t))
                shake_hands(t);
        tell = t->error ? t->wanted : 0;
        if (t->established)
                tell |= t->wanted & (events & STREAM_READ ? STREAM_READ : 0);
        if (takes_more(t))
                tell |= t->wanted & STREAM_WRITE;
        settle(t);
        if (tell)
                t->stream.ready(&t->stream, tell); /* the last thing: T may be gone */
}

static void on_again(struct task *task)
{
        struct tls_stream *t = CONTAINER(task, struct tls_stream, again);
        unsigned tell = t->error || t->ended ? t->wanted : 0;

        if (has_plaintext(t))
                tell |= t->wanted & STREAM_READ;
        if (tell)
                t->stream.ready(&t->stream, tell);
}

static void on_handshake_timeout(struct timer *timer)
{
        struct tls_stream *t = CONTAINER(timer, struct tls_stream, handshake);

        t->error = -ETIMEDOUT;
        settle(t);
}

/* --- the upper side */

/* Fill one part; the bytes read, fewer when there is no more for now. */
static size_t read_part(struct tls_stream *t, const struct iovec *part)
{
        size_t done = 0, n;

        while (done < part->iov_len && !t->ended && !t->error) {
                ERR_clear_error();
                if (SSL_read_ex(t->ssl, (uint8_t *)part->iov_base + done, part->iov_len - done, &n))
                        done += n;
                else if (!wants_input(t, -EBADMSG) || !feed(t))
                        break;
        }
        return done;
}

static int64_t each_part(struct tls_stream *t, const struct iovec *iov, int count,
                         size_t (*move)(struct tls_stream *, const struct iovec *))
{
        int64_t done = 0;

        for (int i = 0; i < count && t->established; i++) {
                size_t n = move(t, &iov[i]);

                done += (int64_t)n;
                if (n < iov[i].iov_len)
                        break;
        }
        return done;
}

static int64_t tls_readv(struct stream *s, const struct iovec *iov, int count)
{
        struct tls_stream *t = tls_of(s);
        int64_t done = each_part(t, iov, count, read_part);

        flush(t); /* an answer to a key update */
        settle(t);
        if (done > 0)
                return done;
        return t->error ? t->error : t->ended ? 0 : -EAGAIN;
}

static size_t write_part(struct tls_stream *t, const struct iovec *part)
{
        size_t done = 0, n;

        while (done < part->iov_len && !t->error) {
                size_t left = part->iov_len - done, take = left < RECORD ? left : RECORD;

                if (!takes_more(t))
                        flush(t);
                if (!takes_more(t))
                        break;
                ERR_clear_error();
                if (SSL_write_ex(t->ssl, (const uint8_t *)part->iov_base + done, take, &n))
                        done += n;
                else
                        t->error = -EIO;
        }
        return done;
}

static int64_t tls_writev(struct stream *s, const struct iovec *iov, int count)
{
        struct tls_stream *t = tls_of(s);
        int64_t done = each_part(t, iov, count, write_part);

        flush(t);
        settle(t);
        return t->error ? t->error : done > 0 ? done : -EAGAIN;
}

static void tls_want(struct stream *s, unsigned events)
{
        tls_of(s)->wanted = events;
        settle(tls_of(s));
}

static void tls_close(struct stream *s)
{
        struct tls_stream *t = tls_of(s);

        if (t->established && !t->error) {
                ERR_clear_error();
                SSL_shutdown(t->ssl);
                flush(t);
        }
        list_remove(&t->again.node);
        timer_stop(&t->handshake);
        t->lower->ops->close(t->lower);
        SSL_free(t->ssl);
        free(t);
}

static const struct stream_ops tls_ops = {
        .readv = tls_readv,
        .writev = tls_writev,
        .want = tls_want,
        .close = tls_close,
};

struct stream *tls_stream_new(struct tls_context *context, struct stream *lower, bool is_server)
{
        struct tls_stream *t = calloc(1, sizeof(*t));

        if (!t) {
                lower->ops->close(lower);
                return NULL;
        }
        *t = (struct tls_stream){ .stream = { .ops = &tls_ops, .local = lower->local, .peer = lower->peer },
                                  .context = context,
                                  .lower = lower,
                                  .again.run = on_again,
                                  .handshake.fire = on_handshake_timeout };
        list_init(&t->again.node);
        t->ssl = tls_open(context, is_server, &t->in, &t->out);
        if (!t->ssl) {
                tls_close(&t->stream);
                return NULL;
        }
        lower->owner = t;
        lower->ready = on_lower_ready;
        timer_start(context->env, &t->handshake, HANDSHAKE_NS);
        if (!is_server)
                shake_hands(t);
        settle(t);
        return &t->stream;
}
