/* SPDX-License-Identifier: Apache-2.0 */
/* COMMIT at a data server: RFC 8881 §18.3, §13.7.
 *
 * The RFC: flushes a range of unstable data to stable storage and returns the write verifier. We: an
 * fdatasync of the whole object (Linux asks for 0, 0 anyway) and of its folder when the name may be new; the
 * verifier is taken afterwards, so that a sync that failed since the data was written shows. The size needs
 * no word to the MDS: ds/push.h says why. */
#include "ds/io.h"
#include "nfs4/codec.h"

struct commit_args {
        uint64_t offset;
        uint32_t count;
};
struct commit_wait {
        struct io io; /* first */
        bool syncing;
        struct io_sync sync;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct commit_args *a = OP_ARGS(c, struct commit_args);

        a->offset = xdr_get_u64(x);
        a->count = xdr_get_u32(x);
}

static enum nfsstat4 at_gate(struct commit_wait *w)
{
        enum nfsstat4 status = io_gate(&w->io, 0, 0, IO_COMMIT);

        if (status == NFS4_WAIT)
                return status;
        if (status != NFS4_OK || w->io.object->fd < 0) /* no object: nothing was written here */
                return io_end(&w->io, status);
        w->syncing = true;
        return io_sync(&w->io, &w->sync);
}

static enum nfsstat4 execute(struct compound *c)
{
        const struct commit_args *a = OP_ARGS(c, struct commit_args);
        struct commit_wait *w = OP_WAIT(c, struct commit_wait);
        enum nfsstat4 status;

        if (a->count > UINT64_MAX - a->offset)
                return NFS4ERR_INVAL;
        status = io_begin(c, &w->io, NULL);
        if (status != NFS4_OK)
                return status;
        w->syncing = false;
        return at_gate(w);
}

static enum nfsstat4 resume(struct compound *c)
{
        struct commit_wait *w = OP_WAIT(c, struct commit_wait);

        if (!w->syncing)
                return at_gate(w);
        return io_end(&w->io, w->sync.error ? io_disk_error(&w->io, w->sync.error, true) : NFS4_OK);
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        uint64_t verifier = atomic_load(&worker_of(c)->ds->write_verifier);

        (void)status;
        xdr_put_fixed(x, &verifier, NFS4_VERIFIER_SIZE);
}

const struct nfs4_op ds_op_commit = {
        .name = "COMMIT",
        .flags = OP_NEEDS_FH | OP_MUTATES,
        .reply_max = 16,
        .decode = decode,
        .execute = execute,
        .resume = resume,
        .encode = encode,
};
