/* SPDX-License-Identifier: Apache-2.0 */
/* fattr4 (RFC 8881 §5): what is asked comes out in ascending order and no more; what is set is decoded whole
 * or refused with the right status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nfs4/attrs.h"

static struct bitmap4 bits(unsigned count, ...)
{
        struct bitmap4 b = { 0 };
        va_list args;

        va_start(args, count);
        for (unsigned i = 0; i < count; i++)
                bitmap_set(&b, va_arg(args, unsigned));
        va_end(args);
        return b;
}

/* --- encoding */

static uint8_t bytes[4096];
static struct acl acl = { .count = ACL_ACES };

static struct xdr_in encoded(const struct bitmap4 *asked, const struct attr_values *v, struct bitmap4 *given)
{
        struct xdr_out x;
        struct xdr_in in;
        uint32_t length;

        xdr_out_init(&x, bytes, sizeof(bytes));
        attrs_encode(&x, asked, v);
        assert_false(x.full);
        assert_true(xdr_head_length(&x) <= attrs_encoded_max(asked));
        in = xdr_in_of(slice_of(bytes, xdr_head_length(&x)));
        get_bitmap(&in, given);
        length = xdr_get_u32(&in);
        assert_int_equal(length, xdr_left(&in));
        return in;
}

static void asked_comes_in_ascending_order(void **state)
{
        const struct attr_values v = { .supported = &attrs_supported,
                                       .acl = &acl,
                                       .type = NF4REG,
                                       .size = 77,
                                       .fileid = 5,
                                       .mode = 0640,
                                       .uid = 4294967294u,
                                       .gid = 0,
                                       .time_modify = -1 };
        struct bitmap4 asked = bits(7, FATTR4_TIME_MODIFY, FATTR4_OWNER_GROUP, FATTR4_OWNER, FATTR4_MODE,
                                    FATTR4_FILEID, FATTR4_SIZE, FATTR4_TYPE);
        struct bitmap4 given;
        struct xdr_in in = encoded(&asked, &v, &given);

        (void)state;
        assert_memory_equal(given.word, asked.word, sizeof(asked.word));
        assert_int_equal(xdr_get_u32(&in), NF4REG);
        assert_int_equal(xdr_get_u64(&in), 77);
        assert_int_equal(xdr_get_u64(&in), 5);
        assert_int_equal(xdr_get_u32(&in), 0640);
        assert_true(slice_equal(xdr_get_opaque(&in, 64), slice_str("4294967294")));
        assert_true(slice_equal(xdr_get_opaque(&in, 64), slice_str("0")));
        assert_int_equal(xdr_get_u64(&in), UINT64_MAX); /* one nanosecond before 1970 */
        assert_int_equal(xdr_get_u32(&in), 999999999);
        assert_false(in.bad);
        assert_int_equal(xdr_left(&in), 0);
}

static void unsupported_and_write_only_are_left_out(void **state)
{
        const struct attr_values v = { .supported = &attrs_supported, .acl = &acl };
        struct bitmap4 asked = bits(4, FATTR4_TYPE, 14u /* archive */, FATTR4_TIME_ACCESS_SET,
                                    80u /* sec_label */),
                       given;

        (void)state;
        asked.beyond = true;
        encoded(&asked, &v, &given);
        assert_int_equal(given.word[0], 1u << FATTR4_TYPE);
        assert_int_equal(given.word[1], 0);
        assert_int_equal(given.word[2], 0);
        assert_true(attrs_ask_write_only(&asked));
        bitmap_clear(&asked, FATTR4_TIME_ACCESS_SET);
        assert_false(attrs_ask_write_only(&asked));
}

static void everything_fits_its_bound(void **state)
{
        const struct attr_values v = {
                .supported = &attrs_supported, .acl = &acl, .uid = UINT32_MAX, .gid = UINT32_MAX, .pnfs = true
        };
        struct bitmap4 asked = { .word = { UINT32_MAX, UINT32_MAX, UINT32_MAX } }, given;

        (void)state;
        encoded(&asked, &v, &given);
        for (unsigned attr = 0; attr < FATTR4_LIMIT; attr++) {
                struct bitmap4 one = bits(1, attr);

                encoded(&one, &v, &given);
                assert_true(!bitmap_has(&given, attr) || bitmap_has(&attrs_supported, attr));
        }
}

