/* SPDX-License-Identifier: Apache-2.0 */
/* ACCESS, RFC 8881 §18.1, RFC 8276 §8.5: which of the rights asked about the caller has.
 *
 * The RFC: `supported` are the rights that mean something for this object, `access` those granted; no error
 * for a right that is not there. We: mode bits or the access control list; what would write is never granted
 * under a read-only export.
 */
#include "mds/op/xattr.h"
#include "mds/ops.h"

struct access_args {
        uint32_t asked;
};
struct access_res {
        uint32_t supported, granted;
};

enum {
        FOR_DIRECTORIES = ACCESS4_READ | ACCESS4_LOOKUP | ACCESS4_MODIFY | ACCESS4_EXTEND | ACCESS4_DELETE,
        FOR_FILES = ACCESS4_READ | ACCESS4_MODIFY | ACCESS4_EXTEND | ACCESS4_EXECUTE,
        FOR_OTHERS = ACCESS4_READ | ACCESS4_MODIFY | ACCESS4_EXTEND,
        FOR_XATTRS = ACCESS4_XAREAD | ACCESS4_XAWRITE | ACCESS4_XALIST,
        WRITING = ACCESS4_MODIFY | ACCESS4_EXTEND | ACCESS4_DELETE,
};

static void decode(struct compound *c, struct xdr_in *x)
{
        OP_ARGS(c, struct access_args)->asked = xdr_get_u32(x);
}

static uint32_t granted_on_directory(const struct subject *s)
{
        uint32_t granted = 0;

        if (perm_ok(&s->who, s->inode, PERM_R))
                granted |= ACCESS4_READ;
        if (perm_ok(&s->who, s->inode, PERM_X))
                granted |= ACCESS4_LOOKUP;
        if (perm_to(&s->who, s->inode, PERM_W | PERM_X, ACE4_WRITE_DATA | ACE4_EXECUTE))
                granted |= ACCESS4_MODIFY;
        if (perm_to(&s->who, s->inode, PERM_W | PERM_X, ACE4_APPEND_DATA | ACE4_EXECUTE))
                granted |= ACCESS4_EXTEND;
        if (perm_to(&s->who, s->inode, PERM_W | PERM_X, ACE4_DELETE_CHILD | ACE4_EXECUTE))
                granted |= ACCESS4_DELETE;
        return granted;
}

static uint32_t granted_on_file(const struct subject *s)
{
        uint32_t granted = 0;

        if (perm_ok(&s->who, s->inode, PERM_R))
                granted |= ACCESS4_READ;
        if (perm_ok(&s->who, s->inode, PERM_W))
                granted |= ACCESS4_MODIFY;
        if (perm_to(&s->who, s->inode, PERM_W, ACE4_APPEND_DATA))
                granted |= ACCESS4_EXTEND;
        if (perm_ok(&s->who, s->inode, PERM_X))
                granted |= ACCESS4_EXECUTE;
        return granted;
}

/* Extended attributes go with reading and writing; see mds/op/xattr.c. */
static uint32_t granted_xattrs(const struct subject *s)
{
        uint32_t granted = 0;

        if (xattr_may(s, PERM_R) == NFS4_OK)
                granted |= ACCESS4_XAREAD | ACCESS4_XALIST;
        if (xattr_may(s, PERM_W) == NFS4_OK)
                granted |= ACCESS4_XAWRITE;
        return granted;
}

static enum nfsstat4 execute(struct compound *c)
{
        uint32_t asked = OP_ARGS(c, struct access_args)->asked;
        uint32_t xattrs = c->minor == 1 ? 0 : FOR_XATTRS;
        struct access_res *r = OP_RES(c, struct access_res);
        struct subject s;
        enum nfsstat4 status = subject_of(c, &c->fh, &s);

        if (status != NFS4_OK)
                return status;
        if (s.pseudo) {
                r->supported = asked & (FOR_DIRECTORIES | xattrs);
                r->granted = asked & (ACCESS4_READ | ACCESS4_LOOKUP);
                return NFS4_OK;
        }
        if (s.inode->type == NF4DIR) {
                r->supported = asked & (FOR_DIRECTORIES | xattrs);
                r->granted = granted_on_directory(&s);
        } else {
                r->supported = asked & (s.inode->type == NF4REG ? FOR_FILES | xattrs : FOR_OTHERS);
                r->granted = granted_on_file(&s);
        }
        if (r->supported & FOR_XATTRS)
                r->granted |= granted_xattrs(&s);
        r->granted &= r->supported;
        if (s.who.rule->access != EXPORT_RW)
                r->granted &= ~(uint32_t)WRITING;
        return NFS4_OK;
}

static void encode(struct compound *c, struct xdr_out *x, enum nfsstat4 status)
{
        const struct access_res *r = OP_RES(c, struct access_res);

        (void)status;
        xdr_put_u32(x, r->supported);
        xdr_put_u32(x, r->granted);
}

const struct nfs4_op op_access = {
        .name = "ACCESS",
        .flags = OP_NEEDS_FH | OP_PSEUDO,
        .reply_max = 16,
        .decode = decode,
        .execute = execute,
        .encode = encode,
};
