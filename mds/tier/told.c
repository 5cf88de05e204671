/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a name that was undescribed goes into the store. */
#include <errno.h>

#include "mds/tier/heads.h"
#include "mds/tier/regroup.h"

/* On T's copy of INODE. */
static void forget(struct txn *t, struct inode *inode)
{
        uint8_t key[KEY_MAX];

        inode->undescribed = false;
        txn_delete(t, key_head(key, inode->fileid));
}

/* Nothing of it is the repo's default, or what the listing said. */
static bool says_all(const struct description *d)
{
        return d->has_mode && d->has_uid && d->has_gid && d->has_mtime;
}

/* What is known of the object itself. */
static void note_object(const struct told *told, bool is_dir, struct backing *b)
{
        b->flags &= (uint8_t) ~(BACKING_UNTOLD | BACKING_TOLD | BACKING_BARE | BACKING_BELIEVED);
        if (told->refused)
                b->flags |= BACKING_UNTOLD;
        else if (told->metadata && says_all(told->description))
                b->flags |= BACKING_TOLD;
        if (!is_dir)
                return;
        if (!told->refused && !told->metadata)
                b->flags |= BACKING_BARE;
        if (told->believed)
                b->flags |= BACKING_BELIEVED;
        b->modified = (int64_t)told->modified_ns;
}

/* What the object is, into the store. 0 or -errno. */
static int put_file(struct tier *tier, const struct told *told, const struct inode *inode, struct backing *b)
{
        struct txn *t = txn_begin(tier->mds->meta);
        struct inode *edit = txn_edit(t, inode->fileid);
        uint64_t seq;
        int r;

        if (!edit) {
                txn_abort(t);
                return -EIO;
        }
        if (inode->type == NF4DIR || inode->change == b->change) /* else somebody has said otherwise here */
                describe_apply(told->description, edit);
        if (told->metadata && (r = describe_set_xattrs(t, edit, told->metadata)) < 0) {
                txn_abort(t);
                return r;
        }
        if (told->metadata)
                regroup_note(t, edit, b, told->metadata);
        forget(t, edit);
        tier_put_backing(t, edit, b);
        return txn_commit(t, &seq);
}

static int put_symlink(struct tier *tier, const struct told *told, const struct inode *inode,
                       struct backing *b)
{
        uint8_t key[KEY_MAX], value[RECORD_MAX];
        struct head_record h;
        uint32_t length;
        int r = meta_get(tier->mds->meta, key_head(key, inode->fileid), value, sizeof(value), &length);

        if (r < 0 || !head_decode(slice_of(value, length), &h))
                return put_file(tier, told, inode, b);
        r = key_make_symlink(tier, h.directory, h.name, inode->fileid, told->target, b, told->description);
        return r == -ENOENT ? put_file(tier, told, inode, b) : r; /* it has another name by now */
}

int heads_told(struct tier *t, uint64_t fileid, const struct told *told)
{
        uint8_t record[RECORD_MAX], kept[BACKING_KEPT_BYTES];
        const struct inode *inode;
        struct backing b;
        int r = meta_inode(t->mds->meta, fileid, &inode);

        if (r == -ENOENT || (r == 0 && !inode->undescribed))
                return 0; /* removed or replaced meanwhile */
        if (r == 0)
                r = tier_backing(t->mds, inode, record, &b);
        if (r != 0)
                return r;
        if (told->metadata)
                b.kept = slice_of(kept, describe_keep(told->metadata, kept));
        if (told->version && slice_equal(b.etag, slice_str(told->etag)))
                b.version = slice_str(told->version);
        note_object(told, inode->type == NF4DIR, &b);
        if (told->is_symlink)
                r = put_symlink(t, told, inode, &b);
        else if (!told->metadata || !regroup(t, inode, &b, told->metadata, told->description))
                r = put_file(t, told, inode, &b);
        meta_trim(t->mds->meta);
        return r < 0 ? r : 1;
}
