/* SPDX-License-Identifier: Apache-2.0 */
/* Data servers send what they have of files to a real server, two of them to one object; through
 * tests/s3/proxy.py, which spoils some of it. The MDS is a fake one (tests/lab/fake_mds.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/sha256.h"
#include "ds/tier/tier.h"
#include "tests/lab/second_ds.h"
#include "tests/lab/upload_lab.h"
#include "tests/s3/live.h"

enum { MIB = 1 << 20, PART = 5 * MIB, PARTS = 4, BYTES = 3 * PART + 1234567 };

static struct ds_lab lab;
static struct second_ds second;
static struct lab_client clients[2];
static struct lab_upload upload;
static struct s3_call call;
static uint8_t content[BYTES], seen[BYTES];

static void start_lab(uint32_t width)
{
        const struct ds_lab_conf how = { .workers = 2, .width = width };

        ds_lab_start(&lab, &how);
        lab.ds->make_http = NULL; /* the real one */
        lab.mds.repo = (ctl_repo){ .endpoint = (char *)(uintptr_t)live.conf.endpoint,
                                   .bucket = (char *)(uintptr_t)live.conf.bucket,
                                   .prefix = (char *)(uintptr_t)live.conf.prefix,
                                   .region = (char *)(uintptr_t)live.conf.region,
                                   .access_key = getenv("NACRE_S3_ACCESS_KEY"),
                                   .secret_key = getenv("NACRE_S3_SECRET"),
                                   .session_token = (char *)(uintptr_t) "",
                                   .checksum = (u_int)live.conf.checksum,
                                   .ca = (char *)(uintptr_t) "" };
        lab_client_start(&clients[0], &lab, "client 1");
        live_fill(content, BYTES, 5);
        live_tell("none any 0");
}

static int setup(void **state)
{
        (void)state;
        start_lab(1);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        upload_end(&upload);
        lab_client_stop(&clients[0]);
        ds_lab_stop(&lab);
        return 0;
}

static int setup_two(void **state)
{
        (void)state;
        start_lab(2);
        second_ds_start(&second, &lab);
        second.ds->make_http = NULL;
        second_ds_client(&second, &clients[1], "client 1");
        return 0;
}

static int teardown_two(void **state)
{
        lab_client_stop(&clients[1]);
        second_ds_stop(&second);
        return teardown(state);
}

static struct fh handle(void)
{
        struct fh fh = lab_fh(&clients[0]);

        fh.flags |= FH_PROXY;
        fh.unit = MIB;
        return fh;
}

static void write_file(const struct fh *fh, uint32_t bytes)
{
        for (uint32_t at = 0; at < bytes; at += MIB)
                assert_int_equal(lab_write(&clients[at / MIB % fh->width], fh, at, content + at,
                                           bytes - at < MIB ? bytes - at : MIB, UNSTABLE4, NULL),
                                 NFS4_OK);
        fake_file(&lab.mds, fh->fileid)->size = bytes;
}

static void assert_object(const char *key, uint64_t bytes)
{
        struct iovec room = { seen, bytes };
        const struct s3_get_args get = { .room = &room, .room_count = 1 };

        s3_get(live.s3, live_call(&call), key, &get);
        live_ok(&call);
        assert_int_equal(call.received, bytes);
        assert_memory_equal(seen, content, bytes);
}

static void assert_uploaded(void)
{
        if (upload_run(&upload) != CTL_OK)
                fail_msg("%s: %s", upload.res.error, upload.res.message);
}

static void files_become_objects(void **state)
{
        static const uint32_t sizes[] = { 0, 1, 4096, 65537, 3 * MIB + 5 };
        ctl_metadata words[] = { { (char *)(uintptr_t) "file-permissions", (char *)(uintptr_t) "0100640" },
                                 { (char *)(uintptr_t) "file-mtime",
                                   (char *)(uintptr_t) "1700000000123456789ns" } };
        char key[32];

        (void)state;
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                struct fh fh = handle();

                fh.fileid += i;
                snprintf(key, sizeof(key), "d+r/%zu b", i);
                write_file(&fh, sizes[i]);
                upload_end(&upload);
                upload_whole(&lab, &upload, &fh, key, sizes[i]);
                upload.args.metadata.metadata_len = 2;
                upload.args.metadata.metadata_val = words;
                assert_uploaded();
                assert_object(key, sizes[i]);
                assert_string_equal(call.object.etag, upload.res.etag);
                assert_string_equal(s3_metadata_get(&call.object.metadata, "file-permissions"), "0100640");
                assert_string_equal(s3_metadata_get(&call.object.metadata, "file-mtime"),
                                    "1700000000123456789ns");
        }
}

