/* SPDX-License-Identifier: Apache-2.0 */
/* What is written in a repo's directory that exports appears in the bucket, whole, whatever happens in
 * between. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mds/pnfs/size.h"
#include "nfs4/codec.h"
#include "mds/tier/answers.h"
#include "tests/scenario/archive.h"

/* --- files */

static void a_file_is_sent_a_while_after_its_close(void **state)
{
        struct user_open o = USER_CREATE(.how = UNCHECKED4);
        const struct bucket_object *object;

        (void)state;
        assert_int_equal(user_open(&a.u, &a.train, "f", &o), NFS4_OK);
        written(&o.fh, 1000);
        seconds(20);
        assert_null(bucket_find(&a.bucket, "f")); /* it is open */
        assert_int_equal(user_close(&a.u, &o.fh, &o.stateid), NFS4_OK);
        seconds(4);
        assert_null(bucket_find(&a.bucket, "f"));
        seconds(2);
        object = bucket_find(&a.bucket, "f");
        assert_non_null(object);
        assert_int_equal(object->size, 1000);
        assert_string_equal(bucket_metadata(object, "file-permissions"), "0100644");
        assert_string_equal(bucket_metadata(object, "file-owner"), "0");
        assert_true(is_archived(&o.fh));
        assert_int_equal(a.bucket.uploads, 1);
        assert_int_equal(a.bucket.puts, 0);
}

static void an_empty_file_a_directory_and_a_symlink(void **state)
{
        struct user_fh dir;
        struct user_fh fh;

        (void)state;
        assert_int_equal(user_mkdir(&a.u, &a.train, "d", 0750, &dir), NFS4_OK);
        assert_int_equal(user_symlink(&a.u, &dir, "link", "where/to"), NFS4_OK);
        fh = make(&dir, "empty", 0);
        seconds(7);
        assert_int_equal(bucket_find(&a.bucket, "d/empty")->size, 0);
        assert_true(is_archived(&fh));
        assert_int_equal(bucket_find(&a.bucket, "d/")->size, 0);
        assert_string_equal(bucket_metadata(bucket_find(&a.bucket, "d/"), "file-permissions"), "040750");
        assert_string_equal(bucket_find(&a.bucket, "d/link")->body, "where/to");
        assert_string_equal(bucket_metadata(bucket_find(&a.bucket, "d/link"), "file-permissions"), "0120777");
        assert_int_equal(a.bucket.uploads, 0);
        assert_int_equal(a.bucket.puts, 3);
        seconds(60);
        assert_int_equal(a.bucket.puts, 3);
}

/* The repo's file, which the server takes up. */
static void reload(const char *lines)
{
        char folder[] = "/tmp/nacre-lab-XXXXXX", path[64], error[512];
        FILE *out;

        assert_non_null(mkdtemp(folder));
        snprintf(path, sizeof(path), "%s/train.yaml", folder);
        out = fopen(path, "w");
        assert_non_null(out);
        fprintf(out, "path: /train\nurl: s3://bucket/\nexport: new\n%s", lines);
        fclose(out);
        a.lab.conf.repos = folder;
        assert_int_equal(repo_load(a.lab.mds.tier, "train", error, sizeof(error)), 0);
        a.lab.conf.repos = NULL;
        unlink(path);
        rmdir(folder);
}

static uint64_t last_revision;
static void see_revision(struct bucket_lab *bucket, const ctl_upload_args *args)
{
        (void)bucket;
        last_revision = args->revision;
}

static void data_servers_are_told_of_another_repo_than_they_know(void **state)
{
        ctl_repo before, after;
        uint32_t number;

        (void)state;
        a.bucket.on_upload = see_revision;
        make(&a.train, "one", 1000);
        seconds(10);
        number = repo_by_name(a.lab.mds.tier, "train")->number;
        assert_int_equal(tier_repo(&a.lab.mds, number, &before), CTL_OK);
        assert_int_equal(before.checksum, S3_SUM_NONE);
        assert_true(before.revision > 0);
        assert_int_equal(last_revision, before.revision);
        reload("endpoint: http://elsewhere.lab\nchecksum: md5+crc64nvme\n");
        assert_int_equal(tier_repo(&a.lab.mds, number, &after), CTL_OK);
        assert_string_equal(after.endpoint, "http://elsewhere.lab");
        assert_int_equal(after.checksum, S3_SUM_CRC64NVME);
        assert_true(after.revision > before.revision);
        make(&a.train, "two", 1000);
        seconds(10);
        assert_int_equal(last_revision, after.revision);
        archive_lab_crash(&a);
        assert_int_equal(tier_repo(&a.lab.mds, number, &before), CTL_OK);
        assert_true(before.revision > after.revision); /* it may have changed meanwhile */
}

static void what_is_outside_stays_outside(void **state)
{
        (void)state;
        make(&a.root, "f", 1000);
        seconds(60);
        assert_int_equal(a.bucket.count, 0);
}

