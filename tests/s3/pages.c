/* SPDX-License-Identifier: Apache-2.0 */
/* Listings of objects, parts and uploads, and what multipart uploads make, against a real server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/s3/live.h"

enum { MIB = 1 << 20, PART = 5 * MIB };

static struct s3_call call;
static struct s3_list list;
static char told[64][64];
static unsigned tellings;

static void on_entry(struct s3_list *l, const struct s3_entry *e)
{
        (void)l;
        assert_true(tellings < 64);
        snprintf(told[tellings++], sizeof told[0], "%s%s %llu", e->is_prefix ? "+" : "", e->key,
                 (unsigned long long)e->size);
        if (!e->is_prefix) {
                assert_int_equal(strlen(e->etag), 32);
                assert_true(e->modified_ns > UINT64_C(1600000000) * 1000000000);
        }
}

/* All pages of PAGE keys; how many pages. */
static unsigned list_all(const char *prefix, const char *delimiter, const char *start_after, unsigned page)
{
        unsigned pages = 1;

        tellings = 0;
        list = (struct s3_list){ .prefix = prefix,
                                 .delimiter = delimiter,
                                 .start_after = start_after,
                                 .page = page,
                                 .entry = on_entry };
        live_call(&list.call);
        s3_list_first(live.s3, &list);
        live_ok(&list.call);
        for (; list.more; pages++) {
                s3_list_next(live.s3, &list);
                live_ok(&list.call);
        }
        assert_int_equal(list.told, tellings);
        return pages;
}

static void test_pages_tell_each_key_once(void **state)
{
        static const char *const keys[] = { "l/a",   "l/a b",   "l/a+b",  "l/b&<\"",    "l/c/1",
                                            "l/c/2", "l/d/1/x", "l/e%20", "l/\xc3\xa9", "l/z" };
        unsigned count = sizeof keys / sizeof *keys;
        char line[64];

        (void)state;
        for (unsigned i = 0; i < count; i++)
                live_put(keys[i], i, i, NULL);
        for (unsigned page = 1; page <= 11; page += page == 3 ? 7 : 1) {
                unsigned pages = list_all("l/", "", "", page);

                assert_in_range(pages, (count + page - 1) / page, (count + page - 1) / page + 1);
                assert_int_equal(tellings, count);
        }
        snprintf(line, sizeof line, "%s %d", "l/a b", 1);
        assert_string_equal(told[1], line);
        snprintf(line, sizeof line, "%s %d", "l/e%20", 7);
        assert_string_equal(told[7], line);
        assert_string_equal(told[9], "l/\xc3\xa9 8");
}

/* Keys and common prefixes come in two orders, one among the other as the store likes. */
static bool was_told(const char *line)
{
        for (unsigned i = 0; i < tellings; i++)
                if (strcmp(told[i], line) == 0)
                        return true;
        return false;
}

static void test_delimiters_and_starts(void **state)
{
        (void)state;
        for (unsigned page = 1; page <= 1000; page = page == 2 ? 1000 : page + 1) {
                list_all("l/", "/", "", page);
                assert_int_equal(tellings, 9);
        }
        assert_true(was_told("+l/c/ 0") && was_told("+l/d/ 0") && was_told("l/a 0"));
        list_all("l/", "", "l/b&<\"", 3);
        assert_int_equal(tellings, 6);
        assert_string_equal(told[0], "l/c/1 4");
        list_all("nothing/", "/", "", 10);
        assert_int_equal(tellings, 0);
        list_all("l/c/", "/", "", 10);
        assert_int_equal(tellings, 2);
}

/* --- uploads */

static uint8_t *data;
static struct s3_part parts[3];
static struct s3_part_list part_list;
static unsigned parts_told;

static void on_part(struct s3_part_list *l, const struct s3_part *part)
{
        (void)l;
        assert_true(parts_told < 3);
        assert_int_equal(part->number, parts[parts_told].number);
        assert_int_equal(part->size, parts[parts_told].size);
        assert_string_equal(part->etag, parts[parts_told++].etag);
}

static void upload_part(const char *key, const char *id, unsigned i, uint64_t offset, size_t bytes)
{
        const struct iovec iov[2] = { { data + offset, 100 }, { data + offset + 100, bytes - 100 } };

        s3_upload_part(live.s3, live_call(&call), key, id, i + 1, iov, 2);
        live_ok(&call);
        parts[i] = (struct s3_part){ .number = i + 1, .size = bytes };
        strcpy(parts[i].etag, call.object.etag);
}

static void create(const char *key, char id[S3_UPLOAD_ID_BYTES])
{
        struct s3_metadata metadata = { .bytes = 0 };
        const struct s3_put_args args = { .metadata = &metadata };

        s3_metadata_put(&metadata, "file-owner", "7");
        s3_upload_create(live.s3, live_call(&call), key, &args);
        live_ok(&call);
        strcpy(id, call.upload_id);
        assert_true(id[0] != '\0');
}

