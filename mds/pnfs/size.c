/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes: see size.h. Work on one file is one thing at a time (asking, or cutting); what comes meanwhile waits
 * in the file's queue. A file has an entry here only while a data server is dirty or something is under way.
 */
#include "mds/pnfs/size_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mds/tier/archive.h"

struct size_file *size_file_find(const struct sizes *s, uint64_t fileid)
{
        HASHTAB_FOR_EACH(node, &s->files, hash_u64(fileid)) {
                struct size_file *f = CONTAINER(node, struct size_file, node);

                if (f->fileid == fileid)
                        return f;
        }
        return NULL;
}

struct size_file *size_file_get(struct sizes *s, uint64_t fileid)
{
        struct size_file *f = size_file_find(s, fileid);

        if (f || !(f = slab_get(&s->slab)))
                return f;
        f->fileid = fileid;
        f->sizes = s;
        f->finish.run = size_file_finish;
        list_init(&f->finish.node);
        list_init(&f->asking);
        list_init(&f->waiting);
        list_init(&f->queued);
        list_init(&f->in_unrecovered);
        hashtab_insert(&s->files, &f->node, hash_u64(fileid));
        return f;
}

static void put(struct size_file *f)
{
        struct sizes *s = f->sizes;

        if (f->busy || size_any_dirty(f) || !list_empty(&f->waiting) || !list_empty(&f->queued))
                return;
        list_remove(&f->in_unrecovered);
        hashtab_remove(&s->files, &f->node);
        slab_put(&s->slab, f);
}

/* The first that is heard of data. Not waited for: until it is durable the write-layout record makes us ask.
 */
static void note_data(struct sizes *s, uint64_t fileid)
{
        const struct inode *now;
        struct txn *t;
        struct inode *inode;
        uint64_t seq;

        if (meta_inode(s->mds->meta, fileid, &now) < 0 || now->flags & INODE_DATA)
                return;
        t = txn_begin(s->mds->meta);
        inode = txn_edit(t, fileid);
        if (!inode) {
                txn_abort(t);
                return;
        }
        inode->flags |= INODE_DATA;
        txn_commit(t, &seq);
}

bool size_has_data(struct sizes *s, const struct inode *file)
{
        return file->flags & INODE_DATA || !size_is_current(s, file->fileid);
}

void size_file_dirtied(struct size_file *f)
{
        note_data(f->sizes, f->fileid);
        archive_written(f->sizes->mds, f->fileid);
}

bool size_mark(struct sizes *s, uint64_t fileid, uint32_t server_id)
{
        struct size_file *f = size_file_get(s, fileid);

        if (!f)
                return false;
        if (!size_any_dirty(f))
                size_file_dirtied(f);
        if (!size_bit(f->dirty, server_id) || size_bit(f->settled, server_id) ||
            size_bit(f->suspect, server_id) || size_bit(f->asked_suspect, server_id))
                f->announced = true;
        f->suspect[server_id / 64] &= ~(1ull << (server_id % 64));
        f->settled[server_id / 64] &= ~(1ull << (server_id % 64));
        f->dirty[server_id / 64] |= 1ull << (server_id % 64);
        return true;
}

void size_forget(struct sizes *s, uint64_t fileid)
{
        struct size_file *f = size_file_find(s, fileid);

        if (!f)
                return;
        memset(f->dirty, 0, sizeof(f->dirty));
        memset(f->suspect, 0, sizeof(f->suspect));
        put(f);
}

bool size_is_current(struct sizes *s, uint64_t fileid)
{
        const struct size_file *f = size_file_find(s, fileid);

        return !f || (!f->busy && !size_any_dirty(f));
}

/* Of a file that is being cut: when its object is already, the write came after the cut. */
static void note_beyond(const struct sizes *s, uint64_t fileid, uint32_t server_id, uint64_t size)
{
        struct size_file *f = size_file_find(s, fileid);

        if (f && size_bit(f->cut, server_id) && size > f->beyond)
                f->beyond = size;
}

/* One object's room is the file's where there is no other; else they are asked when somebody wants to know.
 */
