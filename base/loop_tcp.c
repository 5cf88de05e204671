/* SPDX-License-Identifier: Apache-2.0 */
/* TCP for the real env: streams, listeners, connections. See base/env.h for what they promise. */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/loop_private.h"

enum { BACKLOG = 1024, ACCEPTS_A_TURN = 64, SILENCE_SECONDS = 5, SILENCE_PROBES = 3 };
#define ACCEPT_PAUSE_NS 100000000u

union any_sockaddr {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
};

/* Reading and writing are two events, so that waiting for room to write changes nothing for reading. */
struct tcp {
        struct stream stream; /* first */
        struct loop *loop;
        int fd;
        unsigned wanted;
        struct event readable, writable;
        /* While it moves to another loop: */
        struct message moving;
        accept_fn *arrived;
        void *arrived_arg;
};

struct listener {
        struct loop *loop;
        int fd;
        struct event readable;
        struct timer pause; /* after running out of descriptors */
        accept_fn *fn;
        void *arg;
        bool accepting, ended;
};

/* --- addresses */

static socklen_t to_sockaddr(const struct netaddr *a, union any_sockaddr *ret)
{
        memset(ret, 0, sizeof(*ret));
        if (a->family == 4) {
                ret->v4.sin_family = AF_INET;
                ret->v4.sin_port = htons(a->port);
                memcpy(&ret->v4.sin_addr, a->bytes, 4);
                return sizeof(ret->v4);
        }
        ret->v6.sin6_family = AF_INET6;
        ret->v6.sin6_port = htons(a->port);
        memcpy(&ret->v6.sin6_addr, a->bytes, 16);
        return sizeof(ret->v6);
}

static struct netaddr from_sockaddr(const union any_sockaddr *sa)
{
        struct netaddr a = { 0 };

        if (sa->any.sa_family == AF_INET) {
                a.family = 4;
                a.port = ntohs(sa->v4.sin_port);
                memcpy(a.bytes, &sa->v4.sin_addr, 4);
        } else if (sa->any.sa_family == AF_INET6) {
                a.family = 6;
                a.port = ntohs(sa->v6.sin6_port);
                memcpy(a.bytes, &sa->v6.sin6_addr, 16);
        }
        return a;
}

static struct netaddr local_address(int fd)
{
        union any_sockaddr sa = { 0 };
        socklen_t length = sizeof(sa);

        getsockname(fd, &sa.any, &length);
        return from_sockaddr(&sa);
}

static void set_option(int fd, int level, int option, int value)
{
        setsockopt(fd, level, option, &value, sizeof(value));
}

/* Whom we called may be gone without a word (a machine without power, a firewall that forgets) while we wait
 * for an answer: after some seconds of silence TCP asks whether it is there. */
static void notice_silence(int fd)
{
        set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
        set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, SILENCE_SECONDS);
        set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, SILENCE_SECONDS);
        set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, SILENCE_PROBES);
        set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, SILENCE_SECONDS * (1 + SILENCE_PROBES) * 1000);
}

