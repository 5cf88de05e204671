/* SPDX-License-Identifier: Apache-2.0 */
#include "s3tier/creds.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "s3tier/creds_private.h"
#include "s3tier/encode.h"

#define SECOND UINT64_C(1000000000)
enum { FILE_BYTES = 64 * 1024, GOOD_SECONDS = 60, RENEW_SECONDS = 300, LOOK_SECONDS = 5 };

void creds_fail(struct creds_provider *p, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        vsnprintf(p->error, sizeof(p->error), format, args);
        va_end(args);
}

/* --- parsing */

/* LINE is "name = value"; is it NAME? The value into OUT; false: it is too long. */
static bool take_line(const char *line, size_t length, const char *name, char *out, size_t out_bytes)
{
        const char *end = line + length, *equals = memchr(line, '=', length), *name_end = equals;

        if (!equals)
                return true;
        while (name_end > line && strchr(" \t", name_end[-1]))
                name_end--;
        if ((size_t)(name_end - line) != strlen(name) || strncasecmp(line, name, strlen(name)) != 0)
                return true;
        for (equals++; equals < end && strchr(" \t", *equals);)
                equals++;
        while (end > equals && strchr(" \t\r", end[-1]))
                end--;
        return text_copy(out, out_bytes, equals, (size_t)(end - equals));
}

/* Is LINE the head of a section, and of PROFILE's: "[name]" or "[profile name]"? */
static bool is_section(const char *line, size_t length, const char *profile, bool *ret_ours)
{
        const char *name = line + 1;
        size_t name_length;

        if (length < 2 || line[0] != '[')
                return false;
        if (strncmp(name, "profile ", 8) == 0)
                name += 8;
        name_length = strcspn(name, "]\n");
        *ret_ours = name_length == strlen(profile) && memcmp(name, profile, name_length) == 0;
        return true;
}

int creds_parse_ini(const char *text, const char *profile, struct creds *ret, const char **why)
{
        bool ours = false, seen = false;
        struct creds found = { .access_key = "" };

        for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
                size_t length = strcspn(line, "\n");

                if (is_section(line, length, profile, &ours))
                        seen |= ours;
                else if (ours && *line != '#' && *line != ';' &&
                         !(take_line(line, length, "aws_access_key_id", found.access_key, CREDS_KEY_BYTES) &&
                           take_line(line, length, "aws_secret_access_key", found.secret, CREDS_KEY_BYTES) &&
                           take_line(line, length, "aws_session_token", found.token, CREDS_TOKEN_BYTES)))
                        return *why = "a value is too long", -EINVAL;
        }
        if (!found.access_key[0] || !found.secret[0]) {
                *why = !seen ? "no such section"
                             : "no aws_access_key_id and aws_secret_access_key in the section";
                return -EINVAL;
        }
        *ret = found;
        return 0;
}

int creds_parse_json(const char *text, struct creds *ret, const char **why)
{
        struct creds found = { .access_key = "" };
        char expiration[64];
        struct json json;

        if (!json_parse(text, &json))
                return *why = "not JSON", -EINVAL;
        json_member_text(json, "AccessKeyId", found.access_key, sizeof(found.access_key));
        json_member_text(json, "SecretAccessKey", found.secret, sizeof(found.secret));
        json_member_text(json, "SessionToken", found.token, sizeof(found.token)); /* of a program */
        if (!found.token[0])
                json_member_text(json, "Token", found.token, sizeof(found.token)); /* of a service */
        json_member_text(json, "Expiration", expiration, sizeof(expiration));
        if (!found.access_key[0] || !found.secret[0])
                return *why = "no AccessKeyId and SecretAccessKey", -EINVAL;
        if (expiration[0] && !parse_iso8601(expiration, &found.expires_wall_ns))
                return *why = "an Expiration that is no date", -EINVAL;
        *ret = found;
        return 0;
}

/* --- sources that answer at once */

