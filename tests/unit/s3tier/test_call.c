/* SPDX-License-Identifier: Apache-2.0 */
/* What a call does with answers: which it believes, which it asks for again and when, when it gives up. The
 * transport is made up; what real stores answer is in tests/s3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "s3tier/multipart.h"
#include "tests/unit/s3tier/fake_http.h"

#define MD5 "5eb63bbbe01eeed093cb22bb8f5acdc3" /* of "hello world" */

static struct fake_http fake;
static struct creds_provider *creds;
static struct s3 *s3;
static struct s3_call call;
static bool is_done;
static char bytes[64];
static struct iovec room = { bytes, sizeof bytes };
static const struct iovec hello = { "hello world", 11 };

static void on_done(struct s3_call *c)
{
        assert_ptr_equal(c, &call);
        assert_false(is_done);
        is_done = true;
}

static bool done(void *arg)
{
        (void)arg;
        return is_done;
}

static int setup(void **state)
{
        const struct s3_conf conf = { .endpoint = "http://store:80", .bucket = "bucket", .prefix = "p/" };
        const char *why;

        (void)state;
        fake_http_init(&fake, 1);
        creds = creds_given("key", "secret");
        s3 = s3_new(&fake.http, creds, &conf, &why);
        memset(&call, 0, sizeof call);
        call.done = on_done;
        is_done = false;
        return s3 ? 0 : -1;
}

static int teardown(void **state)
{
        (void)state;
        assert_int_equal(fake.used, fake.count);
        s3_free(s3);
        creds_free(creds);
        virtual_env_destroy(&fake.env);
        return 0;
}

/* ms of virtual time until the call was done. */
static uint64_t wait(void)
{
        uint64_t began = fake.env.now;

        assert_false(is_done); /* never from inside */
        assert_true(virtual_env_run_until(&fake.env, UINT64_C(600000000000), done, NULL));
        is_done = false;
        return (fake.env.now - began) / 1000000;
}

static void will(int status, const char *headers, const char *body)
{
        fake_will(&fake, (struct fake_answer){ .status = status, .headers = headers, .body = body });
}

static void get(uint64_t offset, uint64_t length, const char *etag)
{
        const struct s3_get_args args = {
                .offset = offset, .length = length, .etag = etag, .room = &room, .room_count = 1
        };

        s3_get(s3, &call, "a b", &args);
}

static void test_a_get_as_it_goes_out_and_comes_in(void **state)
{
        (void)state;
        will(206,
             "ETag: \"" MD5 "\"\nContent-Length: 5\nContent-Range: bytes 6-10/11\nx-amz-meta-File-Owner: 7",
             "world");
        get(6, 5, MD5);
        wait();
        assert_int_equal(call.result.error, S3_OK);
        assert_int_equal(call.result.attempts, 1);
        assert_int_equal(call.received, 5);
        assert_memory_equal(bytes, "world", 5);
        assert_int_equal(call.object.size, 11);
        assert_string_equal(s3_metadata_get(&call.object.metadata, "file-owner"), "7");
        assert_non_null(strstr(fake.log, "GET http://store/bucket/p/a%20b\n"));
        assert_non_null(strstr(fake.log, "\n  range: bytes=6-10\n"));
        assert_non_null(strstr(fake.log, "\n  if-match: \"" MD5 "\"\n"));
        assert_non_null(strstr(
                fake.log,
                "\n  authorization: AWS4-HMAC-SHA256 Credential=key/20231114/us-east-1/s3/aws4_request,"
                "SignedHeaders=host;if-match;range;x-amz-content-sha256;x-amz-date,Signature="));
        assert_null(strstr(fake.log, "host:")); /* libcurl's to send */
}

/* Answers that are 200 or 206 and wrong: asked for again, the second is right. */
static void test_wrong_answers_are_not_believed(void **state)
{
        static const struct {
                int status;
                const char *headers, *body;
        } wrong[] = {
                { 206, "ETag: \"x\"\nContent-Range: bytes 0-4/11", "world" },
                { 206, "ETag: \"x\"\nContent-Range: bytes 6-9/11", "worl" },
                { 206, "ETag: \"x\"\nContent-Range: bytes 6-10/11", "worl" },
                { 206, "ETag: \"x\"\nContent-Range: bytes 6-10/11\nContent-Length: 6", "world" },
                { 206, "ETag: \"x\"\nContent-Range: bytes 6-10", "world" },
                { 206, "ETag: \"x\"", "world" },
                { 200, "ETag: \"x\"", "hello world" },
        };

        (void)state;
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
                will(wrong[i].status, wrong[i].headers, wrong[i].body);
                will(206, "ETag: \"x\"\nContent-Range: bytes 6-10/11", "world");
                get(6, 5, "x");
                wait();
                assert_int_equal(call.result.error, S3_OK);
                assert_int_equal(call.result.attempts, 2);
        }
        will(206, "ETag: \"y\"\nContent-Range: bytes 6-10/11", "world");
        get(6, 5, "x");
        wait();
        assert_int_equal(call.result.error, S3_OBJECT_CHANGED);
        assert_int_equal(call.received, 0);
}

