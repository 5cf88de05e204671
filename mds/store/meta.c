/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the metadata, and reading it: cache first, store behind. Changes are in txn.c. */
#include "mds/store/meta.h"

#include <errno.h>
#include <inttypes.h>

#include "base/check.h"
#include "base/log.h"
#include "base/siphash.h"

/* Cookies are positive as signed numbers (lseek on a directory refuses others) and never 0, 1 or 2 (RFC 8881
 * §18.23). */
#define COOKIE_BITS 0x7fffffffffffff00u
enum { FIRST_COOKIE_HASH = COOKIE_RUN };

uint64_t name_cookie(struct slice name, const uint8_t hash_key[16], uint64_t hash_mask)
{
        uint64_t cookie = siphash(name.data, name.length, hash_key) & hash_mask & COOKIE_BITS;

        return cookie ? cookie : FIRST_COOKIE_HASH;
}

uint64_t meta_cookie(const struct meta *m, struct slice name)
{
        return name_cookie(name, m->hash_key, m->hash_mask);
}

static int damaged(const char *kind, uint64_t fileid, uint64_t cookie)
{
        log_error("store-record-damaged", "kind=%s fileid=%" PRIu64 " cookie=%" PRIu64, kind, fileid, cookie);
        return -EIO;
}

/* --- what replies wait for, and the bound */

uint64_t meta_seq(const struct meta *m)
{
        return m->read_seq;
}
void meta_seq_reset(struct meta *m)
{
        m->read_seq = 0;
}
struct store *meta_store(struct meta *m)
{
        return m->store;
}
const uint8_t *meta_fsid(const struct meta *m)
{
        return m->fsid;
}
uint32_t meta_boot(const struct meta *m)
{
        return m->boot;
}
uint32_t meta_epoch(const struct meta *m)
{
        return m->epoch;
}

void meta_trim(struct meta *m)
{
        CHECK(!m->txn.open);
        cache_trim(&m->cache, m->store->durable);
}

void meta_get_stats(const struct meta *m, struct meta_stats *ret)
{
        const struct cache *c = &m->cache;

        *ret = (struct meta_stats){ c->inode_hits,   c->inode_misses, c->entry_hits,
                                    c->entry_misses, c->inodes.count, c->entries.count };
}

/* --- inodes */

static int read_inode(struct meta *m, uint64_t fileid, struct inode *ret)
{
        uint8_t key[KEY_MAX], value[RECORD_MAX];
        uint32_t length;
        int r = m->store->ops->get(m->store, key_inode(key, fileid), value, sizeof(value), &length);

        /* That it is gone may be news that is not durable yet; whose, nobody remembers. */
        if (r == -ENOENT)
                meta_note(m, m->store->written);
        if (r)
                return r == -ENOENT ? r : damaged("inode", fileid, 0);
        if (!inode_decode(slice_of(value, length), ret) || ret->fileid != fileid)
                return damaged("inode", fileid, 0);
        return 0;
}

int meta_load(struct meta *m, uint64_t fileid, struct cached_inode **ret)
{
        struct cached_inode *i = cache_find_inode(&m->cache, fileid);
        struct inode inode;
        int r;

        if (i) {
                m->cache.inode_hits++;
                meta_note(m, i->seq);
                *ret = i;
                return 0;
        }
        m->cache.inode_misses++;
        r = read_inode(m, fileid, &inode);
        if (r)
                return r;
        i = cache_new_inode(&m->cache);
        if (!i)
                return -ENOMEM;
        i->inode = inode;
        i->whole = inode.type == NF4DIR && inode.size == 0;
        if (i->whole)
                i->first_cookie = INT64_MAX;
        cache_add_inode(&m->cache, i);
        *ret = i;
        return 0;
}

int meta_inode(struct meta *m, uint64_t fileid, const struct inode **ret)
{
        struct cached_inode *i;
        int r = meta_load(m, fileid, &i);

        if (r == 0)
                *ret = &i->inode;
        return r;
}

