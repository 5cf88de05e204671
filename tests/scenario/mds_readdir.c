/* SPDX-License-Identifier: Apache-2.0 */
/* READDIR: cookies that stay good, limits that are kept to the byte, errors of single entries. RFC 8881
 * §18.23. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nfs4/codec.h"
#include "tests/lab/mds_lab.h"

static struct mds_lab lab;
static struct user u;
static struct user_fh root;
static struct bitmap4 asked;

static int setup(void **state)
{
        (void)state;
        mds_lab_start(&lab, NULL);
        user_start(&u, &lab, "client", 1, 0, 0);
        root = user_root(&u);
        asked = (struct bitmap4){ 0 };
        bitmap_set(&asked, FATTR4_TYPE);
        bitmap_set(&asked, FATTR4_SIZE);
        bitmap_set(&asked, FATTR4_RDATTR_ERROR);
        bitmap_set(&asked, FATTR4_FILEID);
        bitmap_set(&asked, FATTR4_MODE);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

enum { ENTRIES_MAX = 4096 };
struct entry {
        uint64_t cookie;
        char name[NFS4_MAXNAME + 1];
        struct bitmap4 given;
};
static struct entry entries[ENTRIES_MAX];
static uint32_t count, result_bytes;
static bool eof;

/* One READDIR; entries are appended. */
static enum nfsstat4 readdir_as(struct user *who, const struct user_fh *dir, uint64_t cookie,
                                uint64_t verifier, uint32_t dircount, uint32_t maxcount)
{
        uint32_t at;

        user_begin(who);
        user_putfh(who, dir);
        xdr_put_u64(user_op(who, OP_READDIR), cookie);
        xdr_put_u64(who->x, verifier);
        xdr_put_u32(who->x, dircount);
        xdr_put_u32(who->x, maxcount);
        put_bitmap(who->x, &asked);
        if (user_call(who) != NFS4_OK)
                return who->status;
        user_result(who, OP_PUTFH);
        user_result(who, OP_READDIR);
        at = xdr_left(&who->in);
        assert_int_equal(xdr_get_u64(&who->in), 0); /* the verifier */
        while (xdr_get_bool(&who->in)) {
                struct entry *e = &entries[count++];
                struct slice name;

                assert_true(count <= ENTRIES_MAX);
                e->cookie = xdr_get_u64(&who->in);
                name = xdr_get_opaque(&who->in, NFS4_MAXNAME);
                memcpy(e->name, name.data, name.length);
                e->name[name.length] = '\0';
                get_bitmap(&who->in, &e->given);
                xdr_get_opaque(&who->in, UINT32_MAX);
        }
        eof = xdr_get_bool(&who->in);
        assert_false(who->in.bad);
        result_bytes = at - xdr_left(&who->in);
        return NFS4_OK;
}

static void make(uint32_t from, uint32_t to)
{
        for (uint32_t i = from; i < to; i++) {
                char name[32];

                snprintf(name, sizeof(name), "%.*sfile%u", (int)(i % 20), "xxxxxxxxxxxxxxxxxxxx", i);
                assert_int_equal(user_mkdir(&u, &root, name, 0755, NULL), NFS4_OK);
        }
}

static bool seen(const char *name)
{
        uint32_t times = 0;

        for (uint32_t i = 0; i < count; i++)
                times += strcmp(entries[i].name, name) == 0;
        assert_true(times <= 1);
        return times == 1;
}

static void list_all(uint32_t dircount, uint32_t maxcount)
{
        count = 0;
        do {
                uint64_t cookie = count > 0 ? entries[count - 1].cookie : 0;

                assert_int_equal(readdir_as(&u, &root, cookie, 0, dircount, maxcount), NFS4_OK);
                assert_true(result_bytes <= maxcount);
        } while (!eof);
}

static void every_entry_once_in_any_portions(void **state)
{
        static const uint32_t sizes[] = { 128, 200, 512, 1000, 4096, 65536, 1 << 20 };

        (void)state;
        make(0, 300);
        for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                list_all(0, sizes[i]);
                assert_int_equal(count, 300);
                for (uint32_t n = 1; n < count; n++)
                        assert_true(entries[n].cookie > entries[n - 1].cookie);
        }
        assert_true(entries[0].cookie > 2);
        assert_true(seen("file0"));
        assert_true(seen("xfile21"));
}

/* A client may ask for more; it would hold up the others. */
static void a_portion_is_64_kib_at_most(void **state)
{
        (void)state;
        make(0, 1500);
        count = 0;
        assert_int_equal(readdir_as(&u, &root, 0, 0, 0, 1 << 20), NFS4_OK);
        assert_false(eof);
        assert_in_range(result_bytes, 60000, 65536);
}

static void an_empty_directory_is_at_its_end(void **state)
{
        (void)state;
        list_all(0, 4096);
        assert_int_equal(count, 0);
        assert_int_equal(result_bytes, 16);
}