static void get_whole(const char *headers, const char *body)
{
        will(206, headers, body);
        if (!call.state)
                get(0, 11, NULL);
}

/* An object that is read whole has the bytes that its ETag tells, if the store's ETags tell any. */
static void test_a_flipped_bit_of_a_whole_object(void **state)
{
        static const char head[] = "ETag: \"" MD5 "\"\nContent-Range: bytes 0-10/11";
        static const char by_their_keys[] =
                "ETag: \"" MD5 "\"\nContent-Range: bytes 0-10/11\nx-amz-server-side-encryption: aws:kms";

        (void)state;
        get_whole(head, "hello wormd"); /* another bit each time: the third is right */
        get_whole(head, "hfllo world");
        get_whole(head, "hello world");
        wait();
        assert_int_equal(call.result.error, S3_OK);
        assert_int_equal(call.result.attempts, 3);
        assert_memory_equal(bytes, "hello world", 11);
        get_whole(head, "hello wormd"); /* from now on the same one twice is not believed either */
        get_whole(head, "hello wormd");
        get_whole(head, "hello world");
        wait();
        assert_int_equal(call.result.attempts, 3);
        get_whole(by_their_keys, "HELLO WORLD");
        get_whole(by_their_keys, "HELLO WORLD");
        wait();
        assert_int_equal(call.result.error, S3_OK);
        assert_int_equal(call.result.attempts, 2);
}

static void test_etags_that_are_no_md5(void **state)
{
        static const char head[] = "ETag: \"" MD5 "\"\nContent-Range: bytes 0-10/11";

        (void)state;
        for (int i = 0; i < 8; i++) {
                get_whole(head, "HELLO WORLD");
                get_whole(head, "HELLO WORLD");
                wait();
                assert_int_equal(call.result.error, S3_OK);
                assert_int_equal(call.result.attempts, 2);
        }
        get_whole(head, "HELLO WORLD"); /* that is how it is here */
        wait();
        assert_int_equal(call.result.attempts, 1);
}

static void test_what_is_tried_again(void **state)
{
        static const struct fake_answer again[] = {
                { .result = HTTP_NOT_SENT },
                { .result = HTTP_LOST },
                { .result = HTTP_TIMED_OUT },
                { .result = HTTP_TOO_LONG },
                { .status = 500 },
                { .status = 502 },
                { .status = 503 },
                { .status = 429 },
                { .status = 408 },
                { .status = 400, .body = "<Error><Code>RequestTimeout</Code></Error>" },
                { .status = 409, .body = "<Error><Code>OperationAborted</Code></Error>" },
                { .status = 400, .body = "<Error><Code>BadDigest</Code></Error>" },
        };

        (void)state;
        for (size_t i = 0; i < sizeof again / sizeof *again; i++) {
                fake.count = fake.used = 0;
                fake_will(&fake, again[i]);
                will(200, "ETag: \"" MD5 "\"", NULL);
                s3_put(s3, &call, "k", &(struct s3_put_args){ .body = &hello, .body_count = 1 });
                wait();
                assert_int_equal(call.result.error, S3_OK);
                assert_int_equal(call.result.attempts, 2);
        }
}

static void test_what_is_final(void **state)
{
        static const struct {
                int status;
                const char *code, *body;
                enum s3_error error;
        } final[] = {
                { 403, "AccessDenied", "<Error><Code>AccessDenied</Code><Message>no</Message></Error>",
                  S3_ACCESS_DENIED },
                { 404, "NoSuchKey", "<Error><Code>NoSuchKey</Code><Message>no</Message></Error>",
                  S3_OBJECT_NOT_FOUND },
                { 404, "NoSuchBucket", "<Error><Code>NoSuchBucket</Code><Message>no</Message></Error>",
                  S3_BUCKET_NOT_FOUND },
                { 403, "InvalidObjectState",
                  "<Error><Code>InvalidObjectState</Code><Message>no</Message></Error>",
                  S3_UNSUPPORTED_TIER },
                { 400, "EntityTooLarge", "<Error><Code>EntityTooLarge</Code><Message>no</Message></Error>",
                  S3_TOO_LARGE },
                { 418, "", "<html>no</html", S3_ERROR },
                { 501, "", NULL, S3_NOT_IMPLEMENTED },
        };

        (void)state;
        for (size_t i = 0; i < sizeof final / sizeof *final; i++) {
                will(final[i].status, NULL, final[i].body);
                get(0, 0, NULL);
                wait();
                assert_int_equal(call.result.error, final[i].error);
                assert_int_equal(call.result.status, final[i].status);
                assert_string_equal(call.result.code, final[i].code);
                assert_true(call.result.message[0] != '\0');
        }
}

