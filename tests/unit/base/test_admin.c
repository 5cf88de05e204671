/* SPDX-License-Identifier: Apache-2.0 */
/* What goes over the TCP port, what only over the unix socket, and what a request cannot do to the server. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/admin.h"

static struct loop *loop;
static struct admin *admin;
static struct metrics metrics;
static struct metric hits = { .name = "hits_total", .help = "Hits", .kind = METRIC_COUNTER };
static char dir[64], path[96], answer[16384];
static const char *problem;

static const char *health(void *arg)
{
        (void)arg;
        return problem;
}

static void refresh(void *arg)
{
        metric_add(arg, 7);
}

static int echo(void *arg, const char *body, FILE *out)
{
        fprintf(out, "{\"got\":");
        json_string(out, body);
        fprintf(out, ",\"arg\":\"%s\"}", (const char *)arg);
        return strcmp(body, "bad") == 0 ? 422 : 200;
}

static int setup(void **state)
{
        (void)state;
        strcpy(dir, "/tmp/test_admin.XXXXXX");
        assert_non_null(mkdtemp(dir));
        snprintf(path, sizeof path, "%s/admin.sock", dir);
        metrics = (struct metrics){ 0 };
        hits.value = 0;
        hits.next = NULL;
        problem = NULL;
        metric_register(&metrics, &hits);
        loop = loop_new();
        admin = admin_new(loop, &metrics);
        admin_health(admin, health, NULL);
        admin_before_metrics(admin, refresh, &hits);
        admin_command(admin, "echo", echo, "x");
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        admin_free(admin);
        loop_free(loop);
        unlink(path);
        assert_int_equal(rmdir(dir), 0);
        return 0;
}

struct client {
        int fd;
        size_t used;
};

/* The loop and its client are on one thread: turn by turn, until the server has closed. */
static void on_client_readable(void *arg)
{
        struct client *c = arg;
        ssize_t got = read(c->fd, answer + c->used, sizeof answer - 1 - c->used);

        if (got > 0)
                c->used += (size_t)got;
        else
                loop_stop(loop);
}

static const char *ask(int fd, const char *request)
{
        struct client c = { .fd = fd };

        assert_int_equal(write(fd, request, strlen(request)), strlen(request));
        assert_int_equal(loop_watch(loop, fd, on_client_readable, &c), 0);
        loop_run(loop);
        loop_unwatch(loop, fd);
        answer[c.used] = '\0';
        close(fd);
        return answer;
}

static int dial_unix(void)
{
        struct sockaddr_un name = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        strcpy(name.sun_path, path);
        assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
        return fd;
}

/* A free port: bound for a moment by ourselves. */
static struct netaddr listen_tcp(void)
{
        struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t length = sizeof name;
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        struct netaddr a;

        assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &length), 0);
        close(fd);
        assert_int_equal(netaddr_parse("127.0.0.1", ntohs(name.sin_port), &a), 0);
        assert_int_equal(admin_listen_http(admin, &a), 0);
        return a;
}

static int dial_tcp(const struct netaddr *a)
{
        struct sockaddr_in name = { .sin_family = AF_INET,
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                    .sin_port = htons(a->port) };
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
        return fd;
}

#define GET(what) "GET " what " HTTP/1.0\r\n\r\n"
#define POST(what, length, body) "POST " what " HTTP/1.0\r\nContent-Length: " length "\r\n\r\n" body

