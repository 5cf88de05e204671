/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/heap_count.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/poison.h"

#ifdef POISON_ACTIVE
#define SANITIZED
#elif defined(__SANITIZE_THREAD__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif

static _Thread_local uint64_t mine;
static atomic_ullong all;

uint64_t heap_count(void)
{
        return mine;
}

uint64_t heap_count_all(void)
{
        return atomic_load(&all);
}

#ifdef SANITIZED
bool heap_is_counted(void)
{
        return false;
}
#else
bool heap_is_counted(void)
{
        return true;
}

static void count(void)
{
        mine++;
        atomic_fetch_add_explicit(&all, 1, memory_order_relaxed);
}

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);

void *malloc(size_t bytes)
{
        count();
        return __libc_malloc(bytes);
}

void *calloc(size_t number, size_t bytes)
{
        count();
        return __libc_calloc(number, bytes);
}

void *realloc(void *old, size_t bytes)
{
        count();
        return __libc_realloc(old, bytes);
}
#endif
