/* SPDX-License-Identifier: Apache-2.0 */
/* Changes: edits are made to copies, entries go to the batch at once, inodes at commit. The cache learns of
 * it all only when the batch is in the store, and memory for that was taken before, so that nothing can fail
 * in between. */
#include <errno.h>

#include "base/check.h"
#include "base/siphash.h"
#include "mds/store/meta.h"

struct txn *txn_begin(struct meta *m)
{
        struct txn *t = &m->txn;

        CHECK(!t->open);
        t->open = true;
        t->now = 0;
        t->edit_count = t->name_count = 0;
        batch_clear(&t->batch);
        return t;
}

static int64_t txn_now(struct txn *t)
{
        if (t->now == 0)
                t->now = (int64_t)env_wall(t->meta->env);
        return t->now;
}

/* --- inodes */

struct edit *txn_find_edit(struct txn *t, uint64_t fileid)
{
        for (uint32_t i = 0; i < t->edit_count; i++)
                if (t->edits[i].inode.fileid == fileid)
                        return &t->edits[i];
        return NULL;
}

static struct edit *new_edit(struct txn *t)
{
        CHECK(t->open);
        CHECK(t->edit_count < TXN_MAX_INODES);
        return &t->edits[t->edit_count++];
}

struct inode *txn_edit(struct txn *t, uint64_t fileid)
{
        struct edit *e = txn_find_edit(t, fileid);
        struct cached_inode *cached;

        if (e)
                return e->deleted ? NULL : &e->inode;
        if (meta_load(t->meta, fileid, &cached))
                return NULL;
        e = new_edit(t);
        *e = (struct edit){ .inode = cached->inode };
        return &e->inode;
}

/* Generations need only differ from run to run and be hard to guess: a keyed hash of the number costs no
 * system call. */
static uint32_t generation_of(const struct meta *m, uint64_t fileid)
{
        return (uint32_t)siphash(&fileid, sizeof(fileid), m->generation_key);
}

struct inode *txn_new_inode(struct txn *t, uint8_t type)
{
        uint64_t fileid = meta_new_fileid(t->meta);
        struct cached_inode *fresh = fileid ? cache_new_inode(&t->meta->cache) : NULL;
        int64_t now = txn_now(t);
        struct edit *e;

        if (!fresh)
                return NULL;
        if (type == NF4DIR)
                fileid |= FILEID_DIRECTORY;
        e = new_edit(t);
        *e = (struct edit){
                .inode = { .fileid = fileid, .type = type, .generation = generation_of(t->meta, fileid) },
                .fresh = fresh
        };
        e->inode.change = (uint64_t)now;
        e->inode.atime = e->inode.mtime = e->inode.ctime = e->inode.btime = now;
        return &e->inode;
}

static bool delete_one(void *arg, struct slice key, struct slice value)
{
        (void)value;
        batch_delete(arg, key);
        return true;
}

void txn_delete_all(struct txn *t, struct slice prefix)
{
        if (meta_scan(t->meta, prefix, delete_one, &t->batch))
                t->batch.failed = true; /* what cannot be read is not left behind: the write is refused */
}

void txn_delete_inode(struct txn *t, uint64_t fileid)
{
        struct inode *inode = txn_edit(t, fileid);
        uint8_t key[KEY_MAX];

        if (!inode)
                return;
        if (inode->type == NF4LNK)
                batch_delete(&t->batch, key_symlink(key, fileid));
        txn_put_acl(t, inode, NULL);
        if (inode->flags & INODE_XATTRS)
                txn_delete_xattrs(t, fileid);
        if (inode->flags & INODE_BACKED)
                batch_delete(&t->batch, key_backing(key, fileid));
        if (inode->flags & INODE_BACKED && inode->type == NF4REG)
                txn_delete_all(t, key_all_digests(key, fileid));
        if (inode->undescribed)
                batch_delete(&t->batch, key_head(key, fileid));
        txn_find_edit(t, fileid)->deleted = true;
}

void txn_touch(struct txn *t, struct inode *inode, bool modify)
{
        int64_t now = txn_now(t);

        inode->ctime = now;
        if (modify)
                inode->mtime = now;
        inode->change = (uint64_t)now > inode->change ? (uint64_t)now : inode->change + 1;
}

/* --- other records */

void txn_put_symlink(struct txn *t, uint64_t fileid, struct slice target)
{
        uint8_t key[KEY_MAX], value[1 + NFS4_MAXPATH] = { SYMLINK_VERSION };

        CHECK(target.length > 0 && target.length <= NFS4_MAXPATH);
        memcpy(value + 1, target.data, target.length);
        batch_put(&t->batch, key_symlink(key, fileid), slice_of(value, 1 + target.length));
}

