/* SPDX-License-Identifier: Apache-2.0 */
/* FIPS 180-4 and RFC 4231 examples, and key derivation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/sha256.h"

static void assert_hex(const uint8_t *bytes, const char *hex)
{
        for (int i = 0; i < SHA256_BYTES; i++) {
                char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

                assert_int_equal(bytes[i], strtoul(pair, NULL, 16));
        }
}

static void known_digests(void **state)
{
        struct sha256_pieces *pieces;
        uint8_t out[SHA256_BYTES];

        (void)state;
        sha256("", 0, out);
        assert_hex(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        pieces = sha256_begin();
        sha256_add(pieces, "a", 1);
        sha256_add(pieces, "", 0);
        sha256_drop(pieces);
        pieces = sha256_begin();
        sha256_add(pieces, "a", 1);
        sha256_add(pieces, "bc", 2);
        sha256_end(pieces, out);
        assert_hex(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        sha256("abc", 3, out);
        assert_hex(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void known_macs(void **state)
{
        uint8_t key[20], out[SHA256_BYTES];

        (void)state;
        memset(key, 0x0b, sizeof(key));
        hmac_sha256(key, sizeof(key), "Hi There", 8, out);
        assert_hex(out, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, out);
        assert_hex(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void derived_keys_differ_by_label_and_agree_by_prefix(void **state)
{
        static const uint8_t cluster[32] = { 1, 2, 3 };
        uint8_t handles[16], handles_long[32], control[16], mac[SHA256_BYTES];

        (void)state;
        key_derive(cluster, "handles", handles, sizeof(handles));
        key_derive(cluster, "handles", handles_long, sizeof(handles_long));
        key_derive(cluster, "control", control, sizeof(control));
        hmac_sha256(cluster, 32, "handles", 7, mac);
        assert_memory_equal(handles_long, mac, 32);
        assert_memory_equal(handles, mac, 16);
        assert_memory_not_equal(handles, control, 16);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(known_digests),
                cmocka_unit_test(known_macs),
                cmocka_unit_test(derived_keys_differ_by_label_and_agree_by_prefix),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
