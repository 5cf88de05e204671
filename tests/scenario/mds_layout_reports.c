/* SPDX-License-Identifier: Apache-2.0 */
/* What clients tell of their layouts and of their intentions is taken and counted, and changes nothing:
 * LAYOUTERROR, LAYOUTSTATS and IO_ADVISE. RFC 7862 §15.5 to §15.7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nfs4/codec.h"
#include "tests/lab/mds_lab.h"

static struct mds_lab lab;
static struct user u;
static struct user_open o;
static struct stateid layout;

static int setup(void **state)
{
        struct user_fh root;

        (void)state;
        mds_lab_start(&lab, NULL);
        user_start(&u, &lab, "client", 1, 0, 0);
        root = user_root(&u);
        o = USER_CREATE(.how = UNCHECKED4);
        assert_int_equal(user_open(&u, &root, "f", &o), NFS4_OK);
        assert_int_equal(user_layoutget(&u, &o.fh, &o.stateid, &layout), NFS4_OK);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

static uint64_t counted(const char *name)
{
        for (const struct metric *m = lab.mds.metrics.first; m; m = m->next)
                if (strcmp(m->name, name) == 0)
                        return m->value;
        abort();
}

static void begin(uint32_t opnum, const struct stateid *s)
{
        user_begin(&u);
        user_putfh(&u, &o.fh);
        user_op(&u, opnum);
        if (opnum != OP_IO_ADVISE) {
                xdr_put_u64(u.x, 0);
                xdr_put_u64(u.x, NFS4_UINT64_MAX);
        }
        put_stateid(u.x, s);
}

static enum nfsstat4 tell_errors(const struct stateid *s, uint32_t count)
{
        static const uint8_t device[NFS4_DEVICEID_SIZE] = { 1 };

        begin(OP_LAYOUTERROR, s);
        xdr_put_u32(u.x, count);
        for (uint32_t i = 0; i < count; i++) {
                xdr_put_fixed(u.x, device, sizeof(device));
                xdr_put_u32(u.x, NFS4ERR_NXIO);
                xdr_put_u32(u.x, OP_READ);
        }
        return user_call(&u);
}

static enum nfsstat4 tell_stats(const struct stateid *s, uint32_t type)
{
        static const uint8_t device[NFS4_DEVICEID_SIZE] = { 1 };

        begin(OP_LAYOUTSTATS, s);
        for (int i = 0; i < 4; i++)
                xdr_put_u64(u.x, 1000);
        xdr_put_fixed(u.x, device, sizeof(device));
        xdr_put_u32(u.x, type);
        xdr_put_opaque(u.x, NULL, 0);
        return user_call(&u);
}

static void errors_are_counted(void **state)
{
        (void)state;
        assert_int_equal(tell_errors(&layout, 1), NFS4_OK);
        assert_int_equal(tell_errors(&layout, 0), NFS4_OK);
        assert_int_equal(tell_errors(&layout, 20), NFS4_OK);
        assert_int_equal(counted("nacre_layout_errors_total"), 21);
        assert_int_equal(tell_errors(&layout, 40), NFS4_OK); /* not all of so many */
        assert_int_equal(counted("nacre_layout_errors_total"), 21 + 32);
        assert_int_equal(tell_errors(&o.stateid, 1), NFS4ERR_BAD_STATEID);
        assert_int_equal(counted("nacre_layout_errors_total"), 21 + 32);
}

static void statistics_are_counted(void **state)
{
        (void)state;
        assert_int_equal(tell_stats(&layout, LAYOUT4_NFSV4_1_FILES), NFS4_OK);
        assert_int_equal(tell_stats(&layout, 4), NFS4ERR_UNKNOWN_LAYOUTTYPE);
        assert_int_equal(tell_stats(&o.stateid, LAYOUT4_NFSV4_1_FILES), NFS4ERR_BAD_STATEID);
        assert_int_equal(counted("nacre_layout_stats_total"), 1);
}

static enum nfsstat4 advise(const struct stateid *s)
{
        begin(OP_IO_ADVISE, s);
        xdr_put_u64(u.x, 0);
        xdr_put_u64(u.x, 1 << 20);
        put_bitmap(u.x, &(struct bitmap4){ .word = { 0xff } });
        return user_call(&u);
}

static void no_hint_is_heeded(void **state)
{
        struct bitmap4 heeded = { .word = { 1 } };
        struct stateid wrong = o.stateid;

        (void)state;
        assert_int_equal(advise(&o.stateid), NFS4_OK);
        assert_int_equal(user_result(&u, OP_PUTFH), NFS4_OK);
        assert_int_equal(user_result(&u, OP_IO_ADVISE), NFS4_OK);
        get_bitmap(&u.in, &heeded);
        assert_true(!u.in.bad && heeded.word[0] == 0 && heeded.word[1] == 0 && heeded.word[2] == 0);
        wrong.other[11] ^= 1;
        assert_int_equal(advise(&wrong), NFS4ERR_BAD_STATEID);
}

static void they_are_of_minor_version_2(void **state)
{
        (void)state;
        u.minor = 1;
        assert_int_equal(advise(&o.stateid), NFS4ERR_OP_ILLEGAL);
        u.minor = 2;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(errors_are_counted),
                TEST(statistics_are_counted),
                TEST(no_hint_is_heeded),
                TEST(they_are_of_minor_version_2),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