static void the_version_is_told(void **state)
{
        struct fh fh = handle();

        (void)state;
        write_file(&fh, 4096);
        if (!live_enter_versions())
                return;
        lab.mds.repo.bucket = (char *)(uintptr_t)live.conf.bucket;
        upload_whole(&lab, &upload, &fh, "version", 4096);
        assert_uploaded();
        s3_head(live.s3, live_call(&call), "version");
        live_ok(&call);
        assert_true(upload.res.version_id[0] != '\0');
        assert_string_equal(upload.res.version_id, call.object.version_id);
        live_leave_versions();
}

static void conditions_hold(void **state)
{
        const char *refused = live.is_swift ? "S3NotImplemented" : "S3PreconditionFailed";
        char etag[S3_ETAG_BYTES];
        struct fh fh = handle();

        (void)state;
        write_file(&fh, 1000);
        live_put("there", 500, 1, etag);
        upload_whole(&lab, &upload, &fh, "there", 1000);
        upload.args.if_none_match = true;
        assert_int_equal(upload_run(&upload), CTL_REFUSED);
        assert_string_equal(upload.res.error, refused);
        upload_end(&upload);
        upload_whole(&lab, &upload, &fh, "there", 1000);
        upload.args.if_match = etag;
        if (live.is_swift) {
                assert_int_equal(upload_run(&upload), CTL_REFUSED);
                return;
        }
        assert_uploaded();
        upload_end(&upload); /* once more: over what it has put itself */
        assert_uploaded();
        assert_object("there", 1000);
}

/* An upload of the object "whole", of which each sends parts that the other has units of. */
static char upload_id[S3_UPLOAD_ID_BYTES];
static struct s3_part parts[PARTS];
static uint8_t digests[PARTS][SHA256_BYTES]; /* of the last time */

static void begin_whole(void)
{
        const struct s3_put_args none = { .body_count = 0 };

        s3_upload_create(live.s3, live_call(&call), "whole", &none);
        live_ok(&call);
        strcpy(upload_id, call.upload_id);
}

/* KNOWN: it is sent only if it is not what it was. */
static void send_part(const struct fh *fh, uint32_t i, bool known)
{
        static ctl_addr addrs[2];
        static char uaddrs[2][NETADDR_TEXT];
        static ctl_member members[2] = { { { 1, &addrs[0] } }, { { 1, &addrs[1] } } };
        uint64_t begin = i * (uint64_t)PART, left = BYTES - begin;

        addrs[0] = (ctl_addr){ (char *)(uintptr_t) "tcp", netaddr_universal(&lab.ds_addr, uaddrs[0]) };
        addrs[1] = (ctl_addr){ (char *)(uintptr_t) "tcp", netaddr_universal(&second.addr, uaddrs[1]) };
        upload_end(&upload);
        upload_whole(&lab, &upload, fh, "whole", left < PART ? left : PART);
        upload.second = i % 2;
        upload.args.members.members_len = 2;
        upload.args.members.members_val = members;
        upload.args.offset = begin;
        upload.args.upload_id = upload_id;
        upload.args.part = i + 1;
        upload.args.digest = true;
        upload.args.known.known_len = known ? SHA256_BYTES : 0;
        upload.args.known.known_val = (char *)digests[i];
        assert_uploaded();
        parts[i] = (struct s3_part){ .number = i + 1, .size = upload.args.length };
        strcpy(parts[i].etag, upload.res.etag);
        assert_int_equal(upload.res.digest.digest_len, SHA256_BYTES);
        memcpy(digests[i], upload.res.digest.digest_val, SHA256_BYTES);
}

/* Over what has ETAG; NULL: over anything. */
static void complete_whole(const char *etag)
{
        static struct s3_complete complete;

        complete = (struct s3_complete){ .parts = parts, .count = PARTS, .size = BYTES, .if_match = etag };
        live_call(&complete.call);
        s3_upload_complete(live.s3, &complete, "whole", upload_id);
        live_ok(&complete.call);
        assert_object("whole", BYTES);
}

/* The MDS completes it. */
static void two_data_servers_fill_one_upload(void **state)
{
        struct fh fh = handle();

        (void)state;
        write_file(&fh, BYTES);
        begin_whole();
        for (uint32_t i = 0; i < PARTS; i++)
                send_part(&fh, i, false);
        complete_whole(NULL);
        assert_true(atomic_load(&second.ds->workers[0]->tier->counts.uploaded_bytes.value) > PART);
        assert_true(atomic_load(&second.ds->workers[0]->counts.read_bytes.value) > 3 * MIB);
}

