/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the data servers of a file what they have (CTL_GETSIZES), and what the answers mean for its inode.
 */
#include "mds/pnfs/size_file.h"

#include <string.h>

#include "mds/tier/archive.h"

/* Was something written since the last answer? Clocks of machines differ and users set times as they like, so
 * times are compared only with earlier ones of the same data server, for equality: a data server was settled
 * and has announced itself since, or it was not and its object looks different now. */
static bool is_changed(const struct size_file *f, const struct inode *now)
{
        return f->asked_announced || f->mark != f->seen || f->size > now->size;
}

/* After a start of ours, or of a data server that had not announced itself, nobody knows what the last answer
 * was. Caches must not survive (change rises), but times shall, those that a user set and those that make(1)
 * compares: mtime moves only when something was written after the inode's last change. */
static bool is_modified(const struct size_file *f, const struct inode *now)
{
        if (f->recovered)
                return f->size > now->size || f->mtime > now->ctime;
        return is_changed(f, now) || f->suspect_mtime > now->ctime;
}

/* Take what the data servers said, when it says more than we knew. New data takes set-id bits away. */
static enum nfsstat4 store_answer(struct size_file *f)
{
        struct meta *meta = f->sizes->mds->meta;
        const struct inode *now;
        struct txn *t;
        struct inode *inode;
        uint64_t seq;
        bool changed, modified, old;

        if (meta_inode(meta, f->fileid, &now) < 0)
                return NFS4ERR_STALE;
        changed = f->recovered || f->suspected || is_changed(f, now);
        modified = changed && is_modified(f, now);
        old = !f->partial && (f->used != now->used || now->flags & INODE_USED_OLD);
        if (!changed && !old && (!f->exists || now->flags & INODE_DATA))
                return NFS4_OK;
        if (changed && !modified)
                archive_written(f->sizes->mds, f->fileid); /* nobody can be sure */
        t = txn_begin(meta);
        inode = txn_edit(t, f->fileid);
        if (!inode) {
                txn_abort(t);
                return NFS4ERR_STALE;
        }
        if (changed)
                txn_touch(t, inode, modified);
        if (modified)
                inode->mode &= (uint16_t)~06000u;
        if (f->size > inode->size)
                inode->size = f->size;
        if (!f->partial) {
                inode->used = f->used;
                inode->flags &= (uint8_t)~INODE_USED_OLD;
        }
        if (f->exists)
                inode->flags |= INODE_DATA;
        return nfs4_status_from_errno(txn_commit(t, &seq));
}

/* The answers are all there. Who settled stays dirty when they could not be taken: it will not say again what
 * it has. */
static enum nfsstat4 take_answer(struct size_file *f)
{
        enum nfsstat4 status = f->failed ? NFS4ERR_DELAY : store_answer(f);

        if (status == NFS4_OK) {
                for (int i = 0; i < DIRTY_WORDS; i++)
                        f->dirty[i] &= ~f->settled[i];
                f->seen = f->unsettled_mark;
        } else {
                f->announced |= f->asked_announced;
                for (int i = 0; i < DIRTY_WORDS; i++)
                        f->suspect[i] |= f->asked_suspect[i] & f->dirty[i];
        }
        memset(f->asked_suspect, 0, sizeof(f->asked_suspect));
        return status;
}

void size_file_finish(struct task *task)
{
        struct size_file *f = CONTAINER(task, struct size_file, finish);
        enum nfsstat4 status = take_answer(f);
        struct list done = LIST_INIT(done);

        f->busy = false;
        list_splice(&done, &f->asking);
        if (status == NFS4_OK && !size_any_dirty(f)) {
                layout_records_settle(f->sizes->mds->layouts, f->fileid);
                list_splice(&done, &f->waiting); /* nothing has come since they did */
        }
        size_file_recovered(f, status == NFS4_OK);
        f->finish.run = size_file_finish;
        for (struct list *node = list_pop(&done); node; node = list_pop(&done)) {
                struct size_wait *w = CONTAINER(node, struct size_wait, node);

                f->busy = true; /* keep the entry while others run */
                w->done(w, status);
                f->busy = false;
        }
        size_file_next(f);
}

void size_file_answered(struct size_file *f)
{
        if (--f->pending == 0)
                env_defer(f->sizes->mds->env, &f->finish);
}