static void test_pauses_grow_until_the_deadline(void **state)
{
        uint64_t ms;

        (void)state;
        for (int i = 0; i < 8; i++)
                will(500, NULL, NULL);
        call.deadline_ms = 5000;
        get(0, 0, NULL);
        ms = wait();
        fake.used = fake.count; /* how many it took depends on the jitter */
        assert_int_equal(call.result.error, S3_ERROR);
        assert_in_range(call.result.attempts, 5, 7);
        assert_in_range(ms, 1500, 5000);
        call.deadline_ms = 0;
}

static void test_the_deadline_ends_what_hangs(void **state)
{
        (void)state;
        fake_will(&fake, (struct fake_answer){ .status = 200, .after_ms = 60000 });
        call.deadline_ms = 2000;
        get(0, 0, NULL);
        assert_int_equal(wait(), 2000);
        fake.used = fake.count;
        assert_int_equal(call.result.error, S3_TIMED_OUT);
        assert_int_equal(fake.cancelled, 1);
}

static void test_a_cancelled_call_is_never_done(void **state)
{
        (void)state;
        fake_will(&fake, (struct fake_answer){ .status = 200, .after_ms = 1000 });
        get(0, 0, NULL);
        s3_cancel(&call); /* it waits for its turn */
        get(0, 0, NULL);
        virtual_env_run(&fake.env, 500000000);
        s3_cancel(&call); /* it waits for its answer */
        assert_int_equal(fake.cancelled, 1);
        virtual_env_run(&fake.env, 5000000000);
        assert_false(is_done);
        fake.count = 0;
        fake.used = 0;
        will(500, NULL, NULL);
        get(0, 0, NULL);
        virtual_env_run(&fake.env, 1000000);
        s3_cancel(&call); /* it waits before it tries again */
        virtual_env_run(&fake.env, 5000000000);
        assert_false(is_done);
        s3_cancel(&call);
}

/* The condition fails because our own first try was carried out. */
static void test_a_put_that_meets_itself(void **state)
{
        const struct s3_put_args args = { .body = &hello, .body_count = 1, .if_none_match = true };

        (void)state;
        fake_will(&fake, (struct fake_answer){ .result = HTTP_LOST });
        will(412, NULL, NULL);
        will(200, "ETag: \"" MD5 "\"\nContent-Length: 11", NULL);
        s3_put(s3, &call, "k", &args);
        wait();
        assert_int_equal(call.result.error, S3_OK);
        assert_string_equal(call.object.etag, MD5);
        assert_non_null(strstr(fake.log, "HEAD http://store/bucket/p/k\n"));
        fake_will(&fake, (struct fake_answer){ .status = 412, .resent = true }); /* libcurl sent it twice */
        will(200, "ETag: \"" MD5 "\"\nContent-Length: 11", NULL);
        s3_put(s3, &call, "k", &args);
        wait();
        assert_int_equal(call.result.error, S3_OK);
        fake_will(&fake, (struct fake_answer){ .result = HTTP_LOST });
        will(412, NULL, NULL);
        will(200, "ETag: \"other\"\nContent-Length: 11", NULL);
        s3_put(s3, &call, "k", &args);
        wait();
        assert_int_equal(call.result.error, S3_PRECONDITION_FAILED);
        will(412, NULL, NULL);
        s3_put(s3, &call, "k", &args);
        wait();
        assert_int_equal(call.result.error, S3_PRECONDITION_FAILED);
}

static void test_bare_etags_are_learnt(void **state)
{
        const struct s3_put_args args = { .body = &hello, .body_count = 1, .if_match = "abc" };

        (void)state;
        will(412, NULL, NULL);
        will(200, "ETag: \"" MD5 "\"", NULL);
        s3_put(s3, &call, "k", &args);
        wait();
        assert_int_equal(call.result.error, S3_OK);
        assert_non_null(strstr(fake.log, "  if-match: \"abc\"\n"));
        assert_non_null(strstr(fake.log, "  if-match: abc\n"));
        will(412, NULL, NULL);
        s3_put(s3, &call, "k", &args);
        wait();
        assert_int_equal(call.result.error, S3_PRECONDITION_FAILED);
        assert_int_equal(call.result.attempts, 1);
}

