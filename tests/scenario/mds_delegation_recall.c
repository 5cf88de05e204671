/* SPDX-License-Identifier: Apache-2.0 */
/* What conflicts with a delegation waits for its holder: a moment, then it is told to come again. Meanwhile
 * the holder makes opens of what it has opened under it. RFC 8881 §10.4, §10.4.4, §10.4.5, §18.16, §20.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/state/delegation.h"
#include "nfs4/codec.h"
#include "tests/lab/mds_user_locks.h"

enum { READ = OPEN4_SHARE_ACCESS_READ, WRITE = OPEN4_SHARE_ACCESS_WRITE };

static struct mds_lab lab;
static struct user u, other;
static struct user_fh root, f, dir;
static struct user_open held; /* f, open by u, with a delegation */
static uint32_t held_by;      /* sequence id of that OPEN */

static void hold(struct user *who, const char *name, struct user_open *ret)
{
        *ret = USER_OPEN(.access = READ, .want = OPEN4_SHARE_ACCESS_WANT_READ_DELEG);
        assert_int_equal(user_open(who, &root, name, ret), NFS4_OK);
        assert_int_equal(ret->delegation, OPEN_DELEGATE_READ);
}

static int setup(void **state)
{
        (void)state;
        mds_lab_start_delegating(&lab, &u, &other);
        root = user_root(&u);
        assert_int_equal(user_touch(&u, &root, "f", 0666, &f), NFS4_OK);
        assert_int_equal(user_touch(&u, &root, "new", 0666, NULL), NFS4_OK);
        assert_int_equal(user_mkdir(&u, &root, "d", 0777, &dir), NFS4_OK);
        hold(&u, "f", &held);
        held_by = u.seqid;
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

/* --- what conflicts */

static void open_write(struct user *who)
{
        user_open_begin(who, &root, "f", &USER_OPEN(.access = WRITE));
}

static void open_denying(struct user *who)
{
        user_open_begin(who, &root, "f", &USER_OPEN(.access = READ, .deny = OPEN4_SHARE_DENY_READ));
}

static void open_cutting(struct user *who)
{
        struct user_open o = USER_CREATE(.access = READ);

        o.size = 0;
        user_open_begin(who, &root, "f", &o);
}

static void put_setattr(struct user *who, const struct attr_set *set)
{
        user_begin(who);
        user_putfh(who, &f);
        put_stateid(user_op(who, OP_SETATTR), &(struct stateid){ 0 });
        user_put_attrs(who->x, set);
}

static void cut(struct user *who)
{
        put_setattr(who, &(struct attr_set){ .mask.word[0] = 1u << FATTR4_SIZE, .size = 10 });
}

static void change_mode(struct user *who)
{
        struct attr_set set = { .mode = 0640 };

        bitmap_set(&set.mask, FATTR4_MODE);
        put_setattr(who, &set);
}

static void take_name(struct user *who)
{
        user_begin(who);
        user_putfh(who, &root);
        xdr_put_string(user_op(who, OP_REMOVE), "f");
}

static void put_rename(struct user *who, const char *from, const char *to)
{
        user_begin(who);
        user_putfh(who, &root);
        user_op(who, OP_SAVEFH);
        xdr_put_string(user_op(who, OP_RENAME), from);
        xdr_put_string(who->x, to);
}

static void rename_away(struct user *who)
{
        put_rename(who, "f", "g");
}

static void rename_over(struct user *who)
{
        put_rename(who, "new", "f");
}

static void give_name(struct user *who)
{
        user_begin(who);
        user_putfh(who, &f);
        user_op(who, OP_SAVEFH);
        user_putfh(who, &dir);
        xdr_put_string(user_op(who, OP_LINK), "g");
}

static void write_without_open(struct user *who)
{
        user_begin(who);
        user_putfh(who, &f);
        put_stateid(user_op(who, OP_WRITE), &(struct stateid){ 0 });
        xdr_put_u64(who->x, 0);
        xdr_put_u32(who->x, FILE_SYNC4);
        xdr_put_string(who->x, "");
}

static void what_conflicts_waits_until_it_is_returned(void **state)
{
        static void (*const conflicts[])(struct user *) = { open_write,  open_denying, open_cutting,
                                                            cut,         change_mode,  take_name,
                                                            rename_away, rename_over,  give_name };

        for (unsigned i = 0; i < sizeof(conflicts) / sizeof(conflicts[0]); i++) {
                assert_int_equal(user_close(&u, &f, &held.stateid), NFS4_OK);
                conflicts[i](&other);
                user_send(&other);
                assert_false(user_ended(&other));
                assert_int_equal(u.back.calls, 1);
                assert_int_equal(u.back.opnum, OP_CB_RECALL);
                assert_memory_equal(&u.back.stateid, &held.delegated, sizeof(held.delegated));
                assert_memory_equal(&u.back.fh, &f, sizeof(f));
                assert_int_equal(u.back.refers.seqid, held_by);
                assert_memory_equal(u.back.refers.session, u.session, NFS4_SESSIONID_SIZE);
                assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4_OK);
                assert_true(user_ended(&other));
                assert_int_equal(user_wait(&other), NFS4_OK);
                teardown(state);
                setup(state);
        }
}

