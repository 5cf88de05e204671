/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts are taken back from clients that answer well, badly, or never; what conflicts waits for the data
 * servers only. RFC 8881 §12.5.5, §12.5.6, §20.3, §2.10.6.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/pnfs/recall.h"
#include "mds/pnfs/size.h"
#include "nfs4/codec.h"
#include "tests/lab/mds_lab.h"

enum { LEASE_MS = 90000 };

static struct mds_lab lab;
static struct user u, other;
static struct user_fh root;
static struct user_open o;
static struct stateid layout;
static uint64_t fileid;

/* A file with data that U has open, with a write layout of it. OTHER has nothing. */
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
        o.mode = 0666;
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4_OK);
        assert_int_equal(user_layoutget(&u, &o.fh, &o.stateid, &layout), NFS4_OK);
        assert_int_equal(user_getattr(&u, &o.fh, &a), NFS4_OK);
        fileid = a.fileid;
        *lab_ds_object(&lab.ds[1], fileid) = (struct lab_object){
                .fileid = fileid, .there = true, .size = 3 << 20, .used = 1 << 20, .settled = true
        };
        size_mark(lab.mds.sizes, fileid, lab.ds[1].server->id);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        user_answer_held(&u);
        mds_lab_stop(&lab);
        return 0;
}

static enum nfsstat4 cut(struct user *who)
{
        struct attr_set set = { .size = 1000 };

        bitmap_set(&set.mask, FATTR4_SIZE);
        return user_setattr(who, &o.fh, NULL, &set);
}

static uint32_t layouts(void)
{
        return layouts_count(lab.mds.layouts);
}

static uint32_t recalls(void)
{
        return recalls_count(lab.mds.recalls);
}

/* Seconds pass, in which U is alive. */
static void seconds(uint32_t n)
{
        for (uint32_t i = 0; i < n; i++) {
                mds_lab_run_ms(&lab, 1000);
                if (i % 10 == 0)
                        assert_int_equal(user_renew(&u), NFS4_OK);
        }
}

static void assert_fenced(const struct user *who, bool final)
{
        struct client *client = client_by_id(&lab.mds.nfs, who->clientid);

        for (int i = 0; i < LAB_DATA_SERVERS; i++) {
                assert_int_equal(lab.ds[i].last_fence.fileid, fileid);
                assert_int_equal(lab.ds[i].last_fence.client, client->tag);
                assert_int_equal(lab.ds[i].last_fence.final, final);
        }
}

static void a_cut_does_not_wait_for_the_holder(void **state)
{
        uint32_t at = u.seqid;

        (void)state;
        assert_int_equal(user_layoutget(&u, &o.fh, &layout, &layout), NFS4_OK);
        assert_int_equal(layout.seqid, 2);
        assert_int_equal(cut(&other), NFS4_OK);
        assert_fenced(&u, false);
        assert_int_equal(lab.ds[1].truncated_to, 1000);
        assert_int_equal(u.back.calls, 1);
        assert_int_equal(u.back.opnum, OP_CB_LAYOUTRECALL);
        assert_memory_equal(&u.back.fh, &o.fh, sizeof(o.fh));
        assert_int_equal(u.back.iomode, LAYOUTIOMODE4_ANY);
        assert_true(u.back.changed);
        assert_memory_equal(u.back.stateid.other, layout.other, NFS4_OTHER_SIZE);
        assert_int_equal(u.back.stateid.seqid, 3);
        assert_int_equal(u.back.refers.seqid, at + 1); /* the LAYOUTGET */
        assert_memory_equal(u.back.refers.session, u.session, NFS4_SESSIONID_SIZE);
        assert_int_equal(layouts(), 1);
}

static void the_layout_comes_back(void **state)
{
        bool present;

        (void)state;
        assert_int_equal(cut(&other), NFS4_OK);
        assert_int_equal(recalls(), 1);
        assert_int_equal(user_layoutreturn(&u, &o.fh, &u.back.stateid, &present), NFS4_OK);
        assert_false(present);
        assert_int_equal(layouts() + recalls(), 0);
        seconds(3);
        assert_int_equal(u.back.calls, 1);
        assert_int_equal(user_layoutget(&u, &o.fh, &o.stateid, &layout), NFS4_OK);
}

/* Linux 6.12 returns a layout and goes on to commit what it wrote under it. */
static void what_is_committed_late_is_no_error_of_the_stateid(void **state)
{
        struct stateid ahead = layout;
        bool present;

        (void)state;
        ahead.seqid += 100;
        assert_int_equal(user_layoutcommit(&u, &o.fh, &ahead), NFS4ERR_BAD_STATEID);
        assert_int_equal(cut(&other), NFS4_OK);
        assert_int_equal(user_layoutcommit(&u, &o.fh, &layout), NFS4_OK);
        assert_int_equal(user_layoutreturn(&u, &o.fh, &u.back.stateid, &present), NFS4_OK);
        assert_int_equal(user_layoutcommit(&u, &o.fh, &layout), NFS4ERR_BADLAYOUT);
        assert_int_equal(user_layoutcommit(&other, &o.fh, &o.stateid), NFS4ERR_BAD_STATEID);
}

