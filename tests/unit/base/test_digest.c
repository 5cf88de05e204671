/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of RFC 1321 §A.5, FIPS 180-4's examples, RFC 3720 §B.4, RFC 4648 §10. */
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
                cmocka_unit_test(test_base64),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
