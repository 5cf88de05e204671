/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes, straight from the store: they are seldom read, and nothing of them is cached but the
 * inode's flag that there are any. Each has its place by a keyed hash of its name, so that a list can go on
 * behind any of them; another name with the same hash (2^-55 a pair) finds no space. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "mds/store/meta.h"

static int damaged(uint64_t fileid, uint64_t cookie)
{
        log_error("store-record-damaged", "kind=xattr fileid=%" PRIu64 " cookie=%" PRIu64, fileid, cookie);
        return -EIO;
}

int meta_xattr(struct meta *m, const struct inode *inode, struct slice name, uint8_t *record,
               struct slice *ret_value)
{
        uint64_t cookie = meta_cookie(m, name);
        struct xattr_record x;
        uint8_t key[KEY_MAX];
        uint32_t length;
        int r;

        if (!(inode->flags & INODE_XATTRS))
                return -ENODATA;
        r = meta_get(m, key_xattr(key, inode->fileid, cookie), record, XATTR_RECORD_BYTES, &length);
        if (r == -ENOENT)
                return -ENODATA;
        if (r || !xattr_decode(slice_of(record, length), &x))
                return damaged(inode->fileid, cookie);
        if (!slice_equal(x.name, name))
                return -ENODATA;
        *ret_value = x.value;
        return 0;
}

/* --- lists */

struct listing {
        meta_xattr_fn *each;
        void *arg;
        uint64_t fileid;
        bool damaged;
};

static bool list_one(void *arg, struct slice key, struct slice value)
{
        struct listing *l = arg;
        uint64_t fileid, cookie = 0;
        struct xattr_record x;

        if (!key_parse_u64_u64(key, 'x', &fileid, &cookie) || !xattr_decode(value, &x)) {
                l->damaged = true;
                damaged(l->fileid, cookie);
                return false;
        }
        return l->each(l->arg, cookie, x.name);
}

int meta_xattrs(struct meta *m, const struct inode *inode, uint64_t after, meta_xattr_fn *each, void *arg)
{
        struct listing l = { .each = each, .arg = arg, .fileid = inode->fileid };
        uint8_t prefix[KEY_MAX], from[KEY_MAX];
        int r;

        if (!(inode->flags & INODE_XATTRS) || after == UINT64_MAX)
                return 0;
        meta_note(m, m->store->written);
        r = m->store->ops->scan(m->store, key_xattrs(prefix, inode->fileid),
                                key_xattr(from, inode->fileid, after + 1), list_one, &l);
        return l.damaged ? -EIO : r;
}

/* --- changes */

/* What an inode has besides the attribute in question. */
struct others {
        struct slice key, name;
        uint32_t count, bytes;
        bool found, collides, damaged;
};

static bool count_one(void *arg, struct slice key, struct slice value)
{
        struct others *o = arg;
        struct xattr_record x;

        if (!xattr_decode(value, &x)) {
                o->damaged = true;
                return false;
        }
        if (slice_equal(x.name, o->name)) {
                o->found = true;
                return true;
        }
        o->collides |= slice_equal(key, o->key);
        o->count++;
        o->bytes += x.name.length + x.value.length;
        return true;
}

/* KEY: of the record of NAME. */
static int look_around(struct txn *t, const struct inode *inode, struct slice key, struct slice name,
                       struct others *ret)
{
        uint8_t prefix[KEY_MAX];
        int r = 0;

        *ret = (struct others){ .key = key, .name = name };
        if (inode->flags & INODE_XATTRS)
                r = meta_scan(t->meta, key_xattrs(prefix, inode->fileid), count_one, ret);
        return ret->damaged ? damaged(inode->fileid, 0) : r;
}

int txn_set_xattr(struct txn *t, struct inode *inode, struct slice name, struct slice value,
                  enum xattr_how how)
{
        uint8_t buffer[KEY_MAX];
        struct slice key = key_xattr(buffer, inode->fileid, meta_cookie(t->meta, name));
        CLEANUP_FREE uint8_t *record = NULL;
        struct others others;
        int r = look_around(t, inode, key, name, &others);

        CHECK(name.length > 0 && name.length <= XATTR_NAME_BYTES && value.length <= XATTR_VALUE_BYTES);
        if (r)
                return r;
        if (how == XATTR_SET_CREATE && others.found)
                return -EEXIST;
        if (how == XATTR_SET_REPLACE && !others.found)
                return -ENODATA;
        if (others.collides || others.count >= XATTRS_MAX ||
            others.bytes + name.length + value.length > XATTRS_BYTES)
                return -ENOSPC;
        record = malloc(2 + (size_t)name.length + value.length);
        if (!record)
                return -ENOMEM;
        batch_put(&t->batch, key, xattr_encode(record, &(struct xattr_record){ name, value }));
        inode->flags |= INODE_XATTRS;
        txn_find_edit(t, inode->fileid)->xattrs = true;
        return 0;
}

int txn_remove_xattr(struct txn *t, struct inode *inode, struct slice name)
{
        uint8_t buffer[KEY_MAX];
        struct slice key = key_xattr(buffer, inode->fileid, meta_cookie(t->meta, name));
        struct others others;
        int r = look_around(t, inode, key, name, &others);

        if (r)
                return r;
        if (!others.found)
                return -ENODATA;
        batch_delete(&t->batch, key);
        if (others.count == 0)
                inode->flags &= (uint8_t)~INODE_XATTRS;
        txn_find_edit(t, inode->fileid)->xattrs = true;
        return 0;
}

bool txn_moves_xattrs(struct txn *t, uint64_t fileid)
{
        const struct edit *e = txn_find_edit(t, fileid);

        return e && e->xattrs;
}

void txn_delete_xattrs(struct txn *t, uint64_t fileid)
{
        uint8_t prefix[KEY_MAX];

        txn_delete_all(t, key_xattrs(prefix, fileid));
}