/* Linux answers with the stateid that it knew when the recall was on its way. */
static void it_comes_back_with_the_sequence_id_before_the_recall(void **state)
{
        bool present;

        (void)state;
        assert_int_equal(cut(&other), NFS4_OK);
        assert_int_equal(user_layoutreturn(&u, &o.fh, &layout, &present), NFS4_OK);
        assert_int_equal(layouts() + recalls(), 0);
}

static void the_client_has_forgotten_it(void **state)
{
        (void)state;
        u.back.answer = NFS4ERR_NOMATCHING_LAYOUT;
        assert_int_equal(cut(&other), NFS4_OK);
        mds_lab_run_ms(&lab, 10);
        assert_int_equal(layouts() + recalls(), 0);
        assert_fenced(&u, false); /* what it has on its way is still refused */
        assert_int_equal(user_layoutget(&u, &o.fh, &o.stateid, &layout), NFS4_OK);
}

static void more_of_the_layout_is_refused_meanwhile(void **state)
{
        (void)state;
        assert_int_equal(cut(&other), NFS4_OK);
        assert_int_equal(user_layoutget(&u, &o.fh, &layout, &layout), NFS4ERR_RECALLCONFLICT);
        mds_lab_run_ms(&lab, 600);
        assert_int_equal(user_layoutget(&u, &o.fh, &layout, &layout), NFS4ERR_LAYOUTUNAVAILABLE);
}

/* An open stateid says that the client knows of no layout: waiting for its return would be waiting for ever.
 */
static void a_layout_by_the_open_ends_the_recall(void **state)
{
        uint32_t below;

        (void)state;
        assert_int_equal(cut(&other), NFS4_OK);
        below = lab.ds[0].last_fence.below;
        assert_int_equal(user_layoutget(&u, &o.fh, &o.stateid, &layout), NFS4_OK);
        assert_true(layout.seqid > u.back.stateid.seqid);
        assert_int_equal(recalls(), 0);
        assert_int_equal(layouts(), 1);
        assert_true(meta_epoch(lab.mds.meta) >= below);
        seconds(100);
        assert_int_equal(u.back.calls, 1);
        assert_fenced(&u, false);
}

static void a_client_that_is_at_it_is_asked_again(void **state)
{
        uint32_t seqid;
        bool present;

        (void)state;
        assert_int_equal(cut(&other), NFS4_OK);
        seqid = u.back.stateid.seqid;
        seconds(10);
        assert_in_range(u.back.calls, 8, 12);
        assert_int_equal(u.back.stateid.seqid, seqid + u.back.calls - 1); /* or Linux would drop it */
        assert_int_equal(user_layoutreturn(&u, &o.fh, &u.back.stateid, &present), NFS4_OK);
        assert_int_equal(layouts(), 0);
}

/* What was not taken in has not raised the client's sequence id. */
static void after_a_delay_it_is_the_same_question(void **state)
{
        (void)state;
        u.back.answer = NFS4ERR_DELAY;
        u.back.times = 3;
        assert_int_equal(cut(&other), NFS4_OK);
        mds_lab_run_ms(&lab, 500);
        assert_int_equal(u.back.calls, 4);
        assert_int_equal(u.back.stateid.seqid, layout.seqid + 1);
}

static void an_old_stateid_is_followed_by_a_newer_one(void **state)
{
        (void)state;
        u.back.answer = NFS4ERR_OLD_STATEID;
        u.back.times = 2;
        assert_int_equal(cut(&other), NFS4_OK);
        mds_lab_run_ms(&lab, 500);
        assert_int_equal(u.back.calls, 3);
        assert_int_equal(u.back.stateid.seqid, layout.seqid + 3);
        assert_int_equal(layouts(), 1);
}

static void assert_revoked(void)
{
        bool present;

        assert_int_equal(layouts() + recalls(), 0);
        assert_fenced(&u, true);
        assert_int_equal(user_layoutget(&u, &o.fh, &layout, &layout), NFS4ERR_BAD_STATEID);
        assert_int_equal(user_layoutreturn(&u, &o.fh, &layout, &present), NFS4ERR_BAD_STATEID);
        assert_int_equal(user_layoutget(&u, &o.fh, &o.stateid, &layout), NFS4_OK);
}

