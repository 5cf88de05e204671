/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/tier/away.h"

#include <string.h>

#include "mds/tier/second.h"

enum { LOOKS_AT_ONCE = 1000 };

void away_keep(struct mds *mds, struct txn *t, struct inode *file)
{
        uint8_t record[RECORD_MAX];
        const struct inode *before;
        struct backing b;

        if (tier_backing(mds, file, record, &b) < 0 || meta_inode(mds->meta, file->fileid, &before) < 0 ||
            b.change != before->change)
                return;
        b.change = file->change;
        tier_put_backing(t, file, &b);
}

void away_note(struct mds *mds, struct txn *t, const struct inode *to, struct slice name, struct inode *moved,
               const struct inode *member)
{
        const struct head_record h = { .directory = to->fileid, .name = name };
        uint8_t record[RECORD_MAX], key[KEY_MAX], value[RECORD_MAX];
        struct backing b;

        if (tier_backing(mds, member, record, &b) < 0 || b.key.length == 0)
                return;
        away_keep(mds, t, moved);
        txn_put(t, key_away(key, b.repo, b.key), head_encode(value, &h));
}

bool away_is_at(struct mds *mds, const struct backing *b, uint64_t directory, struct slice name)
{
        uint8_t key[KEY_MAX], value[RECORD_MAX];
        struct head_record h;
        uint32_t length;

        return meta_get(mds->meta, key_away(key, b->repo, b->key), value, sizeof(value), &length) == 0 &&
               head_decode(slice_of(value, length), &h) && h.directory == directory &&
               slice_equal(h.name, name);
}

void away_forget(struct mds *mds, struct txn *t, const struct inode *inode)
{
        uint8_t record[RECORD_MAX], key[KEY_MAX], value[RECORD_MAX];
        struct slice of_key;
        struct backing b;
        uint32_t length;

        if (tier_backing(mds, inode, record, &b) < 0)
                return;
        of_key = key_away(key, b.repo, b.key);
        if (meta_get(mds->meta, of_key, value, sizeof(value), &length) == 0)
                txn_delete(t, of_key);
}

static void drop(struct tier *t, struct slice key)
{
        struct txn *txn = txn_begin(t->mds->meta);
        uint64_t seq;

        txn_delete(txn, key);
        txn_commit(txn, &seq);
}

bool away_find(struct tier *t, const struct repo *r, struct slice key, struct key_place *ret)
{
        uint8_t of_key[KEY_MAX], value[RECORD_MAX], record[RECORD_MAX];
        struct slice at = key_away(of_key, r->number, key);
        const struct inode *inode;
        struct head_record h;
        struct backing b;
        uint64_t fileid, member;
        uint32_t length;

        if (meta_get(t->mds->meta, at, value, sizeof(value), &length) < 0 ||
            !head_decode(slice_of(value, length), &h))
                return false;
        if (meta_lookup(t->mds->meta, h.directory, h.name, &fileid) < 0 ||
            meta_inode(t->mds->meta, fileid, &inode) < 0 ||
            second_backing(t->mds, inode, h.directory, h.name, record, &b, &member) < 0 ||
            b.repo != r->number || !slice_equal(b.key, key)) {
                drop(t, at);
                return false;
        }
        ret->there = true;
        ret->inode = inode;
        ret->member = member;
        ret->directory = h.directory;
        memcpy(ret->text, h.name.data, h.name.length);
        ret->name = slice_of(ret->text, h.name.length);
        return true;
}

struct looking {
        struct tier *tier;
        uint64_t directory;
        struct slice prefix;
        uint8_t *at;
        uint32_t *at_length;
        unsigned looked_at;
        bool halted;
        away_fn *each;
        void *arg;
};

static bool look_at(void *arg, struct slice key, struct slice value)
{
        struct looking *l = arg;
        struct head_record h;
        struct slice name;
        uint64_t fileid;
        uint32_t repo;

        memcpy(l->at, key.data, key.length);
        *l->at_length = key.length;
        l->halted = ++l->looked_at == LOOKS_AT_ONCE;
        if (key_parse_away(key, &repo, &name) && head_decode(value, &h) && h.directory != l->directory &&
            key_is_in(l->prefix, name) &&
            meta_lookup(l->tier->mds->meta, h.directory, h.name, &fileid) == 0 &&
            !l->each(l->arg, h.directory, h.name, fileid))
                l->halted = true;
        return !l->halted;
}

bool away_each(struct tier *t, const struct repo *r, uint64_t directory, struct slice prefix, uint8_t *at,
               uint32_t *at_length, away_fn *each, void *arg)
{
        struct looking l = { .tier = t,
                             .directory = directory,
                             .prefix = prefix,
                             .at = at,
                             .at_length = at_length,
                             .each = each,
                             .arg = arg };
        uint8_t of_prefix[KEY_MAX], from[KEY_MAX + 1];
        struct slice all = key_away(of_prefix, r->number, prefix);

        if (*at_length == 0)
                return meta_scan(t->mds->meta, all, look_at, &l) == 0 && l.halted;
        memcpy(from, at, *at_length);
        from[*at_length] = 0; /* the first one behind it */
        return meta_scan_from(t->mds->meta, all, slice_of(from, *at_length + 1), look_at, &l) == 0 &&
               l.halted;
}
