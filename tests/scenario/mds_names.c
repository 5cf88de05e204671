/* SPDX-License-Identifier: Apache-2.0 */
/* Names come, move and go as POSIX says. RFC 8881 §18.4, §18.9, §18.13, §18.14, §18.25, §18.26. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lab/mds_lab.h"

static struct mds_lab lab;
static struct user u;
static struct user_fh root;

static int setup(void **state)
{
        (void)state;
        mds_lab_start(&lab, NULL);
        user_start(&u, &lab, "client", 1, 0, 0);
        root = user_root(&u);
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

        assert_int_equal(user_getattr(&u, fh, &a), NFS4_OK);
        return a;
}

static void directories_count_their_directories(void **state)
{
        struct user_fh a, b, found;

        (void)state;
        assert_int_equal(user_mkdir(&u, &root, "a", 0755, &a), NFS4_OK);
        assert_int_equal(user_mkdir(&u, &a, "b", 0700, &b), NFS4_OK);
        assert_int_equal(user_mkdir(&u, &a, "b", 0700, NULL), NFS4ERR_EXIST);
        assert_int_equal(attrs(&root).links, 3);
        assert_int_equal(attrs(&a).links, 3);
        assert_int_equal(attrs(&b).mode, 0700);
        assert_int_equal(user_lookup(&u, &a, "b", &found), NFS4_OK);
        assert_memory_equal(&found, &b, sizeof(b));
        assert_int_equal(user_lookup(&u, &a, "c", NULL), NFS4ERR_NOENT);
        assert_int_equal(user_remove(&u, &root, "a"), NFS4ERR_NOTEMPTY);
        assert_int_equal(user_remove(&u, &a, "b"), NFS4_OK);
        assert_int_equal(user_remove(&u, &a, "b"), NFS4ERR_NOENT);
        assert_int_equal(user_lookup(&u, &b, "x", NULL), NFS4ERR_STALE);
        assert_int_equal(user_remove(&u, &root, "a"), NFS4_OK);
        assert_int_equal(attrs(&root).links, 2);
}

static void names_that_are_no_names(void **state)
{
        char longest[257] = { 0 };

        (void)state;
        memset(longest, 'n', 256);
        assert_int_equal(user_mkdir(&u, &root, longest, 0755, NULL), NFS4ERR_NAMETOOLONG);
        assert_int_equal(user_mkdir(&u, &root, longest + 1, 0755, NULL), NFS4_OK);
        assert_int_equal(user_mkdir(&u, &root, "", 0755, NULL), NFS4ERR_INVAL);
        assert_int_equal(user_mkdir(&u, &root, "..", 0755, NULL), NFS4ERR_BADNAME);
        assert_int_equal(user_lookup(&u, &root, ".", NULL), NFS4ERR_BADNAME);
        assert_int_equal(user_lookup(&u, &root, "a/b", NULL), NFS4ERR_BADCHAR);
        assert_int_equal(user_remove(&u, &root, longest), NFS4ERR_NAMETOOLONG);
}

static void lookup_goes_through_directories_only(void **state)
{
        struct user_fh file, link;

        (void)state;
        assert_int_equal(user_touch(&u, &root, "file", 0644, &file), NFS4_OK);
        assert_int_equal(user_symlink(&u, &root, "link", "file"), NFS4_OK);
        assert_int_equal(user_lookup(&u, &root, "link", &link), NFS4_OK);
        assert_int_equal(attrs(&link).size, 4);
        assert_int_equal(attrs(&link).mode, 0777);
        assert_int_equal(user_lookup(&u, &file, "x", NULL), NFS4ERR_NOTDIR);
        assert_int_equal(user_lookup(&u, &link, "x", NULL), NFS4ERR_SYMLINK);
        assert_int_equal(user_mkdir(&u, &link, "x", 0755, NULL), NFS4ERR_NOTDIR);
}

static void symlinks_keep_their_bytes(void **state)
{
        struct user_fh link, file;

        (void)state;
        assert_int_equal(user_symlink(&u, &root, "link", "../no\xff/where"), NFS4_OK);
        assert_int_equal(user_symlink(&u, &root, "none", ""), NFS4ERR_INVAL);
        assert_int_equal(user_lookup(&u, &root, "link", &link), NFS4_OK);
        assert_true(slice_equal(user_readlink(&u, &link), slice_str("../no\xff/where")));
        assert_int_equal(user_touch(&u, &root, "file", 0644, &file), NFS4_OK);
        user_readlink(&u, &file);
        assert_int_equal(u.status, NFS4ERR_WRONG_TYPE);
}

static enum nfsstat4 lookupp(const struct user_fh *fh, struct user_fh *ret)
{
        struct slice bytes;

        user_begin(&u);
        user_putfh(&u, fh);
        user_op(&u, OP_LOOKUPP);
        user_op(&u, OP_GETFH);
        if (user_call(&u) != NFS4_OK)
                return u.status;
        user_result(&u, OP_PUTFH);
        user_result(&u, OP_LOOKUPP);
        user_result(&u, OP_GETFH);
        bytes = xdr_get_opaque(&u.in, USER_FH);
        memcpy(ret->bytes, bytes.data, USER_FH);
        return NFS4_OK;
}

static void up_from_a_directory(void **state)
{
        struct user_fh a, b, up, file;

        (void)state;
        assert_int_equal(user_mkdir(&u, &root, "a", 0755, &a), NFS4_OK);
        assert_int_equal(user_mkdir(&u, &a, "b", 0755, &b), NFS4_OK);
        assert_int_equal(user_touch(&u, &a, "file", 0644, &file), NFS4_OK);
        assert_int_equal(lookupp(&b, &up), NFS4_OK);
        assert_memory_equal(&up, &a, sizeof(a));
        assert_int_equal(lookupp(&root, &up), NFS4ERR_NOENT);
        assert_int_equal(lookupp(&file, &up), NFS4ERR_NOTDIR);
        assert_int_equal(user_rename(&u, &a, "b", &root, "b"), NFS4_OK);
        assert_int_equal(lookupp(&b, &up), NFS4_OK);
        assert_memory_equal(&up, &root, sizeof(root));
}

static void the_public_handle_is_the_root(void **state)
{
        struct slice fh;

        (void)state;
        user_begin(&u);
        user_op(&u, OP_PUTPUBFH);
        user_op(&u, OP_GETFH);
        assert_int_equal(user_call(&u), NFS4_OK);
        user_result(&u, OP_PUTPUBFH);
        user_result(&u, OP_GETFH);
        fh = xdr_get_opaque(&u.in, NFS4_FHSIZE);
        assert_int_equal(fh.length, sizeof(root));
        assert_memory_equal(fh.data, &root, sizeof(root));
}

static void hard_links(void **state)
{
        struct user_fh file, dir, found;

        (void)state;
        assert_int_equal(user_touch(&u, &root, "file", 0644, &file), NFS4_OK);
        assert_int_equal(user_mkdir(&u, &root, "dir", 0755, &dir), NFS4_OK);
        assert_int_equal(user_link(&u, &file, &dir, "second"), NFS4_OK);
        assert_int_equal(attrs(&file).links, 2);
        assert_int_equal(user_link(&u, &file, &dir, "second"), NFS4ERR_EXIST);
        assert_int_equal(user_link(&u, &dir, &root, "x"), NFS4ERR_ISDIR);
        assert_int_equal(user_link(&u, &file, &file, "x"), NFS4ERR_NOTDIR);
        assert_int_equal(user_lookup(&u, &dir, "second", &found), NFS4_OK);
        assert_memory_equal(&found, &file, sizeof(file));
        assert_int_equal(user_remove(&u, &root, "file"), NFS4_OK);
        assert_int_equal(attrs(&file).links, 1);
        assert_int_equal(user_remove(&u, &dir, "second"), NFS4_OK);
        assert_int_equal(user_lookup(&u, &file, "x", NULL), NFS4ERR_STALE);
}

static void set_links(uint64_t fileid, uint32_t links)
{
        struct txn *t = txn_begin(lab.mds.meta);
        uint64_t seq;

        txn_edit(t, fileid)->nlink = links;
        assert_int_equal(txn_commit(t, &seq), 0);
}

static void a_file_has_so_many_links(void **state)
{
        struct user_fh file;
        uint64_t fileid;

        (void)state;
        assert_int_equal(user_touch(&u, &root, "file", 0644, &file), NFS4_OK);
        fileid = attrs(&file).fileid;
        set_links(fileid, 65000);
        assert_int_equal(user_link(&u, &file, &root, "one too many"), NFS4ERR_MLINK);
        set_links(fileid, 64999);
        assert_int_equal(user_link(&u, &file, &root, "the last"), NFS4_OK);
        set_links(fileid, 2);
}

static void rename_of_one_file_to_itself_does_nothing(void **state)
{
        struct user_fh file;
        struct user_attrs before, after;

        (void)state;
        assert_int_equal(user_touch(&u, &root, "one", 0644, &file), NFS4_OK);
        assert_int_equal(user_link(&u, &file, &root, "two"), NFS4_OK);
        before = attrs(&root);
        assert_int_equal(user_rename(&u, &root, "one", &root, "two"), NFS4_OK);
        assert_int_equal(user_rename(&u, &root, "one", &root, "one"), NFS4_OK);
        after = attrs(&root);
        assert_int_equal(before.change, after.change);
        assert_int_equal(attrs(&file).links, 2);
}

static void rename_takes_the_place_of_its_like(void **state)
{
        struct user_fh a, b, c, file, other, found;

        (void)state;
        assert_int_equal(user_mkdir(&u, &root, "a", 0755, &a), NFS4_OK);
        assert_int_equal(user_mkdir(&u, &root, "b", 0755, &b), NFS4_OK);
        assert_int_equal(user_mkdir(&u, &b, "c", 0755, &c), NFS4_OK);
        assert_int_equal(user_touch(&u, &root, "file", 0644, &file), NFS4_OK);
        assert_int_equal(user_touch(&u, &a, "other", 0644, &other), NFS4_OK);
        assert_int_equal(user_rename(&u, &root, "file", &root, "a"), NFS4ERR_EXIST);
        assert_int_equal(user_rename(&u, &root, "a", &root, "file"), NFS4ERR_EXIST);
        assert_int_equal(user_rename(&u, &root, "a", &root, "b"), NFS4ERR_NOTEMPTY);
        assert_int_equal(user_rename(&u, &root, "file", &a, "other"), NFS4_OK);
        assert_int_equal(user_lookup(&u, &a, "other", &found), NFS4_OK);
        assert_memory_equal(&found, &file, sizeof(file));
        assert_int_equal(user_lookup(&u, &other, "x", NULL), NFS4ERR_STALE);
        assert_int_equal(user_rename(&u, &root, "a", &b, "c"), NFS4_OK); /* onto an empty directory */
        assert_int_equal(user_lookup(&u, &c, "x", NULL), NFS4ERR_STALE);
        assert_int_equal(attrs(&root).links, 3);
        assert_int_equal(attrs(&b).links, 3);
}

