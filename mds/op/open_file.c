/* SPDX-License-Identifier: Apache-2.0 */
/* The second half of OPEN: making a file, or opening one that is there (RFC 8881 §18.16.3). */
#include "mds/op/open.h"
#include "mds/op/resize.h"
#include "mds/pnfs/recall.h"
#include "mds/state/courtesy.h"
#include "mds/state/open.h"
#include "mds/state/recovery.h"
#include "mds/tier/evict.h"

static void succeed(struct compound *c, const struct open_state *state, const struct fh *fh)
{
        OP_RES(c, struct open_res)->stateid = state->stateid;
        compound_set_fh(c, fh);
        compound_set_stateid(c, &state->stateid);
}

/* --- a new file */

static enum nfsstat4 make(struct compound *c, struct txn *t, const struct subject *dir,
                          struct open_state **ret)
{
        const struct open_args *a = OP_ARGS(c, struct open_args);
        struct open_res *r = OP_RES(c, struct open_res);
        struct inode *inode, *parent;
        enum nfsstat4 status = change_new(c, t, dir, NF4REG, &a->attrs, &inode, &parent);

        if (status != NFS4_OK)
                return status;
        if (bitmap_has(&a->attrs.mask, FATTR4_SIZE))
                inode->size = a->attrs.size;
        if (open_is_exclusive(a)) {
                inode->flags |= INODE_EXCLUSIVE;
                memcpy(inode->verifier, a->verifier, sizeof(inode->verifier));
        }
        r->cinfo.before = parent->change;
        r->attrset = a->attrs.mask;
        status = change_link(mds_of(c), t, parent, a->name, inode);
        if (status != NFS4_OK)
                return status;
        change_dir(t, parent, &r->cinfo);
        r->fh = inode_fh(dir->fh.export_id, inode);
        /* Last: what can fail after it is the store only, and then it is taken back. */
        return open_add(mds_of(c)->opens, c->client, a->owner, inode->fileid, r->fh.export_id,
                        (uint8_t)a->access, (uint8_t)a->deny, ret);
}

enum nfsstat4 open_new(struct compound *c, const struct open_target *target)
{
        struct mds *mds = mds_of(c);
        struct open_state *state;
        struct txn *t;
        enum nfsstat4 status = subject_may_add(&target->dir, NF4REG);

        if (status != NFS4_OK)
                return status;
        status = recovery_record(c);
        if (status != NFS4_OK)
                return status;
        t = txn_begin(mds->meta);
        status = make(c, t, &target->dir, &state);
        if (status != NFS4_OK) {
                txn_abort(t);
                return status;
        }
        status = change_commit(c, t);
        if (status == NFS4_OK) {
                delegation_refuse(OP_ARGS(c, struct open_args)->want,
                                  &OP_RES(c, struct open_res)->delegation);
                succeed(c, state, &OP_RES(c, struct open_res)->fh);
        } else
                open_close(mds->opens, state);
        return status;
}

/* --- a file that is there */

/* A retry of the OPEN that made it? */
static bool is_own_creation(const struct open_args *a, const struct inode *file)
{
        return open_is_exclusive(a) && (file->flags & INODE_EXCLUSIVE) != 0 &&
               memcmp(file->verifier, a->verifier, sizeof(a->verifier)) == 0;
}

/* §18.16.3: of the attributes for a new file only a size of 0 means something for an old one. */
static bool cuts(const struct open_args *a)
{
        return a->create && a->how == UNCHECKED4 && bitmap_has(&a->attrs.mask, FATTR4_SIZE) &&
               a->attrs.size == 0;
}

/* By the mode: who may execute a file may have it read for that; who shuts out readers must be able to write.
 */
static enum nfsstat4 check_mode(const struct open_args *a, const struct subject *file)
{
        const struct inode *inode = file->inode;
        bool writes = (a->access & OPEN4_SHARE_ACCESS_WRITE) != 0 || cuts(a);

        if (writes && file->who.rule->access != EXPORT_RW)
                return NFS4ERR_ROFS;
        if ((a->claim == CLAIM_PREVIOUS || open_is_delegated(a)) && perm_owner(&file->who, inode))
                return NFS4_OK; /* it was looked at when it was opened; the owner may have changed it since */
        if ((writes || a->deny & OPEN4_SHARE_DENY_READ) && !perm_ok(&file->who, inode, PERM_W))
                return NFS4ERR_ACCESS;
        if (a->access & OPEN4_SHARE_ACCESS_READ && !perm_ok(&file->who, inode, PERM_R) &&
            !perm_ok(&file->who, inode, PERM_X))
                return NFS4ERR_ACCESS;
        return NFS4_OK;
}

