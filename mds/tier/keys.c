/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/tier/keys.h"

#include <errno.h>
#include <string.h>

#include "mds/fleet/fleet.h"
#include "mds/ns/orphan.h"
#include "mds/tier/archive.h"
#include "mds/tier/heads.h"
#include "mds/tier/second.h"

/* --- where it is, or could be */

/* Is the object that bears PLACE's name the one of KEY? */
static bool is_there(struct tier *t, uint64_t directory, struct slice key, struct key_place *place,
                     bool *ret_taken)
{
        uint8_t record[RECORD_MAX];
        struct backing b;
        uint64_t fileid;

        *ret_taken = meta_lookup(t->mds->meta, directory, place->name, &fileid) == 0;
        return *ret_taken && meta_inode(t->mds->meta, fileid, &place->inode) == 0 &&
               second_backing(t->mds, place->inode, directory, place->name, record, &b, &place->member) ==
                       0 &&
               slice_equal(b.key, key);
}

void key_find(struct tier *t, uint64_t directory, const char *prefix, const struct s3_entry *e,
              struct key_place *ret)
{
        size_t skip = strlen(prefix), length = strlen(e->key);
        struct slice part = slice_of(e->key + skip, (uint32_t)(length - skip - e->is_prefix));
        bool taken = false;

        ret->directory = directory;
        for (int second = 0; second < 2; second++) {
                ret->name = slice_of(ret->text, tier_name(part, second, ret->text));
                ret->there = is_there(t, directory, slice_str(e->key), ret, &taken);
                if (ret->there || !taken)
                        return;
        }
}

bool key_is_in(struct slice prefix, struct slice key)
{
        const uint8_t *slash;

        if (key.length <= prefix.length || memcmp(key.data, prefix.data, prefix.length) != 0)
                return false;
        slash = memchr(key.data + prefix.length, '/', key.length - prefix.length);
        return !slash || slash == key.data + key.length - 1;
}

/* --- made */

/* What a name in the directory DIR is made of, but its name. */
static bool fill_in(struct tier *t, const struct repo_conf *conf, const struct inode *dir,
                    struct inode *inode, const struct s3_entry *e)
{
        inode->uid = (uint32_t)conf->uid;
        inode->gid = (uint32_t)conf->gid;
        if (e->is_prefix) {
                inode->mode = conf->directory_mode;
                inode->flags |= INODE_COLD;
                inode->parent = dir->fileid;
                inode->nlink = 2;
                if (dir->flags & INODE_LAYOUT_SET) {
                        inode->flags |= INODE_LAYOUT_SET;
                        inode->unit = dir->unit;
                        inode->width = dir->width;
                }
                return true;
        }
        inode->mode = conf->file_mode;
        inode->nlink = 1;
        inode->size = e->size;
        inode->atime = inode->mtime = inode->ctime = inode->btime = (int64_t)e->modified_ns;
        if (e->size > 0)
                inode->flags |= INODE_COLD | INODE_DATA;
        return fleet_place(t->mds->fleet, dir, inode) == NFS4_OK;
}

/* LIKE: whose owner and mode it has; NULL: the repo says. LATE: what was sent to its key before may yet take
 * the object's place there, until then; 0: nothing may. */
static int put_name(struct tier *t, struct txn *txn, const struct repo *r, uint64_t directory,
                    struct slice name, const struct s3_entry *e, const struct inode *like, int64_t late)
{
        struct inode *inode = txn_new_inode(txn, e->is_prefix ? NF4DIR : NF4REG),
                     *dir = txn_edit(txn, directory);
        struct backing b = { .repo = r->number,
                             .size = e->size,
                             .valid = e->size,
                             .modified = (int64_t)e->modified_ns,
                             .key = slice_str(e->key),
                             .etag = slice_str(e->etag),
                             .late = late };
        int status;

        if (!inode || !dir)
                return inode ? -ENOENT : -ENOMEM;
        if (!fill_in(t, &r->conf, dir, inode, e))
                return -ENOSPC;
        if (like) {
                inode->mode = like->mode;
                inode->uid = like->uid;
                inode->gid = like->gid;
        }
        status = txn_link(txn, directory, name, inode->fileid, inode->type);
        if (status < 0)
                return status;
        b.change = inode->change;
        tier_put_backing(txn, inode, &b);
        heads_note(txn, inode, directory, name);
        dir->nlink += e->is_prefix;
        return 0;
}

