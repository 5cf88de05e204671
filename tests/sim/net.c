/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum { RING_BYTES = 128 * 1024, FIRST_PORT = 30000, SPLIT_ONCE_IN = 6 };
#define CONNECT_TIMEOUT_NS (60 * SECOND_NS)
#define SILENCE_NS (5 * SECOND_NS) /* as in base/loop_tcp.c */

struct listener {
        struct list node;
        struct node *host;
        uint16_t port;
        bool dead; /* its process is */
        accept_fn *fn;
        void *arg;
};

struct net {
        struct world *world;
        struct list ends, listeners;
        uint32_t end_count;
        uint16_t next_port;
        uint64_t min_delay_ns, max_delay_ns;
};

enum state {
        SYN,        /* of the end that was dialled: not accepted yet, nobody's stream */
        CONNECTING, /* of the end that dialled */
        OPEN,
        VANISHED, /* the other end is gone and we were not told */
        ENDED,    /* the other end closed: what came before may be read */
        BROKEN,
        CUT, /* our process is dead */
};

/* One end of a connection, with the bytes that are on their way to it. */
struct end {
        struct stream stream; /* first */
        struct list node;     /* in net->ends */
        struct net *net;
        struct node *host, *other_host;
        struct end *other; /* NULL: gone */
        enum state state;
        int error;
        uint8_t *ring;
        uint32_t first, length, arrived; /* arrived: of length, may be read */
        bool spoke;                      /* VANISHED: sent something since */
        unsigned wanted;
        bool *gone;         /* set when the end is freed inside ready() */
        struct timer timer; /* something arrives, or ready() is owed */
        uint64_t give_up_ns;
};

static struct end *end_of(struct stream *s)
{
        return CONTAINER(s, struct end, stream);
}

/* --- when something may arrive */

/* What END waits for comes from the other machine; a connection needs both ways. */
static bool reaches(const struct end *e)
{
        const struct net *n = e->net;
        uint8_t here = e->host->host, there = e->other_host->host;
        bool both = e->state == SYN || e->state == CONNECTING || e->state == VANISHED;

        return !n->world->blocked[there][here] && !(both && n->world->blocked[here][there]) &&
               !e->host->off && !(both && e->other_host->off);
}

/* What the network has for END, whether or not END looks. */
static bool is_news(const struct end *e)
{
        switch (e->state) {
        case SYN: return true;
        case OPEN: return e->arrived < e->length;
        case ENDED: return e->arrived <= e->length;                           /* the end itself */
        case VANISHED: return e->spoke || e->stream.local.port >= FIRST_PORT; /* who dialled looks for it */
        default: return false;
        }
}

static uint32_t room(const struct end *e)
{
        return RING_BYTES - e->length;
}

static unsigned ready_for(const struct end *e)
{
        unsigned events = 0;

        switch (e->state) {
        case SYN:
        case CONNECTING:
        case CUT: return 0;
        case BROKEN: events = STREAM_READ | STREAM_WRITE; break;
        case ENDED:
        case VANISHED:
        case OPEN:
                if (e->arrived > 0)
                        events = STREAM_READ;
                if (!e->other || room(e->other) > 0)
                        events |= STREAM_WRITE;
        }
        return events & e->wanted;
}

static uint64_t delay(const struct net *n)
{
        return n->min_delay_ns + world_random(n->world, n->max_delay_ns - n->min_delay_ns + 1);
}

static void look_again(struct end *e)
{
        if (timer_running(&e->timer))
                return;
        if (ready_for(e))
                timer_start(&e->host->env, &e->timer, 1);
        else if (is_news(e) && reaches(e))
                timer_start(&e->host->env, &e->timer,
                            e->state == VANISHED && !e->spoke ? SILENCE_NS : delay(e->net));
        else if (e->state == CONNECTING)
                timer_start(&e->host->env, &e->timer, e->give_up_ns - e->net->world->now);
}

static void look_at_all(struct net *n)
{
        LIST_FOR_EACH(node, &n->ends)
                look_again(CONTAINER(node, struct end, node));
}

static void end_free(struct end *e)
{
        timer_stop(&e->timer);
        if (e->gone)
                *e->gone = true;
        list_remove(&e->node);
        e->net->end_count--;
        free(e->ring);
        free(e);
}

static void fail_end(struct end *e, int error)
{
        e->state = BROKEN;
        e->error = error;
        e->other = NULL;
        e->length = e->arrived;
        timer_stop(&e->timer);
        look_again(e);
}

/* --- what arrives */

static struct listener *find_listener(const struct net *n, const struct end *e)
{
        LIST_FOR_EACH(node, &n->listeners) {
                struct listener *l = CONTAINER(node, struct listener, node);

                if (l->host == e->host && l->port == e->stream.local.port && !l->dead)
                        return l;
        }
        return NULL;
}