/* What others may deny. */
static uint8_t share_access(const struct open_args *a)
{
        return (uint8_t)(a->access | (cuts(a) ? OPEN4_SHARE_ACCESS_WRITE : 0));
}

/* §10.4: what the holders of delegations must not miss. */
static enum nfsstat4 recall(struct compound *c, uint64_t fileid)
{
        const struct open_args *a = OP_ARGS(c, struct open_args);
        struct open_wait *w = OP_WAIT(c, struct open_wait);
        bool writes = a->access & OPEN4_SHARE_ACCESS_WRITE || a->deny & OPEN4_SHARE_DENY_READ || cuts(a);
        enum nfsstat4 status = writes ? delegation_conflict(c, fileid, &w->delegation)
                                      : delegation_conflict_by_reading(c, fileid, &w->delegation);

        if (status == NFS4_WAIT)
                w->step = OPEN_RECALLING;
        return status;
}

static enum nfsstat4 check_existing(struct compound *c, struct subject *file)
{
        const struct open_args *a = OP_ARGS(c, struct open_args);
        struct mds *mds = mds_of(c);
        uint64_t fileid = file->inode->fileid;
        bool own = is_own_creation(a, file->inode);
        enum nfsstat4 status;

        if (a->create && a->how != UNCHECKED4 && !own)
                return NFS4ERR_EXIST;
        if (file->inode->type == NF4DIR)
                return NFS4ERR_ISDIR;
        if (file->inode->type != NF4REG)
                return file->inode->type == NF4LNK ? NFS4ERR_SYMLINK : NFS4ERR_WRONG_TYPE;
        status = own ? NFS4_OK : check_mode(a, file);
        if (status == NFS4_OK && open_is_delegated(a))
                status = delegation_check(mds->delegations, c->client, &a->delegation, fileid, a->access);
        if (status != NFS4_OK)
                return status;
        status = courtesy_share(mds->courtesy, fileid, open_of(mds->opens, c->client, a->owner, fileid),
                                share_access(a), (uint8_t)a->deny);
        if (status == NFS4ERR_SHARE_DENIED && a->claim == CLAIM_PREVIOUS)
                return NFS4ERR_RECLAIM_CONFLICT;
        if (status == NFS4_OK)
                status = recall(c, fileid);
        if (status == NFS4_OK && meta_inode(mds->meta, fileid, &file->inode) < 0)
                return NFS4ERR_STALE; /* it had no name, and who had it open was the one that yielded */
        return status;
}

static enum recall_whom denied_holders(const struct open_args *a)
{
        return a->deny & OPEN4_SHARE_DENY_READ ? RECALL_HOLDERS : RECALL_WRITERS;
}

/* While this waited, was somebody given a layout for what it denies? Then all begins anew. */
static bool is_outrun(struct compound *c)
{
        const struct open_args *a = OP_ARGS(c, struct open_args);

        return a->deny != OPEN4_SHARE_DENY_NONE &&
               recall_is_outrun(mds_of(c)->recalls, OP_RES(c, struct open_res)->fh.fileid, denied_holders(a),
                                c->client, OP_WAIT(c, struct open_wait)->epoch);
}

static void delegate(struct compound *c, const struct fh *fh)
{
        const struct open_args *a = OP_ARGS(c, struct open_args);
        struct open_delegation *ret = &OP_RES(c, struct open_res)->delegation;

        if (a->claim == CLAIM_PREVIOUS && a->delegate_type != OPEN_DELEGATE_NONE)
                delegation_reclaim(c, fh, a->delegate_type, a->want, ret);
        else if (a->claim == CLAIM_PREVIOUS || open_is_delegated(a) || open_is_exclusive(a) || cuts(a))
                delegation_refuse(a->want, ret);
        else
                delegation_offer(c, fh, a->access, a->deny, a->want, ret);
}

/* The delegation stands for the open, also for what follows in the compound (LAYOUTGET). */
static void succeed_delegated(struct compound *c, struct open_state *state)
{
        struct open_res *r = OP_RES(c, struct open_res);

        open_close(mds_of(c)->opens, state); /* not the last: the delegation counts as one */
        r->only_delegated = true;
        compound_set_fh(c, &r->fh);
        compound_set_stateid(c, &r->delegation.stateid);
}

/* Who has the file open already by a stateid keeps that one, and closes it. */
static enum nfsstat4 finish(struct compound *c)
{
        const struct open_args *a = OP_ARGS(c, struct open_args);
        const struct open_res *r = OP_RES(c, struct open_res);
        const struct fh *fh = &r->fh;
        const struct inode *file;
        struct open_state *state;
        bool again = open_of(mds_of(c)->opens, c->client, a->owner, fh->fileid) != NULL;
        enum nfsstat4 status = is_outrun(c) ? NFS4ERR_DELAY : recovery_record(c);

