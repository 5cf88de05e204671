/* SPDX-License-Identifier: Apache-2.0 */
/* What data servers know of a file's size comes into the answers; cutting a file cuts its objects first. RFC
 * 8881 §12.5.4, §13.10, §18.7, §18.16, §18.30. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/fleet/fleet.h"
#include "mds/pnfs/size.h"
#include "mds/state/layout.h"
#include "nfs4/codec.h"
#include "tests/lab/mds_lab.h"

static struct mds_lab lab;
static struct user u, other;
static struct user_fh root;
static struct user_open o;
static uint64_t fileid;

/* A file that is open, with a write layout out, and bytes on the second data server that only it knows of. */
static int setup(void **state)
{
        struct user_attrs a;
        struct stateid layout;

        (void)state;
        mds_lab_start(&lab, NULL);
        user_start(&u, &lab, "client", 1, 0, 0);
        user_start(&other, &lab, "other", 2, 0, 0);
        root = user_root(&u);
        o = USER_CREATE(.how = UNCHECKED4);
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4_OK);
        assert_int_equal(user_layoutget(&u, &o.fh, &o.stateid, &layout), NFS4_OK);
        assert_int_equal(user_getattr(&u, &o.fh, &a), NFS4_OK);
        fileid = a.fileid;
        *lab_ds_object(&lab.ds[1], fileid) = (struct lab_object){ .fileid = fileid,
                                                                  .there = true,
                                                                  .size = 3 << 20,
                                                                  .used = 1 << 20,
                                                                  .mtime_ns = env_wall(&lab.v.env),
                                                                  .settled = false };
        size_mark(lab.mds.sizes, fileid, lab.ds[1].server->id);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

static uint64_t size_of(const struct user_fh *fh)
{
        struct user_attrs a;

        assert_int_equal(user_getattr(&other, fh, &a), NFS4_OK);
        return a.size;
}

static enum nfsstat4 set_size(struct user *who, uint64_t size)
{
        struct attr_set set = { .size = size };

        bitmap_set(&set.mask, FATTR4_SIZE);
        return user_setattr(who, &o.fh, NULL, &set);
}

static void getattr_asks_who_is_dirty(void **state)
{
        struct user_attrs before, after;

        (void)state;
        assert_int_equal(user_getattr(&other, &o.fh, &before), NFS4_OK);
        assert_int_equal(before.size, 3 << 20);
        assert_int_equal(lab.ds[1].getsizes, 1);
        lab_ds_object(&lab.ds[1], fileid)->size = 4 << 20;
        lab_ds_object(&lab.ds[1], fileid)->settled = true;
        assert_int_equal(user_getattr(&other, &o.fh, &after), NFS4_OK);
        assert_int_equal(after.size, 4 << 20);
        assert_true(after.change > before.change);
        assert_int_equal(lab.ds[1].getsizes, 2);
        assert_int_equal(size_of(&o.fh), 4 << 20); /* settled: nobody is asked any more */
        assert_int_equal(lab.ds[1].getsizes, 2);
}

/* The first data server answers and settles, another cannot be asked: nothing of the answer is lost. */
static void an_answer_that_is_not_whole_is_asked_for_again(void **state)
{
        (void)state;
        lab_ds_object(&lab.ds[1], fileid)->settled = true;
        lab.ds[2].broken = true;
        user_begin(&other);
        user_putfh(&other, &o.fh);
        put_bitmap(user_op(&other, OP_GETATTR), &(struct bitmap4){ .word = { 1u << FATTR4_SIZE } });
        assert_int_equal(user_call(&other), NFS4ERR_DELAY);
        lab.ds[2].broken = false;
        assert_int_equal(size_of(&o.fh), 3 << 20);
        assert_int_equal(lab.ds[1].getsizes, 2);
        assert_int_equal(size_of(&o.fh), 3 << 20);
        assert_int_equal(lab.ds[1].getsizes, 2);
}

static void send_getattr(struct user *who)
{
        user_begin(who);
        user_putfh(who, &o.fh);
        put_bitmap(user_op(who, OP_GETATTR), &(struct bitmap4){ .word = { 1u << FATTR4_SIZE } });
        user_send(who);
}