static void check_whole(const char *key, size_t bytes)
{
        uint8_t *seen = malloc(bytes);
        struct iovec room = { seen, bytes };
        const struct s3_get_args get = { .room = &room, .room_count = 1 };

        s3_get(live.s3, live_call(&call), key, &get);
        live_ok(&call);
        assert_int_equal(call.received, bytes);
        assert_memory_equal(seen, data, bytes);
        free(seen);
}

static unsigned uploads_told, others_told;
static char wanted_id[S3_UPLOAD_ID_BYTES];
static uint64_t initiated_ns;

static void on_upload(struct s3_upload_list *l, const struct s3_upload *u)
{
        (void)l;
        if (strcmp(u->upload_id, wanted_id) == 0)
                uploads_told++;
        else
                others_told++;
        initiated_ns = u->initiated_ns;
}

/* Those that are wanted_id's; how many others there are is in others_told. */
static unsigned count_uploads_of(const char *prefix)
{
        static struct s3_upload_list uploads;

        uploads_told = others_told = 0;
        memset(&uploads, 0, sizeof uploads);
        uploads.prefix = prefix;
        uploads.upload = on_upload;
        do {
                live_call(&uploads.call);
                s3_uploads(live.s3, &uploads);
                live_ok(&uploads.call);
        } while (uploads.more);
        return uploads_told;
}

static unsigned count_uploads(void)
{
        return count_uploads_of(NULL);
}

static void test_multipart(void **state)
{
        static struct s3_complete complete;
        char id[S3_UPLOAD_ID_BYTES];

        (void)state;
        live_fill(data, 2 * PART + 1000, 5);
        create("big \xc3\xb6", id);
        strcpy(wanted_id, id);
        upload_part("big \xc3\xb6", id, 1, PART, PART);
        upload_part("big \xc3\xb6", id, 0, 0, PART);
        upload_part("big \xc3\xb6", id, 2, 2 * PART, 1000);
        part_list = (struct s3_part_list){ .part = on_part };
        live_call(&part_list.call);
        s3_upload_parts(live.s3, &part_list, "big \xc3\xb6", id);
        live_ok(&part_list.call);
        assert_int_equal(parts_told, 3);
        assert_int_equal(count_uploads(), 1);
        complete = (struct s3_complete){ .parts = parts, .count = 3, .size = 2 * PART + 1000 };
        live_call(&complete.call);
        s3_upload_complete(live.s3, &complete, "big \xc3\xb6", id);
        live_ok(&complete.call);
        assert_int_equal(complete.call.object.size, 2 * PART + 1000);
        assert_non_null(strstr(complete.call.object.etag, "-3"));
        assert_string_equal(s3_metadata_get(&complete.call.object.metadata, "file-owner"), "7");
        assert_int_equal(count_uploads(), 0);
        check_whole("big \xc3\xb6", 2 * PART + 1000);
}

static void test_parts_copied_by_the_server(void **state)
{
        static struct s3_complete complete;
        char id[S3_UPLOAD_ID_BYTES];

        (void)state;
        create("appended", id);
        s3_upload_part_copy(live.s3, live_call(&call), "appended", id, 1, "big \xc3\xb6", NULL, 0, PART + 10);
        live_ok(&call);
        parts[0] = (struct s3_part){ .number = 1, .size = PART + 10 };
        strcpy(parts[0].etag, call.object.etag);
        upload_part("appended", id, 1, PART + 10, 500);
        complete = (struct s3_complete){ .parts = parts, .count = 2, .size = PART + 510 };
        live_call(&complete.call);
        s3_upload_complete(live.s3, &complete, "appended", id);
        live_ok(&complete.call);
        check_whole("appended", PART + 510);
}

/* Each of the sums goes with its parts, and the store makes one of the whole. */
static void test_parts_with_checksums(void **state)
{
        static struct s3_complete complete;
        struct s3 *before = live.s3;
        char id[S3_UPLOAD_ID_BYTES];

        (void)state;
        for (int checksum = S3_SUM_CRC32C; checksum <= S3_SUM_CRC64NVME; checksum++) {
                struct s3_conf conf = live.conf;
                size_t length = checksum == S3_SUM_CRC32C ? 8 : 12; /* in base64 */

                conf.checksum = (enum s3_checksum)checksum;
                live.s3 = live_open(&conf);
                create("summed", id);
                for (unsigned i = 0; i < 3; i++) {
                        upload_part("summed", id, i, (uint64_t)i * PART, i < 2 ? PART : 1000);
                        assert_int_equal(strlen(call.checksum), length);
                        assert_string_equal(call.object.checksum, live.is_new ? call.checksum : "");
                }
                complete = (struct s3_complete){ .parts = parts, .count = 3, .size = 2 * PART + 1000 };
                live_call(&complete.call);
                s3_upload_complete(live.s3, &complete, "summed", id);
                live_ok(&complete.call);
                check_whole("summed", 2 * PART + 1000);
                assert_int_equal(strlen(call.object.checksum), live.is_new ? length : 0);
                s3_free(live.s3);
        }
        live.s3 = before;
}

