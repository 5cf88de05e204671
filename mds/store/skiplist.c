/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/store/skiplist.h"

#include <stdlib.h>

#include "base/check.h"

enum { TALLEST = 20 };

static int compare(struct slice a, struct slice b)
{
        int order = memcmp(a.data, b.data, a.length < b.length ? a.length : b.length);

        return order ? order : a.length < b.length ? -1 : a.length > b.length;
}

static uint32_t toss(struct skiplist *l)
{
        uint32_t height = 1;

        l->coin ^= l->coin << 13;
        l->coin ^= l->coin >> 7;
        l->coin ^= l->coin << 17;
        for (uint64_t bits = l->coin; height < TALLEST && (bits & 3) == 0; bits >>= 2)
                height++;
        return height;
}

static struct item *item_new(uint32_t height, struct slice key, struct slice value)
{
        size_t links = sizeof(struct item) + height * sizeof(struct item *);
        struct item *i = calloc(1, links + key.length + value.length);

        CHECK(i != NULL);
        i->height = height;
        i->key_length = key.length;
        i->value_length = value.length;
        i->bytes = (uint8_t *)i + links;
        if (key.length > 0)
                memcpy(i->bytes, key.data, key.length);
        if (value.length > 0)
                memcpy(i->bytes + key.length, value.data, value.length);
        return i;
}

void skiplist_init(struct skiplist *l)
{
        l->head = item_new(TALLEST, slice_of(NULL, 0), slice_of(NULL, 0));
        l->coin = 0x9e3779b97f4a7c15u;
}

void skiplist_destroy(struct skiplist *l)
{
        for (struct item *i = l->head, *next; i; i = next) {
                next = i->next[0];
                free(i);
        }
}

/* BEFORE (when given) gets the last item with a smaller key of every level. */
static struct item *seek(const struct skiplist *l, struct slice key, struct item **before)
{
        struct item *at = l->head;

        for (int level = TALLEST - 1; level >= 0; level--) {
                while (at->next[level] && compare(item_key(at->next[level]), key) < 0)
                        at = at->next[level];
                if (before)
                        before[level] = at;
        }
        return at->next[0];
}

struct item *skiplist_seek(const struct skiplist *l, struct slice key)
{
        return seek(l, key, NULL);
}

struct item *skiplist_find(const struct skiplist *l, struct slice key)
{
        struct item *i = seek(l, key, NULL);

        return i && compare(item_key(i), key) == 0 ? i : NULL;
}

void skiplist_put_back(struct skiplist *l, struct item *i)
{
        struct item *before[TALLEST];

        seek(l, item_key(i), before);
        for (uint32_t level = 0; level < i->height; level++) {
                i->next[level] = before[level]->next[level];
                before[level]->next[level] = i;
        }
}

struct item *skiplist_add(struct skiplist *l, struct slice key, struct slice value)
{
        struct item *i = item_new(toss(l), key, value);

        skiplist_put_back(l, i);
        return i;
}

struct item *skiplist_take(struct skiplist *l, struct slice key)
{
        struct item *before[TALLEST], *i = seek(l, key, before);

        if (!i || compare(item_key(i), key) != 0)
                return NULL;
        for (uint32_t level = 0; level < i->height; level++)
                before[level]->next[level] = i->next[level];
        return i;
}
