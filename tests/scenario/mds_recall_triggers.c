/* SPDX-License-Identifier: Apache-2.0 */
/* What takes layouts back besides a cut (mds_recall.c): a mode, an owner, a deny, a delete, the export
 * policy, the last CLOSE. RFC 8881 §12.5.5, §13.12, §18.43.3, §9.7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mds/pnfs/recall.h"
#include "mds/pnfs/size.h"
#include "nfs4/codec.h"
#include "tests/lab/mds_lab.h"

static struct mds_lab lab;
static struct user root_user, u, other;
static struct user_fh root;
static struct user_open o, theirs;
static struct stateid layout, their_layout;

/* A file of user 100 that two clients have open, each with a write layout. */
static int setup(void **state)
{
        struct user_attrs a;

        (void)state;
        mds_lab_start(&lab, NULL);
        lab.back_channels = true;
        user_start(&root_user, &lab, "root", 4, 0, 0);
        user_start(&u, &lab, "client", 1, 100, 100);
        user_start(&other, &lab, "other", 2, 200, 200);
        root = user_root(&root_user);
        assert_int_equal(user_setattr(&root_user, &root, NULL,
                                      &(struct attr_set){ .mask.word[1] = 1u << (FATTR4_MODE - 32),
                                                          .mode = 0777 }),
                         NFS4_OK);
        assert_int_equal(user_touch(&root_user, &root, "f", 0666, &o.fh), NFS4_OK);
        assert_int_equal(user_setattr(&root_user, &o.fh, NULL,
                                      &(struct attr_set){ .mask.word[1] = 1u << (FATTR4_OWNER - 32) |
                                                                          1u << (FATTR4_OWNER_GROUP - 32),
                                                          .uid = 100,
                                                          .gid = 100 }),
                         NFS4_OK);
        o = USER_OPEN(.how = UNCHECKED4);
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4_OK);
        assert_int_equal(user_layoutget(&u, &o.fh, &o.stateid, &layout), NFS4_OK);
        theirs = USER_OPEN(.how = UNCHECKED4);
        assert_int_equal(user_open(&other, &root, "f", &theirs), NFS4_OK);
        assert_int_equal(user_layoutget(&other, &o.fh, &theirs.stateid, &their_layout), NFS4_OK);
        assert_int_equal(user_getattr(&u, &o.fh, &a), NFS4_OK);
        size_mark(lab.mds.sizes, a.fileid, lab.ds[1].server->id);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

static enum nfsstat4 chmod_to(struct user *who, uint32_t mode)
{
        struct attr_set set = { .mode = mode };

        bitmap_set(&set.mask, FATTR4_MODE);
        return user_setattr(who, &o.fh, NULL, &set);
}

static void a_mode_that_takes_access_away(void **state)
{
        (void)state;
        assert_int_equal(chmod_to(&u, 0600), NFS4_OK);
        assert_int_equal(u.back.calls, 0); /* who does it knows */
        assert_int_equal(other.back.calls, 1);
        assert_memory_equal(other.back.stateid.other, their_layout.other, NFS4_OTHER_SIZE);
        assert_false(lab.ds[0].last_fence.final);
        assert_int_equal(lab.ds[0].last_fence.client, client_by_id(&lab.mds.nfs, other.clientid)->tag);
        /* It would not be given again: READ and WRITE tell the application why. */
        assert_int_equal(user_layoutget(&other, &o.fh, &theirs.stateid, &their_layout),
                         NFS4ERR_LAYOUTUNAVAILABLE);
        assert_int_equal(user_layoutget(&u, &o.fh, &layout, &layout), NFS4_OK);
}

static void the_answer_waits_for_the_fence(void **state)
{
        (void)state;
        lab.ds[0].deaf = CTL_FENCE;
        user_begin(&u);
        user_putfh(&u, &o.fh);
        put_stateid(user_op(&u, OP_SETATTR), &(struct stateid){ 0 });
        user_put_attrs(u.x, &(struct attr_set){ .mask.word[1] = 1u << (FATTR4_MODE - 32), .mode = 0600 });
        user_send(&u);
        mds_lab_run_ms(&lab, 1000);
        assert_false(user_ended(&u));
        assert_int_equal(lab.ds[0].unanswered_count, 1);
        call_reply(lab.ds[0].unanswered[--lab.ds[0].unanswered_count]);
        mds_lab_run_ms(&lab, 10);
        assert_true(user_ended(&u));
        assert_int_equal(u.status, NFS4_OK);
}

