/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/nfs.h"

#include <string.h>

#include "nfs4/attrs.h"
#include "tests/sim/sim.h"

enum { LAYOUT_MAXCOUNT = 4096, DEVICE_MAXCOUNT = 8192, BLOCKED_SECONDS = 3 * LEASE_SECONDS };
#define DS_PATIENCE_NS (12 * SECOND_NS)
#define DELAY_NS (200 * MS_NS)

const char *nfs_name(int status)
{
        return status == NFS_LOST          ? "LOST"
               : status == NFS_UNREACHABLE ? "UNREACHABLE"
                                           : nfs4_status_name((enum nfsstat4)status);
}

/* --- running */

static void check_blocked(struct hand *w, uint64_t began)
{
        struct sim *sim = w->actor->sim;
        uint64_t calm = faults_calm_since(&sim->faults), since = calm > began ? calm : began;

        if (calm != NEVER && sim->world.now > since + BLOCKED_SECONDS * SECOND_NS)
                world_fail(&sim->world, "%s has been blocked for %u s, last by %s", w->actor->owner,
                           BLOCKED_SECONDS, nfs_name((int)w->ask.status));
}

static int run_once(struct hand *w, struct mount *s, uint64_t patience_ns)
{
        switch (mount_run(s, w->slot, &w->ask, patience_ns)) {
        case ASK_DONE: return (int)w->ask.status;
        case ASK_LOST: return NFS_LOST;
        case ASK_UNREACHABLE: break;
        }
        return NFS_UNREACHABLE;
}

/* The MDS is waited for as long as it takes, which must not be long. */
int nfs_run(struct hand *w)
{
        uint64_t began = w->actor->sim->world.now;

        for (;;) {
                int status = run_once(w, &w->actor->mds, UINT64_MAX);

                check_blocked(w, began);
                if (status != NFS4ERR_DELAY && status != NFS4ERR_GRACE && status != NFS4ERR_LAYOUTTRYLATER)
                        return status;
                co_sleep(DELAY_NS);
        }
}

struct ask *nfs_begin(struct hand *w, const struct fhandle *fh)
{
        struct ask *k = &w->ask;

        ask_begin(k);
        k->cache_this = true;
        if (fh)
                xdr_put_opaque(ask_op(k, OP_PUTFH), fh->bytes, FH_BYTES);
        else
                ask_op(k, OP_PUTROOTFH);
        return k;
}

struct xdr_in *nfs_result(struct ask *k, uint32_t opnum)
{
        CHECK(ask_result(k, opnum) == NFS4_OK);
        return &k->in;
}

void nfs_get_fh(struct ask *k, struct fhandle *ret)
{
        struct slice bytes = xdr_get_opaque(nfs_result(k, OP_GETFH), NFS4_FHSIZE);

        CHECK(bytes.length == FH_BYTES);
        memcpy(ret->bytes, bytes.data, FH_BYTES);
}

int nfs_run_for_fh(struct hand *w)
{
        ask_op(&w->ask, OP_GETFH);
        return nfs_run(w);
}

/* --- names */

int nfs_root(struct hand *w, struct fhandle *ret)
{
        struct ask *k = nfs_begin(w, NULL);
        int status = nfs_run_for_fh(w);

        if (status != NFS4_OK)
                return status;
        nfs_result(k, OP_PUTROOTFH);
        nfs_get_fh(k, ret);
        return status;
}

int nfs_lookup(struct hand *w, const struct fhandle *dir, const char *name, struct fhandle *ret)
{
        struct ask *k = nfs_begin(w, dir);
        int status;

        xdr_put_string(ask_op(k, OP_LOOKUP), name);
        status = nfs_run_for_fh(w);
        if (status != NFS4_OK)
                return status;
        nfs_result(k, OP_PUTFH);
        nfs_result(k, OP_LOOKUP);
        nfs_get_fh(k, ret);
        return status;
}

void nfs_put_attr(struct xdr_out *x, uint32_t attribute, uint64_t value)
{
        struct bitmap4 mask = { 0 };

        bitmap_set(&mask, attribute);
        put_bitmap(x, &mask);
        xdr_put_u32(x, attribute == FATTR4_SIZE ? 8 : 4);
        if (attribute == FATTR4_SIZE)
                xdr_put_u64(x, value);
        else
                xdr_put_u32(x, (uint32_t)value);
}

