/* SPDX-License-Identifier: Apache-2.0 */
/* Operations as Linux sends them: RFC 8881 §18. */
#include "bench/load/load.h"

void put_op(struct load_ops *o, uint32_t opnum)
{
        o->count++;
        xdr_put_u32(o->x, opnum);
}

void put_root(struct load_ops *o)
{
        put_op(o, OP_PUTROOTFH);
}

void put_fh(struct load_ops *o, const struct load_fh *fh)
{
        put_op(o, OP_PUTFH);
        xdr_put_opaque(o->x, fh->bytes, fh->length);
}

void put_lookup(struct load_ops *o, const char *name)
{
        put_op(o, OP_LOOKUP);
        xdr_put_string(o->x, name);
}

void put_getattr(struct load_ops *o)
{
        static const uint8_t asked[] = { FATTR4_TYPE,          FATTR4_CHANGE,      FATTR4_SIZE,
                                         FATTR4_FSID,          FATTR4_FILEID,      FATTR4_MODE,
                                         FATTR4_NUMLINKS,      FATTR4_OWNER,       FATTR4_OWNER_GROUP,
                                         FATTR4_RAWDEV,        FATTR4_SPACE_USED,  FATTR4_TIME_ACCESS,
                                         FATTR4_TIME_METADATA, FATTR4_TIME_MODIFY, FATTR4_MOUNTED_ON_FILEID };
        struct bitmap4 b = { 0 };

        for (size_t i = 0; i < sizeof(asked); i++)
                bitmap_set(&b, asked[i]);
        put_op(o, OP_GETATTR);
        put_bitmap(o->x, &b);
}

void put_get_size(struct load_ops *o)
{
        struct bitmap4 b = { 0 };

        bitmap_set(&b, FATTR4_SIZE);
        put_op(o, OP_GETATTR);
        put_bitmap(o->x, &b);
}

static void put_mode(struct xdr_out *x, uint32_t mode)
{
        struct bitmap4 b = { 0 };

        bitmap_set(&b, FATTR4_MODE);
        put_bitmap(x, &b);
        xdr_put_u32(x, 4);
        xdr_put_u32(x, mode);
}

void put_mkdir(struct load_ops *o, const char *name)
{
        put_op(o, OP_CREATE);
        xdr_put_u32(o->x, NF4DIR);
        xdr_put_string(o->x, name);
        put_mode(o->x, 0755);
}

void put_open(struct load_ops *o, const char *owner, const char *name, uint32_t access, bool create)
{
        struct xdr_out *x = o->x;

        put_op(o, OP_OPEN);
        xdr_put_u32(x, 0);
        xdr_put_u32(x, access | OPEN4_SHARE_ACCESS_WANT_NO_DELEG);
        xdr_put_u32(x, OPEN4_SHARE_DENY_NONE);
        xdr_put_u64(x, 0);
        xdr_put_string(x, owner);
        xdr_put_u32(x, create ? OPEN4_CREATE : OPEN4_NOCREATE);
        if (create) {
                xdr_put_u32(x, UNCHECKED4);
                put_mode(x, 0644);
        }
        xdr_put_u32(x, CLAIM_NULL);
        xdr_put_string(x, name);
}

void put_close(struct load_ops *o, const struct stateid *s)
{
        put_op(o, OP_CLOSE);
        xdr_put_u32(o->x, 0);
        put_stateid(o->x, s);
}

void put_lock(struct load_ops *o, const struct load_lock *lock)
{
        struct xdr_out *x = o->x;

        put_op(o, OP_LOCK);
        xdr_put_u32(x, WRITE_LT);
        xdr_put_bool(x, false);
        xdr_put_u64(x, lock->offset);
        xdr_put_u64(x, lock->length);
        xdr_put_bool(x, lock->open != NULL);
        if (lock->open) {
                xdr_put_u32(x, 0);
                put_stateid(x, lock->open);
                xdr_put_u32(x, 0);
                xdr_put_u64(x, lock->clientid);
                xdr_put_string(x, lock->owner);
        } else {
                put_stateid(x, lock->s);
                xdr_put_u32(x, 0);
        }
}

void put_unlock(struct load_ops *o, const struct load_lock *lock)
{
        put_op(o, OP_LOCKU);
        xdr_put_u32(o->x, WRITE_LT);
        xdr_put_u32(o->x, 0);
        put_stateid(o->x, lock->s);
        xdr_put_u64(o->x, lock->offset);
        xdr_put_u64(o->x, lock->length);
}

void put_layoutget(struct load_ops *o, uint32_t iomode, const struct stateid *s)
{
        put_op(o, OP_LAYOUTGET);
        xdr_put_bool(o->x, false);
        xdr_put_u32(o->x, LAYOUT4_NFSV4_1_FILES);
        xdr_put_u32(o->x, iomode);
        xdr_put_u64(o->x, 0);
        xdr_put_u64(o->x, NFS4_UINT64_MAX);
        xdr_put_u64(o->x, 4096);
        put_stateid(o->x, s);
        xdr_put_u32(o->x, 4096);
}

bool get_fh(struct xdr_in *x, struct load_fh *ret)
{
        struct slice bytes;

        if (peer_result(x, OP_GETFH) != NFS4_OK)
                return false;
        bytes = xdr_get_opaque(x, NFS4_FHSIZE);
        if (x->bad)
                return false;
        ret->length = bytes.length;
        memcpy(ret->bytes, bytes.data, bytes.length);
        return true;
}

/* A delegation that we did not want would be ours to give back: not done here. */
bool get_open(struct xdr_in *x, struct stateid *ret)
{
        struct bitmap4 set;
        uint32_t delegation, why;

        if (peer_result(x, OP_OPEN) != NFS4_OK)
                return false;
        get_stateid(x, ret);
        xdr_get_bytes(x, 4 + 8 + 8); /* change_info4 */
        xdr_get_u32(x);              /* flags */
        get_bitmap(x, &set);
        delegation = xdr_get_u32(x);
        if (delegation == OPEN_DELEGATE_NONE_EXT) {
                why = xdr_get_u32(x);
                if (why == WND4_CONTENTION || why == WND4_RESOURCE)
                        xdr_get_u32(x);
        }
        return !x->bad && (delegation == OPEN_DELEGATE_NONE || delegation == OPEN_DELEGATE_NONE_EXT);
}

bool get_lock(struct xdr_in *x, uint32_t opnum, struct stateid *ret)
{
        if (peer_result(x, opnum) != NFS4_OK)
                return false;
        get_stateid(x, ret);
        return !x->bad;
}
