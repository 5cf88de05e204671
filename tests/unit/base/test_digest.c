/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of RFC 1321 §A.5, FIPS 180-4's examples, RFC 3720 §B.4, the NVM Command Set's of its 64b
 * guard, RFC 4648 §10. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/digest.h"

static void test_md5_and_sha256_of_pieces(void **state)
{
        struct iovec pieces[] = { { "mess", 4 }, { "", 0 }, { "age digest", 10 } },
                     abc[] = { { "ab", 2 }, { "c", 1 } };
        uint8_t digest[SHA256_BYTES];
        char hex[65];

        (void)state;
        md5_iov(pieces, 3, digest);
        assert_string_equal(hex_of(digest, MD5_BYTES, hex), "f96b697d7cb7938d525a2f31aaf161d0");
        md5_iov(NULL, 0, digest);
        assert_string_equal(hex_of(digest, MD5_BYTES, hex), "d41d8cd98f00b204e9800998ecf8427e");
        sha256_iov(abc, 2, digest);
        assert_string_equal(hex_of(digest, SHA256_BYTES, hex),
                            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_crc32c(void **state)
{
        uint8_t bytes[32] = { 0 };
        struct iovec pieces[2] = { { bytes, 5 }, { bytes + 5, 27 } };

        (void)state;
        assert_int_equal(crc32c(0, bytes, sizeof bytes), 0x8a9136aa);
        memset(bytes, 0xff, sizeof bytes);
        assert_int_equal(crc32c(0, bytes, sizeof bytes), 0x62a8ab43);
        for (int i = 0; i < 32; i++)
                bytes[i] = (uint8_t)i;
        assert_int_equal(crc32c(0, bytes, sizeof bytes), 0x46dd794e);
        assert_int_equal(crc32c_iov(pieces, 2), 0x46dd794e);
        assert_int_equal(crc32c(crc32c(0, bytes, 9), bytes + 9, 23), 0x46dd794e);
        assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
        assert_int_equal(crc32c(0, NULL, 0), 0);
}

static void test_crc64nvme(void **state)
{
        static uint8_t bytes[4096];
        struct iovec pieces[2] = { { bytes, 1000 }, { bytes + 1000, 3096 } };

        (void)state;
        assert_true(crc64nvme(0, "123456789", 9) == 0xae8b14860a799888);
        assert_true(crc64nvme(0, NULL, 0) == 0);
        assert_true(crc64nvme(0, bytes, sizeof bytes) == 0x6482d367eb22b64e);
        memset(bytes, 0xff, sizeof bytes);
        assert_true(crc64nvme(0, bytes, sizeof bytes) == 0xc0ddba7302eca3ac);
        for (size_t i = 0; i < sizeof bytes; i++)
                bytes[i] = (uint8_t)i;
        assert_true(crc64nvme(0, bytes, sizeof bytes) == 0x3e729f5f6750449c);
        assert_true(crc64nvme_iov(pieces, 2) == 0x3e729f5f6750449c);
}

/* A long piece is read in another way than short ones: at each length and place the same comes out. */
static void test_crc64nvme_of_all_lengths(void **state)
{
        static uint8_t bytes[700];
        uint32_t random = 1;

        (void)state;
        for (size_t i = 0; i < sizeof bytes; i++)
                bytes[i] = (uint8_t)((random = random * 1664525 + 1013904223) >> 24);
        for (size_t begin = 0; begin < 20; begin++) {
                uint64_t one_by_one = 0;

                for (size_t end = begin; end < sizeof bytes; end++) {
                        assert_true(crc64nvme(0, bytes + begin, end - begin) == one_by_one);
                        assert_true(crc64nvme(crc64nvme(0, bytes + begin, (end - begin) / 3),
                                              bytes + begin + (end - begin) / 3,
                                              end - begin - (end - begin) / 3) == one_by_one);
                        one_by_one = crc64nvme(one_by_one, bytes + end, 1);
                }
        }
}

static void test_base64(void **state)
{
        static const char *const pairs[][2] = { { "", "" },
                                                { "f", "Zg==" },
                                                { "fo", "Zm8=" },
                                                { "foo", "Zm9v" },
                                                { "foob", "Zm9vYg==" },
                                                { "fooba", "Zm9vYmE=" },
                                                { "foobar", "Zm9vYmFy" } };
        char out[16];

        (void)state;
        for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
                assert_string_equal(base64_of((const uint8_t *)pairs[i][0], strlen(pairs[i][0]), out),
                                    pairs[i][1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_md5_and_sha256_of_pieces),
                cmocka_unit_test(test_crc32c),
                cmocka_unit_test(test_crc64nvme),
                cmocka_unit_test(test_crc64nvme_of_all_lengths),
                cmocka_unit_test(test_base64),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
