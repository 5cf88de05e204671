/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in order, in memory: a skip list (Pugh 1990), for memory.c. Out of memory is a failed check. */
#pragma once

#include <stdint.h>

#include "base/slice.h"

struct item {
        uint32_t key_length, value_length;
        uint8_t *bytes; /* key, then value; behind next[] in the same block */
        uint32_t height;
        struct item *next[];
};

struct skiplist {
        struct item *head; /* the tallest, without a key */
        uint64_t coin;     /* xorshift: heights need no quality, but the same ones in every run */
};

static inline struct slice item_key(const struct item *i)
{
        return slice_of(i->bytes, i->key_length);
}
static inline struct slice item_value(const struct item *i)
{
        return slice_of(i->bytes + i->key_length, i->value_length);
}

void skiplist_init(struct skiplist *l);
void skiplist_destroy(struct skiplist *l);
/* The first item with a key >= KEY, and the one with that very key; or NULL. */
struct item *skiplist_seek(const struct skiplist *l, struct slice key);
struct item *skiplist_find(const struct skiplist *l, struct slice key);
/* A new item, in the list; no other has its key. */
struct item *skiplist_add(struct skiplist *l, struct slice key, struct slice value);
/* Out of the list, and in again; never freed in between. NULL: there is none. */
struct item *skiplist_take(struct skiplist *l, struct slice key);
void skiplist_put_back(struct skiplist *l, struct item *i);