static int open_socket(const struct netaddr *addr)
{
        int fd;

        if (addr->family != 4 && addr->family != 6)
                return -EINVAL;
        fd = socket(addr->family == 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        return fd < 0 ? -errno : fd;
}

/* --- streams */

static struct tcp *tcp_of(struct stream *s)
{
        return CONTAINER(s, struct tcp, stream);
}

static int64_t tcp_readv(struct stream *s, const struct iovec *iov, int count)
{
        ssize_t n;

        do
                n = readv(tcp_of(s)->fd, iov, count < IOV_MAX ? count : IOV_MAX);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : n;
}

/* sendmsg() is writev() that can be told to keep SIGPIPE to itself. */
static int64_t tcp_writev(struct stream *s, const struct iovec *iov, int count)
{
        struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov,
                              .msg_iovlen = (size_t)(count < IOV_MAX ? count : IOV_MAX) };
        ssize_t n;

        do
                n = sendmsg(tcp_of(s)->fd, &msg, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : n;
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
        struct tcp *tcp = arg;

        (void)fd;
        loop_note_event(tcp->loop);
        tcp->stream.ready(&tcp->stream, what & EV_READ ? STREAM_READ : STREAM_WRITE);
}

static void switch_event(struct event *event, bool on)
{
        CHECK((on ? event_add(event, NULL) : event_del(event)) == 0);
}

static void tcp_want(struct stream *s, unsigned events)
{
        struct tcp *tcp = tcp_of(s);
        unsigned changed = events ^ tcp->wanted;

        CHECK(s->ready || events == 0);
        tcp->wanted = events;
        if (changed & STREAM_READ)
                switch_event(&tcp->readable, events & STREAM_READ);
        if (changed & STREAM_WRITE)
                switch_event(&tcp->writable, events & STREAM_WRITE);
}

static void tcp_close(struct stream *s)
{
        struct tcp *tcp = tcp_of(s);

        tcp_want(s, 0);
        close(tcp->fd);
        free(tcp);
}

static const struct stream_ops tcp_ops = {
        .readv = tcp_readv,
        .writev = tcp_writev,
        .want = tcp_want,
        .close = tcp_close,
};

static void bind_to_loop(struct tcp *tcp, struct loop *loop)
{
        tcp->loop = loop;
        CHECK(event_assign(&tcp->readable, loop->base, tcp->fd, EV_READ | EV_PERSIST, on_ready, tcp) == 0);
        CHECK(event_assign(&tcp->writable, loop->base, tcp->fd, EV_WRITE | EV_PERSIST, on_ready, tcp) == 0);
}

/* Takes FD, also when there is no memory. */
static struct stream *stream_new(struct loop *loop, int fd, const struct netaddr *peer)
{
        struct tcp *tcp = calloc(1, sizeof(*tcp));

        if (!tcp) {
                close(fd);
                return NULL;
        }
        tcp->stream.ops = &tcp_ops;
        tcp->stream.peer = *peer;
        tcp->stream.local = local_address(fd);
        tcp->fd = fd;
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        bind_to_loop(tcp, loop);
        return &tcp->stream;
}

static void on_moved(struct message *msg)
{
        struct tcp *tcp = CONTAINER(msg, struct tcp, moving);

        bind_to_loop(tcp, tcp->loop);
        tcp->arrived(tcp->arrived_arg, &tcp->stream);
}

void loop_stream_move(struct stream *s, struct loop *to, accept_fn *arrived, void *arg)
{
        struct tcp *tcp = tcp_of(s);

        CHECK(s->ops == &tcp_ops);
        tcp_want(s, 0);
        tcp->loop = to;
        tcp->arrived = arrived;
        tcp->arrived_arg = arg;
        tcp->moving.run = on_moved;
        loop_post(to, &tcp->moving);
}

int tcp_connect(struct env *env, const struct netaddr *addr, struct stream **ret)
{
        union any_sockaddr sa;
        socklen_t length = to_sockaddr(addr, &sa);
        int fd = open_socket(addr), error;
        struct stream *s;

        if (fd < 0)
                return fd;
        notice_silence(fd);
        if (connect(fd, &sa.any, length) < 0 && errno != EINPROGRESS && errno != EINTR) {
                error = -errno;
                close(fd);
                return error;
        }
        s = stream_new(loop_of(env), fd, addr);
        if (!s)
                return -ENOMEM;
        *ret = s;
        return 0;
}

/* --- listeners */

static void end_listener(struct listener *l)
{
        event_del(&l->readable);
        timer_stop(&l->pause);
        close(l->fd);
        free(l);
}

static void resume_accepting(struct timer *t)
{
        switch_event(&CONTAINER(t, struct listener, pause)->readable, true);
}

/* Out of descriptors or memory the connection stays in the backlog, and readable: look away for a moment. */
static void pause_accepting(struct listener *l, int error)
{
        log_warn("accept-paused", "error=%s", strerror(error));
        switch_event(&l->readable, false);
        timer_start(&l->loop->env, &l->pause, ACCEPT_PAUSE_NS);
}

/* Accept one; false when there is no more for now. */
static bool accept_one(struct listener *l)
{
        union any_sockaddr sa = { 0 };
        socklen_t length = sizeof(sa);
        int fd = accept4(l->fd, &sa.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        struct netaddr peer;
        struct stream *s;

        if (fd < 0) {
                if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                        pause_accepting(l, errno);
                return errno == EINTR || errno == ECONNABORTED;
        }
        peer = from_sockaddr(&sa);
        s = stream_new(l->loop, fd, &peer);
        if (s)
                l->fn(l->arg, s);
        return true;
}

static void on_connections(evutil_socket_t fd, short what, void *arg)
{
        struct listener *l = arg;

        (void)fd, (void)what;
        loop_note_event(l->loop);
        l->accepting = true; /* fn() may end the listener */
        for (int i = 0; i < ACCEPTS_A_TURN && !l->ended && accept_one(l); i++)
                ;
        l->accepting = false;
        if (l->ended)
                end_listener(l);
}

static int bind_and_listen(int fd, const struct netaddr *addr)
{
        union any_sockaddr sa;
        socklen_t length = to_sockaddr(addr, &sa);

        set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        if (addr->family == 6) /* "0.0.0.0" and "[::]" can then both be listened on */
                set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
        return bind(fd, &sa.any, length) < 0 || listen(fd, BACKLOG) < 0 ? -errno : 0;
}

int tcp_listen(struct env *env, const struct netaddr *addr, accept_fn *fn, void *arg, struct listener **ret)
{
        struct loop *loop = loop_of(env);
        int fd = open_socket(addr), error;
        struct listener *l;

        if (fd < 0)
                return fd;
        error = bind_and_listen(fd, addr);
        l = error ? NULL : calloc(1, sizeof(*l));
        if (!l) {
                close(fd);
                return error ? error : -ENOMEM;
        }
        *l = (struct listener){
                .loop = loop, .fd = fd, .fn = fn, .arg = arg, .pause.fire = resume_accepting
        };
        CHECK(event_assign(&l->readable, loop->base, fd, EV_READ | EV_PERSIST, on_connections, l) == 0);
        switch_event(&l->readable, true);
        *ret = l;
        return 0;
}

void tcp_unlisten(struct env *env, struct listener *l)
{
        (void)env;
        if (!l)
                return;
        if (l->accepting)
                l->ended = true;
        else
                end_listener(l);
}

struct netaddr loop_listener_address(const struct listener *l)
{
        return local_address(l->fd);
}
