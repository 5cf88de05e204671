/* SPDX-License-Identifier: Apache-2.0 */
/* Puts and deletes collected for one atomic write, in one growing buffer that is reused. */
#pragma once

#include "mds/store/store.h"

struct batch {
        uint8_t *bytes; /* lengths and kind, key, value; repeated. batch.c alone knows */
        uint32_t length, capacity, count;
        bool failed; /* out of memory or over BATCH_MAX_BYTES: the write is refused with -ENOSPC */
};
enum { BATCH_MAX_BYTES = 4 * 1024 * 1024 };

void batch_clear(struct batch *b);
void batch_free(struct batch *b);
void batch_put(struct batch *b, struct slice key, struct slice value);
void batch_delete(struct batch *b, struct slice key);
/* Walk: *at starts as 0. False at the end. */
bool batch_next(const struct batch *b, uint32_t *at, bool *ret_is_put, struct slice *ret_key,
                struct slice *ret_value);
