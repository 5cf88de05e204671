/* SPDX-License-Identifier: Apache-2.0 */
/* SETATTR, RFC 8881 §18.30.
 *
 * The RFC: sets what it can and tells what it set; the stateid counts for the size only, which is like a
 * write: OPENMODE, LOCKED, special stateids. We: everything is checked first, then all of it happens or
 * nothing. The size of a file with data on data servers is set there first (mds/pnfs/size.h), so this may
 * wait; the other attributes follow. When a mode or an owner takes access away, layouts of other clients are
 * taken back (§13.12), and no handle of theirs is good any more when the answer leaves. POSIX rules for
 * chmod, chown and utimes: mds/ns/setattr.c.
 *
 * RFC 9754: who has a delegation for writing with the times sets those that it kept, by the delegation's
 * stateid, before it returns it. A new access time does not move ctime, a new mtime moves ctime as far as
 * that at the most. We: alone, not together with other attributes. */
#include <sys/stat.h>

#include "mds/op/io.h"
#include "mds/op/resize.h"
#include "mds/ops.h"
#include "mds/pnfs/recall.h"
#include "mds/pnfs/size.h"
#include "mds/state/delegation.h"

struct setattr_args {
        struct stateid stateid;
        struct attr_set set;
};

/* What it waits for: others' delegations, then news of data servers, then the cut, then the fence of others'
 * layouts. Below what size_truncate() keeps there. */
struct setattr_wait {
        struct delegation_wait delegation;
        struct size_wait size;
        struct fence_wait fence;
        struct compound *compound;
        enum nfsstat4 status;
        enum { RECALLING, HEARING, CUTTING, FENCING } step;
};
_Static_assert(sizeof(struct setattr_wait) <= SIZE_WAIT_AT, "both fit the wait area");

static void decode(struct compound *c, struct xdr_in *x)
{
        struct setattr_args *a = OP_ARGS(c, struct setattr_args);

        get_stateid(x, &a->stateid);
        attrs_decode(x, &a->set, &c->decode_status);
        if (c->decode_status == NFS4_OK && bitmap_has(&a->set.mask, FATTR4_MODE_UMASK))
                c->decode_status = NFS4ERR_INVAL; /* RFC 8275 §5.2: for what is new */
}

static bool sets_size(const struct setattr_args *a)
{
        return bitmap_has(&a->set.mask, FATTR4_SIZE);
}

static bool sets_more(const struct setattr_args *a)
{
        struct bitmap4 rest = a->set.mask;

        bitmap_clear(&rest, FATTR4_SIZE);
        return (rest.word[0] | rest.word[1] | rest.word[2]) != 0;
}

static bool sets_delegated(const struct setattr_args *a)
{
        return bitmap_has(&a->set.mask, FATTR4_TIME_DELEG_ACCESS) ||
               bitmap_has(&a->set.mask, FATTR4_TIME_DELEG_MODIFY);
}

static enum nfsstat4 check_delegated(struct compound *c, struct setattr_args *a)
{
        struct bitmap4 rest = a->set.mask;
        struct delegation *one;
        enum nfsstat4 status = compound_stateid(c, &a->stateid);

        bitmap_clear(&rest, FATTR4_TIME_DELEG_ACCESS);
        bitmap_clear(&rest, FATTR4_TIME_DELEG_MODIFY);
        if (status == NFS4_OK)
                status = delegation_find(mds_of(c)->delegations, c->client, &a->stateid, &one);
        if (status != NFS4_OK)
                return status;
        if (one->fileid != c->fh.fileid)
                return NFS4ERR_BAD_STATEID;
        return one->timestamps && (rest.word[0] | rest.word[1] | rest.word[2]) == 0 ? NFS4_OK : NFS4ERR_INVAL;
}

static enum nfsstat4 check_size(struct compound *c, struct setattr_args *a, const struct subject *s)
{
        enum nfsstat4 status;

        if (s->inode->type != NF4REG)
                return s->inode->type == NF4DIR ? NFS4ERR_ISDIR : NFS4ERR_WRONG_TYPE;
        status = io_check(c, &a->stateid, OPEN4_SHARE_ACCESS_WRITE);
        /* truncate(2), unlike ftruncate(2) under an open, asks the mode, of the owner too. */
        if (status == NFS4_OK && stateid_is_special(&a->stateid) && !perm_ok(&s->who, s->inode, PERM_W))
                return NFS4ERR_ACCESS;
        return status;
}

