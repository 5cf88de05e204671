/* SPDX-License-Identifier: Apache-2.0 */
/* OPEN, CLOSE and OPEN_DOWNGRADE: ways to create, share reservations, stateids. RFC 8881 §18.16, §18.2,
 * §18.18, §9.7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/state/open.h"
#include "mds/fleet/fleet.h"
#include "nfs4/codec.h"
#include "tests/lab/mds_lab.h"

static struct mds_lab lab;
static struct user u, other;
static struct user_fh root;

static int setup(void **state)
{
        (void)state;
        mds_lab_start(&lab, NULL);
        user_start(&u, &lab, "client", 1, 0, 0);
        user_start(&other, &lab, "other", 2, 0, 0);
        root = user_root(&u);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

static void unchecked_takes_what_is_there(void **state)
{
        struct user_open a = USER_CREATE(.how = UNCHECKED4), b = USER_CREATE(.how = UNCHECKED4, .owner = "b");
        struct user_attrs attrs;

        (void)state;
        assert_int_equal(user_open(&u, &root, "f", &a), NFS4_OK);
        assert_true(a.atomic && a.after > a.before);
        assert_true(bitmap_has(&a.attrset, FATTR4_MODE));
        assert_int_equal(a.rflags, OPEN4_RESULT_LOCKTYPE_POSIX);
        assert_int_equal(a.stateid.seqid, 1);
        b.mode = 0600;
        assert_int_equal(user_open(&u, &root, "f", &b), NFS4_OK);
        assert_memory_equal(&a.fh, &b.fh, sizeof(a.fh));
        assert_int_equal(b.before, b.after);
        assert_int_equal(b.before, a.after);
        assert_int_equal(b.attrset.word[1], 0);
        assert_int_equal(user_getattr(&u, &a.fh, &attrs), NFS4_OK);
        assert_int_equal(attrs.mode, 0644); /* the attributes are for new files only */
        assert_int_equal(user_open(&u, &root, "g", &USER_OPEN()), NFS4ERR_NOENT);
}

static void guarded_wants_a_new_file(void **state)
{
        struct user_open a = USER_CREATE(.how = GUARDED4);

        (void)state;
        assert_int_equal(user_open(&u, &root, "f", &a), NFS4_OK);
        assert_int_equal(user_open(&u, &root, "f", &a), NFS4ERR_EXIST);
        assert_int_equal(user_mkdir(&u, &root, "d", 0755, NULL), NFS4_OK);
        assert_int_equal(user_open(&u, &root, "d", &a), NFS4ERR_EXIST);
}

static void exclusive_knows_its_retry(void **state)
{
        struct user_open a = USER_CREATE(.how = EXCLUSIVE4_1, .verifier = "verifier"), again = a, third = a;
        struct user_attrs attrs, later;

        (void)state;
        assert_int_equal(user_open(&u, &root, "f", &a), NFS4_OK);
        assert_true(bitmap_has(&a.attrset, FATTR4_MODE));
        assert_int_equal(user_getattr(&u, &a.fh, &attrs), NFS4_OK);
        assert_int_equal(attrs.mode, 0644);
        mds_lab_restart(&lab, false); /* the verifier is durable */
        user_start(&u, &lab, "client", 1, 0, 0);
        assert_int_equal(user_open(&u, &root, "f", &again), NFS4_OK);
        assert_memory_equal(&again.fh, &a.fh, sizeof(a.fh));
        assert_int_equal(user_getattr(&u, &a.fh, &later), NFS4_OK);
        assert_int_equal(attrs.mtime, later.mtime); /* and lies in no other attribute */
        assert_int_equal(attrs.atime, later.atime);
        third.verifier = "another!";
        assert_int_equal(user_open(&u, &root, "f", &third), NFS4ERR_EXIST);
        a = USER_CREATE(.how = EXCLUSIVE4, .verifier = "0-style!");
        assert_int_equal(user_open(&u, &root, "g", &a), NFS4_OK);
        assert_int_equal(user_open(&u, &root, "g", &a), NFS4_OK);
}

static void only_regular_files_are_opened(void **state)
{
        struct user_fh dir, link;

        (void)state;
        assert_int_equal(user_mkdir(&u, &root, "d", 0755, &dir), NFS4_OK);
        assert_int_equal(user_symlink(&u, &root, "l", "d"), NFS4_OK);
        assert_int_equal(user_lookup(&u, &root, "l", &link), NFS4_OK);
        assert_int_equal(user_open(&u, &root, "d", &USER_OPEN()), NFS4ERR_ISDIR);
        assert_int_equal(user_open(&u, &root, "l", &USER_OPEN()), NFS4ERR_SYMLINK);
        assert_int_equal(user_open(&u, &dir, NULL, &USER_OPEN(.claim = CLAIM_FH)), NFS4ERR_ISDIR);
        assert_int_equal(user_open(&u, &link, NULL, &USER_OPEN(.claim = CLAIM_FH)), NFS4ERR_SYMLINK);
        assert_int_equal(user_open(&u, &link, "x", &USER_OPEN()), NFS4ERR_NOTDIR);
}

