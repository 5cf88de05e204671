/* SPDX-License-Identifier: Apache-2.0 */
/* The bucket's name in the host's (BUCKET.ENDPOINT/KEY), over http and, where the store has it, TLS: what is
 * written so is the object that the other addressing finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/s3/live.h"

enum { PART = 5 << 20, BYTES = PART + 1000 };

static const char odd_key[] = "v/a b+%25&\xc3\xa4?#=";
static struct s3_call call;
static uint8_t *bytes, *seen;
static struct s3 *path_style;
static struct http *http;

/* live.s3 becomes one at ENDPOINT, whose certificate is of CA; NULL: any. */
static void open_virtual(const char *endpoint, const char *ca)
{
        const struct http_conf conf = { .connections = 4, .connect_ms = 5000, .idle_ms = 20000, .ca = ca };
        struct s3_conf virtual = live.conf;
        const char *why;

        virtual.endpoint = endpoint;
        virtual.virtual_host = true;
        http = http_new(live.loop, &conf);
        path_style = live.s3;
        live.s3 = s3_new(http, live.creds, &virtual, &why);
        assert_non_null(live.s3);
}

static void close_virtual(void)
{
        s3_free(live.s3);
        http_free(http);
        live.s3 = path_style;
}

static void get(struct s3 *s3, const char *key, uint64_t offset, uint64_t length)
{
        struct iovec room = { seen, BYTES };
        const struct s3_get_args args = {
                .offset = offset, .length = length, .room = &room, .room_count = 1
        };

        s3_get(s3, live_call(&call), key, &args);
        live_ok(&call);
        assert_memory_equal(seen, bytes + offset, length);
}

static void objects(void)
{
        const struct s3_put_args put = { .body = &(struct iovec){ bytes, 4096 }, .body_count = 1 },
                                 none = { .body_count = 0 };

        s3_head_bucket(live.s3, live_call(&call));
        live_ok(&call);
        s3_put(live.s3, live_call(&call), odd_key, &put);
        live_ok(&call);
        get(live.s3, odd_key, 0, 4096);
        get(path_style, odd_key, 1000, 100);
        s3_copy(live.s3, live_call(&call), odd_key, NULL, "v/copied", &none);
        live_ok(&call);
        s3_head(path_style, live_call(&call), "v/copied");
        live_ok(&call);
        assert_int_equal(call.object.size, 4096);
}

static void parts(void)
{
        static struct s3_part list[2];
        static struct s3_complete complete;
        const struct s3_put_args none = { .body_count = 0 };
        char id[S3_UPLOAD_ID_BYTES];

        s3_upload_create(live.s3, live_call(&call), "v/parts", &none);
        live_ok(&call);
        strcpy(id, call.upload_id);
        for (unsigned i = 0; i < 2; i++) {
                const struct iovec body = { bytes + (size_t)i * PART, i == 0 ? PART : BYTES - PART };

                s3_upload_part(live.s3, live_call(&call), "v/parts", id, i + 1, &body, 1);
                live_ok(&call);
                list[i] = (struct s3_part){ .number = i + 1, .size = body.iov_len };
                strcpy(list[i].etag, call.object.etag);
        }
        complete = (struct s3_complete){ .parts = list, .count = 2, .size = BYTES };
        live_call(&complete.call);
        s3_upload_complete(live.s3, &complete, "v/parts", id);
        live_ok(&complete.call);
        get(path_style, "v/parts", 0, BYTES);
}

static unsigned listed;

static void on_entry(struct s3_list *list, const struct s3_entry *entry)
{
        (void)list;
        assert_true(strcmp(entry->key, odd_key) == 0 || strcmp(entry->key, "v/copied") == 0 ||
                    strcmp(entry->key, "v/parts") == 0);
        listed++;
}

static void never_fails(struct s3_delete_many *d, const char *key, const char *code, const char *message)
{
        (void)d;
        fail_msg("%s: %s: %s", key, code, message);
}

/* The objects of the two before, and then there are none. */
static void listings(void)
{
        static struct s3_list list;
        static struct s3_delete_many d;
        const char *keys[] = { odd_key, "v/copied", "v/parts" };

        for (int want = 3; want >= 0; want -= 3) {
                list = (struct s3_list){
                        .prefix = "v/", .delimiter = "", .start_after = "", .page = 10, .entry = on_entry
                };
                listed = 0;
                live_call(&list.call);
                s3_list_first(live.s3, &list);
                live_ok(&list.call);
                assert_int_equal(listed, want);
                d.keys = keys;
                d.count = 3;
                d.failed = never_fails;
                live_call(&d.call);
                s3_delete_many(live.s3, &d);
                live_ok(&d.call);
        }
}

static void test_over_http(void **state)
{
        (void)state;
        open_virtual(getenv("NACRE_S3_VIRTUAL"), NULL);
        objects();
        parts();
        listings();
        close_virtual();
}

static char *read_file(const char *path)
{
        enum { MOST = 65536 };
        char *text = calloc(1, MOST);
        FILE *file = fopen(path, "re");

        assert_true(text && file && fread(text, 1, MOST - 1, file) > 0);
        fclose(file);
        return text;
}

static void test_over_tls(void **state)
{
        const char *endpoint = getenv("NACRE_S3_VIRTUAL_TLS");
        char *ca;

        (void)state;
        if (!endpoint)
                return; /* Swift has no TLS of its own */
        ca = read_file(getenv("NACRE_S3_CA"));
        open_virtual(endpoint, ca);
        objects();
        parts();
        listings();
        close_virtual();
        open_virtual(endpoint, NULL); /* nobody vouches for it */
        live_call(&call)->deadline_ms = 1000;
        s3_head(live.s3, &call, odd_key);
        assert_int_equal(live_wait(&call), S3_UNREACHABLE);
        close_virtual();
        free(ca);
}

static int setup(void **state)
{
        bytes = malloc(BYTES);
        seen = malloc(BYTES);
        live_fill(bytes, BYTES, 21);
        return live_setup(state);
}

static int teardown(void **state)
{
        free(bytes);
        free(seen);
        return live_teardown(state);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_over_http),
                cmocka_unit_test(test_over_tls),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
