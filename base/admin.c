/* SPDX-License-Identifier: Apache-2.0 */
#include "base/admin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/check.h"
#include "base/cleanup.h"

enum {
        HEADER_LIMIT = 8 * 1024,
        BODY_LIMIT = 64 * 1024,
        SILENT_SECONDS = 10, /* a connection that says nothing is closed */
        BACKLOG = 16,
};

struct command {
        struct command *next;
        char path[64];
        admin_fn *fn; /* or */
        admin_later_fn *later;
        void *arg;
};

struct admin_reply {
        struct evhttp_request *req; /* NULL: nobody waits for it any more */
};

struct admin {
        struct loop *loop;
        struct metrics *metrics;
        struct evhttp *http, *local; /* over TCP and over the unix socket; NULL until listening */
        struct command *commands;
        const char *(*health)(void *arg);
        void *health_arg;
        void (*before_metrics)(void *arg);
        void *before_metrics_arg;
        char *socket_path;
};

/* --- answers */

static void set_type(struct evhttp_request *req, const char *type)
{
        struct evkeyvalq *headers = evhttp_request_get_output_headers(req);

        evhttp_remove_header(headers, "Content-Type");
        evhttp_add_header(headers, "Content-Type", type);
}

static void reply(struct evhttp_request *req, int status, const char *type, const char *text, size_t length)
{
        set_type(req, type);
        if (evbuffer_add(evhttp_request_get_output_buffer(req), text, length) < 0)
                status = HTTP_INTERNAL;
        evhttp_send_reply(req, status, NULL, NULL);
}

static void reply_error(struct evhttp_request *req, int status, const char *why)
{
        CLEANUP_FREE char *text = NULL;
        size_t length = 0;
        FILE *out = open_memstream(&text, &length);

        CHECK(out != NULL);
        fputs("{\"error\":", out);
        json_string(out, why);
        fputs("}\n", out);
        fclose(out);
        reply(req, status, "application/json", text, length);
}

static bool is_get(struct evhttp_request *req)
{
        enum evhttp_cmd_type command = evhttp_request_get_command(req);

        if (command == EVHTTP_REQ_GET || command == EVHTTP_REQ_HEAD)
                return true;
        reply_error(req, HTTP_BADMETHOD, "GET this");
        return false;
}

static void on_metrics(struct evhttp_request *req, void *arg)
{
        CLEANUP_FREE char *text = NULL;
        struct admin *a = arg;
        size_t length = 0;
        FILE *out;

        if (!is_get(req))
                return;
        if (a->before_metrics)
                a->before_metrics(a->before_metrics_arg);
        out = open_memstream(&text, &length);
        CHECK(out != NULL);
        metrics_print(a->metrics, out);
        fclose(out);
        reply(req, HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text, length);
}

static void on_health(struct evhttp_request *req, void *arg)
{
        struct admin *a = arg;
        const char *problem;
        char line[256];
        int length;

        if (!is_get(req))
                return;
        problem = a->health ? a->health(a->health_arg) : NULL;
        length = snprintf(line, sizeof line, "%.*s\n", (int)sizeof line - 2, problem ? problem : "ok");
        reply(req, problem ? HTTP_SERVUNAVAIL : HTTP_OK, "text/plain; charset=utf-8", line, (size_t)length);
}

static const struct command *find_command(const struct admin *a, struct evhttp_request *req)
{
        const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(req));

        for (const struct command *c = a->commands; path && c; c = c->next)
                if (strcmp(c->path, path) == 0)
                        return c;
        return NULL;
}

/* A request that libevent has taken off its connection is ours to free. */
static void asker_gone(struct evhttp_connection *conn, void *arg)
{
        struct admin_reply *r = arg;

        (void)conn;
        if (!evhttp_request_get_connection(r->req))
                evhttp_request_free(r->req);
        r->req = NULL;
}

void admin_answer(struct admin_reply *r, int status, const char *json)
{
        if (r->req) {
                evhttp_connection_set_closecb(evhttp_request_get_connection(r->req), NULL, NULL);
                reply(r->req, status, "application/json", json, strlen(json));
        }
        free(r);
}

