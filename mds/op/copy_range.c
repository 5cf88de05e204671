/* SPDX-License-Identifier: Apache-2.0 */
/* What COPY and CLONE share, up to the first byte. Files begin on pseudo-random data servers, so those of two
 * files meet for one pair in N only; but the target of a copy is nearly always a new file, and one without
 * data can be striped as its source is (pnfs/reshape.h): then each data server copies, or shares, what it
 * has, and nothing goes from one to the other. The sources are spread, and so are their copies. */
#include "mds/op/copy.h"

#include "mds/fleet/fleet.h"
#include "mds/op/io.h"
#include "mds/pnfs/proxy.h"
#include "mds/pnfs/size.h"
#include "nfs4/codec.h"

void get_copy_range(struct xdr_in *x, struct copy_range *ret)
{
        get_stateid(x, &ret->source_stateid);
        get_stateid(x, &ret->stateid);
        ret->source_offset = xdr_get_u64(x);
        ret->offset = xdr_get_u64(x);
        ret->count = xdr_get_u64(x);
}

static enum nfsstat4 permitted(struct compound *c, struct copy_range *r)
{
        enum nfsstat4 status = io_check_saved(c, &r->source_stateid, OPEN4_SHARE_ACCESS_READ);

        return status == NFS4_OK ? io_check_write(c, &r->stateid) : status;
}

static enum nfsstat4 check_range(const struct compound *c, struct copy_range *r, const struct inode *source)
{
        uint64_t distance;

        if (r->source_offset > source->size || r->count > source->size - r->source_offset)
                return NFS4ERR_INVAL;
        if (r->count == 0)
                r->count = source->size - r->source_offset;
        if (r->offset > MAX_FILE_SIZE || r->count > MAX_FILE_SIZE - r->offset)
                return NFS4ERR_FBIG;
        distance = r->offset > r->source_offset ? r->offset - r->source_offset : r->source_offset - r->offset;
        return c->fh.fileid == c->saved_fh.fileid && distance < r->count ? NFS4ERR_INVAL : NFS4_OK;
}

static enum nfsstat4 files(const struct compound *c, const struct inode **ret_source,
                           const struct inode **ret_file)
{
        struct meta *meta = mds_of(c)->meta;

        return meta_inode(meta, c->saved_fh.fileid, ret_source) < 0 ||
                               meta_inode(meta, c->fh.fileid, ret_file) < 0
                       ? NFS4ERR_STALE
                       : NFS4_OK;
}

enum nfsstat4 copy_files(struct compound *c, const struct inode **ret_source, const struct inode **ret_file)
{
        enum nfsstat4 status = files(c, ret_source, ret_file);

        if (status == NFS4_OK)
                status = io_mark_data(c, *ret_file);
        return status == NFS4_OK ? files(c, ret_source, ret_file) : status;
}

/* --- the stripes of the target */

/* Unit and width are what somebody chose for the target, and stay. What is in S3 is read by us. A COPY of
 * less than a unit is not worth taking the client's layout. */
static bool is_worth_it(const struct compound *c, const struct copy_range *r, const struct inode *source,
                        const struct inode *file)
{
        struct mds *mds = mds_of(c);

        return !(source->flags & INODE_COLD) && r->offset == r->source_offset && file->unit == source->unit &&
               file->width == source->width && (c->opnum == OP_CLONE || r->count > file->unit) &&
               reshape_is_empty(mds, file) && fleet_file_takes_new(mds->fleet, source) &&
               !proxy_can_copy(mds, source, r->source_offset, file, r->offset);
}

static enum nfsstat4 take_stripes(struct compound *c, const struct inode *source)
{
        struct txn *t = txn_begin(mds_of(c)->meta);
        struct inode *file = txn_edit(t, c->fh.fileid);

        if (!file) {
                txn_abort(t);
                return NFS4ERR_STALE;
        }
        file->pool = source->pool;
        file->start = source->start;
        file->first = source->first;
        file->flags |= INODE_DATA; /* from now on they stay */
        return nfs4_status_from_errno(txn_commit(t, &c->commit_seq));
}

static enum nfsstat4 shape(struct compound *c, const struct copy_range *r, struct copy_prepare *p)
{
        const struct inode *source, *file;
        enum nfsstat4 status = files(c, &source, &file);

        p->step = PREPARE_SHAPING;
        if (status == NFS4_OK && is_worth_it(c, r, source, file)) {
                status = reshape_begin(c, &p->reshape, file);
                if (status == NFS4_OK)
                        status = take_stripes(c, source);
                if (status == NFS4ERR_PERM)
                        status = NFS4_OK; /* it has data after all: it stays as it is */
        }
        if (status == NFS4_OK)
                p->step = PREPARED;
        return status;
}

/* The size of the source is known. */
static enum nfsstat4 sized(struct compound *c, struct copy_range *r, struct copy_prepare *p)
{
        const struct inode *source;
        enum nfsstat4 status;

        if (meta_inode(mds_of(c)->meta, c->saved_fh.fileid, &source) < 0)
                return NFS4ERR_STALE;
        status = check_range(c, r, source);
        if (status == NFS4_OK && r->count == 0)
                p->step = PREPARED;
        return status == NFS4_OK && r->count > 0 ? shape(c, r, p) : status;
}

enum nfsstat4 copy_prepare(struct compound *c, struct copy_range *r, struct copy_prepare *p)
{
        enum nfsstat4 status = NFS4_OK;

        if (p->step == PREPARE_SHAPING)
                return shape(c, r, p);
        if (p->step == PREPARE_BEGINS) {
                status = permitted(c, r);
                if (status != NFS4_OK)
                        return status;
                p->step = PREPARE_SIZING;
                status = size_ask(c, c->saved_fh.fileid);
        } else {
                status = size_asked(c);
        }
        return status == NFS4_OK ? sized(c, r, p) : status;
}
