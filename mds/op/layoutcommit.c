/* SPDX-License-Identifier: Apache-2.0 */
/* LAYOUTCOMMIT, RFC 8881 §18.42: the client says that what it wrote under its layout is to count.
 *
 * The RFC: size and times become visible; a size only grows. We: the data servers are asked what they have,
 * when they have not said it yet, and that counts (pnfs/size.h); the offset of the last write is looked at
 * for its sense only. Linux keeps it as a high-water mark and may send it after it has cut the file shorter,
 * or after it has set the times: taken for true, a truncated file would grow back, and cp -p would lose its
 * times. It may also send it with a stateid that is old, during a recall, or never: nothing depends on it. A
 * data server that is away is no reason to refuse: the record of the write layout lasts until it has been
 * heard. After a restart of ours (§12.7.4) a client that may reclaim may also say this of a layout that it
 * had; one that says it in the grace period of the layout itself gets GRACE, which Linux takes for done, as
 * it is. So it does with BADLAYOUT, for one that comes after its layout was returned or taken (6.12 does that
 * when it is busy), or after the grace period for a layout of before our restart: it is sent again as it was
 * when the session is made anew, which may be after the last of others has reclaimed. Any other error would
 * reach the application's fsync. */
#include "mds/mds.h"
#include "mds/ops.h"
#include "mds/pnfs/size.h"
#include "mds/state/layout.h"
#include "mds/state/recovery.h"
#include "nfs4/codec.h"

struct layoutcommit_args {
        uint64_t offset, length, last;
        bool reclaim, has_last, has_time;
        struct stateid stateid;
        uint32_t type;
};
struct layoutcommit_res {
        bool grown;
        uint64_t before, size;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct layoutcommit_args *a = OP_ARGS(c, struct layoutcommit_args);

        a->offset = xdr_get_u64(x);
        a->length = xdr_get_u64(x);
        a->reclaim = xdr_get_bool(x);
        get_stateid(x, &a->stateid);
        a->has_last = xdr_get_bool(x);
        a->last = a->has_last ? xdr_get_u64(x) : 0;
        a->has_time = xdr_get_bool(x);
        if (a->has_time)
                xdr_get_bytes(x, 12);
        a->type = xdr_get_u32(x);
        xdr_get_opaque(x, 65536);
}

/* §15.1.10.2: not held (any more), which is not a bad stateid. */
static bool was_held(const struct compound *c, const struct stateid *s)
{
        struct mds *mds = mds_of(c);
        const struct layout_state *held = layout_of(mds->layouts, c->client, c->fh.fileid);

        return stateid_was_made(mds, s, STATEID_LAYOUT) &&
               !(held && memcmp(held->stateid.other, s->other, NFS4_OTHER_SIZE) == 0);
}

static enum nfsstat4 check(struct compound *c, struct layoutcommit_args *a)
{
        struct layout_state *state;
        enum nfsstat4 status;

        if (a->type != LAYOUT4_NFSV4_1_FILES)
                return NFS4ERR_UNKNOWN_LAYOUTTYPE;
        if (a->has_last && a->last == NFS4_UINT64_MAX)
                return NFS4ERR_INVAL;
        if (a->reclaim)
                return recovery_reclaim(c); /* the stateid means nothing */
        status = compound_stateid(c, &a->stateid);
        if (status != NFS4_OK)
                return status;
        status = layout_find(mds_of(c)->layouts, c->client, &a->stateid, &state);
        if (status == NFS4ERR_BAD_STATEID && recovery_in_grace(mds_of(c)->recovery))
                return NFS4ERR_GRACE;
        if (status == NFS4ERR_BAD_STATEID && was_held(c, &a->stateid))
                return NFS4ERR_BADLAYOUT;
        if (status != NFS4_OK)
                return status;
        if (state->fileid != c->fh.fileid)
                return NFS4ERR_BAD_STATEID;
        return state->iomodes & 1u << LAYOUTIOMODE4_RW ? NFS4_OK : NFS4ERR_BADIOMODE;
}

static enum nfsstat4 heard(struct compound *c)
{
        struct layoutcommit_res *r = OP_RES(c, struct layoutcommit_res);
        enum nfsstat4 status = size_refresh(c, c->fh.fileid);
        const struct inode *file;

        if (status == NFS4_WAIT || status == NFS4ERR_STALE)
                return status;
        if (meta_inode(mds_of(c)->meta, c->fh.fileid, &file) < 0)
                return NFS4ERR_STALE;
        r->size = file->size;
        r->grown = r->size > r->before;
        return NFS4_OK;
}

static enum nfsstat4 execute(struct compound *c)
{
        const struct inode *file;
        enum nfsstat4 status = check(c, OP_ARGS(c, struct layoutcommit_args));

        if (status != NFS4_OK)
                return status;
        if (meta_inode(mds_of(c)->meta, c->fh.fileid, &file) < 0)
                return NFS4ERR_STALE;
        OP_RES(c, struct layoutcommit_res)->before = file->size;
        return heard(c);
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct layoutcommit_res *r = OP_RES(c, struct layoutcommit_res);

        (void)status;
        xdr_put_bool(x, r->grown);
        if (r->grown)
                xdr_put_u64(x, r->size);
}

const struct nfs4_op op_layoutcommit = {
        .name = "LAYOUTCOMMIT",
        .flags = OP_NEEDS_FH | OP_MUTATES,
        .reply_max = 20,
        .decode = decode,
        .execute = execute,
        .resume = heard,
        .encode = encode,
};
