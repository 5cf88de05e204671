/* SPDX-License-Identifier: Apache-2.0 */
/* Every operation of s3tier/s3.h on one object against a real server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/digest.h"
#include "tests/s3/live.h"

enum { MIB = 1 << 20 };

static struct s3_call call;
static uint8_t bytes[3 * MIB], seen[3 * MIB];
static const struct iovec whole = { bytes, sizeof bytes };

static void test_put_head_get(void **state)
{
        struct iovec parts[3] = { { bytes, 5 },
                                  { bytes + 5, MIB },
                                  { bytes + 5 + MIB, sizeof bytes - 5 - MIB } };
        const struct s3_put_args put = { .body = parts, .body_count = 3, .content_type = "text/x-test" };
        struct iovec room[2] = { { seen, 4096 }, { seen + 4096, sizeof seen - 4096 } };
        const struct s3_get_args get = { .room = room, .room_count = 2 };
        char etag[S3_ETAG_BYTES], hex[33];
        uint8_t md5[MD5_BYTES];

        (void)state;
        live_fill(bytes, sizeof bytes, 1);
        md5_iov(&whole, 1, md5);
        s3_put(live.s3, live_call(&call), "a b/+%25&\xc3\xa4?#", &put);
        live_ok(&call);
        assert_string_equal(call.object.etag, hex_of(md5, sizeof md5, hex));
        strcpy(etag, call.object.etag);
        s3_head(live.s3, live_call(&call), "a b/+%25&\xc3\xa4?#");
        live_ok(&call);
        assert_int_equal(call.object.size, sizeof bytes);
        assert_string_equal(call.object.etag, etag);
        assert_string_equal(call.object.content_type, "text/x-test");
        assert_true(call.object.modified_ns > UINT64_C(1600000000) * 1000000000);
        s3_get(live.s3, live_call(&call), "a b/+%25&\xc3\xa4?#", &get);
        live_ok(&call);
        assert_int_equal(call.received, sizeof bytes);
        assert_memory_equal(seen, bytes, sizeof bytes);
}

static void test_ranges(void **state)
{
        static const struct {
                uint64_t offset, length, want;
        } ranges[] = { { 0, 1, 1 },
                       { 1, 1000, 1000 },
                       { MIB, MIB, MIB },
                       { 2999999, 1, 1 },
                       { 2999000, 5000, 1000 },
                       { 2999990, 0, 10 },
                       { 0, 3000000, 3000000 } };
        struct iovec room = { seen, sizeof seen };
        char etag[S3_ETAG_BYTES];

        (void)state;
        live_put("ranged", 3000000, 7, etag);
        live_fill(bytes, 3000000, 7);
        for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
                uint32_t crc = crc32c(0, bytes + ranges[i].offset, ranges[i].want);
                const struct s3_get_args get = {
                        ranges[i].offset, ranges[i].length, etag, NULL, &room, 1, &crc
                };

                memset(seen, 0, sizeof seen);
                s3_get(live.s3, live_call(&call), "ranged", &get);
                live_ok(&call);
                assert_int_equal(call.received, ranges[i].want);
                assert_int_equal(call.object.size, 3000000);
                assert_string_equal(call.object.etag, etag);
                assert_memory_equal(seen, bytes + ranges[i].offset, ranges[i].want);
        }
}

static void test_reads_that_fail_say_why(void **state)
{
        struct iovec room = { seen, sizeof seen }, small = { seen, 100 };
        struct s3_get_args get = { .room = &room, .room_count = 1 };

        (void)state;
        s3_get(live.s3, live_call(&call), "not there", &get);
        assert_int_equal(live_wait(&call), S3_OBJECT_NOT_FOUND);
        assert_string_equal(call.result.code, "NoSuchKey");
        assert_int_equal(call.result.status, 404);
        assert_int_equal(call.result.attempts, 1);
        assert_true(call.result.request_id[0] != '\0');
        s3_head(live.s3, live_call(&call), "not there");
        assert_int_equal(live_wait(&call), S3_OBJECT_NOT_FOUND);
        live_put("short", 1000, 3, NULL);
        get.offset = 1000;
        get.length = 10;
        s3_get(live.s3, live_call(&call), "short", &get);
        assert_int_equal(live_wait(&call), S3_RANGE);
        get.offset = 0;
        get.etag = "0123456789abcdef0123456789abcdef";
        s3_get(live.s3, live_call(&call), "short", &get);
        assert_int_equal(live_wait(&call), S3_OBJECT_CHANGED);
        get = (struct s3_get_args){ .room = &small, .room_count = 1 };
        live_call(&call)->deadline_ms = 300;
        s3_get(live.s3, &call, "short", &get);
        assert_int_equal(live_wait(&call), S3_BAD_ANSWER); /* longer than the room */
}