/* And the MDS has S3 copy them. */
static void parts_that_s3_has_are_not_sent(void **state)
{
        struct fh fh = handle();
        char etag[S3_ETAG_BYTES];
        uint32_t sent = 0;

        (void)state;
        write_file(&fh, BYTES);
        begin_whole();
        for (uint32_t i = 0; i < PARTS; i++)
                send_part(&fh, i, false);
        complete_whole(NULL);
        strcpy(etag, call.object.etag);
        memset(content + PART + 7, 0xee, 20);
        assert_int_equal(lab_write(&clients[1], &fh, PART + 7, content + PART + 7, 20, UNSTABLE4, NULL),
                         NFS4_OK);
        begin_whole();
        for (uint32_t i = 0; i < PARTS; i++) {
                send_part(&fh, i, true);
                sent += !upload.res.same;
                if (!upload.res.same)
                        continue;
                s3_upload_part_copy(live.s3, live_call(&call), "whole", upload_id, i + 1, "whole",
                                    live.is_swift ? NULL : etag, /* it refuses that of an object of parts */
                                    upload.args.offset, upload.args.length);
                live_ok(&call);
                strcpy(parts[i].etag, call.object.etag);
        }
        assert_int_equal(sent, 1);
        complete_whole(live.is_swift ? NULL : etag);
}

/* Some units were written, the others are fetched first; all goes to where they came from. */
static void a_cold_file_goes_back(void **state)
{
        static char etag[S3_ETAG_BYTES];
        struct fake_file *f = fake_file(&lab.mds, LAB_FILE);
        struct fh fh = handle();

        (void)state;
        live_put("cold", 6 * MIB, 5, etag);
        f->key = "cold";
        f->etag = etag;
        f->size = f->source_size = f->valid = 6 * MIB;
        fh.flags |= FH_TIERED;
        memset(content + 2 * MIB, 0xee, MIB);
        memset(content + 4 * MIB + 10, 0xee, 20);
        assert_int_equal(lab_write(&clients[0], &fh, 2 * MIB, content + 2 * MIB, MIB, UNSTABLE4, NULL),
                         NFS4_OK);
        assert_int_equal(lab_write(&clients[0], &fh, 4 * MIB + 10, content + 4 * MIB + 10, 20, UNSTABLE4,
                                   NULL),
                         NFS4_OK);
        upload_whole(&lab, &upload, &fh, "cold", 6 * MIB);
        if (!live.is_swift)
                upload.args.if_match = etag;
        assert_uploaded();
        assert_object("cold", 6 * MIB);
}

/* What happens to a PUT on its way is mended, and what arrives is what was sent. */
static void puts_that_are_spoilt(void **state)
{
        static const char *const rules[] = { "status PUT 2 503", "status PUT 2 500", "lost PUT 1",
                                             "refuse PUT 2",     "flip-sent PUT 1",  "slow PUT 1 500" };
        struct fh fh = handle();
        char key[32];

        (void)state;
        write_file(&fh, 2 * MIB + 1);
        for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
                snprintf(key, sizeof(key), "spoilt %zu", i);
                live_tell(rules[i]);
                upload_end(&upload);
                upload_whole(&lab, &upload, &fh, key, 2 * MIB + 1);
                upload.args.if_none_match = !live.is_swift;
                if (upload_run(&upload) != CTL_OK)
                        fail_msg("%s: %s: %s", rules[i], upload.res.error, upload.res.message);
                assert_true(live_tell(NULL) > 0);
                live_tell("none any 0");
                assert_object(key, 2 * MIB + 1);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(files_become_objects, setup, teardown),
                cmocka_unit_test_setup_teardown(the_version_is_told, setup, teardown),
                cmocka_unit_test_setup_teardown(conditions_hold, setup, teardown),
                cmocka_unit_test_setup_teardown(two_data_servers_fill_one_upload, setup_two, teardown_two),
                cmocka_unit_test_setup_teardown(parts_that_s3_has_are_not_sent, setup_two, teardown_two),
                cmocka_unit_test_setup_teardown(a_cold_file_goes_back, setup, teardown),
                cmocka_unit_test_setup_teardown(puts_that_are_spoilt, setup, teardown),
        };

        return cmocka_run_group_tests(tests, live_setup, live_teardown);
}
