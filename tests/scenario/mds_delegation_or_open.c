/* SPDX-License-Identifier: Apache-2.0 */
/* A client that wants a delegation or an open, but not both, gets no open stateid with a delegation: that is
 * its open, for layouts, deletion and denies, until it is returned. RFC 9754 (OPEN_XOR_DELEGATION,
 * open_arguments). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/state/delegation.h"
#include "mds/state/open.h"
#include "nfs4/codec.h"
#include "tests/lab/mds_user_locks.h"

enum {
        READ = OPEN4_SHARE_ACCESS_READ,
        WRITE = OPEN4_SHARE_ACCESS_WRITE,
        BOTH = OPEN4_SHARE_ACCESS_BOTH,
        XOR = OPEN4_SHARE_ACCESS_WANT_OPEN_XOR_DELEGATION,
        READ_XOR = XOR | OPEN4_SHARE_ACCESS_WANT_READ_DELEG,
        WRITE_XOR = XOR | OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG,
};

static const struct stateid nothing = { 0 };

static struct mds_lab lab;
static struct user u, other;
static struct user_fh root, f;

static int start(void **state)
{
        (void)state;
        mds_lab_start_delegating(&lab, &u, &other);
        u.minor = other.minor = 2;
        root = user_root(&u);
        assert_int_equal(user_touch(&u, &root, "f", 0666, &f), NFS4_OK);
        return 0;
}

static int stop(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

static uint32_t opens(void)
{
        return opens_count(lab.mds.opens);
}

static struct user_open open_either(uint32_t access, uint32_t want)
{
        struct user_open o = USER_OPEN(.access = access, .want = want);

        assert_int_equal(user_open(&u, &root, "f", &o), NFS4_OK);
        return o;
}

/* f, opened by u, with nothing but a delegation. */
static struct user_open hold(uint32_t access)
{
        struct user_open o = open_either(access, access == READ ? READ_XOR : WRITE_XOR);

        assert_int_equal(o.delegation, access == READ ? OPEN_DELEGATE_READ : OPEN_DELEGATE_WRITE);
        assert_true(o.rflags & OPEN4_RESULT_NO_OPEN_STATEID);
        assert_memory_equal(&o.stateid, &nothing, sizeof(nothing));
        assert_int_equal(opens(), 0);
        return o;
}

static uint32_t get_word(void)
{
        struct bitmap4 b;

        get_bitmap(&u.in, &b);
        assert_int_equal(b.word[1] | b.word[2], 0);
        return b.word[0];
}

static void it_is_announced(void **state)
{
        struct bitmap4 asked = { 0 }, got;

        (void)state;
        bitmap_set(&asked, FATTR4_OPEN_ARGUMENTS);
        user_begin(&u);
        user_op(&u, OP_PUTROOTFH);
        put_bitmap(user_op(&u, OP_GETATTR), &asked);
        assert_int_equal(user_call(&u), NFS4_OK);
        user_result(&u, OP_PUTROOTFH);
        user_result(&u, OP_GETATTR);
        get_bitmap(&u.in, &got);
        assert_memory_equal(got.word, asked.word, sizeof(asked.word));
        assert_int_equal(xdr_get_u32(&u.in), 40);
        assert_int_equal(get_word(), 0xe);                                /* READ, WRITE, BOTH */
        assert_int_equal(get_word(), 0xf);                                /* denies */
        assert_int_equal(get_word(), 1 << 3 | 1 << 4 | 1 << 5 | 3 << 20); /* wishes */
        assert_int_equal(get_word(), 0x37);                               /* claims but the PREV ones */
        assert_int_equal(get_word(), 0xf);                                /* ways to create */
        u.minor = 1;
        user_begin(&u);
        user_op(&u, OP_PUTROOTFH);
        put_bitmap(user_op(&u, OP_GETATTR), &asked);
        assert_int_equal(user_call(&u), NFS4_OK);
        user_result(&u, OP_PUTROOTFH);
        user_result(&u, OP_GETATTR);
        get_bitmap(&u.in, &got);
        assert_int_equal(got.word[2], 0);
}

