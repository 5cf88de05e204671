/* SPDX-License-Identifier: Apache-2.0 */
/* RENAME, RFC 8881 §18.26: from a name in the saved directory to a name in the current one, in one transaction.
 *
 * The RFC: two names of one object: nothing happens, OK. A target of the other kind is EXIST. We: a target directory that
 * is not empty is NOTEMPTY (what POSIX says; the RFC allows it); a replaced file that is open lives until its last CLOSE;
 * a directory cannot be moved below itself (INVAL), and moving it to another parent needs write permission on it, because
 * its ".." changes. */
#include <errno.h>

#include "mds/ns/orphan.h"
#include "mds/op/dir.h"
#include "mds/ops.h"

struct rename_args {
        struct slice from, to;
};
struct rename_res {
        struct change_info source, target;
};

/* What was found out before anything is changed. */
struct move {
        uint64_t from_dir, to_dir, object, replaced; /* replaced 0: nothing */
        struct orphan orphan;                        /* what becomes of it */
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct rename_args *a = OP_ARGS(c, struct rename_args);

        a->from = xdr_get_opaque(x, UINT32_MAX);
        a->to = xdr_get_opaque(x, UINT32_MAX);
}

/* Is DIR the directory ANCESTOR, or below it? */
static bool is_below(struct meta *meta, uint64_t dir, uint64_t ancestor)
{
        const struct inode *inode;

        while (dir != ancestor) {
                if (dir == ROOT_FILEID || meta_inode(meta, dir, &inode) < 0)
                        return false;
                dir = inode->parent;
        }
        return true;
}

static enum nfsstat4 check_replaced(const struct caller *who, const struct inode *to_dir, const struct inode *object, const struct inode *replaced)
{
        if (!sticky_allows(who, to_dir, replaced))
                return NFS4ERR_ACCESS;
        if ((object->type == NF4DIR) != (replaced->type == NF4DIR))
                return NFS4ERR_EXIST;
        if (replaced->type == NF4DIR && replaced->size > 0)
                return NFS4ERR_NOTEMPTY;
        return NFS4_OK;
}

static enum nfsstat4 check(struct compound *c, const struct rename_args *a, struct move *m)
{
        const struct inode *from_dir, *to_dir, *object, *replaced = NULL;
        struct caller who;
        enum nfsstat4 status = dir_get(c, &c->saved_fh, MAY_WRITE | MAY_SEARCH, &who, &from_dir);

        if (status == NFS4_OK)
                status = dir_get(c, &c->fh, MAY_WRITE | MAY_SEARCH, &who, &to_dir);
        if (status == NFS4_OK && c->fh.export_id != c->saved_fh.export_id)
                status = NFS4ERR_XDEV;
        if (status == NFS4_OK)
                status = dir_lookup(c, from_dir, a->from, &object);
        if (status != NFS4_OK)
                return status;
        if (!sticky_allows(&who, from_dir, object))
                return NFS4ERR_ACCESS;
        if (to_dir->nlink == 0)
                return NFS4ERR_NOENT;
        if (object->type == NF4DIR && is_below(mds_of(c)->meta, to_dir->fileid, object->fileid))
                return NFS4ERR_INVAL;
        if (object->type == NF4DIR && from_dir != to_dir && !perm_ok(&who, object, MAY_WRITE))
                return NFS4ERR_ACCESS;
        status = dir_lookup(c, to_dir, a->to, &replaced);
        if (status != NFS4_OK && status != NFS4ERR_NOENT)
                return status;
        if (status == NFS4ERR_NOENT)
                replaced = NULL;
        *m = (struct move){ .from_dir = from_dir->fileid,
                            .to_dir = to_dir->fileid,
                            .object = object->fileid,
                            .replaced = replaced ? replaced->fileid : 0 };
        return replaced && replaced != object ? check_replaced(&who, to_dir, object, replaced) : NFS4_OK;
}

static void drop_replaced(struct compound *c, struct txn *t, struct inode *to_dir, struct inode *replaced, struct orphan *ret)
{
        txn_touch(t, replaced, false);
        if (replaced->type == NF4DIR) {
                to_dir->nlink--;
                txn_delete_inode(t, replaced->fileid);
        } else if (--replaced->nlink == 0) {
                orphan_unlinked(mds_of(c), t, replaced, ret);
        }
}

static int edit(struct compound *c, const struct rename_args *a, struct move *m, struct txn *t)
{
        struct rename_res *r = OP_RES(c, struct rename_res);
        struct inode *from = txn_edit(t, m->from_dir), *to = from ? txn_edit(t, m->to_dir) : NULL;
        struct inode *object = to ? txn_edit(t, m->object) : NULL;
        struct inode *replaced = object && m->replaced ? txn_edit(t, m->replaced) : NULL;
        int e = !object || (m->replaced && !replaced) ? -EIO : 0;

        if (e == 0 && replaced)
                e = txn_unlink(t, m->to_dir, a->to);
        if (e == 0)
                e = txn_unlink(t, m->from_dir, a->from);
        if (e == 0)
                e = txn_link(t, m->to_dir, a->to, m->object, object->type);
        if (e < 0)
                return e;
        r->source = (struct change_info){ .atomic = true, .before = from->change };
        r->target = (struct change_info){ .atomic = true, .before = to->change };
        if (replaced)
                drop_replaced(c, t, to, replaced, &m->orphan);
        if (object->type == NF4DIR && from != to) {
                from->nlink--;
                to->nlink++;
                object->parent = m->to_dir;
        }
        txn_touch(t, object, false);
        txn_touch(t, from, true);
        if (to != from)
                txn_touch(t, to, true);
        r->source.after = from->change;
        r->target.after = to->change;
        return 0;
}

static enum nfsstat4 unchanged(struct compound *c, const struct move *m)
{
        struct rename_res *r = OP_RES(c, struct rename_res);
        const struct inode *dir;

        meta_inode(mds_of(c)->meta, m->from_dir, &dir);
        r->source = (struct change_info){ true, dir->change, dir->change };
        meta_inode(mds_of(c)->meta, m->to_dir, &dir);
        r->target = (struct change_info){ true, dir->change, dir->change };
        return NFS4_OK;
}

static enum nfsstat4 execute(struct compound *c)
{
        const struct rename_args *a = OP_ARGS(c, struct rename_args);
        struct move m = { 0 };
        struct txn *t;
        enum nfsstat4 status = check_name(a->from);
        int e;

        if (status == NFS4_OK)
                status = check_name(a->to);
        if (status == NFS4_OK)
                status = check(c, a, &m);
        if (status != NFS4_OK)
                return status;
        if (m.replaced == m.object)
                return unchanged(c, &m);
        t = txn_begin(mds_of(c)->meta);
        e = edit(c, a, &m, t);
        if (e < 0) {
                txn_abort(t);
                return nfs4_status_from_errno(e);
        }
        e = txn_commit(t, &c->commit_seq);
        if (e == 0)
                orphan_finish(mds_of(c), &m.orphan);
        return nfs4_status_from_errno(e);
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        (void)status;
        put_change_info(x, &OP_RES(c, struct rename_res)->source);
        put_change_info(x, &OP_RES(c, struct rename_res)->target);
}

const struct nfs4_op op_rename = {
        .name = "RENAME",
        .flags = OP_NEEDS_FH | OP_NEEDS_SAVED_FH | OP_MUTATES,
        .reply_max = 8 + 40,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
