/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/tier/link.h"

#include <errno.h>
#include <string.h>

#include "mds/ns/prepare.h"

struct known {
        const char *name;
        uint32_t number, highest;
        uint64_t directory;
        bool adopted;
        char url[REPO_URL_BYTES + 1];
};

static bool each_record(void *arg, struct slice key, struct slice value)
{
        struct known *k = arg;
        struct repo_record p;
        uint32_t number;

        if (!key_parse_u32(key, 'r', &number) || !repo_decode(value, &p) || p.url.length > REPO_URL_BYTES)
                return true; /* fsck tells */
        if (number > k->highest)
                k->highest = number;
        if (!slice_equal(p.name, slice_str(k->name)))
                return true;
        k->number = number;
        k->directory = p.directory;
        k->adopted = p.adopted;
        slice_text(k->url, sizeof(k->url), p.url);
        return true;
}

static void put_record(struct txn *txn, const struct repo *r, const char *name)
{
        const struct repo_record p = { .directory = r->directory,
                                       .name = slice_str(name),
                                       .url = slice_str(r->conf.url),
                                       .adopted = r->adopted };
        uint8_t key[KEY_MAX], value[RECORD_MAX];

        txn_put(txn, key_repo(key, r->number), repo_encode(value, &p));
}

int repo_note(struct tier *t, const struct repo *r)
{
        struct txn *txn = txn_begin(t->mds->meta);
        uint64_t seq;

        put_record(txn, r, r->name);
        return txn_commit(txn, &seq);
}

/* The durable beginning of a repo: its number, and a cold directory. */
static int record_link(struct tier *t, struct repo *r)
{
        struct backing b = { .repo = r->number, .key = slice_str(""), .etag = slice_str("") };
        struct txn *txn = txn_begin(t->mds->meta);
        struct inode *dir = txn_edit(txn, r->directory);
        uint64_t seq;

        if (!dir) {
                txn_abort(txn);
                return -EIO;
        }
        put_record(txn, r, r->name);
        tier_put_backing(txn, dir, &b);
        dir->flags |= INODE_COLD;
        txn_touch(txn, dir, true);
        return txn_commit(txn, &seq);
}

/* What DIR was when its repo was removed: that repo's number if it was the root of R's bucket, 0 if it was
 * something else. -EEXIST: its repo is linked. */
static int64_t removed_number(struct tier *t, const struct repo *r, const struct inode *dir)
{
        uint8_t record[RECORD_MAX], value[RECORD_MAX], key[KEY_MAX];
        struct repo_record p;
        struct backing b;
        uint32_t length;
        int e = tier_backing(t->mds, dir, record, &b);

        if (e < 0)
                return e == -ENOENT ? 0 : e;
        if (meta_get(t->mds->meta, key_repo(key, b.repo), value, sizeof(value), &length) < 0 ||
            !repo_decode(slice_of(value, length), &p))
                return -EIO;
        if (p.name.length > 0)
                return -EEXIST;
        return p.directory == r->directory && slice_equal(p.url, slice_str(r->conf.url)) ? b.repo : 0;
}

static const char *link_new(struct tier *t, struct repo *r)
{
        const struct inode *dir = NULL;
        int e = directory_prepare(t->mds, r->conf.path, &r->directory);
        int64_t number;

        if (e == 0)
                e = meta_inode(t->mds->meta, r->directory, &dir);
        if (e < 0 || !dir)
                return e == -ENOTDIR ? "a part of the path is not a directory"
                                     : "the directory cannot be made: see the log";
        number = removed_number(t, r, dir);
        if (number == -EEXIST)
                return "the directory belongs to a repo already";
        if (number < 0)
                return "the store cannot be read: see the log";
        if (number == 0 && dir->size > 0)
                return "the directory is not empty; allowed: one that is empty or not there yet";
        if (number > 0)
                r->number = (uint32_t)number;
        r->adopted = dir->size == 0 && r->conf.export & REPO_NEW;
        return record_link(t, r) < 0 ? "the store refuses it: see the log" : NULL;
}

const char *repo_link_directory(struct tier *t, struct repo *r)
{
        struct known k = { .name = r->name };
        uint8_t key[KEY_MAX];

        if (meta_scan(t->mds->meta, key_kind(key, 'r'), each_record, &k) < 0)
                return "the store cannot be read: see the log";
        r->number = k.number ? k.number : k.highest + 1;
        r->directory = k.directory;
        r->adopted = k.adopted;
        if (k.number == 0)
                return link_new(t, r);
        return strcmp(k.url, r->conf.url) == 0 ? NULL : "a repo of this name is linked to another bucket";
}

int repo_unlink_directory(struct tier *t, const struct repo *r)
{
        struct txn *txn = txn_begin(t->mds->meta);
        struct inode *dir = txn_edit(txn, r->directory);
        uint64_t seq;

        put_record(txn, r, "");
        if (dir && dir->size == 0)
                dir->flags &= (uint8_t)~INODE_COLD; /* an empty directory as any other */
        return txn_commit(txn, &seq);
}