/* The commit of TXN, or STATUS, an error that ends it. */
static int end(struct txn *txn, int status)
{
        uint64_t seq;

        if (status == 0)
                return txn_commit(txn, &seq);
        txn_abort(txn);
        return status;
}

/* As end(), of a new name. */
static int finish(struct tier *t, struct repo *r, struct txn *txn, int status)
{
        status = end(txn, status);
        if (status == 0) {
                heads_go(t->heads);
                r->names++;
                metric_add(&t->imported, 1);
        }
        return status;
}

int key_make_name(struct tier *t, struct repo *r, uint64_t directory, const struct key_place *place,
                  const struct s3_entry *e, bool touch)
{
        struct txn *txn = txn_begin(t->mds->meta);
        int status = put_name(t, txn, r, directory, place->name, e, NULL, 0);

        if (status == 0 && touch)
                txn_touch(txn, txn_edit(txn, directory), true);
        return finish(t, r, txn, status);
}

void key_conflict_name(struct slice name, const struct s3_entry *e, struct key_place *ret)
{
        static const char mark[] = ".s3-conflict-";
        enum { MARK_BYTES = sizeof(mark) - 1, ETAG_BYTES = 8 };
        uint32_t length = name.length, etag = (uint32_t)strnlen(e->etag, ETAG_BYTES);

        while (length + MARK_BYTES + etag > TIER_NAME_BYTES)
                length--;
        while (length > 0 && length < name.length && (name.data[length] & 0xc0) == 0x80)
                length--; /* not in the middle of a character */
        memmove(ret->text, name.data, length);
        memcpy(ret->text + length, mark, MARK_BYTES);
        memcpy(ret->text + length + MARK_BYTES, e->etag, etag);
        ret->name = slice_of(ret->text, length + MARK_BYTES + etag);
        ret->there = false;
}

/* --- taken away */

/* NAME of FILE, inside TXN; after the commit orphan_finish(). */
static int take_name(struct tier *t, struct txn *txn, uint64_t directory, struct slice name, uint64_t fileid,
                     struct orphan *ret)
{
        struct inode *dir = txn_edit(txn, directory), *inode = txn_edit(txn, fileid);
        int status;

        *ret = (struct orphan){ .fileid = fileid };
        if (!dir || !inode)
                return -ENOENT;
        status = txn_unlink(txn, directory, name);
        if (status < 0)
                return status;
        txn_touch(txn, dir, true);
        if (inode->type == NF4DIR) {
                dir->nlink--;
                ret->deleted = true;
                txn_delete_inode(txn, fileid);
                return 0;
        }
        if (inode->nlink > 0)
                inode->nlink--;
        if (inode->nlink == 0) {
                orphan_unlinked(t->mds, txn, inode, ret);
                return 0;
        }
        txn_touch(txn, inode, false);
        archive_name_taken(t->mds, txn, dir, name, inode);
        return 0;
}

static int64_t latest(const struct backing *b)
{
        return b->late > b->again ? b->late : b->again;
}

/* --- of several names of a cold file */

/* S, a second name of FILE, becomes a cold file of its own, of its own object. */
static int split_one(struct tier *t, const struct inode *file, const struct second *s)
{
        uint8_t record[RECORD_MAX];
        char key[BACKING_KEY_BYTES + 1], etag[BACKING_ETAG_BYTES + 1];
        struct s3_entry e = { .key = key, .etag = etag, .storage_class = "" };
        const struct inode like = *file, *inode;
        struct orphan orphan;
        struct backing b;
        struct repo *r;
        struct txn *txn;
        int status = meta_inode(t->mds->meta, s->number, &inode);

        if (status == 0)
                status = tier_backing(t->mds, inode, record, &b);
        r = status == 0 ? repo_by_number(t, b.repo) : NULL;
        if (!r || b.etag.length == 0 || archive_is_pending(t->mds, s->number))
                return status;
        slice_text(key, sizeof(key), b.key);
        slice_text(etag, sizeof(etag), b.etag);
        e.size = b.size;
        e.modified_ns = (uint64_t)b.modified;
        txn = txn_begin(t->mds->meta);
        status = take_name(t, txn, s->directory, s->name, like.fileid, &orphan);
        if (status == 0)
                status = put_name(t, txn, r, s->directory, s->name, &e, &like, latest(&b));
        return finish(t, r, txn, status);
}

/* FILEID is about to lose NAME in DIRECTORY, and what S3 had there. If that is all that there is of its
 * bytes, as they are at the keys of its other names too, each of those becomes a file of its own. */
