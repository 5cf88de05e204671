/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/store/cache.h"

#include "base/check.h"

enum {
        ENTRIES_AN_INODE = 4,
        /* Above the bounds, for what one operation may touch: a READDIR reply of 1 MiB holds fewer. */
        SLACK = 65536,
        SHORT_NAME = 128 - (int)sizeof(struct cached_entry),
        STEPS_AN_EVICTION = 8,
        FEWEST_STEPS = 64,
        MOST_NOT_DURABLE = 32, /* in one trim; more of them in a row means that all are new */
};

static uint64_t hash_of_entry(uint64_t parent, uint64_t cookie)
{
        return hash_u64(parent * 0x9e3779b97f4a7c15u + cookie_hash(cookie));
}

bool cache_init(struct cache *c, uint32_t inodes)
{
        *c = (struct cache){ .inode_bound = inodes, .entry_bound = inodes * ENTRIES_AN_INODE };
        list_init(&c->inode_ages);
        list_init(&c->entry_ages);
        slab_init(&c->inode_slab, sizeof(struct cached_inode), c->inode_bound + SLACK);
        slab_init(&c->short_slab, sizeof(struct cached_entry) + SHORT_NAME, c->entry_bound + SLACK);
        slab_init(&c->long_slab, sizeof(struct cached_entry) + NFS4_MAXNAME, c->entry_bound + SLACK);
        if (!hashtab_init(&c->inodes, 0))
                return false;
        if (hashtab_init(&c->entries, 0))
                return true;
        hashtab_destroy(&c->inodes);
        return false;
}

void cache_destroy(struct cache *c)
{
        hashtab_destroy(&c->inodes);
        hashtab_destroy(&c->entries);
        slab_destroy(&c->inode_slab);
        slab_destroy(&c->short_slab);
        slab_destroy(&c->long_slab);
}

/* --- inodes */

struct cached_inode *cache_find_inode(struct cache *c, uint64_t fileid)
{
        HASHTAB_FOR_EACH(node, &c->inodes, hash_u64(fileid)) {
                struct cached_inode *i = CONTAINER(node, struct cached_inode, node);

                if (i->inode.fileid == fileid) {
                        i->used = true;
                        return i;
                }
        }
        return NULL;
}

struct cached_inode *cache_new_inode(struct cache *c)
{
        struct cached_inode *i = slab_get(&c->inode_slab);

        if (i)
                i->first_cookie = 1;
        return i;
}

void cache_free_inode(struct cache *c, struct cached_inode *i)
{
        slab_put(&c->inode_slab, i);
}

void cache_add_inode(struct cache *c, struct cached_inode *i)
{
        hashtab_insert(&c->inodes, &i->node, hash_u64(i->inode.fileid));
        list_push(&c->inode_ages, &i->age);
}

void cache_drop_inode(struct cache *c, struct cached_inode *i)
{
        hashtab_remove(&c->inodes, &i->node);
        list_remove(&i->age);
        cache_free_inode(c, i);
}

/* --- names */

struct cached_entry *cache_find_entry(struct cache *c, uint64_t parent, uint64_t cookie, struct slice name)
{
        HASHTAB_FOR_EACH(node, &c->entries, hash_of_entry(parent, cookie)) {
                struct cached_entry *e = CONTAINER(node, struct cached_entry, node);

                if (entry_named(e, parent, name)) {
                        e->used = true;
                        return e;
                }
        }
        return NULL;
}

static bool same_hash(const struct cached_entry *e, uint64_t parent, uint64_t cookie)
{
        return e->parent == parent && cookie_hash(e->cookie) == cookie_hash(cookie);
}

bool cache_has_hash(const struct cache *c, uint64_t parent, uint64_t cookie)
{
        HASHTAB_FOR_EACH(node, &c->entries, hash_of_entry(parent, cookie)) {
                const struct cached_entry *e = CONTAINER(node, struct cached_entry, node);

                if (e->fileid != 0 && same_hash(e, parent, cookie))
                        return true;
        }
        return false;
}