static void opens_of_one_owner_are_one_stateid(void **state)
{
        struct user_open a = USER_CREATE(.how = UNCHECKED4, .access = OPEN4_SHARE_ACCESS_READ);
        struct user_open b = USER_OPEN(.access = OPEN4_SHARE_ACCESS_WRITE, .claim = CLAIM_FH), c = b;

        (void)state;
        assert_int_equal(user_open(&u, &root, "f", &a), NFS4_OK);
        assert_int_equal(user_open(&u, &a.fh, NULL, &b), NFS4_OK);
        assert_memory_equal(a.stateid.other, b.stateid.other, sizeof(a.stateid.other));
        assert_int_equal(b.stateid.seqid, 2);
        assert_int_equal(user_close(&u, &a.fh, &a.stateid), NFS4ERR_OLD_STATEID);
        c.owner = "somebody else";
        assert_int_equal(user_open(&u, &a.fh, NULL, &c), NFS4_OK);
        assert_true(memcmp(c.stateid.other, b.stateid.other, sizeof(c.stateid.other)) != 0);
        assert_int_equal(opens_count(lab.mds.opens), 2);
        assert_int_equal(user_close(&other, &a.fh, &b.stateid), NFS4ERR_BAD_STATEID); /* not his */
        assert_int_equal(user_close(&u, &a.fh, &b.stateid), NFS4_OK);
        assert_int_equal(user_close(&u, &a.fh, &b.stateid), NFS4ERR_BAD_STATEID);
        c.stateid.seqid = 0; /* the newest */
        assert_int_equal(user_close(&u, &root, &c.stateid), NFS4ERR_BAD_STATEID);
        assert_int_equal(user_close(&u, &a.fh, &c.stateid), NFS4_OK);
        assert_int_equal(opens_count(lab.mds.opens), 0);
}

static void share_reservations(void **state)
{
        struct user_open holder = USER_CREATE(.how = UNCHECKED4), o;
        uint32_t access, deny;

        (void)state;
        assert_int_equal(user_touch(&u, &root, "f", 0666, NULL), NFS4_OK);
        for (uint32_t held = 1; held <= 15; held++) {
                if ((held & 3) == 0)
                        continue;
                holder = USER_OPEN(.access = held & 3, .deny = held >> 2);
                assert_int_equal(user_open(&u, &root, "f", &holder), NFS4_OK);
                for (uint32_t wanted = 1; wanted <= 15; wanted++) {
                        bool conflict;

                        access = wanted & 3;
                        deny = wanted >> 2;
                        if (access == 0)
                                continue;
                        conflict = (access & holder.deny) != 0 || (deny & holder.access) != 0;
                        o = USER_OPEN(.access = access, .deny = deny);
                        assert_int_equal(user_open(&other, &root, "f", &o),
                                         conflict ? NFS4ERR_SHARE_DENIED : NFS4_OK);
                        if (!conflict)
                                assert_int_equal(user_close(&other, &o.fh, &o.stateid), NFS4_OK);
                }
                assert_int_equal(user_close(&u, &holder.fh, &holder.stateid), NFS4_OK);
        }
        assert_int_equal(opens_count(lab.mds.opens), 0);
}

static enum nfsstat4 downgrade(const struct user_fh *fh, struct stateid *s, uint32_t access, uint32_t deny)
{
        user_begin(&u);
        user_putfh(&u, fh);
        put_stateid(user_op(&u, OP_OPEN_DOWNGRADE), s);
        xdr_put_u32(u.x, 0);
        xdr_put_u32(u.x, access);
        xdr_put_u32(u.x, deny);
        if (user_call(&u) != NFS4_OK)
                return u.status;
        user_result(&u, OP_PUTFH);
        user_result(&u, OP_OPEN_DOWNGRADE);
        get_stateid(&u.in, s);
        return NFS4_OK;
}

