/* SPDX-License-Identifier: Apache-2.0 */
/* What the C library's heap hands out, counted: a test that uses this replaces malloc, calloc and realloc. A
 * sanitizer replaces them itself, so there nothing is counted. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

bool heap_is_counted(void);
uint64_t heap_count(void);     /* allocations so far, of this thread */
uint64_t heap_count_all(void); /* of all threads */