int nfs_mkdir(struct hand *w, const struct fhandle *dir, const char *name, struct fhandle *ret)
{
        struct ask *k = nfs_begin(w, dir);
        struct bitmap4 set;
        int status;

        xdr_put_u32(ask_op(k, OP_CREATE), NF4DIR);
        xdr_put_string(&k->x, name);
        nfs_put_attr(&k->x, FATTR4_MODE, 0777);
        status = nfs_run_for_fh(w);
        if (status != NFS4_OK)
                return status;
        nfs_result(k, OP_PUTFH);
        xdr_get_bytes(nfs_result(k, OP_CREATE), 20);
        get_bitmap(&k->in, &set);
        nfs_get_fh(k, ret);
        return status;
}

int nfs_remove(struct hand *w, const struct fhandle *dir, const char *name)
{
        struct ask *k = nfs_begin(w, dir);

        xdr_put_string(ask_op(k, OP_REMOVE), name);
        return nfs_run(w);
}

int nfs_rename(struct hand *w, const struct fhandle *dir, const char *from, const char *to)
{
        struct ask *k = nfs_begin(w, dir);

        ask_op(k, OP_SAVEFH);
        xdr_put_string(ask_op(k, OP_RENAME), from);
        xdr_put_string(&k->x, to);
        return nfs_run(w);
}

int nfs_link(struct hand *w, const struct fhandle *dir, const char *from, const char *to)
{
        struct ask *k = nfs_begin(w, dir);

        xdr_put_string(ask_op(k, OP_LOOKUP), from);
        ask_op(k, OP_SAVEFH);
        xdr_put_opaque(ask_op(k, OP_PUTFH), dir->bytes, FH_BYTES);
        xdr_put_string(ask_op(k, OP_LINK), to);
        return nfs_run(w);
}

/* --- attributes */

int nfs_getattr(struct hand *w, const struct fhandle *fh, struct attributes *ret)
{
        struct ask *k = nfs_begin(w, fh);
        struct bitmap4 mask = { 0 }, got;
        int status;

        bitmap_set(&mask, FATTR4_CHANGE);
        bitmap_set(&mask, FATTR4_SIZE);
        bitmap_set(&mask, FATTR4_FILEID);
        k->cache_this = actor_random(w->actor, 2) == 0;
        put_bitmap(ask_op(k, OP_GETATTR), &mask);
        status = nfs_run(w);
        if (status != NFS4_OK)
                return status;
        nfs_result(k, OP_PUTFH);
        get_bitmap(nfs_result(k, OP_GETATTR), &got);
        CHECK(memcmp(got.word, mask.word, sizeof(got.word)) == 0 && !got.beyond);
        xdr_get_u32(&k->in);
        ret->change = xdr_get_u64(&k->in);
        ret->size = xdr_get_u64(&k->in);
        ret->fileid = xdr_get_u64(&k->in);
        return status;
}

int nfs_setsize(struct hand *w, const struct fhandle *fh, const struct stateid *s, uint64_t size)
{
        struct ask *k = nfs_begin(w, fh);

        put_stateid(ask_op(k, OP_SETATTR), s);
        nfs_put_attr(&k->x, FATTR4_SIZE, size);
        return nfs_run(w);
}

int nfs_setmode(struct hand *w, const struct fhandle *fh, uint32_t mode)
{
        struct ask *k = nfs_begin(w, fh);

        put_stateid(ask_op(k, OP_SETATTR), &(struct stateid){ 0 });
        nfs_put_attr(&k->x, FATTR4_MODE, mode);
        return nfs_run(w);
}

/* --- layouts */

/* RFC 8881 §13.3, nfsv4_1_file_layout4: one segment, the same handle for all. */
static void get_layout(struct ask *k, struct layout *l, uint8_t device[NFS4_DEVICEID_SIZE])
{
        struct xdr_in *x = nfs_result(k, OP_LAYOUTGET);
        struct slice fh = { 0 };

        xdr_get_bool(x);
        get_stateid(x, &l->stateid);
        CHECK(xdr_get_u32(x) == 1);
        CHECK(xdr_get_u64(x) == 0 && xdr_get_u64(x) == NFS4_UINT64_MAX);
        CHECK((xdr_get_u32(x) == LAYOUTIOMODE4_RW) == l->writes);
        CHECK(xdr_get_u32(x) == LAYOUT4_NFSV4_1_FILES);
        xdr_get_u32(x);
        xdr_get_fixed(x, device, NFS4_DEVICEID_SIZE);
        l->unit = xdr_get_u32(x);
        l->first = xdr_get_u32(x);
        xdr_get_u64(x);
        l->width = xdr_get_u32(x);
        for (uint32_t i = 0; i < l->width; i++)
                fh = xdr_get_opaque(x, NFS4_FHSIZE);
        CHECK(!x->bad && fh.length == FH_BYTES && l->width <= CLUSTER_DS);
        memcpy(l->fh.bytes, fh.data, FH_BYTES);
}