static void downgrade_to_what_was_opened(void **state)
{
        struct user_open r = USER_CREATE(.how = UNCHECKED4, .access = OPEN4_SHARE_ACCESS_READ);
        struct user_open w = USER_OPEN(.access = OPEN4_SHARE_ACCESS_WRITE, .deny = OPEN4_SHARE_DENY_WRITE);

        (void)state;
        assert_int_equal(user_open(&u, &root, "f", &r), NFS4_OK);
        assert_int_equal(user_open(&u, &root, "f", &w), NFS4_OK);
        assert_int_equal(user_open(&other, &root, "f", &USER_OPEN()), NFS4ERR_SHARE_DENIED);
        assert_int_equal(downgrade(&r.fh, &w.stateid, 0, 0), NFS4ERR_INVAL);
        assert_int_equal(downgrade(&r.fh, &w.stateid, OPEN4_SHARE_ACCESS_READ, OPEN4_SHARE_DENY_READ),
                         NFS4ERR_INVAL);
        assert_int_equal(downgrade(&r.fh, &w.stateid, OPEN4_SHARE_ACCESS_READ, OPEN4_SHARE_DENY_NONE),
                         NFS4_OK);
        assert_int_equal(w.stateid.seqid, 3);
        assert_int_equal(downgrade(&r.fh, &w.stateid, OPEN4_SHARE_ACCESS_BOTH, OPEN4_SHARE_DENY_NONE),
                         NFS4ERR_INVAL);
        assert_int_equal(user_open(&other, &root, "f", &USER_OPEN()), NFS4_OK);
}

static void open_with_size_zero_cuts(void **state)
{
        struct user_open a = USER_CREATE(.how = UNCHECKED4), b = USER_CREATE(.how = UNCHECKED4);
        struct user_attrs attrs;

        (void)state;
        a.size = 5000;
        assert_int_equal(user_open(&u, &root, "f", &a), NFS4_OK);
        assert_int_equal(user_getattr(&u, &a.fh, &attrs), NFS4_OK);
        assert_int_equal(attrs.size, 5000);
        b.size = 77; /* means nothing for a file that is there */
        assert_int_equal(user_open(&u, &root, "f", &b), NFS4_OK);
        assert_int_equal(user_getattr(&u, &a.fh, &attrs), NFS4_OK);
        assert_int_equal(attrs.size, 5000);
        b.size = 0;
        assert_int_equal(user_open(&u, &root, "f", &b), NFS4_OK);
        assert_true(bitmap_has(&b.attrset, FATTR4_SIZE));
        assert_int_equal(user_getattr(&u, &a.fh, &attrs), NFS4_OK);
        assert_int_equal(attrs.size, 0);
}

static enum nfsstat4 open_claim(uint32_t claim, uint32_t share)
{
        user_begin(&u);
        user_putfh(&u, &root);
        xdr_put_u32(user_op(&u, OP_OPEN), 0);
        xdr_put_u32(u.x, share);
        xdr_put_u32(u.x, 0);
        xdr_put_u64(u.x, 0);
        xdr_put_string(u.x, "owner");
        xdr_put_u32(u.x, OPEN4_NOCREATE);
        xdr_put_u32(u.x, claim);
        switch (claim) {
        case CLAIM_NULL:
        case CLAIM_DELEGATE_PREV: xdr_put_string(u.x, "f"); break;
        case CLAIM_PREVIOUS: xdr_put_u32(u.x, 0); break;
        case CLAIM_DELEGATE_CUR:
        case CLAIM_DELEG_CUR_FH:
                put_stateid(u.x, &(struct stateid){ 0 });
                if (claim == CLAIM_DELEGATE_CUR)
                        xdr_put_string(u.x, "f");
                break;
        }
        return user_call(&u);
}

static void claims_and_wishes(void **state)
{
        (void)state;
        assert_int_equal(user_touch(&u, &root, "f", 0644, NULL), NFS4_OK);
        assert_int_equal(open_claim(CLAIM_PREVIOUS, 1), NFS4ERR_NO_GRACE);
        assert_int_equal(open_claim(CLAIM_DELEGATE_CUR, 1), NFS4ERR_BAD_STATEID);
        assert_int_equal(open_claim(CLAIM_DELEG_CUR_FH, 1), NFS4ERR_BAD_STATEID);
        assert_int_equal(open_claim(CLAIM_DELEGATE_PREV, 1), NFS4ERR_NOTSUPP);
        assert_int_equal(open_claim(CLAIM_DELEG_PREV_FH, 1), NFS4ERR_NOTSUPP);
        assert_int_equal(open_claim(99, 1), NFS4ERR_BADXDR);
        assert_int_equal(open_claim(CLAIM_NULL, 0), NFS4ERR_INVAL);
        assert_int_equal(open_claim(CLAIM_NULL, 4), NFS4ERR_INVAL);
        assert_int_equal(open_claim(CLAIM_NULL, 0x0601), NFS4ERR_INVAL);
        assert_int_equal(open_claim(CLAIM_NULL, 0x40000001), NFS4ERR_INVAL);
        assert_int_equal(open_claim(CLAIM_NULL, 1), NFS4_OK);
        assert_int_equal(open_claim(CLAIM_NULL, 0x0401), NFS4_OK);
}

