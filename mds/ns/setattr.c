/* SPDX-License-Identifier: Apache-2.0 */
/* What clients may set on an inode, and setting it: POSIX chmod, chown and utimes, as Linux does them
 * locally. */
#include "mds/ns/acl.h"
#include "mds/ns/inode.h"

static bool has(const struct attr_set *set, unsigned attr)
{
        return bitmap_has(&set->mask, attr);
}

/* chown(2): root gives to anybody; an owner keeps the file and gives it to a group of his own. */
static bool may_chown(const struct caller *who, const struct inode *inode, const struct attr_set *set)
{
        if (who->uid == 0)
                return true;
        if (who->uid != inode->uid)
                return false;
        if (has(set, FATTR4_OWNER) && set->uid != inode->uid)
                return false;
        return !has(set, FATTR4_OWNER_GROUP) || set->gid == inode->gid || caller_in_group(who, set->gid);
}

/* utimes(2): the owner sets what he likes; who may write may say "now". */
static enum nfsstat4 may_set_times(const struct caller *who, const struct inode *inode,
                                   const struct attr_set *set)
{
        bool now = (!has(set, FATTR4_TIME_ACCESS_SET) || set->atime_now) &&
                   (!has(set, FATTR4_TIME_MODIFY_SET) || set->mtime_now) && !has(set, FATTR4_TIME_CREATE);

        if (perm_owner(who, inode) || perm_listed(who, inode, ACE4_WRITE_ATTRIBUTES))
                return NFS4_OK;
        if (!now)
                return NFS4ERR_PERM;
        return perm_ok(who, inode, PERM_W) ? NFS4_OK : NFS4ERR_ACCESS;
}

static bool sets_mode(const struct attr_set *set)
{
        return has(set, FATTR4_MODE) || has(set, FATTR4_MODE_SET_MASKED) || has(set, FATTR4_MODE_UMASK);
}

static void get_list(const struct attr_set *set, struct acl *ret)
{
        struct xdr_in x = xdr_in_of(set->acl);

        CHECK(acl_get(&x, ret) == NFS4_OK && !x.bad);
}

/* Who may write the list may write the nine bits; a program that runs as its owner is the owner's to make. */
static bool may_chmod(const struct caller *who, const struct inode *inode, const struct attr_set *set)
{
        return perm_owner(who, inode) || (perm_listed(who, inode, ACE4_WRITE_ACL) &&
                                          !(sets_mode(set) && set->mode & set->mode_mask & ~0777u));
}

static enum nfsstat4 check_acl(const struct inode *inode, const struct attr_set *set)
{
        struct acl acl;

        get_list(set, &acl);
        return acl_check(&acl, inode->type);
}

enum nfsstat4 attrs_may_set(const struct caller *who, const struct inode *inode, const struct attr_set *set)
{
        bool times = has(set, FATTR4_TIME_ACCESS_SET) || has(set, FATTR4_TIME_MODIFY_SET) ||
                     has(set, FATTR4_TIME_CREATE);
        enum nfsstat4 status = NFS4_OK;

        if ((has(set, FATTR4_OWNER) || has(set, FATTR4_OWNER_GROUP)) && !may_chown(who, inode, set))
                return NFS4ERR_PERM;
        if ((sets_mode(set) || has(set, FATTR4_ACL)) && !may_chmod(who, inode, set))
                return NFS4ERR_PERM;
        if (has(set, FATTR4_ACL))
                status = check_acl(inode, set);
        if (status != NFS4_OK)
                return status;
        return times ? may_set_times(who, inode, set) : NFS4_OK;
}

void setid_clear(struct inode *inode)
{
        inode->mode &= (uint16_t)~S_SETUID;
        if (inode->mode & S_GROUP_X) /* without it the bit says something else: mandatory locking, of old */
                inode->mode &= (uint16_t)~S_SETGID;
}

bool setid_cleared_by(const struct caller *who, const struct inode *inode)
{
        return who->uid != 0 && (inode->mode & (S_SETUID | S_SETGID)) != 0;
}

static void apply_mode(const struct caller *who, struct inode *inode, const struct attr_set *set)
{
        uint32_t mode = (inode->mode & ~set->mode_mask) | (set->mode & set->mode_mask);

        if (inode->type == NF4LNK)
                return; /* nobody looks at a symlink's mode: it stays 0777 */
        /* Nobody may lend out a group that is not his. */
        if (who->uid != 0 && !caller_in_group(who, inode->gid))
                mode &= ~(uint32_t)S_SETGID;
        inode->mode = (uint16_t)(mode & 07777);
}

void attrs_apply(const struct caller *who, struct inode *inode, const struct attr_set *set, int64_t now)
{
        bool owners = has(set, FATTR4_OWNER) || has(set, FATTR4_OWNER_GROUP);

        if (has(set, FATTR4_OWNER))
                inode->uid = set->uid;
        if (has(set, FATTR4_OWNER_GROUP))
                inode->gid = set->gid;
        if (sets_mode(set))
                apply_mode(who, inode, set);
        if (owners && inode->type != NF4DIR)
                setid_clear(inode); /* for root too, as Linux does: chown(2) */
        if (has(set, FATTR4_TIME_ACCESS_SET))
                inode->atime = set->atime_now ? now : set->time_access;
        if (has(set, FATTR4_TIME_MODIFY_SET))
                inode->mtime = set->mtime_now ? now : set->time_modify;
        if (has(set, FATTR4_TIME_CREATE))
                inode->btime = set->time_create;
}

void attrs_apply_acl(struct meta *m, struct txn *t, struct inode *inode, const struct attr_set *set)
{
        uint16_t mode = inode->mode & 0777;
        struct acl acl;

        if (has(set, FATTR4_ACL)) {
                get_list(set, &acl);
        } else if (inode->flags & INODE_ACL && sets_mode(set) && set->mode_mask & 0777) {
                acl_of(m, inode, &acl);
                acl_chmod(&acl, mode, mode, inode->type);
        } else {
                return;
        }
        acl_set(t, inode, &acl);
}

void attrs_inherit_acl(struct meta *m, struct txn *t, const struct inode *dir, struct inode *inode,
                       const struct attr_set *set)
{
        uint16_t mode = inode->mode & 0777;
        struct acl theirs, acl;

        if (has(set, FATTR4_ACL) || !(dir->flags & INODE_ACL) || inode->type == NF4LNK) {
                attrs_apply_acl(m, t, inode, set);
                return;
        }
        acl_of(m, dir, &theirs);
        acl_inherit(&theirs, inode->type, &acl);
        if (acl.count == 0)
                return;
        if (has(set, FATTR4_MODE_UMASK))
                acl_chmod(&acl, acl_mode_without_umask(&acl, set->mode_unmasked & 0777, mode),
                          set->mode_unmasked & 0777, inode->type);
        else if (sets_mode(set))
                acl_chmod(&acl, mode, mode, inode->type);
        acl_set(t, inode, &acl);
}
