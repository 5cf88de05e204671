/* SPDX-License-Identifier: Apache-2.0 */
/* Who opens a file for writing again and again is given a delegation for that: nobody else has the file open,
 * others who ask for its attributes are told what the holder says, and what they open waits until it is
 * returned. RFC 8881 §10.4, §10.4.1, §10.4.3, §18.16, §20.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/pnfs/size.h"
#include "mds/state/delegation.h"
#include "mds/state/layout.h"
#include "nfs4/codec.h"
#include "tests/lab/mds_user_locks.h"

enum { READ = OPEN4_SHARE_ACCESS_READ, WRITE = OPEN4_SHARE_ACCESS_WRITE, BOTH = OPEN4_SHARE_ACCESS_BOTH };

static struct mds_lab lab;
static struct user u, other;
static struct user_fh root, f;
static struct user_open held; /* f, open by u, with a delegation for writing */
static struct user_attrs at;  /* what f was like then */

/* OPEN of f by U and CLOSE: what delegation it got. */
static uint32_t open_once(uint32_t access, uint32_t want, struct user_open *ret)
{
        *ret = USER_OPEN(.access = access, .want = want);
        assert_int_equal(user_open(&u, &root, "f", ret), NFS4_OK);
        assert_int_equal(user_close(&u, &f, &ret->stateid), NFS4_OK);
        return ret->delegation;
}

static void hold(void)
{
        held = USER_OPEN(.access = BOTH, .want = OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG);
        assert_int_equal(user_open(&u, &root, "f", &held), NFS4_OK);
        assert_int_equal(held.delegation, OPEN_DELEGATE_WRITE);
        assert_int_equal(user_getattr(&u, &f, &at), NFS4_OK);
        u.back.change = at.change;
        u.back.size = at.size;
}

static int start(void **state)
{
        (void)state;
        mds_lab_start_delegating(&lab, &u, &other);
        root = user_root(&u);
        assert_int_equal(user_touch(&u, &root, "f", 0666, &f), NFS4_OK);
        return 0;
}

