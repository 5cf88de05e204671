/* SPDX-License-Identifier: Apache-2.0 */
/* How a file is to be striped, as people write it: `unit=4M,width=2`. The value of the extended attribute
 * user.nacre.layout (mds/op/xattr_layout.c). */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

struct layout_policy {
        uint32_t unit;  /* bytes, a multiple of 4 KiB; 0: as configured */
        uint16_t width; /* data servers, more than there are means all; 0: as configured */
};

enum { LAYOUT_TEXT = 40 };

/* `unit=SIZE` (4K to 255M, in K or M), `width=N` (1 to 64), or both with a comma, in any order; each once. A
 * newline at the end is fine. False: something else; *ret untouched. */
bool layout_policy_parse(struct slice text, struct layout_policy *ret);
/* The same form, without what is 0, into OUT; its length. One of them must not be 0. */
uint32_t layout_policy_print(const struct layout_policy *p, char out[LAYOUT_TEXT]);
