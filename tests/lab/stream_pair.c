/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/stream_pair.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "tests/lab/virtual_env.h"

enum { DEFAULT_BUFFER = 256 * 1024 };

/* One end, with the bytes that are on their way to it. */
struct end {
        struct stream stream; /* first */
        struct env *env;
        struct end *peer; /* NULL: closed */
        struct stream_pair_conf conf;
        uint64_t random;
        uint8_t *ring;
        uint32_t first, length; /* bytes under way */
        uint32_t arrived;       /* of these, may be read */
        unsigned wanted;
        bool held;
        bool *gone;         /* set when the end is closed inside ready() */
        struct timer timer; /* something arrives, or ready() is owed */
        struct stream_pair_calls calls;
};

static struct end *end_of(struct stream *s)
{
        return CONTAINER(s, struct end, stream);
}

static uint32_t room(const struct end *e)
{
        return e->conf.buffer_bytes - e->length;
}

static unsigned ready_for(const struct end *e)
{
        unsigned events = 0;

        if (e->arrived > 0 || (!e->peer && e->length == 0))
                events |= STREAM_READ;
        if (!e->peer || room(e->peer) > 0)
                events |= STREAM_WRITE;
        return events & e->wanted;
}

static bool waits(const struct end *e)
{
        return ready_for(e) != 0 || (e->arrived < e->length && !e->held);
}

static void look_again(struct end *e)
{
        if (waits(e) && !timer_running(&e->timer))
                timer_start(e->env, &e->timer, lab_random_below(&e->random, e->conf.max_delay_ns + 1));
}

/* A random part of ALL, or all of it. */
static uint32_t part_of(struct end *e, uint32_t all)
{
        if (!e->conf.split || all <= 1)
                return all;
        switch (lab_random_below(&e->random, 4)) {
        case 0: return 1 + (uint32_t)lab_random_below(&e->random, all < 8 ? all : 8);
        case 1: return all;
        default: return 1 + (uint32_t)lab_random_below(&e->random, all);
        }
}

static void on_timer(struct timer *t)
{
        struct end *e = CONTAINER(t, struct end, timer);
        unsigned events;
        bool gone = false;

        if (e->arrived < e->length && !e->held)
                e->arrived += part_of(e, e->length - e->arrived);
        events = ready_for(e);
        if (events) {
                e->gone = &gone;
                e->stream.ready(&e->stream, events);
                if (gone)
                        return;
                e->gone = NULL;
        }
        look_again(e);
}

static void copy_out(struct end *e, uint8_t *to, uint32_t n)
{
        uint32_t straight = e->conf.buffer_bytes - e->first;

        if (straight > n)
                straight = n;
        memcpy(to, e->ring + e->first, straight);
        memcpy(to + straight, e->ring, n - straight);
        e->first = (e->first + n) % e->conf.buffer_bytes;
        e->length -= n;
        e->arrived -= n;
}

static void copy_in(struct end *e, const uint8_t *from, uint32_t n)
{
        uint32_t at = (e->first + e->length) % e->conf.buffer_bytes, straight = e->conf.buffer_bytes - at;

        if (straight > n)
                straight = n;
        memcpy(e->ring + at, from, straight);
        memcpy(e->ring, from + straight, n - straight);
        e->length += n;
}

static int64_t pair_readv(struct stream *s, const struct iovec *iov, int count)
{
        struct end *e = end_of(s);
        uint32_t limit = part_of(e, e->arrived), done = 0;

        e->calls.reads++;
        if (e->arrived == 0)
                return !e->peer && e->length == 0 ? 0 : -EAGAIN;
        for (int i = 0; i < count && done < limit; i++) {
                uint32_t n = iov[i].iov_len < limit - done ? (uint32_t)iov[i].iov_len : limit - done;

                copy_out(e, iov[i].iov_base, n);
                done += n;
        }
        if (e->peer)
                look_again(e->peer);
        return done;
}

static int64_t pair_writev(struct stream *s, const struct iovec *iov, int count)
{
        struct end *e = end_of(s);
        uint32_t limit, done = 0;

        e->calls.writes++;
        if (!e->peer)
                return -EPIPE;
        limit = part_of(e, room(e->peer));
        if (limit == 0)
                return -EAGAIN;
        for (int i = 0; i < count && done < limit; i++) {
                uint32_t n = iov[i].iov_len < limit - done ? (uint32_t)iov[i].iov_len : limit - done;

                copy_in(e->peer, iov[i].iov_base, n);
                done += n;
        }
        look_again(e->peer);
        return done;
}

static void pair_want(struct stream *s, unsigned events)
{
        end_of(s)->wanted = events;
        look_again(end_of(s));
}

static void pair_close(struct stream *s)
{
        struct end *e = end_of(s);

        timer_stop(&e->timer);
        if (e->gone)
                *e->gone = true;
        if (e->peer) {
                e->peer->peer = NULL;
                look_again(e->peer);
        }
        free(e->ring);
        free(e);
}

static const struct stream_ops pair_ops = {
        .readv = pair_readv,
        .writev = pair_writev,
        .want = pair_want,
        .close = pair_close,
};

static struct end *end_new(struct env *env, const struct stream_pair_conf *conf, uint16_t port,
                           uint16_t peer_port)
{
        struct end *e = calloc(1, sizeof(*e));

        CHECK(e != NULL);
        e->stream.ops = &pair_ops;
        e->stream.local = (struct netaddr){ .family = 4, .port = port, .bytes = { 127, 0, 0, 1 } };
        e->stream.peer = (struct netaddr){ .family = 4, .port = peer_port, .bytes = { 127, 0, 0, 1 } };
        e->env = env;
        e->conf = *conf;
        if (e->conf.buffer_bytes == 0)
                e->conf.buffer_bytes = DEFAULT_BUFFER;
        e->random = conf->seed + port;
        e->timer.fire = on_timer;
        e->ring = malloc(e->conf.buffer_bytes);
        CHECK(e->ring != NULL);
        return e;
}

void stream_pair_new(struct env *env, const struct stream_pair_conf *conf, struct stream *ret[2])
{
        struct end *a = end_new(env, conf, 1, 2), *b = end_new(env, conf, 2, 1);

        a->peer = b;
        b->peer = a;
        ret[0] = &a->stream;
        ret[1] = &b->stream;
}

struct stream_pair_calls stream_pair_calls(const struct stream *end)
{
        return CONTAINER(end, struct end, stream)->calls;
}

void stream_pair_hold(struct stream *end, bool hold)
{
        end_of(end)->held = hold;
        look_again(end_of(end));
}