static int start_held(void **state)
{
        start(state);
        hold();
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

static uint32_t delegations(void)
{
        return delegations_count(lab.mds.delegations);
}

/* --- when one is given */

static void what_is_written_again_is_delegated(void **state)
{
        struct user_open o;

        (void)state;
        assert_int_equal(open_once(WRITE, 0, &o), OPEN_DELEGATE_NONE);
        assert_int_equal(open_once(READ, 0, &o), OPEN_DELEGATE_NONE); /* another use */
        assert_int_equal(open_once(WRITE, 0, &o), OPEN_DELEGATE_WRITE);
        assert_false(o.recall);
        assert_int_equal(open_once(WRITE, 0, &o), OPEN_DELEGATE_NONE); /* it has it */
        assert_int_equal(open_once(READ, OPEN4_SHARE_ACCESS_WANT_READ_DELEG, &o), OPEN_DELEGATE_NONE_EXT);
        assert_int_equal(delegations(), 1);
        assert_int_equal(u.back.calls, 0);
}

static void what_two_write_in_turn_is_not(void **state)
{
        struct user_open theirs, o;

        (void)state;
        for (int i = 0; i < 3; i++) {
                assert_int_equal(open_once(WRITE, 0, &o), OPEN_DELEGATE_NONE);
                theirs = USER_OPEN(.access = WRITE);
                assert_int_equal(user_open(&other, &root, "f", &theirs), NFS4_OK);
                assert_int_equal(theirs.delegation, OPEN_DELEGATE_NONE);
                assert_int_equal(user_close(&other, &f, &theirs.stateid), NFS4_OK);
        }
}

static void wishes_are_heard(void **state)
{
        struct user_open o;

        (void)state;
        assert_int_equal(open_once(WRITE, OPEN4_SHARE_ACCESS_WANT_READ_DELEG, &o), OPEN_DELEGATE_NONE_EXT);
        assert_int_equal(o.why, WND4_RESOURCE);
        assert_int_equal(open_once(WRITE, OPEN4_SHARE_ACCESS_WANT_NO_DELEG, &o), OPEN_DELEGATE_NONE_EXT);
        assert_int_equal(o.why, WND4_NOT_WANTED);
        assert_int_equal(open_once(WRITE, OPEN4_SHARE_ACCESS_WANT_ANY_DELEG, &o), OPEN_DELEGATE_WRITE);
        assert_int_equal(user_delegreturn(&u, &f, &o.delegated), NFS4_OK);
        assert_int_equal(open_once(BOTH, OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG, &o), OPEN_DELEGATE_WRITE);
        assert_int_equal(user_delegreturn(&u, &f, &o.delegated), NFS4_OK);
        assert_int_equal(open_once(READ, OPEN4_SHARE_ACCESS_WANT_ANY_DELEG, &o), OPEN_DELEGATE_READ);
}

static void not_while_another_has_it(void **state)
{
        struct user_open theirs = USER_OPEN(.access = READ), w = USER_OPEN(.access = WRITE), o;
        struct stateid layout;
        bool present;

        (void)state;
        assert_int_equal(user_open(&other, &root, "f", &theirs), NFS4_OK);
        open_once(WRITE, OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG, &o);
        assert_int_equal(o.why, WND4_CONTENTION);
        assert_int_equal(user_close(&other, &f, &theirs.stateid), NFS4_OK);
        assert_int_equal(user_open(&other, &root, "f", &w), NFS4_OK);
        assert_int_equal(user_layoutget(&other, &f, &w.stateid, &layout), NFS4_OK);
        assert_int_equal(user_close(&other, &f, &w.stateid), NFS4_OK);
        open_once(WRITE, OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG, &o);
        assert_int_equal(o.why, WND4_CONTENTION); /* TRAPS: its layout is out */
        assert_int_equal(user_layoutreturn(&other, &f, &layout, &present), NFS4_OK);
        open_once(WRITE, OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG, &o);
        assert_int_equal(o.why, WND4_CONTENTION); /* until its handles are fenced */
        hold();
}

/* --- what it is good for */

static void it_stands_for_an_open_for_writing(void **state)
{
        struct user_open o = USER_OPEN(.access = BOTH, .claim = CLAIM_DELEG_CUR_FH, .by = held.delegated,
                                       .owner = "another");
        struct attr_set size = { .size = 4096 };
        struct stateid layout;

        (void)state;
        assert_int_equal(user_close(&u, &f, &held.stateid), NFS4_OK);
        assert_int_equal(user_read(&u, &f, &held.delegated), NFS4_OK);
        assert_int_equal(user_layoutget(&u, &f, &held.delegated, &layout), NFS4_OK);
        bitmap_set(&size.mask, FATTR4_SIZE);
        assert_int_equal(user_setattr(&u, &f, &held.delegated, &size), NFS4_OK);
        assert_int_equal(user_setattr(&other, &f, &held.delegated, &size), NFS4ERR_BAD_STATEID);
        assert_int_equal(user_open(&u, &f, NULL, &o), NFS4_OK);
        assert_int_equal(user_test_stateid(&u, &held.delegated), NFS4_OK);
        assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4_OK);
        assert_int_equal(user_setattr(&u, &f, &held.delegated, &size), NFS4ERR_BAD_STATEID);
        assert_int_equal(u.back.calls, 0);
}

/* --- what others do */

static void read_it(struct user *who)
{
        user_open_begin(who, &root, "f", &USER_OPEN(.access = READ));
}

static void change_mode(struct user *who)
{
        struct attr_set set = { .mode = 0640 };

        bitmap_set(&set.mask, FATTR4_MODE);
        user_begin(who);
        user_putfh(who, &f);
        put_stateid(user_op(who, OP_SETATTR), &(struct stateid){ 0 });
        user_put_attrs(who->x, &set);
}

static void take_name(struct user *who)
{
        user_begin(who);
        user_putfh(who, &root);
        xdr_put_opaque(user_op(who, OP_REMOVE), "f", 1);
}

