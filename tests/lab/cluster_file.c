/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/cluster_file.h"

#include "base/check.h"
#include "nfs4/attrs.h"

void cluster_file_begin(struct cluster_file *f)
{
        cluster_begin(&f->k, f->lab);
        cluster_op(&f->k, OP_PUTFH);
        xdr_put_slice(&f->k.x, f->fh);
}

enum nfsstat4 cluster_file_run(struct cluster_file *f)
{
        enum nfsstat4 status = cluster_run(&f->k, f->mds);

        if (status == NFS4_OK)
                peer_result(&f->k.in, OP_PUTFH);
        return status;
}

static void put_open(struct xdr_out *x, const char *name)
{
        struct bitmap4 mode = { 0 };

        bitmap_set(&mode, FATTR4_MODE);
        xdr_put_u32(x, 0);
        xdr_put_u32(x, OPEN4_SHARE_ACCESS_BOTH | OPEN4_SHARE_ACCESS_WANT_NO_DELEG);
        xdr_put_u32(x, OPEN4_SHARE_DENY_NONE);
        xdr_put_u64(x, 0);
        xdr_put_string(x, "owner");
        xdr_put_u32(x, OPEN4_CREATE);
        xdr_put_u32(x, UNCHECKED4);
        put_bitmap(x, &mode);
        xdr_put_u32(x, 4);
        xdr_put_u32(x, 0644);
        xdr_put_u32(x, CLAIM_NULL);
        xdr_put_string(x, name);
}

void cluster_file_open(struct cluster_file *f, struct cluster_lab *lab, struct peer *mds, const char *name)
{
        struct bitmap4 set;

        f->lab = lab;
        f->mds = mds;
        f->payload = buf_get(lab->pool, CLUSTER_UNIT);
        for (uint32_t i = 0; i < CLUSTER_UNIT; i++)
                f->payload->data[i] = (uint8_t)(i / 1000);
        cluster_begin(&f->k, lab);
        cluster_op(&f->k, OP_PUTROOTFH);
        put_open(cluster_op(&f->k, OP_OPEN), name);
        cluster_op(&f->k, OP_GETFH);
        CHECK(cluster_run(&f->k, mds) == NFS4_OK);
        peer_result(&f->k.in, OP_PUTROOTFH);
        CHECK(peer_result(&f->k.in, OP_OPEN) == NFS4_OK);
        get_stateid(&f->k.in, &f->stateid);
        xdr_get_bytes(&f->k.in, 20 + 4);
        get_bitmap(&f->k.in, &set);
        CHECK(xdr_get_u32(&f->k.in) == OPEN_DELEGATE_NONE_EXT);
        xdr_get_u32(&f->k.in);
        CHECK(peer_result(&f->k.in, OP_GETFH) == NFS4_OK);
        f->fh = xdr_get_opaque(&f->k.in, NFS4_FHSIZE);
        memcpy(f->handle, f->fh.data, f->fh.length);
        f->fh.data = f->handle;
}

void cluster_file_close(struct cluster_file *f)
{
        buf_unref(f->payload);
        f->payload = NULL;
}

enum nfsstat4 cluster_file_write(struct cluster_file *f, uint64_t offset, uint32_t count, uint32_t stable,
                                 struct written *ret)
{
        enum nfsstat4 status;

        cluster_file_begin(f);
        cluster_op(&f->k, OP_WRITE);
        put_stateid(&f->k.x, &f->stateid);
        xdr_put_u64(&f->k.x, offset);
        xdr_put_u32(&f->k.x, stable);
        f->k.data_buf = f->payload;
        f->k.data = slice_of(f->payload->data, count);
        status = cluster_file_run(f);
        if (status != NFS4_OK)
                return status;
        peer_result(&f->k.in, OP_WRITE);
        ret->count = xdr_get_u32(&f->k.in);
        ret->committed = xdr_get_u32(&f->k.in);
        xdr_get_fixed(&f->k.in, &ret->verifier, sizeof(ret->verifier));
        return status;
}

enum nfsstat4 cluster_file_read(struct cluster_file *f, uint64_t offset, uint32_t count, struct slice *ret,
                                bool *ret_eof)
{
        enum nfsstat4 status;

        cluster_file_begin(f);
        cluster_op(&f->k, OP_READ);
        put_stateid(&f->k.x, &f->stateid);
        xdr_put_u64(&f->k.x, offset);
        xdr_put_u32(&f->k.x, count);
        status = cluster_file_run(f);
        if (status != NFS4_OK)
                return status;
        peer_result(&f->k.in, OP_READ);
        *ret_eof = xdr_get_bool(&f->k.in);
        *ret = xdr_get_opaque(&f->k.in, count);
        CHECK(!f->k.in.bad);
        return status;
}

static uint64_t get_time(struct xdr_in *x)
{
        uint64_t seconds = xdr_get_u64(x);

        return seconds * 1000000000 + xdr_get_u32(x);
}

struct cluster_attrs cluster_file_attrs(struct cluster_file *f)
{
        static const unsigned wanted[] = { FATTR4_CHANGE, FATTR4_SIZE, FATTR4_SPACE_USED, FATTR4_TIME_ACCESS,
                                           FATTR4_TIME_MODIFY };
        struct bitmap4 asked = { 0 };
        struct cluster_attrs a;

        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
                bitmap_set(&asked, wanted[i]);
        cluster_file_begin(f);
        put_bitmap(cluster_op(&f->k, OP_GETATTR), &asked);
        CHECK(cluster_file_run(f) == NFS4_OK);
        peer_result(&f->k.in, OP_GETATTR);
        get_bitmap(&f->k.in, &asked);
        xdr_get_u32(&f->k.in);
        a.change = xdr_get_u64(&f->k.in);
        a.size = xdr_get_u64(&f->k.in);
        a.used = xdr_get_u64(&f->k.in);
        a.atime = get_time(&f->k.in);
        a.mtime = get_time(&f->k.in);
        CHECK(!f->k.in.bad);
        return a;
}
