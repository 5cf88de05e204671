/* SPDX-License-Identifier: Apache-2.0 */
/* SETXATTR, RFC 8276 §8.4.2, and REMOVEXATTR, §8.4.4.
 *
 * The RFC: an attribute is made, replaced, or either; EXIST, NOXATTR when it is (not) there; XATTR2BIG for a
 * value that is too long; change moves, atomically in our case, and so does ctime. What one file may have
 * together is bounded (mds/store/txn.h): beyond that NOSPC, as other file systems have it. Delegations of
 * others are called back first, since the change attribute is theirs to answer for. */
#include "mds/op/change.h"
#include "mds/op/setxattr.h"
#include "mds/op/xattr_hsm.h"
#include "mds/op/xattr_layout.h"
#include "mds/ops.h"

struct setxattr_args {
        uint32_t option;
        struct slice name, value;
        bool removes;
};
struct setxattr_res {
        struct change_info cinfo;
};

_Static_assert((int)SETXATTR4_CREATE == (int)XATTR_SET_CREATE &&
                       (int)SETXATTR4_REPLACE == (int)XATTR_SET_REPLACE,
               "the store's words are the RFC's");

static void decode_set(struct compound *c, struct xdr_in *x)
{
        struct setxattr_args *a = OP_ARGS(c, struct setxattr_args);

        a->removes = false;
        a->option = xdr_get_u32(x);
        if (a->option > SETXATTR4_REPLACE)
                x->bad = true;
        a->name = get_xattr_name(c, x);
        a->value = xdr_get_opaque(x, UINT32_MAX);
        if (c->decode_status == NFS4_OK && a->value.length > XATTR_VALUE_BYTES)
                c->decode_status = NFS4ERR_XATTR2BIG;
}

static void decode_remove(struct compound *c, struct xdr_in *x)
{
        *OP_ARGS(c, struct setxattr_args) =
                (struct setxattr_args){ .name = get_xattr_name(c, x), .removes = true };
}

static enum nfsstat4 change(struct compound *c, struct txn *t, struct inode *inode)
{
        const struct setxattr_args *a = OP_ARGS(c, struct setxattr_args);
        struct change_info *cinfo = &OP_RES(c, struct setxattr_res)->cinfo;
        int r = a->removes ? txn_remove_xattr(t, inode, a->name)
                           : txn_set_xattr(t, inode, a->name, a->value, (enum xattr_how)a->option);

        if (r)
                return xattr_status(r);
        *cinfo = (struct change_info){ .atomic = true, .before = inode->change };
        txn_touch(t, inode, false);
        cinfo->after = inode->change;
        return NFS4_OK;
}

static enum nfsstat4 set_ours(struct compound *c, const struct subject *s)
{
        const struct setxattr_args *a = OP_ARGS(c, struct setxattr_args);

        return xattr_layout_set(c, s, a->name, a->removes ? NULL : &a->value, (enum xattr_how)a->option,
                                &OP_RES(c, struct setxattr_res)->cinfo);
}

/* Nothing of the file changes that is anybody's to answer for. */
static enum nfsstat4 run_verb(struct compound *c)
{
        const struct setxattr_args *a = OP_ARGS(c, struct setxattr_args);

        return xattr_hsm_set(c, a->removes ? NULL : &a->value, &OP_RES(c, struct setxattr_res)->cinfo);
}

static enum nfsstat4 resume(struct compound *c)
{
        struct subject s;
        struct inode *inode;
        struct txn *t;
        enum nfsstat4 status;

        if (xattr_is_hsm(OP_ARGS(c, struct setxattr_args)->name))
                return run_verb(c);
        status = xattr_subject(c, PERM_W, &s);
        if (status == NFS4_OK)
                status = delegation_conflict_by_change(c, s.inode->fileid,
                                                       &OP_WAIT(c, struct setxattr_wait)->delegation);
        if (status != NFS4_OK)
                return status;
        if (xattr_is_ours(OP_ARGS(c, struct setxattr_args)->name))
                return set_ours(c, &s);
        t = txn_begin(mds_of(c)->meta);
        inode = txn_edit(t, s.inode->fileid);
        status = inode ? change(c, t, inode) : NFS4ERR_STALE;
        if (status == NFS4_OK)
                return change_commit(c, t);
        txn_abort(t);
        return status;
}

static enum nfsstat4 execute(struct compound *c)
{
        OP_WAIT(c, struct setxattr_wait)->reshape = (struct reshape){ 0 };
        return resume(c);
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        (void)status;
        put_change_info(x, &OP_RES(c, struct setxattr_res)->cinfo);
}

const struct nfs4_op op_setxattr = {
        .name = "SETXATTR",
        .flags = OP_NEEDS_FH | OP_MUTATES | OP_PSEUDO,
        .reply_max = 8 + 20,
        .decode = decode_set,
        .execute = execute,
        .resume = resume,
        .encode = encode,
};

const struct nfs4_op op_removexattr = {
        .name = "REMOVEXATTR",
        .flags = OP_NEEDS_FH | OP_MUTATES | OP_PSEUDO,
        .reply_max = 8 + 20,
        .decode = decode_remove,
        .execute = execute,
        .resume = resume,
        .encode = encode,
};
