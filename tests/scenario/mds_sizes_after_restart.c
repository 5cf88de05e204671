/* SPDX-License-Identifier: Apache-2.0 */
/* What was written under layouts that were out when the metadata server died is found at the data servers
 * before anybody sees a size. RFC 8881 §12.7.4, §13.10. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/pnfs/size.h"
#include "mds/store/fsck.h"
#include "nfs4/codec.h"
#include "tests/lab/mds_lab.h"

enum { FILES = 50 };
#define VERIFIER 0x1122334455667788 /* user_start()'s */

static struct mds_lab lab;
static struct user u;
static struct user_fh root;
static struct user_open o;
static uint64_t fileids[FILES];

/* Files that are being written: their bytes are on the second data server, and nobody has told of them. */
static void write_files(unsigned count)
{
        for (unsigned i = 0; i < count; i++) {
                char name[16];
                struct stateid layout;
                struct user_attrs a;

                snprintf(name, sizeof(name), "f%u", i);
                o = USER_CREATE(.how = UNCHECKED4);
                assert_int_equal(user_open(&u, &root, name, &o), NFS4_OK);
                assert_int_equal(user_layoutget(&u, &o.fh, &o.stateid, &layout), NFS4_OK);
                assert_int_equal(user_getattr(&u, &o.fh, &a), NFS4_OK);
                assert_int_equal(a.size, 0);
                fileids[i] = a.fileid;
                *lab_ds_object(&lab.ds[1], a.fileid) =
                        (struct lab_object){ a.fileid, .there = true, .size = 5000 + i, .settled = true };
        }
}

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

/* READDIR of the root for sizes. The first entry's: its size, or -1 when it has only an error. */
static enum nfsstat4 list(bool errors, int64_t *ret_size)
{
        struct bitmap4 asked = { 0 }, given;

        bitmap_set(&asked, FATTR4_SIZE);
        if (errors)
                bitmap_set(&asked, FATTR4_RDATTR_ERROR);
        user_begin(&u);
        user_putfh(&u, &root);
        xdr_put_u64(user_op(&u, OP_READDIR), 0);
        xdr_put_u64(u.x, 0);
        xdr_put_u32(u.x, 4096);
        xdr_put_u32(u.x, 4096);
        put_bitmap(u.x, &asked);
        if (user_call(&u) != NFS4_OK)
                return u.status;
        user_result(&u, OP_PUTFH);
        user_result(&u, OP_READDIR);
        xdr_get_u64(&u.in);
        assert_true(xdr_get_bool(&u.in));
        xdr_get_u64(&u.in);
        xdr_get_opaque(&u.in, NFS4_MAXNAME);
        get_bitmap(&u.in, &given);
        xdr_get_u32(&u.in);
        *ret_size = bitmap_has(&given, FATTR4_SIZE) ? (int64_t)xdr_get_u64(&u.in) : -1;
        if (*ret_size < 0)
                assert_int_equal(xdr_get_u32(&u.in), NFS4ERR_DELAY);
        return NFS4_OK;
}

static uint64_t records(void)
{
        struct fsck_report report = { 0 };
        FILE *nowhere = fopen("/dev/null", "w");

        assert_non_null(nowhere);
        assert_int_equal(fsck_run(lab.store, nowhere, &report), 0);
        fclose(nowhere);
        return report.layouts;
}

/* All of them, though nobody looks; then nothing is left to be asked. */
static void they_are_asked_when_they_are_back(void **state)
{
        (void)state;
        write_files(FILES);
        assert_int_equal(records(), FILES);
        mds_lab_restart(&lab, true);
        mds_lab_run_ms(&lab, 100);
        assert_int_equal(lab.ds[1].getsizes, FILES);
        assert_int_equal(records(), 0);
        user_start(&u, &lab, "client", 1, 0, 0);
        for (unsigned i = 0; i < FILES; i++) {
                char name[16];
                struct user_attrs a;
                struct user_fh fh;

                snprintf(name, sizeof(name), "f%u", i);
                assert_int_equal(user_lookup(&u, &root, name, &fh), NFS4_OK);
                assert_int_equal(user_getattr(&u, &fh, &a), NFS4_OK);
                assert_int_equal(a.size, 5000 + i);
        }
        assert_int_equal(lab.ds[1].getsizes, FILES);
}

static void until_then_nobody_sees_a_size(void **state)
{
        struct user_attrs a;
        int64_t size;

        (void)state;
        write_files(1);
        lab.ds[1].broken = true;
        mds_lab_restart(&lab, true);
        user_start(&u, &lab, "client", 1, 0, 0);
        assert_int_equal(user_getattr(&u, &o.fh, &a), NFS4ERR_DELAY);
        assert_int_equal(list(false, &size), NFS4ERR_DELAY);
        assert_int_equal(list(true, &size), NFS4_OK);
        assert_int_equal(size, -1);
        lab.ds[1].broken = false;
        sizes_recover(lab.mds.sizes); /* as when a data server says HELLO */
        mds_lab_run_ms(&lab, 10);
        assert_int_equal(list(false, &size), NFS4_OK);
        assert_int_equal(size, 5000);
}

