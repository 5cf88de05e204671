/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha256.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/check.h"

void sha256(const void *data, size_t length, uint8_t out[SHA256_BYTES])
{
        CHECK(EVP_Digest(data, length, out, NULL, EVP_sha256(), NULL) == 1);
}

void hmac_sha256(const void *key, size_t key_length, const void *data, size_t length,
                 uint8_t out[SHA256_BYTES])
{
        CHECK(key_length <= INT_MAX);
        CHECK(HMAC(EVP_sha256(), key, (int)key_length, data, length, out, NULL) != NULL);
}

void key_derive(const uint8_t cluster_key[32], const char *label, void *out, size_t bytes)
{
        uint8_t full[SHA256_BYTES];

        CHECK(bytes <= sizeof(full));
        hmac_sha256(cluster_key, 32, label, strlen(label), full);
        memcpy(out, full, bytes);
}