static enum nfsstat4 check(struct compound *c, struct setattr_args *a, struct subject *s)
{
        enum nfsstat4 status = subject_inode(c, &c->fh, s);

        if (status == NFS4_OK && s->who.rule->access != EXPORT_RW)
                status = NFS4ERR_ROFS;
        if (status == NFS4_OK && sets_delegated(a))
                return check_delegated(c, a);
        if (status == NFS4_OK && sets_size(a))
                status = check_size(c, a, s);
        return status == NFS4_OK ? attrs_may_set(&s->who, s->inode, &a->set) : status;
}

/* May somebody who had access have lost it? A list may take it from anybody, and a chmod from who is listed.
 */
static bool is_narrower(const struct inode *before, const struct inode *after, const struct attr_set *set)
{
        bool mode = bitmap_has(&set->mask, FATTR4_MODE) || bitmap_has(&set->mask, FATTR4_MODE_SET_MASKED);

        return after->type == NF4REG &&
               ((before->mode & ~after->mode & ACCESSPERMS) != 0 || before->uid != after->uid ||
                before->gid != after->gid || bitmap_has(&set->mask, FATTR4_ACL) ||
                (mode && before->flags & INODE_ACL));
}

static void fenced(struct fence_wait *fence)
{
        compound_wake(CONTAINER(fence, struct setattr_wait, fence)->compound);
}

static enum nfsstat4 shut_out(struct compound *c)
{
        struct setattr_wait *w = OP_WAIT(c, struct setattr_wait);
        const struct inode *file;

        if (meta_inode(mds_of(c)->meta, c->fh.fileid, &file) < 0)
                return NFS4ERR_STALE;
        w->step = FENCING;
        w->compound = c;
        w->fence.done = fenced;
        return recall_file(mds_of(c)->recalls, file, RECALL_HOLDERS, c->client, &w->fence) ? NFS4_WAIT
                                                                                           : NFS4_OK;
}

/* All that is set here, in one transaction. */
static enum nfsstat4 store(struct compound *c, const struct setattr_args *a, const struct caller *who,
                           bool with_size)
{
        struct txn *t = txn_begin(mds_of(c)->meta);
        struct inode *inode = txn_edit(t, c->fh.fileid), before;
        enum nfsstat4 status;
        bool narrower;

        if (!inode) {
                txn_abort(t);
                return NFS4ERR_STALE;
        }
        before = *inode;
        inode->flags &=
                (uint8_t)~INODE_EXCLUSIVE; /* what made it has its answer: the verifier has done its work */
        if (with_size)
                resize_inode(t, who, inode, a->set.size);
        else
                txn_touch(t, inode, false);
        attrs_apply(who, inode, &a->set, inode->ctime);
        attrs_apply_acl(mds_of(c)->meta, t, inode, &a->set);
        narrower = is_narrower(&before, inode, &a->set);
        status = change_commit(c, t);
        if (with_size)
                delegation_resized(mds_of(c)->delegations, c->fh.fileid);
        return status == NFS4_OK && narrower ? shut_out(c) : status;
}

/* Nothing is written when nothing is new: a holder says its times whether it has touched the file or not. */
static enum nfsstat4 store_delegated(struct compound *c, const struct attr_set *set, const struct inode *file)
{
        int64_t now = (int64_t)env_wall(mds_of(c)->env), ctime = file->ctime;
        int64_t atime = bitmap_has(&set->mask, FATTR4_TIME_DELEG_ACCESS)
                                ? delegated_time(set->time_deleg_access, now)
                                : file->atime;
        int64_t mtime = bitmap_has(&set->mask, FATTR4_TIME_DELEG_MODIFY)
                                ? delegated_time(set->time_deleg_modify, now)
                                : file->mtime;
        struct inode *inode;
        struct txn *t;

        if (atime == file->atime && mtime == file->mtime)
                return NFS4_OK;
        t = txn_begin(mds_of(c)->meta);
        inode = txn_edit(t, c->fh.fileid);
        if (!inode) {
                txn_abort(t);
                return NFS4ERR_STALE;
        }
        inode->atime = atime;
        if (mtime != inode->mtime) {
                txn_touch(t, inode, false); /* for the change attribute */
                inode->ctime = mtime > ctime ? mtime : ctime;
                inode->mtime = mtime;
        }
        return change_commit(c, t);
}