static uint64_t size_told(struct user *who)
{
        struct bitmap4 mask;

        assert_true(user_ended(who));
        assert_int_equal(user_result(who, OP_SEQUENCE), NFS4_OK);
        xdr_get_bytes(&who->in, NFS4_SESSIONID_SIZE + 5 * 4);
        user_result(who, OP_PUTFH);
        assert_int_equal(user_result(who, OP_GETATTR), NFS4_OK);
        get_bitmap(&who->in, &mask);
        xdr_get_u32(&who->in);
        return xdr_get_u64(&who->in);
}

/* What was written since the data servers were asked is in the answer of who asked after it. */
static void a_question_under_way_is_too_old_for_who_comes_later(void **state)
{
        (void)state;
        lab.ds[1].deaf = CTL_GETSIZES;
        send_getattr(&u);
        assert_int_equal(lab.ds[1].unanswered_count, 1);
        lab.ds[1].deaf = 0;
        lab_ds_object(&lab.ds[1], fileid)->size = 4 << 20;
        send_getattr(&other);
        call_reply(lab.ds[1].unanswered[--lab.ds[1].unanswered_count]);
        mds_lab_run_ms(&lab, 10);
        assert_int_equal(size_told(&u), 3 << 20);
        assert_int_equal(size_told(&other), 4 << 20);
}

static void what_does_not_depend_on_it_is_not_asked_for(void **state)
{
        struct bitmap4 asked = { 0 };

        (void)state;
        bitmap_set(&asked, FATTR4_MODE);
        bitmap_set(&asked, FATTR4_FILEID);
        user_begin(&other);
        user_putfh(&other, &o.fh);
        user_op(&other, OP_GETATTR);
        put_bitmap(other.x, &asked);
        assert_int_equal(user_call(&other), NFS4_OK);
        assert_int_equal(user_lookup(&other, &root, "f", NULL), NFS4_OK);
        user_begin(&other); /* READDIR tells sizes as last heard */
        user_putfh(&other, &root);
        xdr_put_u64(user_op(&other, OP_READDIR), 0);
        xdr_put_u64(other.x, 0);
        xdr_put_u32(other.x, 1000);
        xdr_put_u32(other.x, 1000);
        xdr_put_u32(other.x, 1);
        xdr_put_u32(other.x, 1u << FATTR4_SIZE);
        assert_int_equal(user_call(&other), NFS4_OK);
        assert_int_equal(lab.ds[1].getsizes, 0);
}

static void verify_asks_too(void **state)
{
        struct bitmap4 mask = { 0 };

        (void)state;
        bitmap_set(&mask, FATTR4_SIZE);
        for (int i = 0; i < 2; i++) {
                user_begin(&other);
                user_putfh(&other, &o.fh);
                put_bitmap(user_op(&other, i == 0 ? OP_VERIFY : OP_NVERIFY), &mask);
                xdr_put_u32(other.x, 8);
                xdr_put_u64(other.x, 3 << 20);
                assert_int_equal(user_call(&other), i == 0 ? NFS4_OK : NFS4ERR_SAME);
        }
        assert_int_equal(lab.ds[1].getsizes, 2);
}

static void a_cut_reaches_every_object_first(void **state)
{
        uint32_t fences = lab.ds[0].fences;

        (void)state;
        assert_int_equal(set_size(&u, 1000), NFS4_OK);
        for (int i = 0; i < LAB_DATA_SERVERS; i++) {
                assert_int_equal(lab.ds[i].truncates, 1);
                assert_int_equal(lab.ds[i].truncated_to, 1000);
        }
        lab_ds_object(&lab.ds[1], fileid)->settled = true;
        assert_int_equal(size_of(&o.fh), 1000);
        assert_int_equal(lab.ds[0].fences, fences); /* the one who cuts has the only write layout */
}

