/* SPDX-License-Identifier: Apache-2.0 */
/* How a scripted client opens and closes, RFC 8881 §18.2, §18.16 and §18.18: one open owner. */
#include "nfs4/attrs.h"
#include "tests/sim/nfs.h"
#include "tests/sim/sim.h"

void nfs_put_open(struct ask *k, uint64_t clientid, const char *owner, bool create, uint32_t access,
                  uint32_t deny)
{
        struct xdr_out *x = ask_op(k, OP_OPEN);

        xdr_put_u32(x, 0);
        xdr_put_u32(x, access);
        xdr_put_u32(x, deny);
        xdr_put_u64(x, clientid);
        xdr_put_string(x, owner);
        xdr_put_u32(x, create ? OPEN4_CREATE : OPEN4_NOCREATE);
        if (create) {
                xdr_put_u32(x, UNCHECKED4);
                nfs_put_attr(x, FATTR4_MODE, 0666);
        }
}

static uint32_t get_open(struct ask *k, struct fhandle *ret, struct stateid *ret_stateid,
                         struct stateid *ret_delegation)
{
        struct bitmap4 set;
        struct xdr_in *x;
        uint32_t delegated;

        nfs_result(k, OP_PUTFH);
        x = nfs_result(k, OP_OPEN);
        get_stateid(x, ret_stateid);
        xdr_get_bytes(x, 20); /* change_info4 */
        xdr_get_u32(x);       /* rflags */
        get_bitmap(x, &set);
        delegated = nfs_get_delegation(x, ret_delegation);
        nfs_get_fh(k, ret);
        return delegated;
}

int nfs_open(struct hand *w, const struct fhandle *dir, const char *name, bool create, struct fhandle *ret,
             struct stateid *ret_stateid)
{
        struct ask *k = nfs_begin(w, dir);
        uint64_t since = w->actor->sim->world.now;
        struct stateid delegated;
        uint32_t type;
        int status;

        nfs_put_open(k, w->actor->mds.clientid, w->actor->owner, create,
                     w->actor->access | delegation_want(w->actor), w->actor->deny);
        xdr_put_u32(&k->x, CLAIM_NULL);
        xdr_put_string(&k->x, name);
        status = nfs_run_for_fh(w);
        if (status != NFS4_OK)
                return status;
        type = get_open(k, ret, ret_stateid, &delegated);
        if (type != OPEN_DELEGATE_NONE)
                delegation_given(w->actor, ret, &delegated, type, since, ret_stateid);
        return status;
}

int nfs_reclaim(struct actor *c, struct stateid *ret_stateid)
{
        struct ask *k = &c->mds.setup;
        struct fhandle same;
        struct stateid none;

        ask_begin(k);
        k->cache_this = true;
        xdr_put_opaque(ask_op(k, OP_PUTFH), c->fh.bytes, FH_BYTES);
        nfs_put_open(k, c->mds.clientid, c->owner, false, c->access | OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
                     c->deny);
        xdr_put_u32(&k->x, CLAIM_PREVIOUS);
        xdr_put_u32(&k->x, OPEN_DELEGATE_NONE);
        ask_op(k, OP_GETFH);
        if (mount_run(&c->mds, 0, k, UINT64_MAX) != ASK_DONE)
                return NFS_LOST;
        if (k->status == NFS4_OK)
                CHECK(get_open(k, &same, ret_stateid, &none) == OPEN_DELEGATE_NONE);
        return (int)k->status;
}

int nfs_upgrade(struct hand *w, uint32_t access, struct stateid *ret_stateid)
{
        struct actor *c = w->actor;
        struct ask *k = nfs_begin(w, &c->fh);
        struct fhandle same;
        struct stateid none;
        int status;

        nfs_put_open(k, c->mds.clientid, c->owner, false, access | OPEN4_SHARE_ACCESS_WANT_NO_DELEG, c->deny);
        xdr_put_u32(&k->x, CLAIM_FH);
        status = nfs_run_for_fh(w);
        if (status == NFS4_OK)
                CHECK(get_open(k, &same, ret_stateid, &none) == OPEN_DELEGATE_NONE);
        return status;
}

int nfs_downgrade(struct hand *w, uint32_t access, struct stateid *stateid)
{
        struct actor *c = w->actor;
        struct ask *k = nfs_begin(w, &c->fh);
        int status;

        put_stateid(ask_op(k, OP_OPEN_DOWNGRADE), stateid);
        xdr_put_u32(&k->x, 0);
        xdr_put_u32(&k->x, access);
        xdr_put_u32(&k->x, c->deny);
        status = nfs_run(w);
        if (status != NFS4_OK)
                return status;
        nfs_result(k, OP_PUTFH);
        get_stateid(nfs_result(k, OP_OPEN_DOWNGRADE), stateid);
        return status;
}

int nfs_close(struct hand *w, const struct fhandle *fh, const struct stateid *s)
{
        struct ask *k = nfs_begin(w, fh);

        xdr_put_u32(ask_op(k, OP_CLOSE), 0);
        put_stateid(&k->x, s);
        return nfs_run(w);
}