static void what_conflicts_waits_until_it_is_returned(void **state)
{
        static void (*const conflicts[])(struct user *) = { read_it, change_mode, take_name };

        for (unsigned i = 0; i < sizeof(conflicts) / sizeof(conflicts[0]); i++) {
                start_held(state);
                conflicts[i](&other);
                user_send(&other);
                mds_lab_run_ms(&lab, 500);
                assert_false(user_ended(&other));
                assert_int_equal(u.back.opnum, OP_CB_RECALL);
                assert_memory_equal(&u.back.stateid, &held.delegated, sizeof(held.delegated));
                assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4_OK);
                assert_int_equal(user_wait(&other), NFS4_OK);
                teardown(state);
        }
        start_held(state);
}

static void anonymous_reads_come_again(void **state)
{
        const struct stateid anonymous = { 0 };

        (void)state;
        assert_int_equal(user_read(&other, &f, &anonymous), NFS4ERR_DELAY);
        assert_int_equal(u.back.opnum, OP_CB_RECALL);
        assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4_OK);
        assert_int_equal(user_read(&other, &f, &anonymous), NFS4_OK);
}

/* --- attributes */

static void its_holder_is_asked_for_attributes(void **state)
{
        struct user_attrs a, b, own;

        (void)state;
        assert_int_equal(user_getattr(&other, &f, &a), NFS4_OK);
        assert_int_equal(u.back.opnum, OP_CB_GETATTR);
        assert_memory_equal(u.back.fh.bytes, f.bytes, USER_FH);
        assert_int_equal(a.change, at.change); /* it has changed nothing */
        assert_int_equal(a.mtime, at.mtime);
        u.back.change = at.change + 1;
        u.back.size = 5000;
        mds_lab_run_ms(&lab, 10);
        assert_int_equal(user_getattr(&other, &f, &a), NFS4_OK);
        assert_int_equal(a.size, 5000);
        assert_true(a.change > at.change && a.mtime > at.mtime);
        mds_lab_run_ms(&lab, 10);
        assert_int_equal(user_getattr(&other, &f, &b), NFS4_OK); /* again: it may have changed more */
        assert_true(b.change > a.change && b.mtime > a.mtime);
        assert_int_equal(u.back.calls, 3);
        assert_int_equal(user_getattr(&u, &f, &own), NFS4_OK); /* it knows by itself */
        assert_int_equal(own.size, 0);
        assert_int_equal(u.back.calls, 3);
        assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4_OK);
        assert_int_equal(user_getattr(&other, &f, &a), NFS4_OK); /* it never wrote that */
        assert_int_equal(a.size, 0);
        assert_int_equal(u.back.calls, 3);
}

/* What it said of the size before it cut the file is not told any more. */
static void a_cut_is_not_undone_by_what_was_said_before(void **state)
{
        struct attr_set size = { .size = 10 };
        struct user_attrs a;

        (void)state;
        u.back.change = at.change + 1;
        u.back.size = 5000;
        assert_int_equal(user_getattr(&other, &f, &a), NFS4_OK);
        u.back.mute = true;
        user_begin(&other);
        user_putfh(&other, &f);
        put_bitmap(user_op(&other, OP_GETATTR), &(struct bitmap4){ .word = { 1u << FATTR4_SIZE } });
        user_send(&other);
        bitmap_set(&size.mask, FATTR4_SIZE);
        assert_int_equal(user_setattr(&u, &f, &held.delegated, &size), NFS4_OK);
        u.back.size = 10;
        u.back.mute = false;
        user_answer_held(&u);
        assert_int_equal(user_wait(&other), NFS4_OK);
        assert_int_equal(user_getattr(&other, &f, &a), NFS4_OK);
        assert_int_equal(a.size, 10);
}

