/* SPDX-License-Identifier: Apache-2.0 */
/* SECINFO_NO_NAME, RFC 8881 §18.45: the security flavours of the current handle (or its parent: the same
 * here, since a policy belongs to an export). Consumes the current file handle, as the RFC demands. */
#include "nfs4/ops.h"
#include "nfs4/server.h"

struct secinfo_args {
        uint32_t style;
};
struct secinfo_res {
        uint32_t flavors[8], count;
};

enum { SECINFO_STYLE4_PARENT = 1 };

void put_secinfo(struct xdr_out *x, const uint32_t *flavors, uint32_t count)
{
        xdr_put_u32(x, count);
        for (uint32_t i = 0; i < count; i++)
                xdr_put_u32(x, flavors[i]);
}

static void decode(struct compound *c, struct xdr_in *x)
{
        struct secinfo_args *a = OP_ARGS(c, struct secinfo_args);

        a->style = xdr_get_u32(x);
        if (a->style > SECINFO_STYLE4_PARENT)
                x->bad = true;
}

static bool is_root(struct compound *c)
{
        struct fh root;

        return c->server->hooks->root_fh && c->server->hooks->root_fh(c, &root) == NFS4_OK &&
               root.fileid == c->fh.fileid && root.export_id == c->fh.export_id;
}

static enum nfsstat4 execute(struct compound *c)
{
        struct secinfo_res *r = OP_RES(c, struct secinfo_res);

        if (OP_ARGS(c, struct secinfo_args)->style == SECINFO_STYLE4_PARENT && is_root(c))
                return NFS4ERR_NOENT;
        r->count = 1;
        r->flavors[0] = RPC_AUTH_SYS;
        if (c->server->hooks->flavors)
                r->count = c->server->hooks->flavors(c, r->flavors);
        c->has_fh = false;
        c->has_stateid = false;
        return NFS4_OK;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct secinfo_res *r = OP_RES(c, struct secinfo_res);

        (void)status;
        put_secinfo(x, r->flavors, r->count);
}

const struct nfs4_op op_secinfo_no_name = {
        .name = "SECINFO_NO_NAME",
        .flags = OP_NEEDS_FH | OP_PSEUDO,
        .reply_max = 48,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
