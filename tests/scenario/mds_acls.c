/* SPDX-License-Identifier: Apache-2.0 */
/* Access control lists are kept, looked at, inherited, and in step with the mode. RFC 8881 §6, RFC 8275. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nfs4/codec.h"
#include "tests/lab/mds_lab.h"

enum {
        R = ACE4_READ_DATA,
        W = ACE4_WRITE_DATA | ACE4_APPEND_DATA,
        X = ACE4_EXECUTE,
        FD = ACE4_FILE_INHERIT_ACE | ACE4_DIRECTORY_INHERIT_ACE
};
#define ALLOW(flags, who, id, mask) \
        { \
                ACE4_ACCESS_ALLOWED_ACE_TYPE, flags, who, mask, id \
        }
#define DENY(flags, who, id, mask) \
        { \
                ACE4_ACCESS_DENIED_ACE_TYPE, flags, who, mask, id \
        }
#define LIST(...) \
        (struct acl) \
        { \
                .count = sizeof((struct ace[]){ __VA_ARGS__ }) / sizeof(struct ace), .aces = { __VA_ARGS__ } \
        }

static struct mds_lab lab;
static struct user su, alice, bob; /* 0:0, 100:100, 200:200 */
static struct user_fh root, all;   /* a directory of everybody's */

static void start_users(void)
{
        user_start(&su, &lab, "root", 1, 0, 0);
        user_start(&alice, &lab, "alice", 2, 100, 100);
        user_start(&bob, &lab, "bob", 3, 200, 200);
}