static void one_question_answers_all_who_ask_meanwhile(void **state)
{
        struct user third = { 0 };
        struct user *who[] = { &other, &third };

        (void)state;
        user_start(&third, &lab, "third", 3, 0, 0);
        u.back.mute = true;
        for (int i = 0; i < 2; i++) {
                user_begin(who[i]);
                user_putfh(who[i], &f);
                put_bitmap(user_op(who[i], OP_GETATTR), &(struct bitmap4){ .word = { 1u << FATTR4_SIZE } });
        }
        user_send(&other);
        user_send(&third);
        mds_lab_run_ms(&lab, 10);
        u.back.mute = false;
        user_answer_held(&u);
        assert_int_equal(user_wait(&other), NFS4_OK);
        assert_int_equal(user_wait(&third), NFS4_OK);
        assert_true(u.back.calls <= 2);
}

static void who_does_not_answer_is_called_back(void **state)
{
        struct user_attrs a;

        (void)state;
        u.back.mute = true;
        assert_int_equal(user_getattr(&other, &f, &a), NFS4ERR_DELAY);
        u.back.mute = false;
        user_answer_held(&u);
        mds_lab_run_ms(&lab, 10);
        assert_int_equal(u.back.opnum, OP_CB_RECALL);
        assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4_OK);
        assert_int_equal(user_getattr(&other, &f, &a), NFS4_OK);
}

static void who_answers_nonsense_is_called_back(void **state)
{
        struct user_attrs a;

        (void)state;
        u.back.change = at.change + 1;
        u.back.size = UINT64_MAX;
        assert_int_equal(user_getattr(&other, &f, &a), NFS4ERR_DELAY);
        assert_int_equal(u.back.opnum, OP_CB_RECALL);
}

static void who_is_gone_is_not_asked(void **state)
{
        struct user_attrs a;

        (void)state;
        u.back.change = at.change + 1;
        u.back.size = 5000;
        assert_int_equal(user_getattr(&other, &f, &a), NFS4_OK);
        user_renew_for(LAB_LEASE_SECONDS + 1, &other, NULL);
        u.back.calls = 0;
        assert_int_equal(user_getattr(&other, &f, &a), NFS4_OK);
        assert_int_equal(a.size, 0); /* what never left it is lost */
        assert_int_equal(u.back.calls, 0);
        assert_int_equal(user_open(&other, &root, "f", &USER_OPEN(.access = READ)), NFS4_OK);
        assert_int_equal(user_test_stateid(&u, &held.delegated), NFS4ERR_EXPIRED);
}

/* --- ends */

/* Nothing is written under its layout when the next one opens the file. */
static void who_does_not_return_it_loses_its_layout_too(void **state)
{
        struct stateid layout;
        struct user_open r = USER_OPEN(.access = READ);

        (void)state;
        assert_int_equal(user_layoutget(&u, &f, &held.delegated, &layout), NFS4_OK);
        assert_int_equal(user_close(&u, &f, &held.stateid), NFS4_OK);
        assert_int_equal(user_open(&other, &root, "f", &r), NFS4ERR_DELAY);
        for (int i = 0; i < LAB_DATA_SERVERS; i++)
                lab.ds[i].last_fence_count = 0;
        lab.ds[1].deaf = CTL_FENCE;
        for (uint32_t i = 0; i < LAB_LEASE_SECONDS + 1; i++) {
                mds_lab_run_ms(&lab, 1000);
                assert_int_equal(user_renew(&u), NFS4_OK);
                if (i % 10 == 9)
                        assert_int_equal(user_renew(&other), NFS4_OK);
                if (lab.ds[0].last_fence_count > 0)
                        break;
        }
        assert_int_equal(lab.ds[0].last_fence.client, client_by_id(&lab.mds.nfs, u.clientid)->tag);
        assert_true(lab.ds[0].last_fence.final);
        assert_null(layout_of(lab.mds.layouts, client_by_id(&lab.mds.nfs, u.clientid),
                              lab.ds[0].last_fence.fileid));
        assert_int_equal(user_layoutget(&u, &f, &held.delegated, &layout), NFS4ERR_DELAY);
        lab.ds[1].deaf = 0;
        assert_int_equal(delegations(), 1);
        call_reply(lab.ds[1].unanswered[0]);
        lab.ds[1].unanswered_count = 0;
        mds_lab_run_ms(&lab, 1);
        assert_int_equal(delegations(), 0);
        assert_int_equal(user_open(&other, &root, "f", &r), NFS4_OK);
        assert_int_equal(user_test_stateid(&u, &held.delegated), NFS4ERR_DELEG_REVOKED);
}