static void layout_types_are_files_or_none(void **state)
{
        struct attr_values v = { .supported = &attrs_supported, .acl = &acl, .pnfs = true };
        struct bitmap4 asked = bits(1, FATTR4_FS_LAYOUT_TYPES), given;
        struct xdr_in in = encoded(&asked, &v, &given);

        (void)state;
        assert_int_equal(xdr_get_u32(&in), 1);
        assert_int_equal(xdr_get_u32(&in), LAYOUT4_NFSV4_1_FILES);
        v.pnfs = false;
        in = encoded(&asked, &v, &given);
        assert_int_equal(xdr_get_u32(&in), 0);
        assert_int_equal(xdr_left(&in), 0);
}

static void a_short_buffer_is_full(void **state)
{
        const struct attr_values v = { .supported = &attrs_supported, .acl = &acl };
        struct bitmap4 asked = { .word = { UINT32_MAX, UINT32_MAX, UINT32_MAX } };

        (void)state;
        for (uint32_t room = 0; room < 256; room += 4) {
                struct xdr_out x;

                xdr_out_init(&x, bytes, room);
                attrs_encode(&x, &asked, &v);
                assert_true(x.full);
        }
}

/* --- decoding */

struct given {
        struct xdr_out x;
        uint32_t length_at;
        uint8_t bytes[2048];
};

static void begin(struct given *g, struct bitmap4 mask)
{
        xdr_out_init(&g->x, g->bytes, sizeof(g->bytes));
        put_bitmap(&g->x, &mask);
        g->length_at = xdr_head_length(&g->x);
        xdr_put_u32(&g->x, 0);
}

static enum nfsstat4 decoded(struct given *g, struct attr_set *ret)
{
        enum nfsstat4 status;
        struct xdr_in in;

        xdr_patch_u32(&g->x, g->length_at, xdr_head_length(&g->x) - g->length_at - 4);
        in = xdr_in_of(slice_of(g->bytes, xdr_head_length(&g->x)));
        attrs_decode(&in, ret, &status);
        assert_int_equal(in.bad, status == NFS4ERR_BADXDR);
        return status;
}

static void all_that_can_be_set(void **state)
{
        struct given g;
        struct attr_set set;

        (void)state;
        begin(&g, bits(7, FATTR4_SIZE, FATTR4_MODE, FATTR4_OWNER, FATTR4_OWNER_GROUP, FATTR4_TIME_ACCESS_SET,
                       FATTR4_TIME_CREATE, FATTR4_TIME_MODIFY_SET));
        xdr_put_u64(&g.x, 1ull << 40);
        xdr_put_u32(&g.x, 04755);
        xdr_put_string(&g.x, "1000");
        xdr_put_string(&g.x, "0");
        xdr_put_u32(&g.x, SET_TO_SERVER_TIME4);
        put_time(&g.x, 123456789012345);
        xdr_put_u32(&g.x, SET_TO_CLIENT_TIME4);
        put_time(&g.x, -5000000001);
        assert_int_equal(decoded(&g, &set), NFS4_OK);
        assert_int_equal(set.size, 1ull << 40);
        assert_int_equal(set.mode, 04755);
        assert_int_equal(set.mode_mask, 07777);
        assert_int_equal(set.uid, 1000);
        assert_int_equal(set.gid, 0);
        assert_true(set.atime_now);
        assert_false(set.mtime_now);
        assert_int_equal(set.time_create, 123456789012345);
        assert_int_equal(set.time_modify, -5000000001);
}

static enum nfsstat4 owner_status(const char *text)
{
        struct given g;
        struct attr_set set;

        begin(&g, bits(1, FATTR4_OWNER));
        xdr_put_string(&g.x, text);
        return decoded(&g, &set);
}

static void owners_are_numbers(void **state)
{
        static const char *const bad[] = { "",   "root", "root@example.org", "-1",         "01",         "00",
                                           "+1", "1 ",   "4294967295",       "4294967296", "99999999999" };

        (void)state;
        assert_int_equal(owner_status("0"), NFS4_OK);
        assert_int_equal(owner_status("4294967294"), NFS4_OK);
        for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_int_equal(owner_status(bad[i]), NFS4ERR_BADOWNER);
}

static enum nfsstat4 time_status(uint32_t how, uint64_t seconds, uint32_t nanoseconds)
{
        struct given g;
        struct attr_set set;