static void test_the_servers_clock_is_learnt(void **state)
{
        (void)state; /* the virtual clock began on 14 November 2023 */
        will(403, "Date: Tue, 14 Nov 2023 23:30:00 GMT", "<Error><Code>RequestTimeTooSkewed</Code></Error>");
        will(200, "ETag: \"x\"\nContent-Length: 0", NULL);
        s3_head(s3, &call, "k");
        wait();
        assert_int_equal(call.result.error, S3_OK);
        assert_int_equal(call.result.attempts, 2);
        assert_non_null(strstr(fake.log, "  x-amz-date: 20231114T221320Z\n"));
        assert_non_null(strstr(fake.log, "  x-amz-date: 20231114T2330"));
        will(403, "Date: Tue, 14 Nov 2023 23:30:01 GMT", NULL);
        s3_head(s3, &call, "k");
        wait();
        assert_int_equal(call.result.error, S3_ACCESS_DENIED);
}

static struct s3_complete complete;

static void on_complete(struct s3_call *c)
{
        assert_ptr_equal(c, &complete.call);
        is_done = true;
}

/* What complete believes: not the answer, but what a HEAD shows. */
static void test_complete(void **state)
{
        static const struct s3_part parts[] = { { 1, 5, MD5 }, { 2, 6, MD5 } };
        static const char made[] =
                "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>",
                          right[] = "ETag: \"f057f37734d5fb132a69d44a61780026-2\"\nContent-Length: 11";

        (void)state;
        complete = (struct s3_complete){ .parts = parts, .count = 2, .size = 11 };
        complete.call.done = on_complete;
        will(200, NULL, made);
        will(200, right, NULL);
        s3_upload_complete(s3, &complete, "k", "id");
        wait();
        assert_int_equal(complete.call.result.error, S3_OK);
        assert_int_equal(complete.call.object.size, 11);
        will(200, NULL, "\n\n <Error><Code>InternalError</Code></Error>");
        fake_will(&fake, (struct fake_answer){ .result = HTTP_LOST });
        will(404, NULL, "<Error><Code>NoSuchUpload</Code></Error>");
        will(200, right, NULL);
        s3_upload_complete(s3, &complete, "k", "id");
        wait();
        assert_int_equal(complete.call.result.error, S3_OK);
        will(404, NULL, "<Error><Code>NoSuchUpload</Code></Error>");
        s3_upload_complete(s3, &complete, "k", "id");
        wait();
        assert_int_equal(complete.call.result.error, S3_OBJECT_NOT_FOUND);
        fake_will(&fake, (struct fake_answer){ .result = HTTP_LOST });
        will(404, NULL, "<Error><Code>NoSuchUpload</Code></Error>");
        will(200, "ETag: \"other\"\nContent-Length: 11", NULL);
        s3_upload_complete(s3, &complete, "k", "id");
        wait();
        assert_int_equal(complete.call.result.error, S3_OBJECT_NOT_FOUND);
}

static void test_part_sizes(void **state)
{
        const uint64_t mib = 1 << 20;

        (void)state;
        assert_int_equal(s3_part_bytes(0, mib), 16 * mib);
        assert_int_equal(s3_part_bytes(9500 * 16 * mib - 1, mib), 16 * mib);
        assert_int_equal(s3_part_bytes(9500 * 16 * mib, mib), 17 * mib);
        for (uint64_t size = mib; size <= UINT64_C(5) << 40; size = size * 3 / 2)
                assert_true((size + s3_part_bytes(size, mib) - 1) / s3_part_bytes(size, mib) <= S3_PARTS);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                TEST(test_a_get_as_it_goes_out_and_comes_in),
                TEST(test_wrong_answers_are_not_believed),
                TEST(test_a_flipped_bit_of_a_whole_object),
                TEST(test_etags_that_are_no_md5),
                TEST(test_what_is_tried_again),
                TEST(test_what_is_final),
                TEST(test_pauses_grow_until_the_deadline),
                TEST(test_the_deadline_ends_what_hangs),
                TEST(test_a_cancelled_call_is_never_done),
                TEST(test_a_put_that_meets_itself),
                TEST(test_bare_etags_are_learnt),
                TEST(test_the_servers_clock_is_learnt),
                TEST(test_complete),
                cmocka_unit_test(test_part_sizes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
