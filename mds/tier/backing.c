/* SPDX-License-Identifier: Apache-2.0 */
/* The record of what backs a file or directory, read and changed. */
#include <errno.h>
#include <string.h>

#include "mds/tier/tier.h"

int tier_backing(struct mds *mds, const struct inode *inode, uint8_t *record, struct backing *ret)
{
        uint8_t key[KEY_MAX];
        uint32_t length;
        int r;

        if (!(inode->flags & INODE_BACKED))
                return -ENOENT;
        r = meta_get(mds->meta, key_backing(key, inode->fileid), record, RECORD_MAX, &length);
        if (r < 0)
                return -EIO;
        return backing_decode(slice_of(record, length), ret) ? 0 : -EIO;
}

void tier_put_backing(struct txn *t, struct inode *inode, const struct backing *b)
{
        uint8_t key[KEY_MAX], value[RECORD_MAX];

        inode->flags |= INODE_BACKED;
        txn_put(t, key_backing(key, inode->fileid), backing_encode(value, b));
}

int tier_pin(struct mds *mds, const struct inode *file, bool pinned, struct txn **ret_t)
{
        uint8_t record[RECORD_MAX];
        struct backing b;
        struct inode *edit;
        int r = tier_backing(mds, file, record, &b);

        if (r < 0)
                return r;
        *ret_t = txn_begin(mds->meta);
        edit = txn_edit(*ret_t, file->fileid);
        if (!edit) {
                txn_abort(*ret_t);
                return -ESTALE;
        }
        b.flags = (uint8_t)((b.flags & ~BACKING_PINNED) | (pinned ? BACKING_PINNED : 0));
        tier_put_backing(*ret_t, edit, &b);
        return 0;
}

uint32_t tier_chill(struct mds *mds, struct txn *t, struct inode *file, struct backing *b)
{
        b->valid = b->size;
        memset(b->here, 0, sizeof(b->here));
        b->flags &= (uint8_t)~BACKING_LOST;
        file->flags |= INODE_COLD | INODE_DATA; /* also when it was all holes: zeros are fetched */
        file->flags &= (uint8_t)~INODE_USED_OLD;
        file->used = 0;
        tier_put_backing(t, file, b);
        return meta_raise_epoch(mds->meta);
}

bool tier_cut(struct mds *mds, struct txn *t, struct inode *file, uint64_t size)
{
        uint8_t record[RECORD_MAX];
        struct backing b;

        if (!(file->flags & INODE_COLD))
                return true;
        if (tier_backing(mds, file, record, &b) < 0)
                return false;
        if (b.valid > size) {
                b.valid = size;
                tier_put_backing(t, file, &b);
        }
        return true;
}