struct cached_entry *cache_new_entry(struct cache *c, uint64_t parent, uint64_t cookie, struct slice name)
{
        struct cached_entry *e = slab_get_raw(name.length <= SHORT_NAME ? &c->short_slab : &c->long_slab);

        if (!e)
                return NULL;
        *e = (struct cached_entry){ .parent = parent, .cookie = cookie, .name_length = (uint8_t)name.length };
        memcpy(e->name, name.data, name.length);
        return e;
}

void cache_free_entry(struct cache *c, struct cached_entry *e)
{
        if (e)
                slab_put(e->name_length <= SHORT_NAME ? &c->short_slab : &c->long_slab, e);
}

static void drop_entry(struct cache *c, struct cached_entry *e)
{
        hashtab_remove(&c->entries, &e->node);
        list_remove(&e->age);
        cache_free_entry(c, e);
}

void cache_put_entry(struct cache *c, struct cached_entry *e)
{
        uint64_t hash = hash_of_entry(e->parent, e->cookie);
        struct cached_entry *old = NULL;

        HASHTAB_FOR_EACH(node, &c->entries, hash) {
                struct cached_entry *other = CONTAINER(node, struct cached_entry, node);

                if (entry_named(other, e->parent, slice_of(e->name, e->name_length)))
                        old = other;
                else if (same_hash(other, e->parent, e->cookie))
                        other->alone = e->alone = false;
        }
        if (old)
                drop_entry(c, old);
        hashtab_insert(&c->entries, &e->node, hash);
        list_push(&c->entry_ages, &e->age);
}

/* --- the hand */

/* Steps for one trim: enough to keep up, few enough that no trim is felt. */
static uint32_t steps(uint32_t count, uint32_t bound)
{
        return (count - bound) * STEPS_AN_EVICTION + FEWEST_STEPS;
}

/* One thing under the hand: may it go? If not, the hand passes on. */
struct hand {
        uint64_t durable;
        uint32_t left, not_durable;
};

static bool may_go(struct hand *h, struct list *ages, struct list *age, bool *used, uint64_t seq)
{
        h->left--;
        if (seq > h->durable && ++h->not_durable == MOST_NOT_DURABLE)
                h->left = 0;
        if (!*used && seq <= h->durable)
                return true;
        *used = false;
        list_remove(age);
        list_push(ages, age);
        return false;
}

static void trim_inodes(struct cache *c, uint64_t durable)
{
        struct hand h = { durable, steps(c->inodes.count, c->inode_bound), 0 };

        while (h.left > 0 && c->inodes.count > c->inode_bound) {
                struct cached_inode *i = CONTAINER(c->inode_ages.next, struct cached_inode, age);

                if (may_go(&h, &c->inode_ages, &i->age, &i->used, i->seq))
                        cache_drop_inode(c, i);
        }
}

static void evict_entry(struct cache *c, struct cached_entry *e)
{
        HASHTAB_FOR_EACH(node, &c->inodes, hash_u64(e->parent)) {
                struct cached_inode *i = CONTAINER(node, struct cached_inode, node);

                if (i->inode.fileid == e->parent && e->fileid != 0)
                        i->whole = false;
        }
        drop_entry(c, e);
}

static void trim_entries(struct cache *c, uint64_t durable)
{
        struct hand h = { durable, steps(c->entries.count, c->entry_bound), 0 };

        while (h.left > 0 && c->entries.count > c->entry_bound) {
                struct cached_entry *e = CONTAINER(c->entry_ages.next, struct cached_entry, age);

                if (may_go(&h, &c->entry_ages, &e->age, &e->used, e->seq))
                        evict_entry(c, e);
        }
}

void cache_trim(struct cache *c, uint64_t durable)
{
        if (c->inodes.count > c->inode_bound)
                trim_inodes(c, durable);
        if (c->entries.count > c->entry_bound)
                trim_entries(c, durable);
}
