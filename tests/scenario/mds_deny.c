/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody's open denies is denied to I/O through the MDS and to layouts; what is locked is not denied
 * to anybody (locks are advisory). RFC 8881 §9.1.2, §9.7, §13.9.2, §18.16.3, §18.22, §18.32. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/pnfs/recall.h"
#include "mds/state/open.h"
#include "nfs4/codec.h"
#include "tests/lab/mds_user_locks.h"

static const struct stateid anonymous,
        bypass = { .seqid = UINT32_MAX,
                   .other = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 } };

static struct mds_lab lab;
static struct user u, other;
static struct user_fh root, file;

static int setup(void **state)
{
        (void)state;
        mds_lab_start(&lab, NULL);
        lab.back_channels = true;
        user_start(&u, &lab, "client", 1, 0, 0);
        user_start(&other, &lab, "other", 2, 0, 0);
        root = user_root(&u);
        assert_int_equal(user_touch(&u, &root, "f", 0666, &file), NFS4_OK);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        user_answer_held(&u);
        user_answer_held(&other);
        mds_lab_stop(&lab);
        return 0;
}

static struct user_open open_f(struct user *who, uint32_t access, uint32_t deny)
{
        struct user_open o = USER_OPEN(.access = access, .deny = deny);

        assert_int_equal(user_open(who, &root, "f", &o), NFS4_OK);
        return o;
}

static void without_an_open(void **state)
{
        struct user_open o = open_f(&u, OPEN4_SHARE_ACCESS_READ, OPEN4_SHARE_DENY_WRITE);
        struct attr_set set = { .size = 1 };

        (void)state;
        bitmap_set(&set.mask, FATTR4_SIZE);
        assert_int_equal(user_read(&other, &file, &anonymous), NFS4_OK);
        assert_int_equal(user_write(&other, &file, &anonymous), NFS4ERR_LOCKED);
        assert_int_equal(user_write(&other, &file, &bypass), NFS4ERR_LOCKED);
        assert_int_equal(user_setattr(&other, &file, NULL, &set), NFS4ERR_LOCKED);
        assert_int_equal(user_write(&u, &file, &anonymous), NFS4ERR_LOCKED); /* nor its own client */
        assert_int_equal(user_close(&u, &file, &o.stateid), NFS4_OK);
        assert_int_equal(user_write(&other, &file, &anonymous), NFS4_OK);
        open_f(&u, OPEN4_SHARE_ACCESS_WRITE, OPEN4_SHARE_DENY_READ);
        assert_int_equal(user_read(&other, &file, &anonymous), NFS4ERR_LOCKED);
        assert_int_equal(user_read(&other, &file, &bypass), NFS4_OK);
        assert_int_equal(user_write(&other, &file, &anonymous), NFS4_OK);
}

/* Who has a file open for writing may read it, until somebody denies that. */
static void reading_under_an_open_for_writing(void **state)
{
        struct user_open w = open_f(&u, OPEN4_SHARE_ACCESS_WRITE, OPEN4_SHARE_DENY_NONE), r;
        struct user_lock l = USER_LOCK(.by = &w.stateid);

        (void)state;
        assert_int_equal(user_lock(&u, &file, &l), NFS4_OK);
        assert_int_equal(user_read(&u, &file, &w.stateid), NFS4_OK);
        r = open_f(&other, OPEN4_SHARE_ACCESS_READ, OPEN4_SHARE_DENY_READ);
        assert_int_equal(user_read(&u, &file, &w.stateid), NFS4ERR_LOCKED);
        assert_int_equal(user_read(&u, &file, &l.stateid), NFS4ERR_LOCKED);
        assert_int_equal(user_read(&other, &file, &r.stateid), NFS4_OK); /* it is his own */
        assert_int_equal(user_write(&u, &file, &w.stateid), NFS4_OK);
        assert_int_equal(user_close(&other, &file, &r.stateid), NFS4_OK);
        assert_int_equal(user_read(&u, &file, &w.stateid), NFS4_OK);
}

/* A layout for writing is one for reading too. */
static void nor_through_a_layout(void **state)
{
        struct user_open w = open_f(&u, OPEN4_SHARE_ACCESS_WRITE, OPEN4_SHARE_DENY_NONE), r;
        struct stateid layout;
        uint32_t fences = lab.ds[0].fences;

        (void)state;
        assert_int_equal(user_layoutget(&u, &file, &w.stateid, &layout), NFS4_OK);
        r = open_f(&other, OPEN4_SHARE_ACCESS_READ, OPEN4_SHARE_DENY_READ);
        assert_int_equal(lab.ds[0].fences, fences + 1);
        assert_int_equal(user_layoutget(&u, &file, &w.stateid, &layout), NFS4ERR_LAYOUTUNAVAILABLE);
        assert_int_equal(user_close(&other, &file, &r.stateid), NFS4_OK);
        assert_int_equal(user_layoutget(&u, &file, &w.stateid, &layout), NFS4_OK);
}

/* The layout for reading that is left after CLOSE is no way to one for writing. */
static void nor_by_a_layout_whose_open_is_gone(void **state)
{
        struct user_open rw = open_f(&u, OPEN4_SHARE_ACCESS_BOTH, OPEN4_SHARE_DENY_NONE), r;
        struct stateid layout;

        (void)state;
        assert_int_equal(user_layoutget_of(&u, &file, &rw.stateid, LAYOUTIOMODE4_READ, &layout), NFS4_OK);
        assert_int_equal(user_close(&u, &file, &rw.stateid), NFS4_OK);
        r = open_f(&other, OPEN4_SHARE_ACCESS_READ, OPEN4_SHARE_DENY_WRITE);
        assert_int_equal(u.back.calls, 0);
        assert_int_equal(user_layoutget(&u, &file, &layout, &layout), NFS4ERR_LAYOUTUNAVAILABLE);
        assert_int_equal(user_layoutget_of(&u, &file, &layout, LAYOUTIOMODE4_READ, &layout), NFS4_OK);
        assert_int_equal(user_layoutget_of(&other, &file, &r.stateid, LAYOUTIOMODE4_READ, &r.stateid),
                         NFS4_OK);
}