void txn_put_acl(struct txn *t, struct inode *inode, const struct acl *acl)
{
        uint8_t key[KEY_MAX], value[RECORD_MAX];

        CHECK(t->open);
        if (acl)
                batch_put(&t->batch, key_acl(key, inode->fileid), acl_encode(value, acl));
        else if (inode->flags & INODE_ACL)
                batch_delete(&t->batch, key_acl(key, inode->fileid));
        inode->flags = (uint8_t)((inode->flags & ~INODE_ACL) | (acl ? INODE_ACL : 0));
}

void txn_put(struct txn *t, struct slice key, struct slice value)
{
        CHECK(t->open);
        batch_put(&t->batch, key, value);
}

void txn_delete(struct txn *t, struct slice key)
{
        CHECK(t->open);
        batch_delete(&t->batch, key);
}

/* --- the end */

void meta_watch(struct meta *m, meta_watch_fn *watch, void *arg)
{
        m->watch = watch;
        m->watch_arg = arg;
}

static void tell_watch(struct txn *t)
{
        struct meta *m = t->meta;

        for (uint32_t i = 0; i < t->edit_count; i++) {
                const struct edit *e = &t->edits[i];
                const struct cached_inode *cached;

                if (!(e->inode.flags & INODE_BACKED) || e->fresh || e->deleted)
                        continue; /* most are: they cost nothing here */
                cached = cache_find_inode(&m->cache, e->inode.fileid);
                if (cached && cached->inode.change != e->inode.change)
                        m->watch(m->watch_arg, t, &cached->inode, &e->inode);
        }
}

/* Into the batch, unless it is as before. */
static void put_edit(struct txn *t, const struct edit *e)
{
        const struct cached_inode *cached =
                e->fresh ? NULL : cache_find_inode(&t->meta->cache, e->inode.fileid);
        uint8_t key[KEY_MAX], value[RECORD_MAX];

        CHECK(e->fresh || cached);
        if (e->deleted && cached)
                batch_delete(&t->batch, key_inode(key, e->inode.fileid));
        else if (!e->deleted && (!cached || memcmp(&cached->inode, &e->inode, sizeof(e->inode)) != 0))
                batch_put(&t->batch, key_inode(key, e->inode.fileid), inode_encode(value, &e->inode));
}

static void apply_edit(struct cache *c, struct edit *e, uint64_t seq)
{
        struct cached_inode *i = e->fresh ? e->fresh : cache_find_inode(c, e->inode.fileid);

        if (e->deleted && e->fresh)
                cache_free_inode(c, i);
        else if (e->deleted)
                cache_drop_inode(c, i);
        if (e->deleted)
                return;
        i->inode = e->inode;
        i->seq = seq;
        if (i->inode.type == NF4DIR && i->inode.size == 0) {
                i->whole = true;
                i->first_cookie = INT64_MAX;
        }
        if (e->fresh)
                cache_add_inode(c, i);
}

static void apply_name(struct cache *c, struct cached_entry *e, uint64_t seq)
{
        struct cached_inode *dir = cache_find_inode(c, e->parent);

        e->seq = seq;
        if (dir && e->fileid != 0 && e->cookie < dir->first_cookie)
                dir->first_cookie = e->cookie;
        cache_put_entry(c, e);
}

/* The transaction is over; what was taken for the cache goes back. */
void txn_abort(struct txn *t)
{
        struct cache *c = &t->meta->cache;

        CHECK(t->open);
        t->open = false;
        for (uint32_t i = 0; i < t->edit_count; i++)
                if (t->edits[i].fresh)
                        cache_free_inode(c, t->edits[i].fresh);
        for (uint32_t i = 0; i < t->name_count; i++)
                cache_free_entry(c, t->names[i]);
}

int txn_commit(struct txn *t, uint64_t *ret_seq)
{
        struct meta *m = t->meta;
        uint64_t seq = m->read_seq;
        int r = 0;

        CHECK(t->open);
        if (m->watch)
                tell_watch(t);
        for (uint32_t i = 0; i < t->edit_count; i++)
                put_edit(t, &t->edits[i]);
        if (t->batch.count > 0 || t->batch.failed)
                r = m->store->ops->write(m->store, &t->batch, &seq);
        if (r) {
                txn_abort(t);
                return r;
        }
        for (uint32_t i = 0; i < t->edit_count; i++)
                apply_edit(&m->cache, &t->edits[i], seq);
        for (uint32_t i = 0; i < t->name_count; i++)
                apply_name(&m->cache, t->names[i], seq);
        t->open = false;
        meta_note(m, seq);
        *ret_seq = seq;
        return 0;
}