static void test_empty_objects(void **state)
{
        const struct s3_put_args put = { .body_count = 0 };
        struct iovec room = { seen, 1 };
        const struct s3_get_args get = { .room = &room, .room_count = 1 };

        (void)state;
        s3_put(live.s3, live_call(&call), "dir/", &put);
        live_ok(&call);
        s3_head(live.s3, live_call(&call), "dir/");
        live_ok(&call);
        assert_int_equal(call.object.size, 0);
        s3_get(live.s3, live_call(&call), "dir/", &get);
        live_ok(&call);
        assert_int_equal(call.received, 0);
}

static void test_metadata_comes_back(void **state)
{
        struct s3_metadata metadata = { .bytes = 0 };
        const struct s3_put_args put = { .body = &(struct iovec){ bytes, 10 },
                                         .body_count = 1,
                                         .metadata = &metadata };
        const struct s3_put_args same = { .metadata = NULL }, other = { .metadata = &metadata };

        (void)state;
        assert_true(s3_metadata_put(&metadata, "file-permissions", "0100664"));
        assert_true(s3_metadata_put(&metadata, "file-mtime", "1763750000123456789ns"));
        assert_true(s3_metadata_put(&metadata, "unknown", "kept  as it is"));
        s3_put(live.s3, live_call(&call), "meta", &put);
        live_ok(&call);
        s3_head(live.s3, live_call(&call), "meta");
        live_ok(&call);
        assert_string_equal(s3_metadata_get(&call.object.metadata, "file-permissions"), "0100664");
        assert_string_equal(s3_metadata_get(&call.object.metadata, "file-mtime"), "1763750000123456789ns");
        assert_non_null(s3_metadata_get(&call.object.metadata, "unknown"));
        assert_null(s3_metadata_get(&call.object.metadata, "file-owner"));
        s3_copy(live.s3, live_call(&call), "meta", NULL, "meta copied", &same);
        live_ok(&call);
        s3_head(live.s3, live_call(&call), "meta copied");
        live_ok(&call);
        assert_string_equal(s3_metadata_get(&call.object.metadata, "file-permissions"), "0100664");
        metadata.bytes = 0;
        assert_true(s3_metadata_put(&metadata, "file-owner", "1000"));
        s3_copy(live.s3, live_call(&call), "meta", NULL, "meta", &other);
        live_ok(&call);
        s3_head(live.s3, live_call(&call), "meta");
        live_ok(&call);
        assert_null(s3_metadata_get(&call.object.metadata, "file-permissions"));
        assert_string_equal(s3_metadata_get(&call.object.metadata, "file-owner"), "1000");
        assert_int_equal(call.object.size, 10);
}

static void test_conditional_puts(void **state)
{
        struct s3_put_args put = { .body = &(struct iovec){ bytes, 10 },
                                   .body_count = 1,
                                   .if_none_match = true };
        char etag[S3_ETAG_BYTES];

        (void)state;
        s3_put(live.s3, live_call(&call), "conditional", &put);
        if (live.is_swift) {
                assert_int_equal(live_wait(&call), S3_NOT_IMPLEMENTED);
                return;
        }
        live_ok(&call);
        strcpy(etag, call.object.etag);
        s3_put(live.s3, live_call(&call), "conditional", &put);
        assert_int_equal(live_wait(&call), S3_PRECONDITION_FAILED);
        assert_string_equal(call.result.code, "PreconditionFailed");
        put.if_none_match = false;
        put.if_match = "0123456789abcdef0123456789abcdef";
        s3_put(live.s3, live_call(&call), "conditional", &put);
        assert_int_equal(live_wait(&call), S3_PRECONDITION_FAILED);
        assert_int_equal(call.result.attempts, 2); /* without the quotes, too */
        put.if_match = etag;
        put.body = &(struct iovec){ bytes + 10, 20 };
        s3_put(live.s3, live_call(&call), "conditional",
               &put); /* radosgw 16: without quotes, at the second try */
        live_ok(&call);
        s3_put(live.s3, live_call(&call), "conditional", &put); /* it is another one now */
        assert_int_equal(live_wait(&call), S3_PRECONDITION_FAILED);
        assert_int_equal(call.result.attempts, 1); /* what was learnt is kept */
}

