/* SPDX-License-Identifier: Apache-2.0 */
/* Free by attribute, so that an error path is one return. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))
#define CLEANUP_FREE CLEANUP(cleanup_free)
#define CLEANUP_CLOSE CLEANUP(cleanup_close)
#define CLEANUP_FILE CLEANUP(cleanup_file)

static inline void cleanup_free(void *pointer)
{
        free(*(void **)pointer);
}
static inline void cleanup_close(const int *fd)
{
        if (*fd >= 0)
                close(*fd);
}
static inline void cleanup_file(FILE **file)
{
        if (*file)
                fclose(*file);
}
/* Hand a pointer on: the variable becomes NULL and is not freed. */
#define TAKE(pointer) \
        __extension__({ \
                __typeof__(pointer) taken_ = (pointer); \
                (pointer) = NULL; \
                taken_; \
        })
