/* SPDX-License-Identifier: Apache-2.0 */
/* What the metadata server records of a file whose bytes are in S3 while it is cut and fetched, and what it
 * answers when it cannot read that. RFC 8881 §18.30. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mds/tier/answers.h"
#include "tests/lab/mds_lab.h"

enum { SIZE = 64 << 20 };

static struct mds_lab lab;
static struct user u;
static struct user_fh f;
static ctl_file file;

static void store_backing(struct slice value)
{
        struct txn *t = txn_begin(lab.mds.meta);
        uint8_t key[KEY_MAX];
        uint64_t seq;

        txn_put(t, key_backing(key, file.fileid), value);
        assert_int_equal(txn_commit(t, &seq), 0);
}

/* f, as an import makes it. */
static void make_cold(void)
{
        const struct backing b = {
                .repo = 1, .size = SIZE, .valid = SIZE, .key = slice_str("f"), .etag = slice_str("etag-1")
        };
        struct txn *t = txn_begin(lab.mds.meta);
        struct inode *inode = txn_edit(t, file.fileid);
        uint64_t seq;

        assert_non_null(inode);
        inode->size = SIZE;
        inode->flags |= INODE_COLD | INODE_DATA;
        tier_put_backing(t, inode, &b);
        assert_int_equal(txn_commit(t, &seq), 0);
}

