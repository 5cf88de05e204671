/* SPDX-License-Identifier: Apache-2.0 */
/* Keys from a program (credential_process), a container's agent, an instance's metadata service (IMDSv2: a
 * token first, then the role's name, then its keys). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "s3tier/creds_private.h"

enum { PROCESS_SECONDS = 60, SERVICE_MS = 5000 };
#define INSTANCE_URL "http://169.254.169.254"
#define ROLE_PATH "/latest/meta-data/iam/security-credentials/"

extern char **environ;

/* --- a program */

static void close_pipe(struct creds_provider *p)
{
        if (p->out_fd < 0)
                return;
        loop_unwatch(p->loop, p->out_fd);
        close(p->out_fd);
        p->out_fd = -1;
}

/* The program has ended. */
static int reap(struct creds_provider *p)
{
        int status = 0;

        loop_unwatch(p->loop, p->pid_fd);
        close(p->pid_fd);
        p->pid_fd = -1;
        waitpid(p->pid, &status, 0);
        timer_stop(&p->timeout);
        return status;
}

static void read_pipe(void *arg)
{
        struct creds_provider *p = arg;
        char bytes[4096];
        ssize_t got = read(p->out_fd, bytes, sizeof(bytes));

        if (got > 0 && http_text_append(&p->out, bytes, (size_t)got))
                return;
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        close_pipe(p);
}

static void on_exit_of_program(void *arg)
{
        struct creds_provider *p = arg;
        int status = reap(p);

        while (p->out_fd >= 0) {
                int before = (int)p->out.length;

                read_pipe(p);
                if (p->out_fd >= 0 && (int)p->out.length == before)
                        close_pipe(p); /* somebody else still has it open */
        }
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                creds_fail(p, "%.100s: exit status %d", p->conf.command,
                           WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        creds_fetched(p, WIFEXITED(status) && WEXITSTATUS(status) == 0 ? (p->out.data ? p->out.data : "")
                                                                       : NULL);
        if (p->out.data)
                explicit_bzero(p->out.data, p->out.length);
        http_text_free(&p->out);
}

static void on_timeout(struct timer *t)
{
        struct creds_provider *p = CONTAINER(t, struct creds_provider, timeout);

        kill(p->pid, SIGKILL); /* not waited for yet: it is this program still */
}

static int spawn(struct creds_provider *p, int out)
{
        char *argv[] = { "sh", "-c", (char *)p->conf.command, NULL };
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none;
        int error;

        sigemptyset(&none);
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&actions, out, 1);
        posix_spawnattr_init(&attributes);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        error = posix_spawn(&p->pid, "/bin/sh", &actions, &attributes, argv, environ);
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
        return error;
}

static void start_program(struct creds_provider *p)
{
        int ends[2], error;

        p->out.limit = CREDS_ANSWER_BYTES;
        if (pipe2(ends, O_CLOEXEC) < 0) {
                creds_fail(p, "%.100s: %s", p->conf.command, strerror(errno));
                creds_fetched(p, NULL);
                return;
        }
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
        error = spawn(p, ends[1]);
        close(ends[1]);
        p->out_fd = ends[0];
        if (error == 0)
                p->pid_fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
        if (error != 0 || p->pid_fd < 0 || loop_watch(p->loop, p->out_fd, read_pipe, p) < 0 ||
            loop_watch(p->loop, p->pid_fd, on_exit_of_program, p) < 0) {
                creds_fail(p, "%.100s: %s", p->conf.command, strerror(error ? error : errno));
                creds_stop_fetch(p);
                creds_fetched(p, NULL);
                return;
        }
        p->timeout.fire = on_timeout;
        timer_start(loop_env(p->loop), &p->timeout, PROCESS_SECONDS * UINT64_C(1000000000));
}

/* --- services */

static void on_answer(struct http_call *call, enum http_result result);

