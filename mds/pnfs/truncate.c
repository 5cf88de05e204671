/* SPDX-License-Identifier: Apache-2.0 */
/* Truncation of a striped file: fence who else could write, cut every object, then the metadata (size.h). RFC
 * 8881 §13.10 leaves it to the servers that components and size agree. What is written between the two,
 * through the MDS or under a newer layout, comes after the cut: it is there, so it counts. */
#include <string.h>

#include "mds/pnfs/recall.h"
#include "mds/pnfs/size_file.h"
#include "mds/state/delegation.h"
#include "mds/tier/archive.h"
#include "mds/tier/tier.h"

/* A truncation; in the wait area of the compound that asked. */
struct cut {
        struct list node;
        struct fence_wait fence;
        struct compound *compound;
        struct size_file *file;
        uint64_t size;
        bool clear_setid;
        enum nfsstat4 status;
};

static struct cut *cut_of(struct compound *c)
{
        _Static_assert(SIZE_WAIT_AT + sizeof(struct cut) <= COMPOUND_WAIT, "the wait area holds a cut");
        return (struct cut *)(void *)(c->wait + SIZE_WAIT_AT);
}

static void cut_done(struct cut *cut, enum nfsstat4 status)
{
        struct size_file *f = cut->file;
        struct sizes *s = f->sizes;
        uint64_t fileid = f->fileid;

        cut->status = status;
        f->busy = false;
        memset(f->cut, 0, sizeof(f->cut));
        compound_wake(cut->compound); /* may remove the file: look again */
        f = size_file_find(s, fileid);
        if (f)
                size_file_next(f);
}

static enum nfsstat4 store_cut(const struct cut *cut)
{
        struct mds *mds = cut->file->sizes->mds;
        struct txn *t = txn_begin(mds->meta);
        struct inode *inode = txn_edit(t, cut->file->fileid);

        if (!inode) {
                txn_abort(t);
                return NFS4ERR_STALE;
        }
        inode->size = cut->size > cut->file->beyond ? cut->size : cut->file->beyond;
        if (inode->size == 0)
                inode->used = 0;
        else
                inode->flags |= INODE_USED_OLD;
        if (cut->clear_setid)
                inode->mode &= (uint16_t)~06000u;
        if (cut->size == 0)
                inode->flags &= (uint8_t)~INODE_COLD;
        txn_touch(t, inode, true);
        delegation_resized(mds->delegations, cut->file->fileid);
        return nfs4_status_from_errno(txn_commit(t, &cut->compound->commit_seq));
}

/* What was cut, or may have been, and is not written down is a change all the same. */
static void note_unfinished(struct size_file *f)
{
        const struct inode *inode;

        if (meta_inode(f->sizes->mds->meta, f->fileid, &inode) < 0)
                return; /* removed */
        for (uint32_t id = 0; id <= FLEET_MAX; id++)
                if (size_bit(f->cut, id))
                        size_mark(f->sizes, f->fileid, id);
}

static void cut_finish(struct task *task)
{
        struct size_file *f = CONTAINER(task, struct size_file, finish);
        struct cut *cut = CONTAINER(list_pop(&f->queued), struct cut, node);
        enum nfsstat4 status = f->failed ? NFS4ERR_DELAY : store_cut(cut);

        f->finish.run = size_file_finish;
        if (status != NFS4_OK)
                note_unfinished(f);
        cut_done(cut, status);
}

static void cut_one(void *arg, struct server *server, void *result)
{
        struct size_file *f = arg;
        const ctl_result *r = result;

        f->cut[server->id / 64] |= 1ull << (server->id % 64);
        if (!r || (r->status != CTL_OK && r->status != CTL_NOENT))
                f->failed = true;
        size_file_answered(f);
}

/* What is cut does not come back from S3. The data servers are told to cut when this is committed. */
static bool cut_backing(struct mds *mds, const struct inode *file, uint64_t size)
{
        struct txn *t;
        struct inode *inode;
        uint64_t seq;

        if (!(file->flags & INODE_COLD))
                return true;
        t = txn_begin(mds->meta);
        inode = txn_edit(t, file->fileid);
        if (!inode || !tier_cut(mds, t, inode, size)) {
                txn_abort(t);
                return false;
        }
        return txn_commit(t, &seq) == 0;
}

/* Every other handle that could write is fenced: now the objects are ours. */
static void cut_objects(struct fence_wait *wait)
{
        struct cut *cut = CONTAINER(wait, struct cut, fence);
        struct size_file *f = cut->file;
        struct mds *mds = f->sizes->mds;
        const struct inode *inode;

        f->failed = wait->given_up;
        f->pending = 1;
        f->finish.run = cut_finish;
        if (meta_inode(mds->meta, f->fileid, &inode) < 0 || !cut_backing(mds, inode, cut->size))
                f->failed = true;
        if (!f->failed)
                archive_written(mds, f->fileid); /* we may not live to note what was cut */
        for (uint32_t i = 0; !f->failed && i < inode->width; i++) {
                struct server *server = fleet_file_server(mds->fleet, inode, i);
                ctl_truncate_args args = { .object = size_object(inode, i), .size = cut->size };

                f->pending++;
                if (!server || ctl_call(server, CTL_TRUNCATE, (xdrproc_t)xdr_ctl_truncate_args, &args,
                                        (xdrproc_t)xdr_ctl_result, sizeof(ctl_result), cut_one, f) < 0) {
                        f->failed = true;
                        f->pending--;
                }
        }
        size_file_answered(f);
}

/* The client that cuts has flushed what it wrote; only others must be stopped. */
static void cut_start(struct cut *cut)
{
        struct size_file *f = cut->file;
        struct mds *mds = f->sizes->mds;
        const struct inode *inode;

        f->busy = true;
        f->beyond = 0;
        cut->fence.done = cut_objects;
        if (meta_inode(mds->meta, f->fileid, &inode) < 0 ||
            !recall_file(mds->recalls, inode, RECALL_WRITERS, cut->compound->client, &cut->fence))
                cut_objects(&cut->fence);
}

enum nfsstat4 size_truncate(struct compound *c, uint64_t fileid, uint64_t size, bool clear_setid)
{
        struct cut *cut = cut_of(c);
        struct size_file *f = size_file_get(mds_of(c)->sizes, fileid);

        if (!f)
                return NFS4ERR_DELAY;
        *cut = (struct cut){ .compound = c, .file = f, .size = size, .clear_setid = clear_setid };
        list_push(&f->queued, &cut->node);
        if (!f->busy)
                cut_start(cut);
        return NFS4_WAIT;
}

enum nfsstat4 size_truncate_result(struct compound *c)
{
        return cut_of(c)->status;
}

void truncate_begin(struct size_file *f)
{
        cut_start(CONTAINER(f->queued.next, struct cut, node));
}
