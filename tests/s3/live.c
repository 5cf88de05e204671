/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/s3/live.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lab/virtual_env.h"

struct live live;

static const char *setting(const char *name)
{
        const char *value = getenv(name);

        if (!value) {
                fprintf(stderr, "%s is not set: run tests/s3/run\n", name);
                exit(2);
        }
        return value;
}

int live_setup(void **state)
{
        const struct http_conf conf = { .connections = 16, .connect_ms = 5000, .idle_ms = 20000 };
        static char prefix[64];
        const char *why;

        (void)state;
        snprintf(prefix, sizeof prefix, "c %d/", (int)getpid());
        live.loop = loop_new();
        live.http = http_new(live.loop, &conf);
        live.creds = creds_given(setting("NACRE_S3_ACCESS_KEY"), setting("NACRE_S3_SECRET"));
        live.is_swift = strcmp(setting("NACRE_S3_STORE"), "swift") == 0;
        live.is_new = strcmp(setting("NACRE_S3_STORE"), "rgw-new") == 0;
        s3_metrics_init(&live.s3_metrics, &live.metrics);
        live.conf = (struct s3_conf){ .endpoint = setting("NACRE_S3_ENDPOINT"),
                                      .bucket = setting("NACRE_S3_BUCKET"),
                                      .prefix = prefix,
                                      .region = setting("NACRE_S3_REGION"),
                                      .checksum = live.is_new ? S3_SUM_CRC64NVME : S3_SUM_NONE,
                                      .etags_are_md5 = true,
                                      .metrics = &live.s3_metrics };
        live.s3 = s3_new(live.http, live.creds, &live.conf, &why);
        return live.s3 ? 0 : -1;
}

int live_teardown(void **state)
{
        (void)state;
        s3_free(live.s3);
        creds_free(live.creds);
        http_free(live.http);
        loop_free(live.loop);
        return 0;
}

struct s3 *live_open(const struct s3_conf *conf)
{
        const char *why;
        struct s3 *s3 = s3_new(live.http, live.creds, conf, &why);

        assert_non_null(s3);
        return s3;
}

static void on_done(struct s3_call *call)
{
        (void)call;
        loop_stop(live.loop);
}

struct s3_call *live_call(struct s3_call *call)
{
        memset(call, 0, sizeof *call);
        call->done = on_done;
        return call;
}

enum s3_error live_wait(struct s3_call *call)
{
        loop_run(live.loop);
        return call->result.error;
}

void live_ok(struct s3_call *call)
{
        if (live_wait(call) != S3_OK)
                fail_msg("%s: %s %d %s: %s", s3_kind_names[call->kind], s3_error_name(call->result.error),
                         call->result.status, call->result.code, call->result.message);
}

void live_fill(uint8_t *out, size_t bytes, uint64_t seed)
{
        for (size_t i = 0; i < bytes; i++) {
                static uint64_t word;

                if (i % 8 == 0)
                        word = lab_random(&seed);
                out[i] = (uint8_t)(word >> i % 8 * 8);
        }
}

void live_put(const char *key, size_t bytes, uint64_t seed, char etag[S3_ETAG_BYTES])
{
        static struct s3_call call;
        uint8_t *data = malloc(bytes + 1);
        struct iovec iov = { data, bytes };
        const struct s3_put_args args = { .body = &iov, .body_count = 1 };

        live_fill(data, bytes, seed);
        s3_put(live.s3, live_call(&call), key, &args);
        live_ok(&call);
        free(data);
        if (etag)
                strcpy(etag, call.object.etag);
}

static struct s3 *without_versions;
static const char *its_bucket;

bool live_enter_versions(void)
{
        const char *bucket = getenv("NACRE_S3_VERSIONED_BUCKET");

        if (!bucket)
                return false;
        without_versions = live.s3;
        its_bucket = live.conf.bucket;
        live.conf.bucket = bucket;
        live.s3 = live_open(&live.conf);
        return true;
}

void live_leave_versions(void)
{
        s3_free(live.s3);
        live.s3 = without_versions;
        live.conf.bucket = its_bucket;
}

static void on_told(struct http_call *http, enum http_result result)
{
        assert_int_equal(result, HTTP_ANSWERED);
        assert_int_equal(http->status, 200);
        loop_stop(live.loop);
}

unsigned live_tell(const char *rule)
{
        static char url[128];
        struct iovec body = { (void *)(uintptr_t)rule, rule ? strlen(rule) : 0 };
        struct http_call http = { .method = rule ? HTTP_PUT : HTTP_GET,
                                  .url = url,
                                  .body = &body,
                                  .body_count = rule ? 1 : 0,
                                  .text = { .limit = 100 },
                                  .done = on_told };
        unsigned count;

        snprintf(url, sizeof url, "%s/.fault", live.conf.endpoint);
        http_send(live.http, &http);
        loop_run(live.loop);
        count = (unsigned)strtoul(http.text.data, NULL, 10);
        http_text_free(&http.text);
        return count;
}
