/* SPDX-License-Identifier: Apache-2.0 */
/* The attribute user.nacre.layout says how files are striped: of a directory for what is made inside, of an
 * empty file its own; a layout of the old shape is good for nothing any more. RFC 8276 §8.4, RFC 8881
 * §12.5.5, §13.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/pnfs/size.h"
#include "mds/state/layout.h"
#include "nfs4/codec.h"
#include "tests/lab/mds_user_xattrs.h"

#define LAYOUT "nacre.layout"
enum { MIB = 1 << 20 };

static struct mds_lab lab;
static struct user su, alice; /* alice has a back channel, and forgets layouts when asked */
static struct user_fh root;

static int setup(void **state)
{
        (void)state;
        mds_lab_start(&lab, NULL);
        user_start(&su, &lab, "root", 1, 0, 0);
        lab.back_channels = true;
        user_start(&alice, &lab, "alice", 2, 100, 100);
        alice.back.answer = NFS4ERR_NOMATCHING_LAYOUT;
        root = user_root(&su);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

static enum nfsstat4 set(const struct user_fh *fh, const char *value)
{
        return user_setxattr(&su, fh, SETXATTR4_EITHER, LAYOUT, slice_str(value));
}

static void says(const struct user_fh *fh, const char *value)
{
        struct slice got;

        assert_int_equal(user_getxattr(&su, fh, LAYOUT, &got), NFS4_OK);
        assert_true(slice_equal(got, slice_str(value)));
}

static struct user_fh made(const struct user_fh *dir, const char *name)
{
        struct user_fh fh;

        assert_int_equal(user_touch(&su, dir, name, 0666, &fh), NFS4_OK);
        return fh;
}

/* A LAYOUTGET by WHO, who has the file open as O: unit and number of handles. */
static void shape(struct user *who, const struct user_open *o, uint32_t *ret_unit, uint32_t *ret_width)
{
        struct stateid layout;

        assert_int_equal(user_layoutget(who, &o->fh, &o->stateid, &layout), NFS4_OK);
        assert_int_equal(xdr_get_u32(&who->in), 1);
        xdr_get_bytes(&who->in, 8 + 8 + 4 + 4 + 4 + NFS4_DEVICEID_SIZE); /* up to nfl_util */
        *ret_unit = xdr_get_u32(&who->in);
        xdr_get_bytes(&who->in, 4 + 8);
        *ret_width = xdr_get_u32(&who->in);
        assert_false(who->in.bad);
}

static void a_directory_hands_it_on(void **state)
{
        struct user_fh dir, before, sub, other;
        struct slice value;

        (void)state;
        assert_int_equal(user_mkdir(&su, &root, "d", 0755, &dir), NFS4_OK);
        before = made(&dir, "before");
        says(&before, "unit=1M,width=4"); /* as configured: all data servers */
        assert_int_equal(user_getxattr(&su, &dir, LAYOUT, &value), NFS4ERR_NOXATTR);
        assert_int_equal(set(&dir, "width=2,unit=4M\n"), NFS4_OK);
        says(&dir, "unit=4M,width=2");
        assert_int_equal(user_mkdir(&su, &dir, "sub", 0755, &sub), NFS4_OK);
        says(&sub, "unit=4M,width=2");
        other = made(&sub, "file");
        says(&other, "unit=4M,width=2");
        says(&before, "unit=1M,width=4");
        assert_int_equal(set(&dir, "unit=64K"), NFS4_OK);
        says(&dir, "unit=64K");
        other = made(&dir, "wide");
        says(&other, "unit=64K,width=4");
        assert_int_equal(set(&dir, "width=64"), NFS4_OK);
        other = made(&dir, "all");
        says(&other, "unit=1M,width=4");
        assert_int_equal(user_removexattr(&su, &dir, LAYOUT), NFS4_OK);
        assert_int_equal(user_removexattr(&su, &dir, LAYOUT), NFS4ERR_NOXATTR);
        assert_int_equal(user_mkdir(&su, &dir, "plain", 0755, &other), NFS4_OK);
        assert_int_equal(user_getxattr(&su, &other, LAYOUT, &value), NFS4ERR_NOXATTR);
        says(&sub, "unit=4M,width=2");
}

static void it_is_there_after_a_crash(void **state)
{
        struct user_fh dir, file;

        (void)state;
        assert_int_equal(user_mkdir(&su, &root, "d", 0755, &dir), NFS4_OK);
        assert_int_equal(set(&dir, "unit=8K,width=3"), NFS4_OK);
        file = made(&root, "f");
        assert_int_equal(set(&file, "unit=12K,width=1"), NFS4_OK);
        mds_lab_restart(&lab, true);
        user_start(&su, &lab, "root", 1, 0, 0);
        says(&dir, "unit=8K,width=3");
        says(&file, "unit=12K,width=1");
}

static void it_is_never_listed_and_refuses_what_makes_no_sense(void **state)
{
        struct user_fh dir, file = made(&root, "f");
        struct slice value;

        (void)state;
        assert_int_equal(user_mkdir(&su, &root, "d", 0755, &dir), NFS4_OK);
        for (const char *const *bad = (const char *const[]){ "", "4M", "unit=", "unit=4M,", "unit=5000",
                                                             "unit=256M", "width=0", "width=65",
                                                             "unit=4M,unit=4M", "unit=4M width=2", NULL };
             *bad; bad++) {
                assert_int_equal(set(&dir, *bad), NFS4ERR_INVAL);
                assert_int_equal(set(&file, *bad), NFS4ERR_INVAL);
        }
        assert_int_equal(user_setxattr(&su, &dir, SETXATTR4_REPLACE, LAYOUT, slice_str("width=2")),
                         NFS4ERR_NOXATTR);
        assert_int_equal(user_setxattr(&su, &dir, SETXATTR4_CREATE, LAYOUT, slice_str("width=2")), NFS4_OK);
        assert_int_equal(user_setxattr(&su, &dir, SETXATTR4_CREATE, LAYOUT, slice_str("width=2")),
                         NFS4ERR_EXIST);
        assert_int_equal(user_removexattr(&su, &file, LAYOUT), NFS4ERR_PERM);
        assert_int_equal(user_setxattr(&su, &dir, 0, "nacre.other", slice_str("x")), NFS4ERR_PERM);
        assert_int_equal(user_getxattr(&su, &dir, "nacre.other", &value), NFS4ERR_NOXATTR);
        assert_int_equal(user_removexattr(&su, &dir, "nacre.other"), NFS4ERR_NOXATTR);
        assert_int_equal(user_count_xattrs(&su, &dir), 0);
        assert_int_equal(user_count_xattrs(&su, &file), 0);
}

static void a_layout_of_the_old_shape_is_taken_back_first(void **state)
{
        struct user_open o = USER_CREATE(.how = UNCHECKED4);
        uint32_t unit, width;

        (void)state;
        o.mode = 0666;
        assert_int_equal(user_open(&su, &root, "f", &o), NFS4_OK);
        assert_int_equal(user_close(&su, &o.fh, &o.stateid), NFS4_OK);
        o = USER_OPEN();
        assert_int_equal(user_open(&alice, &root, "f", &o), NFS4_OK);
        shape(&alice, &o, &unit, &width);
        assert_true(unit == MIB && width == 4);
        assert_int_equal(set(&o.fh, "unit=2M,width=3"), NFS4_OK);
        for (int i = 0; i < LAB_DATA_SERVERS; i++)
                assert_int_equal(lab.ds[i].last_fence.client,
                                 client_by_id(&lab.mds.nfs, alice.clientid)->tag);
        assert_int_equal(alice.back.opnum, OP_CB_LAYOUTRECALL);
        mds_lab_run_ms(&lab, 100);
        assert_int_equal(layouts_count(lab.mds.layouts), 0);
        shape(&alice, &o, &unit, &width);
        assert_true(unit == 2 * MIB && width == 3);
}

static void a_file_with_data_keeps_its_shape(void **state)
{
        struct user_open o = USER_CREATE(.how = UNCHECKED4);
        struct user_attrs a;
        uint32_t unit, width;

        (void)state;
        assert_int_equal(user_open(&su, &root, "f", &o), NFS4_OK);
        shape(&su, &o, &unit, &width);
        assert_int_equal(user_getattr(&su, &o.fh, &a), NFS4_OK);
        *lab_ds_object(&lab.ds[1], a.fileid) =
                (struct lab_object){ .fileid = a.fileid, .there = true, .size = 10, .settled = true };
        size_mark(lab.mds.sizes, a.fileid, lab.ds[1].server->id);
        assert_int_equal(set(&o.fh, "unit=2M"), NFS4ERR_PERM); /* only the data server knows of it */
        assert_int_equal(user_getattr(&su, &o.fh, &a), NFS4_OK);
        assert_int_equal(set(&o.fh, "unit=2M"), NFS4ERR_PERM);
        says(&o.fh, "unit=1M,width=4");
}

/* A write that was under way when its handle was fenced: the data server has not told of it yet. */
static void what_was_written_before_the_fence_is_looked_for(void **state)
{
        struct user_open o = USER_CREATE(.how = UNCHECKED4);
        struct user_attrs a;
        uint32_t unit, width;

        (void)state;
        o.mode = 0666;
        assert_int_equal(user_open(&su, &root, "f", &o), NFS4_OK);
        o = USER_OPEN();
        assert_int_equal(user_open(&alice, &root, "f", &o), NFS4_OK);
        shape(&alice, &o, &unit, &width);
        assert_int_equal(user_getattr(&su, &o.fh, &a), NFS4_OK);
        *lab_ds_object(&lab.ds[2], a.fileid) =
                (struct lab_object){ .fileid = a.fileid, .there = true, .size = 10 };
        assert_int_equal(set(&o.fh, "unit=2M"), NFS4ERR_PERM);
        says(&o.fh, "unit=1M,width=4");
        lab.ds[2].broken = true;
        assert_int_equal(set(&o.fh, "unit=2M"), NFS4ERR_DELAY);
}

/* The client that writes is faster than the fence: the file has data when it has been acknowledged. */
static void data_that_comes_meanwhile_wins(void **state)
{
        struct user_open o = USER_CREATE(.how = UNCHECKED4);
        uint32_t unit, width;
        struct user_attrs a;

        (void)state;
        o.mode = 0666;
        assert_int_equal(user_open(&su, &root, "f", &o), NFS4_OK);
        assert_int_equal(user_getattr(&su, &o.fh, &a), NFS4_OK);
        o = USER_OPEN();
        assert_int_equal(user_open(&alice, &root, "f", &o), NFS4_OK);
        shape(&alice, &o, &unit, &width);
        lab.ds[1].deaf = CTL_FENCE;
        user_begin(&su);
        user_putfh(&su, &o.fh);
        xdr_put_u32(user_op(&su, OP_SETXATTR), SETXATTR4_EITHER);
        xdr_put_string(su.x, LAYOUT);
        xdr_put_string(su.x, "unit=2M");
        user_send(&su);
        mds_lab_run_ms(&lab, 50);
        assert_false(user_ended(&su));
        *lab_ds_object(&lab.ds[1], a.fileid) =
                (struct lab_object){ .fileid = a.fileid, .there = true, .size = 10, .settled = true };
        size_mark(lab.mds.sizes, a.fileid, lab.ds[1].server->id);
        lab.ds[1].deaf = 0;
        while (lab.ds[1].unanswered_count > 0)
                call_reply(lab.ds[1].unanswered[--lab.ds[1].unanswered_count]);
        assert_int_equal(user_wait(&su), NFS4ERR_PERM);
        says(&o.fh, "unit=1M,width=4");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(a_directory_hands_it_on),
                CASE(it_is_there_after_a_crash),
                CASE(it_is_never_listed_and_refuses_what_makes_no_sense),
                CASE(a_layout_of_the_old_shape_is_taken_back_first),
                CASE(a_file_with_data_keeps_its_shape),
                CASE(what_was_written_before_the_fence_is_looked_for),
                CASE(data_that_comes_meanwhile_wins),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
