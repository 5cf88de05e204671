/* SPDX-License-Identifier: Apache-2.0 */
/* RENAME, RFC 8881 §18.26: the name in the saved directory becomes a name in the current one.
 *
 * The RFC: atomic; an existing target goes when it is of the same kind (and, a directory, empty), else EXIST;
 * two names of one object: nothing happens; across file systems XDEV. We also refuse to move a directory into
 * itself (INVAL), and ask for write permission on a directory that gets another parent (rename(2)). */
#include "mds/ns/orphan.h"
#include "mds/op/change.h"
#include "mds/ops.h"
#include "mds/state/delegation.h"
#include "mds/tier/archive.h"

struct rename_args {
        struct slice old_name, new_name;
};
struct rename_res {
        struct change_info source, target;
};

/* What a rename is about, before anything is changed. */
struct rename {
        struct subject from, to; /* the directories */
        const struct inode *moved;
        const struct inode *victim; /* NULL: the new name is free */
        bool nothing_to_do;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct rename_args *a = OP_ARGS(c, struct rename_args);

        a->old_name = xdr_get_opaque(x, UINT32_MAX);
        a->new_name = xdr_get_opaque(x, UINT32_MAX);
        c->decode_status = check_name(a->old_name);
        if (c->decode_status == NFS4_OK)
                c->decode_status = check_name(a->new_name);
}

static enum nfsstat4 find_dirs(struct compound *c, struct rename *r)
{
        enum nfsstat4 status = subject_dir(c, &c->saved_fh, PERM_X, &r->from);

        if (status == NFS4_OK)
                status = subject_dir(c, &c->fh, PERM_X, &r->to);
        if (status != NFS4_OK)
                return status == NFS4ERR_SYMLINK ? NFS4ERR_NOTDIR : status;
        if ((r->from.pseudo != NULL) != (r->to.pseudo != NULL) || r->from.fh.export_id != r->to.fh.export_id)
                return NFS4ERR_XDEV;
        return r->from.pseudo ? NFS4ERR_ROFS : NFS4_OK;
}

static enum nfsstat4 find_names(struct compound *c, const struct rename_args *a, struct rename *r)
{
        enum nfsstat4 status = subject_child(c, &r->from, a->old_name, &r->moved);

        if (status != NFS4_OK)
                return status;
        status = subject_child(c, &r->to, a->new_name, &r->victim);
        if (status == NFS4ERR_NOENT)
                r->victim = NULL;
        else if (status != NFS4_OK)
                return status;
        r->nothing_to_do = r->victim == r->moved;
        return NFS4_OK;
}

/* Is DIR the directory MOVED, or below it? */
static enum nfsstat4 check_loop(struct compound *c, const struct inode *dir, const struct inode *moved)
{
        while (dir->fileid != moved->fileid) {
                int r;

                if (dir->parent == 0)
                        return NFS4_OK;
                r = meta_inode(mds_of(c)->meta, dir->parent, &dir);
                if (r < 0)
                        return NFS4ERR_IO;
        }
        return NFS4ERR_INVAL;
}

static enum nfsstat4 check_victim(const struct rename *r)
{
        if (!r->victim)
                return NFS4_OK;
        if (subject_may_remove(&r->to, r->victim) != NFS4_OK)
                return NFS4ERR_ACCESS;
        if ((r->moved->type == NF4DIR) != (r->victim->type == NF4DIR))
                return NFS4ERR_EXIST;
        return change_is_full_dir(r->victim) ? NFS4ERR_NOTEMPTY : NFS4_OK;
}

static enum nfsstat4 check_moved(struct compound *c, const struct rename *r)
{
        bool other_parent = r->from.inode->fileid != r->to.inode->fileid;

        if (r->moved->type != NF4DIR || !other_parent)
                return NFS4_OK;
        if (!perm_ok(&r->from.who, r->moved, PERM_W))
                return NFS4ERR_ACCESS; /* its ".." changes */
        if (r->to.inode->nlink >= LINKS_MAX && !r->victim)
                return NFS4ERR_MLINK;
        return check_loop(c, r->to.inode, r->moved);
}

static enum nfsstat4 check(struct compound *c, struct rename *r)
{
        enum nfsstat4 status = find_dirs(c, r);

        if (status == NFS4_OK)
                status = find_names(c, OP_ARGS(c, struct rename_args), r);
        if (status == NFS4_OK)
                status = subject_may_remove(&r->from, r->moved);
        if (status == NFS4_OK)
                status = subject_may_add(&r->to, r->moved->type);
        if (status != NFS4_OK || r->nothing_to_do)
                return status;
        status = check_moved(c, r);
        if (status == NFS4_OK)
                status = archive_may_move(mds_of(c), r->moved, r->from.inode, r->to.inode);
        if (status == NFS4_OK && r->moved->type == NF4DIR)
                status = archive_may_name(mds_of(c), r->to.inode, OP_ARGS(c, struct rename_args)->new_name);
        return status == NFS4_OK ? check_victim(r) : status;
}