static void minor_version_1_does_not_know_it(void **state)
{
        struct user_open o = USER_OPEN(.access = READ, .want = XOR);

        (void)state;
        u.minor = 1;
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4ERR_INVAL);
}

static void without_a_delegation_it_is_an_open(void **state)
{
        struct user_open o = open_either(READ, XOR);

        (void)state;
        assert_int_equal(o.delegation, OPEN_DELEGATE_NONE); /* it did not say that it wants one */
        assert_false(o.rflags & OPEN4_RESULT_NO_OPEN_STATEID);
        assert_int_equal(user_test_stateid(&u, &o.stateid), NFS4_OK);
        assert_int_equal(user_close(&u, &f, &o.stateid), NFS4_OK);
        o = open_either(READ, XOR); /* read again: now it pays */
        assert_int_equal(o.delegation, OPEN_DELEGATE_READ);
        assert_true(o.rflags & OPEN4_RESULT_NO_OPEN_STATEID);
}

/* Its seqid rises, and it is closed as it was opened. */
static void who_has_it_open_keeps_that(void **state)
{
        struct user_open first = USER_OPEN(.access = READ), o;

        (void)state;
        assert_int_equal(user_open(&u, &root, "f", &first), NFS4_OK);
        o = open_either(READ, READ_XOR);
        assert_int_equal(o.delegation, OPEN_DELEGATE_READ);
        assert_false(o.rflags & OPEN4_RESULT_NO_OPEN_STATEID);
        assert_memory_equal(o.stateid.other, first.stateid.other, NFS4_OTHER_SIZE);
        assert_int_equal(o.stateid.seqid, first.stateid.seqid + 1);
        assert_int_equal(user_close(&u, &f, &o.stateid), NFS4_OK);
        assert_int_equal(delegations_count(lab.mds.delegations), 1);
}

static void it_stands_for_the_open(void **state)
{
        struct user_open o = hold(WRITE);
        struct stateid layout;

        (void)state;
        assert_int_equal(user_read(&u, &f, &o.delegated), NFS4_OK);
        assert_int_equal(user_write(&u, &f, &o.delegated), NFS4_OK);
        assert_int_equal(user_layoutget(&u, &f, &o.delegated, &layout), NFS4_OK);
        assert_int_equal(user_delegreturn(&u, &f, &o.delegated), NFS4_OK);
        assert_int_equal(user_read(&u, &f, &o.delegated), NFS4ERR_BAD_STATEID);
}

/* As Linux sends it: OPEN and LAYOUTGET in one compound, with the current stateid. */
static void it_is_the_current_stateid(void **state)
{
        const struct stateid current = { .seqid = 1 };

        (void)state;
        user_open_begin(&u, &root, "f", &USER_OPEN(.access = READ, .want = READ_XOR));
        xdr_put_u32(user_op(&u, OP_LAYOUTGET), 0);
        xdr_put_u32(u.x, LAYOUT4_NFSV4_1_FILES);
        xdr_put_u32(u.x, LAYOUTIOMODE4_READ);
        xdr_put_u64(u.x, 0);
        xdr_put_u64(u.x, NFS4_UINT64_MAX);
        xdr_put_u64(u.x, 4096);
        put_stateid(u.x, &current);
        xdr_put_u32(u.x, 4096);
        assert_int_equal(user_call(&u), NFS4_OK);
        assert_int_equal(opens(), 0);
}

/* The last name goes, the file stays for who has it open by the delegation alone; DELEGRETURN is its CLOSE.
 */
