/* SPDX-License-Identifier: Apache-2.0 */
/* A file that S3 has is released by its owner's setfattr: it is cold before a data server is asked to forget
 * it, nobody's handle is good that does not know so, and its times do not move. What is changed, pinned, in
 * use or not in S3 stays. RFC 8276 §8.4, RFC 8881 §12.5.5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mds/pnfs/size.h"
#include "mds/tier/answers.h"
#include "nfs4/codec.h"
#include "tests/lab/mds_user_xattrs.h"
#include "tests/lab/repo_lab.h"

#define HSM "nacre.hsm"
enum { BYTES = 5000 };

static struct mds_lab lab;
static struct s3_model s3;
static struct user su, alice; /* alice has a back channel, and forgets layouts when asked; the file is hers */
static struct user_fh root;
static struct user_open file;
static const uint8_t content[BYTES];

static const struct inode *inode(void)
{
        const struct inode *i;
        uint64_t fileid;

        assert_int_equal(meta_lookup(lab.mds.meta, ROOT_FILEID, slice_str("file"), &fileid), 0);
        assert_int_equal(meta_inode(lab.mds.meta, fileid, &i), 0);
        return i;
}

static struct lab_ds *first_ds(void)
{
        struct lab_ds *ds = lab.ds;

        while (ds->server != fleet_file_server(lab.mds.fleet, inode(), 0))
                ds++;
        return ds;
}

static struct backing backing(uint8_t record[RECORD_MAX])
{
        struct backing b;

        assert_int_equal(tier_backing(&lab.mds, inode(), record, &b), 0);
        return b;
}

static enum nfsstat4 chmod_by(struct user *u, const struct user_fh *fh, uint32_t mode)
{
        struct attr_set set = { .mode = mode, .mode_mask = 07777 };

        bitmap_set(&set.mask, FATTR4_MODE);
        return user_setattr(u, fh, NULL, &set);
}

static int setup(void **state)
{
        struct user_attrs attrs;

        (void)state;
        s3 = (struct s3_model){ .latency_ns = 5000000 };
        mds_lab_start(&lab, NULL);
        repo_lab_link(&lab, &s3);
        user_start(&su, &lab, "root", 1, 0, 0);
        lab.back_channels = true;
        user_start(&alice, &lab, "alice", 2, 100, 100);
        alice.back.answer = NFS4ERR_NOMATCHING_LAYOUT;
        root = user_root(&su);
        assert_int_equal(chmod_by(&su, &root, 0777), NFS4_OK);
        file = USER_CREATE();
        assert_int_equal(user_open(&alice, &root, "file", &file), NFS4_OK);
        assert_int_equal(user_getattr(&alice, &file.fh, &attrs), NFS4_OK);
        repo_lab_archive(&lab, &s3, attrs.fileid, "file", BYTES);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        s3_model_free(&s3);
        return 0;
}

static enum nfsstat4 verb(struct user *u, const char *name)
{
        return user_setxattr(u, &file.fh, SETXATTR4_EITHER, HSM, slice_str(name));
}

static void start_release(struct user *u)
{
        user_begin(u);
        user_putfh(u, &file.fh);
        xdr_put_u32(user_op(u, OP_SETXATTR), SETXATTR4_EITHER);
        xdr_put_string(u->x, HSM);
        xdr_put_slice(u->x, slice_str("release"));
        user_send(u);
}

static void says(const char *state)
{
        static uint32_t nonce;
        char name[64];
        struct slice got;

        snprintf(name, sizeof(name), "nacre.state;%u", nonce++);
        assert_int_equal(user_getxattr(&alice, &file.fh, name, &got), NFS4_OK);
        if (!slice_equal(got, slice_str(state)))
                fail_msg("%.*s", (int)got.length, (const char *)got.data);
}

static uint32_t releases(void)
{
        uint32_t n = 0;

        for (int i = 0; i < LAB_DATA_SERVERS; i++)
                n += lab.ds[i].releases;
        return n;
}

static void what_is_in_s3_is_released(void **state)
{
        struct user_attrs before, after;
        uint8_t record[RECORD_MAX];

        (void)state;
        says("exists archived");
        assert_int_equal(user_getattr(&alice, &file.fh, &before), NFS4_OK);
        mds_lab_run_ms(&lab, 1000);
        assert_int_equal(verb(&alice, "release"), NFS4_OK);
        assert_int_equal(releases(), inode()->width);
        assert_true(inode()->flags & INODE_COLD);
        assert_int_equal(backing(record).here[0], 0);
        assert_int_equal(backing(record).valid, BYTES);
        assert_int_equal(first_ds()->release_epoch, meta_epoch(lab.mds.meta));
        says("exists archived released");
        assert_int_equal(user_getattr(&alice, &file.fh, &after), NFS4_OK);
        assert_true(before.change == after.change && before.mtime == after.mtime &&
                    before.ctime == after.ctime && after.size == BYTES);
        /* again: what a data server did not forget is forgotten then */
        assert_int_equal(verb(&alice, "release"), NFS4_OK);
        assert_int_equal(releases(), 2 * inode()->width);
}