static void a_cut_fences_other_writers(void **state)
{
        uint32_t fences = lab.ds[0].fences;

        (void)state;
        assert_int_equal(set_size(&other, 1000), NFS4_OK);
        assert_int_equal(lab.ds[0].fences, fences + 2); /* gently, and for good: it cannot be asked */
        assert_int_equal(layouts_count(lab.mds.layouts), 0);
        assert_int_equal(lab.ds[0].truncates, 1);
}

/* What a writer has sent may arrive after the cut, though no data server has heard of the file yet. */
static void a_cut_of_an_empty_file_fences_too(void **state)
{
        uint32_t fences = lab.ds[0].fences;
        struct stateid layout;

        (void)state;
        o = USER_CREATE(.how = UNCHECKED4);
        assert_int_equal(user_open(&u, &root, "g", &o), NFS4_OK);
        assert_int_equal(user_layoutget(&u, &o.fh, &o.stateid, &layout), NFS4_OK);
        assert_int_equal(set_size(&other, 1000), NFS4_OK);
        assert_int_equal(lab.ds[0].fences, fences + 2);
        assert_int_equal(set_size(&other, 2000), NFS4_OK);
        assert_int_equal(lab.ds[0].fences, fences + 2);
}

/* Heartbeats would go on for as long as there is a connection. */
static void run_with_heartbeats(struct server *server, uint32_t seconds)
{
        for (uint32_t i = 0; i < seconds; i++) {
                if (server->conn)
                        server->trusted_until_ns = env_now(&lab.v.env) + 5000000000;
                mds_lab_run_ms(&lab, 1000);
        }
}

static void send_set_size(struct user *who, uint64_t size)
{
        struct attr_set set = { .size = size };
        struct xdr_out *x;

        bitmap_set(&set.mask, FATTR4_SIZE);
        user_begin(who);
        user_putfh(who, &o.fh);
        x = user_op(who, OP_SETATTR);
        put_stateid(x, &(struct stateid){ 0 });
        user_put_attrs(x, &set);
        user_send(who);
}

static void a_fence_that_is_not_answered_ends_the_trust_first(void **state)
{
        struct lab_ds *ds = &lab.ds[1];

        (void)state;
        ds->deaf = CTL_FENCE;
        send_set_size(&other, 1000);
        run_with_heartbeats(ds->server, 29);
        assert_int_equal(ds->unanswered_count, 1); /* gently, and for good, in one message */
        assert_false(user_ended(&other));
        assert_non_null(ds->server->conn);
        run_with_heartbeats(ds->server, 2); /* the call has timed out */
        assert_null(ds->server->conn);
        assert_false(user_ended(&other));
        assert_true(env_now(&lab.v.env) < ds->server->trusted_until_ns);
        run_with_heartbeats(ds->server, 5);
        assert_true(user_ended(&other));
        assert_int_equal(other.status, NFS4ERR_DELAY); /* its object could not be cut */
}

static void a_stop_waits_for_no_fence(void **state)
{
        static struct user third;
        struct stateid layout;

        (void)state;
        user_start(&third, &lab, "third", 3, 0, 0);
        lab.ds[1].deaf = CTL_FENCE;
        send_set_size(&other, 1000);
        assert_int_equal(lab.ds[1].unanswered_count, 1);
        assert_int_equal(user_layoutget(&u, &o.fh, &o.stateid, &layout), NFS4_OK);
        send_set_size(&third, 2000); /* waits for the first, then for the fence of the new layout */
        mds_lab_restart(&lab, false);
        lab.ds[1].deaf = 0;
        user_start(&other, &lab, "other", 2, 0, 0);
        assert_int_equal(size_of(&o.fh), 3 << 20);
}

static void push(int ds, uint64_t size)
{
        const struct inode *inode;
        uint64_t seq;

        assert_int_equal(meta_inode(lab.mds.meta, fileid, &inode), 0);
        assert_int_equal(size_extend(lab.mds.sizes, fileid, inode->generation, lab.ds[ds].server->id, size,
                                     4096, &seq),
                         0);
}

