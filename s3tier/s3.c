/* SPDX-License-Identifier: Apache-2.0 */
/* A bucket at an endpoint: its configuration, and small things that all use. */
#include "s3tier/s3.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "s3tier/call.h"

const char *const s3_kind_names[] = { "head", "get",       "put",  "delete", "copy",
                                      "list", "multipart", "part", "bucket" };

/* --- user metadata */

bool s3_is_description(const char *name)
{
        static const char *const names[] = { "cache-control",    "content-disposition", "content-encoding",
                                             "content-language", "content-type",        "expires" };

        for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (strcmp(name, names[i]) == 0)
                        return true;
        return false;
}

const char *s3_metadata_get(const struct s3_metadata *m, const char *wanted)
{
        const char *name = NULL, *value;

        while (s3_metadata_next(m, &name, &value))
                if (strcmp(name, wanted) == 0)
                        return value;
        return NULL;
}

bool s3_metadata_next(const struct s3_metadata *m, const char **name, const char **value)
{
        const char *next = *name ? *name + strlen(*name) + 1 : m->text;

        if (*name)
                next += strlen(next) + 1;
        if (next >= m->text + m->bytes)
                return false;
        *name = next;
        *value = next + strlen(next) + 1;
        return true;
}

bool s3_metadata_put(struct s3_metadata *m, const char *name, const char *value)
{
        size_t name_bytes = strlen(name) + 1, value_bytes = strlen(value) + 1;

        if (name_bytes + value_bytes > sizeof(m->text) - m->bytes) {
                m->full = true;
                return false;
        }
        memcpy(m->text + m->bytes, name, name_bytes);
        memcpy(m->text + m->bytes + name_bytes, value, value_bytes);
        m->bytes = (uint16_t)(m->bytes + name_bytes + value_bytes);
        return true;
}

/* --- configuration */

/* RFC 3986 §3.2.2's characters of a host, and of a port. */
static bool is_host(const char *host)
{
        return *host &&
               host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]")] ==
                       '\0';
}

/* The host of "scheme://host[:port]", without the port that the scheme has anyway. NULL: it is none. */
static const char *host_of(const char *endpoint, char *out, size_t out_bytes)
{
        bool tls = strncmp(endpoint, "https://", 8) == 0;
        const char *standard = tls ? ":443" : ":80";
        size_t length, tail = strlen(standard);

        if (!tls && strncmp(endpoint, "http://", 7) != 0)
                return NULL;
        snprintf(out, out_bytes, "%s", endpoint + (tls ? 8 : 7));
        length = strlen(out);
        if (length > 0 && out[length - 1] == '/')
                out[--length] = '\0';
        if (length > tail && strcmp(out + length - tail, standard) == 0)
                out[length - tail] = '\0';
        return is_host(out) ? out : NULL;
}

static const char *check_conf(const struct s3_conf *conf, char host[256])
{
        if (!conf->endpoint || strlen(conf->endpoint) > 200 || !host_of(conf->endpoint, host, 256))
                return "the endpoint is not http://HOST[:PORT] or https://HOST[:PORT]";
        if (!conf->bucket || !*conf->bucket || strlen(conf->bucket) > 255 || strpbrk(conf->bucket, "/ \r\n"))
                return "the bucket's name is none";
        if (conf->virtual_host && !is_host(conf->bucket))
                return "the bucket's name cannot stand in a host's name";
        if (conf->prefix && strlen(conf->prefix) >= S3_KEY_BYTES)
                return "the prefix is longer than 1,024 bytes";
        if (conf->region && strlen(conf->region) > 40)
                return "the region's name is none";
        return NULL;
}

/* Append a string to the bucket's own text. */
static const char *keep(struct text *t, const char *first, const char *second, const char *third)
{
        const char *at = t->at;

        text_add(t, first);
        text_add(t, second);
        text_add(t, third);
        text_put(t, "", 1);
        CHECK(!t->full);
        return at;
}

