/* SPDX-License-Identifier: Apache-2.0 */
/* Streams, listeners and connections over loopback, IPv4 and IPv6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hashtab.h"
#include "base/loop.h"

static struct loop *loop;
static struct listener *listener;
static atomic_int echoes; /* connections that the echo server has */

static struct netaddr address(const char *text)
{
        struct netaddr a;

        assert_int_equal(netaddr_parse(text, 0, &a), 0);
        return a;
}

static struct netaddr listen_on(const char *text, accept_fn *fn, void *arg)
{
        struct netaddr a = address(text);
        struct env *env = loop_env(loop);

        assert_int_equal(env->ops->listen(env, &a, fn, arg, &listener), 0);
        a = loop_listener_address(listener);
        assert_int_not_equal(a.port, 0);
        return a;
}

static struct stream *connect_to(struct netaddr a)
{
        struct env *env = loop_env(loop);
        struct stream *s;

        assert_int_equal(env->ops->connect(env, &a, &s), 0);
        return s;
}

static int setup(void **state)
{
        (void)state;
        listener = NULL;
        loop = loop_new();
        return loop ? 0 : -1;
}

static void stop_loop(struct timer *t)
{
        (void)t;
        loop_stop(loop);
}

static int teardown(void **state)
{
        struct timer timer = { .fire = stop_loop };

        (void)state;
        while (echoes > 0) { /* until the server has seen that its clients are gone */
                timer_start(loop_env(loop), &timer, 1000000);
                loop_run(loop);
        }
        loop_env(loop)->ops->unlisten(loop_env(loop), listener);
        loop_free(loop);
        return 0;
}

/* --- a server that sends back what it gets, through a buffer that is smaller than the sockets' */

enum { ECHO_BYTES = 48 * 1024 };

struct echo {
        struct stream *stream;
        uint8_t data[ECHO_BYTES];
        uint32_t begin, end;
        uint64_t partial_writes;
};

static void echo_close(struct echo *e)
{
        e->stream->ops->close(e->stream);
        free(e);
        echoes--;
}

static void echo_ready(struct stream *s, unsigned events)
{
        struct echo *e = s->owner;

        if (events & STREAM_READ && e->begin == e->end) {
                struct iovec two[2] = { { e->data, 1000 }, { e->data + 1000, ECHO_BYTES - 1000 } };
                int64_t n = s->ops->readv(s, two, 2);

                if (n == 0) {
                        echo_close(e);
                        return;
                }
                if (n == -EAGAIN)
                        return;
                assert_true(n > 0);
                e->begin = 0;
                e->end = (uint32_t)n;
        }
        while (e->begin < e->end) {
                struct iovec rest = { e->data + e->begin, e->end - e->begin };
                int64_t n = s->ops->writev(s, &rest, 1);

                if (n == -EAGAIN)
                        break;
                assert_true(n > 0);
                e->begin += (uint32_t)n;
        }
        s->ops->want(s, e->begin == e->end ? STREAM_READ : STREAM_WRITE);
}

static void echo_accept(void *arg, struct stream *s)
{
        struct echo *e = calloc(1, sizeof(*e));

        (void)arg;
        echoes++;
        e->stream = s;
        s->owner = e;
        s->ready = echo_ready;
        s->ops->want(s, STREAM_READ);
}

/* --- a client that sends a pattern and checks it as it comes back, reading slowly at first */

struct client {
        struct stream *stream;
        uint64_t total, sent, got;
        uint64_t eagain;
        int *left;
};

static uint8_t pattern(uint64_t at)
{
        return (uint8_t)(hash_u64(at / 8 + 1) >> at % 8 * 8);
}

static void client_send(struct client *c)
{
        static uint8_t chunk[256 * 1024];

        while (c->sent < c->total) {
                uint64_t left = c->total - c->sent, n = left < sizeof(chunk) ? left : sizeof(chunk);
                struct iovec iov[2] = { { chunk, n / 3 }, { chunk + n / 3, n - n / 3 } };
                int64_t written;

                for (uint64_t i = 0; i < n; i++)
                        chunk[i] = pattern(c->sent + i);
                written = c->stream->ops->writev(c->stream, iov, 2);
                if (written == -EAGAIN) {
                        c->eagain++;
                        return;
                }
                assert_true(written > 0);
                c->sent += (uint64_t)written;
        }
}

