/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments and results of the operations on byte-range locks: RFC 8881 §18.10 to §18.12. */
#include "mds/op/lock.h"

uint32_t lock_get_type(struct xdr_in *x)
{
        uint32_t type = xdr_get_u32(x);

        if (type < READ_LT || type > WRITEW_LT)
                x->bad = true;
        return type;
}

void lock_get_bytes(struct xdr_in *x, struct lock_bytes *ret)
{
        ret->offset = xdr_get_u64(x);
        ret->length = xdr_get_u64(x);
}

struct slice lock_get_owner(struct xdr_in *x)
{
        xdr_get_u64(x);
        return xdr_get_opaque(x, NFS4_OPAQUE_LIMIT);
}

enum nfsstat4 lock_range(const struct lock_bytes *bytes, uint64_t *ret_first, uint64_t *ret_last)
{
        bool to_the_end = bytes->length == NFS4_UINT64_MAX;

        if (bytes->length == 0 || (!to_the_end && bytes->length > NFS4_UINT64_MAX - bytes->offset))
                return NFS4ERR_INVAL;
        *ret_first = bytes->offset;
        *ret_last = to_the_end ? NFS4_UINT64_MAX : bytes->offset + bytes->length - 1;
        return NFS4_OK;
}

enum nfsstat4 lock_wish_of(struct compound *c, uint32_t type, const struct lock_bytes *bytes,
                           struct lock_wish *ret)
{
        struct subject s;
        enum nfsstat4 status;

        *ret = (struct lock_wish){ .client = c->client,
                                   .fh = c->fh,
                                   .kind = type == WRITE_LT || type == WRITEW_LT ? RANGE_WRITE : RANGE_READ,
                                   .waits = type == READW_LT || type == WRITEW_LT };
        status = lock_range(bytes, &ret->first, &ret->last);
        if (status == NFS4_OK)
                status = subject_of(c, &c->fh, &s);
        if (status != NFS4_OK)
                return status;
        if (s.pseudo || s.inode->type == NF4DIR)
                return NFS4ERR_ISDIR;
        if (s.inode->type != NF4REG)
                return s.inode->type == NF4LNK ? NFS4ERR_SYMLINK : NFS4ERR_WRONG_TYPE;
        return NFS4_OK;
}

void lock_put_denied(struct xdr_out *x, const struct lock_denied *denied)
{
        xdr_put_u64(x, denied->first);
        xdr_put_u64(x, denied->last == NFS4_UINT64_MAX ? NFS4_UINT64_MAX : denied->last - denied->first + 1);
        xdr_put_u32(x, denied->kind == RANGE_WRITE ? WRITE_LT : READ_LT);
        xdr_put_u64(x, denied->clientid);
        xdr_put_slice(x, denied->owner);
}