static void who_only_promises_loses_it_at_the_end_of_the_lease(void **state)
{
        (void)state;
        assert_int_equal(cut(&other), NFS4_OK);
        seconds(LEASE_MS / 1000 - 5);
        assert_int_equal(layouts(), 1);
        seconds(10);
        assert_revoked();
}

static void so_does_who_never_says_anything(void **state)
{
        (void)state;
        u.back.mute = true;
        assert_int_equal(cut(&other), NFS4_OK);
        seconds(LEASE_MS / 1000 - 5);
        assert_int_equal(layouts(), 1);
        assert_int_equal(u.status_flags, SEQ4_STATUS_CB_PATH_DOWN | SEQ4_STATUS_CB_PATH_DOWN_SESSION);
        seconds(10);
        assert_revoked();
}

static void and_who_only_ever_delays(void **state)
{
        (void)state;
        u.back.answer = NFS4ERR_DELAY;
        assert_int_equal(cut(&other), NFS4_OK);
        seconds(LEASE_MS / 1000 - 5);
        assert_int_equal(layouts(), 1);
        seconds(10);
        assert_revoked();
}

static void an_answer_that_is_wrong_ends_it_at_once(void **state)
{
        static const enum nfsstat4 wrong[] = { NFS4ERR_BAD_STATEID, NFS4ERR_NOTSUPP, NFS4ERR_SERVERFAULT,
                                               NFS4ERR_BADHANDLE };

        (void)state;
        for (uint32_t i = 0; i <= sizeof(wrong) / sizeof(wrong[0]); i++) {
                u.back.garbage = i == sizeof(wrong) / sizeof(wrong[0]);
                u.back.answer = u.back.garbage ? NFS4_OK : wrong[i];
                assert_int_equal(cut(&other), NFS4_OK);
                mds_lab_run_ms(&lab, 10);
                assert_revoked();
        }
}

static void a_holder_that_is_gone_is_not_waited_for(void **state)
{
        (void)state;
        u.back.mute = true;
        conn_close(u.conn);
        mds_lab_run_ms(&lab, 10);
        assert_int_equal(cut(&other), NFS4_OK);
        assert_int_equal(layouts(), 1);
        for (int i = 0; i < 11; i++) {
                mds_lab_run_ms(&lab, 10000);
                assert_int_equal(user_renew(&other), NFS4_OK);
        }
        assert_int_equal(layouts() + recalls(), 0);
        assert_true(lab.ds[0].last_fence.final);
}

/* Whose lease has run out is not asked. */
static void a_holder_that_was_gone_long_before_loses_it_at_once(void **state)
{
        (void)state;
        for (int i = 0; i < 11; i++) {
                mds_lab_run_ms(&lab, 10000);
                assert_int_equal(user_renew(&other), NFS4_OK);
        }
        assert_int_equal(layouts(), 1);
        assert_int_equal(cut(&other), NFS4_OK);
        assert_int_equal(u.back.calls, 0);
        assert_int_equal(layouts() + recalls(), 0);
        assert_fenced(&u, true);
}

/* While it is away it cannot know; when it is back it is told. */
static void a_holder_that_comes_back_is_told(void **state)
{
        struct user back = { 0 };

        (void)state;
        conn_close(u.conn);
        mds_lab_run_ms(&lab, 10);
        assert_int_equal(cut(&other), NFS4_OK);
        assert_int_equal(u.back.calls, 0);
        assert_int_equal(user_session_again(&back, &u), NFS4_OK);
        assert_int_equal(user_renew(&back), NFS4_OK);
        mds_lab_run_ms(&lab, 10);
        assert_int_equal(back.back.calls, 1);
        assert_int_equal(back.back.stateid.seqid, layout.seqid + 1);
}

static void the_operation_waits_for_the_data_servers(void **state)
{
        (void)state;
        lab.ds[2].deaf = CTL_FENCE;
        user_begin(&other);
        user_putfh(&other, &o.fh);
        put_stateid(user_op(&other, OP_SETATTR), &(struct stateid){ 0 });
        user_put_attrs(other.x, &(struct attr_set){ .mask.word[0] = 1u << FATTR4_SIZE, .size = 1000 });
        user_send(&other);
        mds_lab_run_ms(&lab, 1000);
        assert_false(user_ended(&other));
        assert_int_equal(lab.ds[1].truncates, 0);
        lab.ds[2].deaf = 0;
        call_reply(lab.ds[2].unanswered[0]);
        lab.ds[2].unanswered_count = 0;
        mds_lab_run_ms(&lab, 10);
        assert_true(user_ended(&other));
        assert_int_equal(lab.ds[1].truncates, 1);
}

/* --- several holders */

static struct user *more[80];

