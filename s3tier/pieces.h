/* SPDX-License-Identifier: Apache-2.0 */
/* A place in pieces of memory, for what comes and goes in other portions than they have. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

struct pieces {
        const struct iovec *at;
        int left;
        size_t offset; /* in the first that is left */
};

size_t pieces_bytes(const struct iovec *pieces, int count);
/* Copy the next bytes out, at most LENGTH: how many; 0 at the end. */
size_t pieces_read(struct pieces *p, char *out, size_t length);
/* Copy all of DATA in; false when it does not fit. */
bool pieces_write(struct pieces *p, const char *data, size_t length);
