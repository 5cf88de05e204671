/* SPDX-License-Identifier: Apache-2.0 */
/* SECINFO, RFC 8881 §18.29: the security flavours with which the object behind a name can be reached; needs
 * only that the name can be looked up. Consumes the current file handle. A policy belongs to an export, so
 * that only below a node of the pseudo file system the name matters. */
#include "mds/ns/subject.h"
#include "mds/ops.h"
#include "nfs4/codec.h"

struct secinfo_args {
        struct slice name;
};
struct secinfo_res {
        uint32_t flavors[8], count;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct secinfo_args *a = OP_ARGS(c, struct secinfo_args);

        a->name = xdr_get_opaque(x, UINT32_MAX);
        c->decode_status = check_name(a->name);
}

static enum nfsstat4 find(struct compound *c, struct slice name, struct fh *ret)
{
        const struct pseudo_node *child;
        const struct inode *inode;
        struct subject dir;
        enum nfsstat4 status = subject_dir(c, &c->fh, PERM_X, &dir);

        if (status != NFS4_OK)
                return status;
        *ret = dir.fh;
        if (!dir.pseudo)
                return subject_child(c, &dir, name, &inode);
        child = pseudo_lookup(dir.pseudo, name);
        return child && pseudo_visible(c, child) ? pseudo_enter(c, child, ret) : NFS4ERR_NOENT;
}

static enum nfsstat4 execute(struct compound *c)
{
        struct secinfo_res *r = OP_RES(c, struct secinfo_res);
        struct fh found;
        enum nfsstat4 status = find(c, OP_ARGS(c, struct secinfo_args)->name, &found);

        if (status != NFS4_OK)
                return status;
        c->fh = found;
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

const struct nfs4_op op_secinfo = {
        .name = "SECINFO",
        .flags = OP_NEEDS_FH | OP_PSEUDO | OP_NAMES,
        .reply_max = 48,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
