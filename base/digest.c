/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/check.h"

static void digest_iov(const EVP_MD *kind, const struct iovec *pieces, int count, uint8_t *out)
{
        EVP_MD_CTX *context = EVP_MD_CTX_new();

        CHECK(context != NULL);
        CHECK(EVP_DigestInit_ex(context, kind, NULL) == 1);
        for (int i = 0; i < count; i++)
                CHECK(EVP_DigestUpdate(context, pieces[i].iov_base, pieces[i].iov_len) == 1);
        CHECK(EVP_DigestFinal_ex(context, out, NULL) == 1);
        EVP_MD_CTX_free(context);
}

void md5_iov(const struct iovec *pieces, int count, uint8_t out[MD5_BYTES])
{
        digest_iov(EVP_md5(), pieces, count, out);
}

void sha256_iov(const struct iovec *pieces, int count, uint8_t out[SHA256_BYTES])
{
        digest_iov(EVP_sha256(), pieces, count, out);
}

/* --- CRC-32C: the processor's instruction where it has one, a table of 16 else */

static uint32_t crc32c_plain(uint32_t crc, const uint8_t *data, size_t length)
{
        static const uint32_t table[16] = { 0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
                                            0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
                                            0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                            0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75 };

        for (size_t i = 0; i < length; i++) {
                crc ^= data[i];
                crc = crc >> 4 ^ table[crc & 15];
                crc = crc >> 4 ^ table[crc & 15];
        }
        return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc32c_fast(uint32_t crc, const uint8_t *data,
                                                              size_t length)
{
        uint64_t wide = crc, word;

        for (; length >= sizeof(word); data += sizeof(word), length -= sizeof(word)) {
                memcpy(&word, data, sizeof(word));
                wide = __builtin_ia32_crc32di(wide, word);
        }
        crc = (uint32_t)wide;
        for (; length > 0; data++, length--)
                crc = __builtin_ia32_crc32qi(crc, *data);
        return crc;
}
#endif

uint32_t crc32c(uint32_t so_far, const void *data, size_t length)
{
#ifdef __x86_64__
        if (__builtin_cpu_supports("sse4.2"))
                return ~crc32c_fast(~so_far, data, length);
#endif
        return ~crc32c_plain(~so_far, data, length);
}

uint32_t crc32c_iov(const struct iovec *pieces, int count)
{
        uint32_t crc = 0;

        for (int i = 0; i < count; i++)
                crc = crc32c(crc, pieces[i].iov_base, pieces[i].iov_len);
        return crc;
}

/* --- text */

char *hex_of(const uint8_t *data, size_t length, char *out)
{
        for (size_t i = 0; i < length; i++) {
                out[2 * i] = "0123456789abcdef"[data[i] >> 4];
                out[2 * i + 1] = "0123456789abcdef"[data[i] & 15];
        }
        out[2 * length] = '\0';
        return out;
}

char *base64_of(const uint8_t *data, size_t length, char *out)
{
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        char *at = out;

        for (size_t i = 0; i < length; i += 3) {
                uint32_t three = (uint32_t)data[i] << 16;

                if (i + 1 < length)
                        three |= (uint32_t)data[i + 1] << 8;
                if (i + 2 < length)
                        three |= data[i + 2];
                *at++ = digits[three >> 18];
                *at++ = digits[three >> 12 & 63];
                *at++ = i + 1 < length ? digits[three >> 6 & 63] : '=';
                *at++ = i + 2 < length ? digits[three & 63] : '=';
        }
        *at = '\0';
        return out;
}
