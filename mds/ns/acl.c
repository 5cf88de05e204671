/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/ns/acl.h"

enum {
        WRITES = ACE4_WRITE_DATA | ACE4_APPEND_DATA,
        DATA = ACE4_READ_DATA | WRITES | ACE4_EXECUTE, /* what mode bits speak of, besides DELETE_CHILD */
        /* What everybody may who sees the object, and what its owner may with it. */
        ALWAYS = ACE4_READ_ATTRIBUTES | ACE4_READ_ACL | ACE4_SYNCHRONIZE,
        OWNERS = ALWAYS | ACE4_WRITE_ATTRIBUTES | ACE4_WRITE_ACL
};

static bool is_in_force(const struct ace *a)
{
        return !(a->flags & ACE4_INHERIT_ONLY_ACE);
}

/* --- who may */

static bool is_meant(const struct ace *a, const struct caller *who, const struct inode *inode)
{
        switch (a->who) {
        case ACE_OWNER: return who->uid == inode->uid;
        case ACE_GROUP: return caller_in_group(who, inode->gid);
        case ACE_EVERYONE: return true;
        case ACE_ID: break;
        }
        return a->flags & ACE4_IDENTIFIER_GROUP ? caller_in_group(who, a->id) : who->uid == a->id;
}

bool acl_allows(const struct acl *acl, const struct caller *who, const struct inode *inode, uint32_t mask)
{
        for (uint32_t i = 0; i < acl->count && mask; i++) {
                const struct ace *a = &acl->aces[i];

                if (!is_in_force(a) || !(a->mask & mask) || !is_meant(a, who, inode))
                        continue;
                if (a->type == ACE4_ACCESS_DENIED_ACE_TYPE)
                        return false;
                mask &= ~a->mask;
        }
        return mask == 0;
}

/* --- mode bits */

/* Three mode bits as a mask. */
static uint32_t mask_of_bits(unsigned bits, uint8_t type)
{
        return (bits & PERM_R ? ACE4_READ_DATA : 0u) | (bits & PERM_W ? (uint32_t)WRITES : 0u) |
               (bits & PERM_W && type == NF4DIR ? ACE4_DELETE_CHILD : 0u) |
               (bits & PERM_X ? ACE4_EXECUTE : 0u);
}

static uint16_t bits_of_mask(uint32_t mask)
{
        return (uint16_t)((mask & ACE4_READ_DATA ? PERM_R : 0) | ((mask & WRITES) == WRITES ? PERM_W : 0) |
                          (mask & ACE4_EXECUTE ? PERM_X : 0));
}

static void add(struct acl *acl, uint8_t type, uint8_t who, uint32_t mask)
{
        if (mask == 0 || acl->count == ACL_ACES)
                return;
        acl->aces[acl->count++] = (struct ace){
                .type = type, .who = who, .mask = mask, .flags = who == ACE_GROUP ? ACE4_IDENTIFIER_GROUP : 0
        };
}

/* What MODE gives to one of the three, and what it must be denied since it is given to others. */
static void add_owner(struct acl *acl, uint16_t mode, uint8_t type)
{
        uint32_t mine = mask_of_bits(mode >> 6 & 7, type),
                 theirs = mask_of_bits((mode >> 3 | mode) & 7, type);

        add(acl, ACE4_ACCESS_ALLOWED_ACE_TYPE, ACE_OWNER, mine | OWNERS);
        add(acl, ACE4_ACCESS_DENIED_ACE_TYPE, ACE_OWNER, theirs & ~mine);
}

static void add_group_and_others(struct acl *acl, uint16_t mode, uint8_t type)
{
        uint32_t group = mask_of_bits(mode >> 3 & 7, type), others = mask_of_bits(mode & 7, type);

        add(acl, ACE4_ACCESS_ALLOWED_ACE_TYPE, ACE_GROUP, group | ALWAYS);
        add(acl, ACE4_ACCESS_DENIED_ACE_TYPE, ACE_GROUP, others & ~group);
        add(acl, ACE4_ACCESS_ALLOWED_ACE_TYPE, ACE_EVERYONE, others | ALWAYS);
}

void acl_of_mode(uint16_t mode, uint8_t type, struct acl *ret)
{
        ret->count = 0;
        add_owner(ret, mode, type);
        add_group_and_others(ret, mode, type);
}

/* What the entries for WHO and for EVERYONE@ allow, taken together in their order. */
static uint32_t allowed(const struct acl *acl, uint8_t who)
{
        uint32_t allow = 0, deny = 0;

        for (uint32_t i = 0; i < acl->count; i++) {
                const struct ace *a = &acl->aces[i];

                if (!is_in_force(a) || (a->who != who && a->who != ACE_EVERYONE))
                        continue;
                if (a->type == ACE4_ACCESS_ALLOWED_ACE_TYPE)
                        allow |= a->mask & ~deny;
                else
                        deny |= a->mask & ~allow;
        }
        return allow;
}

uint16_t acl_mode(const struct acl *acl)
{
        return (uint16_t)(bits_of_mask(allowed(acl, ACE_OWNER)) << 6 |
                          bits_of_mask(allowed(acl, ACE_GROUP)) << 3 |
                          bits_of_mask(allowed(acl, ACE_EVERYONE)));
}

