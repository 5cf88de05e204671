/* SPDX-License-Identifier: Apache-2.0 */
/* LOOKUPP, RFC 8881 §18.14: the parent directory becomes the current object. At the root of the server NOENT;
 * at the root of an export the way leads to the pseudo file system. */
#include "mds/ns/subject.h"
#include "mds/ops.h"

static enum nfsstat4 parent_of_inode(struct compound *c, const struct subject *dir, struct fh *ret)
{
        struct mds *mds = mds_of(c);
        const struct pseudo_node *node = pseudo_above(mds, dir->fh.export_id, dir->inode);
        const struct inode *parent;
        int r;

        if (node)
                return pseudo_enter(c, node->parent, ret);
        if (dir->inode->parent == 0)
                return NFS4ERR_NOENT;
        r = meta_inode(mds->meta, dir->inode->parent, &parent);
        if (r < 0)
                return inode_status(r);
        *ret = inode_fh(dir->fh.export_id, parent);
        return NFS4_OK;
}

static enum nfsstat4 execute(struct compound *c)
{
        struct subject dir;
        struct fh fh;
        enum nfsstat4 status = subject_dir(c, &c->fh, PERM_X, &dir);

        if (status != NFS4_OK)
                return status;
        if (!dir.pseudo)
                status = parent_of_inode(c, &dir, &fh);
        else
                status = dir.pseudo->parent ? pseudo_enter(c, dir.pseudo->parent, &fh) : NFS4ERR_NOENT;
        if (status == NFS4_OK)
                compound_set_fh(c, &fh);
        return status;
}

const struct nfs4_op op_lookupp = {
        .name = "LOOKUPP",
        .flags = OP_NEEDS_FH | OP_PSEUDO,
        .reply_max = 8,
        .execute = execute,
};