static void anonymous_writes_come_again(void **state)
{
        (void)state;
        write_without_open(&other);
        assert_int_equal(user_call(&other), NFS4ERR_DELAY);
        assert_int_equal(u.back.calls, 1);
        assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4_OK);
        write_without_open(&other);
        assert_int_equal(user_call(&other), NFS4_OK);
}

static void what_does_not_conflict_does_not_wait(void **state)
{
        struct user_open o = USER_OPEN(.access = READ, .deny = OPEN4_SHARE_DENY_WRITE);
        struct user_attrs a;

        (void)state;
        assert_int_equal(user_open(&other, &root, "f", &o), NFS4_OK);
        assert_int_equal(user_getattr(&other, &f, &a), NFS4_OK);
        assert_int_equal(user_read(&other, &f, &o.stateid), NFS4_OK);
        assert_int_equal(user_rename(&other, &root, "d", &root, "e"), NFS4_OK);
        assert_int_equal(u.back.calls, 0);
}

static void after_a_second_it_is_told_to_come_again(void **state)
{
        struct user_open w = USER_OPEN(.access = WRITE);

        (void)state;
        open_write(&other);
        user_send(&other);
        mds_lab_run_ms(&lab, 900);
        assert_false(user_ended(&other));
        mds_lab_run_ms(&lab, 200);
        assert_true(user_ended(&other));
        assert_int_equal(user_wait(&other), NFS4ERR_DELAY);
        assert_int_equal(user_open(&other, &root, "f", &w), NFS4ERR_DELAY);
        assert_int_equal(u.back.calls, 1); /* asked once */
        assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4_OK);
        assert_int_equal(user_open(&other, &root, "f", &w), NFS4_OK);
}

static void all_holders_are_asked_at_once(void **state)
{
        struct user_open second, victim;
        struct user third;

        (void)state;
        user_start(&third, &lab, "third", 3, 0, 0);
        hold(&third, "f", &second);
        hold(&third, "new", &victim);
        put_rename(&other, "new", "f");
        user_send(&other);
        assert_int_equal(u.back.calls, 1);
        assert_int_equal(third.back.calls, 2);
        assert_int_equal(user_delegreturn(&third, &second.fh, &second.delegated), NFS4_OK);
        assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4_OK);
        assert_false(user_ended(&other));
        assert_int_equal(user_delegreturn(&third, &victim.fh, &victim.delegated), NFS4_OK);
        assert_int_equal(user_wait(&other), NFS4_OK);
}

/* A file that changes hands is left alone for a while. */
static void it_is_not_given_again_soon(void **state)
{
        struct user_open o = USER_OPEN(.access = WRITE);

        (void)state;
        assert_int_equal(user_open(&other, &root, "f", &o), NFS4ERR_DELAY);
        assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4_OK);
        o = USER_OPEN(.access = READ, .want = OPEN4_SHARE_ACCESS_WANT_READ_DELEG);
        assert_int_equal(user_open(&other, &root, "f", &o), NFS4_OK);
        assert_int_equal(o.delegation, OPEN_DELEGATE_NONE_EXT);
        assert_int_equal(o.why, WND4_CONTENTION);
        user_renew_for(61, &u, &other);
        hold(&other, "f", &o);
}