/* Synchronous writes through us, while one object is cut and another is not yet. */
static void what_is_written_behind_a_cut_stays(void **state)
{
        (void)state;
        lab_ds_object(&lab.ds[1], fileid)->settled = true;
        assert_int_equal(size_of(&o.fh), 3 << 20);
        lab.ds[2].deaf = CTL_TRUNCATE;
        send_set_size(&u, 1000);
        mds_lab_run_ms(&lab, 10);
        assert_int_equal(lab.ds[1].truncates, 1);
        push(1, 2 << 20);
        push(2, 4 << 20); /* its object is not cut yet */
        assert_false(user_ended(&u));
        call_reply(lab.ds[2].unanswered[--lab.ds[2].unanswered_count]);
        mds_lab_run_ms(&lab, 10);
        assert_true(user_ended(&u));
        assert_int_equal(u.status, NFS4_OK);
        assert_int_equal(size_of(&o.fh), 2 << 20);
        lab.ds[2].deaf = 0;
        assert_int_equal(set_size(&u, 1000), NFS4_OK);
        assert_int_equal(size_of(&o.fh), 1000);
}

/* Other objects have been cut: who knows the file's change shall look again. */
static void a_cut_that_fails_is_a_change(void **state)
{
        struct user_attrs before, after;

        (void)state;
        lab_ds_object(&lab.ds[1], fileid)->settled = true;
        assert_int_equal(user_getattr(&u, &o.fh, &before), NFS4_OK);
        lab.ds[2].broken = true;
        assert_int_equal(set_size(&u, 1000), NFS4ERR_DELAY);
        lab.ds[2].broken = false;
        assert_int_equal(user_getattr(&u, &o.fh, &after), NFS4_OK);
        assert_int_equal(after.size, before.size);
        assert_true(after.change > before.change);
        assert_int_equal(set_size(&u, 1000), NFS4_OK);
}

static void longer_asks_nobody(void **state)
{
        (void)state;
        lab_ds_object(&lab.ds[1], fileid)->settled = true;
        assert_int_equal(size_of(&o.fh), 3 << 20);
        assert_int_equal(set_size(&u, 5 << 20), NFS4_OK);
        assert_int_equal(set_size(&u, 5 << 20), NFS4_OK);
        assert_int_equal(lab.ds[0].truncates, 0);
        assert_int_equal(size_of(&o.fh), 5 << 20);
        assert_int_equal(set_size(&other, 6 << 20), NFS4_OK); /* somebody else may be writing */
        assert_int_equal(lab.ds[0].truncates, 1);
        assert_int_equal(size_of(&o.fh), 6 << 20);
}

static void open_with_size_zero_cuts_the_objects(void **state)
{
        struct user_open again = USER_CREATE(.how = UNCHECKED4, .owner = "another");

        (void)state;
        again.size = 0;
        assert_int_equal(user_open(&u, &root, "f", &again), NFS4_OK);
        assert_true(bitmap_has(&again.attrset, FATTR4_SIZE));
        assert_int_equal(again.stateid.seqid, 1);
        for (int i = 0; i < LAB_DATA_SERVERS; i++)
                assert_int_equal(lab.ds[i].truncated_to, 0);
        assert_int_equal(lab.ds[1].truncates, 1);
        lab_ds_object(&lab.ds[1], fileid)->settled = true;
        assert_int_equal(size_of(&o.fh), 0);
        again.owner = "a third";
        assert_int_equal(user_open(&u, &root, "f", &again), NFS4_OK); /* empty already */
        assert_int_equal(lab.ds[1].truncates, 1);
}

static void an_open_that_is_denied_cuts_nothing(void **state)
{
        struct user_open reader = USER_OPEN(.access = OPEN4_SHARE_ACCESS_READ, .owner = "reader");
        struct user_open cutter = USER_CREATE(.how = UNCHECKED4);

        (void)state;
        assert_int_equal(user_close(&u, &o.fh, &o.stateid), NFS4_OK);
        reader.deny = OPEN4_SHARE_DENY_WRITE;
        assert_int_equal(user_open(&u, &root, "f", &reader), NFS4_OK);
        cutter.size = 0;
        assert_int_equal(user_open(&other, &root, "f", &cutter), NFS4ERR_SHARE_DENIED);
        assert_int_equal(lab.ds[1].truncates, 0);
}