static void who_wishes_for_a_delegation_is_told_why_not(void **state)
{
        struct user_open o = USER_CREATE(.how = UNCHECKED4);

        (void)state;
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4_OK);
        assert_int_equal(o.delegation, OPEN_DELEGATE_NONE);
        o = USER_OPEN(.access = OPEN4_SHARE_ACCESS_READ | OPEN4_SHARE_ACCESS_WANT_NO_DELEG);
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4_OK);
        assert_int_equal(o.delegation, OPEN_DELEGATE_NONE_EXT);
        o = USER_OPEN(.access = OPEN4_SHARE_ACCESS_READ | 0x0100);
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4_OK);
        assert_int_equal(o.delegation, OPEN_DELEGATE_NONE_EXT);
}

static void without_data_servers_no_new_files(void **state)
{
        struct user_open o = USER_CREATE(.how = UNCHECKED4);

        (void)state;
        assert_int_equal(user_touch(&u, &root, "old", 0644, NULL), NFS4_OK);
        lab.mds.fleet->current = 0;
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4ERR_NOSPC);
        assert_int_equal(user_lookup(&u, &root, "f", NULL), NFS4ERR_NOENT);
        assert_int_equal(user_open(&u, &root, "old", &USER_OPEN()), NFS4_OK);
}

static void set_all(bool up, bool full)
{
        struct fleet *f = lab.mds.fleet;

        for (uint32_t i = 0; i < f->count; i++) {
                f->servers[i]->up = up;
                f->servers[i]->full = full;
                fleet_changed(f, f->servers[i]);
        }
}

static void data_servers_that_restart_are_waited_for(void **state)
{
        struct user_open o = USER_CREATE(.how = UNCHECKED4);

        (void)state;
        set_all(false, false);
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4ERR_DELAY);
        set_all(false, true);
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4ERR_NOSPC);
        set_all(false, false);
        for (int i = 0; i < 2; i++) {
                mds_lab_run_ms(&lab, LAB_LEASE_SECONDS * 1000 - 1000);
                assert_int_equal(user_open(&u, &root, "f", &o), NFS4ERR_DELAY);
        }
        mds_lab_run_ms(&lab, 3000);
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4ERR_NOSPC);
        set_all(true, false);
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4_OK);
}

static void a_store_that_is_full_changes_nothing(void **state)
{
        struct user_open o = USER_CREATE(.how = UNCHECKED4);

        (void)state;
        store_memory_fail_write(lab.store, 0, -28);
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4ERR_NOSPC);
        assert_int_equal(opens_count(lab.mds.opens), 0);
        assert_int_equal(user_lookup(&u, &root, "f", NULL), NFS4ERR_NOENT);
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4_OK);
        assert_int_equal(o.stateid.seqid, 1);
}

static void opens_end_with_their_client(void **state)
{
        struct user_open o = USER_CREATE(.how = UNCHECKED4, .deny = OPEN4_SHARE_DENY_BOTH);

        (void)state;
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4_OK);
        assert_int_equal(user_open(&other, &root, "f", &USER_OPEN()), NFS4ERR_SHARE_DENIED);
        for (int i = 0; i < 12; i++) { /* two minutes, in which only the other renews its lease */
                mds_lab_run_ms(&lab, 10000);
                user_lookup(&other, &root, "f", NULL);
        }
        assert_int_equal(user_open(&other, &root, "f", &USER_OPEN()), NFS4_OK);
        assert_int_equal(opens_count(lab.mds.opens), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(unchecked_takes_what_is_there),
                TEST(guarded_wants_a_new_file),
                TEST(exclusive_knows_its_retry),
                TEST(only_regular_files_are_opened),
                TEST(opens_of_one_owner_are_one_stateid),
                TEST(share_reservations),
                TEST(downgrade_to_what_was_opened),
                TEST(open_with_size_zero_cuts),
                TEST(claims_and_wishes),
                TEST(who_wishes_for_a_delegation_is_told_why_not),
                TEST(without_data_servers_no_new_files),
                TEST(data_servers_that_restart_are_waited_for),
                TEST(a_store_that_is_full_changes_nothing),
                TEST(opens_end_with_their_client),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
