/* SPDX-License-Identifier: Apache-2.0 */
/* An intrusive hash table: nodes are members of the things stored, chains in buckets, growing by doubling.
 * One thread. The caller computes 64-bit hashes and compares keys. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct hnode {
        struct hnode *next;
        uint64_t hash;
};

struct hashtab {
        struct hnode **buckets;
        uint32_t bucket_count; /* a power of two */
        uint32_t count;
};

/* EXPECTED entries without growing; false when out of memory. */
bool hashtab_init(struct hashtab *t, uint32_t expected);
void hashtab_destroy(struct hashtab *t);
void hashtab_insert(struct hashtab *t, struct hnode *node, uint64_t hash);
void hashtab_remove(struct hashtab *t, struct hnode *node); /* must be in the table */
/* The first node of HASH's chain with that hash, and the next one after NODE; NULL at the end. */
struct hnode *hashtab_first(const struct hashtab *t, uint64_t hash);
struct hnode *hashtab_next(const struct hnode *node);

#define HASHTAB_FOR_EACH(node, table, hash) \
        for (struct hnode *node = hashtab_first((table), (hash)); node; node = hashtab_next(node))

/* Walk over all: first with *bucket = 0 and PREVIOUS = NULL, then with the node returned last; NULL at the
 * end. Nothing may be inserted meanwhile; a node that was returned may be removed once the next one is in
 * hand. */
struct hnode *hashtab_walk(const struct hashtab *t, uint32_t *bucket, struct hnode *previous);

/* A mixer for integer keys (splitmix64's finaliser). */
static inline uint64_t hash_u64(uint64_t x)
{
        x ^= x >> 30;
        x *= 0xbf58476d1ce4e5b9u;
        x ^= x >> 27;
        x *= 0x94d049bb133111ebu;
        return x ^ x >> 31;
}
