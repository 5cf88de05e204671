/* SPDX-License-Identifier: Apache-2.0 */
/* Records survive a round trip; whatever is cut off or added is refused; keys sort as numbers do. */
#include "tests/unit/mds/store/support.h"

static struct inode sample(uint8_t type)
{
        struct inode i = { .fileid = 0x0102030405060708,
                           .generation = 0xfedcba98,
                           .type = type,
                           .mode = 06755,
                           .uid = 1000,
                           .gid = UINT32_MAX,
                           .nlink = 3,
                           .size = UINT64_MAX,
                           .used = 4096,
                           .change = 77,
                           .atime = -1,
                           .mtime = INT64_MAX,
                           .ctime = INT64_MIN,
                           .btime = 5 };

        if (type == NF4DIR)
                i.parent = 99;
        if (type == NF4DIR || type == NF4REG) {
                i.unit = 1 << 20;
                i.width = 256;
                i.pool = 7;
                i.first = 255;
                i.start = 3;
        }
        if (type == NF4BLK || type == NF4CHR) {
                i.rdev_major = 8;
                i.rdev_minor = UINT32_MAX;
        }
        return i;
}

static void inodes_of_all_types(void **state)
{
        uint8_t bytes[RECORD_MAX];

        (void)state;
        for (uint8_t type = NF4REG; type <= NF4FIFO; type++)
                for (int exclusive = 0; exclusive < 2; exclusive++) {
                        struct inode in = sample(type), out;
                        struct slice value;

                        in.flags = exclusive ? INODE_EXCLUSIVE : INODE_DATA;
                        if (exclusive)
                                memcpy(in.verifier, "verifier", NFS4_VERIFIER_SIZE);
                        value = inode_encode(bytes, &in);
                        memset(&out, 0x55, sizeof(out));
                        assert_true(inode_decode(value, &out));
                        assert_memory_equal(bytes, inode_encode(bytes + 1024, &out).data, value.length);
                        assert_int_equal(out.fileid, in.fileid);
                        assert_int_equal(out.parent, in.parent);
                        assert_int_equal(out.ctime, INT64_MIN);
                        assert_int_equal(out.width, in.width);
                        assert_int_equal(out.rdev_minor, in.rdev_minor);
                        for (uint32_t cut = 0; cut < value.length; cut++)
                                assert_false(inode_decode(slice_of(bytes, cut), &out));
                        assert_false(inode_decode(slice_of(bytes, value.length + 1), &out));
                }
}

static void inodes_that_make_no_sense(void **state)
{
        uint8_t bytes[RECORD_MAX];
        struct inode in = sample(NF4REG), out;
        struct slice value = inode_encode(bytes, &in);

        (void)state;
        bytes[0] = 2; /* a version from the future */
        assert_false(inode_decode(value, &out));
        in.type = NF4ATTRDIR;
        assert_false(inode_decode(inode_encode(bytes, &in), &out));
        in = sample(NF4REG);
        in.fileid = 0;
        assert_false(inode_decode(inode_encode(bytes, &in), &out));
        in = sample(NF4REG);
        in.mode = 010000;
        assert_false(inode_decode(inode_encode(bytes, &in), &out));
        in = sample(NF4REG);
        in.flags = 0x80;
        assert_false(inode_decode(inode_encode(bytes, &in), &out));
}

