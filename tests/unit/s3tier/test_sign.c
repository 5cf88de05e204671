/* SPDX-License-Identifier: Apache-2.0 */
/* The examples of the S3 API reference ("Signature Calculations for the Authorization Header"); their
 * signatures were computed again with another implementation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "s3tier/sign.h"

#define HOST "examplebucket.s3.amazonaws.com"
#define DATE "20130524T000000Z"

static const struct creds example = { .access_key = "AKIAIOSFODNN7EXAMPLE",
                                      .secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" };
static struct sign_key key;
static char out[SIGN_AUTHORIZATION_BYTES];

static int setup(void **state)
{
        (void)state;
        key = (struct sign_key){ .date = "" };
        return 0;
}

static const char *sign(const char *method, const char *path, const char *query,
                        const struct http_header *headers, unsigned count, const char *hash)
{
        struct sign_request r = { method, slice_str(path), slice_str(query), headers, count, hash };

        assert_true(sign_v4(&key, &example, "us-east-1", DATE, &r, out));
        return out;
}

static void test_get_object(void **state)
{
        const struct http_header headers[] = { { "Host", HOST },
                                               { "Range", "bytes=0-9" },
                                               { "x-amz-content-sha256", SIGN_EMPTY_PAYLOAD },
                                               { "x-amz-date", DATE } };

        (void)state;
        assert_string_equal(
                sign("GET", "/test.txt", "", headers, 4, SIGN_EMPTY_PAYLOAD),
                "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
                "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void test_put_object_with_escapes_and_headers_in_any_order(void **state)
{
#define HASH "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
        const struct http_header headers[] = { { "x-amz-storage-class", "REDUCED_REDUNDANCY" },
                                               { "x-amz-date", DATE },
                                               { "Date", "  Fri, 24 May   2013 00:00:00 GMT " },
                                               { "x-amz-content-sha256", HASH },
                                               { "Host", HOST } };

        (void)state;
        assert_non_null(strstr(sign("PUT", "/test%24file.text", "", headers, 5, HASH),
                               "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
}

static void test_queries(void **state)
{
        const struct http_header headers[] = { { "host", HOST },
                                               { "x-amz-content-sha256", SIGN_EMPTY_PAYLOAD },
                                               { "x-amz-date", DATE } };

        (void)state;
        assert_non_null(strstr(sign("GET", "/", "lifecycle=", headers, 3, SIGN_EMPTY_PAYLOAD),
                               "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
        assert_non_null(strstr(sign("GET", "/", "max-keys=2&prefix=J", headers, 3, SIGN_EMPTY_PAYLOAD),
                               "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

/* What is kept of a day is not used for another secret, region or day. */
static void test_the_key_follows_its_parts(void **state)
{
        const struct http_header headers[] = { { "host", HOST } };
        struct sign_request r = { "GET", slice_str("/"), slice_str(""), headers, 1, SIGN_EMPTY_PAYLOAD };
        struct creds other = example;
        char first[SIGN_AUTHORIZATION_BYTES], fresh[SIGN_AUTHORIZATION_BYTES];

        (void)state;
        strcpy(other.secret, "another");
        assert_true(sign_v4(&key, &example, "us-east-1", DATE, &r, first));
        assert_true(sign_v4(&key, &other, "us-east-1", DATE, &r, out));
        assert_string_not_equal(out, first);
        assert_true(sign_v4(&(struct sign_key){ .date = "" }, &other, "us-east-1", DATE, &r, fresh));
        assert_string_equal(out, fresh);
        assert_true(sign_v4(&key, &example, "eu-west-1", DATE, &r, out));
        assert_string_not_equal(out, first);
        assert_true(sign_v4(&key, &example, "us-east-1", "20130525T000000Z", &r, out));
        assert_string_not_equal(out, first);
        assert_true(sign_v4(&key, &example, "us-east-1", DATE, &r, out));
        assert_string_equal(out, first);
}

static void test_what_is_too_long_is_refused(void **state)
{
        static char path[40000];
        static struct http_header many[SIGN_MAX_HEADERS + 1];
        struct sign_request r = { "GET", slice_str("/"), slice_str(""), many, SIGN_MAX_HEADERS + 1, "" };

        (void)state;
        for (int i = 0; i <= SIGN_MAX_HEADERS; i++)
                many[i] = (struct http_header){ "a", "b" };
        assert_false(sign_v4(&key, &example, "us-east-1", DATE, &r, out));
        r.header_count--;
        assert_true(sign_v4(&key, &example, "us-east-1", DATE, &r, out));
        memset(path, 'a', sizeof path - 1);
        r.path = slice_str(path);
        assert_false(sign_v4(&key, &example, "us-east-1", DATE, &r, out));
}

static void test_dates(void **state)
{
        char date[SIGN_DATE_BYTES];

        (void)state;
        sign_date(1369353600000000000u, date);
        assert_string_equal(date, DATE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_get_object, setup),
                cmocka_unit_test_setup(test_put_object_with_escapes_and_headers_in_any_order, setup),
                cmocka_unit_test_setup(test_queries, setup),
                cmocka_unit_test_setup(test_the_key_follows_its_parts, setup),
                cmocka_unit_test_setup(test_what_is_too_long_is_refused, setup),
                cmocka_unit_test(test_dates),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