static bool is_same(const struct ace *a, const struct ace *b)
{
        return a->type == b->type && a->who == b->who && a->mask == b->mask &&
               (a->flags | ACE4_IDENTIFIER_GROUP) == (b->flags | ACE4_IDENTIFIER_GROUP) &&
               (a->who != ACE_ID || (a->id == b->id && a->flags == b->flags));
}

bool acl_is_trivial(const struct acl *acl, uint8_t type)
{
        struct acl plain;

        acl_of_mode(acl_mode(acl), type, &plain);
        if (plain.count != acl->count)
                return false;
        for (uint32_t i = 0; i < acl->count; i++)
                if (!is_same(&plain.aces[i], &acl->aces[i]))
                        return false;
        return true;
}

/* --- chmod */

/* What is left of A in ACL when the mode changes: what is only inherited stays, what is inherited and in
 * force is torn in two. */
static void keep(struct acl *acl, const struct ace *a, uint32_t group)
{
        bool listed = a->who == ACE_ID, allows = a->type == ACE4_ACCESS_ALLOWED_ACE_TYPE;
        struct ace inherited = *a, left = *a;

        if (listed && allows)
                left.mask &= ~((DATA | ACE4_DELETE_CHILD) & ~group);
        if (!is_in_force(a) || (listed && left.mask == a->mask)) {
                acl->aces[acl->count++] = *a;
                return;
        }
        inherited.flags |= ACE4_INHERIT_ONLY_ACE;
        left.flags &= (uint8_t)~ACE_INHERITANCE;
        if (a->flags & ACE_INHERITS)
                acl->aces[acl->count++] = inherited;
        if (listed)
                acl->aces[acl->count++] = left;
}

enum { KEPT_MAX = 2, GROUP_AND_OTHERS = 3 };

void acl_chmod(struct acl *acl, uint16_t mode, uint16_t bound, uint8_t type)
{
        uint32_t group = mask_of_bits(bound >> 3 & 7, type);
        struct acl changed = { 0 };

        add_owner(&changed, mode, type);
        for (uint32_t i = 0; i < acl->count; i++) {
                if (changed.count > ACL_ACES - KEPT_MAX - GROUP_AND_OTHERS) {
                        acl_of_mode(mode, type, acl);
                        return;
                }
                keep(&changed, &acl->aces[i], group);
        }
        add_group_and_others(&changed, mode, type);
        *acl = changed;
}

/* --- inheritance */

void acl_inherit(const struct acl *parent, uint8_t type, struct acl *ret)
{
        uint8_t wanted = type == NF4DIR ? ACE4_DIRECTORY_INHERIT_ACE : ACE4_FILE_INHERIT_ACE;

        ret->count = 0;
        for (uint32_t i = 0; i < parent->count; i++) {
                struct ace a = parent->aces[i];
                bool meant = a.flags & wanted, once = a.flags & ACE4_NO_PROPAGATE_INHERIT_ACE;

                /* A directory hands on what is for files only. */
                if (!(a.flags & ACE_INHERITS) || (!meant && (type != NF4DIR || once)))
                        continue;
                if (type != NF4DIR || once)
                        a.flags &= (uint8_t)~ACE_INHERITANCE;
                else if (meant)
                        a.flags &= (uint8_t)~ACE4_INHERIT_ONLY_ACE;
                else
                        a.flags |= ACE4_INHERIT_ONLY_ACE;
                ret->aces[ret->count++] = a;
        }
}

static bool speaks_of(const struct acl *acl, uint8_t who)
{
        for (uint32_t i = 0; i < acl->count; i++)
                if (is_in_force(&acl->aces[i]) && acl->aces[i].who == who)
                        return true;
        return false;
}

uint16_t acl_mode_without_umask(const struct acl *acl, uint16_t unmasked, uint16_t masked)
{
        static const uint8_t classes[] = { ACE_EVERYONE, ACE_GROUP, ACE_OWNER };
        uint16_t mode = 0;

        for (unsigned i = 0; i < 3; i++) {
                unsigned bits = speaks_of(acl, classes[i])
                                        ? bits_of_mask(allowed(acl, classes[i])) & (unmasked >> 3 * i & 7)
                                        : masked >> 3 * i & 7;

                mode |= (uint16_t)(bits << 3 * i);
        }
        return mode;
}

enum nfsstat4 acl_check(const struct acl *acl, uint8_t type)
{
        for (uint32_t i = 0; i < acl->count; i++)
                if (type != NF4DIR && acl->aces[i].flags & ACE_INHERITANCE)
                        return NFS4ERR_INVAL;
        return type == NF4LNK ? NFS4ERR_ATTRNOTSUPP : NFS4_OK;
}

/* --- stored */

void acl_of(struct meta *m, const struct inode *inode, struct acl *ret)
{
        if (!(inode->flags & INODE_ACL))
                acl_of_mode(inode->mode, inode->type, ret);
        else if (meta_acl(m, inode->fileid, ret))
                ret->count = 0;
}

void acl_set(struct txn *t, struct inode *inode, const struct acl *acl)
{
        inode->mode = (uint16_t)((inode->mode & ~0777) | acl_mode(acl));
        txn_put_acl(t, inode, acl_is_trivial(acl, inode->type) ? NULL : acl);
}
