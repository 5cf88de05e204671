/* SPDX-License-Identifier: Apache-2.0 */
#include "base/siphash.h"

#include <endian.h>
#include <string.h>

struct sip {
        uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, int bits)
{
        return x << bits | x >> (64 - bits);
}

static inline uint64_t load(const uint8_t *bytes)
{
        uint64_t word;

        memcpy(&word, bytes, sizeof(word));
        return le64toh(word);
}

static inline void sip_round(struct sip *s)
{
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 = rotate(s->v0, 32);
        s->v2 += s->v1;
        s->v0 += s->v3;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v2 = rotate(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
        s->v3 ^= word;
        sip_round(s);
        sip_round(s);
        s->v0 ^= word;
}

/* The last word: what is left of the data, little-endian, and the length's low byte on top. */
static uint64_t last_word(const uint8_t *rest, size_t length)
{
        uint64_t word = (uint64_t)length << 56;

        for (size_t i = 0; i < length % 8; i++)
                word |= (uint64_t)rest[i] << 8 * i;
        return word;
}

uint64_t siphash(const void *data, size_t length, const uint8_t key[16])
{
        uint64_t k0 = load(key), k1 = load(key + 8);
        struct sip s = { k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
                         k1 ^ 0x7465646279746573u };
        const uint8_t *at = data;

        for (size_t words = length / 8; words > 0; words--, at += 8)
                sip_word(&s, load(at));
        sip_word(&s, last_word(at, length));
        s.v2 ^= 0xff;
        for (int i = 0; i < 4; i++)
                sip_round(&s);
        return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
