/* SPDX-License-Identifier: Apache-2.0 */
/* LOOKUP, RFC 8881 §18.13: the object behind a name becomes the current one.
 *
 * The RFC: crosses into another file system by itself; WRONGSEC is told here, about the object found
 * (§2.6.3.1). We: names are bytes; an export is entered through its node of the pseudo file system; who has
 * access to nothing below a node does not see it. */
#include "mds/ns/subject.h"
#include "mds/ops.h"
#include "nfs4/codec.h"

struct lookup_args {
        struct slice name;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        struct lookup_args *a = OP_ARGS(c, struct lookup_args);

        a->name = xdr_get_opaque(x, UINT32_MAX);
        c->decode_status = check_name(a->name);
}

static enum nfsstat4 enter_pseudo(struct compound *c, const struct subject *dir, struct slice name,
                                  struct fh *ret)
{
        const struct pseudo_node *child = pseudo_lookup(dir->pseudo, name);
        struct caller who;
        enum nfsstat4 status;

        if (!child || !pseudo_visible(c, child))
                return NFS4ERR_NOENT;
        status = pseudo_enter(c, child, ret);
        return status == NFS4_OK ? caller_of(c, ret, &who) : status;
}

static enum nfsstat4 execute(struct compound *c)
{
        struct slice name = OP_ARGS(c, struct lookup_args)->name;
        const struct inode *child;
        struct subject dir;
        struct fh fh;
        enum nfsstat4 status = subject_dir(c, &c->fh, PERM_X, &dir);

        if (status != NFS4_OK)
                return status;
        if (dir.pseudo) {
                status = enter_pseudo(c, &dir, name, &fh);
        } else {
                status = subject_child(c, &dir, name, &child);
                if (status == NFS4_OK)
                        fh = inode_fh(dir.fh.export_id, child);
        }
        if (status == NFS4_OK)
                compound_set_fh(c, &fh);
        return status;
}

static struct slice acts_on(struct compound *c, bool saved)
{
        return saved ? slice_str("") : OP_ARGS(c, struct lookup_args)->name;
}

const struct nfs4_op op_lookup = {
        .name = "LOOKUP",
        .flags = OP_NEEDS_FH | OP_PSEUDO | OP_NAMES,
        .reply_max = 8,
        .decode = decode,
        .execute = execute,
        .acts_on = acts_on,
};
