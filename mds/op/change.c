/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/op/change.h"

#include "mds/fleet/fleet.h"
#include "mds/ns/orphan.h"
#include "mds/tier/archive.h"

enum { MODE_DEFAULT = 0600, MODE_SYMLINK = 0777 };

enum nfsstat4 change_commit(struct compound *c, struct txn *t)
{
        uint64_t seq;
        int r = txn_commit(t, &seq);

        if (r == 0 && seq > c->commit_seq)
                c->commit_seq = seq;
        return nfs4_status_from_errno(r);
}

void change_dir(struct txn *t, struct inode *dir, struct change_info *ret)
{
        txn_touch(t, dir, true);
        ret->atomic = true;
        ret->after = dir->change;
}

enum nfsstat4 change_check_new(const struct attr_set *set, uint8_t type)
{
        if (bitmap_has(&set->mask, FATTR4_MODE_SET_MASKED))
                return NFS4ERR_INVAL; /* §6.2.5: there are no bits to keep */
        if (bitmap_has(&set->mask, FATTR4_TIME_DELEG_ACCESS) ||
            bitmap_has(&set->mask, FATTR4_TIME_DELEG_MODIFY))
                return NFS4ERR_INVAL; /* RFC 9754: for who holds a delegation of it */
        return bitmap_has(&set->mask, FATTR4_SIZE) && type != NF4REG ? NFS4ERR_INVAL : NFS4_OK;
}

/* In a set-gid directory the group comes from the directory, and directories pass the bit on (as Linux and
 * System V). */
static void inherit(const struct caller *who, const struct inode *dir, struct inode *inode)
{
        inode->uid = who->uid;
        inode->gid = dir->mode & S_SETGID ? dir->gid : who->gid;
        inode->mode = inode->type == NF4LNK ? MODE_SYMLINK : MODE_DEFAULT;
        if (inode->type != NF4DIR)
                return;
        inode->parent = dir->fileid;
        if (dir->flags & INODE_LAYOUT_SET) {
                inode->flags |= INODE_LAYOUT_SET;
                inode->unit = dir->unit;
                inode->width = dir->width;
        }
}

enum nfsstat4 change_new(struct compound *c, struct txn *t, const struct subject *dir, uint8_t type,
                         const struct attr_set *set, struct inode **ret, struct inode **ret_dir)
{
        struct inode *inode = txn_new_inode(t, type), *parent = txn_edit(t, dir->inode->fileid);
        enum nfsstat4 status;

        if (!inode || !parent)
                return inode ? NFS4ERR_IO : NFS4ERR_DELAY;
        inherit(&dir->who, parent, inode);
        status = attrs_may_set(&dir->who, inode, set);
        if (status != NFS4_OK)
                return status;
        attrs_apply(&dir->who, inode, set, inode->ctime);
        if (type == NF4DIR && parent->mode & S_SETGID)
                inode->mode |= S_SETGID;
        attrs_inherit_acl(mds_of(c)->meta, t, parent, inode, set);
        *ret = inode;
        *ret_dir = parent;
        return type == NF4REG ? fleet_place(mds_of(c)->fleet, parent, inode) : NFS4_OK;
}

enum nfsstat4 change_link(struct mds *mds, struct txn *t, struct inode *dir, struct slice name,
                          struct inode *inode)
{
        bool is_dir = inode->type == NF4DIR;

        if (is_dir ? dir->nlink >= LINKS_MAX : inode->nlink >= LINKS_MAX)
                return NFS4ERR_MLINK;
        inode->nlink += is_dir ? 2 : 1;
        if (is_dir)
                dir->nlink++;
        if (!archive_linked(mds, t, dir, name, inode))
                return NFS4ERR_DELAY;
        return nfs4_status_from_errno(txn_link(t, dir->fileid, name, inode->fileid, inode->type));
}

void change_unlink(struct mds *mds, struct txn *t, struct inode *dir, struct slice name, struct inode *inode,
                   struct orphan *ret)
{
        *ret = (struct orphan){ .fileid = inode->fileid };
        if (inode->type == NF4DIR) {
                dir->nlink--;
                inode->nlink = 0;
                ret->deleted = true;
                archive_unlinked(mds, t, inode);
                txn_delete_inode(t, inode->fileid);
                return;
        }
        if (inode->nlink > 0) /* it is, in a store without damage */
                inode->nlink--;
        if (inode->nlink == 0)
                archive_unlinked(mds, t, inode);
        else
                archive_name_removed(mds, t, dir, name, inode);
        if (inode->nlink == 0)
                orphan_unlinked(mds, t, inode, ret);
        else
                txn_touch(t, inode, false);
}
