/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/tier/units.h"

#include <endian.h>
#include <string.h>

static const char magic[8] = "nunits 1";

struct header {
        char magic[8];
        uint32_t unit, reserved;
        char etag[UNITS_ETAG];
};
_Static_assert(sizeof(struct header) <= UNITS_HEADER, "a header fits its place");

uint64_t units_absent(const uint64_t *bits, uint64_t units)
{
        uint64_t here = 0;

        for (uint64_t i = 0; i < units / 64; i++)
                here += (uint64_t)__builtin_popcountll(bits[i]);
        if (units % 64 > 0)
                here += (uint64_t)__builtin_popcountll(bits[units / 64] & ((1ull << units % 64) - 1));
        return units - here;
}

static void make_header(const struct units_of *of, struct header *h)
{
        memset(h, 0, sizeof(*h));
        memcpy(h->magic, magic, sizeof(magic));
        h->unit = htobe32(of->unit);
        memcpy(h->etag, of->etag, strnlen(of->etag, UNITS_ETAG - 1));
}

void units_encode(const struct units_of *of, const uint64_t *bits, uint8_t *out)
{
        struct header h;

        make_header(of, &h);
        memset(out, 0, UNITS_HEADER);
        memcpy(out, &h, sizeof(h));
        for (uint32_t i = 0; i < units_words(of->units); i++) {
                uint64_t word = htobe64(bits[i]);

                memcpy(out + UNITS_HEADER + 8 * i, &word, 8);
        }
}

static bool is_zero(const uint8_t *bytes, uint64_t length)
{
        for (uint64_t i = 0; i < length; i++)
                if (bytes[i])
                        return false;
        return true;
}

enum units_found units_decode(const uint8_t *bytes, uint64_t length, const struct units_of *of,
                              uint64_t *bits)
{
        struct header h;
        uint64_t words;

        make_header(of, &h);
        if (length < UNITS_HEADER || is_zero(bytes, UNITS_HEADER))
                return UNITS_NONE;
        if (memcmp(&h, bytes, sizeof(h)) != 0)
                return UNITS_OTHER;
        words = (length - UNITS_HEADER) / 8;
        for (uint64_t i = 0; i < units_words(of->units); i++) {
                uint64_t word = 0;

                if (i < words)
                        memcpy(&word, bytes + UNITS_HEADER + 8 * i, 8);
                bits[i] = be64toh(word);
        }
        return UNITS_FOUND;
}
