/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/pnfs/reshape.h"

#include "mds/pnfs/size.h"
#include "mds/pnfs/space.h"

bool reshape_is_empty(const struct mds *mds, const struct inode *file)
{
        return file->size == 0 && !size_has_data(mds->sizes, file);
}

static void fenced(struct fence_wait *fence)
{
        compound_wake(CONTAINER(fence, struct reshape, fence)->compound);
}

/* Nobody can write any more: has anybody? */
static enum nfsstat4 look(struct compound *c, struct reshape *r, const struct inode *file)
{
        if (r->fence.given_up ||
            recall_is_outrun(mds_of(c)->recalls, file->fileid, RECALL_HOLDERS, NULL, r->epoch))
                return NFS4ERR_DELAY;
        r->step = RESHAPE_LOOKING;
        return space_seek(c, file, 0, false);
}

static enum nfsstat4 looked(struct compound *c, struct reshape *r, const struct inode *file)
{
        uint64_t place;
        enum nfsstat4 status = space_seek_result(c, &place);

        if (status != NFS4_OK ||
            recall_is_outrun(mds_of(c)->recalls, file->fileid, RECALL_HOLDERS, NULL, r->epoch))
                return NFS4ERR_DELAY;
        return place == UINT64_MAX ? NFS4_OK : NFS4ERR_PERM;
}

enum nfsstat4 reshape_begin(struct compound *c, struct reshape *r, const struct inode *file)
{
        bool waits;

        if (!reshape_is_empty(mds_of(c), file))
                return NFS4ERR_PERM;
        switch (r->step) {
        case RESHAPE_FENCING: return look(c, r, file);
        case RESHAPE_LOOKING: return looked(c, r, file);
        case RESHAPE_BEGINS: break;
        }
        *r = (struct reshape){ .compound = c, .fence.done = fenced };
        waits = recall_file(mds_of(c)->recalls, file, RECALL_HOLDERS, NULL, &r->fence);
        r->epoch = meta_epoch(mds_of(c)->meta);
        if (!waits)
                return look(c, r, file);
        r->step = RESHAPE_FENCING;
        return NFS4_WAIT;
}