/* The data servers here have nothing to give: it is tried again and again, until nobody wants it. */
static void who_fetches_may_think_again(void **state)
{
        (void)state;
        mds_lab_run_ms(&lab, 1000);
        assert_int_equal(verb(&alice, "cancel"), NFS4_OK); /* there is nothing to cancel */
        assert_int_equal(verb(&alice, "release"), NFS4_OK);
        assert_int_equal(verb(&alice, "prefetch"), NFS4_OK);
        mds_lab_run_ms(&lab, 1000);
        assert_int_equal(lab.mds.tier->restoring, 1);
        assert_int_equal(verb(&alice, "cancel"), NFS4_OK);
        mds_lab_run_ms(&lab, 1000);
        assert_int_equal(lab.mds.tier->restoring, 0);
        says("exists archived released");
}

static void a_layout_is_taken_back_first(void **state)
{
        uint32_t epoch = meta_epoch(lab.mds.meta);
        struct stateid layout;

        (void)state;
        assert_int_equal(user_layoutget(&alice, &file.fh, &file.stateid, &layout), NFS4_OK);
        assert_int_equal(verb(&su, "release"), NFS4_OK);
        assert_int_equal(alice.back.opnum, OP_CB_LAYOUTRECALL);
        assert_true(first_ds()->fences > 0);
        assert_true(first_ds()->last_fence.below > epoch);
        assert_true(first_ds()->release_epoch > first_ds()->last_fence.below);
}

static void what_was_written_and_not_told_is_seen(void **state)
{
        struct lab_ds *ds = first_ds();
        struct stateid layout;

        (void)state;
        assert_int_equal(user_layoutget(&alice, &file.fh, &file.stateid, &layout), NFS4_OK);
        assert_true(size_mark(lab.mds.sizes, inode()->fileid, ds->server->id));
        lab_ds_object(ds, inode()->fileid)->mtime_ns = 4711;
        says("exists dirty");
        assert_true(size_mark(lab.mds.sizes, inode()->fileid, ds->server->id));
        assert_int_equal(verb(&alice, "release"), NFS4ERR_PERM);
        assert_false(inode()->flags & INODE_COLD);
        assert_int_equal(releases(), 0);
}

/* The answer to a fence is late; meanwhile somebody gets a handle that it does not meet. */
static void a_layout_that_is_given_meanwhile_keeps_it_here(void **state)
{
        struct lab_ds *ds = first_ds();
        struct stateid layout;

        (void)state;
        assert_int_equal(user_layoutget(&alice, &file.fh, &file.stateid, &layout), NFS4_OK);
        ds->deaf = CTL_FENCE;
        start_release(&su);
        mds_lab_run_ms(&lab, 100);
        assert_false(user_ended(&su));
        assert_int_equal(user_layoutget(&alice, &file.fh, &file.stateid, &layout), NFS4_OK);
        ds->deaf = 0;
        while (ds->unanswered_count > 0)
                call_reply(ds->unanswered[--ds->unanswered_count]);
        assert_int_equal(user_wait(&su), NFS4ERR_FILE_OPEN);
        assert_false(inode()->flags & INODE_COLD);
        assert_int_equal(releases(), 0);
}

static void what_s3_does_not_have_stays(void **state)
{
        (void)state;
        s3_model_put(&s3, "/bucket/p/file", "etag-2", content, BYTES);
        assert_int_equal(verb(&alice, "release"), NFS4ERR_IO);
        s3_model_delete(&s3, "/bucket/p/file");
        assert_int_equal(verb(&alice, "release"), NFS4ERR_IO);
        assert_false(inode()->flags & INODE_COLD);
        assert_int_equal(releases(), 0);
}

static void only_the_owner_may_and_only_what_is_archived(void **state)
{
        struct user_open mine = USER_CREATE();
        struct user bob;
        struct slice got;

        (void)state;
        user_start(&bob, &lab, "bob", 3, 200, 200);
        assert_int_equal(verb(&bob, "release"), NFS4ERR_PERM);
        assert_int_equal(verb(&alice, "relase"), NFS4ERR_INVAL);
        assert_int_equal(user_removexattr(&alice, &file.fh, HSM), NFS4ERR_NOXATTR);
        assert_int_equal(user_getxattr(&alice, &file.fh, HSM, &got), NFS4ERR_NOXATTR);
        assert_int_equal(user_count_xattrs(&alice, &file.fh), 0);
        assert_int_equal(verb(&alice, "pin"), NFS4_OK);
        says("exists archived pinned");
        assert_int_equal(verb(&su, "release"), NFS4ERR_PERM);
        assert_int_equal(verb(&alice, "unpin"), NFS4_OK);
        assert_int_equal(user_open(&bob, &root, "local", &mine), NFS4_OK);
        assert_int_equal(user_setxattr(&bob, &mine.fh, SETXATTR4_EITHER, HSM, slice_str("release")),
                         NFS4ERR_NOXATTR);
        assert_int_equal(user_getxattr(&bob, &mine.fh, "nacre.state", &got), NFS4ERR_NOXATTR);
        assert_int_equal(releases(), 0);
        assert_int_equal(verb(&alice, "release"), NFS4_OK);
}

