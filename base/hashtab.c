/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hashtab.h"

#include <stdlib.h>

#include "base/check.h"

enum { FEWEST_BUCKETS = 16 };
#define MOST_BUCKETS (1u << 30)

static struct hnode **bucket_of(const struct hashtab *t, uint64_t hash)
{
        return &t->buckets[hash & (t->bucket_count - 1)];
}

bool hashtab_init(struct hashtab *t, uint32_t expected)
{
        uint32_t count = FEWEST_BUCKETS;

        while (count < expected && count < MOST_BUCKETS)
                count *= 2;
        *t = (struct hashtab){ .buckets = calloc(count, sizeof(*t->buckets)), .bucket_count = count };
        return t->buckets != NULL;
}

void hashtab_destroy(struct hashtab *t)
{
        free(t->buckets);
        *t = (struct hashtab){ 0 };
}

/* Without memory the table stays as it is: chains get longer, nothing is lost. */
static void grow(struct hashtab *t)
{
        struct hashtab larger = { .bucket_count = t->bucket_count * 2, .count = t->count };

        larger.buckets = calloc(larger.bucket_count, sizeof(*larger.buckets));
        if (!larger.buckets)
                return;
        for (uint32_t i = 0; i < t->bucket_count; i++)
                for (struct hnode *node = t->buckets[i], *next; node; node = next) {
                        struct hnode **to = bucket_of(&larger, node->hash);

                        next = node->next;
                        node->next = *to;
                        *to = node;
                }
        free(t->buckets);
        *t = larger;
}

void hashtab_insert(struct hashtab *t, struct hnode *node, uint64_t hash)
{
        struct hnode **bucket;

        if (t->count >= t->bucket_count && t->bucket_count < MOST_BUCKETS)
                grow(t);
        bucket = bucket_of(t, hash);
        node->hash = hash;
        node->next = *bucket;
        *bucket = node;
        t->count++;
}

void hashtab_remove(struct hashtab *t, struct hnode *node)
{
        struct hnode **link = bucket_of(t, node->hash);

        while (*link != node) {
                CHECK(*link != NULL);
                link = &(*link)->next;
        }
        *link = node->next;
        node->next = NULL;
        t->count--;
}

static struct hnode *skip_to(struct hnode *node, uint64_t hash)
{
        while (node && node->hash != hash)
                node = node->next;
        return node;
}

struct hnode *hashtab_first(const struct hashtab *t, uint64_t hash)
{
        return skip_to(*bucket_of(t, hash), hash);
}

struct hnode *hashtab_next(const struct hnode *node)
{
        return skip_to(node->next, node->hash);
}

struct hnode *hashtab_walk(const struct hashtab *t, uint32_t *bucket, struct hnode *previous)
{
        if (previous && previous->next)
                return previous->next;
        if (previous)
                ++*bucket;
        for (; *bucket < t->bucket_count; ++*bucket)
                if (t->buckets[*bucket])
                        return t->buckets[*bucket];
        return NULL;
}