static int split(struct tier *t, uint64_t directory, struct slice name, uint64_t fileid)
{
        struct second s = { 0 }, this;
        uint8_t record[RECORD_MAX];
        const struct inode *file;
        struct backing b;
        int status = meta_inode(t->mds->meta, fileid, &file);

        if (status < 0 || file->type != NF4REG || file->nlink < 2 || !(file->flags & INODE_COLD) ||
            second_find(t->mds, file, directory, name, &this) || tier_backing(t->mds, file, record, &b) < 0 ||
            b.change != file->change || archive_is_pending(t->mds, fileid))
                return status;
        while (status == 0 && second_next(t->mds, fileid, s.number, &s)) {
                status = meta_inode(t->mds->meta, fileid, &file);
                if (status == 0)
                        status = split_one(t, file, &s);
        }
        return status;
}

/* --- replaced, removed */

/* As put_name()'s, of the file at PLACE in DIRECTORY. */
static int64_t late_at(struct tier *t, uint64_t directory, const struct key_place *place, const char *key)
{
        uint8_t record[RECORD_MAX];
        struct backing b;
        uint64_t member;

        if (second_backing(t->mds, place->inode, directory, place->name, record, &b, &member) < 0 ||
            !slice_equal(b.key, slice_str(key)))
                return 0;
        return latest(&b);
}

int key_replace(struct tier *t, struct repo *r, uint64_t directory, const struct key_place *place,
                const struct s3_entry *e)
{
        const struct inode old = *place->inode;
        int64_t late = late_at(t, directory, place, e->key);
        struct orphan orphan;
        struct txn *txn;
        int status = split(t, directory, place->name, old.fileid);

        if (status < 0)
                return status;
        txn = txn_begin(t->mds->meta);
        status = take_name(t, txn, directory, place->name, old.fileid, &orphan);
        if (status == 0)
                status = put_name(t, txn, r, directory, place->name, e, old.type == NF4REG ? &old : NULL,
                                  late);
        status = finish(t, r, txn, status);
        if (status == 0)
                orphan_finish(t->mds, &orphan, NULL);
        return status;
}

int key_remove(struct tier *t, uint64_t directory, struct slice name, uint64_t fileid)
{
        struct orphan orphan;
        struct txn *txn;
        int status = split(t, directory, name, fileid);

        if (status < 0)
                return status;
        txn = txn_begin(t->mds->meta);
        status = end(txn, take_name(t, txn, directory, name, fileid, &orphan));
        if (status == 0)
                orphan_finish(t->mds, &orphan, NULL);
        return status;
}

/* --- of another type than the listing could tell */

static int put_symlink(struct txn *txn, uint64_t directory, struct slice name, struct slice target,
                       struct backing *b, const struct description *d, const struct inode *like)
{
        struct inode *inode = txn_new_inode(txn, NF4LNK);
        int status;

        if (!inode)
                return -ENOMEM;
        inode->nlink = 1;
        inode->mode = 0777;
        inode->uid = like->uid;
        inode->gid = like->gid;
        inode->atime = inode->mtime = inode->ctime = inode->btime = like->mtime;
        inode->size = target.length;
        describe_apply(d, inode);
        txn_put_symlink(txn, inode->fileid, target);
        status = txn_link(txn, directory, name, inode->fileid, NF4LNK);
        if (status < 0)
                return status;
        b->size = b->valid = target.length;
        b->change = inode->change;
        tier_put_backing(txn, inode, b);
        return 0;
}

int key_make_symlink(struct tier *t, uint64_t directory, struct slice name, uint64_t fileid,
                     struct slice target, struct backing *b, const struct description *d)
{
        struct txn *txn = txn_begin(t->mds->meta);
        const struct inode *was = txn_edit(txn, fileid);
        struct inode old = was ? *was : (struct inode){ 0 };
        struct inode *dir = txn_edit(txn, directory);
        int64_t mtime = dir ? dir->mtime : 0;
        struct orphan orphan;
        uint64_t is = 0;
        int status = was && dir && meta_lookup(t->mds->meta, directory, name, &is) == 0 && is == fileid
                             ? 0
                             : -ENOENT;

        if (status == 0)
                status = take_name(t, txn, directory, name, fileid, &orphan);
        if (status == 0)
                status = put_symlink(txn, directory, name, target, b, d, &old);
        if (status == 0)
                dir->mtime = mtime; /* nobody has changed anything */
        status = end(txn, status);
        if (status == 0)
                orphan_finish(t->mds, &orphan, NULL);
        return status;
}
