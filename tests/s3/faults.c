/* SPDX-License-Identifier: Apache-2.0 */
/* Through tests/s3/proxy.py: no wrong byte is taken for a right one, nothing is lost, and the reason is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/digest.h"
#include "tests/s3/live.h"

enum { BYTES = 300000 };

static struct s3_call call;
static uint8_t bytes[BYTES], seen[BYTES];
static struct iovec room = { seen, BYTES };
static char etag[S3_ETAG_BYTES];

static enum s3_error get_all(void)
{
        const struct s3_get_args get = { .etag = etag, .room = &room, .room_count = 1 };

        memset(seen, 0, sizeof seen);
        s3_get(live.s3, live_call(&call), "object", &get);
        return live_wait(&call);
}

/* The same by a range, with what is known of its bytes. */
static enum s3_error get_range(uint64_t offset, uint64_t length)
{
        uint32_t crc = crc32c(0, bytes + offset, length);
        const struct s3_get_args get = { offset, length, etag, NULL, &room, 1, &crc };

        memset(seen, 0, sizeof seen);
        s3_get(live.s3, live_call(&call), "object", &get);
        return live_wait(&call);
}

static void assert_right(void)
{
        assert_int_equal(call.received, BYTES);
        assert_memory_equal(seen, bytes, BYTES);
}

/* Whatever happens to an answer twice is mended by the third. */
static void test_answers_that_are_spoilt(void **state)
{
        static const char *const rules[] = { "status GET 2 500", "status GET 2 503", "status GET 1 429",
                                             "lost GET 2",       "refuse GET 2",     "cut GET 2",
                                             "short GET 2",      "flip GET 2" };

        (void)state;
        for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
                unsigned times = strstr(rules[i], "GET 2") ? 2 : 1;

                live_tell(rules[i]);
                if (get_all() != S3_OK)
                        fail_msg("%s: %s: %s", rules[i], s3_error_name(call.result.error),
                                 call.result.message);
                assert_right();
                assert_int_equal(live_tell(NULL), times);
                assert_in_range(call.result.attempts, 2,
                                times + 1); /* libcurl itself asks again on a kept connection */
        }
}

static void test_ranges_that_are_spoilt(void **state)
{
        static const char *const rules[] = { "cut GET 2", "short GET 2", "flip GET 2", "repeat GET 1" };

        (void)state;
        for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
                assert_int_equal(get_range(0, 1000), S3_OK);
                live_tell(rules[i]);
                if (get_range(100000, 65536) != S3_OK)
                        fail_msg("%s: %s: %s", rules[i], s3_error_name(call.result.error),
                                 call.result.message);
                assert_memory_equal(seen, bytes + 100000, 65536);
        }
}

/* Of an object whose ETag says nothing of its bytes, as that of one in parts. */
static void test_a_checksum_finds_what_is_spoilt(void **state)
{
        const struct s3_get_args get = { .room = &room, .room_count = 1 };
        struct s3_conf conf = live.conf;
        struct s3 *s3;

        (void)state;
        conf.etags_are_md5 = false;
        s3 = live_open(&conf);
        live_tell("flip GET 2");
        s3_get(s3, live_call(&call), "object", &get);
        live_ok(&call);
        if (live.is_new) { /* the others keep no checksum */
                assert_int_equal(call.result.attempts, 3);
                assert_right();
        }
        live_tell("none any 0");
        s3_free(s3);
}

/* A range of one object with the headers of another. */
static void test_an_object_that_is_another(void **state)
{
        (void)state;
        live_tell("etag GET 1");
        assert_int_equal(get_all(), S3_OBJECT_CHANGED);
        assert_int_equal(call.result.attempts, 1);
        live_tell("etag GET 1");
        assert_int_equal(get_range(10, 10), S3_OBJECT_CHANGED);
}

static void test_what_never_works_is_given_up_with_its_reason(void **state)
{
        static const struct {
                const char *rule;
                enum s3_error error;
                const char *code;
        } rules[] = { { "status GET 1000 503", S3_SLOW_DOWN, "SlowDown" },
                      { "status GET 1000 500", S3_ERROR, "InternalError" },
                      { "status GET 1000 403", S3_ACCESS_DENIED, "AccessDenied" },
                      { "expired GET 1000", S3_ACCESS_DENIED, "ExpiredToken" },
                      { "flip GET 1000", S3_CHECKSUM, "" },
                      { "cut GET 1000", S3_UNREACHABLE, "" },
                      { "slow GET 1000 3000", S3_TIMED_OUT, "" } };

        (void)state;
        for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
                const struct s3_get_args get = { .room = &room, .room_count = 1 };

                live_tell(rules[i].rule);
                live_call(&call)->deadline_ms = 700;
                s3_get(live.s3, &call, "object", &get);
                if (live_wait(&call) != rules[i].error)
                        fail_msg("%s: %s: %s", rules[i].rule, s3_error_name(call.result.error),
                                 call.result.message);
                assert_string_equal(call.result.code, rules[i].code);
                assert_true(call.result.message[0] != '\0');
        }
        live_tell("none any 0");
}

