/* SPDX-License-Identifier: Apache-2.0 */
/* A time or set-id bit that is set after writing (cp -p, tar, install) stays, although the data servers tell
 * of the data later; what is written afterwards moves the time and takes the bits. RFC 8881 §12.5.4,
 * §5.8.2.37, §18.30. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mds/fleet/fleet.h"
#include "mds/pnfs/size.h"
#include "nfs4/codec.h"
#include "tests/lab/mds_lab.h"

static struct mds_lab lab;
static struct user u;
static struct user_fh root;
static struct user_open o;
static struct stateid layout;
static struct lab_object *object;
static uint64_t fileid;

/* A file with a write layout out and data on the second data server, which has announced itself. */
static int setup(void **state)
{
        struct user_attrs a;

        (void)state;
        mds_lab_start(&lab, NULL);
        user_start(&u, &lab, "client", 1, 0, 0);
        root = user_root(&u);
        o = USER_CREATE(.how = UNCHECKED4);
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4_OK);
        assert_int_equal(user_layoutget(&u, &o.fh, &o.stateid, &layout), NFS4_OK);
        assert_int_equal(user_getattr(&u, &o.fh, &a), NFS4_OK);
        fileid = a.fileid;
        mds_lab_run_ms(&lab, 100);
        object = lab_ds_object(&lab.ds[1], fileid);
        *object = (struct lab_object){
                .fileid = fileid, .there = true, .size = 5000, .mtime_ns = env_wall(&lab.v.env)
        };
        size_mark(lab.mds.sizes, fileid, lab.ds[1].server->id);
        mds_lab_run_ms(&lab, 100);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

static struct user_attrs attrs(void)
{
        struct user_attrs a;

        assert_int_equal(user_getattr(&u, &o.fh, &a), NFS4_OK);
        return a;
}

static void set_mtime(int64_t mtime)
{
        struct attr_set set = { .time_modify = mtime };

        bitmap_set(&set.mask, FATTR4_TIME_MODIFY_SET);
        assert_int_equal(user_setattr(&u, &o.fh, NULL, &set), NFS4_OK);
}

static void set_mode(uint32_t mode)
{
        struct attr_set set = { .mode = mode };

        bitmap_set(&set.mask, FATTR4_MODE);
        assert_int_equal(user_setattr(&u, &o.fh, NULL, &set), NFS4_OK);
}

/* The object is written to once more. */
static void write_more(void)
{
        mds_lab_run_ms(&lab, 100);
        object->mtime_ns = env_wall(&lab.v.env);
}

static void a_time_stays(void **state)
{
        (void)state;
        set_mtime(5);
        assert_int_equal(attrs().mtime, 5);
        assert_int_equal(attrs().size, 5000);
        assert_int_equal(attrs().mtime, 5);
        assert_true(lab.ds[1].getsizes > 1); /* it was asked each time: its writes are not over */
}

static void a_later_write_moves_it(void **state)
{
        struct user_attrs before, after;

        (void)state;
        set_mtime(5);
        before = attrs();
        write_more();
        after = attrs();
        assert_true(after.mtime > 1000000000);
        assert_true(after.change > before.change);
        before = attrs();
        assert_int_equal(before.change, after.change); /* told once */
}

static void a_later_announcement_moves_it(void **state)
{
        (void)state;
        object->settled = true;
        set_mtime(5);
        assert_int_equal(attrs().mtime, 5);
        write_more();
        assert_int_equal(attrs().mtime, 5); /* nobody has said anything yet: a write is answered after that */
        size_mark(lab.mds.sizes, fileid, lab.ds[1].server->id);
        assert_true(attrs().mtime > 1000000000);
}

static void a_clock_that_is_behind_does_not_hide_a_write(void **state)
{
        struct user_attrs before = attrs(), after;

        (void)state;
        object->mtime_ns = 77; /* overwritten, by a data server that believes it is 1970 */
        after = attrs();
        assert_true(after.change > before.change);
        assert_true(after.mtime > before.mtime);
}

static void set_id_bits_stay_until_a_write(void **state)
{
        (void)state;
        set_mode(06755);
        assert_int_equal(attrs().mode, 06755);
        assert_int_equal(attrs().mode, 06755);
        write_more();
        assert_int_equal(attrs().mode, 0755);
}

static void a_time_stays_across_a_restart(void **state)
{
        struct user_attrs before, after;

        (void)state;
        set_mtime(5);
        before = attrs();
        mds_lab_restart(&lab, true);
        user_start(&u, &lab, "client", 1, 0, 0);
        after = attrs();
        assert_int_equal(after.mtime, 5);
        assert_true(after.change > before.change); /* nobody knows what was written last: caches go */
        write_more();
        assert_true(attrs().mtime > 1000000000);
}

static enum nfsstat4 layoutcommit(uint64_t last)
{
        user_begin(&u);
        user_putfh(&u, &o.fh);
        xdr_put_u64(user_op(&u, OP_LAYOUTCOMMIT), 0);
        xdr_put_u64(u.x, last + 1);
        xdr_put_bool(u.x, false);
        put_stateid(u.x, &layout);
        xdr_put_bool(u.x, true);
        xdr_put_u64(u.x, last);
        xdr_put_bool(u.x, false);
        xdr_put_u32(u.x, LAYOUT4_NFSV4_1_FILES);
        xdr_put_u32(u.x, 0);
        return user_call(&u);
}