static void a_changed_mode_is_a_change(void **state)
{
        (void)state;
        assert_int_equal(chmod_by(&alice, &file.fh, 0600), NFS4_OK);
        says("exists dirty");
        assert_int_equal(verb(&alice, "release"), NFS4ERR_PERM);
}

static void a_data_server_that_refuses_does_no_harm(void **state)
{
        (void)state;
        for (int i = 0; i < LAB_DATA_SERVERS; i++)
                lab.ds[i].release_status = CTL_REFUSED;
        assert_int_equal(verb(&alice, "release"), NFS4ERR_FILE_OPEN);
        assert_true(inode()->flags &
                    INODE_COLD); /* it is, and what is here is not looked at by who does not know */
        for (int i = 0; i < LAB_DATA_SERVERS; i++)
                lab.ds[i].release_status = CTL_OK;
        assert_int_equal(verb(&alice, "release"), NFS4_OK);
}

static ctl_status resident(void)
{
        char etag[] = "etag-1";
        ctl_resident_args args = { .file = { inode()->fileid, inode()->generation }, .etag = etag };
        uint64_t seq;

        return tier_resident(&lab.mds, fleet_file_server(lab.mds.fleet, inode(), 0), &args, &seq);
}

/* It may have been said before the data server forgot. */
static void resident_counts_only_when_all_have_answered(void **state)
{
        uint8_t record[RECORD_MAX];

        (void)state;
        for (int i = 0; i < LAB_DATA_SERVERS; i++)
                lab.ds[i].deaf = CTL_RELEASE;
        start_release(&alice);
        mds_lab_run_ms(&lab, 100);
        assert_int_equal(releases(), inode()->width);
        assert_int_equal(resident(), CTL_REFUSED);
        assert_int_equal(verb(&su, "release"), NFS4ERR_FILE_OPEN);
        for (int i = 0; i < LAB_DATA_SERVERS; i++)
                while (lab.ds[i].unanswered_count > 0)
                        call_reply(lab.ds[i].unanswered[--lab.ds[i].unanswered_count]);
        assert_int_equal(user_wait(&alice), NFS4_OK);
        assert_int_equal(backing(record).here[0], 0);
        assert_int_equal(resident(), CTL_OK);
        assert_int_equal(backing(record).here[0], 1);
}

/* What was written there since the file was found clean it knows no more. */
static void a_data_server_that_started_anew_is_not_asked(void **state)
{
        struct server *server = fleet_file_server(lab.mds.fleet, inode(), 0);

        (void)state;
        store_memory_set_sync_ns(lab.store, 500000000);
        start_release(&alice);
        mds_lab_run_ms(&lab, 100);
        assert_true(inode()->flags & INODE_COLD);
        assert_int_equal(releases(), 0);
        server->boot[0]++;
        store_memory_set_sync_ns(lab.store, 0);
        assert_int_equal(user_wait(&alice), NFS4ERR_DELAY);
        assert_int_equal(releases(), 0);
}

static void it_is_cold_after_a_crash_or_it_is_not(void **state)
{
        (void)state;
        assert_int_equal(verb(&alice, "release"), NFS4_OK);
        mds_lab_restart(&lab, true);
        assert_true(inode()->flags & INODE_COLD);
}

static void it_stops_while_s3_is_asked(void **state)
{
        (void)state;
        s3.silent = true;
        start_release(&alice);
        mds_lab_run_ms(&lab, 100);
        assert_int_equal(atomic_load(&s3.under_way), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(what_is_in_s3_is_released),
                TEST(who_fetches_may_think_again),
                TEST(a_layout_is_taken_back_first),
                TEST(what_was_written_and_not_told_is_seen),
                TEST(a_layout_that_is_given_meanwhile_keeps_it_here),
                TEST(what_s3_does_not_have_stays),
                TEST(only_the_owner_may_and_only_what_is_archived),
                TEST(a_changed_mode_is_a_change),
                TEST(a_data_server_that_refuses_does_no_harm),
                TEST(resident_counts_only_when_all_have_answered),
                TEST(a_data_server_that_started_anew_is_not_asked),
                TEST(it_is_cold_after_a_crash_or_it_is_not),
                TEST(it_stops_while_s3_is_asked),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
