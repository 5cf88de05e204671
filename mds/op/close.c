/* SPDX-License-Identifier: Apache-2.0 */
/* CLOSE, RFC 8881 §18.2: the open and its share reservation end.
 *
 * The RFC: the stateid returned means nothing; we return the invalid one (§8.2.3). The last CLOSE of a file without a name
 * ends the file (ns/orphan.c). Layouts stay: Linux keeps them for the next open. */
#include "mds/ns/orphan.h"
#include "mds/ops.h"
#include "mds/state/open.h"
#include "nfs4/codec.h"

struct close_args {
        struct stateid stateid;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        xdr_get_u32(x); /* seqid of 4.0 */
        get_stateid(x, &OP_ARGS(c, struct close_args)->stateid);
}

static enum nfsstat4 execute(struct compound *c)
{
        struct close_args *a = OP_ARGS(c, struct close_args);
        struct mds *mds = mds_of(c);
        struct open_state *open;
        enum nfsstat4 status = compound_stateid(c, &a->stateid);

        if (status == NFS4_OK)
                status = open_find(mds->opens, c->client, &a->stateid, &open);
        if (status != NFS4_OK)
                return status;
        if (open->fileid != c->fh.fileid)
                return NFS4ERR_BAD_STATEID;
        if (open_close(mds->opens, open))
                orphan_closed(mds, c->fh.fileid);
        c->has_stateid = false;
        return NFS4_OK;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        static const struct stateid invalid = { .seqid = UINT32_MAX };

        (void)c;
        (void)status;
        put_stateid(x, &invalid);
}

const struct nfs4_op op_close = {
        .name = "CLOSE",
        .flags = OP_NEEDS_FH | OP_MUTATES,
        .reply_max = 24,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