static bool from_text(struct creds_provider *p, const char *access_key, const char *secret, const char *token)
{
        struct creds *c = &p->creds;

        c->expires_wall_ns = 0;
        if (!token)
                token = "";
        if (!access_key || !*access_key || !secret || !*secret) {
                creds_fail(p, "no access key and secret are given");
                return false;
        }
        if (!text_copy(c->access_key, sizeof(c->access_key), access_key, strlen(access_key)) ||
            !text_copy(c->secret, sizeof(c->secret), secret, strlen(secret)) ||
            !text_copy(c->token, sizeof(c->token), token, strlen(token))) {
                creds_fail(p, "an access key, secret or token is too long");
                return false;
        }
        return true;
}

static bool from_file(struct creds_provider *p)
{
        CLEANUP_FILE FILE *file = fopen(p->conf.file, "re");
        CLEANUP_FREE char *text = malloc(FILE_BYTES);
        const char *profile = p->conf.profile ? p->conf.profile : "default", *why;
        struct stat st;
        size_t length;

        CHECK(text != NULL);
        if (!file || fstat(fileno(file), &st) < 0) {
                creds_fail(p, "%s: %s", p->conf.file, strerror(errno));
                return false;
        }
        p->file_mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
        length = fread(text, 1, FILE_BYTES - 1, file);
        text[length] = '\0';
        if (creds_parse_ini(text, profile, &p->creds, &why) < 0) {
                creds_fail(p, "%s: [%s]: %s", p->conf.file, profile, why);
                explicit_bzero(text, length);
                return false;
        }
        explicit_bzero(text, length);
        return true;
}

static bool load(struct creds_provider *p)
{
        switch (p->conf.source) {
        case CREDS_GIVEN: return from_text(p, p->conf.access_key, p->conf.secret, p->conf.token);
        case CREDS_ENVIRONMENT:
                return from_text(p, getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY"),
                                 getenv("AWS_SESSION_TOKEN"));
        case CREDS_FILE: return from_file(p);
        default: return false;
        }
}

static bool is_file_changed(const struct creds_provider *p)
{
        struct stat st;

        return stat(p->conf.file, &st) == 0 &&
               p->file_mtime_ns != (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

static bool answers_at_once(const struct creds_provider *p)
{
        return p->conf.source <= CREDS_FILE;
}

/* A file is looked at every few seconds; one that is broken now leaves what we have. */
static void look_again(struct creds_provider *p)
{
        uint64_t now = p->loop ? env_now(loop_env(p->loop)) : 0;

        if (p->have && (p->conf.source != CREDS_FILE || now - p->looked_ns < LOOK_SECONDS * SECOND ||
                        !is_file_changed(p)))
                return;
        p->looked_ns = now;
        p->have = load(p) || p->have;
}

/* --- who has keys, who waits */

static void begin_fetch(struct creds_provider *p)
{
        if (p->fetching)
                return;
        p->fetching = true;
        p->looked_ns = env_now(loop_env(p->loop));
        creds_fetch(p);
}

const struct creds *creds_now(struct creds_provider *p)
{
        uint64_t wall, end = p->creds.expires_wall_ns;

        if (answers_at_once(p)) {
                look_again(p);
                return p->have ? &p->creds : NULL;
        }
        if (!p->have)
                return NULL;
        wall = env_wall(loop_env(p->loop));
        if (end != 0 && end < wall + RENEW_SECONDS * SECOND &&
            env_now(loop_env(p->loop)) - p->looked_ns > LOOK_SECONDS * SECOND)
                begin_fetch(p);
        return end == 0 || end > wall + GOOD_SECONDS * SECOND ? &p->creds : NULL;
}

static void tell_waiting(struct task *task)
{
        struct creds_provider *p = CONTAINER(task, struct creds_provider, tell);
        struct list told;

        list_init(&told);
        list_splice(&told, &p->waiting);
        for (struct list *node; (node = list_pop(&told));) {
                struct creds_wait *wait = CONTAINER(node, struct creds_wait, node);

                wait->ready(wait, creds_now(p));
        }
}

void creds_ask(struct creds_provider *p, struct creds_wait *wait)
{
        CHECK(wait->ready != NULL);
        list_push(&p->waiting, &wait->node);
        if (!answers_at_once(p))
                begin_fetch(p);
        else if (p->loop)
                env_defer(loop_env(p->loop), &p->tell);
}

void creds_cancel(struct creds_wait *wait)
{
        list_remove(&wait->node);
}

void creds_fetched(struct creds_provider *p, const char *text)
{
        const char *why;

        p->fetching = false;
        if (text && creds_parse_json(text, &p->creds, &why) < 0)
                creds_fail(p, "%s: %s", p->conf.source == CREDS_PROCESS ? p->conf.command : p->url, why);
        else if (text)
                p->have = true;
        env_defer(loop_env(p->loop), &p->tell);
}

bool creds_refused(struct creds_provider *p)
{
        uint64_t now;

        if (!p->loop || p->conf.source <= CREDS_ENVIRONMENT)
                return false;
        now = env_now(loop_env(p->loop));
        if (p->refused_ns != 0 && now - p->refused_ns < SECOND)
                return p->fetching; /* for another call: worth waiting for */
        p->refused_ns = now;
        p->have = false;
        return true;
}

const char *creds_error(const struct creds_provider *p)
{
        return p->error[0] ? p->error : "no access keys";
}

/* --- birth and death */

/* Put a copy of *S behind *AT and point *S there. */
static void copy_string(const char **s, char **at)
{
        if (!*s)
                return;
        *s = strcpy(*at, *s);
        *at += strlen(*s) + 1;
}

static bool copy_conf(struct creds_provider *p, const struct creds_conf *conf)
{
        const char **strings[] = {
                &p->conf.access_key, &p->conf.secret,  &p->conf.token, &p->conf.file,
                &p->conf.profile,    &p->conf.command, &p->conf.url,   &p->conf.token_file
        };
        size_t bytes = 1;
        char *at;

        p->conf = *conf;
        for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++)
                bytes += *strings[i] ? strlen(*strings[i]) + 1 : 0;
        p->text = at = malloc(bytes);
        if (!at)
                return false;
        for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++)
                copy_string(strings[i], &at);
        return true;
}