static void maxcount_is_kept_to_the_byte(void **state)
{
        uint32_t need;

        (void)state;
        assert_int_equal(user_mkdir(&u, &root, "d", 0755, NULL), NFS4_OK);
        count = 0;
        assert_int_equal(readdir_as(&u, &root, 0, 0, 0, 4096), NFS4_OK);
        need = result_bytes;
        assert_int_equal(readdir_as(&u, &root, 0, 0, 0, need), NFS4_OK);
        assert_int_equal(readdir_as(&u, &root, 0, 0, 0, need - 1), NFS4ERR_TOOSMALL);
        assert_int_equal(readdir_as(&u, &root, 0, 0, 0, 15), NFS4ERR_TOOSMALL);
        assert_int_equal(readdir_as(&u, &root, entries[0].cookie, 0, 0, 16),
                         NFS4_OK); /* nothing is left to fit */
        assert_true(eof);
}

static void dircount_bounds_names_and_cookies(void **state)
{
        (void)state;
        make(0, 20);
        count = 0;
        assert_int_equal(readdir_as(&u, &root, 0, 0, 1, 65536), NFS4_OK);
        assert_int_equal(count, 1); /* at least one */
        assert_false(eof);
        list_all(100, 65536);
        assert_int_equal(count, 20);
}

static void cookies_stay_good_when_names_come_and_go(void **state)
{
        uint64_t cookie;

        (void)state;
        make(0, 100);
        count = 0;
        assert_int_equal(readdir_as(&u, &root, 0, 0, 0, 2000), NFS4_OK);
        cookie = entries[count - 1].cookie;
        for (uint32_t i = 0; i < count; i++) /* what was listed is removed, as rm -r does */
                assert_int_equal(user_remove(&u, &root, entries[i].name), NFS4_OK);
        make(100, 150);
        while (!eof) {
                assert_int_equal(readdir_as(&u, &root, cookie, 0, 0, 2000), NFS4_OK);
                cookie = entries[count - 1].cookie;
        }
        for (uint32_t i = 0; i < 100; i++) {
                char name[32];

                snprintf(name, sizeof(name), "%.*sfile%u", (int)(i % 20), "xxxxxxxxxxxxxxxxxxxx", i);
                assert_true(seen(name));
        }
}

static void cookies_and_verifiers_that_were_never_given(void **state)
{
        struct user_fh file;

        (void)state;
        make(0, 3);
        assert_int_equal(readdir_as(&u, &root, 1, 0, 0, 4096), NFS4ERR_BAD_COOKIE);
        assert_int_equal(readdir_as(&u, &root, 2, 0, 0, 4096), NFS4ERR_BAD_COOKIE);
        assert_int_equal(readdir_as(&u, &root, 0, 7, 0, 4096), NFS4ERR_BAD_COOKIE);
        assert_int_equal(readdir_as(&u, &root, 1000, 7, 0, 4096), NFS4ERR_NOT_SAME);
        count = 0;
        assert_int_equal(readdir_as(&u, &root, UINT64_MAX, 0, 0, 4096), NFS4_OK);
        assert_true(eof && count == 0);
        assert_int_equal(user_touch(&u, &root, "f", 0644, &file), NFS4_OK);
        assert_int_equal(readdir_as(&u, &file, 0, 0, 0, 4096), NFS4ERR_NOTDIR);
        bitmap_set(&asked, FATTR4_TIME_MODIFY_SET);
        assert_int_equal(readdir_as(&u, &root, 0, 0, 0, 4096), NFS4ERR_INVAL);
}

static void attributes_need_search_permission(void **state)
{
        struct user bob;
        struct user_fh dir;

        (void)state;
        assert_int_equal(user_mkdir(&u, &root, "d", 0744, &dir), NFS4_OK);
        assert_int_equal(user_mkdir(&u, &dir, "x", 0755, NULL), NFS4_OK);
        user_start(&bob, &lab, "bob", 2, 200, 200);
        count = 0;
        assert_int_equal(readdir_as(&bob, &dir, 0, 0, 0, 4096), NFS4_OK);
        assert_int_equal(count, 1);
        assert_true(bitmap_has(&entries[0].given, FATTR4_RDATTR_ERROR));
        assert_true(bitmap_has(&entries[0].given, FATTR4_FILEID));
        assert_false(bitmap_has(&entries[0].given, FATTR4_MODE));
        bitmap_clear(&asked, FATTR4_RDATTR_ERROR);
        assert_int_equal(readdir_as(&bob, &dir, 0, 0, 0, 4096), NFS4ERR_ACCESS);
        asked = (struct bitmap4){ .word = { 1u
                                            << FATTR4_FILEID } }; /* which stands in the directory itself */
        count = 0;
        assert_int_equal(readdir_as(&bob, &dir, 0, 0, 0, 4096), NFS4_OK);
        assert_true(bitmap_has(&entries[0].given, FATTR4_FILEID));
}

static void a_directory_of_many(void **state)
{
        (void)state;
        make(0, 3000);
        list_all(0, 1 << 20);
        assert_int_equal(count, 3000);
        for (uint32_t i = 0; i < count; i++)
                assert_int_equal(user_remove(&u, &root, entries[i].name), NFS4_OK);
        list_all(0, 1 << 20);
        assert_int_equal(count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(every_entry_once_in_any_portions),
                TEST(a_portion_is_64_kib_at_most),
                TEST(an_empty_directory_is_at_its_end),
                TEST(maxcount_is_kept_to_the_byte),
                TEST(dircount_bounds_names_and_cookies),
                TEST(cookies_stay_good_when_names_come_and_go),
                TEST(cookies_and_verifiers_that_were_never_given),
                TEST(attributes_need_search_permission),
                TEST(a_directory_of_many),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
