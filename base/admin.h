/* SPDX-License-Identifier: Apache-2.0 */
/* The admin front of a daemon: HTTP over TCP for /metrics and /healthz, and over a unix socket the same plus
 * commands (`nacre` POSTs to /v1/NAME and gets JSON). libevent's evhttp; runs on the loop. */
#pragma once

#include <stdio.h>

#include "base/env.h"
#include "base/loop.h"
#include "base/metrics.h"

struct admin;
/* A handler writes its answer (JSON) to OUT and returns the HTTP status; BODY is NUL-terminated. */
typedef int admin_fn(void *arg, const char *body, FILE *out);

struct admin *admin_new(struct loop *loop, struct metrics *metrics);
void admin_free(struct admin *a);
/* 0 or -errno. Over TCP there are only /metrics and /healthz. */
int admin_listen_http(struct admin *a, const struct netaddr *addr);
/* 0 or -errno. Mode 0600; the socket file of a server that is gone is replaced. Once. */
int admin_listen_unix(struct admin *a, const char *path);
/* /v1/NAME on the unix socket. */
void admin_command(struct admin *a, const char *name, admin_fn *fn, void *arg);
/* The same for one that answers later: FN, or what it starts, calls admin_answer() once. */
struct admin_reply;
typedef void admin_later_fn(void *arg, const char *body, struct admin_reply *reply);
void admin_command_later(struct admin *a, const char *name, admin_later_fn *fn, void *arg);
/* JSON: the whole answer. Whoever asked may have gone, and the front too: then it is for nobody. */
void admin_answer(struct admin_reply *reply, int status, const char *json);
/* What /healthz answers: 200 "ok" when FN returns NULL, else 503 and the text. */
void admin_health(struct admin *a, const char *(*fn)(void *arg), void *arg);
/* Called before each /metrics answer, to refresh gauges. */
void admin_before_metrics(struct admin *a, void (*fn)(void *arg), void *arg);

/* Write TEXT as a JSON string, with quotes. */
void json_string(FILE *out, const char *text);
