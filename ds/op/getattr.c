/* SPDX-License-Identifier: Apache-2.0 */
/* GETATTR at a data server: RFC 8881 §18.7, §13.6, §13.11.
 *
 * The RFC: a data server may answer it, but its sizes and times are those of a component and not the file's.
 * We support only attributes that say nothing of the kind; Linux asks a data server for none. */
#include "ds/ds.h"
#include "nfs4/attrs.h"

struct getattr_args {
        struct bitmap4 asked;
};

static const struct bitmap4 supported = {
        .word = { 1u << FATTR4_SUPPORTED_ATTRS | 1u << FATTR4_TYPE | 1u << FATTR4_FH_EXPIRE_TYPE |
                  1u << FATTR4_FSID | 1u << FATTR4_UNIQUE_HANDLES | 1u << FATTR4_LEASE_TIME |
                  1u << FATTR4_RDATTR_ERROR | 1u << FATTR4_FILEHANDLE | 1u << FATTR4_FILEID |
                  1u << FATTR4_MAXREAD | 1u << FATTR4_MAXWRITE },
};

static void decode(struct compound *c, struct xdr_in *x)
{
        get_bitmap(x, &OP_ARGS(c, struct getattr_args)->asked);
}

static enum nfsstat4 execute(struct compound *c)
{
        return attrs_ask_write_only(&OP_ARGS(c, struct getattr_args)->asked) ? NFS4ERR_INVAL : NFS4_OK;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct ds *ds = worker_of(c)->ds;
        struct attr_values v = {
                .type = c->fh.kind == FH_DS ? NF4REG : NF4DIR,
                .fileid = c->fh.fileid,
                .lease_seconds = c->server->lease_seconds,
                .supported = &supported,
        };

        (void)status;
        memcpy(&v.fsid_major, ds->identity.fsid, 8);
        memcpy(&v.fsid_minor, ds->identity.fsid + 8, 8);
        fh_encode(&c->fh, c->server->key, v.fh);
        attrs_encode(x, &OP_ARGS(c, struct getattr_args)->asked, &v);
}

const struct nfs4_op ds_op_getattr = {
        .name = "GETATTR",
        .flags = OP_NEEDS_FH,
        .reply_max = 8 + 20 + 128,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
