/* SPDX-License-Identifier: Apache-2.0 */
/* Names in a transaction. Nearly always the cache can tell where a name is or may go, and the store is not
 * asked; names whose hashes collide (2^-55 a pair) take the long way through the store, over what the
 * transaction did before. */
#include <errno.h>

#include "base/check.h"
#include "mds/store/meta.h"

static struct cached_entry *find_pending(struct txn *t, uint64_t parent, struct slice name)
{
        for (uint32_t i = 0; i < t->name_count; i++)
                if (entry_named(t->names[i], parent, name))
                        return t->names[i];
        return NULL;
}

/* Has this transaction touched another name with the same hash? Then what the cache says of that hash no
 * longer holds. */
static bool pending_hash(struct txn *t, uint64_t parent, uint64_t cookie, const struct cached_entry *besides)
{
        for (uint32_t i = 0; i < t->name_count; i++) {
                const struct cached_entry *e = t->names[i];

                if (e != besides && e->parent == parent && cookie_hash(e->cookie) == cookie_hash(cookie))
                        return true;
        }
        return false;
}

/* A lookup found it, in the first slot, and did not look at the second. */
static bool is_alone(struct txn *t, const struct cached_entry *e)
{
        struct dirent_record d;

        return e->fileid != 0 && e->cookie == cookie_hash(e->cookie) &&
               meta_read_slot(t->meta, t, e->parent, e->cookie + 1, &d) == -ENOENT;
}

/* Where NAME is or could go: from what this transaction did, or from the cache, when they can tell; else from
 * the store. */
static int place_of(struct txn *t, uint64_t parent, struct slice name, struct place *ret)
{
        struct meta *m = t->meta;
        uint64_t cookie = meta_cookie(m, name);
        struct cached_entry *pending = find_pending(t, parent, name);
        struct cached_entry *known = pending ? pending : cache_find_entry(&m->cache, parent, cookie, name);
        struct cached_inode *dir;

        if (pending_hash(t, parent, cookie, pending))
                return meta_find_place(m, t, parent, name, ret);
        if (known && (known->alone || is_alone(t, known))) {
                *ret = (struct place){ cookie, known->fileid != 0, true, known->fileid };
                return 0;
        }
        dir = known ? NULL : cache_find_inode(&m->cache, parent);
        if (dir && dir->whole && !cache_has_hash(&m->cache, parent, cookie)) {
                *ret = (struct place){ cookie, false, true, 0 };
                return 0;
        }
        return meta_find_place(m, t, parent, name, ret);
}

/* What the cache shall hold of the name: there with FILEID, or absent with 0. */
static int remember(struct txn *t, uint64_t parent, struct slice name, const struct place *place,
                    uint64_t fileid)
{
        struct cached_entry *e = find_pending(t, parent, name);

        if (!e) {
                CHECK(t->name_count < TXN_MAX_NAMES);
                e = cache_new_entry(&t->meta->cache, parent, place->cookie, name);
                if (!e)
                        return -ENOMEM;
                t->names[t->name_count++] = e;
        }
        e->cookie = fileid ? place->cookie : meta_cookie(t->meta, name);
        e->fileid = fileid;
        e->alone = place->alone;
        return 0;
}

static void put_slot(struct txn *t, uint64_t parent, uint64_t cookie, const struct dirent_record *d)
{
        uint8_t key[KEY_MAX], value[RECORD_MAX];

        batch_put(&t->batch, key_dirent(key, parent, cookie), dirent_encode(value, d));
}

static void delete_slot(struct txn *t, uint64_t parent, uint64_t cookie)
{
        uint8_t key[KEY_MAX];

        batch_delete(&t->batch, key_dirent(key, parent, cookie));
}

int txn_link(struct txn *t, uint64_t parent, struct slice name, uint64_t fileid, uint8_t type)
{
        struct dirent_record d = { .fileid = fileid, .type = type, .name_length = (uint8_t)name.length };
        struct inode *dir = txn_edit(t, parent);
        struct place place;
        int r;

        CHECK(name.length > 0 && name.length <= NFS4_MAXNAME);
        CHECK(fileid != 0 && type != 0);
        if (!dir)
                return -EIO;
        r = place_of(t, parent, name, &place);
        if (r)
                return r;
        if (place.found)
                return -EEXIST;
        r = remember(t, parent, name, &place, fileid);
        if (r)
                return r;
        memcpy(d.name, name.data, name.length);
        put_slot(t, parent, place.cookie, &d);
        dir->size++;
        return 0;
}

/* Take the slot out of a run of several: a hole when others come after it, else it goes, and holes before it
 * as well. */
static int leave_run(struct txn *t, uint64_t parent, struct place *place)
{
        static const struct dirent_record hole = { 0 };
        uint64_t cookie = place->cookie, first = cookie_hash(cookie);
        struct dirent_record d;
        int r = cookie == first + COOKIE_RUN - 1 ? -ENOENT
                                                 : meta_read_slot(t->meta, t, parent, cookie + 1, &d);

        if (r == 0)
                put_slot(t, parent, cookie, &hole);
        if (r != -ENOENT)
                return r;
        delete_slot(t, parent, cookie);
        while (cookie-- > first) {
                r = meta_read_slot(t->meta, t, parent, cookie, &d);
                if (r || d.type != 0)
                        return r;
                delete_slot(t, parent, cookie);
        }
        place->alone = true;
        return 0;
}

int txn_unlink(struct txn *t, uint64_t parent, struct slice name)
{
        struct inode *dir = txn_edit(t, parent);
        struct place place;
        int r;

        if (!dir)
                return -EIO;
        r = place_of(t, parent, name, &place);
        if (r)
                return r == -ENOSPC ? -ENOENT : r;
        if (!place.found)
                return -ENOENT;
        if (place.alone)
                delete_slot(t, parent, place.cookie);
        else
                r = leave_run(t, parent, &place);
        if (r == 0)
                r = remember(t, parent, name, &place, 0);
        if (r == 0 && dir->size > 0)
                dir->size--;
        return r;
}