static bool client_receive(struct client *c)
{
        static uint8_t chunk[64 * 1024];
        struct iovec iov = { chunk, sizeof(chunk) };
        int64_t n = c->stream->ops->readv(c->stream, &iov, 1);

        assert_true(n > 0 || n == -EAGAIN);
        for (int64_t i = 0; i < n; i++)
                if (chunk[i] != pattern(c->got + (uint64_t)i))
                        fail_msg("byte %ld is wrong", (long)(c->got + (uint64_t)i));
        c->got += n > 0 ? (uint64_t)n : 0;
        return c->got == c->total;
}

static void client_ready(struct stream *s, unsigned events)
{
        struct client *c = s->owner;

        if (events & STREAM_WRITE)
                client_send(c);
        if (events & STREAM_READ && client_receive(c)) {
                s->ops->close(s);
                if (--*c->left == 0)
                        loop_stop(loop);
                return;
        }
        s->ops->want(s, STREAM_READ | (c->sent < c->total ? STREAM_WRITE : 0));
}

static void start_client(struct client *c, struct netaddr to, uint64_t total, int *left)
{
        *c = (struct client){ .stream = connect_to(to), .total = total, .left = left };
        c->stream->owner = c;
        c->stream->ready = client_ready;
        c->stream->ops->want(c->stream, STREAM_READ | STREAM_WRITE);
}

static void mebibytes_come_back(void **state)
{
        struct client clients[4];
        struct netaddr to = listen_on("127.0.0.1:0", echo_accept, NULL);
        int left = 4;
        uint64_t eagain = 0;

        (void)state;
        for (int i = 0; i < 4; i++)
                start_client(&clients[i], to, (8 << 20) + (uint64_t)i, &left);
        loop_run(loop);
        for (int i = 0; i < 4; i++)
                eagain += clients[i].eagain;
        assert_true(eagain > 0); /* the sockets were full at times: partial writes happened */
}

static void ipv6_works_beside_ipv4(void **state)
{
        struct client client;
        int left = 1, probe;
        struct netaddr to;
        struct listener *other;
        struct env *env = loop_env(loop);

        (void)state;
        to = address("[::1]:0");
        probe = env->ops->listen(env, &to, echo_accept, NULL, &other);
        if (probe != 0) {
                assert_true(probe == -EADDRNOTAVAIL || probe == -EAFNOSUPPORT);
                skip();
        }
        env->ops->unlisten(env, other);
        to = listen_on("[::]:0", echo_accept, NULL);
        to.bytes[15] = 1;
        {
                struct netaddr v4 = address("0.0.0.0:0");

                v4.port = to.port; /* the same port: the IPv6 listener must not hold it */
                assert_int_equal(env->ops->listen(env, &v4, echo_accept, NULL, &other), 0);
                env->ops->unlisten(env, other);
        }
        start_client(&client, to, 100000, &left);
        assert_int_equal(client.stream->local.family, 6);
        loop_run(loop);
}

/* --- errors */

struct refused {
        struct stream *stream;
        int64_t result;
};

static void refused_ready(struct stream *s, unsigned events)
{
        struct refused *r = s->owner;
        struct iovec iov = { "x", 1 };

        if (!(events & STREAM_WRITE))
                return;
        r->result = s->ops->writev(s, &iov, 1);
        s->ops->close(s);
        loop_stop(loop);
}

static void a_refused_connection_says_so_at_the_first_write(void **state)
{
        struct netaddr to = listen_on("127.0.0.1:0", echo_accept, NULL);
        struct refused r = { .result = 0 };

        (void)state;
        loop_env(loop)->ops->unlisten(loop_env(loop), listener);
        listener = NULL;
        r.stream = connect_to(to);
        r.stream->owner = &r;
        r.stream->ready = refused_ready;
        r.stream->ops->want(r.stream, STREAM_WRITE);
        loop_run(loop);
        assert_int_equal(r.result, -ECONNREFUSED);
}

