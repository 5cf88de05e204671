/* SPDX-License-Identifier: Apache-2.0 */
/* ALLOCATE and DEALLOCATE, RFC 7862 §15.1 and §15.4.
 *
 * The RFC: ALLOCATE makes sure that writes to the range will find room, and the file reaches to its end at
 * least; DEALLOCATE makes the range read as zeros and gives back its room, and leaves the size alone. Both go
 * by the rules of WRITE. We: the data servers do it to their objects, durably, before the metadata change:
 * size, mtime, ctime, change, the space used, and set-id bits go as they do with WRITE. No layout is taken
 * back: what others write meanwhile is written before or after, as with two WRITEs. After an error (NOSPC)
 * the size is what it was; some room may stay reserved. NFS4ERR_NOTSUPP when a data server's file system has
 * no such calls. A length of 0 is INVAL, as fallocate(2) has it. */
#include "mds/op/change.h"
#include "mds/op/io.h"
#include "mds/ops.h"
#include "mds/pnfs/size.h"
#include "mds/pnfs/space.h"
#include "mds/state/delegation.h"
#include "nfs4/codec.h"

struct allocate_args {
        struct stateid stateid;
        uint64_t offset, length;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct allocate_args *a = OP_ARGS(c, struct allocate_args);

        get_stateid(x, &a->stateid);
        a->offset = xdr_get_u64(x);
        a->length = xdr_get_u64(x);
}

/* The data servers have done it; USED as space_result() has it, UINT64_MAX: unknown. */
static enum nfsstat4 store(struct compound *c, uint64_t used)
{
        const struct allocate_args *a = OP_ARGS(c, struct allocate_args);
        struct caller who;
        enum nfsstat4 status = caller_of(c, &c->fh, &who);
        struct txn *t;
        struct inode *inode;

        if (status != NFS4_OK)
                return status;
        t = txn_begin(mds_of(c)->meta);
        inode = txn_edit(t, c->fh.fileid);
        if (!inode) {
                txn_abort(t);
                return NFS4ERR_STALE;
        }
        if (c->opnum == OP_ALLOCATE && inode->size < a->offset + a->length)
                inode->size = a->offset + a->length;
        if (used == UINT64_MAX) { /* not everybody was there */
                inode->flags |= INODE_USED_OLD;
        } else {
                inode->used = used;
                inode->flags &= (uint8_t)~INODE_USED_OLD;
        }
        if (setid_cleared_by(&who, inode))
                setid_clear(inode);
        txn_touch(t, inode, true);
        return nfs4_status_from_errno(txn_commit(t, &c->commit_seq));
}

static enum nfsstat4 check(struct compound *c, struct allocate_args *a)
{
        enum nfsstat4 status = io_check(c, &a->stateid, OPEN4_SHARE_ACCESS_WRITE);

        if (status != NFS4_OK)
                return status;
        if (a->length == 0 || a->length > UINT64_MAX - a->offset)
                return NFS4ERR_INVAL;
        if (a->offset + a->length > MAX_FILE_SIZE)
                return NFS4ERR_FBIG;
        /* who has no open had none to wait in */
        return stateid_is_special(&a->stateid) ? delegation_conflict(c, c->fh.fileid, NULL) : NFS4_OK;
}

static enum nfsstat4 allocate(struct compound *c)
{
        struct allocate_args *a = OP_ARGS(c, struct allocate_args);
        const struct inode *file;
        enum nfsstat4 status = check(c, a);

        if (status != NFS4_OK)
                return status;
        if (meta_inode(mds_of(c)->meta, c->fh.fileid, &file) < 0)
                return NFS4ERR_STALE;
        status = io_mark_data(c, file);
        if (status != NFS4_OK)
                return status;
        meta_inode(mds_of(c)->meta, c->fh.fileid, &file);
        return space_allocate(c, file, a->offset, a->length);
}

static enum nfsstat4 deallocate(struct compound *c)
{
        struct allocate_args *a = OP_ARGS(c, struct allocate_args);
        const struct inode *file;
        enum nfsstat4 status = check(c, a);

        if (status != NFS4_OK)
                return status;
        if (meta_inode(mds_of(c)->meta, c->fh.fileid, &file) < 0)
                return NFS4ERR_STALE;
        if (file->flags & INODE_COLD)
                return NFS4ERR_NOTSUPP; /* a hole would be filled again from S3 */
        if (!size_has_data(mds_of(c)->sizes, file))
                return store(c, UINT64_MAX);
        return space_deallocate(c, file, a->offset, a->length);
}

static enum nfsstat4 resume(struct compound *c)
{
        uint64_t used = UINT64_MAX;
        enum nfsstat4 status = space_result(c, &used);

        return status == NFS4_OK ? store(c, used) : status;
}

const struct nfs4_op op_allocate = {
        .name = "ALLOCATE",
        .flags = OP_NEEDS_FH | OP_MUTATES,
        .reply_max = 8,
        .decode = decode,
        .execute = allocate,
        .resume = resume,
};

const struct nfs4_op op_deallocate = {
        .name = "DEALLOCATE",
        .flags = OP_NEEDS_FH | OP_MUTATES,
        .reply_max = 8,
        .decode = decode,
        .execute = deallocate,
        .resume = resume,
};
