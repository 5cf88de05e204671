/* SPDX-License-Identifier: Apache-2.0 */
/* There is a limit to what one client may hold, and to what all may: who runs into it is told so in the way
 * that it can live with, is counted, and others go on. RFC 8881 §15.1.1.3, §15.1.10, §18.10, §18.16, §18.43.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/state/layout.h"
#include "mds/state/open.h"
#include "tests/lab/mds_lab.h"
#include "tests/lab/mds_user_locks.h"

enum { OPENS = 8, LAYOUTS = 8, LOCKS = 64 }; /* of one client: 2 of each */

static struct mds_lab lab;
static struct user greedy, modest;
static struct user_fh root;
static struct user_open a, b;

static uint64_t metric(const char *name)
{
        for (const struct metric *m = lab.mds.metrics.first; m; m = m->next)
                if (strcmp(m->name, name) == 0)
                        return m->value;
        fail_msg("no metric %s", name);
        return 0;
}

static int setup(void **state)
{
        (void)state;
        mds_lab_start(&lab, NULL);
        lab.conf.limits.opens = OPENS;
        lab.conf.limits.layouts = LAYOUTS;
        lab.conf.limits.locks = LOCKS;
        mds_lab_restart(&lab, false);
        user_start(&greedy, &lab, "greedy", 1, 0, 0);
        user_start(&modest, &lab, "modest", 2, 0, 0);
        root = user_root(&greedy);
        a = USER_CREATE(.how = UNCHECKED4);
        b = USER_CREATE(.how = UNCHECKED4);
        assert_int_equal(user_open(&greedy, &root, "a", &a), NFS4_OK);
        assert_int_equal(user_open(&greedy, &root, "b", &b), NFS4_OK);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

static void open_files(void **state)
{
        struct user_open third = USER_OPEN(.owner = "another"), theirs = USER_OPEN(.owner = "owner");

        (void)state;
        assert_int_equal(user_open(&greedy, &root, "a", &third), NFS4ERR_DELAY);
        assert_int_equal(metric("nacre_opens_refused_total"), 1);
        assert_int_equal(user_open(&greedy, &root, "a", &a), NFS4_OK); /* no new state */
        assert_int_equal(user_open(&modest, &root, "a", &theirs), NFS4_OK);
        assert_int_equal(user_close(&greedy, &b.fh, &b.stateid), NFS4_OK);
        assert_int_equal(user_open(&greedy, &root, "a", &third), NFS4_OK);
        assert_int_equal(opens_count(lab.mds.opens), 3);
}

/* I/O goes through the metadata server then. */
static void layouts(void **state)
{
        struct user_open theirs = USER_OPEN(.owner = "owner");
        struct user_fh c;
        struct stateid first, s;
        bool present;

        (void)state;
        assert_int_equal(user_layoutget(&greedy, &a.fh, &a.stateid, &first), NFS4_OK);
        assert_int_equal(user_layoutget(&greedy, &b.fh, &b.stateid, &s), NFS4_OK);
        assert_int_equal(user_touch(&modest, &root, "c", 0666, &c), NFS4_OK);
        assert_int_equal(user_close(&greedy, &b.fh, &b.stateid), NFS4_OK);
        b = USER_OPEN(.owner = "owner");
        assert_int_equal(user_open(&greedy, &root, "c", &b), NFS4_OK);
        assert_int_equal(user_layoutget(&greedy, &c, &b.stateid, &s), NFS4ERR_LAYOUTUNAVAILABLE);
        assert_int_equal(metric("nacre_layouts_refused_total"), 1);
        assert_int_equal(user_open(&modest, &root, "c", &theirs), NFS4_OK);
        assert_int_equal(user_layoutget(&modest, &c, &theirs.stateid, &s), NFS4_OK);
        assert_int_equal(user_layoutget(&greedy, &a.fh, &first, &first), NFS4_OK); /* no new state */
        assert_int_equal(user_layoutreturn(&greedy, &a.fh, &first, &present), NFS4_OK);
        assert_int_equal(user_layoutget(&greedy, &c, &b.stateid, &s), NFS4_OK);
        assert_int_equal(layouts_count(lab.mds.layouts), 3);
}

/* A range and the state of its owner is all that one client may have here; unlocking makes room. */
static void locks(void **state)
{
        struct user_lock l = USER_LOCK(.by = &a.stateid, .length = 1), more;
        struct user_open theirs = USER_OPEN(.owner = "owner");
        struct stateid s;

        (void)state;
        assert_int_equal(user_lock(&greedy, &a.fh, &l), NFS4_OK);
        s = l.stateid;
        more = USER_LOCK(.by = &s, .known = true, .offset = 10, .length = 1);
        assert_int_equal(user_lock(&greedy, &a.fh, &more), NFS4ERR_DELAY);
        assert_int_equal(metric("nacre_lock_limit_total"), 1);
        assert_int_equal(user_open(&modest, &root, "a", &theirs), NFS4_OK);
        l = USER_LOCK(.by = &theirs.stateid, .offset = 10, .length = 1);
        assert_int_equal(user_lock(&modest, &a.fh, &l), NFS4_OK);
        l = USER_LOCK(.by = &s, .length = 1);
        assert_int_equal(user_locku(&greedy, &a.fh, &l), NFS4_OK);
        s = l.stateid;
        more = USER_LOCK(.by = &s, .known = true, .offset = 20, .length = 1);
        assert_int_equal(user_lock(&greedy, &a.fh, &more), NFS4_OK);
        assert_int_equal(metric("nacre_lock_limit_total"), 1);
}

/* All clients together: nobody is left out who holds little already. */
static void of_all_clients(void **state)
{
        struct user more[3] = { 0 };
        struct user_open o;
        char name[] = "client 0";

        (void)state;
        for (int i = 0; i < 3; i++, name[7]++) {
                user_start(&more[i], &lab, name, (uint8_t)(10 + i), 0, 0);
                for (int k = 0; k < 2; k++) {
                        o = USER_OPEN(.owner = k == 0 ? "one" : "two");
                        assert_int_equal(user_open(&more[i], &root, "a", &o), NFS4_OK);
                }
        }
        o = USER_OPEN(.owner = "owner");
        assert_int_equal(user_open(&modest, &root, "a", &o), NFS4ERR_DELAY);
        assert_int_equal(user_close(&greedy, &b.fh, &b.stateid), NFS4_OK);
        assert_int_equal(user_open(&modest, &root, "a", &o), NFS4_OK);
}

/* More payloads than a reply has room for: the client has to ask in parts, coming again is no use. */
static void payloads_of_a_reply(void **state)
{
        struct attr_set size = { .size = 4096 };

        (void)state;
        bitmap_set(&size.mask, FATTR4_SIZE);
        assert_int_equal(user_setattr(&greedy, &a.fh, &a.stateid, &size), NFS4_OK);
        user_begin(&greedy);
        user_putfh(&greedy, &a.fh);
        for (int i = 0; i <= XDR_MAX_REFS; i++) {
                struct xdr_out *x = user_op(&greedy, OP_READ);

                put_stateid(x, &a.stateid);
                xdr_put_u64(x, 0);
                xdr_put_u32(x, 4096);
        }
        assert_int_equal(user_call(&greedy), NFS4ERR_REP_TOO_BIG);
        assert_int_equal(user_result(&greedy, OP_PUTFH), NFS4_OK);
        for (int i = 0; i < XDR_MAX_REFS; i++) {
                assert_int_equal(user_result(&greedy, OP_READ), NFS4_OK);
                assert_int_equal(xdr_get_u32(&greedy.in), 1); /* eof */
                assert_int_equal(xdr_get_opaque(&greedy.in, 4096).length, 4096);
        }
        assert_int_equal(user_result(&greedy, OP_READ), NFS4ERR_REP_TOO_BIG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(open_files), TEST(layouts), TEST(locks), TEST(of_all_clients), TEST(payloads_of_a_reply),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
