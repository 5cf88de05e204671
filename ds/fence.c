/* SPDX-License-Identifier: Apache-2.0 */
#include "ds/fence.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"

struct fence {
        struct hnode node;
        struct list in_removed;
        uint64_t fileid;
        uint32_t client, below;
        bool final;
};

bool fence_table_init(struct fence_table *f)
{
        memset(f, 0, sizeof(*f));
        list_init(&f->removed);
        slab_init(&f->slab, sizeof(struct fence), FENCES_MAX + FENCES_REMOVED_MAX);
        return hashtab_init(&f->table, 1024);
}

void fence_table_destroy(struct fence_table *f)
{
        hashtab_destroy(&f->table);
        slab_destroy(&f->slab);
}

static void drop(struct fence_table *f, struct fence *e)
{
        if (!list_empty(&e->in_removed)) {
                list_remove(&e->in_removed);
                f->removed_count--;
        }
        hashtab_remove(&f->table, &e->node);
        slab_put(&f->slab, e);
}

/* Drop fences that say nothing beyond the floor (all of them with FLOOR UINT32_MAX), but not removed files.
 */
static void drop_below(struct fence_table *f, uint32_t floor)
{
        uint32_t bucket = 0;
        struct hnode *node = hashtab_walk(&f->table, &bucket, NULL);

        while (node) {
                struct fence *e = CONTAINER(node, struct fence, node);

                node = hashtab_walk(&f->table, &bucket, node);
                if (list_empty(&e->in_removed) && e->below <= floor)
                        drop(f, e);
        }
}

void fence_table_reset(struct fence_table *f)
{
        drop_below(f, UINT32_MAX);
        f->floor = 0;
        f->place_count = 0;
}

void fence_table_raise_floor(struct fence_table *f, uint32_t floor)
{
        if (floor <= f->floor)
                return;
        f->floor = floor;
        drop_below(f, floor);
}

/* Fences of one file lie together; those of all files (0), one for each client that expired, do not. */
static uint64_t hash_of(uint64_t fileid, uint32_t client)
{
        return hash_u64(fileid ? fileid : (uint64_t)client << 32);
}

static struct fence *find(const struct fence_table *f, uint64_t fileid, uint32_t client)
{
        HASHTAB_FOR_EACH(node, &f->table, hash_of(fileid, client)) {
                struct fence *e = CONTAINER(node, struct fence, node);

                if (e->fileid == fileid && e->client == client)
                        return e;
        }
        return NULL;
}

static struct fence *add(struct fence_table *f, uint64_t fileid, uint32_t client)
{
        struct fence *e = slab_get(&f->slab);

        if (!e)
                return NULL;
        list_init(&e->in_removed);
        e->fileid = fileid;
        e->client = client;
        hashtab_insert(&f->table, &e->node, hash_of(fileid, client));
        return e;
}

void fence_table_raise(struct fence_table *f, uint64_t fileid, uint32_t client, uint32_t below, bool final)
{
        struct fence *e = find(f, fileid, client);

        if (!e && f->table.count - f->removed_count < FENCES_MAX)
                e = add(f, fileid, client);
        if (!e) {
                log_warn("fence-table-full", "floor=%u", below);
                fence_table_raise_floor(f, below);
        } else if (below > e->below) {
                e->below = below;
                e->final = final;
        } else if (below == e->below) {
                e->final |= final;
        }
}

void fence_table_removed(struct fence_table *f, uint64_t fileid)
{
        struct fence *e = find(f, fileid, 0);

        if (f->removed_count == FENCES_REMOVED_MAX && (!e || list_empty(&e->in_removed)))
                drop(f, CONTAINER(f->removed.next, struct fence, in_removed));
        if (!e)
                e = add(f, fileid, 0);
        if (!e)
                return; /* out of memory: an object may come back and stay; the file is gone all the same */
        if (list_empty(&e->in_removed)) {
                list_push(&f->removed, &e->in_removed);
                f->removed_count++;
        }
        e->below = UINT32_MAX;
        e->final = true;
}

static int by_generation(const void *a, const void *b)
{
        const struct place *x = a, *y = b;

        return x->generation < y->generation ? -1 : x->generation > y->generation;
}

void fence_table_set_places(struct fence_table *f, const struct place *places, uint32_t count)
{
        CHECK(count <= PLACES_MAX);
        memcpy(f->places, places, count * sizeof(*places));
        f->place_count = count;
        qsort(f->places, count, sizeof(*places), by_generation);
}

/* Our index in the device of FH: its index 0 stands at pool position fh->start, the others follow, around the
 * end. */
static enum nfsstat4 check_place(const struct fence_table *f, const struct fh *fh, uint32_t *ret_index)
{
        const struct place key = { .generation = fh->pool };
        const struct place *p = bsearch(&key, f->places, f->place_count, sizeof(key), by_generation);
        uint32_t index;

        if (!p)
                return f->place_count == 0 || fh->pool > f->places[f->place_count - 1].generation
                               ? NFS4ERR_BAD_STATEID
                               : NFS4ERR_PNFS_NO_LAYOUT;
        if (fh->start >= p->size || fh->width > p->size || p->position >= p->size)
                return NFS4ERR_PNFS_NO_LAYOUT;
        index = (p->position + p->size - fh->start) % p->size;
        if (index >= fh->width)
                return NFS4ERR_PNFS_NO_LAYOUT;
        *ret_index = index;
        return NFS4_OK;
}

/* Is FH below a fence of FILEID, and how? */
static enum nfsstat4 check_fences_of(const struct fence_table *f, uint64_t fileid, const struct fh *fh)
{
        bool fenced = false;

        HASHTAB_FOR_EACH(node, &f->table, hash_of(fileid, fh->client)) {
                const struct fence *e = CONTAINER(node, struct fence, node);

                if (e->fileid != fileid || (e->client != 0 && e->client != fh->client) ||
                    fh->epoch >= e->below)
                        continue;
                if (e->final)
                        return NFS4ERR_PNFS_NO_LAYOUT;
                fenced = true;
        }
        return fenced ? NFS4ERR_BAD_STATEID : NFS4_OK;
}

/* Fences of file 0 are of all files: a client that was revoked or whose lease ran out. */
static enum nfsstat4 check_fences(const struct fence_table *f, const struct fh *fh)
{
        if (fh->epoch < f->floor || check_fences_of(f, 0, fh) != NFS4_OK)
                return NFS4ERR_PNFS_NO_LAYOUT;
        return check_fences_of(f, fh->fileid, fh);
}

enum nfsstat4 fence_check(const struct fence_table *f, const struct fh *fh, uint32_t *ret_index)
{
        enum nfsstat4 status = check_fences(f, fh);

        return status == NFS4_OK ? check_place(f, fh, ret_index) : status;
}

enum nfsstat4 fence_check_commit(const struct fence_table *f, const struct fh *fh, uint32_t *ret_index)
{
        enum nfsstat4 status = check_fences(f, fh);

        return status == NFS4ERR_PNFS_NO_LAYOUT ? status : check_place(f, fh, ret_index);
}

bool fence_refuses(void *table, const struct fh *fh)
{
        uint32_t index;

        return fence_check(table, fh, &index) != NFS4_OK;
}
