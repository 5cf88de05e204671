/* SPDX-License-Identifier: Apache-2.0 */
/* What the server says of itself and of its space is true: it can be set where it says so, and adds up. RFC
 * 8881 §5.6, §5.8, §5.12, §18.16; RFC 7862 §12.2.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nfs4/codec.h"
#include "tests/lab/mds_lab.h"

static struct mds_lab lab;
static struct user su;
static struct user_fh root;

static int setup(void **state)
{
        (void)state;
        mds_lab_start(&lab, NULL);
        user_start(&su, &lab, "root", 1, 0, 0);
        root = user_root(&su);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        mds_lab_stop(&lab);
        return 0;
}

/* The values of COUNT attributes (ascending) of FH follow in su.in. */
static void get(const struct user_fh *fh, unsigned count, const unsigned *attrs)
{
        struct bitmap4 asked = { 0 }, told;

        for (unsigned i = 0; i < count; i++)
                bitmap_set(&asked, attrs[i]);
        user_begin(&su);
        user_putfh(&su, fh);
        user_op(&su, OP_GETATTR);
        put_bitmap(su.x, &asked);
        assert_int_equal(user_call(&su), NFS4_OK);
        user_result(&su, OP_PUTFH);
        user_result(&su, OP_GETATTR);
        get_bitmap(&su.in, &told);
        assert_memory_equal(told.word, asked.word, sizeof(asked.word));
        xdr_get_u32(&su.in);
}
#define GET(fh, ...) \
        get(fh, sizeof((unsigned[]){ __VA_ARGS__ }) / sizeof(unsigned), (const unsigned[]){ __VA_ARGS__ })

/* docs/RFC8881.md says why. Arguments are not looked at. */
static void what_it_does_not_do_it_says(void **state)
{
        static const struct {
                uint32_t minor, opnum;
        } none[] = { { 1, OP_OPENATTR },        { 1, OP_DELEGPURGE },    { 1, OP_GET_DIR_DELEGATION },
                     { 1, OP_WANT_DELEGATION }, { 1, OP_GETDEVICELIST }, { 1, OP_SET_SSV },
                     { 2, OP_WRITE_SAME },      { 2, OP_COPY_NOTIFY } };

        (void)state;
        for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
                su.minor = none[i].minor;
                user_begin(&su);
                user_putfh(&su, &root);
                user_op(&su, none[i].opnum);
                assert_int_equal(user_call(&su), NFS4ERR_NOTSUPP);
                user_result(&su, OP_PUTFH);
                assert_int_equal(user_result(&su, none[i].opnum), NFS4ERR_NOTSUPP);
        }
}

/* §5.6: REQUIRED, and what Linux will not do without. */
static void what_is_required_is_supported(void **state)
{
        static const unsigned required[] = {
                FATTR4_SUPPORTED_ATTRS, FATTR4_TYPE,          FATTR4_FH_EXPIRE_TYPE,
                FATTR4_CHANGE,          FATTR4_SIZE,          FATTR4_LINK_SUPPORT,
                FATTR4_SYMLINK_SUPPORT, FATTR4_NAMED_ATTR,    FATTR4_FSID,
                FATTR4_UNIQUE_HANDLES,  FATTR4_LEASE_TIME,    FATTR4_RDATTR_ERROR,
                FATTR4_FILEHANDLE,      FATTR4_FILEID,        FATTR4_SUPPATTR_EXCLCREAT,
                FATTR4_FS_LAYOUT_TYPES, FATTR4_LAYOUT_BLKSIZE
        };
        struct bitmap4 supported, exclcreat;

        (void)state;
        GET(&root, FATTR4_SUPPORTED_ATTRS, FATTR4_SUPPATTR_EXCLCREAT);
        get_bitmap(&su.in, &supported);
        get_bitmap(&su.in, &exclcreat);
        for (unsigned i = 0; i < sizeof(required) / sizeof(required[0]); i++)
                assert_true(bitmap_has(&supported, required[i]));
        for (unsigned attr = 0; attr < 96; attr++)
                if (bitmap_has(&exclcreat, attr))
                        assert_true(bitmap_has(&supported, attr) && bitmap_has(&attrs_writable, attr));
}

static void space_and_quota_add_up(void **state)
{
        uint64_t hard, soft, used, avail, free, total;

        (void)state;
        for (int i = 0; i < LAB_DATA_SERVERS; i++) {
                lab.ds[i].server->space_total = 1000;
                lab.ds[i].server->space_free = 600;
        }
        GET(&root, FATTR4_QUOTA_AVAIL_HARD, FATTR4_QUOTA_AVAIL_SOFT, FATTR4_QUOTA_USED, FATTR4_SPACE_AVAIL,
            FATTR4_SPACE_FREE, FATTR4_SPACE_TOTAL);
        hard = xdr_get_u64(&su.in);
        soft = xdr_get_u64(&su.in);
        used = xdr_get_u64(&su.in);
        avail = xdr_get_u64(&su.in);
        free = xdr_get_u64(&su.in);
        total = xdr_get_u64(&su.in);
        assert_int_equal(total, 1000 * LAB_DATA_SERVERS);
        assert_int_equal(free, 600 * LAB_DATA_SERVERS);
        assert_int_equal(used, 400 * LAB_DATA_SERVERS);
        assert_true(avail == free && hard == avail && soft == avail);
}

static uint64_t change_of(const struct user_fh *fh)
{
        struct user_attrs a;

        assert_int_equal(user_getattr(&su, fh, &a), NFS4_OK);
        return a.change;
}

