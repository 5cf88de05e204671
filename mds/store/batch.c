/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/store/batch.h"

#include <stdlib.h>

#include "base/check.h"

enum { FIRST_CAPACITY = 4096 };

/* Copied in and out of the buffer, never pointed at: records are not aligned. */
struct head {
        uint32_t value_length;
        uint16_t key_length;
        uint16_t is_put;
};

void batch_clear(struct batch *b)
{
        b->length = 0;
        b->count = 0;
        b->failed = false;
}

void batch_free(struct batch *b)
{
        free(b->bytes);
        *b = (struct batch){ 0 };
}

static bool reserve(struct batch *b, uint64_t more)
{
        uint64_t capacity = b->capacity ? b->capacity : FIRST_CAPACITY;
        uint8_t *grown;

        if (b->length + more > BATCH_MAX_BYTES)
                return false;
        if (b->length + more <= b->capacity)
                return true;
        while (capacity < b->length + more)
                capacity *= 2;
        grown = realloc(b->bytes, capacity);
        if (!grown)
                return false;
        b->bytes = grown;
        b->capacity = (uint32_t)capacity;
        return true;
}

static void append(struct batch *b, bool is_put, struct slice key, struct slice value)
{
        struct head head = { value.length, (uint16_t)key.length, is_put };
        uint8_t *at;

        CHECK(key.length > 0 && key.length <= UINT16_MAX);
        if (b->failed || !reserve(b, sizeof(head) + (uint64_t)key.length + value.length)) {
                b->failed = true;
                return;
        }
        at = b->bytes + b->length;
        memcpy(at, &head, sizeof(head));
        memcpy(at + sizeof(head), key.data, key.length);
        if (value.length > 0)
                memcpy(at + sizeof(head) + key.length, value.data, value.length);
        b->length += (uint32_t)sizeof(head) + key.length + value.length;
        b->count++;
}

void batch_put(struct batch *b, struct slice key, struct slice value)
{
        append(b, true, key, value);
}

void batch_delete(struct batch *b, struct slice key)
{
        append(b, false, key, slice_of(NULL, 0));
}

bool batch_next(const struct batch *b, uint32_t *at, bool *ret_is_put, struct slice *ret_key,
                struct slice *ret_value)
{
        struct head head;

        if (*at >= b->length)
                return false;
        memcpy(&head, b->bytes + *at, sizeof(head));
        *at += (uint32_t)sizeof(head);
        *ret_is_put = head.is_put;
        *ret_key = slice_of(b->bytes + *at, head.key_length);
        *at += head.key_length;
        *ret_value = slice_of(b->bytes + *at, head.value_length);
        *at += head.value_length;
        return true;
}