static void put(const char *key, bool if_none_match)
{
        const struct iovec body = { bytes, BYTES };
        const struct s3_put_args args = { .body = &body, .body_count = 1, .if_none_match = if_none_match };

        s3_put(live.s3, live_call(&call), key, &args);
        live_ok(&call);
        assert_string_equal(call.object.etag, etag);
}

static void test_puts_that_are_spoilt(void **state)
{
        static const char *const rules[] = { "flip-sent PUT 2", "lost PUT 1", "refuse PUT 2",
                                             "status PUT 2 503", "status PUT 2 500" };
        char key[32];

        (void)state;
        for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
                snprintf(key, sizeof key, "put %zu", i);
                live_tell(rules[i]);
                put(key, false);
                live_tell("none any 0");
                s3_head(live.s3, live_call(&call), key);
                live_ok(&call);
                assert_string_equal(call.object.etag, etag);
        }
}

/* The first put was carried out, its answer lost; the second finds the first's object: that is a success. */
static void test_a_conditional_put_whose_answer_is_lost(void **state)
{
        (void)state;
        if (live.is_swift)
                return; /* has no conditional puts: tests/s3/operations.c shows what it answers */
        live_tell("lost PUT 1");
        put("once", true);
        assert_true(call.result.attempts >= 1);
        live_tell("none any 0");
}

static void test_a_clock_that_is_wrong(void **state)
{
        (void)state;
        live_tell("skew GET 1 5000");
        get_all(); /* signs with that clock from now on: the real server refuses it, and its Date puts it
                      right */
        assert_true(call.result.error == S3_OK || call.result.error == S3_CLOCK_SKEW ||
                    call.result.error == S3_ACCESS_DENIED);
        assert_int_equal(get_all(), S3_OK);
        assert_right();
}

/* --- listings */

static unsigned entries;

static void on_entry(struct s3_list *l, const struct s3_entry *e)
{
        char key[32];

        (void)l;
        snprintf(key, sizeof key, "p/%02u", entries++);
        assert_string_equal(e->key, key);
}

static enum s3_error list_all(const char *rule_after_first_page, uint32_t deadline_ms)
{
        static struct s3_list list;

        entries = 0;
        list = (struct s3_list){
                .prefix = "p/", .delimiter = "", .start_after = "", .page = 4, .entry = on_entry
        };
        live_call(&list.call)->deadline_ms = deadline_ms;
        s3_list_first(live.s3, &list);
        live_ok(&list.call);
        live_tell(rule_after_first_page);
        while (list.more) {
                s3_list_next(live.s3, &list);
                if (live_wait(&list.call) != S3_OK)
                        break;
        }
        call.result = list.call.result;
        return list.call.result.error;
}

static void test_pages_that_are_spoilt(void **state)
{
        static const char *const rules[] = { "repeat GET 1", "cut GET 2", "short GET 1", "lost GET 2",
                                             "status GET 2 503" };
        char key[32];

        (void)state;
        for (unsigned i = 0; i < 10; i++) {
                snprintf(key, sizeof key, "p/%02u", i);
                live_put(key, 1, i, NULL);
        }
        for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
                if (list_all(rules[i], 0) != S3_OK)
                        fail_msg("%s: %s: %s", rules[i], s3_error_name(call.result.error),
                                 call.result.message);
                assert_int_equal(entries, 10);
        }
        assert_int_equal(list_all("repeat GET 1000", 1000), S3_BAD_ANSWER);
        assert_int_equal(entries, 4); /* no key twice, and no loop */
        live_tell("none any 0");
}

static int setup(void **state)
{
        const struct iovec body = { bytes, BYTES };
        uint8_t md5[MD5_BYTES];

        if (live_setup(state) != 0)
                return -1;
        live_fill(bytes, BYTES, 11);
        md5_iov(&body, 1, md5);
        hex_of(md5, sizeof md5, etag);
        live_tell("none any 0");
        live_put("object", BYTES, 11, NULL);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_answers_that_are_spoilt),
                cmocka_unit_test(test_ranges_that_are_spoilt),
                cmocka_unit_test(test_a_checksum_finds_what_is_spoilt),
                cmocka_unit_test(test_an_object_that_is_another),
                cmocka_unit_test(test_what_never_works_is_given_up_with_its_reason),
                cmocka_unit_test(test_puts_that_are_spoilt),
                cmocka_unit_test(test_a_conditional_put_whose_answer_is_lost),
                cmocka_unit_test(test_a_clock_that_is_wrong),
                cmocka_unit_test(test_pages_that_are_spoilt),
        };

        return cmocka_run_group_tests(tests, setup, live_teardown);
}