static void bad_addresses_are_errors(void **state)
{
        struct env *env = loop_env(loop);
        struct netaddr none = { 0 }, foreign = address("192.0.2.1:0");
        struct stream *s;
        struct listener *l;

        (void)state;
        assert_int_equal(env->ops->connect(env, &none, &s), -EINVAL);
        assert_int_equal(env->ops->listen(env, &none, echo_accept, NULL, &l), -EINVAL);
        assert_int_equal(env->ops->listen(env, &foreign, echo_accept, NULL, &l), -EADDRNOTAVAIL);
}

static void keep(void *arg, struct stream *s)
{
        *(struct stream **)arg = s;
        loop_stop(loop);
}

static void an_address_in_use_is_an_error(void **state)
{
        struct stream *unused;
        struct netaddr a = listen_on("127.0.0.1:0", keep, &unused);
        struct listener *second;

        (void)state;
        assert_int_equal(loop_env(loop)->ops->listen(loop_env(loop), &a, keep, NULL, &second), -EADDRINUSE);
}

/* --- details of streams */

/* A connected pair: *ret_far is the accepted end. */
static struct stream *pair(struct stream **ret_far)
{
        struct stream *near = connect_to(listen_on("127.0.0.1:0", keep, ret_far));

        loop_run(loop);
        return near;
}

static void both_ends_know_their_addresses(void **state)
{
        struct stream *far, *near = pair(&far);

        (void)state;
        assert_true(netaddr_equal(&near->local, &far->peer));
        assert_true(netaddr_equal(&near->peer, &far->local));
        near->ops->close(near);
        far->ops->close(far);
}

/* The socket whose own port is PORT. */
static int socket_of(uint16_t port)
{
        struct sockaddr_in sa;

        for (int fd = 0; fd < 1024; fd++) {
                socklen_t length = sizeof(sa);

                if (getsockname(fd, (struct sockaddr *)&sa, &length) == 0 && sa.sin_family == AF_INET &&
                    ntohs(sa.sin_port) == port)
                        return fd;
        }
        return -1;
}

static int option_of(int fd, int level, int option)
{
        int value = -1;
        socklen_t length = sizeof(value);

        assert_int_equal(getsockopt(fd, level, option, &value, &length), 0);
        return value;
}

static void whom_we_called_is_asked_whether_it_is_there(void **state)
{
        struct stream *s = connect_to(listen_on("127.0.0.1", keep, NULL));
        int fd = socket_of(s->local.port);

        (void)state;
        assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
        assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 5);
        assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), 5);
        assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
        assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 20000);
        s->ops->close(s);
}

static void writing_to_a_closed_peer_is_an_error_not_a_signal(void **state)
{
        struct stream *far, *near = pair(&far);
        struct iovec iov = { "x", 1 };
        int64_t n = 1;

        (void)state;
        far->ops->close(far);
        for (int i = 0; i < 1000 && n > 0; i++) {
                n = near->ops->writev(near, &iov, 1);
                usleep(100);
        }
        assert_true(n == -EPIPE || n == -ECONNRESET);
        near->ops->close(near);
}

static void nothing_to_read_is_eagain_and_the_end_is_zero(void **state)
{
        struct stream *far, *near = pair(&far);
        char byte;
        struct iovec iov = { &byte, 1 };
        int64_t n = -EAGAIN;

        (void)state;
        assert_int_equal(near->ops->readv(near, &iov, 1), -EAGAIN);
        far->ops->close(far);
        for (int i = 0; i < 1000 && n == -EAGAIN; i++) {
                usleep(100);
                n = near->ops->readv(near, &iov, 1);
        }
        assert_int_equal(n, 0);
        near->ops->close(near);
}

static void never_ready(struct stream *s, unsigned events)
{
        (void)s, (void)events;
        fail();
}

