/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/pnfs/space.h"

#include "mds/fleet/fleet.h"
#include "mds/pnfs/size_file.h"

struct space {
        struct list node; /* in mds->emptying, of DEALLOCATE */
        struct compound *compound;
        enum nfsstat4 status;
        uint32_t pending;
        bool partial;    /* not everybody was asked */
        uint64_t used;   /* of those who were */
        uint64_t offset; /* SEEK: from where; then the first place found */
        uint64_t place;
};
_Static_assert(sizeof(struct space) <= SPACE_WAIT_BYTES, "as announced");

static struct space *space_of(struct compound *c)
{
        return (struct space *)(void *)(c->wait + SPACE_WAIT_AT);
}

static void failed(struct space *s, enum nfsstat4 status)
{
        if (s->status == NFS4_OK)
                s->status = status;
}

/* Some have emptied their part and others have not, or not said so: that is a change all the same. */
static void note_unfinished(const struct space *s)
{
        struct mds *mds = mds_of(s->compound);
        uint64_t fileid = s->compound->fh.fileid;
        const struct inode *file;

        if (meta_inode(mds->meta, fileid, &file) < 0)
                return; /* removed */
        for (uint32_t i = 0; i < file->width; i++) {
                const struct server *server = fleet_file_server(mds->fleet, file, i);

                if (server && server->conn)
                        size_mark(mds->sizes, fileid, server->id);
        }
}

static void done(struct space *s)
{
        if (--s->pending > 0)
                return;
        if (!list_empty(&s->node) && s->status != NFS4_OK)
                note_unfinished(s);
        list_remove(&s->node);
        compound_wake(s->compound);
}

static enum nfsstat4 translate(ctl_status status)
{
        switch (status) {
        case CTL_OK: return NFS4_OK;
        case CTL_IO: return NFS4ERR_IO;
        case CTL_NOSPC: return NFS4ERR_NOSPC;
        case CTL_TOOBIG: return NFS4ERR_FBIG;
        case CTL_NOTSUPP: return NFS4ERR_NOTSUPP;
        default: return NFS4ERR_DELAY;
        }
}

static struct space *begin(struct compound *c)
{
        struct space *s = space_of(c);

        *s = (struct space){ .compound = c, .pending = 1 /* ours, until all are asked */ };
        list_init(&s->node);
        return s;
}

static enum nfsstat4 started(struct space *s)
{
        done(s);
        return NFS4_WAIT;
}

/* --- ALLOCATE, DEALLOCATE */

static void changed(void *arg, struct server *server, void *result)
{
        struct space *s = arg;
        const ctl_used_res *r = result;

        if (!r) {
                failed(s, NFS4ERR_DELAY);
                if (!list_empty(&s->node))
                        size_mark(mds_of(s->compound)->sizes, s->compound->fh.fileid, server->id);
        } else if (r->status != CTL_OK) {
                failed(s, translate(r->status));
        } else if (r->ctl_used_res_u.used > INT64_MAX / FLEET_MAX) {
                server_makes_no_sense(server, "the size of an object");
                failed(s, NFS4ERR_DELAY);
        } else {
                s->used += r->ctl_used_res_u.used;
        }
        done(s);
}

/* Who has nothing of the range is asked too, for what it uses, but need not be there. */
static enum nfsstat4 change(struct compound *c, const struct inode *file, uint32_t proc, uint64_t offset,
                            uint64_t length)
{
        struct space *s = begin(c);
        struct stripe stripe = inode_stripe(file);

        if (proc == CTL_DEALLOCATE)
                list_push(&mds_of(c)->emptying, &s->node);

        for (uint32_t i = 0; i < file->width; i++) {
                struct server *server = fleet_file_server(mds_of(c)->fleet, file, i);
                ctl_range_args args = { .object = size_object(file, i), .offset = offset, .length = length };
                bool needed = stripe_object_size(stripe, i, offset) <
                              stripe_object_size(stripe, i, offset + length);

                s->pending++;
                if (server && ctl_call(server, proc, (xdrproc_t)xdr_ctl_range_args, &args,
                                       (xdrproc_t)xdr_ctl_used_res, sizeof(ctl_used_res), changed, s) == 0)
                        continue;
                s->pending--;
                s->partial = true;
                if (needed)
                        failed(s, NFS4ERR_DELAY);
        }
        return started(s);
}

enum nfsstat4 space_allocate(struct compound *c, const struct inode *file, uint64_t offset, uint64_t length)
{
        return change(c, file, CTL_ALLOCATE, offset, length);
}

enum nfsstat4 space_deallocate(struct compound *c, const struct inode *file, uint64_t offset, uint64_t length)
{
        return change(c, file, CTL_DEALLOCATE, offset, length);
}

bool space_is_emptying(const struct mds *mds, uint64_t fileid)
{
        LIST_FOR_EACH(node, &mds->emptying)
                if (CONTAINER(node, struct space, node)->compound->fh.fileid == fileid)
                        return true;
        return false;
}

enum nfsstat4 space_result(struct compound *c, uint64_t *ret_used)
{
        const struct space *s = space_of(c);

        if (s->status == NFS4_OK && !s->partial)
                *ret_used = s->used;
        return s->status;
}

/* --- SEEK */

static void sought(void *arg, struct server *server, void *result)
{
        struct space *s = arg;
        const ctl_seek_res *r = result;

        if (!r) {
                failed(s, NFS4ERR_DELAY);
        } else if (r->status != CTL_OK && r->status != CTL_NOENT) {
                failed(s, translate(r->status));
        } else if (r->status == CTL_OK && r->ctl_seek_res_u.offset < s->offset) {
                server_makes_no_sense(server, "the place of data");
                failed(s, NFS4ERR_DELAY);
        } else if (r->status == CTL_OK && r->ctl_seek_res_u.offset < s->place) {
                s->place = r->ctl_seek_res_u.offset;
        }
        done(s);
}

enum nfsstat4 space_seek(struct compound *c, const struct inode *file, uint64_t offset, bool hole)
{
        struct space *s = begin(c);

        s->offset = offset;
        s->place = UINT64_MAX;
        for (uint32_t i = 0; i < file->width; i++) {
                struct server *server = fleet_file_server(mds_of(c)->fleet, file, i);
                ctl_seek_args args = { .object = size_object(file, i), .offset = offset, .hole = hole };

                s->pending++;
                if (!server || ctl_call(server, CTL_SEEK, (xdrproc_t)xdr_ctl_seek_args, &args,
                                        (xdrproc_t)xdr_ctl_seek_res, sizeof(ctl_seek_res), sought, s) < 0) {
                        s->pending--;
                        failed(s, NFS4ERR_DELAY);
                }
        }
        return started(s);
}

enum nfsstat4 space_seek_result(struct compound *c, uint64_t *ret_offset)
{
        *ret_offset = space_of(c)->place;
        return space_of(c)->status;
}