static void ask(struct creds_provider *p, enum http_method method, const char *path)
{
        snprintf(p->url, sizeof(p->url), "%s%s", p->conf.url ? p->conf.url : INSTANCE_URL, path);
        p->call.method = method;
        p->call.url = p->url;
        p->call.headers = &p->header;
        p->call.header_count = p->header.name ? 1 : 0;
        p->call.text.limit = CREDS_ANSWER_BYTES;
        p->call.done = on_answer;
        http_send(p->http, &p->call);
}

/* The first line of the answer, at most BYTES - 1 of it. */
static void take_line(const struct creds_provider *p, char *out, size_t bytes)
{
        const char *text = p->call.text.data ? p->call.text.data : "";

        snprintf(out, bytes, "%.*s", (int)strcspn(text, "\r\n"), text);
}

static void next_step(struct creds_provider *p)
{
        char role[200], path[300];

        if (p->conf.source == CREDS_CONTAINER || p->step == CREDS_KEYS) {
                creds_fetched(p, p->call.text.data ? p->call.text.data : "");
                return;
        }
        if (p->step == CREDS_TOKEN) {
                take_line(p, p->value, sizeof(p->value));
                p->header = (struct http_header){ "X-aws-ec2-metadata-token", p->value };
                p->step = CREDS_ROLE;
                ask(p, HTTP_GET, ROLE_PATH);
                return;
        }
        take_line(p, role, sizeof(role));
        snprintf(path, sizeof(path), ROLE_PATH "%s", role);
        p->step = CREDS_KEYS;
        ask(p, HTTP_GET, path);
}

static void on_answer(struct http_call *call, enum http_result result)
{
        struct creds_provider *p = CONTAINER(call, struct creds_provider, call);

        if (result == HTTP_ANSWERED && call->status == 200) {
                next_step(p);
        } else {
                if (result == HTTP_ANSWERED)
                        creds_fail(p, "%.120s: HTTP status %d", p->url, call->status);
                else
                        creds_fail(p, "%.90s: %.150s", p->url, call->error);
                creds_fetched(p, NULL);
        }
        if (!p->fetching && call->text.data) {
                explicit_bzero(call->text.data, call->text.length);
                http_text_free(&call->text);
        }
}

/* The agent's token is in a file that changes. */
static bool read_token_file(struct creds_provider *p)
{
        CLEANUP_FILE FILE *file = fopen(p->conf.token_file, "re");

        if (!file || !fgets(p->value, sizeof(p->value), file)) {
                creds_fail(p, "%s: %s", p->conf.token_file, file ? "empty" : strerror(errno));
                return false;
        }
        p->value[strcspn(p->value, "\r\n")] = '\0';
        p->header = (struct http_header){ "Authorization", p->value };
        return true;
}

static void start_service(struct creds_provider *p)
{
        const struct http_conf conf = { .connections = 1, .connect_ms = SERVICE_MS, .idle_ms = SERVICE_MS };

        if (!p->http)
                p->http = http_new(p->loop, &conf);
        p->header = (struct http_header){ NULL, NULL };
        p->step = CREDS_TOKEN;
        if (!p->http) {
                creds_fail(p, "out of memory");
                creds_fetched(p, NULL);
        } else if (p->conf.source == CREDS_INSTANCE) {
                p->header = (struct http_header){ "X-aws-ec2-metadata-token-ttl-seconds", "21600" };
                ask(p, HTTP_PUT, "/latest/api/token");
        } else if (p->conf.token_file && !read_token_file(p)) {
                creds_fetched(p, NULL);
        } else {
                ask(p, HTTP_GET, "");
        }
}

void creds_fetch(struct creds_provider *p)
{
        if (p->conf.source == CREDS_PROCESS)
                start_program(p);
        else
                start_service(p);
}

void creds_stop_fetch(struct creds_provider *p)
{
        if (!p->fetching)
                return;
        p->fetching = false;
        close_pipe(p);
        if (p->pid_fd >= 0) {
                kill(p->pid, SIGKILL);
                reap(p);
        }
        http_text_free(&p->out);
        if (p->call.done)
                http_cancel(p->http, &p->call);
        http_text_free(&p->call.text);
}