/* What data servers have not told yet would come later as news, which moves mtime and takes set-id bits away:
 * what the client sets now must not be lost to what it wrote before (cp -p, install). */
static bool must_hear_first(const struct setattr_args *a, const struct inode *inode)
{
        bool set_id = bitmap_has(&a->set.mask, FATTR4_MODE) && (a->set.mode & (S_SETUID | S_SETGID)) != 0;

        if (bitmap_has(&a->set.mask, FATTR4_MODE_SET_MASKED))
                set_id = (a->set.mode & (S_SETUID | S_SETGID)) != 0;
        return inode->type == NF4REG &&
               (set_id || bitmap_has(&a->set.mask, FATTR4_TIME_DELEG_MODIFY) ||
                (bitmap_has(&a->set.mask, FATTR4_TIME_MODIFY_SET) && !a->set.mtime_now));
}

static void heard(struct size_wait *size, enum nfsstat4 status)
{
        struct setattr_wait *w = CONTAINER(size, struct setattr_wait, size);

        w->status = status;
        compound_wake(w->compound);
}

static enum nfsstat4 hear(struct compound *c)
{
        struct setattr_wait *w = OP_WAIT(c, struct setattr_wait);

        *w = (struct setattr_wait){ .compound = c, .size.done = heard, .step = HEARING };
        size_wait(mds_of(c)->sizes, c->fh.fileid, &w->size);
        return NFS4_WAIT;
}

/* Everything may be set. */
static enum nfsstat4 set(struct compound *c, struct setattr_args *a, const struct subject *s)
{
        struct setattr_wait *w = OP_WAIT(c, struct setattr_wait);

        if (sets_delegated(a)) {
                enum nfsstat4 status = check_delegated(c, a); /* it may have waited since */

                return status == NFS4_OK ? store_delegated(c, &a->set, s->inode) : status;
        }
        if (sets_size(a) && resize_waits(c, s->inode, a->set.size)) {
                w->step = CUTTING;
                return size_truncate(c, c->fh.fileid, a->set.size, setid_cleared_by(&s->who, s->inode));
        }
        return sets_size(a) || sets_more(a) ? store(c, a, &s->who, sets_size(a)) : NFS4_OK;
}

static enum nfsstat4 recall(struct compound *c, const struct subject *s)
{
        struct setattr_wait *w = OP_WAIT(c, struct setattr_wait);

        w->step = RECALLING;
        return delegation_conflict_by_change(c, s->inode->fileid, &w->delegation);
}

static enum nfsstat4 execute(struct compound *c)
{
        struct setattr_args *a = OP_ARGS(c, struct setattr_args);
        struct subject s;
        enum nfsstat4 status = check(c, a, &s);

        if (status == NFS4_OK && !sets_delegated(a)) /* the delegation is proof that there is no other */
                status = recall(c, &s);
        if (status != NFS4_OK)
                return status;
        if (must_hear_first(a, s.inode) && !size_is_current(mds_of(c)->sizes, c->fh.fileid))
                return hear(c);
        return set(c, a, &s);
}

static enum nfsstat4 resume(struct compound *c)
{
        struct setattr_args *a = OP_ARGS(c, struct setattr_args);
        const struct setattr_wait *w = OP_WAIT(c, struct setattr_wait);
        bool cut = w->step == CUTTING;
        enum nfsstat4 status;
        struct subject s;

        if (w->step == RECALLING)
                return execute(c);
        if (w->step == FENCING)
                return NFS4_OK;
        status = cut ? size_truncate_result(c) : w->status;
        if (status != NFS4_OK || (cut && !sets_more(a)))
                return status;
        status = subject_inode(c, &c->fh, &s);
        if (status != NFS4_OK)
                return status;
        return cut ? store(c, a, &s.who, false) : set(c, a, &s);
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        static const struct bitmap4 nothing = { 0 };

        put_bitmap(x, status == NFS4_OK ? &OP_ARGS(c, struct setattr_args)->set.mask : &nothing);
}

const struct nfs4_op op_setattr = {
        .name = "SETATTR",
        .flags = OP_NEEDS_FH | OP_MUTATES | OP_ENCODES_ERRORS | OP_PSEUDO,
        .reply_max = 24,
        .decode = decode,
        .execute = execute,
        .resume = resume,
        .encode = encode,
};
