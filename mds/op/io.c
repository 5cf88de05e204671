/* SPDX-License-Identifier: Apache-2.0 */
#include "mds/op/io.h"

#include "mds/state/courtesy.h"
#include "mds/state/delegation.h"
#include "mds/state/lock.h"
#include "mds/state/open.h"
#include "mds/state/recovery.h"
#include "mds/state/revoked.h"

static enum nfsstat4 permitted(const struct compound *c, const struct fh *fh, const struct inode *file,
                               uint32_t access)
{
        struct caller who;
        enum nfsstat4 status = caller_of(c, fh, &who);

        if (status != NFS4_OK)
                return status;
        if (access == OPEN4_SHARE_ACCESS_WRITE && who.rule->access != EXPORT_RW)
                return NFS4ERR_ROFS;
        if (perm_owner(&who, file))
                return NFS4_OK; /* the mode was looked at by OPEN; the owner may have changed it since
                                   (§18.16) */
        if (perm_ok(&who, file, access == OPEN4_SHARE_ACCESS_READ ? 4 : 2))
                return NFS4_OK;
        return access == OPEN4_SHARE_ACCESS_READ && perm_ok(&who, file, 1) ? NFS4_OK : NFS4ERR_ACCESS;
}

enum nfsstat4 io_permitted(const struct compound *c, const struct inode *file, uint32_t access)
{
        return permitted(c, &c->fh, file, access);
}

/* Does somebody beside EXCEPT (may be NULL) deny ACCESS to FILEID? */
static enum nfsstat4 check_denies(struct compound *c, uint64_t fileid, const struct open_state *except,
                                  uint32_t access)
{
        struct mds *mds = mds_of(c);
        enum nfsstat4 status;

        if (recovery_in_grace(mds->recovery))
                return NFS4ERR_GRACE; /* who denies it may not have reclaimed that yet (§8.4.2.1) */
        status = courtesy_share(mds->courtesy, fileid, except, (uint8_t)access, 0);
        return status == NFS4ERR_SHARE_DENIED ? NFS4ERR_LOCKED : status;
}

/* An open for ACCESS, or a delegation, is proof that nobody denies it; reading under one for writing only is
 * not (§9.1.2). */
static enum nfsstat4 check_stateid(struct compound *c, uint64_t fileid, const struct stateid *stateid,
                                   uint32_t access)
{
        struct mds *mds = mds_of(c);
        struct open_state *open;
        enum nfsstat4 status;

        if (stateid->other[4] == STATEID_DELEG)
                return delegation_check(mds->delegations, c->client, stateid, fileid, access);
        status = lock_find_open(mds, c->client, stateid, &open);
        if (status != NFS4_OK)
                return status;
        if (open->fileid != fileid)
                return NFS4ERR_BAD_STATEID;
        if (open->access & access)
                return NFS4_OK;
        return access == OPEN4_SHARE_ACCESS_WRITE ? NFS4ERR_OPENMODE : check_denies(c, fileid, open, access);
}

/* STATEID is no longer "the current one". */
static enum nfsstat4 check(struct compound *c, const struct fh *fh, const struct stateid *stateid,
                           uint32_t access)
{
        const struct inode *file;
        enum nfsstat4 status;

        if (meta_inode(mds_of(c)->meta, fh->fileid, &file) < 0)
                return NFS4ERR_STALE;
        if (file->type != NF4REG)
                return file->type == NF4DIR   ? NFS4ERR_ISDIR
                       : file->type == NF4LNK ? NFS4ERR_SYMLINK
                                              : NFS4ERR_WRONG_TYPE;
        status = permitted(c, fh, file, access);
        if (status != NFS4_OK)
                return status;
        if (!stateid_is_special(stateid))
                return check_stateid(c, fh->fileid, stateid, access);
        if (!stateid_is_anonymous(stateid) && !stateid_is_bypass(stateid))
                return NFS4ERR_BAD_STATEID;
        /* Linux writes with the anonymous stateid what it began under one that it has just learnt is gone: on
         * a file that is somebody else's by now. It has to let go of all that it lost first. */
        if (access & OPEN4_SHARE_ACCESS_WRITE && c->client && revoked_any(c->client))
                return NFS4ERR_EXPIRED;
        if (!stateid_is_bypass(stateid) || access != OPEN4_SHARE_ACCESS_READ)
                status = check_denies(c, fh->fileid, NULL, access);
        if (status == NFS4_OK && access == OPEN4_SHARE_ACCESS_READ)
                status = delegation_conflict_by_reading(c, fh->fileid, NULL); /* no OPEN has waited for it */
        return status;
}

enum nfsstat4 io_check(struct compound *c, struct stateid *stateid, uint32_t access)
{
        enum nfsstat4 status = compound_stateid(c, stateid);

        return status == NFS4_OK ? check(c, &c->fh, stateid, access) : status;
}

enum nfsstat4 io_check_write(struct compound *c, struct stateid *stateid)
{
        enum nfsstat4 status = io_check(c, stateid, OPEN4_SHARE_ACCESS_WRITE);

        return status == NFS4_OK && stateid_is_special(stateid) ? delegation_conflict(c, c->fh.fileid, NULL)
                                                                : status;
}

enum nfsstat4 io_check_saved(struct compound *c, struct stateid *stateid, uint32_t access)
{
        if (stateid_is_current(stateid)) {
                if (!c->has_saved_stateid)
                        return NFS4ERR_BAD_STATEID;
                *stateid = c->saved_stateid;
        }
        return check(c, &c->saved_fh, stateid, access);
}

enum nfsstat4 io_mark_data(struct compound *c, const struct inode *file)
{
        struct txn *t;
        struct inode *inode;

        if (file->flags & INODE_DATA)
                return NFS4_OK;
        t = txn_begin(mds_of(c)->meta);
        inode = txn_edit(t, file->fileid);
        if (!inode) {
                txn_abort(t);
                return NFS4ERR_STALE;
        }
        inode->flags |= INODE_DATA;
        return nfs4_status_from_errno(txn_commit(t, &c->commit_seq));
}