static void entries(void **state)
{
        struct dirent_record in = { .fileid = 12, .type = NF4LNK, .name_length = 255 }, out;
        uint8_t bytes[RECORD_MAX];
        struct slice value;

        (void)state;
        memset(in.name, 'n', sizeof(in.name));
        value = dirent_encode(bytes, &in);
        assert_true(dirent_decode(value, &out));
        assert_int_equal(out.fileid, 12);
        assert_int_equal(out.name_length, 255);
        assert_memory_equal(out.name, in.name, 255);
        assert_false(dirent_decode(slice_of(bytes, value.length + 1), &out));
        for (uint32_t cut = 0; cut < 11; cut++)
                assert_false(dirent_decode(slice_of(bytes, cut), &out));
        in = (struct dirent_record){ 0 }; /* a hole */
        assert_true(dirent_decode(dirent_encode(bytes, &in), &out));
        assert_int_equal(out.type, 0);
        in.name_length = 1; /* a hole with a name, a name without a type */
        assert_false(dirent_decode(dirent_encode(bytes, &in), &out));
        in = (struct dirent_record){ .type = NF4REG, .name_length = 1 };
        assert_false(dirent_decode(dirent_encode(bytes, &in), &out));
}

static void orphans(void **state)
{
        struct orphan_record in = { true, 1, 4096, 256, 65535, 255, 9 }, out;
        uint8_t bytes[RECORD_MAX];
        struct slice value = orphan_encode(bytes, &in);

        (void)state;
        assert_true(orphan_decode(value, &out));
        assert_true(out.open);
        assert_int_equal(out.width, 256);
        assert_int_equal(out.start, 9);
        for (uint32_t cut = 0; cut < value.length; cut++)
                assert_false(orphan_decode(slice_of(bytes, cut), &out));
        bytes[1] = 2;
        assert_false(orphan_decode(value, &out));
}

static void clients(void **state)
{
        struct client_record in = { "verifie", 1, UINT32_MAX, 45, true }, out;
        uint8_t bytes[RECORD_MAX];
        struct slice value = client_encode(bytes, &in);

        (void)state;
        assert_true(client_decode(value, &out));
        assert_memory_equal(out.verifier, in.verifier, NFS4_VERIFIER_SIZE);
        assert_int_equal(out.flavor, 1);
        assert_int_equal(out.uid, UINT32_MAX);
        assert_int_equal(out.lease_seconds, 45);
        assert_true(out.delegated);
        for (uint32_t cut = 0; cut < value.length; cut++)
                assert_false(client_decode(slice_of(bytes, cut), &out));
        assert_false(client_decode(slice_of(bytes, value.length + 1), &out));
        bytes[0] = 1; /* of before there was anything to reclaim */
        assert_false(client_decode(value, &out));
}

static void keys_sort_and_parse(void **state)
{
        uint8_t a[KEY_MAX], b[KEY_MAX];
        uint64_t first, second;
        uint32_t tag;

        (void)state;
        assert_true(memcmp(key_dirent(a, 1, 255).data, key_dirent(b, 1, 256).data, 17) < 0);
        assert_true(memcmp(key_dirent(a, 1, UINT64_MAX).data, key_dirent(b, 2, 0).data, 17) < 0);
        assert_memory_equal(key_dirents(a, 7).data, key_dirent(b, 7, 3).data, 9);
        assert_true(key_parse_u64_u64(key_dirent(a, 5, 6), 'd', &first, &second));
        assert_int_equal(first, 5);
        assert_int_equal(second, 6);
        assert_false(key_parse_u64(key_dirent(a, 5, 6), 'd', &first));
        assert_false(key_parse_u64_u64(key_dirent(a, 5, 6), 'x', &first, &second));
        assert_true(key_parse_u64_u32(key_layout(a, 8, 9), 'l', &first, &tag));
        assert_int_equal(tag, 9);
        assert_true(key_parse_u64(key_inode(a, UINT64_MAX), 'i', &first));
        assert_true(first == UINT64_MAX);
        assert_false(key_parse_u64(slice_of("", 0), 'i', &first));
        assert_int_equal(key_client(a, slice_str("owner")).length, 6);
        assert_int_equal(key_kind(a, 'd').length, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(inodes_of_all_types),
                cmocka_unit_test(inodes_that_make_no_sense),
                cmocka_unit_test(entries),
                cmocka_unit_test(orphans),
                cmocka_unit_test(clients),
                cmocka_unit_test(keys_sort_and_parse),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
