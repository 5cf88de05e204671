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

/* They are openssl's. */
static EVP_MD_CTX *context_of(struct sha256_pieces *p)
{
        return (EVP_MD_CTX *)p;
}

struct sha256_pieces *sha256_begin(void)
{
        EVP_MD_CTX *context = EVP_MD_CTX_new();

        CHECK(context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1);
        return (struct sha256_pieces *)context;
}

void sha256_add(struct sha256_pieces *p, const void *data, size_t length)
{
        CHECK(EVP_DigestUpdate(context_of(p), data, length) == 1);
}

void sha256_end(struct sha256_pieces *p, uint8_t out[SHA256_BYTES])
{
        CHECK(EVP_DigestFinal_ex(context_of(p), out, NULL) == 1);
        sha256_drop(p);
}

void sha256_drop(struct sha256_pieces *p)
{
        EVP_MD_CTX_free(context_of(p));
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
