/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/mds_user_locks.h"

#include "nfs4/codec.h"

static void put_bytes(struct xdr_out *x, const struct user_lock *l)
{
        xdr_put_u64(x, l->offset);
        xdr_put_u64(x, l->length || l->no_length ? l->length : NFS4_UINT64_MAX);
}

static void put_owner(struct user *u, const struct user_lock *l)
{
        xdr_put_u64(u->x, u->clientid);
        xdr_put_string(u->x, l->owner ? l->owner : "locker");
}

static void get_denied(struct user *u, struct user_lock *l)
{
        struct slice owner;

        l->denied_offset = xdr_get_u64(&u->in);
        l->denied_length = xdr_get_u64(&u->in);
        l->denied_type = xdr_get_u32(&u->in);
        l->denied_clientid = xdr_get_u64(&u->in);
        owner = xdr_get_opaque(&u->in, NFS4_OPAQUE_LIMIT);
        CHECK(!u->in.bad && xdr_left(&u->in) == 0);
        memcpy(l->denied_owner, owner.data, owner.length);
        l->denied_owner[owner.length] = '\0';
}

static enum nfsstat4 call(struct user *u, uint32_t opnum, struct user_lock *l)
{
        enum nfsstat4 status = user_call(u);

        if (status != NFS4_OK && status != NFS4ERR_DENIED)
                return status;
        user_result(u, OP_PUTFH);
        CHECK(user_result(u, opnum) == status);
        if (status == NFS4ERR_DENIED)
                get_denied(u, l);
        else if (opnum != OP_LOCKT)
                get_stateid(&u->in, &l->stateid);
        return status;
}

enum nfsstat4 user_lock(struct user *u, const struct user_fh *file, struct user_lock *l)
{
        user_begin(u);
        user_putfh(u, file);
        xdr_put_u32(user_op(u, OP_LOCK), l->type ? l->type : (uint32_t)WRITE_LT);
        xdr_put_bool(u->x, l->reclaim);
        put_bytes(u->x, l);
        xdr_put_bool(u->x, !l->known);
        if (!l->known)
                xdr_put_u32(u->x, 0);
        put_stateid(u->x, l->by);
        xdr_put_u32(u->x, 0);
        if (!l->known)
                put_owner(u, l);
        return call(u, OP_LOCK, l);
}

enum nfsstat4 user_lockt(struct user *u, const struct user_fh *file, struct user_lock *l)
{
        user_begin(u);
        user_putfh(u, file);
        xdr_put_u32(user_op(u, OP_LOCKT), l->type ? l->type : (uint32_t)WRITE_LT);
        put_bytes(u->x, l);
        put_owner(u, l);
        return call(u, OP_LOCKT, l);
}

enum nfsstat4 user_locku(struct user *u, const struct user_fh *file, struct user_lock *l)
{
        user_begin(u);
        user_putfh(u, file);
        xdr_put_u32(user_op(u, OP_LOCKU), l->type ? l->type : (uint32_t)WRITE_LT);
        xdr_put_u32(u->x, 0);
        put_stateid(u->x, l->by);
        put_bytes(u->x, l);
        return call(u, OP_LOCKU, l);
}

enum nfsstat4 user_test_stateid(struct user *u, const struct stateid *s)
{
        user_begin(u);
        xdr_put_u32(user_op(u, OP_TEST_STATEID), 1);
        put_stateid(u->x, s);
        CHECK(user_call(u) == NFS4_OK);
        user_result(u, OP_TEST_STATEID);
        CHECK(xdr_get_u32(&u->in) == 1);
        return xdr_get_u32(&u->in);
}

enum nfsstat4 user_free_stateid(struct user *u, const struct stateid *s)
{
        user_begin(u);
        put_stateid(user_op(u, OP_FREE_STATEID), s);
        return user_call(u);
}

enum nfsstat4 user_read(struct user *u, const struct user_fh *file, const struct stateid *s)
{
        user_begin(u);
        user_putfh(u, file);
        put_stateid(user_op(u, OP_READ), s);
        xdr_put_u64(u->x, 0);
        xdr_put_u32(u->x, 1);
        return user_call(u);
}

enum nfsstat4 user_write(struct user *u, const struct user_fh *file, const struct stateid *s)
{
        user_begin(u);
        user_putfh(u, file);
        put_stateid(user_op(u, OP_WRITE), s);
        xdr_put_u64(u->x, 0);
        xdr_put_u32(u->x, FILE_SYNC4);
        xdr_put_string(u->x, "");
        return user_call(u);
}