static void what_gives_access_or_changes_none(void **state)
{
        static const uint32_t modes[] = { 0666, 0777, 04777 };

        (void)state;
        for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
                assert_int_equal(chmod_to(&u, modes[i]), NFS4_OK);
        assert_int_equal(user_setattr(&u, &o.fh, NULL,
                                      &(struct attr_set){ .mask.word[1] = 1u << (FATTR4_TIME_MODIFY_SET - 32),
                                                          .mtime_now = true }),
                         NFS4_OK);
        assert_int_equal(u.back.calls + other.back.calls, 0);
}

static void another_owner(void **state)
{
        (void)state;
        assert_int_equal(user_setattr(&root_user, &o.fh, NULL,
                                      &(struct attr_set){ .mask.word[1] = 1u << (FATTR4_OWNER - 32),
                                                          .uid = 300 }),
                         NFS4_OK);
        assert_int_equal(u.back.calls, 1);
        assert_int_equal(other.back.calls, 1);
}

/* --- deletes */

static void close_both(void)
{
        assert_int_equal(user_close(&u, &o.fh, &o.stateid), NFS4_OK);
        assert_int_equal(user_close(&other, &o.fh, &theirs.stateid), NFS4_OK);
        assert_int_equal(layouts_count(lab.mds.layouts), 2);
}

static void a_file_that_is_deleted(void **state)
{
        uint32_t fences = lab.ds[0].fences;

        (void)state;
        close_both();
        assert_int_equal(user_remove(&u, &root, "f"), NFS4_OK);
        assert_int_equal(u.back.calls, 0);
        assert_int_equal(other.back.calls, 1);
        assert_memory_equal(&other.back.fh, &o.fh, sizeof(o.fh));
        assert_int_equal(other.back.stateid.seqid, their_layout.seqid + 1);
        assert_int_equal(layouts_count(lab.mds.layouts), 0);
        assert_int_equal(lab.ds[0].fences, fences); /* nobody has it open, and no other will be it */
}

static void a_file_that_is_renamed_over(void **state)
{
        (void)state;
        close_both();
        assert_int_equal(user_touch(&root_user, &root, "g", 0666, NULL), NFS4_OK);
        assert_int_equal(user_rename(&root_user, &root, "g", &root, "f"), NFS4_OK);
        assert_int_equal(u.back.calls, 1);
        assert_int_equal(other.back.calls, 1);
        assert_int_equal(layouts_count(lab.mds.layouts), 0);
}

/* It lives until nobody has it open, and so do its layouts. */
static void a_file_that_is_open_when_it_is_deleted(void **state)
{
        (void)state;
        assert_int_equal(user_remove(&root_user, &root, "f"), NFS4_OK);
        assert_int_equal(u.back.calls + other.back.calls, 0);
        assert_int_equal(user_layoutget(&u, &o.fh, &layout, &layout), NFS4_OK);
        assert_int_equal(user_close(&u, &o.fh, &o.stateid), NFS4_OK);
        assert_int_equal(layouts_count(lab.mds.layouts), 2);
        assert_int_equal(user_close(&other, &o.fh, &theirs.stateid), NFS4_OK);
        assert_int_equal(layouts_count(lab.mds.layouts), 0);
        assert_int_equal(u.back.calls, 1);
        assert_int_equal(other.back.calls, 0);
}

/* What it says does not matter any more. */
static void a_deleted_file_whose_holder_answers_wrongly_or_never(void **state)
{
        (void)state;
        close_both();
        u.back.answer = NFS4ERR_SERVERFAULT;
        other.back.mute = true;
        assert_int_equal(user_remove(&root_user, &root, "f"), NFS4_OK);
        mds_lab_run_ms(&lab, 30000);
        assert_int_equal(layouts_count(lab.mds.layouts), 0);
        user_answer_held(&other);
}

/* --- deny */

static enum nfsstat4 open_denying(struct user *who, uint32_t deny)
{
        struct user_open open = USER_OPEN(.access = OPEN4_SHARE_ACCESS_READ, .deny = deny);

        return user_open(who, &root, "f", &open);
}

/* Who has it open is in the way of the deny; whose open is gone but for the layout is not, and is shut out.
 */
static void a_deny_holds_at_the_data_servers(void **state)
{
        (void)state;
        assert_int_equal(open_denying(&root_user, OPEN4_SHARE_DENY_WRITE), NFS4ERR_SHARE_DENIED);
        assert_int_equal(u.back.calls + other.back.calls, 0);
        close_both();
        assert_int_equal(open_denying(&root_user, OPEN4_SHARE_DENY_WRITE), NFS4_OK);
        assert_int_equal(lab.ds[0].last_fence_count, 2);
        assert_false(lab.ds[0].last_fence.final);
        assert_int_equal(u.back.calls, 1);
        assert_int_equal(other.back.calls, 1);
}

