/* SPDX-License-Identifier: Apache-2.0 */
/* Several exports form one pseudo file system: ways in and out, file systems of their own, rules by client
 * and flavour, squashing. RFC 8881 §7.3, §7.7, §2.6, §5.8.2.23, §18.29. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/ns/prepare.h"
#include "nfs4/codec.h"
#include "tests/lab/mds_lab.h"

static const char exports[] =
        "exports:\n"
        "  - path: /pub/data\n    id: 7\n    rules:\n"
        "      - clients: 192.0.2.1\n        access: rw\n        squash: none\n"
        "      - clients: '*'\n        access: ro\n        squash: all\n"
        "  - path: /pub/none\n    id: 8\n    rules:\n"
        "      - clients: 192.0.2.1\n        access: rw\n        squash: none\n        sec: none\n"
        "  - path: /home\n    id: 9\n    rules:\n"
        "      - clients: 192.0.2.0/24\n        access: rw\n        squash: root\n"
        "        anonuid: 1234\n        anongid: 1235\n        pnfs: off\n";

static struct mds_lab lab;
static struct user su, guest; /* 192.0.2.1, and 192.0.2.9: root both */
static struct user_fh root, pub, data, home;

static int setup(void **state)
{
        (void)state;
        mds_lab_start(&lab, exports);
        user_start(&su, &lab, "root", 1, 0, 0);
        user_start(&guest, &lab, "guest", 9, 0, 0);
        root = user_root(&su);
        assert_int_equal(user_lookup(&su, &root, "pub", &pub), NFS4_OK);
        assert_int_equal(user_lookup(&su, &pub, "data", &data), NFS4_OK);
        assert_int_equal(user_lookup(&su, &root, "home", &home), NFS4_OK);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

static struct user_attrs attrs(const struct user_fh *fh)
{
        struct user_attrs a;

        assert_int_equal(user_getattr(&su, fh, &a), NFS4_OK);
        return a;
}

static enum nfsstat4 lookupp(const struct user_fh *fh, struct user_fh *ret)
{
        struct slice bytes;

        user_begin(&su);
        user_putfh(&su, fh);
        user_op(&su, OP_LOOKUPP);
        user_op(&su, OP_GETFH);
        if (user_call(&su) != NFS4_OK)
                return su.status;
        user_result(&su, OP_PUTFH);
        user_result(&su, OP_LOOKUPP);
        user_result(&su, OP_GETFH);
        bytes = xdr_get_opaque(&su.in, USER_FH);
        memcpy(ret->bytes, bytes.data, USER_FH);
        return NFS4_OK;
}

static void file_systems_of_their_own(void **state)
{
        struct user_attrs top = attrs(&root), inner = attrs(&pub), export = attrs(&data),
                          other = attrs(&home);

        (void)state;
        assert_int_equal(top.type, NF4DIR);
        assert_int_equal(top.fsid_minor, 0);
        assert_int_equal(inner.fsid_minor, 0);
        assert_int_equal(export.fsid_minor, 7);
        assert_int_equal(other.fsid_minor, 9);
        assert_int_equal(top.fsid_major, export.fsid_major);
        assert_int_equal(inner.mounted_on, inner.fileid);
        assert_true(export.mounted_on != export.fileid); /* what lies below the mount point */
        assert_int_equal(top.links, 4);
        assert_int_equal(top.mode, 0555);
}

static void up_and_down_again(void **state)
{
        struct user_fh up, sub;

        (void)state;
        assert_int_equal(lookupp(&data, &up), NFS4_OK);
        assert_memory_equal(&up, &pub, sizeof(up));
        assert_int_equal(lookupp(&pub, &up), NFS4_OK);
        assert_memory_equal(&up, &root, sizeof(up));
        assert_int_equal(lookupp(&root, &up), NFS4ERR_NOENT);
        assert_int_equal(user_mkdir(&su, &data, "sub", 0755, &sub), NFS4_OK);
        assert_int_equal(lookupp(&sub, &up), NFS4_OK);
        assert_memory_equal(&up, &data, sizeof(up));
        assert_int_equal(attrs(&sub).mounted_on, attrs(&sub).fileid);
        assert_int_equal(user_lookup(&su, &root, "nothing", NULL), NFS4ERR_NOENT);
}

static uint32_t list(struct user *u, const struct user_fh *dir, char names[8][32], uint64_t fsids[8],
                     uint64_t mounted_on[8])
{
        struct bitmap4 asked = { 0 }, given;
        uint32_t n = 0;

        bitmap_set(&asked, FATTR4_FSID);
        bitmap_set(&asked, FATTR4_RDATTR_ERROR);
        bitmap_set(&asked, FATTR4_MOUNTED_ON_FILEID);
        user_begin(u);
        user_putfh(u, dir);
        xdr_put_u64(user_op(u, OP_READDIR), 0);
        xdr_put_u64(u->x, 0);
        xdr_put_u32(u->x, 0);
        xdr_put_u32(u->x, 65536);
        put_bitmap(u->x, &asked);
        assert_int_equal(user_call(u), NFS4_OK);
        user_result(u, OP_PUTFH);
        user_result(u, OP_READDIR);
        xdr_get_u64(&u->in);
        for (; xdr_get_bool(&u->in); n++) {
                struct slice name;

                assert_int_equal(xdr_get_u64(&u->in) >> 62, 1); /* cookies of nodes */
                name = xdr_get_opaque(&u->in, 31);
                memcpy(names[n], name.data, name.length);
                names[n][name.length] = '\0';
                get_bitmap(&u->in, &given);
                xdr_get_u32(&u->in);
                if (bitmap_has(&given, FATTR4_FSID)) {
                        xdr_get_u64(&u->in);
                        fsids[n] = xdr_get_u64(&u->in);
                }
                assert_true(bitmap_has(&given, FATTR4_RDATTR_ERROR));
                if (xdr_get_u32(&u->in) != NFS4_OK)
                        fsids[n] = UINT64_MAX;
                mounted_on[n] = xdr_get_u64(&u->in);
        }
        assert_true(xdr_get_bool(&u->in));
        assert_false(u->in.bad);
        return n;
}

static void listing_crosses_the_border(void **state)
{
        char names[8][32];
        uint64_t fsids[8], mounted_on[8];
        uint32_t n = list(&su, &pub, names, fsids, mounted_on);

        (void)state;
        assert_int_equal(n, 2);
        for (uint32_t i = 0; i < n; i++) {
                bool is_data = strcmp(names[i], "data") == 0;

                assert_true(is_data || strcmp(names[i], "none") == 0);
                assert_int_equal(fsids[i],
                                 is_data ? 7 : UINT64_MAX); /* another flavour is asked for: rdattr_error */
                if (is_data)
                        assert_int_equal(mounted_on[i], attrs(&data).mounted_on);
        }
        assert_int_equal(list(&guest, &pub, names, fsids, mounted_on), 1); /* what one may not see at all */
        assert_string_equal(names[0], "data");
}

static void the_pseudo_file_system_is_read_only(void **state)
{
        (void)state;
        assert_int_equal(user_mkdir(&su, &root, "x", 0755, NULL), NFS4ERR_ROFS);
        assert_int_equal(user_mkdir(&su, &root, "home", 0755, NULL), NFS4ERR_EXIST);
        assert_int_equal(user_touch(&su, &pub, "x", 0644, NULL), NFS4ERR_ROFS);
        assert_int_equal(user_remove(&su, &root, "home"), NFS4ERR_ROFS);
        assert_int_equal(user_remove(&su, &root, "x"), NFS4ERR_NOENT);
        assert_int_equal(user_rename(&su, &root, "home", &root, "x"), NFS4ERR_ROFS);
        assert_int_equal(user_open(&su, &root, "home", &USER_OPEN()), NFS4ERR_ISDIR);
        assert_int_equal(user_access(&su, &root), ACCESS4_READ | ACCESS4_LOOKUP);
        assert_int_equal(user_setattr(&su, &root, NULL,
                                      &(struct attr_set){ .mask.word = { 0, 1u << 1 }, .mode = 0777 }),
                         NFS4ERR_ROFS);
}

static void nothing_moves_from_export_to_export(void **state)
{
        struct user_fh file;

        (void)state;
        assert_int_equal(user_touch(&su, &data, "f", 0644, &file), NFS4_OK);
        assert_int_equal(user_rename(&su, &data, "f", &home, "f"), NFS4ERR_XDEV);
        assert_int_equal(user_rename(&su, &data, "f", &root, "f"), NFS4ERR_XDEV);
        assert_int_equal(user_setattr(&su, &home, NULL,
                                      &(struct attr_set){ .mask.word = { 0, 1u << 1 }, .mode = 0777 }),
                         NFS4ERR_PERM); /* root is squashed there */
}

static void read_only_exports(void **state)
{
        struct user_fh file, theirs;
        struct user_open o = USER_OPEN(.access = OPEN4_SHARE_ACCESS_READ);

        (void)state;
        assert_int_equal(user_touch(&su, &data, "f", 0666, &file), NFS4_OK);
        assert_int_equal(user_lookup(&guest, &pub, "data", &theirs), NFS4_OK);
        assert_memory_equal(&theirs, &data, sizeof(theirs));
        assert_int_equal(user_touch(&guest, &data, "g", 0644, NULL), NFS4ERR_ROFS);
        assert_int_equal(user_mkdir(&guest, &data, "g", 0755, NULL), NFS4ERR_ROFS);
        assert_int_equal(user_remove(&guest, &data, "f"), NFS4ERR_ROFS);
        assert_int_equal(user_open(&guest, &data, "f", &USER_OPEN()), NFS4ERR_ROFS);
        assert_int_equal(user_setattr(&guest, &file, NULL,
                                      &(struct attr_set){ .mask.word = { 1u << FATTR4_SIZE } }),
                         NFS4ERR_ROFS);
        assert_int_equal(user_open(&guest, &data, "f", &o), NFS4_OK);
        assert_int_equal(user_access(&guest, &file), ACCESS4_READ);
}

static void squashing(void **state)
{
        struct user_fh file;
        struct user nobody;

        (void)state;
        assert_int_equal(user_touch(&su, &home, "f", 0644, NULL), NFS4ERR_ACCESS); /* root is 1234 there */
        user_start(&nobody, &lab, "owner of home", 3, 77, 88);
        lab.mds.exports->items[2].rules[0].squash = SQUASH_NONE; /* root gives a directory away */
        assert_int_equal(user_setattr(&su, &home, NULL,
                                      &(struct attr_set){ .mask.word = { 0, 1u << 1 }, .mode = 0777 }),
                         NFS4_OK);
        lab.mds.exports->items[2].rules[0].squash = SQUASH_ROOT;
        assert_int_equal(user_touch(&su, &home, "f", 0644, &file), NFS4_OK);
        assert_int_equal(attrs(&file).uid, 1234);
        assert_int_equal(attrs(&file).gid, 1235);
        assert_int_equal(user_touch(&nobody, &home, "g", 0644, &file), NFS4_OK);
        assert_int_equal(attrs(&file).uid, 77);
        assert_int_equal(attrs(&file).gid, 88);
}

static uint32_t flavours(struct user *u, const struct user_fh *dir, const char *name, uint32_t ret[8])
{
        uint32_t n;

        user_begin(u);
        user_putfh(u, dir);
        xdr_put_string(user_op(u, OP_SECINFO), name);
        assert_int_equal(user_call(u), NFS4_OK);
        user_result(u, OP_PUTFH);
        user_result(u, OP_SECINFO);
        n = xdr_get_u32(&u->in);
        for (uint32_t i = 0; i < n; i++)
                ret[i] = xdr_get_u32(&u->in);
        return n;
}

static void flavours_that_are_asked_for(void **state)
{
        struct user_fh none;
        uint32_t list[8];

        (void)state;
        assert_int_equal(user_lookup(&su, &pub, "none", NULL), NFS4ERR_WRONGSEC);
        assert_int_equal(flavours(&su, &pub, "none", list), 1);
        assert_int_equal(list[0], RPC_AUTH_NONE);
        assert_int_equal(flavours(&su, &pub, "data", list), 1);
        assert_int_equal(list[0], RPC_AUTH_SYS);
        assert_int_equal(user_lookup(&guest, &pub, "none", NULL), NFS4ERR_NOENT);
        su.cred = (struct rpc_cred){ .flavor = RPC_AUTH_NONE };
        assert_int_equal(user_lookup(&su, &pub, "none", &none), NFS4_OK);
        su.cred = (struct rpc_cred){ .flavor = RPC_AUTH_SYS };
        assert_int_equal(user_getattr(&su, &none, &(struct user_attrs){ 0 }),
                         NFS4ERR_WRONGSEC); /* PUTFH says so: §2.6.3.1 */
        user_begin(&su);
        user_putfh(&su, &none);
        xdr_put_u32(user_op(&su, OP_SECINFO_NO_NAME), 0);
        assert_int_equal(user_call(&su), NFS4_OK);
        user_begin(&su);
        user_putfh(&su, &data);
        xdr_put_string(user_op(&su, OP_SECINFO), "f");
        assert_int_equal(user_call(&su), NFS4ERR_NOENT);
        user_begin(&su);
        user_putfh(&su, &pub);
        xdr_put_string(user_op(&su, OP_SECINFO), "data");
        user_op(&su, OP_GETFH);
        assert_int_equal(user_call(&su), NFS4ERR_NOFILEHANDLE); /* SECINFO consumes it */
}

static void an_export_that_is_taken_away(void **state)
{
        static const char less[] =
                "exports:\n  - path: /home\n    id: 9\n    rules:\n      - clients: '*'\n        access: rw\n";
        struct user_attrs before = attrs(&root), a;

        (void)state;
        mds_lab_export(&lab, less);
        assert_int_equal(user_getattr(&su, &data, &a), NFS4ERR_STALE);
        assert_int_equal(user_getattr(&su, &pub, &a), NFS4ERR_STALE);
        assert_int_equal(user_getattr(&su, &home, &a), NFS4_OK);
        assert_int_equal(user_getattr(&su, &root, &a), NFS4_OK);
        assert_true(a.change > before.change);
        assert_int_equal(a.links, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(file_systems_of_their_own),
                TEST(up_and_down_again),
                TEST(listing_crosses_the_border),
                TEST(the_pseudo_file_system_is_read_only),
                TEST(nothing_moves_from_export_to_export),
                TEST(read_only_exports),
                TEST(squashing),
                TEST(flavours_that_are_asked_for),
                TEST(an_export_that_is_taken_away),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