static void what_is_not_wanted_does_not_call(void **state)
{
        struct stream *far, *near = pair(&far);
        struct timer timer = { .fire = stop_loop };
        struct iovec iov = { "x", 1 };

        (void)state;
        near->ready = never_ready;
        near->ops->want(near, STREAM_READ | STREAM_WRITE);
        near->ops->want(near, STREAM_READ);
        near->ops->want(near, 0);
        assert_int_equal(far->ops->writev(far, &iov, 1), 1);
        timer_start(loop_env(loop), &timer, 10000000);
        loop_run(loop);
        near->ops->close(near);
        far->ops->close(far);
}

/* --- listeners */

static void accept_and_unlisten(void *arg, struct stream *s)
{
        ++*(int *)arg;
        s->ops->close(s);
        loop_env(loop)->ops->unlisten(loop_env(loop), listener);
        listener = NULL;
        loop_stop(loop);
}

static void a_listener_may_end_as_it_accepts(void **state)
{
        int accepted = 0;
        struct netaddr to = listen_on("127.0.0.1:0", accept_and_unlisten, &accepted);
        struct stream *a = connect_to(to), *b = connect_to(to);

        (void)state;
        loop_run(loop);
        assert_int_equal(accepted, 1);
        a->ops->close(a);
        b->ops->close(b);
}

static void accepting_pauses_without_descriptors_and_resumes(void **state)
{
        struct stream *far = NULL, *near = connect_to(listen_on("127.0.0.1:0", keep, &far));
        struct rlimit before, none;
        struct timer timer = { .fire = stop_loop };
        int lowest = dup(0);

        (void)state;
        close(lowest);
        getrlimit(RLIMIT_NOFILE, &before);
        none = (struct rlimit){ (rlim_t)lowest, before.rlim_max };
        setrlimit(RLIMIT_NOFILE, &none);
        timer_start(loop_env(loop), &timer, 20000000);
        loop_run(loop);
        assert_null(far);
        setrlimit(RLIMIT_NOFILE, &before);
        loop_run(loop);
        assert_non_null(far);
        near->ops->close(near);
        far->ops->close(far);
}

/* --- from loop to loop */

static struct loop *helper;

static void stop_helper(struct message *message)
{
        (void)message;
        loop_stop(helper);
}

static void deal_out(void *arg, struct stream *s)
{
        (void)arg;
        loop_stream_move(s, helper, echo_accept, NULL);
}

static void *run_helper(void *arg)
{
        (void)arg;
        loop_run(helper);
        return NULL;
}

static void a_connection_can_be_served_by_another_loop(void **state)
{
        struct message stop = { .run = stop_helper };
        struct client clients[2];
        struct netaddr to = listen_on("127.0.0.1:0", deal_out, NULL);
        pthread_t thread;
        int left = 2;

        (void)state;
        helper = loop_new();
        assert_int_equal(pthread_create(&thread, NULL, run_helper, NULL), 0);
        for (int i = 0; i < 2; i++)
                start_client(&clients[i], to, 4 << 20, &left);
        loop_run(loop);
        while (echoes > 0) /* until the helper has seen the ends */
                usleep(1000);
        loop_post(helper, &stop);
        pthread_join(thread, NULL);
        loop_free(helper);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(mebibytes_come_back),
                TEST(ipv6_works_beside_ipv4),
                TEST(a_refused_connection_says_so_at_the_first_write),
                TEST(bad_addresses_are_errors),
                TEST(an_address_in_use_is_an_error),
                TEST(both_ends_know_their_addresses),
                TEST(whom_we_called_is_asked_whether_it_is_there),
                TEST(writing_to_a_closed_peer_is_an_error_not_a_signal),
                TEST(nothing_to_read_is_eagain_and_the_end_is_zero),
                TEST(what_is_not_wanted_does_not_call),
                TEST(a_listener_may_end_as_it_accepts),
                TEST(accepting_pauses_without_descriptors_and_resumes),
                TEST(a_connection_can_be_served_by_another_loop),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