/* Called back, and then its export goes; the call back would end while a data server is still being told. */
static void it_is_not_gone_before_its_handles_are_fenced(void **state)
{
        struct stateid layout;

        (void)state;
        assert_int_equal(user_mkdir(&u, &root, "d", 0755, NULL), NFS4_OK);
        assert_int_equal(user_layoutget(&u, &f, &held.delegated, &layout), NFS4_OK);
        assert_int_equal(user_open(&other, &root, "f", &USER_OPEN(.access = READ)), NFS4ERR_DELAY);
        user_renew_for(LAB_LEASE_SECONDS / 2 - 2, &u, NULL);
        lab.ds[1].deaf = CTL_FENCE;
        mds_lab_export(&lab,
                       "exports:\n  - path: /d\n    rules:\n      - clients: '*'\n        access: rw\n");
        assert_int_equal(lab.ds[1].unanswered_count, 1);
        user_renew_for(3, &u, NULL);
        assert_int_equal(delegations(), 1);
        lab.ds[1].deaf = 0;
        call_reply(lab.ds[1].unanswered[0]);
        lab.ds[1].unanswered_count = 0;
        mds_lab_run_ms(&lab, 1);
        assert_int_equal(delegations(), 0);
}

static void it_is_reclaimed(void **state)
{
        struct user_open o = USER_OPEN(.access = BOTH, .claim = CLAIM_PREVIOUS, .had = OPEN_DELEGATE_WRITE);
        struct user_attrs a;

        (void)state;
        mds_lab_restart(&lab, true);
        assert_int_equal(user_connect(&u, &lab, "client", 1, 0, 0x1122334455667788), NFS4_OK);
        user_start(&other, &lab, "other", 2, 0, 0);
        assert_int_equal(user_open(&u, &f, NULL, &o), NFS4_OK);
        assert_int_equal(o.delegation, OPEN_DELEGATE_WRITE);
        assert_false(o.recall);
        assert_int_equal(user_reclaim_complete(&u), NFS4_OK);
        /* Nobody knows what it was like when it was delegated: it is not asked. */
        assert_int_equal(user_getattr(&other, &f, &a), NFS4ERR_DELAY);
        assert_int_equal(u.back.opnum, OP_CB_RECALL);
        assert_int_equal(user_delegreturn(&u, &f, &o.delegated), NFS4_OK);
        assert_int_equal(user_getattr(&other, &f, &a), NFS4_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start_held, teardown)
#define FRESH(name) cmocka_unit_test_setup_teardown(name, start, teardown)
        const struct CMUnitTest tests[] = {
                FRESH(what_is_written_again_is_delegated),
                FRESH(what_two_write_in_turn_is_not),
                FRESH(wishes_are_heard),
                FRESH(not_while_another_has_it),
                TEST(it_stands_for_an_open_for_writing),
                cmocka_unit_test_teardown(what_conflicts_waits_until_it_is_returned, teardown),
                TEST(anonymous_reads_come_again),
                TEST(its_holder_is_asked_for_attributes),
                TEST(a_cut_is_not_undone_by_what_was_said_before),
                TEST(one_question_answers_all_who_ask_meanwhile),
                TEST(who_does_not_answer_is_called_back),
                TEST(who_answers_nonsense_is_called_back),
                TEST(who_is_gone_is_not_asked),
                TEST(who_does_not_return_it_loses_its_layout_too),
                TEST(it_is_not_gone_before_its_handles_are_fenced),
                TEST(it_is_reclaimed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
