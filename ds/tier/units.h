/* SPDX-License-Identifier: Apache-2.0 */
/* Which stripe units of an object are here, and the file that says so (objects/XX/FILEID.GENERATION.units):
 *
 *   0..7    "nunits 1"                  16..151  ETag of the S3 object they come from, NULs behind it
 *   8..11   stripe unit in bytes        512..    the bits, 64 a word
 *   12..15  0                           All integers are big-endian.
 *
 * Bits are only ever added, in place: whatever part of a write a crash lets through is true. A header that is
 * all zeros or cut short was never synced, so nobody was told that anything in it was safe. Pure functions.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
        UNITS_HEADER = 512,
        UNITS_ETAG = 136,
        UNITS_MAX = 1 << 26, /* of one object: 64 TiB of units of 1 MiB; 8 MiB of bits */
};

static inline uint32_t units_words(uint64_t units)
{
        return (uint32_t)((units + 63) / 64);
}
static inline uint32_t units_file_bytes(uint64_t units)
{
        return UNITS_HEADER + 8 * units_words(units);
}
static inline bool units_has(const uint64_t *bits, uint64_t unit)
{
        return bits[unit / 64] >> unit % 64 & 1;
}
static inline void units_add(uint64_t *bits, uint64_t unit)
{
        bits[unit / 64] |= 1ull << unit % 64;
}
static inline void units_drop(uint64_t *bits, uint64_t unit)
{
        bits[unit / 64] &= ~(1ull << unit % 64);
}
/* How many of the first UNITS bits are not set. */
uint64_t units_absent(const uint64_t *bits, uint64_t units);

struct units_of {
        uint32_t unit;  /* stripe unit in bytes */
        uint64_t units; /* that can be absent: the first ones of the object, at most UNITS_MAX */
        char etag[UNITS_ETAG];
};
/* The file into OUT, units_file_bytes() long. */
void units_encode(const struct units_of *of, const uint64_t *bits, uint8_t *out);
enum units_found {
        UNITS_FOUND,
        UNITS_NONE,  /* no header ever got there */
        UNITS_OTHER, /* of another source or geometry: its bits mean nothing */
};
/* Read LENGTH bytes of a file that should be OF's. FOUND: its bits are in BITS (of->units of them, those that
 * it does not have are 0); else BITS is untouched. */
enum units_found units_decode(const uint8_t *bytes, uint64_t length, const struct units_of *of,
                              uint64_t *bits);
