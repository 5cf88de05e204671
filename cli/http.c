/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.0 over a unix socket: the server closes at the end, so there are no chunks. */
#include "cli/http.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/check.h"
#include "base/cleanup.h"

/* A server that tries out a bucket which does not answer says so after half of the silence. */
enum { ANSWER_LIMIT = 16 * 1024 * 1024, ANSWER_STEP = 64 * 1024, SILENT_SECONDS = 60 };

static int dial(const char *path)
{
        const struct timeval limit = { .tv_sec = SILENT_SECONDS };
        struct sockaddr_un name = { .sun_family = AF_UNIX };
        int fd, error;

        if (strlen(path) >= sizeof name.sun_path)
                return -ENAMETOOLONG;
        strcpy(name.sun_path, path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
            setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 &&
            connect(fd, (const struct sockaddr *)&name, sizeof name) == 0)
                return fd;
        error = errno;
        close(fd);
        return -error;
}

static int send_all(int fd, const char *data, size_t length)
{
        while (length > 0) {
                ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);

                if (sent < 0 && errno != EINTR)
                        return -errno;
                if (sent > 0) {
                        data += sent;
                        length -= (size_t)sent;
                }
        }
        return 0;
}

static int send_request(int fd, const char *path, const char *body)
{
        char head[256];
        int length, status;

        if (body)
                length = snprintf(head, sizeof head, "POST %s HTTP/1.0\r\nContent-Length: %zu\r\n\r\n", path,
                                  strlen(body));
        else
                length = snprintf(head, sizeof head, "GET %s HTTP/1.0\r\n\r\n", path);
        CHECK(length < (int)sizeof head);
        status = send_all(fd, head, (size_t)length);
        return status == 0 && body ? send_all(fd, body, strlen(body)) : status;
}

/* All that comes until the end, NUL-terminated. */
static int receive_all(int fd, char **ret, size_t *ret_length)
{
        CLEANUP_FREE char *data = NULL;
        size_t used = 0;

        for (;;) {
                char *larger = realloc(data, used + ANSWER_STEP + 1);
                ssize_t got;

                CHECK(larger != NULL);
                data = larger;
                got = recv(fd, data + used, ANSWER_STEP, 0);
                if (got < 0 && errno != EINTR)
                        return errno == EAGAIN ? -ETIMEDOUT : -errno;
                if (got == 0)
                        break;
                used += got > 0 ? (size_t)got : 0;
                if (used > ANSWER_LIMIT)
                        return -EMSGSIZE;
        }
        data[used] = '\0';
        *ret = TAKE(data);
        *ret_length = used;
        return 0;
}

static int parse_answer(const char *data, size_t length, struct http_answer *ret)
{
        const char *body = strstr(data, "\r\n\r\n"), *field;
        int status;

        if (sscanf(data, "HTTP/1.%*1[01] %3d", &status) != 1 || !body)
                return -EPROTO;
        body += 4;
        field = strcasestr(data, "\r\ncontent-length:");
        /* A server that dies half way must not pass for one with little to say. */
        if (field && field < body &&
            strtoull(field + strlen("\r\ncontent-length:"), NULL, 10) != length - (size_t)(body - data))
                return -EPROTO;
        ret->status = status;
        ret->body = strdup(body);
        CHECK(ret->body != NULL);
        return 0;
}

int http_ask(const char *socket_path, const char *path, const char *body, struct http_answer *ret)
{
        CLEANUP_CLOSE int fd = dial(socket_path);
        CLEANUP_FREE char *data = NULL;
        size_t length = 0;
        int status;

        if (fd < 0)
                return fd;
        status = send_request(fd, path, body);
        if (status == 0)
                status = receive_all(fd, &data, &length);
        return status == 0 ? parse_answer(data, length, ret) : status;
}
