/* SPDX-License-Identifier: Apache-2.0 */
/* IO_ADVISE, RFC 7862 §15.5: the client says how it will use a range of a file, and hears which of its hints
 * are heeded: none are, so the answer is an empty set. */
#include "mds/op/io.h"
#include "mds/ops.h"
#include "nfs4/codec.h"

struct io_advise_args {
        struct stateid stateid;
        uint64_t offset, count;
        struct bitmap4 hints;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct io_advise_args *a = OP_ARGS(c, struct io_advise_args);

        get_stateid(x, &a->stateid);
        a->offset = xdr_get_u64(x);
        a->count = xdr_get_u64(x);
        get_bitmap(x, &a->hints);
}

static enum nfsstat4 execute(struct compound *c)
{
        return io_check(c, &OP_ARGS(c, struct io_advise_args)->stateid, OPEN4_SHARE_ACCESS_READ);
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        static const struct bitmap4 none = { 0 };

        (void)c, (void)status;
        put_bitmap(x, &none);
}

const struct nfs4_op op_io_advise = {
        .name = "IO_ADVISE",
        .flags = OP_NEEDS_FH,
        .reply_max = 24,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