static void take_used(struct inode *file, uint64_t used)
{
        if (file->size <= file->unit || file->width == 1)
                file->used = used;
        else
                file->flags |= INODE_USED_OLD;
}

int size_extend(struct sizes *s, uint64_t fileid, uint32_t generation, uint32_t server_id, uint64_t size,
                uint64_t used, uint64_t *ret_seq)
{
        struct txn *t = txn_begin(s->mds->meta);
        struct inode *inode = txn_edit(t, fileid);

        if (!inode || inode->generation != generation) {
                txn_abort(t);
                return -ENOENT;
        }
        note_beyond(s, fileid, server_id, size);
        if (size > inode->size)
                inode->size = size;
        take_used(inode, used);
        inode->flags |= INODE_DATA;
        inode->mode &= (uint16_t)~06000u;
        txn_touch(t, inode, true);
        return txn_commit(t, ret_seq);
}

void size_wait(struct sizes *s, uint64_t fileid, struct size_wait *w)
{
        struct size_file *f = size_file_find(s, fileid);

        list_init(&w->node);
        if (!f || (!f->busy && !size_any_dirty(f))) {
                w->done(w, NFS4_OK);
                return;
        }
        list_push(&f->waiting, &w->node);
        if (!f->busy)
                size_file_ask(f);
}

struct refresh {
        struct size_wait wait;
        struct compound *compound;
        enum nfsstat4 status;
};

static void refreshed(struct size_wait *w, enum nfsstat4 status)
{
        struct refresh *r = CONTAINER(w, struct refresh, wait);

        r->status = status;
        compound_wake(r->compound);
}

enum nfsstat4 size_asked(const struct compound *c)
{
        return ((const struct refresh *)(const void *)(c->wait + SIZE_WAIT_AT))->status;
}

enum nfsstat4 size_refresh(struct compound *c, uint64_t fileid)
{
        return c->waits > 0 ? size_asked(c) : size_ask(c, fileid);
}

static struct refresh *begin_refresh(struct compound *c)
{
        struct refresh *r = (struct refresh *)(void *)(c->wait + SIZE_WAIT_AT);

        *r = (struct refresh){ .wait.done = refreshed, .compound = c };
        list_init(&r->wait.node);
        return r;
}

enum nfsstat4 size_ask_used(struct compound *c, uint64_t fileid)
{
        struct size_file *f = size_file_get(mds_of(c)->sizes, fileid);

        if (!f)
                return size_ask(c, fileid);
        list_push(&f->waiting, &begin_refresh(c)->wait.node);
        if (!f->busy)
                size_file_ask(f);
        return NFS4_WAIT;
}

enum nfsstat4 size_ask(struct compound *c, uint64_t fileid)
{
        struct refresh *r;

        if (size_is_current(mds_of(c)->sizes, fileid))
                return NFS4_OK;
        r = begin_refresh(c);
        size_wait(mds_of(c)->sizes, fileid, &r->wait);
        return NFS4_WAIT;
}

/* What waits comes in its order: truncations first, since an answer from before one is worth nothing after
 * it. */
void size_file_next(struct size_file *f)
{
        if (f->busy)
                return;
        if (!list_empty(&f->queued))
                truncate_begin(f);
        else if (!list_empty(&f->waiting))
                size_file_ask(f);
        else
                put(f);
}

/* --- start */

struct sizes *sizes_new(struct mds *mds)
{
        struct sizes *s = calloc(1, sizeof(*s));

        if (!s || !hashtab_init(&s->files, 1024)) {
                free(s);
                return NULL;
        }
        s->mds = mds;
        slab_init(&s->slab, sizeof(struct size_file), FILES_MAX);
        list_init(&s->unrecovered);
        list_init(&s->put_off);
        if (sizes_find_unrecovered(s) < 0) {
                sizes_free(s);
                return NULL;
        }
        return s;
}

void sizes_free(struct sizes *s)
{
        if (!s)
                return;
        hashtab_destroy(&s->files);
        slab_destroy(&s->slab);
        free(s);
}