static enum nfsstat4 drop_victim(struct compound *c, struct txn *t, const struct rename *r, struct inode *to,
                                 struct orphan *orphan)
{
        struct inode *victim = txn_edit(t, r->victim->fileid);
        int error;

        if (!victim)
                return NFS4ERR_IO;
        error = txn_unlink(t, to->fileid, OP_ARGS(c, struct rename_args)->new_name);
        if (error == 0)
                change_unlink(mds_of(c), t, to, OP_ARGS(c, struct rename_args)->new_name, victim, orphan);
        return nfs4_status_from_errno(error);
}

static enum nfsstat4 move(struct compound *c, struct txn *t, const struct rename *r, struct orphan *orphan)
{
        const struct rename_args *a = OP_ARGS(c, struct rename_args);
        struct rename_res *res = OP_RES(c, struct rename_res);
        struct inode *from = txn_edit(t, r->from.inode->fileid), *to = txn_edit(t, r->to.inode->fileid);
        struct inode *moved = txn_edit(t, r->moved->fileid);
        enum nfsstat4 status = NFS4_OK;
        int error;

        if (!from || !to || !moved)
                return NFS4ERR_IO;
        res->source.before = from->change;
        res->target.before = to->change;
        if (r->victim)
                status = drop_victim(c, t, r, to, orphan);
        if (status != NFS4_OK)
                return status;
        error = txn_unlink(t, from->fileid, a->old_name);
        if (error == 0)
                error = txn_link(t, to->fileid, a->new_name, moved->fileid, moved->type);
        if (error < 0)
                return nfs4_status_from_errno(error);
        if (moved->type == NF4DIR) {
                from->nlink--;
                to->nlink++;
                moved->parent = to->fileid;
        }
        txn_touch(t, moved, false);
        change_dir(t, from, &res->source);
        if (to != from)
                change_dir(t, to, &res->target);
        else
                res->target = res->source;
        archive_moved(mds_of(c), t, from, a->old_name, to, a->new_name, moved);
        return NFS4_OK;
}

/* Delegations of what is moved and of what goes are given back first; both at the same time. */
static enum nfsstat4 recall(struct compound *c, const struct rename *r)
{
        struct delegation_wait *w = OP_WAIT(c, struct delegation_wait);
        enum nfsstat4 status;

        if (r->victim)
                delegation_conflict_by_change(c, r->victim->fileid, NULL);
        status = delegation_conflict_by_change(c, r->moved->fileid, w);
        return status == NFS4_OK && r->victim ? delegation_conflict_by_change(c, r->victim->fileid, w)
                                              : status;
}

static void unchanged(struct change_info *ret, const struct inode *dir)
{
        *ret = (struct change_info){ .atomic = true, .before = dir->change, .after = dir->change };
}

static enum nfsstat4 execute(struct compound *c)
{
        struct rename_res *res = OP_RES(c, struct rename_res);
        struct orphan orphan = { 0 };
        struct rename r = { 0 };
        enum nfsstat4 status = check(c, &r);
        struct txn *t;

        if (status != NFS4_OK)
                return status;
        if (r.nothing_to_do) {
                unchanged(&res->source, r.from.inode);
                unchanged(&res->target, r.to.inode);
                return NFS4_OK;
        }
        status = recall(c, &r);
        if (status != NFS4_OK)
                return status;
        t = txn_begin(mds_of(c)->meta);
        status = move(c, t, &r, &orphan);
        if (status != NFS4_OK) {
                txn_abort(t);
                return status;
        }
        status = change_commit(c, t);
        if (status == NFS4_OK)
                orphan_finish(mds_of(c), &orphan, c->client);
        return status;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct rename_res *res = OP_RES(c, struct rename_res);

        (void)status;
        put_change_info(x, &res->source);
        put_change_info(x, &res->target);
}

static struct slice acts_on(struct compound *c, bool saved)
{
        const struct rename_args *a = OP_ARGS(c, struct rename_args);

        return saved ? a->old_name : a->new_name;
}

const struct nfs4_op op_rename = {
        .name = "RENAME",
        .flags = OP_NEEDS_FH | OP_NEEDS_SAVED_FH | OP_MUTATES | OP_PSEUDO | OP_NAMES,
        .reply_max = 48,
        .decode = decode,
        .execute = execute,
        .resume = execute,
        .encode = encode,
        .acts_on = acts_on,
};
