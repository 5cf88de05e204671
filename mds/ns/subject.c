/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/ns/subject.h"

#include <errno.h>

enum nfsstat4 inode_status(int error)
{
        return error == -ENOENT ? NFS4ERR_STALE : nfs4_status_from_errno(error);
}

struct fh inode_fh(uint16_t export_id, const struct inode *inode)
{
        return (struct fh){ .kind = FH_MDS,
                            .export_id = export_id,
                            .fileid = inode->fileid,
                            .generation = inode->generation };
}

enum nfsstat4 subject_of(const struct compound *c, const struct fh *fh, struct subject *ret)
{
        const struct mds *mds = mds_of(c);

        ret->fh = *fh;
        ret->inode = NULL;
        ret->pseudo = NULL;
        if (fh->flags & FH_PSEUDO) {
                ret->pseudo = pseudo_by_id(mds->exports, fh->fileid);
                if (!ret->pseudo)
                        return NFS4ERR_STALE;
        } else {
                int r = meta_inode(mds->meta, fh->fileid, &ret->inode);

                if (r < 0)
                        return inode_status(r);
                if (ret->inode->generation != fh->generation)
                        return NFS4ERR_STALE;
        }
        return caller_of(c, fh, &ret->who);
}

enum nfsstat4 subject_inode(const struct compound *c, const struct fh *fh, struct subject *ret)
{
        enum nfsstat4 status = subject_of(c, fh, ret);

        return status == NFS4_OK && ret->pseudo ? NFS4ERR_ROFS : status;
}

enum nfsstat4 subject_dir(const struct compound *c, const struct fh *fh, unsigned want, struct subject *ret)
{
        enum nfsstat4 status = subject_of(c, fh, ret);

        if (status != NFS4_OK || ret->pseudo)
                return status;
        if (ret->inode->type != NF4DIR)
                return ret->inode->type == NF4LNK ? NFS4ERR_SYMLINK : NFS4ERR_NOTDIR;
        return perm_ok(&ret->who, ret->inode, want) ? NFS4_OK : NFS4ERR_ACCESS;
}

static enum nfsstat4 may_change(const struct subject *dir, uint32_t mask)
{
        if (dir->pseudo || dir->who.rule->access != EXPORT_RW)
                return NFS4ERR_ROFS;
        return perm_to(&dir->who, dir->inode, PERM_W | PERM_X, mask | ACE4_EXECUTE) ? NFS4_OK
                                                                                    : NFS4ERR_ACCESS;
}

enum nfsstat4 subject_may_add(const struct subject *dir, uint8_t type)
{
        return may_change(dir, type == NF4DIR ? ACE4_APPEND_DATA : ACE4_WRITE_DATA);
}

enum nfsstat4 subject_may_remove(const struct subject *dir, const struct inode *child)
{
        enum nfsstat4 status = may_change(dir, ACE4_DELETE_CHILD);

        if (status == NFS4_OK && !perm_sticky(&dir->who, dir->inode, child))
                status = NFS4ERR_ACCESS;
        if (status == NFS4ERR_ACCESS && perm_ok(&dir->who, dir->inode, PERM_X) &&
            perm_listed(&dir->who, child, ACE4_DELETE))
                status = NFS4_OK;
        return status;
}

enum nfsstat4 subject_child(const struct compound *c, const struct subject *dir, struct slice name,
                            const struct inode **ret)
{
        struct meta *meta = mds_of(c)->meta;
        uint64_t fileid;
        int r = meta_lookup(meta, dir->inode->fileid, name, &fileid);

        if (r == 0) {
                r = meta_inode(meta, fileid, ret);
                if (r == -ENOENT)
                        r = -EIO; /* a name that leads nowhere: damage, not absence */
        }
        return nfs4_status_from_errno(r);
}
