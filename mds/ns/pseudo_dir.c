/* SPDX-License-Identifier: Apache-2.0 */
/* Crossing between the pseudo file system and the exports (RFC 8881 §7.3, §7.7, §5.8.2.23). */
#include <errno.h>

#include "mds/ns/subject.h"

/* The next part of an absolute PATH, from *at on. */
static bool next_part(const char *path, size_t *at, struct slice *ret)
{
        size_t length;

        while (path[*at] == '/')
                ++*at;
        length = strcspn(path + *at, "/");
        *ret = slice_of(path + *at, (uint32_t)length);
        *at += length;
        return length > 0;
}

enum nfsstat4 export_root(const struct mds *mds, uint16_t export_id, const struct inode **ret)
{
        const struct export *e = export_by_id(mds->exports, export_id);
        uint64_t fileid = ROOT_FILEID;
        struct slice part;
        size_t at = 0;

        if (!e)
                return NFS4ERR_STALE;
        while (next_part(e->path, &at, &part)) {
                int r = meta_lookup(mds->meta, fileid, part, &fileid);

                if (r < 0)
                        return inode_status(r);
        }
        return inode_status(meta_inode(mds->meta, fileid, ret));
}

enum nfsstat4 pseudo_enter(const struct compound *c, const struct pseudo_node *node, struct fh *ret)
{
        const struct inode *root;
        enum nfsstat4 status;

        if (node->export_id == 0) {
                *ret = (struct fh){ .kind = FH_MDS, .flags = FH_PSEUDO, .fileid = node->id };
                return NFS4_OK;
        }
        status = export_root(mds_of(c), node->export_id, &root);
        if (status == NFS4_OK)
                *ret = inode_fh(node->export_id, root);
        return status;
}

/* By any flavour; also while the client's name is being looked up, which the next step tells (DELAY). */
static bool may_enter(const struct compound *c, uint16_t export_id)
{
        const struct fh fh = { .kind = FH_MDS, .export_id = export_id };

        return caller_rule(c, &fh) || export_refusal(c, export_id) == NFS4ERR_WRONGSEC;
}

bool pseudo_visible(const struct compound *c, const struct pseudo_node *node)
{
        if (node->export_id && may_enter(c, node->export_id))
                return true;
        for (const struct pseudo_node *child = node->first_child; child; child = child->next_sibling)
                if (pseudo_visible(c, child))
                        return true;
        return false;
}

const struct pseudo_node *pseudo_above(const struct mds *mds, uint16_t export_id, const struct inode *inode)
{
        const struct inode *root = NULL;

        /* With "/" exported there is nothing above, and below an export's root there are only real
         * directories. */
        if (inode->type != NF4DIR || mds->exports->root->export_id != 0)
                return NULL;
        if (export_root(mds, export_id, &root) != NFS4_OK || !root || root->fileid != inode->fileid)
                return NULL;
        return pseudo_of_export(mds->exports, export_id);
}