/* nfsv4_1_file_layout_ds_addr4: stripe indices, then a list of addresses for each data server. */
static void get_device(struct hand *w, struct layout *l)
{
        struct xdr_in *x = nfs_result(&w->ask, OP_GETDEVICEINFO);
        struct cluster *cluster = &w->actor->sim->cluster;

        CHECK(xdr_get_u32(x) == LAYOUT4_NFSV4_1_FILES);
        xdr_get_u32(x);
        CHECK(xdr_get_u32(x) == l->width);
        for (uint32_t i = 0; i < l->width; i++)
                CHECK(xdr_get_u32(x) == i);
        CHECK(xdr_get_u32(x) == l->width);
        for (uint32_t i = 0; i < l->width; i++) {
                char netid[8] = "", uaddr[64] = "";
                struct netaddr addr;
                struct slice s;

                CHECK(xdr_get_u32(x) == 1);
                s = xdr_get_opaque(x, sizeof(netid) - 1);
                memcpy(netid, s.data, s.length);
                s = xdr_get_opaque(x, sizeof(uaddr) - 1);
                memcpy(uaddr, s.data, s.length);
                CHECK(!x->bad && netaddr_from_universal(netid, uaddr, &addr) == 0);
                l->ds[i] = (int)(cluster_ds_at(cluster, &addr) - cluster->ds);
        }
}

static int getdeviceinfo(struct hand *w, const uint8_t device[NFS4_DEVICEID_SIZE], struct layout *l)
{
        struct ask *k = nfs_begin(w, NULL);
        struct bitmap4 none = { 0 };
        int status;

        xdr_put_fixed(ask_op(k, OP_GETDEVICEINFO), device, NFS4_DEVICEID_SIZE);
        xdr_put_u32(&k->x, LAYOUT4_NFSV4_1_FILES);
        xdr_put_u32(&k->x, DEVICE_MAXCOUNT);
        put_bitmap(&k->x, &none);
        status = nfs_run(w);
        if (status != NFS4_OK)
                return status;
        nfs_result(k, OP_PUTROOTFH);
        get_device(w, l);
        return status;
}

int nfs_layoutget(struct hand *w, const struct fhandle *fh, const struct stateid *s, bool writes,
                  struct layout *ret)
{
        struct ask *k = nfs_begin(w, fh);
        struct layout l = { .held = true, .writes = writes };
        uint8_t device[NFS4_DEVICEID_SIZE];
        struct xdr_out *x = ask_op(k, OP_LAYOUTGET);
        int status;

        xdr_put_bool(x, false);
        xdr_put_u32(x, LAYOUT4_NFSV4_1_FILES);
        xdr_put_u32(x, writes ? LAYOUTIOMODE4_RW : LAYOUTIOMODE4_READ);
        xdr_put_u64(x, 0);
        xdr_put_u64(x, NFS4_UINT64_MAX);
        xdr_put_u64(x, 4096);
        put_stateid(x, s);
        xdr_put_u32(x, LAYOUT_MAXCOUNT);
        status = nfs_run(w);
        if (status != NFS4_OK)
                return status;
        nfs_result(k, OP_PUTFH);
        l.granted_ns = w->actor->sim->world.now;
        get_layout(k, &l, device);
        status = getdeviceinfo(w, device, &l);
        if (status == NFS4_OK)
                *ret = l;
        return status;
}