static int setup(void **state)
{
        const struct inode *inode;
        struct user_attrs a;
        struct user_fh root;

        (void)state;
        mds_lab_start(&lab, NULL);
        user_start(&u, &lab, "client", 1, 0, 0);
        root = user_root(&u);
        assert_int_equal(user_touch(&u, &root, "f", 0644, &f), NFS4_OK);
        assert_int_equal(user_getattr(&u, &f, &a), NFS4_OK);
        assert_int_equal(meta_inode(lab.mds.meta, a.fileid, &inode), 0);
        file = (ctl_file){ .fileid = a.fileid, .generation = inode->generation };
        make_cold();
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

static enum nfsstat4 set_size(uint64_t size)
{
        struct attr_set set = { .size = size };

        bitmap_set(&set.mask, FATTR4_SIZE);
        return user_setattr(&u, &f, NULL, &set);
}

static ctl_status source(const ctl_file *of, uint64_t *ret_valid)
{
        struct source_text text;
        ctl_source s = { 0 };
        ctl_status status = tier_source(&lab.mds, of, &text, &s);

        *ret_valid = s.valid;
        return status;
}

static void what_was_cut_is_not_the_objects_any_more(void **state)
{
        uint64_t valid;

        (void)state;
        assert_int_equal(set_size(1000), NFS4_OK);
        assert_int_equal(set_size(SIZE), NFS4_OK);
        assert_int_equal(source(&file, &valid), CTL_OK);
        assert_int_equal(valid, 1000);
        assert_int_equal(lab.ds[1].truncated_to, 1000);
}

/* Or what is cut now would be fetched again. */
static void what_cannot_be_recorded_is_not_cut(void **state)
{
        uint8_t key[KEY_MAX], record[RECORD_MAX];
        struct user_attrs a;
        uint32_t length;
        uint64_t valid;

        (void)state;
        assert_int_equal(
                meta_get(lab.mds.meta, key_backing(key, file.fileid), record, sizeof(record), &length), 0);
        store_backing(slice_str("damaged"));
        assert_int_equal(set_size(1000), NFS4ERR_DELAY);
        assert_int_equal(lab.ds[1].truncates, 0);
        assert_int_equal(user_getattr(&u, &f, &a), NFS4_OK);
        assert_int_equal(a.size, SIZE);
        assert_int_equal(source(&file, &valid), CTL_IO);
        store_backing(slice_of(record, length));
        assert_int_equal(set_size(1000), NFS4_OK);
}

static void what_cannot_be_read_is_not_said_to_be_here(void **state)
{
        ctl_file other = { .fileid = file.fileid + 1000, .generation = 1 };
        struct txn *t = txn_begin(lab.mds.meta);
        uint8_t key[KEY_MAX];
        uint64_t valid, seq;

        (void)state;
        txn_put(t, key_inode(key, other.fileid), slice_str("damaged"));
        assert_int_equal(txn_commit(t, &seq), 0);
        assert_int_equal(source(&other, &valid), CTL_IO);
        t = txn_begin(lab.mds.meta);
        txn_delete(t, key_inode(key, other.fileid));
        assert_int_equal(txn_commit(t, &seq), 0);
        assert_int_equal(source(&other, &valid), CTL_NOENT);
        other = (ctl_file){ .fileid = file.fileid, .generation = file.generation + 1 };
        assert_int_equal(source(&other, &valid), CTL_NOENT);
}

static void it_is_here_when_every_data_server_has_its_part(void **state)
{
        ctl_resident_args args = { .file = file, .etag = (char[]){ "etag-1" } };
        uint64_t valid, seq;

        (void)state;
        for (uint32_t i = 0; i < LAB_DATA_SERVERS; i++) {
                assert_int_equal(source(&file, &valid), CTL_OK);
                assert_int_equal(tier_resident(&lab.mds, lab.ds[i].server, &args, &seq), CTL_OK);
        }
        assert_int_equal(source(&file, &valid), CTL_NOENT);
}

/* The others' parts are cut off; the one that has what is left has said so before, and does not again. */
static void what_is_cut_off_need_not_be_here(void **state)
{
        ctl_resident_args args = { .file = file, .etag = (char[]){ "etag-1" } };
        const struct inode *inode;
        uint64_t valid, seq;

        (void)state;
        assert_int_equal(meta_inode(lab.mds.meta, file.fileid, &inode), 0);
        assert_int_equal(tier_resident(&lab.mds,
                                       fleet_file_server(lab.mds.fleet, inode,
                                                         stripe_index(inode_stripe(inode), 0)),
                                       &args, &seq),
                         CTL_OK);
        tier_look_if_here(&lab.mds, file.fileid);
        assert_int_equal(source(&file, &valid), CTL_OK);
        assert_int_equal(set_size(1000), NFS4_OK);
        tier_look_if_here(&lab.mds, file.fileid);
        assert_int_equal(source(&file, &valid), CTL_NOENT);
}

static void but_not_of_another_content(void **state)
{
        ctl_resident_args args = { .file = file, .etag = (char[]){ "etag-2" } };
        uint64_t seq;

        (void)state;
        assert_int_equal(tier_resident(&lab.mds, lab.ds[0].server, &args, &seq), CTL_NOENT);
}

/* What has not been looked at is not nothing. */
static void a_directory_whose_names_are_in_s3_is_not_empty(void **state)
{
        const struct backing b = { .repo = 1, .key = slice_str("cold/"), .etag = slice_str("") };
        struct user_fh root = user_root(&u), cold, empty;
        struct inode *inode;
        struct user_attrs a;
        struct txn *t;
        uint64_t seq;

        (void)state;
        assert_int_equal(user_mkdir(&u, &root, "cold", 0755, &cold), NFS4_OK);
        assert_int_equal(user_mkdir(&u, &root, "empty", 0755, &empty), NFS4_OK);
        assert_int_equal(user_getattr(&u, &cold, &a), NFS4_OK);
        t = txn_begin(lab.mds.meta);
        inode = txn_edit(t, a.fileid);
        inode->flags |= INODE_COLD;
        tier_put_backing(t, inode, &b);
        assert_int_equal(txn_commit(t, &seq), 0);
        assert_int_equal(user_remove(&u, &root, "cold"), NFS4ERR_NOTEMPTY);
        assert_int_equal(user_rename(&u, &root, "empty", &root, "cold"), NFS4ERR_NOTEMPTY);
        assert_int_equal(user_remove(&u, &root, "empty"), NFS4_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(what_was_cut_is_not_the_objects_any_more),
                TEST(what_cannot_be_recorded_is_not_cut),
                TEST(what_cannot_be_read_is_not_said_to_be_here),
                TEST(it_is_here_when_every_data_server_has_its_part),
                TEST(what_is_cut_off_need_not_be_here),
                TEST(but_not_of_another_content),
                TEST(a_directory_whose_names_are_in_s3_is_not_empty),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
