/* SPDX-License-Identifier: Apache-2.0 */
/* Inodes and names in memory, bounded by counts. Evicted by second chance (Corbató 1968): a hit sets a bit,
 * the hand clears it and passes on, so a hit moves nothing. What is not durable yet is never evicted: a read
 * that had to go to the store then saw durable bytes only.
 *
 * A name is cached as there (fileid) or as absent (fileid 0). A directory is WHOLE when every entry it has is
 * cached: one that was made or found empty. Then what is not cached is not there, and a storm of creates asks
 * the store nothing. */
#pragma once

#include "base/hashtab.h"
#include "base/list.h"
#include "base/slab.h"
#include "mds/store/record.h"

struct cached_inode {
        struct hnode node;
        struct list age;
        struct inode inode;
        uint64_t seq;          /* of the batch that changed it last */
        uint64_t first_cookie; /* directories: no entry has a lower one */
        bool used;
        bool whole;
};

struct cached_entry {
        struct hnode node;
        struct list age;
        uint64_t parent, cookie; /* absent names: cookie is the one that their hash gives */
        uint64_t fileid;
        uint64_t seq;
        bool used;
        bool alone; /* no other name or hole has this hash: its slot is the first, the next one is empty */
        uint8_t name_length;
        char name[];
};

struct cache {
        struct hashtab inodes, entries;
        struct list inode_ages, entry_ages; /* the hand is at the front */
        struct slab inode_slab, short_slab, long_slab;
        uint32_t inode_bound, entry_bound;
        uint64_t inode_hits, inode_misses, entry_hits, entry_misses;
};

enum { COOKIE_RUN = 256 /* names with one hash */ };
static inline uint64_t cookie_hash(uint64_t cookie)
{
        return cookie & ~(uint64_t)(COOKIE_RUN - 1);
}

bool cache_init(struct cache *c, uint32_t inodes);
void cache_destroy(struct cache *c);
/* Evict down to the bounds what is durable, a bounded number of steps at a time. */
void cache_trim(struct cache *c, uint64_t durable);

struct cached_inode *cache_find_inode(struct cache *c, uint64_t fileid);
/* Memory for one more, not in the cache yet (or never: free it). NULL: out of memory. */
struct cached_inode *cache_new_inode(struct cache *c);
void cache_free_inode(struct cache *c, struct cached_inode *i);
void cache_add_inode(struct cache *c, struct cached_inode *i); /* its fileid must not be cached */
void cache_drop_inode(struct cache *c, struct cached_inode *i);

/* COOKIE: any with the name's hash. */
struct cached_entry *cache_find_entry(struct cache *c, uint64_t parent, uint64_t cookie, struct slice name);
/* Is a name with this hash known to be there? */
bool cache_has_hash(const struct cache *c, uint64_t parent, uint64_t cookie);
struct cached_entry *cache_new_entry(struct cache *c, uint64_t parent, uint64_t cookie, struct slice name);
void cache_free_entry(struct cache *c, struct cached_entry *e);
/* Takes the place of what was known of the name; other names with its hash stop being alone. */
void cache_put_entry(struct cache *c, struct cached_entry *e);

static inline bool entry_named(const struct cached_entry *e, uint64_t parent, struct slice name)
{
        return e->parent == parent && e->name_length == name.length &&
               memcmp(e->name, name.data, name.length) == 0;
}
