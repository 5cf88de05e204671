/* SPDX-License-Identifier: Apache-2.0 */
/* The data files: opened with their layouts before a phase, made durable and closed behind it. */
#include <stdio.h>

#include "bench/load/load.h"
#include "nfs4/server.h"

static struct load_client *client_of(struct load *l, uint32_t i)
{
        return &l->clients[i % l->o.clients];
}

static bool fail(struct load *l, const char *what, enum nfsstat4 status)
{
        snprintf(l->problem, sizeof(l->problem), "%s: %s", what, nfs4_status_name(status));
        return false;
}

static void file_name(uint32_t i, char out[32])
{
        snprintf(out, 32, "b%04u", i);
}

/* A layout that cannot be had is no error: then it goes through the server. */
static enum nfsstat4 get_layout(struct load *l, struct load_file *f, struct peer *peer)
{
        struct load_call k;
        struct load_ops *o = load_begin(&k, l);

        put_fh(o, &f->fh);
        put_layoutget(o, LAYOUTIOMODE4_RW, &f->stateid);
        if (load_run(&k, peer) != NFS4_OK)
                return NFS4_OK;
        peer_result(&k.in, OP_PUTFH);
        f->has_layout = load_take_layout(l, &k.in, f);
        return f->has_layout ? NFS4_OK : NFS4ERR_BADLAYOUT;
}

static bool open_file(struct load *l, uint32_t i)
{
        struct load_client *c = client_of(l, i);
        struct load_file *f = &l->data[i];
        struct load_call k;
        struct load_ops *o = load_begin(&k, l);
        enum nfsstat4 status;
        char name[32];

        file_name(i, name);
        *f = (struct load_file){ 0 };
        put_fh(o, &l->data_directory);
        put_open(o, c->owner, name, OPEN4_SHARE_ACCESS_BOTH, true);
        put_op(o, OP_GETFH);
        status = load_run(&k, c->mds);
        if (status == NFS4_OK) {
                peer_result(&k.in, OP_PUTFH);
                f->open = get_open(&k.in, &f->stateid) && get_fh(&k.in, &f->fh);
                status = f->open ? NFS4_OK : NFS4ERR_BADXDR;
        }
        if (status == NFS4_OK && l->o.pnfs)
                status = get_layout(l, f, c->mds);
        return status == NFS4_OK || fail(l, "opening a data file", status);
}

bool load_open_data(struct load *l)
{
        for (uint32_t i = 0; i < l->o.data_files; i++)
                if (!open_file(l, i))
                        return false;
        return true;
}

/* --- behind the phase */

static enum nfsstat4 commit_at(struct load *l, const struct load_fh *fh, struct peer *peer)
{
        struct load_call k;
        struct load_ops *o = load_begin(&k, l);

        if (!peer)
                return NFS4ERR_SERVERFAULT;
        put_fh(o, fh);
        put_op(o, OP_COMMIT);
        xdr_put_u64(o->x, 0);
        xdr_put_u32(o->x, 0);
        return load_run(&k, peer);
}

/* COMMIT at each data server of the layout, then LAYOUTCOMMIT. */
static enum nfsstat4 commit_layout(struct load *l, struct load_file *f, struct load_client *c)
{
        struct load_call k;
        struct load_ops *o;
        enum nfsstat4 status = NFS4_OK;

        for (uint32_t i = 0; i < f->device->width && status == NFS4_OK; i++)
                status = commit_at(l, &f->ds_fh, load_ds_peer(c, f->device->servers[i]));
        if (status != NFS4_OK)
                return status;
        o = load_begin(&k, l);
        put_fh(o, &f->fh);
        put_op(o, OP_LAYOUTCOMMIT);
        xdr_put_u64(o->x, 0);
        xdr_put_u64(o->x, NFS4_UINT64_MAX);
        xdr_put_bool(o->x, false);
        put_stateid(o->x, &f->layout);
        xdr_put_bool(o->x, true);
        xdr_put_u64(o->x, l->o.size - 1);
        xdr_put_bool(o->x, false); /* no time */
        xdr_put_u32(o->x, LAYOUT4_NFSV4_1_FILES);
        xdr_put_u32(o->x, 0);
        return load_run(&k, c->mds);
}

static void put_layoutreturn(struct load_ops *o, const struct stateid *s)
{
        put_op(o, OP_LAYOUTRETURN);
        xdr_put_bool(o->x, false);
        xdr_put_u32(o->x, LAYOUT4_NFSV4_1_FILES);
        xdr_put_u32(o->x, LAYOUTIOMODE4_ANY);
        xdr_put_u32(o->x, LAYOUTRETURN4_FILE);
        xdr_put_u64(o->x, 0);
        xdr_put_u64(o->x, NFS4_UINT64_MAX);
        put_stateid(o->x, s);
        xdr_put_u32(o->x, 0);
}

static bool close_file(struct load *l, uint32_t i)
{
        struct load_client *c = client_of(l, i);
        struct load_file *f = &l->data[i];
        struct load_call k;
        struct load_ops *o;
        enum nfsstat4 status = NFS4_OK;

        if (!f->open)
                return true;
        if (f->written)
                status = f->has_layout ? commit_layout(l, f, c) : commit_at(l, &f->fh, c->mds);
        o = load_begin(&k, l);
        put_fh(o, &f->fh);
        if (f->has_layout)
                put_layoutreturn(o, &f->layout);
        put_close(o, &f->stateid);
        if (status == NFS4_OK)
                status = load_run(&k, c->mds);
        f->open = false;
        return status == NFS4_OK || fail(l, "closing a data file", status);
}

bool load_close_data(struct load *l)
{
        bool ok = true;

        for (uint32_t i = 0; i < l->o.data_files; i++)
                ok = close_file(l, i) && ok;
        return ok;
}

bool load_data_is_there(struct load *l)
{
        for (uint32_t i = 0; i < l->o.data_files; i++) {
                struct load_call k;
                struct load_ops *o = load_begin(&k, l);
                struct bitmap4 given;
                char name[32];

                file_name(i, name);
                put_fh(o, &l->data_directory);
                put_lookup(o, name);
                put_get_size(o);
                if (load_run(&k, l->clients[0].mds) != NFS4_OK)
                        return false;
                peer_result(&k.in, OP_PUTFH);
                peer_result(&k.in, OP_LOOKUP);
                peer_result(&k.in, OP_GETATTR);
                get_bitmap(&k.in, &given);
                xdr_get_u32(&k.in);
                if (xdr_get_u64(&k.in) < l->o.size || k.in.bad)
                        return false;
        }
        return true;
}

bool load_remove_data(struct load *l)
{
        bool ok = true;

        for (uint32_t i = 0; i < l->o.data_files; i++) {
                struct load_call k;
                struct load_ops *o = load_begin(&k, l);
                enum nfsstat4 status;
                char name[32];

                file_name(i, name);
                put_fh(o, &l->data_directory);
                put_op(o, OP_REMOVE);
                xdr_put_string(o->x, name);
                status = load_run(&k, l->clients[0].mds);
                if (status != NFS4_OK && status != NFS4ERR_NOENT)
                        ok = fail(l, "removing a data file", status);
        }
        return ok;
}