static void no_directory_into_itself(void **state)
{
        struct user_fh a, b;

        (void)state;
        assert_int_equal(user_mkdir(&u, &root, "a", 0755, &a), NFS4_OK);
        assert_int_equal(user_mkdir(&u, &a, "b", 0755, &b), NFS4_OK);
        assert_int_equal(user_rename(&u, &root, "a", &b, "x"), NFS4ERR_INVAL);
        assert_int_equal(user_rename(&u, &root, "a", &a, "x"), NFS4ERR_INVAL);
        assert_int_equal(user_rename(&u, &a, "b", &root, "a"), NFS4ERR_NOTEMPTY);
}

static void what_create_makes(void **state)
{
        static const uint32_t types[] = { NF4BLK, NF4CHR, NF4SOCK, NF4FIFO };
        char name[2] = "0";

        (void)state;
        for (int i = 0; i < 4; i++, name[0]++) {
                struct user_fh fh;

                user_begin(&u);
                user_putfh(&u, &root);
                xdr_put_u32(user_op(&u, OP_CREATE), types[i]);
                if (types[i] <= NF4CHR)
                        xdr_put_u64(u.x, 8ull << 32 | 1);
                xdr_put_string(u.x, name);
                user_put_attrs(u.x, &(struct attr_set){ 0 });
                assert_int_equal(user_call(&u), NFS4_OK);
                assert_int_equal(user_lookup(&u, &root, name, &fh), NFS4_OK);
                assert_int_equal(attrs(&fh).type, types[i]);
        }
        user_begin(&u);
        user_putfh(&u, &root);
        xdr_put_u32(user_op(&u, OP_CREATE), NF4REG);
        xdr_put_string(u.x, "file");
        user_put_attrs(u.x, &(struct attr_set){ 0 });
        assert_int_equal(user_call(&u), NFS4ERR_BADTYPE);
}

