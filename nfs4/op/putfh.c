/* SPDX-License-Identifier: Apache-2.0 */
/* PUTFH, PUTROOTFH, PUTPUBFH, GETFH, SAVEFH, RESTOREFH: RFC 8881 §18.19–21, §18.8, §18.27–28. The two file
 * handle registers and the stateids that go with them (§16.2.3.1.2). The public handle is the root. */
#include "nfs4/ops.h"
#include "nfs4/server.h"

struct putfh_args {
        struct slice bytes;
};

static void putfh_decode(struct compound *c, struct xdr_in *x)
{
        OP_ARGS(c, struct putfh_args)->bytes = xdr_get_opaque(x, NFS4_FHSIZE);
}

static enum nfsstat4 putfh_execute(struct compound *c)
{
        struct fh fh;
        enum nfsstat4 status = c->server->hooks->resolve_fh(c, OP_ARGS(c, struct putfh_args)->bytes, &fh);

        if (status == NFS4_OK)
                compound_set_fh(c, &fh);
        return status;
}

const struct nfs4_op op_putfh = {
        .name = "PUTFH",
        .reply_max = 8,
        .decode = putfh_decode,
        .execute = putfh_execute,
};

static enum nfsstat4 putrootfh_execute(struct compound *c)
{
        struct fh fh;
        enum nfsstat4 status;

        if (!c->server->hooks->root_fh)
                return NFS4ERR_NOTSUPP;
        status = c->server->hooks->root_fh(c, &fh);
        if (status == NFS4_OK)
                compound_set_fh(c, &fh);
        return status;
}

const struct nfs4_op op_putrootfh = {
        .name = "PUTROOTFH",
        .reply_max = 8,
        .execute = putrootfh_execute,
};

const struct nfs4_op op_putpubfh = {
        .name = "PUTPUBFH",
        .reply_max = 8,
        .execute = putrootfh_execute,
};

static enum nfsstat4 getfh_execute(struct compound *c)
{
        (void)c;
        return NFS4_OK;
}

static void getfh_encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        uint8_t bytes[FH_BYTES];

        (void)status;
        fh_encode(&c->fh, c->server->key, bytes);
        xdr_put_opaque(x, bytes, FH_BYTES);
}

const struct nfs4_op op_getfh = {
        .name = "GETFH",
        .flags = OP_NEEDS_FH | OP_PSEUDO,
        .reply_max = 12 + FH_BYTES,
        .execute = getfh_execute,
        .encode = getfh_encode,
};

static enum nfsstat4 savefh_execute(struct compound *c)
{
        c->saved_fh = c->fh;
        c->has_saved_fh = true;
        c->saved_stateid = c->stateid;
        c->has_saved_stateid = c->has_stateid;
        return NFS4_OK;
}

const struct nfs4_op op_savefh = {
        .name = "SAVEFH",
        .flags = OP_NEEDS_FH | OP_PSEUDO,
        .reply_max = 8,
        .execute = savefh_execute,
};

static enum nfsstat4 restorefh_execute(struct compound *c)
{
        if (!c->has_saved_fh)
                return NFS4ERR_NOFILEHANDLE;
        c->fh = c->saved_fh;
        c->has_fh = true;
        c->stateid = c->saved_stateid;
        c->has_stateid = c->has_saved_stateid;
        return NFS4_OK;
}

const struct nfs4_op op_restorefh = {
        .name = "RESTOREFH",
        .reply_max = 8,
        .execute = restorefh_execute,
};