static void the_rest_of_a_setattr_follows_the_cut(void **state)
{
        struct attr_set set = { .size = 7, .mode = 0600, .time_modify = 12345 };
        struct user_attrs a;

        (void)state;
        bitmap_set(&set.mask, FATTR4_SIZE);
        bitmap_set(&set.mask, FATTR4_MODE);
        bitmap_set(&set.mask, FATTR4_TIME_MODIFY_SET);
        lab_ds_object(&lab.ds[1], fileid)->settled = true;
        lab_ds_object(&lab.ds[1], fileid)->mtime_ns = 0;
        assert_int_equal(user_getattr(&u, &o.fh, &a), NFS4_OK);
        assert_int_equal(user_setattr(&u, &o.fh, &o.stateid, &set), NFS4_OK);
        assert_int_equal(user_getattr(&u, &o.fh, &a), NFS4_OK);
        assert_int_equal(a.size, 7);
        assert_int_equal(a.mode, 0600);
        assert_int_equal(a.mtime, 12345);
}

static void a_deleted_file_leaves_the_data_servers(void **state)
{
        (void)state;
        assert_int_equal(user_close(&u, &o.fh, &o.stateid), NFS4_OK);
        assert_int_equal(user_remove(&u, &root, "f"), NFS4_OK);
        mds_lab_run_ms(&lab, 100);
        for (int i = 0; i < LAB_DATA_SERVERS; i++)
                assert_int_equal(lab.ds[i].removes, 1);
        assert_false(lab_ds_object(&lab.ds[1], fileid)->there);
        assert_int_equal(layouts_count(lab.mds.layouts), 0);
}

/* Whatever it has: one fence of the client, not one a file. */
static void an_expired_writer_is_fenced(void **state)
{
        uint32_t fences = lab.ds[1].fences, tag = client_by_id(&lab.mds.nfs, u.clientid)->tag;
        struct user_open g = USER_CREATE(.how = UNCHECKED4);
        struct stateid more;

        (void)state;
        assert_int_equal(user_open(&u, &root, "g", &g), NFS4_OK);
        assert_int_equal(user_layoutget(&u, &g.fh, &g.stateid, &more), NFS4_OK);
        assert_int_equal(user_close(&u, &g.fh, &g.stateid), NFS4_OK);
        assert_int_equal(user_close(&u, &o.fh, &o.stateid), NFS4_OK); /* it keeps the layouts */
        for (int i = 0; i < 12; i++) {
                mds_lab_run_ms(&lab, 10000);
                user_lookup(&other, &root, "f", NULL);
        }
        assert_int_equal(layouts_count(lab.mds.layouts), 0);
        assert_int_equal(lab.ds[1].fences, fences + 1);
        assert_int_equal(lab.ds[1].last_fence.fileid, 0);
        assert_int_equal(lab.ds[1].last_fence.client, tag);
        assert_true(lab.ds[1].last_fence.final);
        assert_int_equal(lab.ds[1].last_fence.below, meta_epoch(lab.mds.meta));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(getattr_asks_who_is_dirty),
                TEST(an_answer_that_is_not_whole_is_asked_for_again),
                TEST(a_question_under_way_is_too_old_for_who_comes_later),
                TEST(what_does_not_depend_on_it_is_not_asked_for),
                TEST(verify_asks_too),
                TEST(a_cut_reaches_every_object_first),
                TEST(a_cut_fences_other_writers),
                TEST(a_cut_of_an_empty_file_fences_too),
                TEST(a_fence_that_is_not_answered_ends_the_trust_first),
                TEST(a_stop_waits_for_no_fence),
                TEST(what_is_written_behind_a_cut_stays),
                TEST(a_cut_that_fails_is_a_change),
                TEST(longer_asks_nobody),
                TEST(open_with_size_zero_cuts_the_objects),
                TEST(an_open_that_is_denied_cuts_nothing),
                TEST(the_rest_of_a_setattr_follows_the_cut),
                TEST(a_deleted_file_leaves_the_data_servers),
                TEST(an_expired_writer_is_fenced),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