        begin(&g, bits(1, FATTR4_TIME_MODIFY_SET));
        xdr_put_u32(&g.x, how);
        if (how == SET_TO_CLIENT_TIME4) {
                xdr_put_u64(&g.x, seconds);
                xdr_put_u32(&g.x, nanoseconds);
        }
        return decoded(&g, &set);
}

static void times_have_a_range(void **state)
{
        (void)state;
        assert_int_equal(time_status(SET_TO_SERVER_TIME4, 0, 0), NFS4_OK);
        assert_int_equal(time_status(SET_TO_CLIENT_TIME4, 4102444800, 999999999), NFS4_OK);
        assert_int_equal(time_status(SET_TO_CLIENT_TIME4, (uint64_t)-9000000000, 0), NFS4_OK);
        assert_int_equal(time_status(SET_TO_CLIENT_TIME4, 1, 1000000000), NFS4ERR_INVAL);
        assert_int_equal(time_status(SET_TO_CLIENT_TIME4, 1ull << 62, 0), NFS4ERR_INVAL);
        assert_int_equal(time_status(SET_TO_CLIENT_TIME4, 1ull << 63, 0), NFS4ERR_INVAL);
        assert_int_equal(time_status(2, 0, 0), NFS4ERR_BADXDR);
}

static enum nfsstat4 masked_mode(uint32_t value, uint32_t mask, struct attr_set *set)
{
        struct given g;

        begin(&g, bits(1, FATTR4_MODE_SET_MASKED));
        xdr_put_u32(&g.x, value);
        xdr_put_u32(&g.x, mask);
        return decoded(&g, set);
}

static void modes(void **state)
{
        struct given g;
        struct attr_set set;

        (void)state;
        assert_int_equal(masked_mode(04000, 06000, &set), NFS4_OK);
        assert_int_equal(set.mode, 04000);
        assert_int_equal(set.mode_mask, 06000);
        assert_int_equal(masked_mode(0700, 0070, &set), NFS4ERR_INVAL);
        assert_int_equal(masked_mode(010000, 010000, &set), NFS4ERR_INVAL);
        begin(&g, bits(1, FATTR4_MODE));
        xdr_put_u32(&g.x, 010644);
        assert_int_equal(decoded(&g, &set), NFS4ERR_INVAL);
        begin(&g, bits(2, FATTR4_MODE, FATTR4_MODE_SET_MASKED));
        xdr_put_u32(&g.x, 0644);
        xdr_put_u32(&g.x, 0);
        xdr_put_u32(&g.x, 0);
        assert_int_equal(decoded(&g, &set), NFS4ERR_INVAL);
}

static void mode_and_umask(void **state)
{
        struct given g;
        struct attr_set set;

        (void)state;
        begin(&g, bits(1, FATTR4_MODE_UMASK));
        xdr_put_u32(&g.x, 02666);
        xdr_put_u32(&g.x, 027);
        assert_int_equal(decoded(&g, &set), NFS4_OK);
        assert_int_equal(set.mode, 02640);
        assert_int_equal(set.mode_unmasked, 02666);
        begin(&g, bits(2, FATTR4_MODE, FATTR4_MODE_UMASK));
        xdr_put_u32(&g.x, 0644);
        xdr_put_u32(&g.x, 0666);
        xdr_put_u32(&g.x, 022);
        assert_int_equal(decoded(&g, &set), NFS4ERR_INVAL);
}

static enum nfsstat4 acl_status(uint32_t type, uint32_t flags, uint32_t mask, const char *who)
{
        struct given g;
        struct attr_set set;

        begin(&g, bits(1, FATTR4_ACL));
        xdr_put_u32(&g.x, 1);
        xdr_put_u32(&g.x, type);
        xdr_put_u32(&g.x, flags);
        xdr_put_u32(&g.x, mask);
        xdr_put_string(&g.x, who);
        return decoded(&g, &set);
}