/* --- opens under it */

static enum nfsstat4 claim(struct user *who, const struct user_fh *file, uint32_t access,
                           struct user_open *ret)
{
        *ret = USER_OPEN(.access = access, .claim = CLAIM_DELEG_CUR_FH, .by = held.delegated,
                         .owner = "another");
        return user_open(who, file, NULL, ret);
}

static void what_was_opened_under_it_becomes_an_open(void **state)
{
        struct user_open o, named = USER_OPEN(.access = READ, .claim = CLAIM_DELEGATE_CUR,
                                              .by = held.delegated, .owner = "by name");

        (void)state;
        assert_int_equal(user_close(&u, &f, &held.stateid), NFS4_OK);
        open_denying(&other);
        user_send(&other);
        assert_int_equal(claim(&u, &f, READ, &o), NFS4_OK);
        assert_int_equal(o.delegation, OPEN_DELEGATE_NONE);
        assert_int_equal(o.stateid.seqid, 1);
        assert_int_equal(user_open(&u, &root, "f", &named), NFS4_OK);
        assert_int_equal(user_close(&u, &f, &named.stateid), NFS4_OK);
        assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4_OK);
        assert_int_equal(user_wait(&other), NFS4ERR_SHARE_DENIED);
        assert_int_equal(user_read(&u, &f, &o.stateid), NFS4_OK);
}

static void a_file_without_a_name_lives_on_in_it(void **state)
{
        struct user_open o;
        struct user_attrs a;

        (void)state;
        assert_int_equal(user_close(&u, &f, &held.stateid), NFS4_OK);
        take_name(&other);
        user_send(&other);
        assert_int_equal(claim(&u, &f, READ, &o), NFS4_OK);
        assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4_OK);
        assert_int_equal(user_wait(&other), NFS4_OK);
        assert_int_equal(user_getattr(&u, &f, &a), NFS4_OK);
        assert_int_equal(user_close(&u, &f, &o.stateid), NFS4_OK);
        assert_int_equal(user_getattr(&u, &f, &a), NFS4ERR_STALE);
}

static void claims_that_are_wrong(void **state)
{
        struct user_open o;
        struct user_fh new;

        (void)state;
        assert_int_equal(user_lookup(&u, &root, "new", &new), NFS4_OK);
        assert_int_equal(claim(&u, &f, WRITE, &o), NFS4ERR_OPENMODE);
        assert_int_equal(claim(&u, &new, READ, &o), NFS4ERR_BAD_STATEID);
        assert_int_equal(claim(&other, &f, READ, &o), NFS4ERR_BAD_STATEID);
        o = USER_CREATE(.access = READ, .claim = CLAIM_DELEGATE_CUR, .by = held.delegated);
        assert_int_equal(user_open(&u, &root, "nothing", &o), NFS4ERR_NOENT);
        o = USER_CREATE(.access = READ, .claim = CLAIM_DELEG_CUR_FH, .by = held.delegated);
        assert_int_equal(user_open(&u, &f, NULL, &o), NFS4ERR_INVAL);
        assert_int_equal(user_delegreturn(&u, &f, &held.delegated), NFS4_OK);
        assert_int_equal(claim(&u, &f, READ, &o), NFS4ERR_BAD_STATEID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(what_conflicts_waits_until_it_is_returned),
                TEST(anonymous_writes_come_again),
                TEST(what_does_not_conflict_does_not_wait),
                TEST(after_a_second_it_is_told_to_come_again),
                TEST(all_holders_are_asked_at_once),
                TEST(it_is_not_given_again_soon),
                TEST(what_was_opened_under_it_becomes_an_open),
                TEST(a_file_without_a_name_lives_on_in_it),
                TEST(claims_that_are_wrong),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