static void run_later(struct evhttp_request *req, const struct command *c, const char *body)
{
        struct admin_reply *r = malloc(sizeof *r);

        CHECK(r != NULL);
        r->req = req;
        evhttp_connection_set_closecb(evhttp_request_get_connection(req), asker_gone, r);
        c->later(c->arg, body, r);
}

static void run_now(struct evhttp_request *req, const struct command *c, const char *body)
{
        CLEANUP_FREE char *text = NULL;
        size_t length = 0;
        FILE *out = open_memstream(&text, &length);
        int status;

        CHECK(out != NULL);
        status = c->fn(c->arg, body, out);
        fclose(out);
        reply(req, status, "application/json", text, length);
}

static void run_command(struct evhttp_request *req, const struct command *c)
{
        struct evbuffer *in = evhttp_request_get_input_buffer(req);
        size_t body_length = evbuffer_get_length(in);
        CLEANUP_FREE char *body = malloc(body_length + 1);

        CHECK(body != NULL);
        evbuffer_remove(in, body, body_length);
        body[body_length] = '\0';
        (c->later ? run_later : run_now)(req, c, body);
}

static void on_command(struct evhttp_request *req, void *arg)
{
        const struct command *c = find_command(arg, req);

        if (!c)
                reply_error(req, HTTP_NOTFOUND, "no such command: is the server older than this program?");
        else if (evhttp_request_get_command(req) != EVHTTP_REQ_POST)
                reply_error(req, HTTP_BADMETHOD, "POST this");
        else
                run_command(req, c);
}

/* --- listening */

/* Out of descriptors, as a rule, and the listener would report itself ready for ever: this one is given up,
 * so that the peer can be let in and shown out. Of the process, because evhttp has taken the callback's
 * argument for itself. */
static int spare_fd = -1;

