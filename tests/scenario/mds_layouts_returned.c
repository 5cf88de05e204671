/* SPDX-License-Identifier: Apache-2.0 */
/* A layout that was given back cannot be written under once something conflicts with it; what crosses a
 * LAYOUTRETURN, and sequence ids of the past. RFC 8881 §12.5.3, §12.5.5.2.1.4, §18.44. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/pnfs/recall.h"
#include "mds/state/returned.h"
#include "tests/lab/mds_lab.h"

static struct mds_lab lab;
static struct user u, other;
static struct user_fh root;
static struct user_open o;
static struct stateid layout;
static uint64_t fileid;
static uint32_t at_first; /* messages to a data server: it was told its pools */

/* A file that U has open, with a write layout of it. */
static int setup(void **state)
{
        struct user_attrs a;

        (void)state;
        mds_lab_start(&lab, NULL);
        lab.back_channels = true;
        user_start(&u, &lab, "client", 1, 0, 0);
        user_start(&other, &lab, "other", 2, 0, 0);
        root = user_root(&u);
        o = USER_CREATE(.how = UNCHECKED4);
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4_OK);
        assert_int_equal(user_layoutget(&u, &o.fh, &o.stateid, &layout), NFS4_OK);
        assert_int_equal(user_getattr(&u, &o.fh, &a), NFS4_OK);
        fileid = a.fileid;
        at_first = lab.ds[0].fences;
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

static void give_back(void)
{
        bool present;

        assert_int_equal(user_layoutreturn(&u, &o.fh, &layout, &present), NFS4_OK);
        assert_false(present);
        assert_int_equal(layouts_count(lab.mds.layouts), 0);
}

static enum nfsstat4 cut(struct user *who)
{
        struct attr_set set = { .size = 1000 };

        bitmap_set(&set.mask, FATTR4_SIZE);
        return user_setattr(who, &o.fh, NULL, &set);
}

static uint32_t fences(void)
{
        return lab.ds[0].fences - at_first;
}

static uint32_t returned(void)
{
        return returned_count(lab.mds.returned);
}

static uint32_t tag_of(const struct user *who)
{
        return client_by_id(&lab.mds.nfs, who->clientid)->tag;
}

static void assert_fenced(uint32_t tag)
{
        for (int i = 0; i < LAB_DATA_SERVERS; i++) {
                assert_int_equal(lab.ds[i].last_fence.fileid, fileid);
                assert_int_equal(lab.ds[i].last_fence.client, tag);
                assert_false(lab.ds[i].last_fence.final);
        }
        assert_int_equal(returned(), 0);
}

static void giving_back_costs_no_message(void **state)
{
        (void)state;
        give_back();
        mds_lab_run_ms(&lab, 100);
        assert_int_equal(fences(), 0);
        assert_int_equal(returned(), 1);
        assert_int_equal(cut(&u), NFS4_OK); /* its own cut is no conflict */
        assert_int_equal(fences(), 0);
}

static void a_cut_fences_who_has_given_back(void **state)
{
        (void)state;
        give_back();
        lab.ds[2].deaf = CTL_FENCE;
        user_begin(&other);
        user_putfh(&other, &o.fh);
        put_stateid(user_op(&other, OP_SETATTR), &(struct stateid){ 0 });
        user_put_attrs(other.x, &(struct attr_set){ .mask.word[0] = 1u << FATTR4_SIZE, .size = 1000 });
        user_send(&other);
        mds_lab_run_ms(&lab, 1000);
        assert_false(user_ended(&other)); /* until the last data server refuses the handles */
        assert_int_equal(lab.ds[1].truncates, 0);
        lab.ds[2].deaf = 0;
        call_reply(lab.ds[2].unanswered[--lab.ds[2].unanswered_count]);
        assert_int_equal(user_wait(&other), NFS4_OK);
        assert_fenced(tag_of(&u));
        assert_int_equal(lab.ds[1].truncates, 1);
        assert_int_equal(u.back.calls, 0); /* there is nothing to ask for */
        assert_int_equal(cut(&other), NFS4_OK);
        assert_int_equal(fences(), 1); /* once is enough */
}