int meta_symlink(struct meta *m, uint64_t fileid, char *out)
{
        uint8_t key[KEY_MAX], value[1 + NFS4_MAXPATH];
        uint32_t length;
        int r = m->store->ops->get(m->store, key_symlink(key, fileid), value, sizeof(value), &length);

        if (r == -ENOENT)
                meta_note(m, m->store->written);
        if (r == -ENOENT)
                return r;
        if (r || length < 2 || value[0] != SYMLINK_VERSION)
                return damaged("symlink", fileid, 0);
        memcpy(out, value + 1, length - 1);
        return (int)length - 1;
}

/* It changes with its inode and in the same batch, and so needs no note of its own. */
int meta_acl(struct meta *m, uint64_t fileid, struct acl *ret)
{
        uint8_t key[KEY_MAX], value[RECORD_MAX];
        uint32_t length;
        int r = m->store->ops->get(m->store, key_acl(key, fileid), value, sizeof(value), &length);

        return r || !acl_decode(slice_of(value, length), ret) ? damaged("acl", fileid, 0) : 0;
}

/* --- names */

/* The last thing that BATCH does to KEY: 1 put, 0 delete, -1 nothing. */
static int in_batch(const struct batch *batch, struct slice key, struct slice *ret_value)
{
        struct slice k, v;
        uint32_t at = 0;
        bool is_put;
        int found = -1;

        while (batch_next(batch, &at, &is_put, &k, &v))
                if (slice_equal(k, key)) {
                        found = is_put;
                        *ret_value = v;
                }
        return found;
}

bool txn_changes(const struct txn *t, struct slice key, struct slice *ret_value)
{
        int found = in_batch(&t->batch, key, ret_value);

        if (found == 0)
                *ret_value = slice_of(NULL, 0);
        return found >= 0;
}

int meta_read_slot(struct meta *m, const struct txn *t, uint64_t parent, uint64_t cookie,
                   struct dirent_record *ret)
{
        uint8_t buffer[KEY_MAX], bytes[RECORD_MAX];
        struct slice key = key_dirent(buffer, parent, cookie), value;
        int found = t ? in_batch(&t->batch, key, &value) : -1;

        if (found == 0)
                return -ENOENT;
        if (found < 0) {
                uint32_t length;
                int r = m->store->ops->get(m->store, key, bytes, sizeof(bytes), &length);

                if (r == -ENOENT)
                        return r;
                value = slice_of(bytes, r ? 0 : length);
        }
        return dirent_decode(value, ret) ? 0 : damaged("dirent", parent, cookie);
}

int meta_find_place(struct meta *m, const struct txn *t, uint64_t parent, struct slice name,
                    struct place *ret)
{
        uint64_t first = meta_cookie(m, name), slot = 0;
        uint32_t run = 0, holes = 0, names = 0;
        struct place place = { 0 };

        for (; run < COOKIE_RUN; run++) {
                struct dirent_record d;
                int r = meta_read_slot(m, t, parent, first + run, &d);

                if (r == -ENOENT)
                        break;
                if (r)
                        return r;
                if (d.type == 0 && holes++ == 0)
                        slot = first + run;
                if (d.type != 0)
                        names++;
                if (d.type != 0 && slice_equal(slice_of(d.name, d.name_length), name)) {
                        place = (struct place){ .found = true, .cookie = first + run, .fileid = d.fileid };
                        if (!t)
                                break; /* a lookup need not know what comes behind */
                }
        }
        place.alone = place.found ? t && names == 1 && run == 1 : run == 0;
        if (!place.found && slot == 0 && run == COOKIE_RUN)
                return -ENOSPC;
        if (!place.found)
                place.cookie = slot ? slot : first + run;
        *ret = place;
        return 0;
}

static bool known_whole(struct meta *m, uint64_t parent)
{
        const struct cached_inode *dir = cache_find_inode(&m->cache, parent);

        return dir && dir->whole;
}

