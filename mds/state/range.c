/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/state/range.h"

#include "base/check.h"
#include "base/hashtab.h"
#include "base/list.h"

void range_pool_init(struct range_pool *pool, uint32_t limit, uint64_t seed)
{
        slab_init(&pool->slab, sizeof(struct range), limit);
        pool->dice = seed;
}

void range_pool_destroy(struct range_pool *pool)
{
        slab_destroy(&pool->slab);
}

/* --- conflicts */

struct look {
        const struct range_owner *owner;
        const struct range *found;
};

static bool is_own(void *arg, struct span *span)
{
        struct look *look = arg;
        const struct range *r = CONTAINER(span, struct range, in_file);

        if (r->owner == look->owner)
                return true;
        look->found = r;
        return false;
}

const struct range *range_conflict(const struct ranges *file, const struct range_owner *owner,
                                   enum range_kind kind, uint64_t first, uint64_t last)
{
        struct look look = { .owner = owner };

        if (span_each(file->writes, first, last, is_own, &look) && kind == RANGE_WRITE)
                span_each(file->reads, first, last, is_own, &look);
        return look.found;
}

/* --- changes */

static void link_range(struct ranges *file, struct range *r)
{
        span_insert(r->kind == RANGE_WRITE ? &file->writes : &file->reads, &r->in_file);
        span_insert(&r->owner->all, &r->in_owner);
        r->owner->count++;
}

static void unlink_range(struct ranges *file, struct range *r)
{
        span_remove(r->kind == RANGE_WRITE ? &file->writes : &file->reads, &r->in_file);
        span_remove(&r->owner->all, &r->in_owner);
        r->owner->count--;
}

static void set_bytes(struct range *r, uint64_t first, uint64_t last)
{
        r->in_file.first = r->in_owner.first = first;
        r->in_file.last = r->in_owner.last = last;
}

/* hash_u64() gives no value twice. */
static void add(struct range_pool *pool, struct ranges *file, struct range *r, struct range_owner *owner,
                enum range_kind kind, uint64_t first, uint64_t last)
{
        r->owner = owner;
        r->kind = kind;
        r->in_file.priority = r->in_owner.priority = hash_u64(pool->dice++);
        set_bytes(r, first, last);
        link_range(file, r);
}

static void drop(struct range_pool *pool, struct ranges *file, struct range *r)
{
        unlink_range(file, r);
        slab_put(&pool->slab, r);
}

static void resize(struct ranges *file, struct range *r, uint64_t first, uint64_t last)
{
        unlink_range(file, r);
        set_bytes(r, first, last);
        link_range(file, r);
}

static struct range *own_at(const struct range_owner *owner, uint64_t first, uint64_t last)
{
        struct span *s = span_overlapping(owner->all, first, last);

        return s ? CONTAINER(s, struct range, in_owner) : NULL;
}

/* Takes FIRST to LAST out of what OWNER has. SPARE is for the second piece when one is split in two. */
static void cut(struct range_pool *pool, struct ranges *file, struct range_owner *owner, uint64_t first,
                uint64_t last, struct range **spare)
{
        struct range *r;

        while ((r = own_at(owner, first, last)) != NULL) {
                uint64_t begin = r->in_owner.first, end = r->in_owner.last;

                if (begin < first)
                        resize(file, r, begin, first - 1);
                if (begin < first && end > last) {
                        CHECK(*spare != NULL); /* only one can stick out at both ends */
                        add(pool, file, *spare, owner, r->kind, last + 1, end);
                        *spare = NULL;
                } else if (begin >= first && end > last) {
                        resize(file, r, last + 1, end);
                } else if (begin >= first) {
                        drop(pool, file, r);
                }
        }
}

/* The range of OWNER that FIRST to LAST lies inside of, with bytes before and behind; NULL. */
static const struct range *split_by(const struct range_owner *owner, uint64_t first, uint64_t last)
{
        const struct range *r = own_at(owner, first, last);

        return r && r->in_owner.first < first && r->in_owner.last > last ? r : NULL;
}

bool range_is_split(const struct range_owner *owner, uint64_t first, uint64_t last)
{
        return split_by(owner, first, last) != NULL;
}

bool range_clear(struct range_pool *pool, struct ranges *file, struct range_owner *owner, uint64_t first,
                 uint64_t last)
{
        struct range *spare = NULL;

        CHECK(first <= last);
        if (range_is_split(owner, first, last) && !(spare = slab_get(&pool->slab)))
                return false;
        cut(pool, file, owner, first, last, &spare);
        return true;
}

/* The neighbour of KIND that ends or begins at BYTE goes into the new range. */
static void swallow(struct range_pool *pool, struct ranges *file, struct range_owner *owner,
                    enum range_kind kind, uint64_t byte, uint64_t *ret_first, uint64_t *ret_last)
{
        struct range *r = own_at(owner, byte, byte);

        if (!r || r->kind != kind)
                return;
        *ret_first = r->in_owner.first;
        *ret_last = r->in_owner.last;
        drop(pool, file, r);
}

bool range_set(struct range_pool *pool, struct ranges *file, struct range_owner *owner, enum range_kind kind,
               uint64_t first, uint64_t last)
{
        const struct range *outer = split_by(owner, first, last);
        struct range *r, *spare = NULL;
        uint64_t ignored;

        CHECK(first <= last);
        if (outer && outer->kind == kind)
                return true;
        r = slab_get(&pool->slab);
        if (!r || (outer && !(spare = slab_get(&pool->slab)))) {
                slab_put(&pool->slab, r);
                return false;
        }
        cut(pool, file, owner, first, last, &spare);
        if (first > 0)
                swallow(pool, file, owner, kind, first - 1, &first, &ignored);
        if (last < UINT64_MAX)
                swallow(pool, file, owner, kind, last + 1, &ignored, &last);
        add(pool, file, r, owner, kind, first, last);
        return true;
}