static void start_holders(uint32_t count, uint32_t iomode)
{
        for (uint32_t i = 0; i < count; i++) {
                struct user_open open = USER_OPEN(.access = iomode);
                struct stateid s;
                char name[16];

                snprintf(name, sizeof(name), "more%u", i);
                more[i] = calloc(1, sizeof(*more[i]));
                user_start(more[i], &lab, name, (uint8_t)(10 + i), 0, 0);
                assert_int_equal(user_open(more[i], &root, "f", &open), NFS4_OK);
                assert_int_equal(user_layoutget_of(more[i], &o.fh, &open.stateid, iomode, &s), NFS4_OK);
        }
}

static void free_holders(void)
{
        for (uint32_t i = 0; i < 80; i++) {
                if (more[i])
                        user_answer_held(more[i]);
                free(more[i]);
                more[i] = NULL;
        }
}

static int teardown_many(void **state)
{
        for (uint32_t i = 0; i < 80; i++)
                if (more[i])
                        user_answer_held(more[i]);
        teardown(state);
        free_holders();
        return 0;
}

static void each_holder_is_told_and_answers_as_it_likes(void **state)
{
        (void)state;
        start_holders(4, LAYOUTIOMODE4_RW);
        more[0]->back.answer = NFS4ERR_NOMATCHING_LAYOUT;
        more[1]->back.answer = NFS4ERR_SERVERFAULT;
        more[2]->back.mute = true;
        assert_int_equal(cut(&other), NFS4_OK);
        assert_int_equal(lab.ds[0].truncates, 1);
        for (int i = 0; i < 4; i++)
                assert_int_equal(more[i]->back.calls, 1);
        assert_int_equal(u.back.calls, 1);
        mds_lab_run_ms(&lab, 10);
        assert_int_equal(layouts(), 3); /* those of u, the mute one, and the one that promised */
        assert_int_equal(recalls(), 3);
}

/* Readers are not in the way of a cut: data servers know where the file ends. */
static void readers_keep_theirs(void **state)
{
        (void)state;
        start_holders(3, LAYOUTIOMODE4_READ);
        assert_int_equal(cut(&other), NFS4_OK);
        assert_fenced(&u, false);
        for (int i = 0; i < 3; i++)
                assert_int_equal(more[i]->back.calls, 0);
        assert_int_equal(layouts(), 4);
}

static void too_many_to_name_are_fenced_as_one(void **state)
{
        (void)state;
        start_holders(FENCE_CLIENTS, LAYOUTIOMODE4_RW);
        assert_int_equal(cut(&other), NFS4_OK);
        assert_int_equal(lab.ds[0].last_fence.client, 0);
        assert_int_equal(lab.ds[0].last_fence_count, 1);
        for (int i = 0; i < FENCE_CLIENTS; i++)
                assert_int_equal(more[i]->back.calls, 1);
        assert_int_equal(recalls(), FENCE_CLIENTS + 1);
}

static void one_that_is_recalled_already_is_fenced_again(void **state)
{
        uint32_t below;

        (void)state;
        assert_int_equal(cut(&other), NFS4_OK);
        below = lab.ds[0].last_fence.below;
        assert_int_equal(cut(&other), NFS4_OK);
        assert_true(lab.ds[0].last_fence.below > below);
        assert_int_equal(u.back.calls, 1);
        assert_int_equal(recalls(), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define MANY(name) cmocka_unit_test_setup_teardown(name, setup, teardown_many)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_cut_does_not_wait_for_the_holder),
                TEST(the_layout_comes_back),
                TEST(what_is_committed_late_is_no_error_of_the_stateid),
                TEST(it_comes_back_with_the_sequence_id_before_the_recall),
                TEST(the_client_has_forgotten_it),
                TEST(more_of_the_layout_is_refused_meanwhile),
                TEST(a_layout_by_the_open_ends_the_recall),
                TEST(a_client_that_is_at_it_is_asked_again),
                TEST(after_a_delay_it_is_the_same_question),
                TEST(an_old_stateid_is_followed_by_a_newer_one),
                TEST(who_only_promises_loses_it_at_the_end_of_the_lease),
                TEST(so_does_who_never_says_anything),
                TEST(and_who_only_ever_delays),
                TEST(an_answer_that_is_wrong_ends_it_at_once),
                TEST(a_holder_that_is_gone_is_not_waited_for),
                TEST(a_holder_that_was_gone_long_before_loses_it_at_once),
                TEST(a_holder_that_comes_back_is_told),
                TEST(the_operation_waits_for_the_data_servers),
                MANY(each_holder_is_told_and_answers_as_it_likes),
                MANY(readers_keep_theirs),
                MANY(too_many_to_name_are_fenced_as_one),
                TEST(one_that_is_recalled_already_is_fenced_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
