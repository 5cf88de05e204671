/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-64/NVME (NVM Express's 64b guard): 0xad93d23594c93659 with its bits in the other
 * order, ones before and after. A polynomial here is a word whose lowest bit is its highest power, as the
 * bytes come.
 *
 * Eight tables, a word at a time; where the processor multiplies without carries, four blocks of 16 bytes at
 * a time: what is read so far, times x^512 mod P, is added to the next 64 bytes ("Fast CRC Computation for
 * Generic Polynomials Using PCLMULQDQ", Intel 2009), and the tables take what is left. */
#include <endian.h>
#include <pthread.h>
#include <string.h>

#include "base/digest.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

#define POLYNOMIAL 0x9a6c9329ac4bc9b5u
enum { WORD = 8, BLOCK = 16, BLOCKS = 4, FOLDED_AT_LEAST = 128 };

static struct {
        pthread_once_t once;
        uint64_t of[WORD][256];   /* of a byte with 0 … 7 zeros behind it */
        uint64_t far[2], near[2]; /* x^(D + 63) and x^(D - 1) mod P for D of 512 and 128 bits */
} table = { .once = PTHREAD_ONCE_INIT };

static uint64_t times_x(uint64_t p)
{
        return p >> 1 ^ (p & 1 ? POLYNOMIAL : 0);
}

static uint64_t power_of_x(unsigned n)
{
        uint64_t p = UINT64_C(1) << 63;

        while (n-- > 0)
                p = times_x(p);
        return p;
}

static void make_table(void)
{
        for (unsigned byte = 0; byte < 256; byte++) {
                uint64_t p = byte;

                for (int bit = 0; bit < 8; bit++)
                        p = times_x(p);
                table.of[0][byte] = p;
        }
        for (unsigned byte = 0; byte < 256; byte++)
                for (int i = 1; i < WORD; i++) {
                        uint64_t p = table.of[i - 1][byte];

                        table.of[i][byte] = p >> 8 ^ table.of[0][p & 255];
                }
        table.far[0] = power_of_x(512 + 63);
        table.far[1] = power_of_x(512 - 1);
        table.near[0] = power_of_x(128 + 63);
        table.near[1] = power_of_x(128 - 1);
}

static uint64_t by_table(uint64_t crc, const uint8_t *data, size_t length)
{
        uint64_t word;

        for (; length >= WORD; data += WORD, length -= WORD) {
                memcpy(&word, data, WORD);
                word = le64toh(word) ^ crc;
                crc = 0;
                for (int i = 0; i < WORD; i++)
                        crc ^= table.of[WORD - 1 - i][word >> 8 * i & 255];
        }
        for (; length > 0; data++, length--)
                crc = crc >> 8 ^ table.of[0][(crc ^ *data) & 255];
        return crc;
}

#ifdef __x86_64__
#define FOLDS __attribute__((target("pclmul,sse2")))

FOLDS static __m128i block_at(const uint8_t *data)
{
        return _mm_loadu_si128((const __m128i *)(const void *)data);
}

/* SO_FAR moved by the distance of BY, and NEXT. */
FOLDS static __m128i fold(__m128i so_far, __m128i by, __m128i next)
{
        __m128i first = _mm_clmulepi64_si128(so_far, by, 0x00);
        __m128i second = _mm_clmulepi64_si128(so_far, by, 0x11);

        return _mm_xor_si128(_mm_xor_si128(first, second), next);
}

/* At least FOLDED_AT_LEAST bytes. */
FOLDS static uint64_t by_folding(uint64_t crc, const uint8_t *data, size_t length)
{
        const __m128i far = _mm_set_epi64x((int64_t)table.far[1], (int64_t)table.far[0]);
        const __m128i near = _mm_set_epi64x((int64_t)table.near[1], (int64_t)table.near[0]);
        uint8_t rest[BLOCK];
        __m128i b[BLOCKS];

        for (int i = 0; i < BLOCKS; i++)
                b[i] = block_at(data + (size_t)i * BLOCK);
        b[0] = _mm_xor_si128(b[0], _mm_set_epi64x(0, (int64_t)crc));
        for (data += 64, length -= 64; length >= 64; data += 64, length -= 64)
                for (int i = 0; i < BLOCKS; i++)
                        b[i] = fold(b[i], far, block_at(data + (size_t)i * BLOCK));
        for (int i = 1; i < BLOCKS; i++)
                b[0] = fold(b[0], near, b[i]);
        for (; length >= BLOCK; data += BLOCK, length -= BLOCK)
                b[0] = fold(b[0], near, block_at(data));
        _mm_storeu_si128((__m128i *)(void *)rest, b[0]);
        return by_table(by_table(0, rest, BLOCK), data, length);
}
#endif

uint64_t crc64nvme(uint64_t so_far, const void *data, size_t length)
{
        pthread_once(&table.once, make_table);
#ifdef __x86_64__
        if (length >= FOLDED_AT_LEAST && __builtin_cpu_supports("pclmul"))
                return ~by_folding(~so_far, data, length);
#endif
        return ~by_table(~so_far, data, length);
}

uint64_t crc64nvme_iov(const struct iovec *pieces, int count)
{
        uint64_t crc = 0;

        for (int i = 0; i < count; i++)
                crc = crc64nvme(crc, pieces[i].iov_base, pieces[i].iov_len);
        return crc;
}
