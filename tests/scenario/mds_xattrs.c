/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes are kept with files and directories. RFC 8276 §8.2, §8.4, §8.5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nfs4/codec.h"
#include "tests/lab/mds_user_xattrs.h"

static struct mds_lab lab;
static struct user su, alice, bob; /* 0:0, 100:100, 200:200 */
static struct user_fh root;

static void start_users(void)
{
        user_start(&su, &lab, "root", 1, 0, 0);
        user_start(&alice, &lab, "alice", 2, 100, 100);
        user_start(&bob, &lab, "bob", 3, 200, 200);
        root = user_root(&su);
}

static int setup(void **state)
{
        (void)state;
        mds_lab_start(&lab, NULL);
        start_users();
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

/* --- operations */

static enum nfsstat4 put(struct user *u, const struct user_fh *fh, const char *name, const char *value)
{
        return user_setxattr(u, fh, SETXATTR4_EITHER, name, slice_str(value));
}

static void holds(struct user *u, const struct user_fh *fh, const char *name, const char *value)
{
        struct slice got;

        assert_int_equal(user_getxattr(u, fh, name, &got), NFS4_OK);
        assert_true(slice_equal(got, slice_str(value)));
}

struct name_list {
        uint64_t cookie;
        uint32_t count;
        char names[160][256];
        bool eof;
};

static enum nfsstat4 list(struct user *u, const struct user_fh *fh, uint64_t cookie, uint32_t maxcount,
                          struct name_list *ret)
{
        enum nfsstat4 status;

        user_begin(u);
        user_putfh(u, fh);
        xdr_put_u64(user_op(u, OP_LISTXATTRS), cookie);
        xdr_put_u32(u->x, maxcount);
        status = user_call(u);
        if (status != NFS4_OK)
                return status;
        user_result(u, OP_PUTFH);
        user_result(u, OP_LISTXATTRS);
        ret->cookie = xdr_get_u64(&u->in);
        ret->count = xdr_get_count(&u->in, 160, 8);
        for (uint32_t i = 0; i < ret->count; i++) {
                struct slice name = xdr_get_opaque(&u->in, 255);

                memcpy(ret->names[i], name.data, name.length);
                ret->names[i][name.length] = 0;
        }
        ret->eof = xdr_get_bool(&u->in);
        assert_false(u->in.bad);
        return NFS4_OK;
}

static struct user_attrs attrs(const struct user_fh *fh)
{
        struct user_attrs a;

        assert_int_equal(user_getattr(&su, fh, &a), NFS4_OK);
        return a;
}

static uint32_t access_of(struct user *u, const struct user_fh *fh, uint32_t *ret_supported)
{
        user_begin(u);
        user_putfh(u, fh);
        xdr_put_u32(user_op(u, OP_ACCESS), ACCESS4_XAREAD | ACCESS4_XAWRITE | ACCESS4_XALIST);
        assert_int_equal(user_call(u), NFS4_OK);
        user_result(u, OP_PUTFH);
        user_result(u, OP_ACCESS);
        *ret_supported = xdr_get_u32(&u->in);
        return xdr_get_u32(&u->in);
}

static struct user_fh file_of(struct user *u, const char *name, uint32_t mode)
{
        struct user_fh fh;

        assert_int_equal(user_touch(u, &root, name, mode, &fh), NFS4_OK);
        return fh;
}

/* --- behaviour */

static void an_attribute_is_made_replaced_and_removed(void **state)
{
        struct user_fh f = file_of(&su, "f", 0644), d;
        struct slice value;

        (void)state;
        assert_int_equal(user_mkdir(&su, &root, "d", 0755, &d), NFS4_OK);
        assert_int_equal(user_getxattr(&su, &f, "a", &value), NFS4ERR_NOXATTR);
        assert_int_equal(user_removexattr(&su, &f, "a"), NFS4ERR_NOXATTR);
        assert_int_equal(user_setxattr(&su, &f, SETXATTR4_REPLACE, "a", slice_str("1")), NFS4ERR_NOXATTR);
        assert_int_equal(user_setxattr(&su, &f, SETXATTR4_CREATE, "a", slice_str("1")), NFS4_OK);
        assert_int_equal(user_setxattr(&su, &f, SETXATTR4_CREATE, "a", slice_str("2")), NFS4ERR_EXIST);
        holds(&su, &f, "a", "1");
        assert_int_equal(user_setxattr(&su, &f, SETXATTR4_REPLACE, "a", slice_str("")), NFS4_OK);
        holds(&su, &f, "a", "");
        assert_int_equal(put(&su, &d, "a", "of the directory"), NFS4_OK);
        holds(&su, &d, "a", "of the directory");
        assert_int_equal(user_removexattr(&su, &f, "a"), NFS4_OK);
        assert_int_equal(user_getxattr(&su, &f, "a", &value), NFS4ERR_NOXATTR);
        assert_int_equal(user_remove(&su, &root, "f"), NFS4_OK);
        assert_int_equal(user_remove(&su, &root, "d"), NFS4_OK); /* fsck at the end finds nothing left */
}

static void change_and_ctime_move_and_mtime_does_not(void **state)
{
        struct user_fh f = file_of(&su, "f", 0644);
        struct user_attrs before = attrs(&f), after;
        uint64_t told;

        (void)state;
        mds_lab_run_ms(&lab, 5);
        assert_int_equal(put(&su, &f, "a", "1"), NFS4_OK);
        user_result(&su, OP_PUTFH);
        user_result(&su, OP_SETXATTR);
        after = attrs(&f);
        assert_true(after.change > before.change && after.ctime > before.ctime);
        assert_int_equal(after.mtime, before.mtime);
        user_begin(&su);
        user_putfh(&su, &f);
        xdr_put_string(user_op(&su, OP_REMOVEXATTR), "a");
        assert_int_equal(user_call(&su), NFS4_OK);
        user_result(&su, OP_PUTFH);
        user_result(&su, OP_REMOVEXATTR);
        assert_true(xdr_get_bool(&su.in));
        assert_int_equal(xdr_get_u64(&su.in), after.change);
        told = xdr_get_u64(&su.in);
        assert_int_equal(attrs(&f).change, told);
}

static void names_and_values_have_their_limits(void **state)
{
        static uint8_t bytes[XATTR_VALUE_BYTES + 1];
        struct user_fh f = file_of(&su, "f", 0644);
        char name[XATTR_NAME_BYTES + 2] = { 0 };
        struct slice value;

        (void)state;
        memset(name, 'n', sizeof(name) - 1);
        memset(bytes, 'v', sizeof(bytes));
        assert_int_equal(put(&su, &f, name, "x"), NFS4ERR_NAMETOOLONG);
        assert_int_equal(user_getxattr(&su, &f, name, &value), NFS4ERR_NAMETOOLONG);
        assert_int_equal(put(&su, &f, "", "x"), NFS4ERR_INVAL);
        assert_int_equal(put(&su, &f, name + 1, "x"), NFS4_OK);
        holds(&su, &f, name + 1, "x");
        assert_int_equal(user_setxattr(&su, &f, 0, "big", slice_of(bytes, sizeof(bytes))), NFS4ERR_XATTR2BIG);
        assert_int_equal(user_setxattr(&su, &f, 0, "big", slice_of(bytes, sizeof(bytes) - 1)), NFS4_OK);
        assert_int_equal(user_getxattr(&su, &f, "big", &value), NFS4_OK);
        assert_true(slice_equal(value, slice_of(bytes, sizeof(bytes) - 1)));
        assert_int_equal(user_setxattr(&su, &f, 0, "also", slice_of(bytes, sizeof(bytes) - 1)),
                         NFS4ERR_NOSPC);
        assert_int_equal(user_setxattr(&su, &f, 3, "bad", slice_str("x")), NFS4ERR_BADXDR);
}

static void lists_come_in_pieces(void **state)
{
        static struct name_list all, piece;
        struct user_fh f = file_of(&su, "f", 0644);
        uint32_t seen = 0;
        char name[32];

        (void)state;
        assert_int_equal(list(&su, &f, 0, 16, &all), NFS4_OK);
        assert_true(all.count == 0 && all.eof);
        assert_int_equal(list(&su, &f, 0, 15, &all), NFS4ERR_TOOSMALL);
        for (int i = 0; i < XATTRS_MAX; i++) {
                snprintf(name, sizeof(name), "number-%03d", i);
                assert_int_equal(put(&su, &f, name, "x"), NFS4_OK);
        }
        assert_int_equal(put(&su, &f, "one-more", "x"), NFS4ERR_NOSPC);
        assert_int_equal(list(&su, &f, 0, 65536, &all), NFS4_OK);
        assert_true(all.count == XATTRS_MAX && all.eof);
        assert_int_equal(list(&su, &f, 0, 16 + 15, &piece), NFS4ERR_TOOSMALL);
        piece = (struct name_list){ 0 };
        while (!piece.eof) {
                assert_int_equal(list(&su, &f, piece.cookie, 16 + 3 * 16 + 4, &piece), NFS4_OK);
                assert_true(piece.count == 3 || piece.eof);
                for (uint32_t i = 0; i < piece.count; i++)
                        assert_string_equal(piece.names[i], all.names[seen++]);
        }
        assert_int_equal(seen, XATTRS_MAX);
}

static void who_may_read_and_write_the_file_may(void **state)
{
        struct user_fh dir, f, sticky;
        struct slice value;
        struct name_list names;
        uint32_t supported;

        (void)state;
        assert_int_equal(user_mkdir(&su, &root, "all", 0777, &dir), NFS4_OK);
        assert_int_equal(user_touch(&alice, &dir, "f", 0640, &f), NFS4_OK);
        assert_int_equal(put(&alice, &f, "a", "1"), NFS4_OK);
        assert_int_equal(put(&bob, &f, "a", "2"), NFS4ERR_ACCESS);
        assert_int_equal(user_removexattr(&bob, &f, "a"), NFS4ERR_ACCESS);
        assert_int_equal(user_getxattr(&bob, &f, "a", &value), NFS4ERR_ACCESS);
        assert_int_equal(list(&bob, &f, 0, 4096, &names), NFS4ERR_ACCESS);
        assert_int_equal(access_of(&bob, &f, &supported), 0);
        assert_int_equal(supported, ACCESS4_XAREAD | ACCESS4_XAWRITE | ACCESS4_XALIST);
        assert_int_equal(access_of(&alice, &f, &supported), supported);
        assert_int_equal(user_mkdir(&su, &root, "tmp", 01777, &sticky), NFS4_OK);
        assert_int_equal(put(&bob, &sticky, "a", "1"), NFS4ERR_PERM);
        assert_int_equal(access_of(&bob, &sticky, &supported), ACCESS4_XAREAD | ACCESS4_XALIST);
        assert_int_equal(put(&bob, &dir, "a", "1"), NFS4_OK);
}

static void only_files_and_directories_have_them(void **state)
{
        struct user_fh link;
        struct slice value;
        uint32_t supported;

        (void)state;
        assert_int_equal(user_symlink(&su, &root, "l", "x"), NFS4_OK);
        assert_int_equal(user_lookup(&su, &root, "l", &link), NFS4_OK);
        assert_int_equal(put(&su, &link, "a", "1"), NFS4ERR_WRONG_TYPE);
        assert_int_equal(user_getxattr(&su, &link, "a", &value), NFS4ERR_WRONG_TYPE);
        assert_int_equal(access_of(&su, &link, &supported), 0);
        assert_int_equal(supported, 0);
}

static void what_was_acknowledged_is_there_after_a_crash(void **state)
{
        struct user_fh f = file_of(&su, "f", 0644);
        struct slice value;

        (void)state;
        assert_int_equal(put(&su, &f, "a", "1"), NFS4_OK);
        assert_int_equal(put(&su, &f, "b", "1"), NFS4_OK);
        assert_int_equal(user_removexattr(&su, &f, "b"), NFS4_OK);
        mds_lab_restart(&lab, true);
        start_users();
        holds(&su, &f, "a", "1");
        assert_int_equal(user_getxattr(&su, &f, "b", &value), NFS4ERR_NOXATTR);
}

/* It lives as long as somebody has it open, and goes with its attributes. */
static void an_open_file_without_a_name_keeps_them(void **state)
{
        struct user_open o = USER_CREATE(.how = UNCHECKED4);
        struct slice value;

        (void)state;
        assert_int_equal(user_open(&su, &root, "f", &o), NFS4_OK);
        assert_int_equal(put(&su, &o.fh, "a", "1"), NFS4_OK);
        assert_int_equal(user_remove(&su, &root, "f"), NFS4_OK);
        holds(&su, &o.fh, "a", "1");
        assert_int_equal(user_close(&su, &o.fh, &o.stateid), NFS4_OK);
        assert_int_equal(user_getxattr(&su, &o.fh, "a", &value), NFS4ERR_STALE);
}

static bool offers_xattrs(struct user *u)
{
        struct bitmap4 asked = { 0 }, given, supported;
        bool told;

        bitmap_set(&asked, FATTR4_SUPPORTED_ATTRS);
        bitmap_set(&asked, FATTR4_XATTR_SUPPORT);
        user_begin(u);
        user_putfh(u, &root);
        user_op(u, OP_GETATTR);
        put_bitmap(u->x, &asked);
        assert_int_equal(user_call(u), NFS4_OK);
        user_result(u, OP_PUTFH);
        user_result(u, OP_GETATTR);
        get_bitmap(&u->in, &given);
        xdr_get_u32(&u->in);
        get_bitmap(&u->in, &supported);
        told = bitmap_has(&given, FATTR4_XATTR_SUPPORT);
        assert_int_equal(told, bitmap_has(&supported, FATTR4_XATTR_SUPPORT));
        return told && xdr_get_bool(&u->in);
}

static void minor_version_1_knows_nothing_of_them(void **state)
{
        struct user_fh f = file_of(&su, "f", 0644);
        uint32_t supported;

        (void)state;
        assert_true(offers_xattrs(&su));
        su.minor = 1;
        assert_false(offers_xattrs(&su));
        assert_int_equal(access_of(&su, &f, &supported), 0);
        assert_int_equal(supported, 0);
        user_begin(&su);
        user_putfh(&su, &f);
        xdr_put_string(user_op(&su, OP_GETXATTR), "a");
        assert_int_equal(user_call(&su), NFS4ERR_OP_ILLEGAL);
}

static void a_read_only_export_is_read_only(void **state)
{
        static const char exports[] =
                "exports:\n  - path: /ro\n    rules:\n      - clients: '*'\n        access: ro\n        squash: none\n";
        struct user_fh dir;
        struct slice value;
        struct name_list names;
        uint32_t supported;

        (void)state;
        mds_lab_stop(&lab);
        mds_lab_start(&lab, exports);
        start_users();
        assert_int_equal(user_lookup(&su, &root, "ro", &dir), NFS4_OK);
        assert_int_equal(put(&su, &dir, "a", "1"), NFS4ERR_ROFS);
        assert_int_equal(user_removexattr(&su, &dir, "a"), NFS4ERR_ROFS);
        assert_int_equal(access_of(&su, &dir, &supported), ACCESS4_XAREAD | ACCESS4_XALIST);
        /* The way to the exports has none, and says so. */
        assert_int_equal(put(&su, &root, "a", "1"), NFS4ERR_ROFS);
        assert_int_equal(user_getxattr(&su, &root, "a", &value), NFS4ERR_NOXATTR);
        assert_int_equal(list(&su, &root, 0, 4096, &names), NFS4_OK);
        assert_true(names.count == 0 && names.eof);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(an_attribute_is_made_replaced_and_removed),
                CASE(change_and_ctime_move_and_mtime_does_not),
                CASE(names_and_values_have_their_limits),
                CASE(lists_come_in_pieces),
                CASE(who_may_read_and_write_the_file_may),
                CASE(only_files_and_directories_have_them),
                CASE(what_was_acknowledged_is_there_after_a_crash),
                CASE(an_open_file_without_a_name_keeps_them),
                CASE(minor_version_1_knows_nothing_of_them),
                CASE(a_read_only_export_is_read_only),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