/* An OPEN that cuts the file writes, whatever it opens it for. */
static void nor_by_a_cut(void **state)
{
        struct user_open cut = USER_CREATE(.how = UNCHECKED4, .access = OPEN4_SHARE_ACCESS_READ);
        struct user_open r = open_f(&u, OPEN4_SHARE_ACCESS_READ, OPEN4_SHARE_DENY_WRITE);

        (void)state;
        cut.size = 0;
        assert_int_equal(user_open(&other, &root, "f", &cut), NFS4ERR_SHARE_DENIED);
        assert_int_equal(user_close(&u, &file, &r.stateid), NFS4_OK);
        assert_int_equal(user_open(&other, &root, "f", &cut), NFS4_OK);
}

/* --- while a deny waits for the data servers */

/* A layout whose open is gone must be fenced first, and one data server takes its time. */
static void begin_denying(void)
{
        struct user_open rw = open_f(&u, OPEN4_SHARE_ACCESS_BOTH, OPEN4_SHARE_DENY_NONE);
        struct stateid layout;

        assert_int_equal(user_layoutget(&u, &file, &rw.stateid, &layout), NFS4_OK);
        assert_int_equal(user_close(&u, &file, &rw.stateid), NFS4_OK);
        user_begin(&other);
        user_putfh(&other, &root);
        xdr_put_u32(user_op(&other, OP_OPEN), 0);
        xdr_put_u32(other.x, OPEN4_SHARE_ACCESS_READ);
        xdr_put_u32(other.x, OPEN4_SHARE_DENY_WRITE);
        xdr_put_u64(other.x, other.clientid);
        xdr_put_string(other.x, "denier");
        xdr_put_u32(other.x, 0); /* OPEN4_NOCREATE */
        xdr_put_u32(other.x, CLAIM_NULL);
        xdr_put_string(other.x, "f");
        lab.ds[0].deaf = CTL_FENCE;
        user_send(&other);
        mds_lab_run_ms(&lab, 10);
        assert_false(user_ended(&other));
}

static enum nfsstat4 end_denying(void)
{
        lab.ds[0].deaf = 0;
        while (lab.ds[0].unanswered_count > 0)
                call_reply(lab.ds[0].unanswered[--lab.ds[0].unanswered_count]);
        assert_true(user_ended(&other));
        return other.status;
}

static void nobody_comes_between(void **state)
{
        (void)state;
        begin_denying();
        assert_int_equal(end_denying(), NFS4_OK);
        assert_int_equal(user_open(&u, &root, "f", &USER_OPEN()), NFS4ERR_SHARE_DENIED);
}

static void who_opens_it_first_has_it(void **state)
{
        (void)state;
        begin_denying();
        open_f(&u, OPEN4_SHARE_ACCESS_BOTH, OPEN4_SHARE_DENY_NONE);
        assert_int_equal(end_denying(), NFS4ERR_SHARE_DENIED);
}

static void who_is_given_a_layout_meanwhile_is_shut_out_too(void **state)
{
        struct user_open rw;
        struct stateid layout;
        uint32_t epoch;

        (void)state;
        begin_denying();
        rw = open_f(&u, OPEN4_SHARE_ACCESS_BOTH, OPEN4_SHARE_DENY_NONE);
        assert_int_equal(user_layoutget(&u, &file, &rw.stateid, &layout), NFS4_OK);
        assert_int_equal(user_close(&u, &file, &rw.stateid), NFS4_OK);
        epoch = lab.ds[1].last_fence.below;
        assert_int_equal(end_denying(), NFS4ERR_DELAY);
        open_f(&other, OPEN4_SHARE_ACCESS_READ, OPEN4_SHARE_DENY_WRITE);
        assert_true(lab.ds[1].last_fence.below > epoch);
}

/* --- locks */

/* §9.1.2: nothing is denied by what is locked, at the MDS as at a data server. */
static void locks_deny_nothing(void **state)
{
        struct user_open mine = open_f(&u, OPEN4_SHARE_ACCESS_BOTH, OPEN4_SHARE_DENY_NONE),
                         theirs = open_f(&other, OPEN4_SHARE_ACCESS_BOTH, OPEN4_SHARE_DENY_NONE);
        struct user_lock l = USER_LOCK(.by = &mine.stateid);
        struct stateid layout;

        (void)state;
        assert_int_equal(user_lock(&u, &file, &l), NFS4_OK);
        assert_int_equal(user_read(&other, &file, &theirs.stateid), NFS4_OK);
        assert_int_equal(user_write(&other, &file, &theirs.stateid), NFS4_OK);
        assert_int_equal(user_write(&other, &file, &anonymous), NFS4_OK);
        assert_int_equal(user_layoutget(&other, &file, &theirs.stateid, &layout), NFS4_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(without_an_open),
                TEST(reading_under_an_open_for_writing),
                TEST(nor_through_a_layout),
                TEST(nor_by_a_layout_whose_open_is_gone),
                TEST(nor_by_a_cut),
                TEST(nobody_comes_between),
                TEST(who_opens_it_first_has_it),
                TEST(who_is_given_a_layout_meanwhile_is_shut_out_too),
                TEST(locks_deny_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
