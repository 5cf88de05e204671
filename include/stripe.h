/* SPDX-License-Identifier: Apache-2.0 */
/* Sparse layout on the wire, dense objects on disk: file offset -> (device index, object offset), and back.
 * Pure arithmetic, RFC 8881 §13.4. unit in bytes > 0; width in data servers > 0; first < width. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct stripe {
        uint32_t unit, width, first;
};

enum { STRIPE_GRAIN = 4096, STRIPE_UNIT_MAX = 65535 * STRIPE_GRAIN, STRIPE_WIDTH_MAX = 256 };

/* Could S be a file's geometry, and INDEX one of its device's? For what comes from outside. */
static inline bool stripe_is_valid(struct stripe s, uint32_t index)
{
        return s.unit > 0 && s.unit % STRIPE_GRAIN == 0 && s.unit <= STRIPE_UNIT_MAX && s.width > 0 &&
               s.width <= STRIPE_WIDTH_MAX && s.first < s.width && index < s.width;
}

/* The device index (0..width-1) that holds byte OFFSET of the file. */
static inline uint32_t stripe_index(struct stripe s, uint64_t offset)
{
        return (uint32_t)((offset / s.unit + s.first) % s.width);
}

/* Where byte OFFSET of the file lies in the object of the data server that holds it. */
static inline uint64_t stripe_object_offset(struct stripe s, uint64_t offset)
{
        return offset / s.unit / s.width * s.unit + offset % s.unit;
}

/* How many bytes from OFFSET on lie in the same stripe unit. */
static inline uint64_t stripe_unit_left(struct stripe s, uint64_t offset)
{
        return s.unit - offset % s.unit;
}

/* The file offset of byte OBJECT_OFFSET of the object on device index INDEX. */
static inline uint64_t stripe_file_offset(struct stripe s, uint32_t index, uint64_t object_offset)
{
        uint64_t row = object_offset / s.unit;
        uint64_t column = (index + s.width - s.first) % s.width;

        return (row * s.width + column) * s.unit + object_offset % s.unit;
}

/* The logical size a file has at least when the object on INDEX is OBJECT_SIZE bytes long: 0 for an empty
 * object. */
static inline uint64_t stripe_size_from_object(struct stripe s, uint32_t index, uint64_t object_size)
{
        return object_size == 0 ? 0 : stripe_file_offset(s, index, object_size - 1) + 1;
}

/* The length the object on INDEX has when the file is cut at SIZE bytes. */
static inline uint64_t stripe_object_size(struct stripe s, uint32_t index, uint64_t size)
{
        uint64_t column = (index + s.width - s.first) % s.width;
        uint64_t rows = size / s.unit / s.width, rest = size - rows * s.unit * s.width;
        uint64_t before = column * s.unit;

        return rows * s.unit + (rest <= before ? 0 : rest - before >= s.unit ? s.unit : rest - before);
}
