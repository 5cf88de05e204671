/* SPDX-License-Identifier: Apache-2.0 */
/* In a bucket that keeps versions, the metadata server knows that of a file's object: data servers are told,
 * and read it when another object, or none, is at the key. */
#include <stdio.h>
#include <string.h>

#include "mds/tier/answers.h"
#include "mds/tier/release.h"
#include "tests/scenario/archive.h"

static int setup_with_versions(void **state)
{
        setup_with_listings(state);
        a.bucket.versions = true;
        return 0;
}

/* What the record of FH says: a version, or "". */
static const char *version_of(const struct user_fh *fh)
{
        static char text[BACKING_OBJECT_VERSION_BYTES + 1];
        static uint8_t record[RECORD_MAX];
        const struct inode *inode;
        struct backing b;

        assert_int_equal(meta_inode(a.lab.mds.meta, archive_lab_fileid(&a, fh), &inode), 0);
        assert_int_equal(tier_backing(&a.lab.mds, inode, record, &b), 0);
        slice_text(text, sizeof(text), b.version);
        return text;
}

static void assert_version_is_of(const struct user_fh *fh, const char *key)
{
        char version[64];

        snprintf(version, sizeof(version), "version-of-%s", bucket_find(&a.bucket, key)->etag);
        assert_string_equal(version_of(fh), version);
}

/* What data servers are told of the cold file FH. */
static ctl_source source_of(const struct user_fh *fh, struct source_text *text)
{
        const struct inode *inode;
        ctl_source ret;

        assert_int_equal(meta_inode(a.lab.mds.meta, archive_lab_fileid(&a, fh), &inode), 0);
        assert_int_equal(tier_source(&a.lab.mds,
                                     &(ctl_file){ .fileid = inode->fileid, .generation = inode->generation },
                                     text, &ret),
                         CTL_OK);
        return ret;
}

static void what_a_head_says_of_an_object(void **state)
{
        struct source_text text;
        struct user_fh fh;
        ctl_source source;

        (void)state;
        bucket_put(&a.bucket, "theirs", "some bytes");
        look(&a.train, "theirs", &fh);
        assert_version_is_of(&fh, "theirs");
        source = source_of(&fh, &text);
        assert_string_equal(source.version_id, version_of(&fh));
        assert_string_equal(source.etag, bucket_find(&a.bucket, "theirs")->etag);
        bucket_remove(&a.bucket, "theirs");
        source = source_of(&fh, &text);
        assert_string_equal(source.version_id, version_of(&fh));
}

static void a_bucket_without_versions_has_none(void **state)
{
        struct source_text text;
        struct user_fh fh;

        (void)state;
        a.bucket.versions = false;
        bucket_put(&a.bucket, "theirs", "some bytes");
        look(&a.train, "theirs", &fh);
        assert_string_equal(version_of(&fh), "");
        assert_string_equal(source_of(&fh, &text).version_id, "");
}

/* By a data server, in parts, by the metadata server, and as a copy. */
static void what_we_put(void **state)
{
        struct user_fh whole = make(&a.train, "whole", 5000), parts = make(&a.train, "parts", 70 << 20),
                       empty = make(&a.train, "empty", 0);
        char first[BACKING_OBJECT_VERSION_BYTES + 1];

        (void)state;
        seconds(10);
        assert_version_is_of(&whole, "whole");
        assert_version_is_of(&parts, "parts");
        assert_version_is_of(&empty, "empty");
        strcpy(first, version_of(&whole));
        written(&whole, 6000);
        seconds(10);
        assert_version_is_of(&whole, "whole");
        assert_string_not_equal(version_of(&whole), first);
        assert_int_equal(user_rename(&a.u, &a.train, "whole", &a.train, "renamed"), NFS4_OK);
        seconds(10);
        assert_version_is_of(&whole, "renamed");
}

/* Of another object the version that was known is not the one. */
static void no_version_of_another_object(void **state)
{
        struct user_fh fh = make(&a.train, "file", 5000);

        (void)state;
        seconds(10);
        assert_version_is_of(&fh, "file");
        a.bucket.versions = false;
        written(&fh, 6000);
        seconds(10);
        assert_true(is_archived(&fh));
        assert_string_equal(version_of(&fh), "");
}

static enum release_result released;
static void on_released(struct release_wait *wait, enum release_result result)
{
        (void)wait;
        released = result;
}

/* Which was put before the bucket kept versions, or while that was not noted. */
static void what_is_seen_before_a_release(void **state)
{
        struct release_wait wait = { .done = on_released };
        struct source_text text;
        struct user_fh fh;

        (void)state;
        a.bucket.versions = false;
        fh = make(&a.train, "file", 5000);
        seconds(10);
        assert_string_equal(version_of(&fh), "");
        a.bucket.versions = true;
        released = RELEASE_FAILED;
        release_file(&a.lab.mds, archive_lab_fileid(&a, &fh), &wait);
        seconds(2);
        assert_int_equal(released, RELEASE_DONE);
        assert_version_is_of(&fh, "file");
        assert_string_equal(source_of(&fh, &text).version_id, version_of(&fh));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(what_a_head_says_of_an_object, setup_with_versions, teardown),
                cmocka_unit_test_setup_teardown(a_bucket_without_versions_has_none, setup_with_versions,
                                                teardown),
                cmocka_unit_test_setup_teardown(what_we_put, setup_with_versions, teardown),
                cmocka_unit_test_setup_teardown(no_version_of_another_object, setup_with_versions, teardown),
                cmocka_unit_test_setup_teardown(what_is_seen_before_a_release, setup_with_versions, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
