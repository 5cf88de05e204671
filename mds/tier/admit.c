/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/tier/admit.h"

#include "mds/tier/heads.h"
#include "mds/tier/import.h"
#include "nfs4/compound.h"

/* Linux backs off after DELAY, so short waits are none. */
#define PATIENCE_NS 10000000000ull

/* Who waits: the wait area of the operation. */
struct admission {
        struct import_wait names; /* one of these two */
        struct head_wait head;
        struct compound *compound;
        struct timer patience;
        enum nfsstat4 status; /* NFS4_WAIT: still under way */
};

static void over(struct admission *a, enum nfsstat4 status)
{
        timer_stop(&a->patience);
        a->status = status;
        compound_wake(a->compound);
}

static void names_done(struct import_wait *w, enum nfsstat4 status)
{
        over(CONTAINER(w, struct admission, names), status);
}

static void head_done(struct head_wait *w, enum nfsstat4 status)
{
        over(CONTAINER(w, struct admission, head), status);
}

static void on_patience(struct timer *t)
{
        struct admission *a = CONTAINER(t, struct admission, patience);

        list_remove(&a->names.node);
        list_remove(&a->head.node);
        over(a, NFS4ERR_DELAY);
}

static struct admission *begin(struct compound *c)
{
        struct admission *a = OP_WAIT(c, struct admission);

        *a = (struct admission){ .names.done = names_done,
                                 .head.done = head_done,
                                 .compound = c,
                                 .patience.fire = on_patience,
                                 .status = NFS4_WAIT };
        list_init(&a->names.node);
        list_init(&a->head.node);
        timer_start(mds_of(c)->env, &a->patience, PATIENCE_NS);
        return a;
}

static enum nfsstat4 wait_for_names(struct compound *c, struct tier *t, const struct inode *dir)
{
        struct admission *a = begin(c);

        if (!import_names(t, dir, &a->names)) {
                timer_stop(&a->patience);
                return NFS4ERR_IO; /* of a repo that was left out: see the log */
        }
        metric_add(&t->admission_waits, 1);
        return NFS4_WAIT;
}

static enum nfsstat4 wait_for_head(struct compound *c, struct tier *t, uint64_t fileid)
{
        heads_want(t->heads, fileid, &begin(c)->head);
        metric_add(&t->head_waits, 1);
        return NFS4_WAIT;
}

/* SAVED: the saved directory. */
static enum nfsstat4 admit_to(struct compound *c, bool saved)
{
        const struct fh *fh = saved ? &c->saved_fh : &c->fh;
        struct mds *mds = mds_of(c);
        const struct inode *dir, *child;
        struct slice name = slice_str("");
        uint64_t fileid;

        if (fh->flags & FH_PSEUDO || meta_inode(mds->meta, fh->fileid, &dir) < 0 ||
            !(dir->flags & INODE_BACKED) || dir->type != NF4DIR)
                return NFS4_OK; /* the operation says what is wrong */
        if (dir->flags & INODE_COLD)
                return wait_for_names(c, mds->tier, dir);
        if (heads_is_due(mds->tier, dir)) /* what was believed of it was not so (manifest.h) */
                return wait_for_head(c, mds->tier, dir->fileid);
        if (c->op->acts_on)
                name = c->op->acts_on(c, saved);
        if (name.length == 0 || name.length > NFS4_MAXNAME ||
            meta_lookup(mds->meta, dir->fileid, name, &fileid) < 0 ||
            meta_inode(mds->meta, fileid, &child) < 0 || !heads_is_due(mds->tier, child))
                return NFS4_OK;
        return wait_for_head(c, mds->tier, fileid);
}

enum nfsstat4 tier_admit(struct compound *c)
{
        enum nfsstat4 status = NFS4_OK;

        if (c->waits > 0)
                status = OP_WAIT(c, struct admission)->status;
        if (status == NFS4_OK)
                status = admit_to(c, false);
        if (status == NFS4_OK && c->op->flags & OP_NEEDS_SAVED_FH)
                status = admit_to(c, true);
        return status;
}
