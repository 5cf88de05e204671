/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/op/dir.h"

#include <errno.h>

enum nfsstat4 object_get(struct compound *c, const struct fh *fh, const struct inode **ret)
{
        int r;

        if (fh->flags & FH_PSEUDO)
                return NFS4ERR_ROFS;
        r = meta_inode(mds_of(c)->meta, fh->fileid, ret);
        if (r < 0)
                return r == -ENOENT ? NFS4ERR_STALE : NFS4ERR_IO;
        return (*ret)->generation == fh->generation ? NFS4_OK : NFS4ERR_STALE;
}

enum nfsstat4 dir_get(struct compound *c, const struct fh *fh, unsigned want, struct caller *ret_who, const struct inode **ret)
{
        enum nfsstat4 status = object_get(c, fh, ret);

        if (status != NFS4_OK)
                return status;
        if ((*ret)->type != NF4DIR)
                return (*ret)->type == NF4LNK ? NFS4ERR_SYMLINK : NFS4ERR_NOTDIR;
        status = caller_of(c, fh, ret_who);
        if (status != NFS4_OK)
                return status;
        if (want & MAY_WRITE && ret_who->rule->access != EXPORT_RW)
                return NFS4ERR_ROFS;
        return perm_ok(ret_who, *ret, want) ? NFS4_OK : NFS4ERR_ACCESS;
}

enum nfsstat4 dir_lookup(struct compound *c, const struct inode *dir, struct slice name, const struct inode **ret)
{
        struct meta *meta = mds_of(c)->meta;
        uint64_t fileid;
        int r = meta_lookup(meta, dir->fileid, name, &fileid);

        if (r == 0)
                r = meta_inode(meta, fileid, ret);
        return r == 0 ? NFS4_OK : r == -ENOENT ? NFS4ERR_NOENT : NFS4ERR_IO;
}

bool sticky_allows(const struct caller *who, const struct inode *dir, const struct inode *object)
{
        return !(dir->mode & 01000) || perm_owner(who, dir) || perm_owner(who, object);
}

static bool in_group(const struct caller *who, uint32_t gid)
{
        if (who->uid == 0 || who->gid == gid)
                return true;
        for (uint32_t i = 0; i < who->gid_count; i++)
                if (who->gids[i] == gid)
                        return true;
        return false;
}

static uint16_t new_mode(const struct caller *who, const struct inode *dir, const struct inode *fresh, const struct attr_set *set)
{
        uint16_t mode = fresh->type == NF4LNK ? 0777 : fresh->type == NF4DIR ? 0755 : 0644;

        if (bitmap_has(&set->mask, FATTR4_MODE))
                mode = (uint16_t)set->mode;
        else if (bitmap_has(&set->mask, FATTR4_MODE_SET_MASKED))
                mode = (uint16_t)((mode & ~set->mode_mask) | set->mode);
        if (fresh->type == NF4DIR && dir->mode & 02000)
                mode |= 02000;
        else if (mode & 02000 && !in_group(who, fresh->gid))
                mode &= (uint16_t)~02000u;
        return mode;
}

enum nfsstat4 new_object(struct txn *t, const struct caller *who, const struct inode *dir, uint8_t type, const struct attr_set *set,
                         struct inode **ret)
{
        uint32_t uid = bitmap_has(&set->mask, FATTR4_OWNER) ? set->uid : who->uid;
        uint32_t gid = dir->mode & 02000 ? dir->gid : who->gid;
        struct inode *fresh;

        if (bitmap_has(&set->mask, FATTR4_OWNER_GROUP))
                gid = set->gid;
        if (who->uid != 0 && (uid != who->uid || (bitmap_has(&set->mask, FATTR4_OWNER_GROUP) && !in_group(who, gid))))
                return NFS4ERR_PERM;
        fresh = txn_new_inode(t);
        if (!fresh)
                return NFS4ERR_NOSPC;
        fresh->type = type;
        fresh->uid = uid;
        fresh->gid = gid;
        fresh->mode = new_mode(who, dir, fresh, set);
        fresh->nlink = type == NF4DIR ? 2 : 1;
        fresh->parent = type == NF4DIR ? dir->fileid : 0;
        if (bitmap_has(&set->mask, FATTR4_TIME_ACCESS_SET) && !set->atime_now)
                fresh->atime = set->time_access;
        if (bitmap_has(&set->mask, FATTR4_TIME_MODIFY_SET) && !set->mtime_now)
                fresh->mtime = set->time_modify;
        if (bitmap_has(&set->mask, FATTR4_TIME_CREATE))
                fresh->btime = set->time_create;
        *ret = fresh;
        return NFS4_OK;
}

struct fh object_fh(const struct fh *dir_fh, const struct inode *inode)
{
        return (struct fh){ .kind = FH_MDS, .export_id = dir_fh->export_id, .fileid = inode->fileid, .generation = inode->generation };
}