static void keep_conf(struct s3 *s3, struct text *t, const struct s3_conf *conf, const char *host)
{
        const char *scheme = strncmp(conf->endpoint, "https", 5) == 0 ? "https://" : "http://";
        const char *slash = conf->virtual_host ? "" : conf->bucket;

        s3->conf.endpoint = keep(t, conf->endpoint, "", "");
        s3->conf.bucket = keep(t, conf->bucket, "", "");
        s3->conf.prefix = keep(t, conf->prefix ? conf->prefix : "", "", "");
        s3->conf.region = keep(t, conf->region ? conf->region : "us-east-1", "", "");
        s3->host = conf->virtual_host ? keep(t, conf->bucket, ".", host) : keep(t, host, "", "");
        s3->origin = keep(t, scheme, s3->host, "");
        s3->path = t->at;
        text_add(t, "/");
        text_add_escaped(t, slash, false);
        text_add(t, *slash ? "/" : "");
        text_put(t, "", 1);
        CHECK(!t->full);
}

struct s3 *s3_new(struct http *http, struct creds_provider *creds, const struct s3_conf *conf,
                  const char **why)
{
        enum { TEXT_BYTES = 4096 };
        struct budget_conf budget = conf->budget;
        char host[256];
        struct text text;
        struct s3 *s3;

        *why = check_conf(conf, host);
        if (*why)
                return NULL;
        *why = "out of memory";
        s3 = calloc(1, sizeof(*s3) + TEXT_BYTES);
        if (!s3)
                return NULL;
        text = text_of((char *)(s3 + 1), TEXT_BYTES);
        *s3 = (struct s3){ .http = http, .creds = creds, .conf = *conf, .etags_fit = conf->etags_are_md5 };
        keep_conf(s3, &text, conf, host);
        if (conf->retry.attempts == 0)
                s3->conf.retry = retry_default;
        if (budget.in_flight == 0)
                budget.in_flight = 16;
        budget_init(&s3->budget, http->env, &budget);
        return s3;
}

void s3_free(struct s3 *s3)
{
        if (!s3)
                return;
        CHECK(s3->in_flight == 0);
        budget_destroy(&s3->budget);
        explicit_bzero(&s3->key, sizeof(s3->key));
        free(s3);
}

struct budget *s3_budget(struct s3 *s3)
{
        return &s3->budget;
}

const struct s3_conf *s3_conf(const struct s3 *s3)
{
        return &s3->conf;
}

void s3_set_abilities(struct s3 *s3, enum s3_checksum checksum, bool bare_etags, bool etags_are_md5)
{
        s3->conf.checksum = checksum;
        s3->conf.bare_etags = bare_etags;
        s3->conf.etags_are_md5 = s3->etags_fit = etags_are_md5;
}

/* --- metrics */

void s3_metrics_init(struct s3_metrics *s, struct metrics *m)
{
        static const char *const classes[] = { "none", "2xx", "3xx", "4xx", "5xx", "503" };

        for (int kind = 0; kind < S3_KINDS; kind++) {
                struct histogram *h = &s->seconds[kind];

                for (int class = 0; class < S3_STATUS_CLASSES; class ++) {
                        snprintf(s->labels[kind][class], sizeof(s->labels[kind][class]),
                                 "kind=\"%s\",status=\"%s\"", s3_kind_names[kind], classes[class]);
                        metric_counter(m, &s->requests[kind][class], "nacre_s3_requests_total",
                                       "Requests to S3 by kind and HTTP status; none: no answer");
                        s->requests[kind][class].labels = s->labels[kind][class];
                }
                snprintf(s->histogram_labels[kind], sizeof(s->histogram_labels[kind]), "kind=\"%s\"",
                         s3_kind_names[kind]);
                h->name = "nacre_s3_request_seconds";
                h->help = "Time from sending a request to the end of its answer";
                h->labels = s->histogram_labels[kind];
                histogram_register(m, h);
        }
        metric_counter(m, &s->retries, "nacre_s3_retries_total", "Requests that are made again");
        metric_counter(m, &s->received, "nacre_s3_received_bytes_total", "Bytes of answers' bodies");
        metric_counter(m, &s->sent, "nacre_s3_sent_bytes_total", "Bytes of requests' bodies");
        metric_counter(m, &s->waited, "nacre_s3_throttled_seconds_total",
                       "Time in which rates held requests back");
        s->waited.nanoseconds = true;
        metric_gauge(m, &s->in_flight, "nacre_s3_requests_in_flight", "Requests under way");
}
