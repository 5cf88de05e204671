/* SPDX-License-Identifier: Apache-2.0 */
/* What a data server has of a file goes to S3 when the MDS says so: what arrives there is what READ would
 * give, whole or as a part, with its metadata, under its conditions. RFC 8881 §18.22. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/sha256.h"
#include "ds/tier/tier.h"
#include "tests/lab/tier_lab.h"
#include "tests/lab/upload_lab.h"

enum { BIG = 3 * 1024 * 1024 + 77 };

static struct ds_lab lab;
static struct lab_client client;
static struct lab_upload upload;
static uint8_t content[BIG];

static int setup(void **state)
{
        (void)state;
        tier_lab_begin(&lab, &client, true);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        upload_end(&upload);
        lab_client_stop(&client);
        ds_lab_stop(&lab);
        return 0;
}

/* As the MDS makes it. */
static struct fh proxy_fh(void)
{
        struct fh fh = lab_fh(&client);

        fh.flags |= FH_PROXY;
        return fh;
}

/* BYTES of a pattern, some of it durable and some not. */
static struct fh written(uint32_t bytes)
{
        struct fh fh = proxy_fh();
        uint32_t n;

        for (uint32_t i = 0; i < bytes; i++)
                content[i] = (uint8_t)(i * 31 + i / 977);
        for (uint32_t at = 0; at < bytes; at += n) {
                n = bytes - at < LAB_UNIT ? bytes - at : LAB_UNIT;
                assert_int_equal(lab_write(&client, &fh, at, content + at, n,
                                           at % (2 * LAB_UNIT) ? UNSTABLE4 : FILE_SYNC4, NULL),
                                 NFS4_OK);
        }
        return fh;
}

static void assert_object(const char *path, const void *bytes, uint64_t size)
{
        const struct s3_model_object *o = s3_model_find(&lab.s3, path);

        assert_non_null(o);
        assert_int_equal(o->size, size);
        assert_memory_equal(o->data, bytes, size);
}

static struct tier_metrics *counts(void)
{
        return &lab.ds->workers[0]->tier->counts;
}

static void a_small_file_is_put(void **state)
{
        struct fh fh = written(4096);
        ctl_metadata words[] = { { (char *)(uintptr_t) "file-permissions", (char *)(uintptr_t) "0100644" },
                                 { (char *)(uintptr_t) "file-owner", (char *)(uintptr_t) "1000" } };

        (void)state;
        upload_whole(&lab, &upload, &fh, "dir/a b", 4096);
        upload.args.metadata.metadata_len = 2;
        upload.args.metadata.metadata_val = words;
        assert_int_equal(upload_run(&upload), CTL_OK);
        assert_object("/bucket/dir/a%20b", content, 4096);
        assert_string_equal(s3_model_find(&lab.s3, "/bucket/dir/a%20b")->metadata,
                            "file-permissions=0100644\nfile-owner=1000\n");
        assert_string_equal(upload.res.etag, s3_model_find(&lab.s3, "/bucket/dir/a%20b")->etag);
        assert_string_equal(upload.res.error, "");
        assert_int_equal(counts()->uploaded.value, 1);
        assert_int_equal(counts()->uploaded_bytes.value, 4096);
        assert_int_equal(counts()->uploading.value, 0);
        assert_int_equal(counts()->gathered_bytes.value, 0);
        assert_int_equal(atomic_load(&lab.s3.puts), 1);
}

static void assert_begins(const char *text, const char *begin)
{
        if (strncmp(text, begin, strlen(begin)) != 0)
                fail_msg("\"%s\" does not begin with \"%s\"", text, begin);
}

static void a_checksum_is_sent_where_it_is_heeded(void **state)
{
        struct fh fh = written(4096);

        (void)state;
        upload_whole(&lab, &upload, &fh, "without", 4096);
        assert_int_equal(upload_run(&upload), CTL_OK);
        assert_string_equal(s3_model_find(&lab.s3, "/bucket/without")->checksum, "");
        for (u_int checksum = S3_SUM_CRC32C; checksum <= S3_SUM_CRC64NVME; checksum++) {
                const char *name = checksum == S3_SUM_CRC32C ? "crc32c " : "crc64nvme ";

                upload_end(&upload);
                lab.mds.repo.checksum = checksum;
                lab.mds.repo.revision++;
                upload_whole(&lab, &upload, &fh, "with", 4096);
                assert_int_equal(upload_run(&upload), CTL_OK);
                assert_begins(s3_model_find(&lab.s3, "/bucket/with")->checksum, name);
                upload_end(&upload);
                upload_whole(&lab, &upload, &fh, "part", 4096);
                upload.args.upload_id = "ID";
                upload.args.part = 1;
                assert_int_equal(upload_run(&upload), CTL_OK);
                assert_begins(s3_model_find(&lab.s3, "/bucket/part?partNumber=1&uploadId=ID")->checksum,
                              name);
        }
}