static void a_change_replaces_what_was_sent(void **state)
{
        struct user_fh fh = make(&a.train, "f", 1000);
        char first[40];

        (void)state;
        seconds(7);
        strcpy(first, bucket_find(&a.bucket, "f")->etag);
        written(&fh, 2000);
        assert_false(is_archived(&fh));
        seconds(7);
        assert_int_equal(bucket_find(&a.bucket, "f")->size, 2000);
        assert_string_not_equal(bucket_find(&a.bucket, "f")->etag, first);
        assert_true(is_archived(&fh));
}

/* What only a data server knows yet counts as well. */
static void what_data_servers_announce_is_asked_for(void **state)
{
        struct user_fh fh = make(&a.train, "f", 1000);
        uint64_t fileid = archive_lab_fileid(&a, &fh);
        struct lab_object *object = lab_ds_object(&a.lab.ds[1], fileid);

        (void)state;
        seconds(7);
        *object = (struct lab_object){ .fileid = fileid,
                                       .there = true,
                                       .settled = true,
                                       .size = 3000,
                                       .mtime_ns = env_wall(&a.lab.v.env) };
        size_mark(a.lab.mds.sizes, fileid, a.lab.ds[1].server->id);
        assert_true(archive_is_pending(&a.lab.mds, fileid));
        seconds(7);
        assert_int_equal(bucket_find(&a.bucket, "f")->size, 3000);
}

static void move_it(struct bucket_lab *b, const ctl_upload_args *args)
{
        const struct inode *inode;
        uint64_t seq;

        b->on_upload = NULL;
        assert_int_equal(meta_inode(a.lab.mds.meta, args->object.fileid, &inode), 0);
        assert_int_equal(
                size_extend(a.lab.mds.sizes, inode->fileid, inode->generation, 1, 5000000, 5000000, &seq), 0);
}

static void what_changes_while_it_is_sent_is_sent_again(void **state)
{
        struct user_fh fh;

        (void)state;
        a.bucket.on_upload = move_it;
        fh = make(&a.train, "f", 1000);
        seconds(6);
        assert_false(is_archived(&fh));
        seconds(7);
        assert_int_equal(bucket_find(&a.bucket, "f")->size, 5000000);
        assert_true(is_archived(&fh));
}

static void a_large_file_goes_in_parts(void **state)
{
        struct user_fh fh = make(&a.train, "big", 40 << 20);

        (void)state;
        seconds(7);
        assert_int_equal(bucket_find(&a.bucket, "big")->size, 40 << 20);
        assert_int_equal(a.bucket.uploads, 3); /* 16 + 16 + 8 MiB */
        assert_int_equal(a.bucket.completes, 1);
        assert_non_null(bucket_metadata(bucket_find(&a.bucket, "big"), "file-mtime"));
        assert_true(is_archived(&fh));
}

/* Nothing of it was to be seen in between. */
static void parts_of_what_changed_are_thrown_away(void **state)
{
        struct user_fh fh;

        (void)state;
        a.bucket.on_upload = move_it;
        fh = make(&a.train, "big", 40 << 20);
        seconds(6);
        assert_null(bucket_find(&a.bucket, "big"));
        assert_true(a.bucket.aborts > 0);
        assert_int_equal(a.bucket.completes, 0);
        seconds(10);
        assert_int_equal(bucket_find(&a.bucket, "big")->size, 40 << 20);
        assert_true(is_archived(&fh));
}

/* --- crashes */

static void the_queue_survives_a_crash(void **state)
{
        struct user_fh fh = make(&a.train, "f", 1000);

        (void)state;
        mds_lab_run_ms(&a.lab, 100);
        archive_lab_crash(&a);
        seconds(10);
        assert_int_equal(bucket_find(&a.bucket, "f")->size, 1000);
        assert_true(is_archived(&fh));
}

static void an_answer_that_was_lost_in_a_crash_is_found_again(void **state)
{
        struct user_fh fh;
        char etag[40];

        (void)state;
        a.bucket.lose_answers = true;
        fh = make(&a.train, "f", 1000);
        seconds(7);
        strcpy(etag, bucket_find(&a.bucket, "f")->etag);
        a.bucket.lose_answers = false;
        archive_lab_crash(&a);
        seconds(10);
        assert_true(is_archived(&fh));
        assert_string_equal(bucket_find(&a.bucket, "f")->etag, etag); /* it was not sent again */
        assert_int_equal(a.bucket.count, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                T(a_file_is_sent_a_while_after_its_close),
                T(an_empty_file_a_directory_and_a_symlink),
                T(data_servers_are_told_of_another_repo_than_they_know),
                T(what_is_outside_stays_outside),
                T(a_change_replaces_what_was_sent),
                T(what_data_servers_announce_is_asked_for),
                T(what_changes_while_it_is_sent_is_sent_again),
                T(a_large_file_goes_in_parts),
                T(parts_of_what_changed_are_thrown_away),
                T(the_queue_survives_a_crash),
                T(an_answer_that_was_lost_in_a_crash_is_found_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