/* Who asks for the file does not wait for its turn, and it has none afterwards. */
static void who_looks_first_is_answered_first(void **state)
{
        struct user_attrs a;
        int64_t size;

        (void)state;
        write_files(1);
        lab.ds[1].broken = true;
        mds_lab_restart(&lab, true);
        lab.ds[1].broken = false;
        user_start(&u, &lab, "client", 1, 0, 0);
        assert_int_equal(user_getattr(&u, &o.fh, &a), NFS4_OK);
        assert_int_equal(a.size, 5000);
        assert_int_equal(list(true, &size), NFS4_OK);
        assert_int_equal(size, 5000);
        lab.ds[1].getsizes = 0;
        sizes_recover(lab.mds.sizes);
        mds_lab_run_ms(&lab, 10);
        assert_int_equal(lab.ds[1].getsizes, 0);
}

static void a_file_that_is_deleted_meanwhile_is_forgotten(void **state)
{
        (void)state;
        write_files(2);
        assert_int_equal(user_close(&u, &o.fh, &o.stateid), NFS4_OK);
        lab.ds[1].broken = true;
        mds_lab_restart(&lab, true);
        user_start(&u, &lab, "client", 1, 0, 0);
        assert_int_equal(user_remove(&u, &root, "f1"), NFS4_OK);
        lab.ds[1].broken = false;
        sizes_recover(lab.mds.sizes);
        mds_lab_run_ms(&lab, 10);
        assert_false(size_is_unknown(lab.mds.sizes, fileids[0]));
        assert_false(size_is_unknown(lab.mds.sizes, fileids[1]));
        assert_int_equal(records(), 0);
}

static enum nfsstat4 layoutcommit(struct user *who, bool is_reclaim, const struct stateid *s)
{
        user_begin(who);
        user_putfh(who, &o.fh);
        xdr_put_u64(user_op(who, OP_LAYOUTCOMMIT), 0);
        xdr_put_u64(who->x, NFS4_UINT64_MAX);
        xdr_put_bool(who->x, is_reclaim);
        put_stateid(who->x, s);
        xdr_put_bool(who->x, true);
        xdr_put_u64(who->x, 4095);
        xdr_put_bool(who->x, false);
        xdr_put_u32(who->x, LAYOUT4_NFSV4_1_FILES);
        xdr_put_u32(who->x, 0);
        return user_call(who);
}

static void what_was_written_under_layouts_is_committed(void **state)
{
        static const struct stateid none = { 0 };
        struct user_attrs a;
        struct stateid layout;
        struct user other;

        (void)state;
        o = USER_CREATE(.how = UNCHECKED4);
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4_OK);
        assert_int_equal(user_layoutget(&u, &o.fh, &o.stateid, &layout), NFS4_OK);
        assert_int_equal(user_getattr(&u, &o.fh, &a), NFS4_OK);
        *lab_ds_object(&lab.ds[1], a.fileid) =
                (struct lab_object){ a.fileid, .there = true, .size = 5000, .settled = true };
        lab.ds[1].broken = true;
        mds_lab_restart(&lab, true);
        lab.ds[1].broken = false;
        lab.ds[1].getsizes = 0;
        user_start(&other, &lab, "other", 2, 0, 0);
        assert_int_equal(layoutcommit(&other, true, &none), NFS4ERR_NO_GRACE);
        assert_int_equal(user_connect(&u, &lab, "client", 1, 0, VERIFIER), NFS4_OK);
        assert_int_equal(layoutcommit(&u, false, &layout), NFS4ERR_GRACE);
        assert_int_equal(layoutcommit(&u, true, &none), NFS4_OK);
        assert_int_equal(lab.ds[1].getsizes, 1);
        assert_int_equal(user_getattr(&other, &o.fh, &a), NFS4_OK);
        assert_int_equal(a.size, 5000);
        assert_int_equal(lab.ds[1].getsizes, 1);
        assert_int_equal(user_reclaim_complete(&u), NFS4_OK);
        assert_int_equal(layoutcommit(&u, true, &none), NFS4ERR_NO_GRACE);
        assert_int_equal(layoutcommit(&u, false, &layout), NFS4ERR_BADLAYOUT); /* Linux takes it for done */
        layout.other[7] ^= 1;
        assert_int_equal(layoutcommit(&u, false, &layout),
                         NFS4ERR_BAD_STATEID); /* nobody ever made this one */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(they_are_asked_when_they_are_back),
                TEST(until_then_nobody_sees_a_size),
                TEST(who_looks_first_is_answered_first),
                TEST(a_file_that_is_deleted_meanwhile_is_forgotten),
                TEST(what_was_written_under_layouts_is_committed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