static void what_the_repo_was_before_a_change_is_not_written(void **state)
{
        struct fh fh = written(4096);

        (void)state;
        upload_whole(&lab, &upload, &fh, "one", 4096);
        assert_int_equal(upload_run(&upload), CTL_OK);
        upload_end(&upload);
        lab.mds.repo.bucket = "moved";
        lab.mds.repo.revision++;
        upload_whole(&lab, &upload, &fh, "two", 4096);
        assert_int_equal(upload_run(&upload), CTL_OK);
        assert_object("/moved/two", content, 4096);
        assert_null(s3_model_find(&lab.s3, "/bucket/two"));
        assert_int_equal(lab.mds.repos, 2);
        upload_end(&upload);
        upload_whole(&lab, &upload, &fh, "three", 4096);
        assert_int_equal(upload_run(&upload), CTL_OK);
        assert_int_equal(lab.mds.repos, 2);
}

static void a_longer_file_is_put(void **state)
{
        struct fh fh = written(BIG);

        (void)state;
        upload_whole(&lab, &upload, &fh, "big", BIG);
        assert_int_equal(upload_run(&upload), CTL_OK);
        assert_object("/bucket/big", content, BIG);
}

static void an_empty_file_is_put(void **state)
{
        struct fh fh = proxy_fh();

        (void)state;
        upload_whole(&lab, &upload, &fh, "empty", 0);
        assert_int_equal(upload_run(&upload), CTL_OK);
        assert_object("/bucket/empty", "", 0);
}

static void holes_and_what_lies_behind_the_end_are_zeros(void **state)
{
        struct fh fh = proxy_fh();

        (void)state;
        assert_int_equal(lab_write(&client, &fh, LAB_UNIT + 10, "data", 4, UNSTABLE4, NULL), NFS4_OK);
        memset(content, 0, 3 * LAB_UNIT);
        memcpy(content + LAB_UNIT + 10, "data", 4);
        upload_whole(&lab, &upload, &fh, "sparse", 3 * LAB_UNIT);
        assert_int_equal(upload_run(&upload), CTL_OK);
        assert_object("/bucket/sparse", content, 3 * LAB_UNIT);
}

static void a_range_is_a_part(void **state)
{
        struct fh fh = written(4 * LAB_UNIT);

        (void)state;
        upload_whole(&lab, &upload, &fh, "parts", 0);
        upload.args.upload_id = (char *)(uintptr_t) "id+1";
        upload.args.part = 2;
        upload.args.offset = LAB_UNIT + 5;
        upload.args.length = 2 * LAB_UNIT;
        assert_int_equal(upload_run(&upload), CTL_OK);
        assert_object("/bucket/parts?partNumber=2&uploadId=id%2B1", content + LAB_UNIT + 5, 2 * LAB_UNIT);
        assert_int_equal(strlen(upload.res.etag), 32);
}

/* Nobody sees what is a little of this and a little of that. */
/* [4096, 4096 + BYTES) as part 7, with a digest; KNOWN: what the MDS believes it is. */
static void send_part(const struct fh *fh, uint64_t bytes, uint8_t *known)
{
        upload_end(&upload);
        upload_whole(&lab, &upload, fh, "big", bytes);
        upload.args.offset = 4096;
        upload.args.upload_id = (char *)(uintptr_t) "id";
        upload.args.part = 7;
        upload.args.digest = true;
        upload.args.known.known_len = known ? SHA256_BYTES : 0;
        upload.args.known.known_val = (char *)known;
        assert_int_equal(upload_run(&upload), CTL_OK);
        assert_int_equal(upload.res.digest.digest_len, SHA256_BYTES);
}