static void change_info_tells_the_directory_s_change(void **state)
{
        struct user_attrs before = attrs(&root), after;
        uint64_t told_before, told_after;

        (void)state;
        user_begin(&u);
        user_putfh(&u, &root);
        xdr_put_u32(user_op(&u, OP_CREATE), NF4DIR);
        xdr_put_string(u.x, "a");
        user_put_attrs(u.x, &(struct attr_set){ 0 });
        assert_int_equal(user_call(&u), NFS4_OK);
        user_result(&u, OP_PUTFH);
        user_result(&u, OP_CREATE);
        assert_true(xdr_get_bool(&u.in));
        told_before = xdr_get_u64(&u.in);
        told_after = xdr_get_u64(&u.in);
        after = attrs(&root);
        assert_int_equal(told_before, before.change);
        assert_int_equal(told_after, after.change);
        assert_true(after.change > before.change);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(directories_count_their_directories),
                TEST(names_that_are_no_names),
                TEST(lookup_goes_through_directories_only),
                TEST(symlinks_keep_their_bytes),
                TEST(up_from_a_directory),
                TEST(the_public_handle_is_the_root),
                TEST(hard_links),
                TEST(a_file_has_so_many_links),
                TEST(rename_of_one_file_to_itself_does_nothing),
                TEST(rename_takes_the_place_of_its_like),
                TEST(no_directory_into_itself),
                TEST(what_create_makes),
                TEST(change_info_tells_the_directory_s_change),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