/* Not cached: ask the store and remember the answer. */
static int look_up(struct meta *m, uint64_t parent, struct slice name, uint64_t *ret_fileid)
{
        struct cached_entry *e;
        struct place place;
        int r = meta_find_place(m, NULL, parent, name, &place);

        m->cache.entry_misses++;
        if (r)
                return r == -ENOSPC ? -ENOENT : r;
        e = cache_new_entry(&m->cache, parent, place.found ? place.cookie : meta_cookie(m, name), name);
        if (!e)
                return -ENOMEM;
        e->fileid = place.fileid;
        e->alone = place.alone;
        cache_put_entry(&m->cache, e);
        if (!place.found)
                return -ENOENT;
        *ret_fileid = place.fileid;
        return 0;
}

int meta_lookup(struct meta *m, uint64_t parent, struct slice name, uint64_t *ret_fileid)
{
        struct cached_entry *e = cache_find_entry(&m->cache, parent, meta_cookie(m, name), name);
        uint64_t fileid = 0;
        int r = 0;

        if (e) {
                meta_note(m, e->seq);
                fileid = e->fileid;
                r = fileid ? 0 : -ENOENT;
        } else if (known_whole(m, parent)) {
                r = -ENOENT;
        } else {
                return look_up(m, parent, name, ret_fileid);
        }
        m->cache.entry_hits++;
        if (r == 0)
                *ret_fileid = fileid;
        return r;
}

/* --- directories */

struct listing {
        meta_entry_fn *each;
        void *arg;
        uint64_t parent, first; /* the first entry met */
        bool damaged;
};

static bool each_slot(void *arg, struct slice key, struct slice value)
{
        struct listing *l = arg;
        uint64_t parent, cookie = 0;
        struct dirent_record d;

        if (!key_parse_u64_u64(key, 'd', &parent, &cookie) || !dirent_decode(value, &d)) {
                l->damaged = true;
                damaged("dirent", l->parent, cookie);
                return false;
        }
        if (d.type == 0)
                return true;
        if (l->first == 0)
                l->first = cookie;
        return l->each(l->arg, cookie, &d);
}

/* Entries are removed from the front when a tree is deleted, and what they leave in the store must be stepped
 * over until it is compacted: a list that starts at the front remembers how far that was, so that the next
 * one need not. */
int meta_readdir(struct meta *m, uint64_t parent, uint64_t after, meta_entry_fn *each, void *arg)
{
        struct listing l = { .each = each, .arg = arg, .parent = parent };
        uint8_t prefix[KEY_MAX], from[KEY_MAX];
        struct cached_inode *dir;
        int r = meta_load(m, parent, &dir);
        bool from_front;

        if (r)
                return r;
        if (dir->inode.size == 0 || after >= INT64_MAX)
                return 0;
        from_front = after < dir->first_cookie;
        r = m->store->ops->scan(m->store, key_dirents(prefix, parent),
                                key_dirent(from, parent, from_front ? dir->first_cookie : after + 1),
                                each_slot, &l);
        if (r == 0 && l.damaged)
                r = -EIO;
        if (r == 0 && from_front && l.first)
                dir->first_cookie = l.first;
        return r;
}

/* --- other records: seldom read while others change, so they wait for all that is written */

int meta_get(struct meta *m, struct slice key, void *out, uint32_t capacity, uint32_t *ret_length)
{
        meta_note(m, m->store->written);
        return m->store->ops->get(m->store, key, out, capacity, ret_length);
}

int meta_scan_from(struct meta *m, struct slice prefix, struct slice from, store_each_fn *each, void *arg)
{
        meta_note(m, m->store->written);
        return m->store->ops->scan(m->store, prefix, from, each, arg);
}

int meta_scan(struct meta *m, struct slice prefix, store_each_fn *each, void *arg)
{
        return meta_scan_from(m, prefix, prefix, each, arg);
}
