/* SPDX-License-Identifier: Apache-2.0 */
/* A handle says what was put in, is exactly its documented bytes, and is refused after any change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hashtab.h"
#include "base/siphash.h"
#include "include/fh.h"

static const uint8_t key[16] = { 9, 8, 7, 6, 5, 4, 3, 2, 1 };

static const struct fh mds = { .kind = FH_MDS,
                               .flags = FH_PSEUDO,
                               .export_id = 0x1234,
                               .fileid = 0x0102030405060708,
                               .generation = 0xa1a2a3a4 };
static const struct fh ds = { .kind = FH_DS,
                              .flags = FH_WRITE | FH_TIERED,
                              .export_id = 0x1234,
                              .fileid = 0x0102030405060708,
                              .generation = 0xa1a2a3a4,
                              .epoch = 0xb1b2b3b4,
                              .client = 0xc1c2c3c4,
                              .unit = 0x100000,
                              .width = 3,
                              .first = 2,
                              .pool = 0xd1d2,
                              .start = 0xe1 };

static void assert_same(const struct fh *a, const struct fh *b)
{
        assert_int_equal(a->kind, b->kind);
        assert_int_equal(a->flags, b->flags);
        assert_int_equal(a->export_id, b->export_id);
        assert_int_equal(a->fileid, b->fileid);
        assert_int_equal(a->generation, b->generation);
        assert_int_equal(a->epoch, b->epoch);
        assert_int_equal(a->client, b->client);
        assert_int_equal(a->unit, b->unit);
        assert_int_equal(a->width, b->width);
        assert_int_equal(a->first, b->first);
        assert_int_equal(a->pool, b->pool);
        assert_int_equal(a->start, b->start);
}

static void round_trip(const struct fh *fh)
{
        uint8_t bytes[FH_BYTES];
        struct fh back;

        fh_encode(fh, key, bytes);
        assert_true(fh_decode(bytes, FH_BYTES, key, &back));
        assert_same(fh, &back);
}

static void bytes_are_as_documented(void **state)
{
        static const uint8_t expected[32] = { 2,    3,    0x12, 0x34, 1,    2,    3,    4,
                                              5,    6,    7,    8,    0xa1, 0xa2, 0xa3, 0xa4,
                                              0xb1, 0xb2, 0xb3, 0xb4, 0xc1, 0xc2, 0xc3, 0xc4,
                                              0x01, 0x00, 2,    2,    0xd1, 0xd2, 0xe1, 0 };
        uint8_t bytes[FH_BYTES];
        uint64_t mac = siphash(expected, 32, key);

        (void)state;
        fh_encode(&ds, key, bytes);
        assert_memory_equal(bytes, expected, 32);
        for (int i = 0; i < 8; i++)
                assert_int_equal(bytes[32 + i], (uint8_t)(mac >> (56 - 8 * i)));
}

static void each_field_keeps_its_ends(void **state)
{
        struct fh fh = ds;

        (void)state;
        round_trip(&mds);
        round_trip(&ds);
        fh.flags = FH_WRITE | FH_TIERED | FH_PROXY;
        fh.export_id = UINT16_MAX;
        fh.fileid = UINT64_MAX;
        fh.generation = fh.epoch = fh.client = UINT32_MAX;
        fh.unit = 65535 * FH_UNIT_GRAIN;
        fh.width = 256;
        fh.first = 255;
        fh.pool = UINT16_MAX;
        fh.start = UINT8_MAX;
        round_trip(&fh);
        fh = (struct fh){ .kind = FH_DS, .unit = FH_UNIT_GRAIN, .width = 1 };
        round_trip(&fh);
        fh = (struct fh){ .kind = FH_MDS };
        round_trip(&fh);
        fh = (struct fh){
                .kind = FH_MDS, .export_id = UINT16_MAX, .fileid = UINT64_MAX, .generation = UINT32_MAX
        };
        round_trip(&fh);
}

static void random_handles_come_back(void **state)
{
        (void)state;
        for (uint64_t i = 0; i < 10000; i++) {
                uint64_t a = hash_u64(3 * i + 1), b = hash_u64(3 * i + 2), c = hash_u64(3 * i + 3);
                struct fh fh = { .kind = FH_DS,
                                 .flags = (uint8_t)(a & 11),
                                 .export_id = (uint16_t)(a >> 8),
                                 .fileid = b,
                                 .generation = (uint32_t)c,
                                 .epoch = (uint32_t)(c >> 32),
                                 .client = (uint32_t)(a >> 32),
                                 .unit = (uint32_t)(b % 65535 + 1) * FH_UNIT_GRAIN,
                                 .width = (uint16_t)(c % 256 + 1),
                                 .pool = (uint16_t)(b >> 16),
                                 .start = (uint8_t)(c >> 8) };

                fh.first = (uint8_t)(a % fh.width);
                round_trip(&fh);
        }
}

static void a_flipped_bit_anywhere_is_refused(void **state)
{
        const struct fh *handles[] = { &mds, &ds };

        (void)state;
        for (int h = 0; h < 2; h++)
                for (int bit = 0; bit < FH_BYTES * 8; bit++) {
                        uint8_t bytes[FH_BYTES];
                        struct fh back = { .kind = 77 };

                        fh_encode(handles[h], key, bytes);
                        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
                        assert_false(fh_decode(bytes, FH_BYTES, key, &back));
                        assert_int_equal(back.kind, 77);
                }
}

static void another_length_or_key_is_refused(void **state)
{
        uint8_t bytes[FH_BYTES + 8] = { 0 }, other[16] = { 0 };
        struct fh back;

        (void)state;
        fh_encode(&ds, key, bytes);
        for (uint32_t length = 0; length < sizeof(bytes); length++)
                assert_true(fh_decode(bytes, length, key, &back) == (length == FH_BYTES));
        assert_false(fh_decode(bytes, FH_BYTES, other, &back));
}

/* Bytes of FH with byte AT set to VALUE and a good MAC: only the range can be what is wrong. */
static bool decodes_with(const struct fh *fh, int at, uint8_t value)
{
        uint8_t bytes[FH_BYTES];
        struct fh back;
        uint64_t mac;

        fh_encode(fh, key, bytes);
        bytes[at] = value;
        mac = siphash(bytes, 32, key);
        for (int i = 0; i < 8; i++)
                bytes[32 + i] = (uint8_t)(mac >> (56 - 8 * i));
        return fh_decode(bytes, FH_BYTES, key, &back);
}

