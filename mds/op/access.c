/* SPDX-License-Identifier: Apache-2.0 */
/* ACCESS, RFC 8881 §18.1: what the caller may do with the object, of what was asked.
 *
 * The RFC: `supported` tells which of the asked bits we can judge. We judge all six that a POSIX mode knows; a read-only
 * export takes modifying away. DELETE is judged on the directory that holds the object, so on an object we do not. */
#include "mds/op/dir.h"
#include "mds/ops.h"

struct access_args {
        uint32_t asked;
};
struct access_res {
        uint32_t supported, allowed;
};

static void decode(struct compound *c, struct xdr_in *x)
{
        OP_ARGS(c, struct access_args)->asked = xdr_get_u32(x);
}

static uint32_t judge(const struct caller *who, const struct inode *inode)
{
        bool dir = inode->type == NF4DIR, writable = who->rule->access == EXPORT_RW;
        uint32_t allowed = 0;

        if (perm_ok(who, inode, MAY_READ))
                allowed |= ACCESS4_READ;
        if (writable && perm_ok(who, inode, MAY_WRITE))
                allowed |= ACCESS4_MODIFY | ACCESS4_EXTEND | (dir ? ACCESS4_DELETE : 0u);
        if (perm_ok(who, inode, MAY_SEARCH))
                allowed |= dir ? ACCESS4_LOOKUP : ACCESS4_EXECUTE;
        return allowed;
}

static enum nfsstat4 execute(struct compound *c)
{
        uint32_t asked = OP_ARGS(c, struct access_args)->asked;
        struct access_res *r = OP_RES(c, struct access_res);
        const struct inode *inode;
        struct caller who;
        enum nfsstat4 status;

        if (c->fh.flags & FH_PSEUDO) {
                r->supported = asked & (ACCESS4_READ | ACCESS4_LOOKUP | ACCESS4_MODIFY | ACCESS4_EXTEND | ACCESS4_DELETE);
                r->allowed = asked & (ACCESS4_READ | ACCESS4_LOOKUP);
                return NFS4_OK;
        }
        status = object_get(c, &c->fh, &inode);
        if (status == NFS4_OK)
                status = caller_of(c, &c->fh, &who);
        if (status != NFS4_OK)
                return status;
        r->supported = asked & (inode->type == NF4DIR ? ACCESS4_READ | ACCESS4_LOOKUP | ACCESS4_MODIFY | ACCESS4_EXTEND | ACCESS4_DELETE :
                                                        ACCESS4_READ | ACCESS4_MODIFY | ACCESS4_EXTEND | ACCESS4_EXECUTE);
        r->allowed = r->supported & judge(&who, inode);
        return NFS4_OK;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct access_res *r = OP_RES(c, struct access_res);

        (void)status;
        xdr_put_u32(x, r->supported);
        xdr_put_u32(x, r->allowed);
}

const struct nfs4_op op_access = {
        .name = "ACCESS",
        .flags = OP_NEEDS_FH | OP_PSEUDO,
        .reply_max = 16,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
