/* SPDX-License-Identifier: Apache-2.0 */
/* NFSv4.2 of a scripted client: space (RFC 7862 §15.1 to §15.13) and extended attributes (RFC 8276 §8.4). */
#include <string.h>

#include "tests/sim/nfs.h"

static void put_range(struct xdr_out *x, const struct stateid *s, uint64_t from, uint64_t to)
{
        put_stateid(x, s);
        xdr_put_u64(x, from);
        xdr_put_u64(x, to - from);
}

int nfs_allocate(struct hand *w, uint64_t from, uint64_t to)
{
        struct actor *c = w->actor;

        put_range(ask_op(nfs_begin(w, &c->fh), OP_ALLOCATE), &c->stateid, from, to);
        return nfs_run(w);
}

int nfs_deallocate(struct hand *w, uint64_t from, uint64_t to)
{
        struct actor *c = w->actor;

        put_range(ask_op(nfs_begin(w, &c->fh), OP_DEALLOCATE), &c->stateid, from, to);
        return nfs_run(w);
}

int nfs_seek(struct hand *w, uint64_t offset, uint32_t what, bool *ret_end, uint64_t *ret_offset)
{
        struct ask *k = nfs_begin(w, &w->actor->fh);
        int status;

        put_stateid(ask_op(k, OP_SEEK), &w->actor->stateid);
        xdr_put_u64(&k->x, offset);
        xdr_put_u32(&k->x, what);
        status = nfs_run(w);
        if (status != NFS4_OK)
                return status;
        nfs_result(k, OP_PUTFH);
        nfs_result(k, OP_SEEK);
        *ret_end = xdr_get_bool(&k->in);
        *ret_offset = xdr_get_u64(&k->in);
        CHECK(!k->in.bad);
        return status;
}

static struct ask *begin_copy(struct hand *w, uint32_t opnum, const struct copy_from *from, uint64_t to,
                              uint64_t count)
{
        struct actor *c = w->actor;
        struct ask *k = nfs_begin(w, &from->fh);

        ask_op(k, OP_SAVEFH);
        xdr_put_opaque(ask_op(k, OP_PUTFH), c->fh.bytes, FH_BYTES);
        put_stateid(ask_op(k, opnum), &from->stateid);
        put_stateid(&k->x, &c->stateid);
        xdr_put_u64(&k->x, from->offset);
        xdr_put_u64(&k->x, to);
        xdr_put_u64(&k->x, count);
        return k;
}

int nfs_copy(struct hand *w, const struct copy_from *from, uint64_t to, uint64_t count, uint64_t *ret_count)
{
        struct ask *k = begin_copy(w, OP_COPY, from, to, count);
        int status;

        xdr_put_bool(&k->x, true); /* consecutive, synchronous, no other servers */
        xdr_put_bool(&k->x, true);
        xdr_put_u32(&k->x, 0);
        status = nfs_run(w);
        if (status != NFS4_OK)
                return status;
        nfs_result(k, OP_PUTFH);
        nfs_result(k, OP_SAVEFH);
        nfs_result(k, OP_PUTFH);
        nfs_result(k, OP_COPY);
        CHECK(xdr_get_u32(&k->in) == 0); /* it is done */
        *ret_count = xdr_get_u64(&k->in);
        CHECK(xdr_get_u32(&k->in) == FILE_SYNC4);
        xdr_get_bytes(&k->in, NFS4_VERIFIER_SIZE);
        CHECK(xdr_get_bool(&k->in) && xdr_get_bool(&k->in) && !k->in.bad);
        return status;
}

int nfs_clone(struct hand *w, const struct copy_from *from, uint64_t to, uint64_t count)
{
        begin_copy(w, OP_CLONE, from, to, count);
        return nfs_run(w);
}

/* --- extended attributes */

int nfs_setxattr(struct hand *w, const struct fhandle *fh, const char *name, const void *value,
                 uint32_t length)
{
        struct ask *k = nfs_begin(w, fh);

        xdr_put_u32(ask_op(k, OP_SETXATTR), SETXATTR4_EITHER);
        xdr_put_string(&k->x, name);
        xdr_put_opaque(&k->x, value, length);
        return nfs_run(w);
}

int nfs_removexattr(struct hand *w, const char *name)
{
        struct ask *k = nfs_begin(w, &w->actor->fh);

        xdr_put_string(ask_op(k, OP_REMOVEXATTR), name);
        return nfs_run(w);
}

int nfs_getxattr(struct hand *w, const char *name, void *value, uint32_t length)
{
        struct ask *k = nfs_begin(w, &w->actor->fh);
        struct slice got;
        int status;

        xdr_put_string(ask_op(k, OP_GETXATTR), name);
        status = nfs_run(w);
        if (status != NFS4_OK)
                return status;
        nfs_result(k, OP_PUTFH);
        nfs_result(k, OP_GETXATTR);
        got = xdr_get_opaque(&k->in, length);
        CHECK(!k->in.bad && got.length == length);
        memcpy(value, got.data, length);
        return status;
}