static void signed_nonsense_is_refused(void **state)
{
        struct fh small = { .kind = FH_DS, .unit = FH_UNIT_GRAIN, .width = 1 };

        (void)state;
        assert_true(decodes_with(&ds, 1, FH_WRITE));
        assert_false(decodes_with(&ds, 0, 0));
        assert_false(decodes_with(&ds, 0, FH_MDS)); /* an MDS handle has no geometry */
        assert_false(decodes_with(&mds, 0, FH_DS)); /* and a DS handle has */
        assert_false(decodes_with(&ds, 0, 3));
        assert_false(decodes_with(&ds, 1, FH_PSEUDO));
        assert_false(decodes_with(&ds, 1, 16));
        assert_false(decodes_with(&mds, 1, FH_WRITE));
        assert_false(decodes_with(&small, 25, 0)); /* no unit */
        assert_false(decodes_with(&ds, 27, 3));    /* first == width */
        assert_false(decodes_with(&ds, 26, 1));    /* width 2, first 2 */
        assert_false(decodes_with(&ds, 31, 1));
        for (int at = 16; at < 32; at++)
                assert_false(decodes_with(&mds, at, 1));
}

static void a_client_tag_names_one_instance(void **state)
{
        static const uint8_t boot1[8] = { 1 }, boot2[8] = { 2 };
        uint8_t longest[1024];

        (void)state;
        memset(longest, 'x', sizeof(longest));
        assert_int_equal(client_tag("host", 4, boot1, key), client_tag("host", 4, boot1, key));
        assert_int_not_equal(client_tag("host", 4, boot1, key), client_tag("host", 4, boot2, key));
        assert_int_not_equal(client_tag("host", 4, boot1, key), client_tag("hosu", 4, boot1, key));
        assert_int_not_equal(client_tag(longest, 1024, boot1, key), client_tag(longest, 1023, boot1, key));
        assert_int_not_equal(client_tag(NULL, 0, boot1, key), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(bytes_are_as_documented),
                cmocka_unit_test(each_field_keeps_its_ends),
                cmocka_unit_test(random_handles_come_back),
                cmocka_unit_test(a_flipped_bit_anywhere_is_refused),
                cmocka_unit_test(another_length_or_key_is_refused),
                cmocka_unit_test(signed_nonsense_is_refused),
                cmocka_unit_test(a_client_tag_names_one_instance),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