static void a_deny_fences_who_could_read(void **state)
{
        struct user_open deny = USER_OPEN(.access = OPEN4_SHARE_ACCESS_READ, .deny = OPEN4_SHARE_DENY_WRITE);
        struct user_open both = USER_OPEN(.access = OPEN4_SHARE_ACCESS_READ, .deny = OPEN4_SHARE_DENY_BOTH);
        struct stateid second;
        bool present;

        (void)state;
        give_back();
        assert_int_equal(user_layoutget_of(&u, &o.fh, &o.stateid, LAYOUTIOMODE4_READ, &second), NFS4_OK);
        assert_int_equal(user_layoutreturn(&u, &o.fh, &second, &present), NFS4_OK);
        assert_int_equal(user_close(&u, &o.fh, &o.stateid), NFS4_OK);
        assert_int_equal(user_open(&other, &root, "f", &deny), NFS4_OK); /* the first could write */
        assert_fenced(tag_of(&u));
        assert_int_equal(user_open(&other, &root, "f", &both), NFS4_OK);
        assert_int_equal(fences(), 1);
}

static void a_layout_anew_counts_for_the_one_before(void **state)
{
        bool present;

        (void)state;
        give_back();
        assert_int_equal(user_layoutget_of(&u, &o.fh, &o.stateid, LAYOUTIOMODE4_READ, &layout), NFS4_OK);
        assert_int_equal(returned(), 0);
        assert_int_equal(cut(&other), NFS4_OK); /* it holds a layout for reading, and could write */
        assert_fenced(tag_of(&u));
        assert_int_equal(u.back.calls, 1);
        assert_int_equal(user_layoutreturn(&u, &o.fh, &layout, &present), NFS4_OK);
        assert_int_equal(returned(), 0); /* fenced already */
}

static void a_client_that_goes_is_not_forgotten(void **state)
{
        uint32_t tag = tag_of(&u);

        (void)state;
        client_destroy(&lab.mds.nfs, client_by_id(&lab.mds.nfs, u.clientid));
        assert_int_equal(returned(), 1);
        assert_int_equal(cut(&other), NFS4_OK);
        assert_fenced(tag);
}

static void a_deleted_file_is_forgotten(void **state)
{
        (void)state;
        give_back();
        assert_int_equal(user_close(&u, &o.fh, &o.stateid), NFS4_OK);
        assert_int_equal(user_remove(&other, &root, "f"), NFS4_OK);
        assert_int_equal(returned(), 0);
}

static void another_export_policy_fences_all(void **state)
{
        (void)state;
        give_back();
        for (uint32_t i = 0; i < 100; i++)
                returned_note(lab.mds.returned, fileid, 1000 + i, 1u << LAYOUTIOMODE4_READ, 1);
        recall_unexported(lab.mds.recalls);
        mds_lab_run_ms(&lab, 1000);
        assert_int_equal(fences(), 101);
        assert_true(lab.ds[0].fence_messages < 10);
        assert_int_equal(returned(), 0);
}

/* Beyond the limit the oldest is fenced, and remembered until that holds. */
static void too_many_to_remember(void **state)
{
        (void)state;
        give_back();
        for (uint32_t i = 1; i < RETURNED_MAX; i++)
                returned_note(lab.mds.returned, fileid + i, i, 1u << LAYOUTIOMODE4_RW, 1);
        assert_int_equal(returned(), RETURNED_MAX);
        assert_int_equal(fences(), 0);
        returned_note(lab.mds.returned, fileid + RETURNED_MAX, 1, 1u << LAYOUTIOMODE4_RW, 1);
        assert_int_equal(returned(), RETURNED_MAX + 1);
        mds_lab_run_ms(&lab, 10);
        assert_int_equal(returned(), RETURNED_MAX);
        assert_int_equal(lab.ds[3].last_fence.fileid, fileid);
        assert_int_equal(lab.ds[3].last_fence.client, tag_of(&u));
}

