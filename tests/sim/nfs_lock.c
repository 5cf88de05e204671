/* SPDX-License-Identifier: Apache-2.0 */
/* Byte-range locks of a scripted client, RFC 8881 §18.10 and §18.12: one owner, exclusive. */
#include "tests/sim/nfs.h"

static void put_lock(struct xdr_out *x, const struct actor *c, bool reclaim, uint64_t from, uint64_t to)
{
        xdr_put_u32(x, WRITE_LT);
        xdr_put_bool(x, reclaim);
        xdr_put_u64(x, from);
        xdr_put_u64(x, to - from);
        xdr_put_bool(x, true); /* by the open */
        xdr_put_u32(x, 0);
        put_stateid(x, &c->stateid);
        xdr_put_u32(x, 0);
        xdr_put_u64(x, c->mds.clientid);
        xdr_put_string(x, c->owner);
}

static void get_lock(struct ask *k, struct stateid *ret)
{
        CHECK(ask_result(k, OP_PUTFH) == NFS4_OK && ask_result(k, OP_LOCK) == NFS4_OK);
        get_stateid(&k->in, ret);
}

int nfs_lock(struct hand *w, uint64_t from, uint64_t to, struct stateid *ret)
{
        struct ask *k = nfs_begin(w, &w->actor->fh);
        int status;

        put_lock(ask_op(k, OP_LOCK), w->actor, false, from, to);
        status = nfs_run(w);
        if (status == NFS4_OK)
                get_lock(k, ret);
        return status;
}

int nfs_reclaim_lock(struct actor *c, uint64_t from, uint64_t to, struct stateid *ret)
{
        struct ask *k = &c->mds.setup;

        ask_begin(k);
        k->cache_this = true;
        xdr_put_opaque(ask_op(k, OP_PUTFH), c->fh.bytes, FH_BYTES);
        put_lock(ask_op(k, OP_LOCK), c, true, from, to);
        if (mount_run(&c->mds, 0, k, UINT64_MAX) != ASK_DONE)
                return NFS_LOST;
        if (k->status == NFS4_OK)
                get_lock(k, ret);
        return (int)k->status;
}

int nfs_unlock(struct hand *w, const struct stateid *s, uint64_t from, uint64_t to)
{
        struct ask *k = nfs_begin(w, &w->actor->fh);

        xdr_put_u32(ask_op(k, OP_LOCKU), WRITE_LT);
        xdr_put_u32(&k->x, 0);
        put_stateid(&k->x, s);
        xdr_put_u64(&k->x, from);
        xdr_put_u64(&k->x, to - from);
        return nfs_run(w);
}