static void test_copy_of_what_was_expected(void **state)
{
        const struct s3_put_args args = { .metadata = NULL };
        char etag[S3_ETAG_BYTES];

        (void)state;
        live_put("source \xc3\xbc", 5000, 9, etag);
        s3_copy(live.s3, live_call(&call), "source \xc3\xbc", etag, "copied", &args);
        live_ok(&call);
        assert_string_equal(call.object.etag, etag);
        s3_copy(live.s3, live_call(&call), "source \xc3\xbc", "0123456789abcdef0123456789abcdef", "copied",
                &args);
        assert_int_equal(live_wait(&call), S3_OBJECT_CHANGED);
        s3_copy(live.s3, live_call(&call), "no such source", NULL, "copied", &args);
        assert_int_equal(live_wait(&call), S3_OBJECT_NOT_FOUND);
}

static void test_delete(void **state)
{
        (void)state;
        live_put("gone", 10, 1, NULL);
        s3_delete(live.s3, live_call(&call), "gone", NULL);
        live_ok(&call);
        s3_head(live.s3, live_call(&call), "gone");
        assert_int_equal(live_wait(&call), S3_OBJECT_NOT_FOUND);
        s3_delete(live.s3, live_call(&call), "gone", NULL);
        live_ok(&call);
}

/* Who does not heed the condition deletes whatever is there. */
static void test_delete_of_what_was_expected(void **state)
{
        char etag[S3_ETAG_BYTES];
        bool heeds = live.is_new || live.is_swift;

        (void)state;
        live_put("kept", 10, 1, etag);
        s3_delete(live.s3, live_call(&call), "kept", "0123456789abcdef0123456789abcdef");
        assert_int_equal(live_wait(&call), heeds ? S3_PRECONDITION_FAILED : S3_OK);
        if (!heeds)
                live_put("kept", 10, 1, etag);
        s3_head(live.s3, live_call(&call), "kept");
        live_ok(&call);
        s3_delete(live.s3, live_call(&call), "kept", etag);
        live_ok(&call);
        s3_head(live.s3, live_call(&call), "kept");
        assert_int_equal(live_wait(&call), S3_OBJECT_NOT_FOUND);
}

/* Kept with the object, and what is read whole is compared with it; a store that does not know them ignores
 * them. */
static void test_checksums(void **state)
{
        const struct s3_put_args put = { .body = &whole, .body_count = 1 };
        struct iovec room = { seen, sizeof seen };
        const struct s3_get_args get = { .room = &room, .room_count = 1 };

        (void)state;
        live_fill(bytes, sizeof bytes, 4);
        for (int checksum = S3_SUM_CRC32C; checksum <= S3_SUM_CRC64NVME; checksum++) {
                struct s3_conf conf = live.conf;
                struct s3 *s3;

                conf.checksum = (enum s3_checksum)checksum;
                s3 = live_open(&conf);
                s3_put(s3, live_call(&call), "summed", &put);
                live_ok(&call);
                assert_string_equal(call.object.checksum, live.is_new ? call.checksum : "");
                s3_get(s3, live_call(&call), "summed", &get);
                live_ok(&call);
                assert_int_equal(strlen(call.object.checksum), !live.is_new                ? 0
                                                               : checksum == S3_SUM_CRC32C ? 8
                                                                                           : 12);
                assert_memory_equal(seen, bytes, sizeof bytes);
                s3_free(s3);
        }
}

static unsigned failures;

static void on_failed(struct s3_delete_many *d, const char *key, const char *code, const char *message)
{
        (void)d, (void)key, (void)code, (void)message;
        failures++;
}

static void test_delete_many(void **state)
{
        static struct s3_delete_many d;
        const char *keys[] = { "m/1", "m/<&>\"'", "m/\xc3\xa4", "m/not there" };

        (void)state;
        for (int i = 0; i < 3; i++)
                live_put(keys[i], 10, 1, NULL);
        d.keys = keys;
        d.count = 4;
        d.failed = on_failed;
        live_call(&d.call);
        s3_delete_many(live.s3, &d);
        live_ok(&d.call);
        assert_int_equal(failures, 0);
        for (int i = 0; i < 3; i++) {
                s3_head(live.s3, live_call(&call), keys[i]);
                assert_int_equal(live_wait(&call), S3_OBJECT_NOT_FOUND);
        }
}

static void test_signed_payload(void **state)
{
        struct s3_conf conf = live.conf;
        const struct s3_put_args put = { .body = &whole, .body_count = 1 };
        struct s3 *s3;

        (void)state;
        conf.sign_payload = true;
        s3 = live_open(&conf);
        s3_put(s3, live_call(&call), "signed", &put);
        live_ok(&call);
        s3_free(s3);
}

