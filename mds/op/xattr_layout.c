/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/op/xattr_layout.h"

#include "mds/op/change.h"
#include "mds/op/setxattr.h"

bool xattr_is_ours(struct slice name)
{
        struct slice prefix = slice_str("nacre.");

        return name.length >= prefix.length && memcmp(name.data, prefix.data, prefix.length) == 0;
}

static bool is_layout(struct slice name)
{
        return slice_equal(name, slice_str("nacre.layout"));
}

static bool has_layout(const struct inode *inode)
{
        return inode->type == NF4REG || inode->flags & INODE_LAYOUT_SET;
}

enum nfsstat4 xattr_layout_get(const struct subject *s, struct slice name, char out[LAYOUT_TEXT],
                               struct slice *ret)
{
        const struct layout_policy p = { s->inode->unit, s->inode->width };

        if (!is_layout(name) || !has_layout(s->inode))
                return NFS4ERR_NOXATTR;
        *ret = slice_of(out, layout_policy_print(&p, out));
        return NFS4_OK;
}

/* --- setting */

static enum nfsstat4 apply(struct compound *c, struct inode *inode, const struct layout_policy *p)
{
        const struct inode policy = { .unit = p->unit, .width = p->width };

        if (inode->type == NF4REG)
                return fleet_place(mds_of(c)->fleet, &policy, inode);
        inode->unit = p->unit;
        inode->width = p->width;
        if (p->unit > 0 || p->width > 0)
                inode->flags |= INODE_LAYOUT_SET;
        else
                inode->flags &= (uint8_t)~INODE_LAYOUT_SET;
        return NFS4_OK;
}

static enum nfsstat4 store(struct compound *c, uint64_t fileid, const struct layout_policy *p,
                           struct change_info *ret)
{
        struct txn *t = txn_begin(mds_of(c)->meta);
        struct inode *inode = txn_edit(t, fileid);
        enum nfsstat4 status = inode ? apply(c, inode, p) : NFS4ERR_STALE;

        if (status != NFS4_OK) {
                txn_abort(t);
                return status;
        }
        *ret = (struct change_info){ .atomic = true, .before = inode->change };
        txn_touch(t, inode, false);
        ret->after = inode->change;
        return change_commit(c, t);
}

/* What a wrong name, value or HOW is answered: never NOTSUPP, which makes Linux believe that there are no
 * extended attributes at all. */
static enum nfsstat4 check(const struct inode *inode, struct slice name, const struct slice *value,
                           enum xattr_how how, struct layout_policy *ret)
{
        if (!is_layout(name))
                return value ? NFS4ERR_PERM : NFS4ERR_NOXATTR;
        if (!has_layout(inode) && (!value || how == XATTR_SET_REPLACE))
                return NFS4ERR_NOXATTR;
        if (has_layout(inode) && how == XATTR_SET_CREATE)
                return NFS4ERR_EXIST;
        if (!value)
                return inode->type == NF4REG ? NFS4ERR_PERM : NFS4_OK;
        return layout_policy_parse(*value, ret) ? NFS4_OK : NFS4ERR_INVAL;
}

enum nfsstat4 xattr_layout_set(struct compound *c, const struct subject *s, struct slice name,
                               const struct slice *value, enum xattr_how how, struct change_info *ret)
{
        struct layout_policy policy = { 0 };
        enum nfsstat4 status = check(s->inode, name, value, how, &policy);

        if (status == NFS4_OK && s->inode->type == NF4REG)
                status = reshape_begin(c, &OP_WAIT(c, struct setxattr_wait)->reshape, s->inode);
        return status == NFS4_OK ? store(c, s->inode->fileid, &policy, ret) : status;
}
