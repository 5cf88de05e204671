/* SPDX-License-Identifier: Apache-2.0 */
/* VERIFY and NVERIFY, RFC 8881 §18.31 and §18.15: go on only when the attributes are (are not) as the client
 * says.
 *
 * The RFC: NOT_SAME or SAME end the compound; unsupported attributes are ATTRNOTSUPP, write-only ones and
 * rdattr_error are INVAL. We compare the bytes that GETATTR would send: numeric owners and fixed forms have
 * one spelling each. */
#include "mds/ns/inode.h"
#include "mds/op/fresh.h"
#include "mds/ops.h"

struct verify_args {
        struct raw_attrs attrs;
};

enum { VALUES_MAX = 1024 + ACL_WIRE_BYTES };

static enum nfsstat4 check_mask(const struct bitmap4 *mask)
{
        if (mask->beyond)
                return NFS4ERR_ATTRNOTSUPP;
        for (int i = 0; i < 3; i++)
                if (mask->word[i] & ~attrs_supported.word[i])
                        return NFS4ERR_ATTRNOTSUPP;
        return attrs_ask_write_only(mask) || bitmap_has(mask, FATTR4_RDATTR_ERROR) ? NFS4ERR_INVAL : NFS4_OK;
}

static void decode(struct compound *c, struct xdr_in *x)
{
        struct verify_args *a = OP_ARGS(c, struct verify_args);

        attrs_get_raw(x, &a->attrs);
        c->decode_status = check_mask(&a->attrs.mask);
}

/* Our value list for the client's mask, as it would go out. */
static struct slice our_values(const struct compound *c, const struct subject *s, const struct bitmap4 *mask,
                               uint8_t out[VALUES_MAX])
{
        struct acl acl;
        struct attr_values values = { .acl = &acl };
        struct xdr_out x;
        struct xdr_in in;
        struct bitmap4 skipped;

        subject_values(c, s, mask, &values);
        xdr_out_init(&x, out, VALUES_MAX);
        attrs_encode(&x, mask, &values);
        CHECK(!x.full);
        in = xdr_in_of(slice_of(out, xdr_head_length(&x)));
        get_bitmap(&in, &skipped);
        return xdr_get_opaque(&in, VALUES_MAX);
}

static enum nfsstat4 compare(struct compound *c, bool *ret_same)
{
        const struct raw_attrs *theirs = &OP_ARGS(c, struct verify_args)->attrs;
        uint8_t buffer[VALUES_MAX];
        struct subject s;
        enum nfsstat4 status = subject_of(c, &c->fh, &s);

        if (status == NFS4_OK && s.inode && s.inode->type == NF4REG && attrs_need_size(&theirs->mask))
                status = attrs_refresh(c, s.inode, &theirs->mask);
        if (status == NFS4_OK)
                *ret_same = slice_equal(theirs->values, our_values(c, &s, &theirs->mask, buffer));
        return status;
}

static enum nfsstat4 verify(struct compound *c)
{
        bool same;
        enum nfsstat4 status = compare(c, &same);

        return status != NFS4_OK || same ? status : NFS4ERR_NOT_SAME;
}

static enum nfsstat4 nverify(struct compound *c)
{
        bool same;
        enum nfsstat4 status = compare(c, &same);

        return status != NFS4_OK || !same ? status : NFS4ERR_SAME;
}

const struct nfs4_op op_verify = {
        .name = "VERIFY",
        .flags = OP_NEEDS_FH | OP_PSEUDO,
        .reply_max = 8,
        .decode = decode,
        .execute = verify,
        .resume = verify,
};

const struct nfs4_op op_nverify = {
        .name = "NVERIFY",
        .flags = OP_NEEDS_FH | OP_PSEUDO,
        .reply_max = 8,
        .decode = decode,
        .execute = nverify,
        .resume = nverify,
};
