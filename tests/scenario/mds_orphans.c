/* SPDX-License-Identifier: Apache-2.0 */
/* A file that is removed or renamed over while it is open lives until its last CLOSE, and no longer; a crash
 * leaves nothing for ever. RFC 8881 §18.25.4, §18.26.4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/fleet/fleet.h"
#include "mds/fleet/reaper.h"
#include "mds/pnfs/size.h"
#include "mds/state/open.h"
#include "nfs4/codec.h"
#include "tests/lab/mds_lab.h"

static struct mds_lab lab;
static struct user u, other;
static struct user_fh root;
static struct user_open o;
static struct stateid layout;

/* "f": open, with data. */
static int setup(void **state)
{
        struct user_attrs attrs;

        (void)state;
        mds_lab_start(&lab, NULL);
        user_start(&u, &lab, "client", 1, 0, 0);
        user_start(&other, &lab, "other", 2, 0, 0);
        root = user_root(&u);
        o = USER_CREATE(.how = UNCHECKED4);
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4_OK);
        assert_int_equal(user_layoutget(&u, &o.fh, &o.stateid, &layout), NFS4_OK);
        assert_int_equal(user_getattr(&u, &o.fh, &attrs), NFS4_OK);
        *lab_ds_object(&lab.ds[0], attrs.fileid) =
                (struct lab_object){ attrs.fileid, .there = true, .settled = true };
        size_mark(lab.mds.sizes, attrs.fileid, lab.ds[0].server->id);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

static enum nfsstat4 stat_of(const struct user_fh *fh, struct user_attrs *ret)
{
        return user_getattr(&u, fh, ret);
}

static uint32_t removes(void)
{
        mds_lab_run_ms(&lab, 100);
        return lab.ds[0].removes;
}

static void removed_while_open(void **state)
{
        struct user_attrs a;

        (void)state;
        assert_int_equal(user_remove(&other, &root, "f"), NFS4_OK);
        assert_int_equal(user_lookup(&u, &root, "f", NULL), NFS4ERR_NOENT);
        assert_int_equal(stat_of(&o.fh, &a), NFS4_OK);
        assert_int_equal(a.links, 0);
        assert_int_equal(user_layoutget(&u, &o.fh, &layout, &layout), NFS4_OK);
        assert_int_equal(user_link(&u, &o.fh, &root, "again"), NFS4ERR_NOENT);
        assert_int_equal(removes(), 0);
        assert_int_equal(user_close(&u, &o.fh, &o.stateid), NFS4_OK);
        assert_int_equal(stat_of(&o.fh, &a), NFS4ERR_STALE);
        assert_int_equal(removes(), 1);
}

static void renamed_over_while_open(void **state)
{
        struct user_attrs a;

        (void)state;
        assert_int_equal(user_touch(&u, &root, "g", 0644, NULL), NFS4_OK);
        assert_int_equal(user_rename(&other, &root, "g", &root, "f"), NFS4_OK);
        assert_int_equal(stat_of(&o.fh, &a), NFS4_OK);
        assert_int_equal(a.links, 0);
        assert_int_equal(user_close(&u, &o.fh, &o.stateid), NFS4_OK);
        assert_int_equal(stat_of(&o.fh, &a), NFS4ERR_STALE);
        assert_int_equal(removes(), 1);
        assert_int_equal(user_lookup(&u, &root, "f", NULL), NFS4_OK);
}

static void the_last_of_several_opens(void **state)
{
        struct user_open second = USER_OPEN(.owner = "second"),
                         third = USER_OPEN(.claim = CLAIM_FH, .owner = "third");
        struct user_attrs a;

        (void)state;
        assert_int_equal(user_open(&other, &root, "f", &second), NFS4_OK);
        assert_int_equal(user_remove(&u, &root, "f"), NFS4_OK);
        assert_int_equal(user_open(&u, &o.fh, NULL, &third), NFS4_OK); /* by handle it can still be opened */
        assert_int_equal(user_close(&u, &o.fh, &o.stateid), NFS4_OK);
        assert_int_equal(user_close(&other, &o.fh, &second.stateid), NFS4_OK);
        assert_int_equal(stat_of(&o.fh, &a), NFS4_OK);
        assert_int_equal(user_close(&u, &o.fh, &third.stateid), NFS4_OK);
        assert_int_equal(stat_of(&o.fh, &a), NFS4ERR_STALE);
}