static void a_part_that_s3_has_is_not_sent(void **state)
{
        uint8_t digest[SHA256_BYTES], other[SHA256_BYTES] = { 1 };
        struct fh fh = written(BIG);

        (void)state;
        sha256(content + 4096, BIG - 4096, digest);
        send_part(&fh, BIG - 4096, NULL);
        assert_memory_equal(upload.res.digest.digest_val, digest, SHA256_BYTES);
        assert_false(upload.res.same);
        assert_int_equal(atomic_load(&lab.s3.puts), 1);
        send_part(&fh, BIG - 4096, digest);
        assert_memory_equal(upload.res.digest.digest_val, digest, SHA256_BYTES);
        assert_true(upload.res.same);
        assert_string_equal(upload.res.etag, "");
        assert_int_equal(atomic_load(&lab.s3.puts), 1);
        assert_int_equal(counts()->same_bytes.value, BIG - 4096);
        assert_int_equal(counts()->uploaded_bytes.value, BIG - 4096);
        send_part(&fh, BIG - 4096, other);
        assert_false(upload.res.same);
        assert_int_equal(atomic_load(&lab.s3.puts), 2);
        assert_int_equal(lab_write(&client, &fh, 5000, "x", 1, UNSTABLE4, NULL), NFS4_OK);
        send_part(&fh, BIG - 4096, digest);
        assert_false(upload.res.same);
        assert_int_equal(atomic_load(&lab.s3.puts), 3);
}

static void what_has_changed_is_not_put(void **state)
{
        struct fh fh = written(100);

        (void)state;
        fake_file(&lab.mds, fh.fileid)->changed = true;
        upload_whole(&lab, &upload, &fh, "changed", 100);
        assert_int_equal(upload_run(&upload), CTL_CHANGED);
        assert_null(s3_model_find(&lab.s3, "/bucket/changed"));
        fake_file(&lab.mds, fh.fileid)->changed = false;
        upload_end(&upload);
        upload_whole(&lab, &upload, &fh, "changed", 100);
        assert_int_equal(upload_run(&upload), CTL_OK);
        assert_object("/bucket/changed", content, 100);
}

static ctl_status put_if(const struct fh *fh, const char *key, bool none, const char *match)
{
        upload_end(&upload);
        upload_whole(&lab, &upload, fh, key, 100);
        upload.args.if_none_match = none;
        upload.args.if_match = (char *)(uintptr_t)match;
        return upload_run(&upload);
}

static void conditions_hold(void **state)
{
        struct fh fh = written(100);

        (void)state;
        s3_model_put(&lab.s3, "/bucket/theirs", "0123", "theirs", 6);
        assert_int_equal(put_if(&fh, "theirs", true, ""), CTL_REFUSED);
        assert_string_equal(upload.res.error, "S3PreconditionFailed");
        assert_true(upload.res.message[0] != '\0');
        assert_int_equal(put_if(&fh, "theirs", false, "4567"), CTL_REFUSED);
        assert_object("/bucket/theirs", "theirs", 6);
        assert_int_equal(put_if(&fh, "theirs", false, "0123"), CTL_OK);
        assert_object("/bucket/theirs", content, 100);
        assert_int_equal(put_if(&fh, "new", true, ""), CTL_OK);
        assert_object("/bucket/new", content, 100);
}

/* The MDS that lost the answer asks again, with the condition of before. */
static void what_is_there_already_is_a_success(void **state)
{
        struct fh fh = written(100);

        (void)state;
        assert_int_equal(put_if(&fh, "twice", true, ""), CTL_OK);
        assert_int_equal(put_if(&fh, "twice", true, ""), CTL_OK);
        assert_string_equal(upload.res.etag, s3_model_find(&lab.s3, "/bucket/twice")->etag);
        assert_int_equal(lab_write(&client, &fh, 0, "x", 1, UNSTABLE4, NULL), NFS4_OK);
        assert_int_equal(put_if(&fh, "twice", true, ""), CTL_REFUSED);
}

