/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what: the export's rule for a caller, squashing, and permissions. */
#include "mds/ns/acl.h"

/* Everybody may look at the way that leads to the exports. */
static const struct export_rule pseudo_rule = { .access = EXPORT_RO,
                                                .squash = SQUASH_NONE,
                                                .flavours = UINT32_MAX };

const struct export_rule *caller_rule(const struct compound *c, const struct fh *fh)
{
        if (fh->flags & FH_PSEUDO)
                return &pseudo_rule;
        return export_match(mds_of(c)->exports, fh->export_id, conn_peer(c->call.conn),
                            compound_cred(c)->flavor, mds_of(c)->names);
}

enum nfsstat4 export_refusal(const struct compound *c, uint16_t export_id)
{
        uint32_t flavours =
                export_flavours(mds_of(c)->exports, export_id, conn_peer(c->call.conn), mds_of(c)->names);

        return flavours ? NFS4ERR_WRONGSEC : NFS4ERR_ACCESS;
}

static void squash(struct caller *who)
{
        const struct export_rule *rule = who->rule;

        if (rule->squash == SQUASH_ALL) {
                who->uid = rule->anonuid;
                who->gid = rule->anongid;
                who->gid_count = 0;
        }
        if (rule->squash != SQUASH_ROOT)
                return;
        if (who->uid == 0)
                who->uid = rule->anonuid;
        if (who->gid == 0)
                who->gid = rule->anongid;
        for (uint32_t i = 0; i < who->gid_count; i++)
                if (who->gids[i] == 0)
                        who->gids[i] = rule->anongid;
}

enum nfsstat4 caller_of(const struct compound *c, const struct fh *fh, struct caller *ret)
{
        const struct rpc_cred *cred = compound_cred(c);
        const struct export_rule *rule = caller_rule(c, fh);

        if (!rule)
                return export_refusal(c, fh->export_id);
        if (rule == &export_undecided)
                return NFS4ERR_DELAY;
        ret->meta = mds_of(c)->meta;
        ret->rule = rule;
        ret->uid = cred->uid;
        ret->gid = cred->gid;
        ret->gid_count = cred->gid_count;
        memcpy(ret->gids, cred->gids, cred->gid_count * sizeof(cred->gids[0]));
        squash(ret);
        return NFS4_OK;
}

bool caller_in_group(const struct caller *who, uint32_t gid)
{
        if (who->gid == gid)
                return true;
        for (uint32_t i = 0; i < who->gid_count; i++)
                if (who->gids[i] == gid)
                        return true;
        return false;
}

static bool list_allows(const struct caller *who, const struct inode *inode, uint32_t mask)
{
        struct acl acl;

        acl_of(who->meta, inode, &acl);
        return acl_allows(&acl, who, inode, mask);
}

bool perm_to(const struct caller *who, const struct inode *inode, unsigned want, uint32_t mask)
{
        unsigned bits = inode->mode;

        if (who->uid == 0)
                return !(want & PERM_X) || inode->type == NF4DIR || (inode->mode & 0111) != 0;
        if (inode->flags & INODE_ACL)
                return list_allows(who, inode, mask);
        if (who->uid == inode->uid)
                bits >>= 6;
        else if (caller_in_group(who, inode->gid))
                bits >>= 3;
        return (bits & want) == want;
}

bool perm_ok(const struct caller *who, const struct inode *inode, unsigned want)
{
        return perm_to(who, inode, want,
                       (want & PERM_R ? ACE4_READ_DATA : 0u) | (want & PERM_W ? ACE4_WRITE_DATA : 0u) |
                               (want & PERM_X ? ACE4_EXECUTE : 0u));
}

bool perm_listed(const struct caller *who, const struct inode *inode, uint32_t mask)
{
        return inode->flags & INODE_ACL && list_allows(who, inode, mask);
}

bool perm_owner(const struct caller *who, const struct inode *inode)
{
        return who->uid == 0 || who->uid == inode->uid;
}

bool perm_sticky(const struct caller *who, const struct inode *dir, const struct inode *child)
{
        return !(dir->mode & S_STICKY) || who->uid == 0 || who->uid == dir->uid || who->uid == child->uid;
}
