/* SPDX-License-Identifier: Apache-2.0 */
/* POSIX permission bits: every class of caller against every mode; root; the sticky bit; what may be set by
 * whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mds/ns/inode.h"

static const struct caller owner = { .uid = 100, .gid = 1 },
                           member = { .uid = 200, .gid = 2, .gid_count = 2, .gids = { 7, 300 } },
                           primary = { .uid = 200, .gid = 300 }, stranger = { .uid = 200, .gid = 2 },
                           su = { .uid = 0, .gid = 0 };

static struct inode file_of(uint16_t mode)
{
        return (struct inode){ .type = NF4REG, .mode = mode, .uid = 100, .gid = 300 };
}

static void one_class_decides(void **state)
{
        (void)state;
        for (uint16_t mode = 0; mode <= 0777; mode++) {
                struct inode f = file_of(mode);

                for (unsigned want = 0; want <= 7; want++) {
                        assert_int_equal(perm_ok(&owner, &f, want), (mode >> 6 & want) == want);
                        assert_int_equal(perm_ok(&member, &f, want), (mode >> 3 & want) == want);
                        assert_int_equal(perm_ok(&primary, &f, want), (mode >> 3 & want) == want);
                        assert_int_equal(perm_ok(&stranger, &f, want), (mode & want) == want);
                }
        }
}

static void root_passes_but_executes_what_somebody_may(void **state)
{
        struct inode f = file_of(0), x = file_of(0010), dir = { .type = NF4DIR, .mode = 0, .uid = 100 };

        (void)state;
        assert_true(perm_ok(&su, &f, PERM_R | PERM_W));
        assert_false(perm_ok(&su, &f, PERM_X));
        assert_true(perm_ok(&su, &x, PERM_X));
        assert_true(perm_ok(&su, &dir, PERM_R | PERM_W | PERM_X));
}

static void sticky(void **state)
{
        struct inode dir = { .type = NF4DIR, .mode = 01777, .uid = 50 }, f = file_of(0666);
        struct caller keeper = { .uid = 50 };

        (void)state;
        assert_true(perm_sticky(&owner, &dir, &f));
        assert_true(perm_sticky(&keeper, &dir, &f));
        assert_true(perm_sticky(&su, &dir, &f));
        assert_false(perm_sticky(&member, &dir, &f));
        dir.mode = 0777;
        assert_true(perm_sticky(&member, &dir, &f));
}

static enum nfsstat4 may(const struct caller *who, struct attr_set set, unsigned attr)
{
        struct inode f = file_of(0664);

        bitmap_set(&set.mask, attr);
        return attrs_may_set(who, &f, &set);
}

static void what_may_be_set(void **state)
{
        struct caller in_seven = owner;

        (void)state;
        in_seven.gid_count = 1;
        in_seven.gids[0] = 7;
        assert_int_equal(may(&owner, (struct attr_set){ 0 }, FATTR4_MODE), NFS4_OK);
        assert_int_equal(may(&member, (struct attr_set){ 0 }, FATTR4_MODE), NFS4ERR_PERM);
        assert_int_equal(may(&member, (struct attr_set){ 0 }, FATTR4_MODE_SET_MASKED), NFS4ERR_PERM);
        assert_int_equal(may(&owner, (struct attr_set){ .uid = 100 }, FATTR4_OWNER), NFS4_OK);
        assert_int_equal(may(&owner, (struct attr_set){ .uid = 200 }, FATTR4_OWNER), NFS4ERR_PERM);
        assert_int_equal(may(&member, (struct attr_set){ .uid = 100 }, FATTR4_OWNER), NFS4ERR_PERM);
        assert_int_equal(may(&owner, (struct attr_set){ .gid = 300 }, FATTR4_OWNER_GROUP), NFS4_OK);
        assert_int_equal(may(&owner, (struct attr_set){ .gid = 7 }, FATTR4_OWNER_GROUP), NFS4ERR_PERM);
        assert_int_equal(may(&in_seven, (struct attr_set){ .gid = 7 }, FATTR4_OWNER_GROUP), NFS4_OK);
        assert_int_equal(may(&su, (struct attr_set){ .uid = 5 }, FATTR4_OWNER), NFS4_OK);
        assert_int_equal(may(&member, (struct attr_set){ .atime_now = true }, FATTR4_TIME_ACCESS_SET),
                         NFS4_OK); /* may write */
        assert_int_equal(may(&stranger, (struct attr_set){ .atime_now = true }, FATTR4_TIME_ACCESS_SET),
                         NFS4ERR_ACCESS);
        assert_int_equal(may(&member, (struct attr_set){ 0 }, FATTR4_TIME_MODIFY_SET), NFS4ERR_PERM);
        assert_int_equal(may(&stranger, (struct attr_set){ 0 }, FATTR4_TIME_CREATE), NFS4ERR_PERM);
        assert_int_equal(attrs_may_set(&stranger, &(struct inode){ 0 }, &(struct attr_set){ 0 }),
                         NFS4_OK); /* nothing */
}

static void masked_modes_keep_the_rest(void **state)
{
        struct inode f = file_of(04640);
        struct attr_set set = { .mode = 0005, .mode_mask = 04007 };

        (void)state;
        bitmap_set(&set.mask, FATTR4_MODE_SET_MASKED);
        attrs_apply(&owner, &f, &set, 0);
        assert_int_equal(f.mode, 0645);
}

static void set_id_bits(void **state)
{
        struct inode f = file_of(06755), locking = file_of(06745);

        (void)state;
        assert_false(setid_cleared_by(&su, &f));
        assert_true(setid_cleared_by(&owner, &f));
        setid_clear(&f);
        assert_int_equal(f.mode, 0755);
        setid_clear(&locking);
        assert_int_equal(locking.mode, 02745);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_class_decides),
                cmocka_unit_test(root_passes_but_executes_what_somebody_may),
                cmocka_unit_test(sticky),
                cmocka_unit_test(what_may_be_set),
                cmocka_unit_test(masked_modes_keep_the_rest),
                cmocka_unit_test(set_id_bits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