static void on_accept_error(struct evconnlistener *listener, void *arg)
{
        int fd;

        (void)arg;
        if (spare_fd >= 0)
                close(spare_fd);
        fd = accept4(evconnlistener_get_fd(listener), NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
                close(fd);
        spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static struct evhttp *new_http(struct admin *a)
{
        struct evhttp *http = evhttp_new(loop_event_base(a->loop));

        CHECK(http != NULL);
        evhttp_set_max_headers_size(http, HEADER_LIMIT);
        evhttp_set_max_body_size(http, BODY_LIMIT);
        evhttp_set_timeout(http, SILENT_SECONDS);
        evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST);
        CHECK(evhttp_set_cb(http, "/metrics", on_metrics, a) == 0);
        CHECK(evhttp_set_cb(http, "/healthz", on_health, a) == 0);
        return http;
}

/* LISTENER is taken over; NULL: errno says why. */
static int add_listener(struct evhttp *http, struct evconnlistener *listener)
{
        if (!listener)
                return errno != 0 ? -errno : -EIO;
        if (!evhttp_bind_listener(http, listener)) {
                evconnlistener_free(listener);
                return -ENOMEM;
        }
        evconnlistener_set_error_cb(listener, on_accept_error);
        return 0;
}

static socklen_t to_sockaddr(const struct netaddr *addr, struct sockaddr_storage *ret)
{
        struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

        memset(ret, 0, sizeof *ret);
        if (addr->family == 4) {
                v4->sin_family = AF_INET;
                v4->sin_port = htons(addr->port);
                memcpy(&v4->sin_addr, addr->bytes, 4);
                return sizeof *v4;
        }
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(addr->port);
        memcpy(&v6->sin6_addr, addr->bytes, 16);
        return sizeof *v6;
}

int admin_listen_http(struct admin *a, const struct netaddr *addr)
{
        const unsigned options = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE |
                                 (addr->family == 6 ? LEV_OPT_BIND_IPV6ONLY : 0);
        struct sockaddr_storage name;
        socklen_t length = to_sockaddr(addr, &name);

        if (!a->http)
                a->http = new_http(a);
        errno = 0;
        return add_listener(a->http, evconnlistener_new_bind(loop_event_base(a->loop), NULL, NULL, options,
                                                             BACKLOG, (struct sockaddr *)&name, (int)length));
}

/* 0 when PATH is free: nothing there, or the socket of a server that is gone. */
static int clear_stale_socket(const struct sockaddr_un *name)
{
        CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct stat st;

        if (fd < 0)
                return -errno;
        if (lstat(name->sun_path, &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!S_ISSOCK(st.st_mode))
                return -EEXIST;
        if (connect(fd, (const struct sockaddr *)name, sizeof *name) == 0 || errno == EAGAIN)
                return -EADDRINUSE;
        if (errno != ECONNREFUSED)
                return -errno;
        return unlink(name->sun_path) < 0 ? -errno : 0;
}

/* A listening socket at NAME, or -errno. */
static int listen_unix(const struct sockaddr_un *name)
{
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;

        if (fd < 0)
                return -errno;
        /* The mode that bind() gives the file is the socket's own: there is no moment at which others could
         * connect. */
        if (fchmod(fd, S_IRUSR | S_IWUSR) == 0 &&
            bind(fd, (const struct sockaddr *)name, sizeof *name) == 0 && listen(fd, BACKLOG) == 0)
                return fd;
        error = errno;
        close(fd);
        return -error;
}

int admin_listen_unix(struct admin *a, const char *path)
{
        struct sockaddr_un name = { .sun_family = AF_UNIX };
        int status, fd;

        CHECK(a->local == NULL);
        if (strlen(path) >= sizeof name.sun_path)
                return -ENAMETOOLONG;
        strcpy(name.sun_path, path);
        status = clear_stale_socket(&name);
        if (status < 0)
                return status;
        fd = listen_unix(&name);
        if (fd < 0)
                return fd;
        a->local = new_http(a);
        evhttp_set_gencb(a->local, on_command, a);
        a->socket_path = strdup(path);
        CHECK(a->socket_path != NULL);
        return add_listener(a->local, evconnlistener_new(loop_event_base(a->loop), NULL, NULL,
                                                         LEV_OPT_CLOSE_ON_FREE, 0, fd));
}

/* --- birth and death */

struct admin *admin_new(struct loop *loop, struct metrics *metrics)
{
        struct admin *a = calloc(1, sizeof *a);

        if (!a)
                return NULL;
        a->loop = loop;
        a->metrics = metrics;
        if (spare_fd < 0)
                spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return a;
}

void admin_free(struct admin *a)
{
        if (!a)
                return;
        if (a->http)
                evhttp_free(a->http);
        if (a->local)
                evhttp_free(a->local);
        if (a->socket_path)
                unlink(a->socket_path);
        while (a->commands) {
                struct command *c = a->commands;

                a->commands = c->next;
                free(c);
        }
        free(a->socket_path);
        free(a);
}

static struct command *add_command(struct admin *a, const char *name, void *arg)
{
        struct command *c = calloc(1, sizeof *c);

        CHECK(c != NULL);
        CHECK(snprintf(c->path, sizeof c->path, "/v1/%s", name) < (int)sizeof c->path);
        c->arg = arg;
        c->next = a->commands;
        a->commands = c;
        return c;
}

void admin_command(struct admin *a, const char *name, admin_fn *fn, void *arg)
{
        add_command(a, name, arg)->fn = fn;
}

void admin_command_later(struct admin *a, const char *name, admin_later_fn *fn, void *arg)
{
        add_command(a, name, arg)->later = fn;
}

void admin_health(struct admin *a, const char *(*fn)(void *arg), void *arg)
{
        a->health = fn;
        a->health_arg = arg;
}

void admin_before_metrics(struct admin *a, void (*fn)(void *arg), void *arg)
{
        a->before_metrics = fn;
        a->before_metrics_arg = arg;
}

void json_string(FILE *out, const char *text)
{
        fputc('"', out);
        for (const unsigned char *c = (const unsigned char *)text; *c; c++)
                if (*c == '"' || *c == '\\')
                        fprintf(out, "\\%c", *c);
                else if (*c < ' ')
                        fprintf(out, "\\u%04x", *c);
                else
                        fputc(*c, out);
        fputc('"', out);
}