static int setup(void **state)
{
        (void)state;
        mds_lab_start(&lab, NULL);
        start_users();
        root = user_root(&su);
        assert_int_equal(user_mkdir(&su, &root, "all", 0777, &all), NFS4_OK);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

/* --- operations */

/* What SETATTR and creates are given: ACL, and a MODE if it is not -1. BYTES: where the list is encoded. */
static struct attr_set given(const struct acl *acl, int mode, uint8_t bytes[ACL_WIRE_BYTES])
{
        struct attr_set set = { .mode = (uint32_t)mode };
        struct xdr_out x;

        xdr_out_init(&x, bytes, ACL_WIRE_BYTES);
        acl_put(&x, acl);
        set.acl = slice_of(bytes, xdr_head_length(&x));
        bitmap_set(&set.mask, FATTR4_ACL);
        if (mode >= 0)
                bitmap_set(&set.mask, FATTR4_MODE);
        return set;
}

static enum nfsstat4 set_acl(struct user *u, const struct user_fh *fh, struct acl acl)
{
        uint8_t bytes[ACL_WIRE_BYTES];
        struct attr_set set = given(&acl, -1, bytes);

        return user_setattr(u, fh, NULL, &set);
}

static enum nfsstat4 set_mode(struct user *u, const struct user_fh *fh, uint32_t mode)
{
        struct attr_set set = { .mode = mode };

        bitmap_set(&set.mask, FATTR4_MODE);
        return user_setattr(u, fh, NULL, &set);
}

static struct acl acl_at(const struct user_fh *fh)
{
        struct bitmap4 asked = { 0 }, told;
        struct acl acl;

        bitmap_set(&asked, FATTR4_ACL);
        user_begin(&su);
        user_putfh(&su, fh);
        user_op(&su, OP_GETATTR);
        put_bitmap(su.x, &asked);
        assert_int_equal(user_call(&su), NFS4_OK);
        user_result(&su, OP_PUTFH);
        user_result(&su, OP_GETATTR);
        get_bitmap(&su.in, &told);
        assert_memory_equal(told.word, asked.word, sizeof(asked.word));
        xdr_get_u32(&su.in);
        assert_int_equal(acl_get(&su.in, &acl), NFS4_OK);
        assert_false(su.in.bad);
        return acl;
}

static void is(const struct user_fh *fh, struct acl wanted)
{
        struct acl acl = acl_at(fh);

        assert_int_equal(acl.count, wanted.count);
        for (uint32_t i = 0; i < acl.count; i++) {
                const struct ace *a = &acl.aces[i], *b = &wanted.aces[i];

                assert_true(a->type == b->type && a->flags == b->flags && a->who == b->who);
                assert_true(a->mask == b->mask && (a->who != ACE_ID || a->id == b->id));
        }
}

static uint32_t mode_of(const struct user_fh *fh)
{
        struct user_attrs a;

        assert_int_equal(user_getattr(&su, fh, &a), NFS4_OK);
        return a.mode;
}

static struct user_fh alices(uint32_t mode)
{
        struct user_fh file;

        assert_int_equal(user_touch(&alice, &all, "file", mode, &file), NFS4_OK);
        return file;
}

static enum nfsstat4 opens(struct user *u, const struct user_fh *fh, uint32_t access)
{
        struct user_open o = USER_OPEN(.claim = CLAIM_FH, .access = access);
        enum nfsstat4 status = user_open(u, fh, NULL, &o);

        if (status == NFS4_OK)
                assert_int_equal(user_close(u, fh, &o.stateid), NFS4_OK);
        return status;
}

/* --- behaviour */

static void a_file_without_a_list_says_its_mode_as_one(void **state)
{
        struct user_fh file = alices(0640);
        struct acl plain;

        (void)state;
        plain = acl_at(&file);
        assert_int_equal(plain.aces[0].who, ACE_OWNER);
        assert_int_equal(plain.aces[0].mask & (R | W | X), R | W);
        assert_int_equal(plain.aces[plain.count - 1].who, ACE_EVERYONE);
        assert_int_equal(plain.aces[plain.count - 1].mask & (R | W | X), 0);
        assert_int_equal(set_acl(&alice, &file, plain), NFS4_OK); /* as it was: nothing is kept of it */
        assert_int_equal(mode_of(&file), 0640);
        assert_int_equal(set_mode(&alice, &file, 0600), NFS4_OK);
        assert_int_equal(mode_of(&file), 0600);
}

static void a_list_is_kept_and_asked(void **state)
{
        struct user_fh file = alices(0600);
        struct acl list = LIST(ALLOW(0, ACE_ID, 200, R), ALLOW(0, ACE_OWNER, 0, R | W | ACE4_WRITE_ACL));

        (void)state;
        assert_int_equal(opens(&bob, &file, OPEN4_SHARE_ACCESS_READ), NFS4ERR_ACCESS);
        assert_int_equal(set_acl(&bob, &file, list), NFS4ERR_PERM);
        assert_int_equal(set_acl(&alice, &file, list), NFS4_OK);
        is(&file, list);
        assert_int_equal(mode_of(&file), 0600); /* bob is not of the group */
        assert_int_equal(opens(&bob, &file, OPEN4_SHARE_ACCESS_READ), NFS4_OK);
        assert_int_equal(opens(&bob, &file, OPEN4_SHARE_ACCESS_WRITE), NFS4ERR_ACCESS);
        assert_int_equal(user_access(&bob, &file), ACCESS4_READ);
        assert_int_equal(user_access(&alice, &file), ACCESS4_READ | ACCESS4_MODIFY | ACCESS4_EXTEND);
        mds_lab_restart(&lab, true);
        start_users();
        is(&file, list);
        assert_int_equal(opens(&bob, &file, OPEN4_SHARE_ACCESS_READ), NFS4_OK);
        assert_int_equal(user_remove(&su, &all, "file"), NFS4_OK); /* fsck finds nothing of it */
}

static void who_is_denied_first_is_denied(void **state)
{
        struct user_fh file = alices(0666);

        (void)state;
        assert_int_equal(set_acl(&alice, &file,
                                 LIST(DENY(0, ACE_ID, 200, W), ALLOW(0, ACE_EVERYONE, 0, R | W))),
                         NFS4_OK);
        assert_int_equal(mode_of(&file), 0666);
        assert_int_equal(opens(&bob, &file, OPEN4_SHARE_ACCESS_READ), NFS4_OK);
        assert_int_equal(opens(&bob, &file, OPEN4_SHARE_ACCESS_WRITE), NFS4ERR_ACCESS);
        assert_int_equal(set_acl(&alice, &file,
                                 LIST(ALLOW(0, ACE_EVERYONE, 0, R | W), DENY(0, ACE_ID, 200, W))),
                         NFS4_OK);
        assert_int_equal(opens(&bob, &file, OPEN4_SHARE_ACCESS_WRITE), NFS4_OK);
}

static void a_list_sets_the_mode_and_a_mode_the_list(void **state)
{
        struct user_fh file = alices(04644);

        (void)state;
        assert_int_equal(set_acl(&alice, &file,
                                 LIST(ALLOW(0, ACE_ID, 200, R | W), ALLOW(0, ACE_OWNER, 0, R | W | X),
                                      ALLOW(ACE4_IDENTIFIER_GROUP, ACE_GROUP, 0, R | X))),
                         NFS4_OK);
        assert_int_equal(mode_of(&file), 04750);
        assert_int_equal(opens(&bob, &file, OPEN4_SHARE_ACCESS_WRITE), NFS4_OK);
        assert_int_equal(set_mode(&alice, &file, 0740), NFS4_OK);
        assert_int_equal(mode_of(&file), 0740);
        assert_int_equal(opens(&bob, &file, OPEN4_SHARE_ACCESS_WRITE), NFS4ERR_ACCESS);
        assert_int_equal(opens(&bob, &file, OPEN4_SHARE_ACCESS_READ), NFS4_OK);
        assert_int_equal(set_mode(&alice, &file, 0700), NFS4_OK);
        assert_int_equal(opens(&bob, &file, OPEN4_SHARE_ACCESS_READ), NFS4ERR_ACCESS);
}

static void both_at_once(void **state)
{
        uint8_t bytes[ACL_WIRE_BYTES];
        struct acl list = LIST(ALLOW(0, ACE_EVERYONE, 0, R));
        struct attr_set set = given(&list, 02777, bytes);
        struct user_fh file = alices(0600);

        (void)state;
        assert_int_equal(user_setattr(&alice, &file, NULL, &set), NFS4_OK);
        assert_int_equal(mode_of(&file), 02444); /* the list is the last word on the nine bits */
}

static void directories_hand_their_lists_on(void **state)
{
        struct user_fh dir, sub, file;

        (void)state;
        assert_int_equal(user_mkdir(&alice, &all, "dir", 0700, &dir), NFS4_OK);
        assert_int_equal(set_acl(&alice, &dir,
                                 LIST(ALLOW(0, ACE_OWNER, 0, R | W | X | ACE4_DELETE_CHILD),
                                      ALLOW(FD, ACE_ID, 200, R | W | X))),
                         NFS4_OK);
        assert_int_equal(user_mkdir(&alice, &dir, "sub", 0770, &sub), NFS4_OK);
        assert_int_equal(user_access(&bob, &sub),
                         ACCESS4_READ | ACCESS4_LOOKUP | ACCESS4_MODIFY | ACCESS4_EXTEND);
        assert_int_equal(user_touch(&alice, &sub, "file", 0660, &file), NFS4_OK);
        assert_int_equal(mode_of(&file), 0660);
        assert_int_equal(user_access(&bob, &file), ACCESS4_READ | ACCESS4_MODIFY | ACCESS4_EXTEND);
        /* A mode without the group's bits bounds what is inherited. */
        assert_int_equal(user_touch(&alice, &sub, "private", 0600, &file), NFS4_OK);
        assert_int_equal(user_access(&bob, &file), 0);
        /* Outside nothing is inherited. */
        assert_int_equal(user_touch(&alice, &all, "outside", 0660, &file), NFS4_OK);
        assert_int_equal(user_access(&bob, &file), 0);
}

/* RFC 8275: the umask counts only where nothing is inherited. */
static void an_inherited_list_stands_in_the_place_of_the_umask(void **state)
{
        struct attr_set set = { .mode_unmasked = 0777, .mode = 0777 & ~077u };
        struct user_fh dir, sub;

        (void)state;
        assert_int_equal(user_mkdir(&alice, &all, "dir", 0700, &dir), NFS4_OK);
        assert_int_equal(set_acl(&alice, &dir,
                                 LIST(ALLOW(FD, ACE_OWNER, 0, R | W | X), ALLOW(FD, ACE_ID, 200, R | X))),
                         NFS4_OK);
        bitmap_set(&set.mask, FATTR4_MODE_UMASK);
        for (int i = 0; i < 2; i++) {
                user_begin(&alice);
                user_putfh(&alice, i == 0 ? &dir : &all);
                xdr_put_u32(user_op(&alice, OP_CREATE), NF4DIR);
                xdr_put_string(alice.x, "sub");
                user_put_attrs(alice.x, &set);
                assert_int_equal(user_call(&alice), NFS4_OK);
                assert_int_equal(user_lookup(&alice, i == 0 ? &dir : &all, "sub", &sub), NFS4_OK);
                assert_int_equal(user_access(&bob, &sub), i == 0 ? ACCESS4_READ | ACCESS4_LOOKUP : 0);
                assert_int_equal(mode_of(&sub), 0700);
        }
        assert_int_equal(user_setattr(&alice, &sub, NULL, &set), NFS4ERR_INVAL);
}

static void a_create_may_bring_a_list(void **state)
{
        uint8_t bytes[ACL_WIRE_BYTES];
        struct acl list = LIST(ALLOW(0, ACE_OWNER, 0, R | W | X), ALLOW(0, ACE_ID, 200, R | X));
        struct attr_set set = given(&list, -1, bytes);
        struct user_fh sub;

        (void)state;
        user_begin(&alice);
        user_putfh(&alice, &all);
        xdr_put_u32(user_op(&alice, OP_CREATE), NF4DIR);
        xdr_put_string(alice.x, "sub");
        user_put_attrs(alice.x, &set);
        assert_int_equal(user_call(&alice), NFS4_OK);
        assert_int_equal(user_lookup(&alice, &all, "sub", &sub), NFS4_OK);
        is(&sub, list);
        assert_int_equal(mode_of(&sub), 0700);
        assert_int_equal(user_access(&bob, &sub), ACCESS4_READ | ACCESS4_LOOKUP);
}

static void adding_and_removing_names_are_different_rights(void **state)
{
        struct user_fh dir, file;

        (void)state;
        assert_int_equal(user_mkdir(&alice, &all, "dir", 0755, &dir), NFS4_OK);
        assert_int_equal(set_acl(&alice, &dir,
                                 LIST(ALLOW(0, ACE_OWNER, 0, R | W | X | ACE4_DELETE_CHILD),
                                      ALLOW(0, ACE_ID, 200, R | X | ACE4_WRITE_DATA))),
                         NFS4_OK);
        assert_int_equal(user_access(&bob, &dir), ACCESS4_READ | ACCESS4_LOOKUP | ACCESS4_MODIFY);
        assert_int_equal(user_touch(&bob, &dir, "file", 0644, &file), NFS4_OK);
        assert_int_equal(user_mkdir(&bob, &dir, "sub", 0755, NULL), NFS4ERR_ACCESS);
        assert_int_equal(user_remove(&bob, &dir, "file"), NFS4ERR_ACCESS);
        assert_int_equal(user_rename(&bob, &dir, "file", &all, "file"), NFS4ERR_ACCESS);
        /* Who may delete the file itself may do so wherever he can go. */
        assert_int_equal(set_acl(&bob, &file, LIST(ALLOW(0, ACE_ID, 200, R | W | ACE4_DELETE))), NFS4_OK);
        assert_int_equal(user_rename(&bob, &dir, "file", &dir, "other"), NFS4_OK);
        assert_int_equal(user_remove(&bob, &dir, "other"), NFS4_OK);
}

static void what_a_list_may_not_be(void **state)
{
        struct acl longest = { .count = ACL_ACES };
        struct user_fh file = alices(0600), link;

        (void)state;
        assert_int_equal(set_acl(&alice, &file, LIST(ALLOW(FD, ACE_ID, 200, R))), NFS4ERR_INVAL);
        assert_int_equal(user_symlink(&su, &root, "l", "x"), NFS4_OK);
        assert_int_equal(user_lookup(&su, &root, "l", &link), NFS4_OK);
        assert_int_equal(set_acl(&su, &link, LIST(ALLOW(0, ACE_ID, 200, R))), NFS4ERR_ATTRNOTSUPP);
        for (uint32_t i = 0; i < ACL_ACES; i++)
                longest.aces[i] = (struct ace)ALLOW(0, ACE_ID, 1000000000 + i, R);
        assert_int_equal(set_acl(&alice, &file, longest), NFS4_OK);
        is(&file, longest);
        assert_int_equal(set_mode(&alice, &file, 0640), NFS4_OK); /* no room for what the mode adds */
        assert_int_equal(mode_of(&file), 0640);
        assert_int_equal(set_acl(&alice, &file, LIST({ 0 })), NFS4_OK);
}

static void a_list_is_not_data(void **state)
{
        struct user_fh file = alices(0644);
        struct user_attrs before, after;

        (void)state;
        assert_int_equal(user_getattr(&su, &file, &before), NFS4_OK);
        mds_lab_run_ms(&lab, 5);
        assert_int_equal(set_acl(&alice, &file, LIST(ALLOW(0, ACE_ID, 200, R))), NFS4_OK);
        assert_int_equal(user_getattr(&su, &file, &after), NFS4_OK);
        assert_true(after.change > before.change && after.ctime > before.ctime);
        assert_int_equal(after.mtime, before.mtime);
        assert_int_equal(after.mode, 0);
        /* Its owner gets it back, also when it says nothing of him. */
        assert_int_equal(opens(&alice, &file, OPEN4_SHARE_ACCESS_READ), NFS4ERR_ACCESS);
        assert_int_equal(set_mode(&alice, &file, 0600), NFS4_OK);
        assert_int_equal(opens(&alice, &file, OPEN4_SHARE_ACCESS_READ), NFS4_OK);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(a_file_without_a_list_says_its_mode_as_one),
                CASE(a_list_is_kept_and_asked),
                CASE(who_is_denied_first_is_denied),
                CASE(a_list_sets_the_mode_and_a_mode_the_list),
                CASE(both_at_once),
                CASE(directories_hand_their_lists_on),
                CASE(an_inherited_list_stands_in_the_place_of_the_umask),
                CASE(a_create_may_bring_a_list),
                CASE(adding_and_removing_names_are_different_rights),
                CASE(what_a_list_may_not_be),
                CASE(a_list_is_not_data),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
