/* SPDX-License-Identifier: Apache-2.0 */
/* In steady state GETATTR, LOOKUP, ACCESS, and OPEN with CLOSE of a file that is there allocate nothing (the
 * client of the lab and its streams included). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lab/heap_count.h"
#include "tests/lab/mds_lab.h"

enum { ROUNDS = 1000 };

static struct mds_lab lab;
static struct user u;
static struct user_fh root, file;

static int setup(void **state)
{
        (void)state;
        mds_lab_start(&lab, NULL);
        user_start(&u, &lab, "client", 1, 0, 0);
        root = user_root(&u);
        assert_int_equal(user_touch(&u, &root, "file", 0644, &file), NFS4_OK);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

static void check(void (*operation)(void))
{
        uint64_t before;

        for (int i = 0; i < 10; i++)
                operation();
        before = heap_count();
        for (int i = 0; i < ROUNDS; i++)
                operation();
        if (heap_is_counted())
                assert_int_equal(heap_count() - before, 0);
}

static void one_getattr(void)
{
        struct user_attrs a;

        assert_int_equal(user_getattr(&u, &file, &a), NFS4_OK);
}

static void getattr(void **state)
{
        (void)state;
        check(one_getattr);
}

static void one_lookup(void)
{
        assert_int_equal(user_lookup(&u, &root, "file", NULL), NFS4_OK);
        assert_int_equal(user_lookup(&u, &root, "none", NULL), NFS4ERR_NOENT);
}

static void lookup(void **state)
{
        (void)state;
        check(one_lookup);
}

static void one_access(void)
{
        user_access(&u, &file);
        user_access(&u, &root);
}

static void access_(void **state)
{
        (void)state;
        check(one_access);
}

static void one_open(void)
{
        struct user_open o = USER_OPEN();

        assert_int_equal(user_open(&u, &root, "file", &o), NFS4_OK);
        assert_int_equal(user_close(&u, &o.fh, &o.stateid), NFS4_OK);
}

static void open_and_close(void **state)
{
        (void)state;
        check(one_open);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = { TEST(getattr), TEST(lookup), TEST(access_),
                                            TEST(open_and_close) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
