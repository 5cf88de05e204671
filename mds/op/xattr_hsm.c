/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/op/xattr_hsm.h"

#include <errno.h>

#include "mds/op/change.h"
#include "mds/pnfs/size.h"
#include "mds/tier/archive.h"
#include "mds/tier/release.h"
#include "mds/tier/restore.h"
#include "mds/tier/tier.h"

bool xattr_is_hsm(struct slice name)
{
        return slice_equal(name, slice_str("nacre.hsm"));
}

bool xattr_is_state(struct slice name)
{
        const struct slice state = slice_str("nacre.state");

        return name.length >= state.length && memcmp(name.data, state.data, state.length) == 0 &&
               (name.length == state.length || name.data[state.length] == ';');
}

/* --- release */

struct hsm_wait { /* at the start of OP_WAIT */
        struct release_wait release;
        struct compound *compound;
        bool inside; /* release_file() */
        bool done;
        enum release_result result;
};

static enum nfsstat4 status_of(enum release_result result)
{
        switch (result) {
        case RELEASE_DONE: return NFS4_OK;
        case RELEASE_NO_OBJECT: return NFS4ERR_NOXATTR;
        case RELEASE_DIRTY:
        case RELEASE_PINNED: return NFS4ERR_PERM;
        case RELEASE_UNHEARD:
        case RELEASE_IN_USE: return NFS4ERR_FILE_OPEN;
        case RELEASE_AWAY: return NFS4ERR_DELAY;
        default: return NFS4ERR_IO;
        }
}

static void released(struct release_wait *wait, enum release_result result)
{
        struct hsm_wait *w = CONTAINER(wait, struct hsm_wait, release);

        w->done = true;
        w->result = result;
        if (!w->inside)
                compound_wake(w->compound);
}

static enum nfsstat4 release(struct compound *c, const struct inode *file)
{
        struct hsm_wait *w = OP_WAIT(c, struct hsm_wait);

        *w = (struct hsm_wait){ .release.done = released, .compound = c, .inside = true };
        release_file(mds_of(c), file->fileid, &w->release);
        w->inside = false;
        return w->done ? status_of(w->result) : NFS4_WAIT;
}

/* --- restore: begun, not waited for */

static enum nfsstat4 restore(struct compound *c, const struct inode *file)
{
        if (!(file->flags & INODE_COLD))
                return NFS4_OK;
        return restore_file(mds_of(c), file->fileid) ? NFS4_OK : NFS4ERR_DELAY;
}

/* What restore has begun; what it has brought stays. */
static enum nfsstat4 cancel(struct compound *c, const struct inode *file)
{
        restore_forget(mds_of(c), file->fileid);
        return NFS4_OK;
}

/* --- pin, unpin */

static enum nfsstat4 set_flag(struct compound *c, const struct inode *file, bool pinned)
{
        struct txn *t;
        int r = tier_pin(mds_of(c), file, pinned, &t);

        if (r < 0)
                return r == -ESTALE ? NFS4ERR_STALE : NFS4ERR_NOXATTR;
        return change_commit(c, t);
}

static enum nfsstat4 pin(struct compound *c, const struct inode *file)
{
        return set_flag(c, file, true);
}

static enum nfsstat4 unpin(struct compound *c, const struct inode *file)
{
        return set_flag(c, file, false);
}

/* --- archive: it is begun, nobody waits for it; the state says when it is done */

static enum nfsstat4 archive(struct compound *c, const struct inode *file)
{
        switch (archive_now(mds_of(c), file->fileid)) {
        case 0:
        case -EALREADY: return NFS4_OK;
        case -EINVAL: return NFS4ERR_PERM;
        case -ENOENT: return NFS4ERR_STALE;
        default: return NFS4ERR_DELAY;
        }
}

/* --- the verbs */

static const struct {
        const char *name;
        enum nfsstat4 (*run)(struct compound *c, const struct inode *file);
} verbs[] = {
        { "archive", archive }, { "restore", restore }, { "prefetch", restore }, { "cancel", cancel },
        { "release", release }, { "pin", pin },         { "unpin", unpin },
};

/* No time of the file moves, and its change attribute does not: its content is the same. */
enum nfsstat4 xattr_hsm_set(struct compound *c, const struct slice *verb, struct change_info *ret)
{
        struct subject s;
        enum nfsstat4 status = subject_inode(c, &c->fh, &s);

        if (status != NFS4_OK)
                return status;
        *ret = (struct change_info){ .atomic = true, .before = s.inode->change, .after = s.inode->change };
        if (c->waits > 0)
                return status_of(OP_WAIT(c, struct hsm_wait)->result);
        if (s.who.rule->access != EXPORT_RW)
                return NFS4ERR_ROFS;
        if (!perm_owner(&s.who, s.inode))
                return NFS4ERR_PERM;
        if (!verb || !(s.inode->flags & INODE_BACKED) || s.inode->type != NF4REG)
                return NFS4ERR_NOXATTR;
        for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
                if (slice_equal(*verb, slice_str(verbs[i].name)))
                        return verbs[i].run(c, s.inode);
        return NFS4ERR_INVAL;
}

/* --- the state */

enum nfsstat4 xattr_state_get(struct compound *c, const struct subject *s, char out[HSM_STATE_BYTES],
                              struct slice *ret)
{
        enum nfsstat4 status = size_refresh(c, s->inode->fileid);
        uint8_t record[RECORD_MAX];
        const struct inode *file;
        struct backing b;
        bool exists, archived;
        int n;

        if (status != NFS4_OK)
                return status;
        if (meta_inode(mds_of(c)->meta, s->inode->fileid, &file) < 0)
                return NFS4ERR_STALE;
        if (file->type != NF4REG || tier_backing(mds_of(c), file, record, &b) < 0)
                return NFS4ERR_NOXATTR;
        exists = b.etag.length > 0;
        archived = exists && b.change == file->change;
        n = snprintf(out, HSM_STATE_BYTES, "%s%s%s%s%s", exists ? "exists " : "",
                     archived ? "archived " : "dirty ", file->flags & INODE_COLD ? "released " : "",
                     b.flags & BACKING_LOST ? "lost " : "", b.flags & BACKING_PINNED ? "pinned " : "");
        *ret = slice_of(out, (uint32_t)n - 1); /* without the last blank */
        return NFS4_OK;
}