        if (status == NFS4_OK)
                status = open_add(mds_of(c)->opens, c->client, a->owner, fh->fileid, fh->export_id,
                                  (uint8_t)a->access, (uint8_t)a->deny, &state);
        if (status != NFS4_OK)
                return status;
        if (meta_inode(mds_of(c)->meta, fh->fileid, &file) == 0)
                evict_note_open(mds_of(c), file);
        delegate(c, fh);
        if (open_is_either(a) && !again && is_delegated(&r->delegation))
                succeed_delegated(c, state);
        else
                succeed(c, state, fh);
        return NFS4_OK;
}

static enum nfsstat4 cut(struct compound *c, const struct subject *file)
{
        struct txn *t;
        struct inode *inode;
        enum nfsstat4 status;

        if (resize_waits(c, file->inode, 0))
                return size_truncate(c, file->inode->fileid, 0, setid_cleared_by(&file->who, file->inode));
        t = txn_begin(mds_of(c)->meta);
        inode = txn_edit(t, file->inode->fileid);
        if (!inode) {
                txn_abort(t);
                return NFS4ERR_STALE;
        }
        resize_inode(t, &file->who, inode, 0);
        status = change_commit(c, t);
        delegation_resized(mds_of(c)->delegations, OP_RES(c, struct open_res)->fh.fileid);
        return status == NFS4_OK ? finish(c) : status;
}

static enum nfsstat4 go_on(struct compound *c, const struct subject *file)
{
        const struct open_args *a = OP_ARGS(c, struct open_args);

        if (!cuts(a))
                return finish(c);
        bitmap_set(&OP_RES(c, struct open_res)->attrset, FATTR4_SIZE);
        return cut(c, file);
}

static void fenced(struct fence_wait *fence)
{
        compound_wake(CONTAINER(fence, struct open_wait, fence)->compound);
}

/* A deny holds at the data servers too: no client that has no open by it, or it would be in conflict, may do
 * there what is denied. */
static bool shut_out(struct compound *c, const struct subject *file)
{
        const struct open_args *a = OP_ARGS(c, struct open_args);
        struct open_wait *w = OP_WAIT(c, struct open_wait);
        struct mds *mds = mds_of(c);
        bool fencing;

        *w = (struct open_wait){ .compound = c, .fence.done = fenced };
        fencing = a->deny != OPEN4_SHARE_DENY_NONE &&
                  recall_file(mds->recalls, file->inode, denied_holders(a), c->client, &w->fence);
        w->epoch = meta_epoch(mds->meta);
        w->step = fencing ? OPEN_FENCING : OPEN_CUTTING;
        return fencing;
}

enum nfsstat4 open_existing(struct compound *c, struct open_target *target)
{
        const struct open_args *a = OP_ARGS(c, struct open_args);
        struct open_res *r = OP_RES(c, struct open_res);
        struct subject *file = &target->file;
        enum nfsstat4 status = check_existing(c, file);

        if (status != NFS4_OK)
                return status;
        if (open_is_by_name(a))
                r->cinfo = (struct change_info){ true, target->dir.inode->change, target->dir.inode->change };
        r->fh = file->fh;
        if (open_is_exclusive(a))
                r->attrset = a->attrs.mask;
        return shut_out(c, file) ? NFS4_WAIT : go_on(c, file);
}

/* Others may have opened it meanwhile. */
static enum nfsstat4 resume_fenced(struct compound *c)
{
        struct subject file;
        enum nfsstat4 status = subject_of(c, &OP_RES(c, struct open_res)->fh, &file);

        OP_WAIT(c, struct open_wait)->step = OPEN_CUTTING;
        if (status == NFS4_OK)
                status = check_existing(c, &file);
        return status == NFS4_OK ? go_on(c, &file) : status;
}

/* The file is cut. Should somebody have denied us meanwhile, this is as if he had come right after the cut.
 */
enum nfsstat4 open_resume(struct compound *c)
{
        const struct inode *inode;
        enum nfsstat4 status;

        if (OP_WAIT(c, struct open_wait)->step == OPEN_FENCING)
                return resume_fenced(c);
        status = size_truncate_result(c);
        if (status == NFS4_OK &&
            meta_inode(mds_of(c)->meta, OP_RES(c, struct open_res)->fh.fileid, &inode) < 0)
                status = NFS4ERR_STALE;
        return status == NFS4_OK ? finish(c) : status;
}
