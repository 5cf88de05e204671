/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/state/returned.h"

#include <stdlib.h>

#include "base/slab.h"
#include "mds/fleet/fences.h"

enum { AT_ONCE = 16 };

struct one {
        struct hnode by_file;
        struct list by_age;
        uint64_t fileid;
        uint32_t tag, epoch;
        uint8_t iomodes;
};

struct returned {
        struct mds *mds;
        struct hashtab by_file;
        struct list by_age; /* oldest first */
        struct slab slab;
        uint32_t to_fence; /* of the oldest: returned_fence_all() */
};

/* A fence that is raised for want of room; what it is about is remembered until it holds. */
struct eviction {
        struct fence_wait fence;
        struct returned *returned;
        uint64_t fileid;
        uint32_t tag, below;
};

struct returned *returned_new(struct mds *mds)
{
        struct returned *r = calloc(1, sizeof(*r));

        if (!r || !hashtab_init(&r->by_file, 64)) {
                free(r);
                return NULL;
        }
        r->mds = mds;
        list_init(&r->by_age);
        slab_init(&r->slab, sizeof(struct one), 8 * RETURNED_MAX); /* with those whose fence is on its way */
        return r;
}

static void drop(struct returned *r, struct one *one)
{
        hashtab_remove(&r->by_file, &one->by_file);
        list_remove(&one->by_age);
        slab_put(&r->slab, one);
}

void returned_free(struct returned *r)
{
        if (!r)
                return;
        LIST_FOR_EACH_SAFE(node, &r->by_age)
                drop(r, CONTAINER(node, struct one, by_age));
        hashtab_destroy(&r->by_file);
        slab_destroy(&r->slab);
        free(r);
}

static struct one *find(const struct returned *r, uint64_t fileid, uint32_t tag)
{
        HASHTAB_FOR_EACH(node, &r->by_file, hash_u64(fileid)) {
                struct one *one = CONTAINER(node, struct one, by_file);

                if (one->fileid == fileid && one->tag == tag)
                        return one;
        }
        return NULL;
}

/* --- too many, or an export policy that would not have given them */

static void evict_oldest(struct returned *r);

static void evicted(struct fence_wait *wait)
{
        struct eviction *e = CONTAINER(wait, struct eviction, fence);
        struct returned *r = e->returned;
        struct one *one = find(r, e->fileid, e->tag);

        if (one && one->epoch < e->below && !wait->given_up)
                drop(r, one);
        if (r->to_fence > 0 && r->by_file.count > 0 && !wait->given_up) {
                r->to_fence--;
                evict_oldest(r);
        }
        free(e);
}

/* It becomes the youngest, until its data servers have answered. */
static void evict(struct returned *r, struct one *one)
{
        const struct inode *file;
        struct eviction *e;

        if (meta_inode(r->mds->meta, one->fileid, &file) < 0) {
                drop(r, one);
                return;
        }
        list_remove(&one->by_age);
        list_push(&r->by_age, &one->by_age);
        e = calloc(1, sizeof(*e));
        if (!e)
                return;
        *e = (struct eviction){ .returned = r, .fileid = one->fileid, .tag = one->tag };
        e->fence.done = evicted;
        fence_raise(r->mds->fleet, file, &one->tag, 1, false, &e->fence);
        e->below = meta_epoch(r->mds->meta);
}

static void evict_oldest(struct returned *r)
{
        evict(r, CONTAINER(r->by_age.next, struct one, by_age));
}

void returned_fence_file(struct returned *r, uint64_t fileid, uint32_t except_tag)
{
        struct hnode *node = hashtab_first(&r->by_file, hash_u64(fileid));

        while (node) {
                struct one *one = CONTAINER(node, struct one, by_file);

                node = hashtab_next(node);
                if (one->fileid == fileid && one->tag != except_tag)
                        evict(r, one);
        }
}

/* A few at a time. */
void returned_fence_all(struct returned *r)
{
        uint32_t count = r->by_file.count, first = count < AT_ONCE ? count : AT_ONCE;

        r->to_fence = count - first;
        while (first-- > 0)
                evict_oldest(r);
}

/* --- */

static struct one *make(struct returned *r, uint64_t fileid, uint32_t tag)
{
        struct one *one = slab_get(&r->slab);

        CHECK(one != NULL); /* as with fences: without memory for it nothing may go on */
        one->fileid = fileid;
        one->tag = tag;
        hashtab_insert(&r->by_file, &one->by_file, hash_u64(fileid));
        list_push(&r->by_age, &one->by_age);
        return one;
}

void returned_note(struct returned *r, uint64_t fileid, uint32_t tag, uint8_t iomodes, uint32_t epoch)
{
        struct one *one;

        if (iomodes == 0 || r->mds->stopping)
                return;
        if (r->by_file.count >= RETURNED_MAX)
                evict_oldest(r); /* which may be this one */
        one = find(r, fileid, tag);
        if (!one)
                one = make(r, fileid, tag);
        one->iomodes |= iomodes;
        one->epoch = epoch;
}

uint8_t returned_again(struct returned *r, uint64_t fileid, uint32_t tag)
{
        struct one *one = find(r, fileid, tag);
        uint8_t iomodes = one ? one->iomodes : 0;

        if (one)
                drop(r, one);
        return iomodes;
}

uint32_t returned_tags(const struct returned *r, uint64_t fileid, uint8_t iomodes, uint32_t epoch,
                       uint32_t except_tag, uint32_t *out, uint32_t max)
{
        uint32_t count = 0;

        HASHTAB_FOR_EACH(node, &r->by_file, hash_u64(fileid)) {
                const struct one *one = CONTAINER(node, struct one, by_file);

                if (one->fileid != fileid || !(one->iomodes & iomodes) || one->epoch < epoch ||
                    (except_tag != 0 && one->tag == except_tag))
                        continue;
                if (count < max)
                        out[count] = one->tag;
                count++;
        }
        return count;
}

void returned_forget(struct returned *r, uint64_t fileid, uint32_t tag)
{
        struct hnode *node = hashtab_first(&r->by_file, hash_u64(fileid));

        while (node) {
                struct one *one = CONTAINER(node, struct one, by_file);

                node = hashtab_next(node);
                if (one->fileid == fileid && (tag == 0 || one->tag == tag))
                        drop(r, one);
        }
}

uint32_t returned_count(const struct returned *r)
{
        return r->by_file.count;
}