/* What the object of SERVER looks like, never 0. */
static uint64_t object_mark(const struct server *server, const ctl_size *size)
{
        return hash_u64(hash_u64(hash_u64(size->mtime_ns) + size->size) + server->id) | 1;
}

/* Could a data server know this of one object? */
static bool is_sane(const ctl_size *size)
{
        return size->size <= INT64_MAX && size->used <= INT64_MAX / FLEET_MAX;
}

static void note_suspect(struct size_file *f, const ctl_size *size)
{
        if ((int64_t)size->mtime_ns > f->suspect_mtime)
                f->suspect_mtime = (int64_t)size->mtime_ns;
}

static void got_sizes(void *arg, struct server *server, void *result)
{
        struct size_file *f = arg;
        const ctl_getsizes_res *r = result;

        if (!r || r->sizes.sizes_len != 1 ||
            (r->sizes.sizes_val[0].status != CTL_OK && r->sizes.sizes_val[0].status != CTL_NOENT)) {
                f->failed = true;
        } else if (!is_sane(&r->sizes.sizes_val[0])) {
                server_makes_no_sense(server, "the size of an object");
                f->failed = true;
        } else {
                const ctl_size *size = &r->sizes.sizes_val[0];

                if (size->size > f->size)
                        f->size = size->size;
                if ((int64_t)size->mtime_ns > f->mtime)
                        f->mtime = (int64_t)size->mtime_ns;
                f->used += size->used;
                f->exists |= size->status == CTL_OK;
                if (size_bit(f->asked_suspect, server->id))
                        note_suspect(f, size);
                else if (size_bit(f->asked, server->id))
                        f->mark += object_mark(server, size);
                if (size->settled)
                        f->settled[server->id / 64] |= 1ull << (server->id % 64);
                else if (size_bit(f->dirty, server->id))
                        f->unsettled_mark += object_mark(server, size);
        }
        size_file_answered(f);
}

ctl_object size_object(const struct inode *inode, uint32_t index)
{
        return (ctl_object){ .fileid = inode->fileid,
                             .generation = inode->generation,
                             .unit = inode->unit,
                             .width = inode->width,
                             .first = inode->first,
                             .index = index };
}

static void ask_one(struct size_file *f, struct server *server, const struct inode *inode, uint32_t index)
{
        ctl_object object = size_object(inode, index);
        ctl_getsizes_args args = { .objects.objects_len = 1, .objects.objects_val = &object };

        f->pending++;
        if (!server ||
            ctl_call(server, CTL_GETSIZES, (xdrproc_t)xdr_ctl_getsizes_args, &args,
                     (xdrproc_t)xdr_ctl_getsizes_res, sizeof(ctl_getsizes_res), got_sizes, f) < 0) {
                f->failed = true;
                f->pending--;
        }
}

/* All data servers of the file are asked, so that `used` adds up; only the dirty ones must answer. */
void size_file_ask(struct size_file *f)
{
        struct mds *mds = f->sizes->mds;
        const struct inode *inode;

        f->busy = true;
        list_splice(&f->asking, &f->waiting);
        f->failed = f->exists = f->partial = false;
        f->pending = 1;
        f->size = f->used = 0;
        f->mtime = f->suspect_mtime = 0;
        f->mark = f->unsettled_mark = 0;
        memcpy(f->asked, f->dirty, sizeof(f->asked));
        memcpy(f->asked_suspect, f->suspect, sizeof(f->asked_suspect));
        memset(f->suspect, 0, sizeof(f->suspect));
        memset(f->settled, 0, sizeof(f->settled));
        f->suspected = false;
        for (int i = 0; i < DIRTY_WORDS; i++)
                f->suspected |= f->asked_suspect[i] != 0;
        f->asked_announced = f->announced;
        f->announced = false;
        if (meta_inode(mds->meta, f->fileid, &inode) == 0) {
                for (uint32_t i = 0; i < inode->width; i++) {
                        struct server *server = fleet_file_server(mds->fleet, inode, i);

                        if (!server || server->conn || size_bit(f->dirty, server->id))
                                ask_one(f, server, inode, i);
                        else
                                f->partial = true;
                }
        }
        size_file_answered(f);
}