static void test_metrics_over_tcp(void **state)
{
        struct netaddr a = listen_tcp();

        (void)state;
        ask(dial_tcp(&a), GET("/metrics"));
        assert_non_null(strstr(answer, "HTTP/1.0 200 OK\r\n"));
        assert_non_null(strstr(answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
        assert_non_null(
                strstr(answer, "\r\n\r\n# HELP hits_total Hits\n# TYPE hits_total counter\nhits_total 7\n"));
        ask(dial_tcp(&a), GET("/metrics?x=y"));
        assert_non_null(strstr(answer, "\nhits_total 14\n"));
        ask(dial_tcp(&a), POST("/metrics", "0", ""));
        assert_non_null(strstr(answer, " 405 "));
}

static void test_health(void **state)
{
        struct netaddr a = listen_tcp();

        (void)state;
        assert_non_null(strstr(ask(dial_tcp(&a), GET("/healthz")), "200 OK"));
        assert_non_null(strstr(answer, "\r\n\r\nok\n"));
        problem = "the disk answers EIO";
        assert_non_null(strstr(ask(dial_tcp(&a), GET("/healthz")), " 503 "));
        assert_non_null(strstr(answer, "\r\n\r\nthe disk answers EIO\n"));
}

static void test_commands_only_over_the_unix_socket(void **state)
{
        struct netaddr a = listen_tcp();

        (void)state;
        assert_int_equal(admin_listen_unix(admin, path), 0);
        ask(dial_tcp(&a), POST("/v1/echo", "2", "hi"));
        assert_non_null(strstr(answer, " 404 "));
        assert_null(strstr(answer, "got"));
        ask(dial_unix(), POST("/v1/echo", "3", "a\"\n"));
        assert_non_null(strstr(answer, " 200 "));
        assert_non_null(strstr(answer, "Content-Type: application/json\r\n"));
        assert_non_null(strstr(answer, "\r\n\r\n{\"got\":\"a\\\"\\u000a\",\"arg\":\"x\"}"));
        assert_non_null(strstr(ask(dial_unix(), POST("/v1/echo", "3", "bad")), " 422 "));
        assert_non_null(strstr(ask(dial_unix(), GET("/metrics")), "hits_total 7"));
        assert_non_null(strstr(ask(dial_unix(), GET("/v1/echo")), " 405 "));
        assert_non_null(strstr(ask(dial_unix(), POST("/v1/nothing", "0", "")), " 404 "));
        assert_non_null(
                strstr(answer, "{\"error\":\"no such command: is the server older than this program?\"}"));
}

static void test_nobody_else_may_connect(void **state)
{
        struct stat st;

        (void)state;
        assert_int_equal(admin_listen_unix(admin, path), 0);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_large_bodies_are_refused(void **state)
{
        static char request[80000];

        (void)state;
        assert_int_equal(admin_listen_unix(admin, path), 0);
        assert_non_null(strstr(ask(dial_unix(), POST("/v1/echo", "70000", "x")), " 413 "));
        strcpy(request, "GET /metrics HTTP/1.0\r\nX: ");
        memset(request + strlen(request), 'x', 20000);
        strcat(request, "\r\n\r\n");
        assert_null(strstr(ask(dial_unix(), request), "hits_total"));
}

static void test_stale_sockets_are_replaced(void **state)
{
        struct admin *second = admin_new(loop, &metrics);
        struct sockaddr_un name = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        (void)state;
        strcpy(name.sun_path, path);
        assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
        close(fd); /* as after kill -9: the file stays */
        assert_int_equal(admin_listen_unix(admin, path), 0);
        assert_int_equal(admin_listen_unix(second, path), -EADDRINUSE);
        admin_free(second);
        assert_int_equal(access(path, F_OK), 0); /* not its socket: not its to remove */
}

static void test_other_files_are_left_alone(void **state)
{
        char longer[200];
        FILE *out = fopen(path, "w");

        (void)state;
        fclose(out);
        assert_int_equal(admin_listen_unix(admin, path), -EEXIST);
        snprintf(longer, sizeof longer, "%s/%0120d", dir, 0);
        assert_int_equal(admin_listen_unix(admin, longer), -ENAMETOOLONG);
        assert_int_equal(admin_listen_unix(admin, "/nonexistent/admin.sock"), -ENOENT);
}

static void test_port_in_use(void **state)
{
        struct netaddr a = listen_tcp();
        struct admin *second = admin_new(loop, &metrics);

        (void)state;
        assert_int_equal(admin_listen_http(second, &a), -EADDRINUSE);
        admin_free(second);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_metrics_over_tcp, setup, teardown),
                cmocka_unit_test_setup_teardown(test_health, setup, teardown),
                cmocka_unit_test_setup_teardown(test_commands_only_over_the_unix_socket, setup, teardown),
                cmocka_unit_test_setup_teardown(test_nobody_else_may_connect, setup, teardown),
                cmocka_unit_test_setup_teardown(test_large_bodies_are_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(test_stale_sockets_are_replaced, setup, teardown),
                cmocka_unit_test_setup_teardown(test_other_files_are_left_alone, setup, teardown),
                cmocka_unit_test_setup_teardown(test_port_in_use, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