int nfs_layoutreturn(struct hand *w, const struct fhandle *fh, const struct layout *l)
{
        struct ask *k = nfs_begin(w, fh);
        struct xdr_out *x = ask_op(k, OP_LAYOUTRETURN);
        bool part = actor_random(w->actor, 4) == 0; /* layouts are of whole files: it all goes */

        xdr_put_bool(x, false);
        xdr_put_u32(x, LAYOUT4_NFSV4_1_FILES);
        xdr_put_u32(x, LAYOUTIOMODE4_ANY);
        xdr_put_u32(x, LAYOUTRETURN4_FILE);
        xdr_put_u64(x, part ? STRIPE_UNIT : 0);
        xdr_put_u64(x, part ? STRIPE_UNIT : NFS4_UINT64_MAX);
        put_stateid(x, &l->stateid);
        xdr_put_u32(x, 0);
        return nfs_run(w);
}

int nfs_layoutcommit(struct hand *w, const struct fhandle *fh, const struct layout *l, uint64_t last)
{
        struct ask *k = nfs_begin(w, fh);
        struct xdr_out *x = ask_op(k, OP_LAYOUTCOMMIT);

        xdr_put_u64(x, 0);
        xdr_put_u64(x, last + 1);
        xdr_put_bool(x, false);
        put_stateid(x, &l->stateid);
        xdr_put_bool(x, true);
        xdr_put_u64(x, last);
        xdr_put_bool(x, false);
        xdr_put_u32(x, LAYOUT4_NFSV4_1_FILES);
        xdr_put_u32(x, 0);
        return nfs_run(w);
}

/* --- data */

static int run_at(struct hand *w, int ds)
{
        w->ask.cache_this = false;
        return ds < 0 ? nfs_run(w) : run_once(w, &w->actor->ds[ds], DS_PATIENCE_NS);
}

/* §13.9.1: a data server gets the open stateid with sequence id 0. */
static void put_io_stateid(struct xdr_out *x, int ds, const struct stateid *s)
{
        struct stateid io = *s;

        if (ds >= 0)
                io.seqid = 0;
        put_stateid(x, &io);
}

int nfs_read(struct hand *w, int ds, const struct fhandle *fh, const struct stateid *s, uint64_t offset,
             uint32_t count, uint8_t *data, uint32_t *ret_length, bool *ret_end)
{
        struct ask *k = nfs_begin(w, fh);
        struct slice bytes;
        int status;

        put_io_stateid(ask_op(k, OP_READ), ds, s);
        xdr_put_u64(&k->x, offset);
        xdr_put_u32(&k->x, count);
        status = run_at(w, ds);
        if (status != NFS4_OK)
                return status;
        nfs_result(k, OP_PUTFH);
        *ret_end = xdr_get_bool(nfs_result(k, OP_READ));
        bytes = xdr_get_opaque(&k->in, count);
        CHECK(!k->in.bad);
        if (bytes.length > 0)
                memcpy(data, bytes.data, bytes.length);
        *ret_length = bytes.length;
        return status;
}

int nfs_write(struct hand *w, int ds, const struct fhandle *fh, const struct stateid *s, uint64_t offset,
              const uint8_t *data, uint32_t length, uint32_t stable, struct written *ret)
{
        struct ask *k = nfs_begin(w, fh);
        int status;

        put_io_stateid(ask_op(k, OP_WRITE), ds, s);
        xdr_put_u64(&k->x, offset);
        xdr_put_u32(&k->x, stable);
        xdr_put_opaque(&k->x, data, length);
        status = run_at(w, ds);
        if (status != NFS4_OK)
                return status;
        nfs_result(k, OP_PUTFH);
        ret->count = xdr_get_u32(nfs_result(k, OP_WRITE));
        ret->committed = xdr_get_u32(&k->in);
        xdr_get_fixed(&k->in, &ret->verifier, sizeof(ret->verifier));
        CHECK(!k->in.bad);
        return status;
}

int nfs_commit(struct hand *w, int ds, const struct fhandle *fh, uint64_t *ret_verifier)
{
        struct ask *k = nfs_begin(w, fh);
        int status;

        xdr_put_u64(ask_op(k, OP_COMMIT), 0);
        xdr_put_u32(&k->x, 0);
        status = run_at(w, ds);
        if (status != NFS4_OK)
                return status;
        nfs_result(k, OP_PUTFH);
        xdr_get_fixed(nfs_result(k, OP_COMMIT), ret_verifier, sizeof(*ret_verifier));
        return status;
}

int nfs_renew(struct hand *w)
{
        ask_begin(&w->ask);
        return run_once(w, &w->actor->mds, UINT64_MAX);
}