static void a_deny_of_reading_shuts_out_readers(void **state)
{
        struct user_open open = USER_OPEN(.access = OPEN4_SHARE_ACCESS_READ);
        struct stateid s;

        (void)state;
        close_both();
        assert_int_equal(user_touch(&root_user, &root, "g", 0666, NULL), NFS4_OK);
        assert_int_equal(user_open(&u, &root, "g", &open), NFS4_OK);
        assert_int_equal(user_layoutget_of(&u, &open.fh, &open.stateid, LAYOUTIOMODE4_READ, &s), NFS4_OK);
        assert_int_equal(user_close(&u, &open.fh, &open.stateid), NFS4_OK);
        open = USER_OPEN(.access = OPEN4_SHARE_ACCESS_WRITE, .deny = OPEN4_SHARE_DENY_WRITE);
        assert_int_equal(user_open(&root_user, &root, "g", &open), NFS4_OK);
        assert_int_equal(u.back.calls, 0);
        open.deny = OPEN4_SHARE_DENY_BOTH;
        assert_int_equal(user_open(&root_user, &root, "g", &open), NFS4_OK);
        assert_int_equal(u.back.calls, 1);
}

/* --- the export policy */

static void the_export_policy_takes_access_away(void **state)
{
        (void)state;
        mds_lab_export(&lab, "exports:\n  - path: /\n    rules:\n"
                             "      - clients: 192.0.2.1\n        access: rw\n        squash: none\n"
                             "      - clients: '*'\n        access: ro\n        squash: none\n");
        assert_int_equal(u.back.calls, 0);
        assert_int_equal(other.back.calls, 1);
        assert_int_equal(lab.ds[3].last_fence.client, client_by_id(&lab.mds.nfs, other.clientid)->tag);
        assert_false(lab.ds[3].last_fence.final);
}

static void the_export_policy_ends_layouts(void **state)
{
        (void)state;
        u.back.answer = NFS4ERR_NOMATCHING_LAYOUT;
        mds_lab_export(&lab,
                       "exports:\n  - path: /\n    rules:\n"
                       "      - clients: '*'\n        access: rw\n        squash: none\n        pnfs: no\n");
        assert_int_equal(u.back.calls, 1);
        assert_int_equal(other.back.calls, 1);
        mds_lab_run_ms(&lab, 10);
        assert_int_equal(layouts_count(lab.mds.layouts), 1);
        assert_int_equal(user_layoutget(&u, &o.fh, &o.stateid, &layout), NFS4ERR_LAYOUTUNAVAILABLE);
}

static void a_policy_that_changes_nothing_for_them(void **state)
{
        (void)state;
        mds_lab_export(&lab, "exports:\n  - path: /\n    rules:\n"
                             "      - clients: 192.0.2.0/24\n        access: rw\n        squash: root\n");
        assert_int_equal(u.back.calls + other.back.calls, 0);
}

/* --- return on close */

static void by_default_layouts_are_kept(void **state)
{
        (void)state;
        assert_false(u.return_on_close);
        close_both();
}

static void the_last_close_returns_it_when_configured(void **state)
{
        struct user_open again = USER_OPEN(.owner = "another");
        struct user_fh fh;
        bool present;

        (void)state;
        lab.conf.return_on_close = true;
        assert_int_equal(user_touch(&root_user, &root, "g", 0666, &fh), NFS4_OK);
        o = USER_OPEN(.how = UNCHECKED4);
        assert_int_equal(user_open(&u, &root, "g", &o), NFS4_OK);
        assert_int_equal(user_layoutget(&u, &fh, &o.stateid, &layout), NFS4_OK);
        assert_true(u.return_on_close);
        assert_int_equal(user_open(&u, &root, "g", &again), NFS4_OK);
        assert_int_equal(user_close(&u, &fh, &o.stateid), NFS4_OK);
        assert_int_equal(layouts_count(lab.mds.layouts), 3);
        assert_int_equal(user_close(&u, &fh, &again.stateid), NFS4_OK);
        assert_int_equal(layouts_count(lab.mds.layouts), 2);
        assert_int_equal(user_layoutreturn(&u, &fh, &layout, &present), NFS4ERR_BAD_STATEID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_mode_that_takes_access_away),
                TEST(the_answer_waits_for_the_fence),
                TEST(what_gives_access_or_changes_none),
                TEST(another_owner),
                TEST(a_file_that_is_deleted),
                TEST(a_file_that_is_renamed_over),
                TEST(a_file_that_is_open_when_it_is_deleted),
                TEST(a_deleted_file_whose_holder_answers_wrongly_or_never),
                TEST(a_deny_holds_at_the_data_servers),
                TEST(a_deny_of_reading_shuts_out_readers),
                TEST(the_export_policy_takes_access_away),
                TEST(the_export_policy_ends_layouts),
                TEST(a_policy_that_changes_nothing_for_them),
                TEST(by_default_layouts_are_kept),
                TEST(the_last_close_returns_it_when_configured),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