/* --- sequence ids */

/* The LAYOUTGET in an OPEN came first: what it gave is not what the LAYOUTRETURN means. */
static void what_crosses_the_return_is_kept(void **state)
{
        struct stateid newer, left = { 0 };
        bool present;

        (void)state;
        assert_int_equal(user_layoutget(&u, &o.fh, &o.stateid, &newer), NFS4_OK);
        assert_int_equal(newer.seqid, layout.seqid + 1);
        assert_int_equal(user_layoutreturn(&u, &o.fh, &layout, &present), NFS4_OK);
        assert_true(present);
        assert_int_equal(layouts_count(lab.mds.layouts), 1);
        assert_int_equal(user_layoutget(&u, &o.fh, &newer, &left), NFS4_OK);
        assert_int_equal(left.seqid, newer.seqid + 2);
        assert_int_equal(user_layoutreturn(&u, &o.fh, &left, &present), NFS4_OK);
        assert_false(present);
}

/* As far back as requests can be under way together, and no further. */
static void the_past_ends_somewhere(void **state)
{
        const struct session *session = session_by_id(&lab.mds.nfs, u.session);
        uint32_t range = session->slot_count * (session->fore.max_ops - 1);
        struct stateid first = layout, s;
        bool present;

        (void)state;
        for (uint32_t i = 0; i < range; i++)
                assert_int_equal(user_layoutget(&u, &o.fh, &layout, &layout), NFS4_OK);
        assert_int_equal(layout.seqid, first.seqid + range);
        assert_int_equal(user_layoutreturn(&u, &o.fh, &first, &present), NFS4_OK);
        assert_true(present); /* all of it is newer */
        assert_int_equal(user_layoutreturn(&u, &o.fh, &first, &present), NFS4ERR_OLD_STATEID);
        assert_int_equal(user_layoutget(&u, &o.fh, &first, &s), NFS4ERR_OLD_STATEID);
        assert_int_equal(user_layoutget(&u, &o.fh, &layout, &s), NFS4_OK);
}

/* 2^32-1 is followed by 1. */
static void the_sequence_goes_around(void **state)
{
        struct layout_state *held =
                layout_of(lab.mds.layouts, client_by_id(&lab.mds.nfs, u.clientid), fileid);
        struct stateid before, after;
        bool present;

        (void)state;
        held->stateid.seqid = layout.seqid = UINT32_MAX - 1;
        assert_int_equal(user_layoutget(&u, &o.fh, &layout, &before), NFS4_OK);
        assert_int_equal(before.seqid, UINT32_MAX);
        assert_int_equal(user_layoutget(&u, &o.fh, &before, &after), NFS4_OK);
        assert_int_equal(after.seqid, 1);
        assert_int_equal(user_layoutreturn(&u, &o.fh, &before, &present), NFS4_OK);
        assert_true(present);
        after.seqid = 3;
        assert_int_equal(user_layoutget(&u, &o.fh, &after, &after), NFS4ERR_BAD_STATEID);
        after.seqid = 2;
        assert_int_equal(user_layoutreturn(&u, &o.fh, &after, &present), NFS4_OK);
        assert_false(present);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(giving_back_costs_no_message),
                TEST(a_cut_fences_who_has_given_back),
                TEST(a_deny_fences_who_could_read),
                TEST(a_layout_anew_counts_for_the_one_before),
                TEST(a_client_that_goes_is_not_forgotten),
                TEST(a_deleted_file_is_forgotten),
                TEST(another_export_policy_fences_all),
                TEST(too_many_to_remember),
                TEST(what_crosses_the_return_is_kept),
                TEST(the_past_ends_somewhere),
                TEST(the_sequence_goes_around),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