static void test_buckets_that_are_not_ours(void **state)
{
        struct s3_conf conf = live.conf;
        struct creds_provider *ours = live.creds;
        struct s3 *s3;

        (void)state;
        s3_head_bucket(live.s3, live_call(&call));
        live_ok(&call);
        conf.bucket = "no-such-bucket-here";
        s3 = live_open(&conf);
        s3_head_bucket(s3, live_call(&call));
        assert_int_equal(live_wait(&call), S3_BUCKET_NOT_FOUND);
        s3_free(s3);
        live.creds = creds_given(getenv("NACRE_S3_ACCESS_KEY"), "a wrong secret");
        s3 = live_open(&live.conf);
        s3_head(s3, live_call(&call), "meta");
        assert_int_equal(live_wait(&call), S3_ACCESS_DENIED);
        s3_delete(s3, live_call(&call), "meta", NULL);
        assert_int_equal(live_wait(&call), S3_ACCESS_DENIED);
        assert_string_equal(call.result.code, "SignatureDoesNotMatch");
        s3_free(s3);
        creds_free(live.creds);
        live.creds = ours;
}

static void test_keys_at_their_limits(void **state)
{
        char key[1100];

        (void)state;
        memset(key, 'k', sizeof key);
        key[1024 - strlen(live.conf.prefix)] = '\0';
        if (!live.is_swift) { /* its names end at 1,024 bytes with what it adds */
                live_put(key, 10, 1, NULL);
                s3_head(live.s3, live_call(&call), key);
                live_ok(&call);
        }
        key[1024 - strlen(live.conf.prefix)] = 'k';
        key[1025 - strlen(live.conf.prefix)] = '\0';
        s3_head(live.s3, live_call(&call), key);
        assert_int_equal(live_wait(&call), S3_PATH_TOO_LONG);
        assert_int_equal(call.result.attempts, 0);
        live_put("dots/../a//b/./c", 10, 1, NULL);
        s3_head(live.s3, live_call(&call), "dots/../a//b/./c");
        live_ok(&call);
}

static void never_told(struct s3_list *list, const struct s3_entry *entry)
{
        (void)list;
        fail_msg("%s is left", entry->key);
}

static void on_probed(struct s3_call *done)
{
        (void)done;
        loop_stop(live.loop);
}

/* What each store can do is known; nothing is left behind. */
static void test_probe(void **state)
{
        enum { N = S3_NO, Y = S3_YES, U = S3_UNKNOWN };
        static const uint8_t rgw[S3_ABILITIES] = { Y, Y, Y, Y, Y, Y, N, N, Y, Y, N, Y, Y, Y, N, N, N },
                             rgw_new[S3_ABILITIES] = { Y, Y, Y, Y, N, Y, Y, Y, Y, Y, Y, Y, Y, Y, Y, Y, N },
                             swift[S3_ABILITIES] = { Y, Y, N, N, U, Y, N, N, Y, Y, Y, Y, Y, Y, Y, Y, N };
        const uint8_t *wanted = live.is_swift ? swift : live.is_new ? rgw_new : rgw;
        static struct s3_probe probe;
        struct s3_list list = { .prefix = ".nacre-probe", .delimiter = "", .start_after = "", .page = 10 };
        bool wrong = false;

        (void)state;
        probe.call.done = on_probed;
        s3_probe(live.s3, &probe);
        loop_run(live.loop);
        for (int i = 0; i < S3_ABILITIES; i++)
                wrong |= probe.found.can[i] != wanted[i];
        if (wrong) {
                s3_probe_print(&probe.found, stderr);
                fail();
        }
        assert_int_equal(probe.found.trouble.error, S3_OK);
        live_call(&list.call);
        list.entry = never_told;
        s3_list_first(live.s3, &list);
        live_ok(&list.call);
        s3_probe_use(live.s3, &probe.found);
        assert_int_equal(s3_conf(live.s3)->bare_etags, !live.is_swift && !live.is_new);
        assert_int_equal(s3_conf(live.s3)->checksum, live.is_new ? S3_SUM_CRC64NVME : S3_SUM_NONE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_put_head_get),
                cmocka_unit_test(test_ranges),
                cmocka_unit_test(test_reads_that_fail_say_why),
                cmocka_unit_test(test_empty_objects),
                cmocka_unit_test(test_metadata_comes_back),
                cmocka_unit_test(test_conditional_puts),
                cmocka_unit_test(test_copy_of_what_was_expected),
                cmocka_unit_test(test_delete),
                cmocka_unit_test(test_delete_of_what_was_expected),
                cmocka_unit_test(test_checksums),
                cmocka_unit_test(test_delete_many),
                cmocka_unit_test(test_signed_payload),
                cmocka_unit_test(test_buckets_that_are_not_ours),
                cmocka_unit_test(test_keys_at_their_limits),
                cmocka_unit_test(test_probe),
        };

        return cmocka_run_group_tests(tests, live_setup, live_teardown);
}
