/* SPDX-License-Identifier: Apache-2.0 */
/* Tells AddressSanitizer, where it runs, that pooled memory is at rest: a use after its return is reported.
 */
#pragma once

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISON_ACTIVE 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define POISON_ACTIVE 1
#endif

#ifdef POISON_ACTIVE
#include <sanitizer/asan_interface.h>
static inline void poison(const void *memory, size_t bytes)
{
        __asan_poison_memory_region(memory, bytes);
}
static inline void unpoison(const void *memory, size_t bytes)
{
        __asan_unpoison_memory_region(memory, bytes);
}
#else
static inline void poison(const void *memory, size_t bytes)
{
        (void)memory, (void)bytes;
}
static inline void unpoison(const void *memory, size_t bytes)
{
        (void)memory, (void)bytes;
}
#endif