static void a_deleted_file_lives_until_it_is_returned(void **state)
{
        struct user_open o = hold(READ);
        struct user_attrs a;

        (void)state;
        assert_int_equal(user_remove(&u, &root, "f"), NFS4_OK);
        assert_int_equal(user_getattr(&u, &f, &a), NFS4_OK);
        assert_int_equal(user_read(&u, &f, &o.delegated), NFS4_OK);
        assert_int_equal(user_delegreturn(&u, &f, &o.delegated), NFS4_OK);
        assert_int_equal(user_getattr(&u, &f, &a), NFS4ERR_STALE);
}

/* Another denies reading: the holder says first that it does read, and the deny is refused. */
static void its_share_counts(void **state)
{
        struct user_open o = hold(READ), mine;

        (void)state;
        user_open_begin(&other, &root, "f", &USER_OPEN(.access = READ, .deny = OPEN4_SHARE_DENY_READ));
        user_send(&other);
        mds_lab_run_ms(&lab, 100);
        assert_int_equal(u.back.opnum, OP_CB_RECALL);
        mine = USER_OPEN(.access = READ, .want = XOR, .claim = CLAIM_DELEG_CUR_FH, .by = o.delegated);
        assert_int_equal(user_open(&u, &f, NULL, &mine), NFS4_OK);
        assert_int_equal(mine.delegation, OPEN_DELEGATE_NONE);
        assert_false(mine.rflags & OPEN4_RESULT_NO_OPEN_STATEID); /* an open is what it needs now */
        assert_int_equal(user_test_stateid(&u, &mine.stateid), NFS4_OK);
        assert_int_equal(user_delegreturn(&u, &f, &o.delegated), NFS4_OK);
        assert_int_equal(user_wait(&other), NFS4ERR_SHARE_DENIED);
        assert_int_equal(user_close(&u, &f, &mine.stateid), NFS4_OK);
}

static void it_is_reclaimed(void **state)
{
        struct user_open o = hold(WRITE);

        (void)state;
        mds_lab_restart(&lab, true);
        assert_int_equal(user_connect(&u, &lab, "client", 1, 0, 0x1122334455667788), NFS4_OK);
        user_start(&other, &lab, "other", 2, 0, 0);
        assert_int_equal(user_remove(&other, &root, "f"), NFS4ERR_GRACE);
        u.minor = 2;
        o = USER_OPEN(.access = BOTH, .want = XOR, .claim = CLAIM_PREVIOUS, .had = OPEN_DELEGATE_WRITE);
        assert_int_equal(user_open(&u, &f, NULL, &o), NFS4_OK);
        assert_int_equal(o.delegation, OPEN_DELEGATE_WRITE);
        assert_int_equal(user_test_stateid(&u, &o.stateid), NFS4_OK); /* and an open, to be closed */
        assert_int_equal(user_reclaim_complete(&u), NFS4_OK);
        assert_int_equal(user_close(&u, &f, &o.stateid), NFS4_OK);
        assert_int_equal(user_delegreturn(&u, &f, &o.delegated), NFS4_OK);
}

/* Nobody has anything of the client's any more, but the client is known by what it holds. */
static void its_client_is_not_without_state(void **state)
{
        struct user_open o = hold(READ);

        (void)state;
        user_begin(&u);
        xdr_put_u64(user_op(&u, OP_DESTROY_CLIENTID), u.clientid);
        assert_int_equal(user_call(&u), NFS4ERR_CLIENTID_BUSY);
        assert_int_equal(user_delegreturn(&u, &f, &o.delegated), NFS4_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
        const struct CMUnitTest tests[] = {
                TEST(it_is_announced),
                TEST(minor_version_1_does_not_know_it),
                TEST(without_a_delegation_it_is_an_open),
                TEST(who_has_it_open_keeps_that),
                TEST(it_stands_for_the_open),
                TEST(it_is_the_current_stateid),
                TEST(a_deleted_file_lives_until_it_is_returned),
                TEST(its_share_counts),
                TEST(it_is_reclaimed),
                TEST(its_client_is_not_without_state),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