struct creds_provider *creds_new(struct loop *loop, const struct creds_conf *conf)
{
        struct creds_provider *p = calloc(1, sizeof(*p));

        if (!p || !copy_conf(p, conf)) {
                free(p);
                return NULL;
        }
        p->loop = loop;
        p->pid_fd = p->out_fd = -1;
        p->tell.run = tell_waiting;
        list_init(&p->tell.node);
        list_init(&p->waiting);
        return p;
}

struct creds_provider *creds_given(const char *access_key, const char *secret)
{
        struct creds_conf conf = { .source = CREDS_GIVEN, .access_key = access_key, .secret = secret };

        return creds_new(NULL, &conf);
}

void creds_free(struct creds_provider *p)
{
        if (!p)
                return;
        CHECK(list_empty(&p->waiting));
        creds_stop_fetch(p);
        list_remove(&p->tell.node);
        http_free(p->http);
        free(p->text);
        explicit_bzero(p, sizeof(*p));
        free(p);
}

/* --- as AWS's tools choose */

static void default_file(struct creds_conf *ret, struct text *t)
{
        const char *file = getenv("AWS_SHARED_CREDENTIALS_FILE"), *home = getenv("HOME");

        ret->file = t->at;
        text_add(t, file ? file : home ? home : "");
        text_add(t, file ? "" : "/.aws/credentials");
        text_put(t, "", 1);
        ret->profile = getenv("AWS_PROFILE");
}

void creds_default(struct creds_conf *ret, char *space, uint32_t space_bytes)
{
        const char *relative = getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
                   *whole = getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        struct text t = text_of(space, space_bytes);

        *ret = (struct creds_conf){ .source = CREDS_ENVIRONMENT };
        if (getenv("AWS_ACCESS_KEY_ID") && getenv("AWS_SECRET_ACCESS_KEY"))
                return;
        default_file(ret, &t);
        ret->source = CREDS_FILE;
        if (!t.full && access(ret->file, R_OK) == 0)
                return;
        ret->source = relative || whole ? CREDS_CONTAINER : CREDS_INSTANCE;
        ret->token_file = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
        ret->url = whole;
        if (relative && !t.full) {
                ret->url = t.at;
                text_add(&t, "http://169.254.170.2");
                text_add(&t, relative);
                text_put(&t, "", 1);
        }
        if (t.full)
                ret->url = NULL;
}
