/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/op/fresh.h"

#include "mds/pnfs/size.h"
#include "mds/state/delegation.h"

struct fresh_wait {
        struct delegation_wait delegation;
        bool servers; /* the client was asked, the data servers are */
};
_Static_assert(sizeof(struct fresh_wait) <= SIZE_WAIT_AT, "both fit the wait area");

enum nfsstat4 attrs_refresh(struct compound *c, const struct inode *file, const struct bitmap4 *asked)
{
        struct fresh_wait *w = OP_WAIT(c, struct fresh_wait);
        enum nfsstat4 status;

        if (c->waits == 0)
                w->servers = false;
        if (w->servers)
                return size_asked(c);
        status = delegation_ask(c, file->fileid, &w->delegation);
        if (status != NFS4_OK)
                return status;
        w->servers = true;
        return file->flags & INODE_USED_OLD && bitmap_has(asked, FATTR4_SPACE_USED)
                       ? size_ask_used(c, file->fileid)
                       : size_ask(c, file->fileid);
}