static void access_control_lists(void **state)
{
        struct given g;
        struct attr_set set;

        (void)state;
        assert_int_equal(acl_status(0, 0, 1, "OWNER@"), NFS4_OK);
        assert_int_equal(acl_status(1, 0x4b, 0x1f07ff, "1000"), NFS4_OK);
        assert_int_equal(acl_status(2, 0, 1, "OWNER@"), NFS4ERR_ATTRNOTSUPP); /* AUDIT */
        assert_int_equal(acl_status(0, 0x10, 1, "OWNER@"), NFS4ERR_INVAL);    /* SUCCESSFUL_ACCESS */
        assert_int_equal(acl_status(0, 0, 0x800, "OWNER@"), NFS4ERR_INVAL);
        assert_int_equal(acl_status(0, 0, 1, "owner@"), NFS4ERR_BADOWNER);
        assert_int_equal(acl_status(0, 0, 1, "NETWORK@"), NFS4ERR_BADOWNER);
        assert_int_equal(acl_status(0, 0, 1, "01"), NFS4ERR_BADOWNER);
        assert_int_equal(acl_status(0, 0, 1, ""), NFS4ERR_BADOWNER);
        begin(&g, bits(1, FATTR4_ACL));
        xdr_put_u32(&g.x, ACL_ACES + 1);
        for (int i = 0; i <= ACL_ACES; i++) {
                xdr_put_u64(&g.x, 0);
                xdr_put_u32(&g.x, 1);
                xdr_put_string(&g.x, "1");
        }
        assert_int_equal(decoded(&g, &set), NFS4ERR_NOSPC);
        begin(&g, bits(1, FATTR4_ACL));
        xdr_put_u32(&g.x, UINT32_MAX);
        assert_int_equal(decoded(&g, &set), NFS4ERR_BADXDR);
        begin(&g, bits(1, FATTR4_ACL));
        xdr_put_u32(&g.x, 0);
        assert_int_equal(decoded(&g, &set), NFS4_OK); /* nobody may anything */
        assert_int_equal(set.acl.length, 4);
}

static void what_cannot_be_set(void **state)
{
        struct given g;
        struct attr_set set;
        struct bitmap4 beyond = bits(1, FATTR4_MODE);

        (void)state;
        begin(&g, bits(1, FATTR4_CHANGE));
        xdr_put_u64(&g.x, 1);
        assert_int_equal(decoded(&g, &set), NFS4ERR_INVAL);
        begin(&g, bits(1, 14u /* archive */));
        xdr_put_bool(&g.x, false);
        assert_int_equal(decoded(&g, &set), NFS4ERR_ATTRNOTSUPP);
        begin(&g, bits(1, FATTR4_SIZE));
        xdr_put_u64(&g.x, 1ull << 63);
        assert_int_equal(decoded(&g, &set), NFS4ERR_FBIG);

        xdr_out_init(&g.x, g.bytes, sizeof(g.bytes)); /* a fourth word of the bitmap */
        xdr_put_u32(&g.x, 4);
        for (int i = 0; i < 3; i++)
                xdr_put_u32(&g.x, beyond.word[i]);
        xdr_put_u32(&g.x, 1);
        g.length_at = xdr_head_length(&g.x);
        xdr_put_u32(&g.x, 0);
        xdr_put_u32(&g.x, 0644);
        assert_int_equal(decoded(&g, &set), NFS4ERR_ATTRNOTSUPP);
}

static void lengths_are_exact(void **state)
{
        struct given g;
        struct attr_set set;

        (void)state;
        begin(&g, bits(2, FATTR4_SIZE, FATTR4_MODE));
        xdr_put_u64(&g.x, 1);
        assert_int_equal(decoded(&g, &set), NFS4ERR_BADXDR); /* the mode is missing */
        begin(&g, bits(1, FATTR4_MODE));
        xdr_put_u32(&g.x, 0644);
        xdr_put_u32(&g.x, 0);
        assert_int_equal(decoded(&g, &set), NFS4ERR_BADXDR); /* something is left */
        begin(&g, bits(1, FATTR4_OWNER));
        xdr_put_u32(&g.x, 100);
        assert_int_equal(decoded(&g, &set), NFS4ERR_BADXDR); /* a string without its bytes */
        begin(&g, (struct bitmap4){ 0 });
        assert_int_equal(decoded(&g, &set), NFS4_OK);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(asked_comes_in_ascending_order),
                cmocka_unit_test(unsupported_and_write_only_are_left_out),
                cmocka_unit_test(everything_fits_its_bound),
                cmocka_unit_test(layout_types_are_files_or_none),
                cmocka_unit_test(a_short_buffer_is_full),
                cmocka_unit_test(all_that_can_be_set),
                cmocka_unit_test(owners_are_numbers),
                cmocka_unit_test(times_have_a_range),
                cmocka_unit_test(modes),
                cmocka_unit_test(mode_and_umask),
                cmocka_unit_test(access_control_lists),
                cmocka_unit_test(what_cannot_be_set),
                cmocka_unit_test(lengths_are_exact),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