/* Somebody dials. */
static void syn_arrives(struct end *e)
{
        struct listener *l = find_listener(e->net, e);

        if (!l || !e->other) {
                if (e->other)
                        fail_end(e->other, -ECONNREFUSED);
                end_free(e);
                return;
        }
        e->state = OPEN;
        e->other->state = OPEN;
        timer_stop(&e->other->timer);
        look_again(e->other);
        l->fn(l->arg, &e->stream);
}

static uint32_t piece(const struct end *e)
{
        uint32_t all = e->length - e->arrived;

        return world_once_in(e->net->world, SPLIT_ONCE_IN) ? 1 + (uint32_t)world_random(e->net->world, all)
                                                           : all;
}

static void arrive(struct end *e)
{
        if (e->arrived < e->length)
                e->arrived += piece(e);
        else if (e->state == ENDED)
                fail_end(e, 0);
        else if (e->state == VANISHED)
                fail_end(e, -ECONNRESET);
}

static void on_timer(struct timer *t)
{
        struct end *e = CONTAINER(t, struct end, timer);
        unsigned events;
        bool gone = false;

        if (e->state == SYN) {
                if (reaches(e))
                        syn_arrives(e);
                return;
        }
        if (e->state == CONNECTING && e->net->world->now >= e->give_up_ns)
                fail_end(e, -ETIMEDOUT);
        else if (!ready_for(e) && is_news(e) && reaches(e))
                arrive(e);
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

/* --- the stream's operations */

static void copy_out(struct end *e, uint8_t *to, uint32_t n)
{
        uint32_t straight = RING_BYTES - e->first < n ? RING_BYTES - e->first : n;

        memcpy(to, e->ring + e->first, straight);
        memcpy(to + straight, e->ring, n - straight);
        e->first = (e->first + n) % RING_BYTES;
        e->length -= n;
        e->arrived -= n;
}

static void copy_in(struct end *e, const uint8_t *from, uint32_t n)
{
        uint32_t at = (e->first + e->length) % RING_BYTES;
        uint32_t straight = RING_BYTES - at < n ? RING_BYTES - at : n;

        memcpy(e->ring + at, from, straight);
        memcpy(e->ring, from + straight, n - straight);
        e->length += n;
}

static int64_t net_readv(struct stream *s, const struct iovec *iov, int count)
{
        struct end *e = end_of(s);
        uint32_t done = 0;

        if (e->arrived == 0)
                return e->state == BROKEN ? e->error : e->state == CUT ? -ECONNRESET : -EAGAIN;
        for (int i = 0; i < count && e->arrived > 0; i++) {
                uint32_t n = iov[i].iov_len < e->arrived ? (uint32_t)iov[i].iov_len : e->arrived;

                copy_out(e, iov[i].iov_base, n);
                done += n;
        }
        if (e->other)
                look_again(e->other);
        return done;
}

static int64_t net_writev(struct stream *s, const struct iovec *iov, int count)
{
        struct end *e = end_of(s);
        uint32_t done = 0;

        if (e->state == BROKEN || e->state == CUT)
                return e->error ? e->error : -EPIPE;
        if (e->state == CONNECTING || (e->other && room(e->other) == 0))
                return -EAGAIN;
        for (int i = 0; i < count; i++) {
                uint32_t n = (uint32_t)iov[i].iov_len;

                if (e->other) {
                        n = n < room(e->other) ? n : room(e->other);
                        copy_in(e->other, iov[i].iov_base, n);
                }
                done += n;
        }
        if (!e->other)
                timer_stop(&e->timer);
        world_note(e->net->world, done);
        e->spoke = true;
        look_again(e->other ? e->other : e);
        return done;
}

static void net_want(struct stream *s, unsigned events)
{
        struct end *e = end_of(s);

        e->wanted = events;
        if (timer_running(&e->timer) && ready_for(e))
                timer_stop(&e->timer);
        look_again(e);
}

/* The other end is told behind what is still on its way. A dial that was not heard yet never was. */
static void net_close(struct stream *s)
{
        struct end *e = end_of(s), *other = e->other;

        if (other) {
                other->other = NULL;
                if (other->state == OPEN)
                        other->state = ENDED;
                if (other->state == SYN)
                        end_free(other);
                else
                        look_again(other);
        }
        end_free(e);
}

static const struct stream_ops end_ops = {
        .readv = net_readv,
        .writev = net_writev,
        .want = net_want,
        .close = net_close,
};

static struct end *end_new(struct net *n, struct node *host, struct node *other_host, enum state state)
{
        struct end *e = calloc(1, sizeof(*e));

        CHECK(e != NULL);
        *e = (struct end){ .stream.ops = &end_ops,
                           .net = n,
                           .host = host,
                           .other_host = other_host,
                           .state = state,
                           .timer.fire = on_timer,
                           .ring = malloc(RING_BYTES) };
        CHECK(e->ring != NULL);
        list_push(&n->ends, &e->node);
        n->end_count++;
        return e;
}

int net_connect(struct env *env, const struct netaddr *addr, struct stream **ret)
{
        struct node *host = CONTAINER(env, struct node, env), *to = world_node_at(host->world, addr);
        struct net *n = host->world->net;
        struct end *a, *b;

        if (!to)
                return -EHOSTUNREACH;
        a = end_new(n, host, to, CONNECTING);
        b = end_new(n, to, host, SYN);
        a->other = b;
        b->other = a;
        a->give_up_ns = n->world->now + CONNECT_TIMEOUT_NS;
        a->stream.local = b->stream.peer = node_address(host, n->next_port++);
        a->stream.peer = b->stream.local = *addr;
        if (n->next_port == 0)
                n->next_port = FIRST_PORT;
        look_again(a);
        look_again(b);
        *ret = &a->stream;
        return 0;
}

int net_listen(struct env *env, const struct netaddr *addr, accept_fn *fn, void *arg, struct listener **ret)
{
        struct node *host = CONTAINER(env, struct node, env);
        struct listener *l = calloc(1, sizeof(*l));

        CHECK(l != NULL);
        *l = (struct listener){ .host = host, .port = addr->port, .fn = fn, .arg = arg };
        list_push(&host->world->net->listeners, &l->node);
        *ret = l;
        return 0;
}

void net_unlisten(struct env *env, struct listener *l)
{
        (void)env;
        list_remove(&l->node);
        free(l);
}

/* --- faults */

void net_block(struct net *n, const struct node *from, const struct node *to, bool blocked)
{
        n->world->blocked[from->host][to->host] = blocked;
        look_at_all(n);
}

void net_set_delay(struct net *n, uint64_t min_ns, uint64_t max_ns)
{
        n->min_delay_ns = min_ns;
        n->max_delay_ns = max_ns;
}

/* E's other end is gone. */
static void lose_other(struct end *e, bool told)
{
        e->other = NULL;
        if (told || e->state == CONNECTING) {
                fail_end(e, -ECONNRESET);
                return;
        }
        e->length = e->arrived;
        e->state = VANISHED;
        e->spoke = false;
        timer_stop(&e->timer);
        look_again(e);
}

bool net_break_one(struct net *n, bool one_sided)
{
        uint32_t skip = n->end_count > 0 ? (uint32_t)world_random(n->world, n->end_count) : 0;

        LIST_FOR_EACH(node, &n->ends) {
                struct end *e = CONTAINER(node, struct end, node), *other = e->other;

                if (skip-- > 0)
                        continue;
                if (e->state != OPEN || !other)
                        return false;
                world_say(n->world, "net", "%s-%s breaks%s", e->host->name, e->other_host->name,
                          one_sided ? " for one" : "");
                lose_other(e, true);
                lose_other(other, !one_sided);
                return true;
        }
        return false;
}

void net_cut(struct node *node, bool silent)
{
        struct net *n = node->world->net;

        LIST_FOR_EACH_SAFE(at, &n->ends) {
                struct end *e = CONTAINER(at, struct end, node);

                if (e->host != node)
                        continue;
                if (e->other && e->other->state == SYN)
                        e->other->other = NULL;
                else if (e->other && e->state != SYN)
                        lose_other(e->other, !silent);
                if (e->state == SYN)
                        continue; /* the machine answers it, now or when it is back */
                e->other = NULL;
                e->state = CUT;
                e->length = e->arrived = 0;
                timer_stop(&e->timer);
        }
        LIST_FOR_EACH(at, &n->listeners) {
                struct listener *l = CONTAINER(at, struct listener, node);

                l->dead |= l->host == node;
        }
}

void net_power_on(struct node *node)
{
        node->off = false;
        look_at_all(node->world->net);
}

struct net *net_new(struct world *w)
{
        struct net *n = calloc(1, sizeof(*n));

        CHECK(n != NULL);
        n->world = w;
        n->next_port = FIRST_PORT;
        list_init(&n->ends);
        list_init(&n->listeners);
        return n;
}

void net_free(struct net *n)
{
        CHECK(list_empty(&n->listeners));
        while (!list_empty(&n->ends)) {
                struct end *e = CONTAINER(n->ends.next, struct end, node);

                CHECK(e->state == SYN); /* nobody's stream */
                end_free(e);
        }
        free(n);
}