/* The metadata server tries again now and then, and serves its clients meanwhile. */
static void while_no_data_server_is_there(void **state)
{
        struct user_attrs a;

        (void)state;
        for (int i = 0; i < LAB_DATA_SERVERS; i++)
                conn_close(lab.ds[i].server->conn);
        assert_int_equal(user_remove(&u, &root, "f"), NFS4_OK);
        assert_int_equal(user_close(&u, &o.fh, &o.stateid), NFS4_OK);
        mds_lab_run_ms(&lab, 10000);
        assert_int_equal(stat_of(&root, &a), NFS4_OK);
        assert_int_equal(reaper_waiting(lab.mds.reaper), 1);
        for (int i = 0; i < LAB_DATA_SERVERS; i++)
                lab_ds_connect(&lab.ds[i]);
        mds_lab_run_ms(&lab, 5000);
        assert_int_equal(reaper_waiting(lab.mds.reaper), 0);
        assert_int_equal(removes(), 1);
}

static void with_another_link_nothing_is_lost(void **state)
{
        struct user_attrs a;

        (void)state;
        assert_int_equal(user_link(&u, &o.fh, &root, "second"), NFS4_OK);
        assert_int_equal(user_remove(&u, &root, "f"), NFS4_OK);
        assert_int_equal(user_close(&u, &o.fh, &o.stateid), NFS4_OK);
        assert_int_equal(stat_of(&o.fh, &a), NFS4_OK);
        assert_int_equal(a.links, 1);
        assert_int_equal(removes(), 0);
}

static void an_opener_who_vanishes(void **state)
{
        struct user_attrs a;

        (void)state;
        assert_int_equal(user_remove(&other, &root, "f"), NFS4_OK);
        for (int i = 0; i < 12; i++) {
                mds_lab_run_ms(&lab, 10000);
                user_lookup(&other, &root, "f", NULL);
        }
        assert_int_equal(user_getattr(&other, &o.fh, &a), NFS4_OK); /* nobody minds yet */
        assert_true(clients_make_room(&lab.mds.nfs));
        assert_int_equal(user_getattr(&other, &o.fh, &a), NFS4ERR_STALE);
        assert_int_equal(removes(), 1);
}

/* A data server that could not tell us of its first WRITE may have an object all the same. */
static void a_writer_who_vanishes_unheard(void **state)
{
        struct user_open g = USER_CREATE(.how = UNCHECKED4), h = USER_CREATE(.how = UNCHECKED4);
        struct stateid of_g = { 0 }, of_h = { 0 };
        bool present;

        (void)state;
        assert_int_equal(user_open(&u, &root, "g", &g), NFS4_OK);
        assert_int_equal(user_layoutget(&u, &g.fh, &g.stateid, &of_g), NFS4_OK);
        assert_int_equal(user_open(&other, &root, "h", &h), NFS4_OK);
        assert_int_equal(user_layoutget(&other, &h.fh, &h.stateid, &of_h), NFS4_OK);
        assert_int_equal(user_layoutreturn(&other, &h.fh, &of_h, &present), NFS4_OK);
        assert_int_equal(user_close(&other, &h.fh, &h.stateid), NFS4_OK);
        assert_int_equal(user_connect(&u, &lab, "client", 1, 0, 1), NFS4_OK); /* it has restarted */
        assert_int_equal(user_remove(&other, &root, "h"), NFS4_OK);
        assert_int_equal(removes(), 0);
        assert_int_equal(user_remove(&other, &root, "g"), NFS4_OK);
        assert_int_equal(removes(), 1);
}

static void a_crash_leaves_nothing_for_ever(void **state)
{
        struct user_attrs a;

        (void)state;
        assert_int_equal(user_remove(&other, &root, "f"), NFS4_OK);
        mds_lab_restart(&lab, true);
        user_start(&u, &lab, "client", 1, 0, 0);
        assert_int_equal(stat_of(&o.fh, &a), NFS4ERR_STALE);
        assert_int_equal(removes(), 1);
        assert_int_equal(reaper_waiting(lab.mds.reaper), 0);
}

static void a_data_server_that_is_away_is_asked_later(void **state)
{
        (void)state;
        assert_int_equal(user_close(&u, &o.fh, &o.stateid), NFS4_OK);
        lab.ds[3].server->conn = NULL;
        assert_int_equal(user_remove(&u, &root, "f"), NFS4_OK);
        assert_int_equal(removes(), 1);
        assert_int_equal(reaper_waiting(lab.mds.reaper), 1);
        mds_lab_restart(&lab, true);
        mds_lab_run_ms(&lab, 10000);
        assert_int_equal(reaper_waiting(lab.mds.reaper), 0);
        assert_true(lab.ds[3].removes > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(removed_while_open),
                TEST(renamed_over_while_open),
                TEST(the_last_of_several_opens),
                TEST(while_no_data_server_is_there),
                TEST(with_another_link_nothing_is_lost),
                TEST(an_opener_who_vanishes),
                TEST(a_writer_who_vanishes_unheard),
                TEST(a_crash_leaves_nothing_for_ever),
                TEST(a_data_server_that_is_away_is_asked_later),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
