/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes: see size.h. Work on one file is one thing at a time (asking, or cutting); what comes meanwhile waits
 * in the file's queue. A file has an entry here only while a data server is dirty or something is under way.
 */
#include "mds/pnfs/size_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static bool any_dirty(const struct size_file *f)
{
        for (int i = 0; i < DIRTY_WORDS; i++)
                if (f->dirty[i])
                        return true;
        return false;
}

static bool is_dirty(const struct size_file *f, uint32_t server_id)
{
        return f->dirty[server_id / 64] >> (server_id % 64) & 1;
}

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
        list_init(&f->waiting);
        list_init(&f->queued);
        hashtab_insert(&s->files, &f->node, hash_u64(fileid));
        return f;
}

static void put(struct size_file *f)
{
        struct sizes *s = f->sizes;

        if (f->busy || any_dirty(f) || !list_empty(&f->waiting) || !list_empty(&f->queued))
                return;
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

void size_mark(struct sizes *s, uint64_t fileid, uint32_t server_id, bool dirty)
{
        struct size_file *f = dirty ? size_file_get(s, fileid) : size_file_find(s, fileid);

        if (!f)
                return;
        if (dirty && !any_dirty(f))
                note_data(s, fileid);
        if (dirty)
                f->dirty[server_id / 64] |= 1ull << (server_id % 64);
        else
                f->dirty[server_id / 64] &= ~(1ull << (server_id % 64));
        put(f);
}

void size_forget(struct sizes *s, uint64_t fileid)
{
        struct size_file *f = size_file_find(s, fileid);

        if (!f)
                return;
        memset(f->dirty, 0, sizeof(f->dirty));
        put(f);
}

bool size_is_current(struct sizes *s, uint64_t fileid)
{
        const struct size_file *f = size_file_find(s, fileid);

        return !f || (!f->busy && !any_dirty(f));
}

/* --- transactions */

int size_extend(struct sizes *s, uint64_t fileid, uint32_t generation, uint64_t size, uint64_t *ret_seq)
{
        struct txn *t = txn_begin(s->mds->meta);
        struct inode *inode = txn_edit(t, fileid);

        if (!inode || inode->generation != generation) {
                txn_abort(t);
                return -ENOENT;
        }
        if (size > inode->size)
                inode->size = size;
        inode->flags |= INODE_DATA;
        inode->mode &= (uint16_t)~06000u;
        txn_touch(t, inode, true);
        return txn_commit(t, ret_seq);
}

/* Take what the data servers said, when it says more than we knew. */
static enum nfsstat4 store_answer(struct size_file *f)
{
        struct meta *meta = f->sizes->mds->meta;
        const struct inode *now;
        struct txn *t;
        struct inode *inode;
        uint64_t seq;
        bool news;

        if (meta_inode(meta, f->fileid, &now) < 0)
                return NFS4ERR_STALE;
        news = f->exists && !(now->flags & INODE_DATA);
        if (!news && f->size <= now->size && f->mtime <= now->mtime && f->used == now->used)
                return NFS4_OK;
        t = txn_begin(meta);
        inode = txn_edit(t, f->fileid);
        if (!inode) {
                txn_abort(t);
                return NFS4ERR_STALE;
        }
        if (f->size > inode->size || f->mtime > inode->mtime)
                txn_touch(t, inode, true);
        if (f->size > inode->size)
                inode->size = f->size;
        inode->used = f->used;
        if (f->exists)
                inode->flags |= INODE_DATA;
        return nfs4_status_from_errno(txn_commit(t, &seq));
}

/* --- asking */

void size_file_finish(struct task *task)
{
        struct size_file *f = CONTAINER(task, struct size_file, finish);
        enum nfsstat4 status = f->failed ? NFS4ERR_DELAY : store_answer(f);
        struct list done = LIST_INIT(done);

        f->busy = false;
        if (status == NFS4_OK && !any_dirty(f))
                layout_records_settle(f->sizes->mds->layouts, f->fileid);
        list_splice(&done, &f->waiting);
        f->finish.run = size_file_finish;
        for (struct list *node = list_pop(&done); node; node = list_pop(&done)) {
                struct size_wait *w = CONTAINER(node, struct size_wait, node);

                f->busy = true; /* keep the entry while others run */
                w->done(w, status);
                f->busy = false;
        }
        size_file_next(f);
}

void size_file_answered(struct size_file *f)
{
        if (--f->pending == 0)
                env_defer(f->sizes->mds->env, &f->finish);
}

static void got_sizes(void *arg, struct server *server, void *result)
{
        struct size_file *f = arg;
        const ctl_getsizes_res *r = result;

        if (!r || r->sizes.sizes_len != 1 ||
            (r->sizes.sizes_val[0].status != CTL_OK && r->sizes.sizes_val[0].status != CTL_NOENT)) {
                f->failed = true;
        } else {
                const ctl_size *size = &r->sizes.sizes_val[0];

                if (size->size > f->size)
                        f->size = size->size;
                if ((int64_t)size->mtime_ns > f->mtime)
                        f->mtime = (int64_t)size->mtime_ns;
                f->used += size->used;
                f->exists |= size->status == CTL_OK;
                if (size->settled)
                        f->dirty[server->id / 64] &= ~(1ull << (server->id % 64));
        }
        size_file_answered(f);
}

ctl_object size_object(const struct inode *inode, uint32_t index)
{
        return (ctl_object){ .fileid = inode->fileid,
                             .generation = inode->generation,
                             .unit = inode->unit,
                             .width = inode->width,
                             .first = inode->first,
                             .index = index };
}

static void ask_one(struct size_file *f, struct server *server, const struct inode *inode, uint32_t index)
{
        ctl_object object = size_object(inode, index);
        ctl_getsizes_args args = { .objects.objects_len = 1, .objects.objects_val = &object };

        f->pending++;
        if (!server ||
            ctl_call(server, CTL_GETSIZES, (xdrproc_t)xdr_ctl_getsizes_args, &args,
                     (xdrproc_t)xdr_ctl_getsizes_res, sizeof(ctl_getsizes_res), got_sizes, f) < 0) {
                f->failed = true;
                f->pending--;
        }
}

/* All data servers of the file are asked, so that `used` adds up; only the dirty ones must answer. */
static void ask(struct size_file *f)
{
        struct mds *mds = f->sizes->mds;
        const struct inode *inode;

        f->busy = true;
        f->failed = f->exists = false;
        f->pending = 1;
        f->size = f->used = 0;
        f->mtime = 0;
        if (meta_inode(mds->meta, f->fileid, &inode) == 0) {
                for (uint32_t i = 0; i < inode->width; i++) {
                        struct server *server = fleet_file_server(mds->fleet, inode, i);

                        if (!server || server->conn || is_dirty(f, server->id))
                                ask_one(f, server, inode, i);
                }
        }
        size_file_answered(f);
}

void size_wait(struct sizes *s, uint64_t fileid, struct size_wait *w)
{
        struct size_file *f = size_file_find(s, fileid);

        list_init(&w->node);
        if (!f || (!f->busy && !any_dirty(f))) {
                w->done(w, NFS4_OK);
                return;
        }
        list_push(&f->waiting, &w->node);
        if (!f->busy)
                ask(f);
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

enum nfsstat4 size_refresh(struct compound *c, uint64_t fileid)
{
        struct refresh *r = (struct refresh *)(void *)(c->wait + SIZE_WAIT_AT);

        if (c->waits > 0)
                return r->status;
        if (size_is_current(mds_of(c)->sizes, fileid))
                return NFS4_OK;
        *r = (struct refresh){ .wait.done = refreshed, .compound = c };
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
                ask(f);
        else
                put(f);
}

/* --- start */

/* A write layout was out when we stopped: whatever was written under it, only the data servers know. */
static bool recover_one(void *arg, struct slice key, struct slice value)
{
        struct sizes *s = arg;
        uint64_t fileid;
        uint32_t tag;
        const struct inode *inode;

        (void)value;
        if (!key_parse_u64_u32(key, 'l', &fileid, &tag) || meta_inode(s->mds->meta, fileid, &inode) < 0)
                return true;
        layout_leftover(s->mds->layouts, fileid);
        for (uint32_t i = 0; i < inode->width; i++) {
                const struct server *server = fleet_file_server(s->mds->fleet, inode, i);

                struct size_file *f = server ? size_file_get(s, fileid) : NULL;

                if (f)
                        f->dirty[server->id / 64] |= 1ull << (server->id % 64);
        }
        return true;
}

struct sizes *sizes_new(struct mds *mds)
{
        struct sizes *s = calloc(1, sizeof(*s));
        uint8_t key[KEY_MAX];

        if (!s || !hashtab_init(&s->files, 1024)) {
                free(s);
                return NULL;
        }
        s->mds = mds;
        slab_init(&s->slab, sizeof(struct size_file), FILES_MAX);
        if (meta_scan(mds->meta, key_kind(key, 'l'), recover_one, s) < 0) {
                sizes_free(s);
                return NULL;
        }
        if (s->files.count > 0)
                log_info("write-layouts-to-recover", "files=%u", s->files.count);
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
