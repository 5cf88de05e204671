/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/dev.h"
#include "cli/http.h"

enum { READY_SECONDS = 60, ASK_AGAIN_MS = 50 };

static bool is_up(struct json servers, const char *name)
{
        char text[DEV_NAME + 1], state[16];
        struct json s;

        for (bool more = json_first(servers, &s); more; more = json_next(&s))
                if (strcmp(json_member_text(s, "name", text, sizeof text), name) == 0) {
                        json_member_text(s, "state", state, sizeof state);
                        return strcmp(state, "silent") != 0 && strcmp(state, "down") != 0;
                }
        return false;
}

/* A data server that has just been started again may still be "up" at the MDS from before: it must say so
 * itself, too. */
static bool is_well(const struct dev_cluster *c, const char *name)
{
        struct http_answer answer = { 0 };
        char path[DEV_PATH];

        if (http_ask(dev_path(c, "/run", name, ".sock", path), "/healthz", NULL, &answer) < 0)
                return false;
        free(answer.body);
        return answer.status == 200;
}

/* The first server that is not there yet; NULL: all are. A data server that does not run is not waited for.
 */
static const char *missing_server(const struct dev_cluster *c, const int *pidfds)
{
        struct http_answer answer = { 0 };
        CLEANUP_FREE char *body = NULL;
        struct json root, servers;
        char path[DEV_PATH];

        if (http_ask(dev_path(c, "/run", "mds", ".sock", path), "/v1/status", "", &answer) < 0)
                return c->mds.name;
        body = answer.body;
        if (answer.status != 200 || !json_parse(body, &root) || !json_member(root, "data_servers", &servers))
                return c->mds.name;
        for (unsigned i = 0; i < c->ds_count; i++)
                if (pidfds[i + 1] >= 0 && (!is_up(servers, c->ds[i].name) || !is_well(c, c->ds[i].name)))
                        return c->ds[i].name;
        return NULL;
}

static const char *name_of(const struct dev_cluster *c, unsigned i)
{
        return i == 0 ? c->mds.name : c->ds[i - 1].name;
}

/* Wait a little, or until one of the servers ends: its name then. */
static const char *wait_for_end(const struct dev_cluster *c, const int *pidfds)
{
        struct pollfd p[CLI_MAX_DS + 1];

        for (unsigned i = 0; i <= c->ds_count; i++)
                p[i] = (struct pollfd){ .fd = pidfds[i], .events = POLLIN };
        if (poll(p, c->ds_count + 1, ASK_AGAIN_MS) <= 0)
                return NULL;
        for (unsigned i = 0; i <= c->ds_count; i++)
                if (p[i].revents != 0)
                        return name_of(c, i);
        return NULL;
}

int dev_wait_until_ready(const struct dev_cluster *c, const int *pidfds)
{
        time_t deadline = time(NULL) + READY_SECONDS;
        const char *missing, *ended;

        while ((missing = missing_server(c, pidfds))) {
                ended = wait_for_end(c, pidfds);
                if (ended) {
                        cli_error("%s has ended", ended);
                        dev_print_log_tail(c, ended);
                        return -1;
                }
                if (time(NULL) >= deadline) {
                        cli_error("%s is not ready after %d s", missing, READY_SECONDS);
                        dev_print_log_tail(c, missing);
                        return -1;
                }
        }
        return 0;
}