/* Over what is expected there, of a store that heeds that or does not. */
static void test_completed_over_another(void **state)
{
        static struct s3_complete complete;
        char id[S3_UPLOAD_ID_BYTES], etag[S3_ETAG_BYTES];

        (void)state;
        s3_head(live.s3, live_call(&call), "appended");
        live_ok(&call);
        strcpy(etag, call.object.etag);
        create("appended", id);
        upload_part("appended", id, 0, 0, PART);
        complete = (struct s3_complete){ .parts = parts, .count = 1, .size = PART, .if_match = etag };
        live_call(&complete.call);
        s3_upload_complete(live.s3, &complete, "appended", id);
        if (live.is_swift) { /* it compares with another ETag than it tells */
                assert_int_equal(live_wait(&complete.call), S3_PRECONDITION_FAILED);
                return;
        }
        live_ok(&complete.call);
        check_whole("appended", PART);
}

static void test_aborted_and_wrong(void **state)
{
        static struct s3_complete complete;
        char id[S3_UPLOAD_ID_BYTES];

        (void)state;
        create("aborted", id);
        upload_part("aborted", id, 0, 0, 1000);
        strcpy(parts[0].etag, "0123456789abcdef0123456789abcdef");
        complete = (struct s3_complete){ .parts = parts, .count = 1, .size = 1000 };
        live_call(&complete.call)->deadline_ms = 1500;
        s3_upload_complete(live.s3, &complete, "aborted", id);
        assert_int_not_equal(live_wait(&complete.call), S3_OK);
        s3_upload_abort(live.s3, live_call(&call), "aborted", id);
        live_ok(&call);
        s3_upload_abort(live.s3, live_call(&call), "aborted", id);
        live_ok(&call);
        s3_head(live.s3, live_call(&call), "aborted");
        assert_int_equal(live_wait(&call), S3_OBJECT_NOT_FOUND);
        s3_upload_part(live.s3, live_call(&call), "aborted", id, 1, &(struct iovec){ data, 10 }, 1);
        assert_int_equal(live_wait(&call), S3_OBJECT_NOT_FOUND);
        assert_string_equal(call.result.code, "NoSuchUpload");
}

/* How an upload whose creation had no answer is found. */
static void test_an_upload_of_a_key(void **state)
{
        char id[S3_UPLOAD_ID_BYTES], longer_id[S3_UPLOAD_ID_BYTES];
        uint64_t now = env_wall(loop_env(live.loop));

        (void)state;
        create("lost/a b", id);
        create("lost/a b longer", longer_id);
        strcpy(wanted_id, id);
        assert_int_equal(count_uploads_of("lost/a b"), 1);
        assert_int_equal(others_told, 1);
        assert_int_equal(count_uploads_of("lost/a b longer"), 0);
        assert_int_equal(others_told, 1);
        assert_true(initiated_ns > now - 60000000000ull && initiated_ns < now + 60000000000ull);
        parts_told = 0;
        part_list = (struct s3_part_list){ .part = on_part };
        live_call(&part_list.call);
        s3_upload_parts(live.s3, &part_list, "lost/a b", id);
        live_ok(&part_list.call);
        assert_int_equal(parts_told, 0);
        assert_false(part_list.more);
        s3_upload_abort(live.s3, live_call(&call), "lost/a b", id);
        live_ok(&call);
        assert_int_equal(count_uploads_of("lost/"), 0);
        live_call(&part_list.call);
        s3_upload_parts(live.s3, &part_list, "lost/a b", id);
        assert_int_equal(live_wait(&part_list.call), S3_OBJECT_NOT_FOUND);
        s3_upload_abort(live.s3, live_call(&call), "lost/a b longer", longer_id);
        live_ok(&call);
}

static int setup(void **state)
{
        data = malloc(3 * PART);
        return live_setup(state);
}

static int teardown(void **state)
{
        free(data);
        return live_teardown(state);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pages_tell_each_key_once),
                cmocka_unit_test(test_delimiters_and_starts),
                cmocka_unit_test(test_multipart),
                cmocka_unit_test(test_parts_copied_by_the_server),
                cmocka_unit_test(test_parts_with_checksums),
                cmocka_unit_test(test_completed_over_another),
                cmocka_unit_test(test_aborted_and_wrong),
                cmocka_unit_test(test_an_upload_of_a_key),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