/* Some units were written, the others are in S3 still. */
static void what_is_not_here_is_fetched_first(void **state)
{
        struct fh fh = tier_fh(&client);

        (void)state;
        fh.flags |= FH_PROXY;
        for (uint32_t i = 0; i < TIER_BYTES; i++)
                content[i] = tier_byte(i);
        memset(content + 3 * LAB_UNIT, 0xee, LAB_UNIT);
        memset(content + 7 * LAB_UNIT + 100, 0xee, 50);
        assert_int_equal(lab_write(&client, &fh, 3 * LAB_UNIT, content + 3 * LAB_UNIT, LAB_UNIT, UNSTABLE4,
                                   NULL),
                         NFS4_OK);
        assert_int_equal(lab_write(&client, &fh, 7 * LAB_UNIT + 100, content + 7 * LAB_UNIT + 100, 50,
                                   FILE_SYNC4, NULL),
                         NFS4_OK);
        upload_whole(&lab, &upload, &fh, "data/file", TIER_BYTES);
        upload.args.if_match = (char *)(uintptr_t) "etag-1";
        assert_int_equal(upload_run(&upload), CTL_OK);
        assert_object(TIER_PATH, content, TIER_BYTES);
        assert_int_equal(counts()->gathered_bytes.value, TIER_BYTES);
        assert_int_equal(counts()->fetched_units.value, TIER_UNITS - 1);
}

static void a_file_that_was_removed_is_not_read(void **state)
{
        struct fh fh = written(100);

        (void)state;
        assert_int_equal(lab_remove(&lab, &fh), CTL_OK);
        upload_whole(&lab, &upload, &fh, "gone", 100);
        assert_int_equal(upload_run(&upload), CTL_IO);
        assert_true(upload.res.message[0] != '\0');
        assert_null(s3_model_find(&lab.s3, "/bucket/gone"));
}

static void assert_nonsense(void)
{
        assert_int_equal(upload_run(&upload), CTL_INVAL);
        upload_end(&upload);
}

static void what_cannot_be_is_refused(void **state)
{
        struct fh fh = written(100), wide;
        ctl_metadata word = { (char *)(uintptr_t) "bad name", (char *)(uintptr_t) "value" };

        (void)state;
        for (int i = 0; i < 13; i++) {
                upload_whole(&lab, &upload, &fh, "key", 100);
                switch (i) {
                case 0: upload.args.key = (char *)(uintptr_t) ""; break;
                case 1: upload.args.length = 1ull << 40; break;
                case 2: upload.args.offset = UINT64_MAX; break;
                case 3: upload.args.object.fileid++; break;
                case 4: upload.args.object.unit = 5; break;
                case 5: upload.handle[20] ^= 1; break;
                case 6: upload.args.upload_id = (char *)(uintptr_t) "id"; break; /* part 0 */
                case 7: upload.args.if_match = (char *)(uintptr_t) "a\r\nb: c"; break;
                case 10: upload.args.digest = true; break; /* of no part */
                case 11:
                        upload.args.upload_id = (char *)(uintptr_t) "id";
                        upload.args.part = 1;
                        upload.args.known.known_len = SHA256_BYTES; /* what for? */
                        upload.args.known.known_val = (char *)content;
                        break;
                case 12:
                        upload.args.upload_id = (char *)(uintptr_t) "id";
                        upload.args.part = 1;
                        upload.args.digest = true;
                        upload.args.known.known_len = 5;
                        upload.args.known.known_val = (char *)content;
                        break;
                case 8: word.value = (char *)(uintptr_t) "a\nb"; /* fall through */
                default: upload.args.metadata.metadata_len = 1; upload.args.metadata.metadata_val = &word;
                }
                assert_nonsense();
        }
        wide = fh; /* a range that lies on others too, who are not named */
        wide.width = 2;
        upload_whole(&lab, &upload, &wide, "key", LAB_UNIT + 1);
        assert_nonsense();
        assert_int_equal(atomic_load(&lab.s3.puts), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_small_file_is_put, setup, teardown),
                cmocka_unit_test_setup_teardown(a_checksum_is_sent_where_it_is_heeded, setup, teardown),
                cmocka_unit_test_setup_teardown(what_the_repo_was_before_a_change_is_not_written, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(a_longer_file_is_put, setup, teardown),
                cmocka_unit_test_setup_teardown(an_empty_file_is_put, setup, teardown),
                cmocka_unit_test_setup_teardown(holes_and_what_lies_behind_the_end_are_zeros, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(a_range_is_a_part, setup, teardown),
                cmocka_unit_test_setup_teardown(a_part_that_s3_has_is_not_sent, setup, teardown),
                cmocka_unit_test_setup_teardown(what_has_changed_is_not_put, setup, teardown),
                cmocka_unit_test_setup_teardown(conditions_hold, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_there_already_is_a_success, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_not_here_is_fetched_first, setup, teardown),
                cmocka_unit_test_setup_teardown(a_file_that_was_removed_is_not_read, setup, teardown),
                cmocka_unit_test_setup_teardown(what_cannot_be_is_refused, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
