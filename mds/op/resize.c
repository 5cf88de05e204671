/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/op/resize.h"

#include "mds/pnfs/size.h"
#include "mds/state/layout.h"

bool resize_waits(const struct compound *c, const struct inode *file, uint64_t size)
{
        struct mds *mds = mds_of(c);

        if (layout_has_writer(mds->layouts, file->fileid, c->client))
                return true; /* even when nobody has said a word: what it sends may be on its way */
        if (!size_has_data(mds->sizes, file))
                return false;
        return size < file->size || !size_is_current(mds->sizes, file->fileid);
}

void resize_inode(struct txn *t, const struct caller *who, struct inode *inode, uint64_t size)
{
        inode->size = size;
        if (setid_cleared_by(who, inode))
                setid_clear(inode);
        txn_touch(t, inode, true);
}
