/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of stateids whose state is in force, is older or newer than it, is another client's, or has
 * ended. RFC 8881 §8.2.2, §8.2.4, §18.2, §18.38, §18.48. (After a restart: mds_durable. After a revocation:
 * mds_courtesy.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/state/layout.h"
#include "mds/state/open.h"
#include "nfs4/codec.h"
#include "tests/lab/mds_lab.h"

static struct mds_lab lab;
static struct user u, other;
static struct user_open o; /* opened twice: its seqid is 2 */
static struct stateid layout;

static int setup(void **state)
{
        struct user_fh root;

        (void)state;
        mds_lab_start(&lab, NULL);
        user_start(&u, &lab, "client", 1, 0, 0);
        user_start(&other, &lab, "other", 2, 0, 0);
        root = user_root(&u);
        o = USER_CREATE(.how = UNCHECKED4);
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4_OK);
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4_OK);
        assert_int_equal(user_layoutget(&u, &o.fh, &o.stateid, &layout), NFS4_OK);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

static enum nfsstat4 test(struct user *who, struct stateid s, uint32_t seqid)
{
        s.seqid = seqid;
        user_begin(who);
        xdr_put_u32(user_op(who, OP_TEST_STATEID), 1);
        put_stateid(who->x, &s);
        assert_int_equal(user_call(who), NFS4_OK);
        user_result(who, OP_TEST_STATEID);
        assert_int_equal(xdr_get_u32(&who->in), 1);
        return xdr_get_u32(&who->in);
}

static enum nfsstat4 let_go(struct user *who, const struct stateid *s)
{
        user_begin(who);
        put_stateid(user_op(who, OP_FREE_STATEID), s);
        return user_call(who);
}

/* §8.2.2: an older one is OLD; one that was not given yet is BAD; 0 means the newest, but not for a layout.
 */
static void sequence_numbers_tell_old_from_new(void **state)
{
        (void)state;
        assert_int_equal(o.stateid.seqid, 2);
        assert_int_equal(test(&u, o.stateid, 2), NFS4_OK);
        assert_int_equal(test(&u, o.stateid, 0), NFS4_OK);
        assert_int_equal(test(&u, o.stateid, 1), NFS4ERR_OLD_STATEID);
        assert_int_equal(test(&u, o.stateid, 3), NFS4ERR_BAD_STATEID);
        assert_int_equal(test(&u, layout, 1), NFS4_OK);
        assert_int_equal(test(&u, layout, 0), NFS4ERR_BAD_STATEID);
        assert_int_equal(test(&u, layout, 2), NFS4ERR_BAD_STATEID);
}

static void anothers_stateid_is_nobodys(void **state)
{
        struct stateid forged = o.stateid;

        (void)state;
        assert_int_equal(test(&other, o.stateid, 2), NFS4ERR_BAD_STATEID);
        assert_int_equal(test(&other, layout, 1), NFS4ERR_BAD_STATEID);
        assert_int_equal(let_go(&other, &o.stateid), NFS4ERR_BAD_STATEID);
        forged.other[11] ^= 1;
        assert_int_equal(test(&u, forged, 1), NFS4ERR_BAD_STATEID);
}

static void what_is_in_force_is_not_freed(void **state)
{
        (void)state;
        assert_int_equal(let_go(&u, &o.stateid), NFS4ERR_LOCKS_HELD);
        assert_int_equal(let_go(&u, &layout), NFS4ERR_LOCKS_HELD);
        assert_int_equal(opens_count(lab.mds.opens), 1);
        assert_int_equal(layouts_count(lab.mds.layouts), 1);
}

/* §18.2.4: what CLOSE returns shall not be used for anything. */
static void close_returns_a_stateid_that_is_none(void **state)
{
        struct stateid closed;

        (void)state;
        assert_int_equal(user_close(&u, &o.fh, &o.stateid), NFS4_OK);
        user_result(&u, OP_PUTFH);
        user_result(&u, OP_CLOSE);
        get_stateid(&u.in, &closed);
        assert_int_equal(closed.seqid, UINT32_MAX);
        assert_true(stateid_other_is(&closed, 0));
        assert_int_equal(test(&u, closed, closed.seqid), NFS4ERR_BAD_STATEID);
        assert_int_equal(test(&u, o.stateid, 2), NFS4ERR_BAD_STATEID);
        assert_int_equal(let_go(&u, &o.stateid), NFS4ERR_BAD_STATEID);
        assert_int_equal(user_close(&u, &o.fh, &o.stateid), NFS4ERR_BAD_STATEID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(sequence_numbers_tell_old_from_new),
                TEST(anothers_stateid_is_nobodys),
                TEST(what_is_in_force_is_not_freed),
                TEST(close_returns_a_stateid_that_is_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