/* §14.4: names are bytes, and that is said. */
static void names_need_not_be_utf8(void **state)
{
        (void)state;
        GET(&root, FATTR4_FS_CHARSET_CAP);
        assert_int_equal(xdr_get_u32(&su.in), FSCHARSET_CAP4_CONTAINS_NON_UTF8);
        assert_int_equal(user_mkdir(&su, &root, "\xc0\xc1", 0755, NULL), NFS4_OK);
        assert_int_equal(user_rename(&su, &root, "\xc0\xc1", &root, "\xff"), NFS4_OK);
        assert_int_equal(user_lookup(&su, &root, "\xff", NULL), NFS4_OK);
}

/* MONOTONIC_INCR: also when the clock stands still, and over a restart. */
static void change_only_rises(void **state)
{
        uint64_t before;

        (void)state;
        GET(&root, FATTR4_CHANGE_ATTR_TYPE);
        assert_int_equal(xdr_get_u32(&su.in), NFS4_CHANGE_TYPE_IS_MONOTONIC_INCR);
        before = change_of(&root);
        for (int i = 0; i < 3; i++) {
                uint64_t now;

                assert_int_equal(user_mkdir(&su, &root,
                                            i == 0   ? "a"
                                            : i == 1 ? "b"
                                                     : "c",
                                            0755, NULL),
                                 NFS4_OK);
                now = change_of(&root);
                assert_true(now > before);
                before = now;
        }
        mds_lab_restart(&lab, true);
        user_start(&su, &lab, "root", 1, 0, 0);
        assert_int_equal(user_remove(&su, &root, "a"), NFS4_OK);
        assert_true(change_of(&root) > before);
}

/* §5.8.1.14: what it says EXCLUSIVE4_1 can set, it sets, with the verifier, and says so. */
static void an_exclusive_create_sets_what_it_says(void **state)
{
        struct attr_set set = {
                .mode = 0640, .uid = 7, .gid = 8, .time_access = 5000000000, .time_modify = 7000000000
        };
        static const unsigned given[] = { FATTR4_MODE, FATTR4_OWNER, FATTR4_OWNER_GROUP,
                                          FATTR4_TIME_ACCESS_SET, FATTR4_TIME_MODIFY_SET };
        struct user_attrs a;
        struct user_fh file;
        struct bitmap4 attrset;

        (void)state;
        for (unsigned i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
                assert_true(bitmap_has(&attrs_exclcreat, given[i]));
                bitmap_set(&set.mask, given[i]);
        }
        user_begin(&su);
        user_putfh(&su, &root);
        xdr_put_u32(user_op(&su, OP_OPEN), 0);
        xdr_put_u32(su.x, OPEN4_SHARE_ACCESS_WRITE);
        xdr_put_u32(su.x, OPEN4_SHARE_DENY_NONE);
        xdr_put_u64(su.x, su.clientid);
        xdr_put_string(su.x, "owner");
        xdr_put_u32(su.x, OPEN4_CREATE);
        xdr_put_u32(su.x, EXCLUSIVE4_1);
        xdr_put_u64(su.x, 0x0102030405060708);
        user_put_attrs(su.x, &set);
        xdr_put_u32(su.x, CLAIM_NULL);
        xdr_put_string(su.x, "f");
        assert_int_equal(user_call(&su), NFS4_OK);
        user_result(&su, OP_PUTFH);
        user_result(&su, OP_OPEN);
        xdr_get_bytes(&su.in, 16 + 20 + 4); /* stateid, cinfo, rflags */
        get_bitmap(&su.in, &attrset);
        assert_memory_equal(attrset.word, set.mask.word, sizeof(attrset.word));
        assert_int_equal(user_lookup(&su, &root, "f", &file), NFS4_OK);
        assert_int_equal(user_getattr(&su, &file, &a), NFS4_OK);
        assert_true(a.mode == 0640 && a.uid == 7 && a.gid == 8);
        assert_true(a.atime == 5000000000 && a.mtime == 7000000000);
}

static int64_t birth_of(const struct user_fh *fh)
{
        int64_t ns;

        GET(fh, FATTR4_TIME_CREATE);
        ns = (int64_t)xdr_get_u64(&su.in) * 1000000000;
        return ns + xdr_get_u32(&su.in);
}

static void the_time_of_creation_stays(void **state)
{
        struct attr_set set = { .mode = 0600 };
        struct user_fh file;
        struct user_attrs a;
        int64_t birth;

        (void)state;
        assert_int_equal(user_touch(&su, &root, "f", 0644, &file), NFS4_OK);
        assert_int_equal(user_getattr(&su, &file, &a), NFS4_OK);
        birth = birth_of(&file);
        assert_int_equal(birth, a.ctime);
        mds_lab_run_ms(&lab, 20);
        bitmap_set(&set.mask, FATTR4_MODE);
        assert_int_equal(user_setattr(&su, &file, NULL, &set), NFS4_OK);
        assert_int_equal(birth_of(&file), birth);
        assert_int_equal(user_getattr(&su, &file, &a), NFS4_OK);
        assert_true(a.ctime > birth && a.mounted_on == a.fileid);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(what_it_does_not_do_it_says), CASE(what_is_required_is_supported),
                CASE(space_and_quota_add_up),      CASE(names_need_not_be_utf8),
                CASE(change_only_rises),           CASE(an_exclusive_create_sets_what_it_says),
                CASE(the_time_of_creation_stays),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