static void a_layoutcommit_brings_what_the_data_servers_have(void **state)
{
        uint32_t asked = lab.ds[1].getsizes;

        (void)state;
        assert_int_equal(layoutcommit(4999), NFS4_OK);
        assert_int_equal(lab.ds[1].getsizes, asked + 1);
        assert_int_equal(user_result(&u, OP_PUTFH), NFS4_OK);
        assert_int_equal(user_result(&u, OP_LAYOUTCOMMIT), NFS4_OK);
        assert_true(xdr_get_bool(&u.in));
        assert_int_equal(xdr_get_u64(&u.in), 5000);
}

static void a_layoutcommit_of_the_last_byte_there_can_be_is_wrong(void **state)
{
        uint64_t size = attrs().size;

        (void)state;
        assert_int_equal(layoutcommit(NFS4_UINT64_MAX), NFS4ERR_INVAL);
        assert_int_equal(attrs().size, size);
}

static void a_layoutcommit_that_comes_late_spoils_nothing(void **state)
{
        struct attr_set set = { .size = 1000 };

        (void)state;
        bitmap_set(&set.mask, FATTR4_SIZE);
        assert_int_equal(user_setattr(&u, &o.fh, NULL, &set), NFS4_OK);
        set_mtime(5);
        assert_int_equal(layoutcommit(4999), NFS4_OK); /* Linux's high-water mark, from before the cut */
        assert_int_equal(attrs().size, 1000);
        assert_int_equal(attrs().mtime, 5);
}

static void a_layoutcommit_does_not_wait_for_who_is_away(void **state)
{
        (void)state;
        lab.ds[1].broken = true;
        assert_int_equal(layoutcommit(4999), NFS4_OK);
        lab.ds[1].broken = false;
        assert_int_equal(attrs().size, 5000);
}

/* --- a data server that starts anew */

/* All that it had to say has been heard. */
static struct user_attrs settle(void)
{
        object->settled = true;
        return attrs();
}

static void start_anew(void)
{
        mds_lab_run_ms(&lab, 1000);
        sizes_server_restarted(lab.mds.sizes, lab.ds[1].server);
}

/* It may have written what it never announced: caches are no good, but make(1) has nothing to do. */
static void a_data_server_that_starts_anew_moves_no_time(void **state)
{
        struct user_attrs before = settle(), after;

        (void)state;
        start_anew();
        after = attrs();
        assert_int_equal(after.mtime, before.mtime);
        assert_true(after.change > before.change);
        start_anew();
        set_mtime(5);
        assert_int_equal(attrs().mtime, 5);
        start_anew();
        assert_int_equal(attrs().mtime, 5);
}

static void unless_it_has_written(void **state)
{
        struct user_attrs before = settle(), after;

        (void)state;
        write_more(); /* and was killed before it could say so */
        start_anew();
        after = attrs();
        assert_true(after.mtime > before.mtime);
        before = attrs();
        assert_int_equal(after.mtime, before.mtime);
        assert_int_equal(after.change, before.change);
}

static void or_announces_itself(void **state)
{
        struct user_attrs before = settle();

        (void)state;
        start_anew();
        object->mtime_ns = 77; /* its clock is behind */
        size_mark(lab.mds.sizes, fileid, lab.ds[1].server->id);
        assert_true(attrs().mtime > before.mtime);
}

static void what_it_had_announced_before_counts(void **state)
{
        struct user_attrs before = attrs();

        (void)state;
        object->mtime_ns = 77;
        start_anew();
        assert_true(attrs().mtime > before.mtime);
}

/* Another one that goes on writing is heard as ever. */
static void others_are_heard_meanwhile(void **state)
{
        struct user_attrs before = settle();
        struct lab_object *second = lab_ds_object(&lab.ds[2], fileid);

        (void)state;
        *second = (struct lab_object){ .fileid = fileid, .there = true, .size = 100, .mtime_ns = 77 };
        size_mark(lab.mds.sizes, fileid, lab.ds[2].server->id);
        start_anew();
        assert_true(attrs().mtime > before.mtime);
        before = attrs();
        start_anew();
        assert_int_equal(attrs().mtime, before.mtime);
        second->mtime_ns = 78;
        start_anew();
        assert_true(attrs().mtime > before.mtime);
}

/* It is asked again, with the same meaning. */
static void a_question_that_fails_is_no_news(void **state)
{
        struct user_attrs before = settle();

        (void)state;
        start_anew();
        lab.ds[1].broken = true;
        user_begin(&u);
        user_putfh(&u, &o.fh);
        put_bitmap((user_op(&u, OP_GETATTR), u.x), &(struct bitmap4){ .word = { 1u << FATTR4_SIZE } });
        assert_int_equal(user_call(&u), NFS4ERR_DELAY);
        lab.ds[1].broken = false;
        assert_int_equal(attrs().mtime, before.mtime);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_time_stays),
                TEST(a_later_write_moves_it),
                TEST(a_later_announcement_moves_it),
                TEST(a_clock_that_is_behind_does_not_hide_a_write),
                TEST(set_id_bits_stay_until_a_write),
                TEST(a_time_stays_across_a_restart),
                TEST(a_layoutcommit_brings_what_the_data_servers_have),
                TEST(a_layoutcommit_of_the_last_byte_there_can_be_is_wrong),
                TEST(a_layoutcommit_that_comes_late_spoils_nothing),
                TEST(a_layoutcommit_does_not_wait_for_who_is_away),
                TEST(a_data_server_that_starts_anew_moves_no_time),
                TEST(unless_it_has_written),
                TEST(or_announces_itself),
                TEST(what_it_had_announced_before_counts),
                TEST(others_are_heard_meanwhile),
                TEST(a_question_that_fails_is_no_news),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
