/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/mds_lab.h"

#include <stdlib.h>

#include "base/log.h"
#include "mds/durable.h"
#include "mds/fleet/ctl_server.h"
#include "mds/fleet/fences.h"
#include "mds/fleet/fleet.h"
#include "mds/fleet/reaper.h"
#include "mds/ns/orphan.h"
#include "mds/ns/prepare.h"
#include "mds/pnfs/devices.h"
#include "mds/pnfs/proxy.h"
#include "mds/pnfs/recall.h"
#include "mds/pnfs/reports.h"
#include "mds/pnfs/size.h"
#include "mds/state/courtesy.h"
#include "mds/state/delegation.h"
#include "mds/state/layout.h"
#include "mds/state/lock.h"
#include "mds/state/offload.h"
#include "mds/state/open.h"
#include "mds/state/recovery.h"
#include "mds/state/returned.h"
#include "mds/state/revoked.h"
#include "mds/store/fsck.h"
#include "mds/tier/tier.h"
#include "tests/lab/ctl_lab.h"

static const char open_to_all[] =
        "exports:\n  - path: /\n    rules:\n      - clients: '*'\n        access: rw\n        squash: none\n";

static const struct rpc_limits limits = { .max_connections = 256,
                                          .max_calls = 512,
                                          .max_calls_per_conn = 512,
                                          .max_record = RPC_RECORD_MAX,
                                          .stall_ms = 1000000000,
                                          .max_reply_bytes = 1 << 24 };

/* --- data servers that say yes */

struct lab_object *lab_ds_object(struct lab_ds *ds, uint64_t fileid)
{
        for (int i = 0; i < LAB_OBJECTS; i++) {
                struct lab_object *o = &ds->objects[i];

                if (o->fileid == fileid || o->fileid == 0) {
                        o->fileid = fileid;
                        return o;
                }
        }
        abort();
}

static void put_result(struct call *call, xdrproc_t proc, void *result)
{
        XDR xdr;

        xdrmem_create(&xdr, (char *)call->out.p, xdr_room(&call->out), XDR_ENCODE);
        CHECK(proc(&xdr, result));
        call->out.p += xdr_getpos(&xdr);
}

static void serve_getsizes(struct lab_ds *ds, struct call *call)
{
        ctl_getsizes_args args = { 0 };
        ctl_size size = { 0 };
        ctl_getsizes_res res = { .sizes.sizes_len = 1, .sizes.sizes_val = &size };
        struct lab_object *o;

        ds->getsizes++;
        ctl_lab_args(call, (xdrproc_t)xdr_ctl_getsizes_args, &args);
        CHECK(args.objects.objects_len == 1);
        o = lab_ds_object(ds, args.objects.objects_val[0].fileid);
        size.status = ds->broken ? CTL_IO : o->there ? CTL_OK : CTL_NOENT;
        if (size.status == CTL_OK) {
                size.size = o->size;
                size.mtime_ns = o->mtime_ns;
                size.used = o->used;
        }
        size.settled = o->settled || !o->there;
        xdr_free((xdrproc_t)xdr_ctl_getsizes_args, &args);
        put_result(call, (xdrproc_t)xdr_ctl_getsizes_res, &res);
}

static void serve_truncate(struct lab_ds *ds, struct call *call)
{
        ctl_truncate_args args = { 0 };
        ctl_result res = { .status = ds->broken ? CTL_IO : CTL_OK };
        struct lab_object *o;

        ds->truncates++;
        ctl_lab_args(call, (xdrproc_t)xdr_ctl_truncate_args, &args);
        o = lab_ds_object(ds, args.object.fileid);
        if (o->size > args.size)
                o->size = args.size;
        ds->truncated_to = args.size;
        put_result(call, (xdrproc_t)xdr_ctl_result, &res);
}

static void serve_remove(struct lab_ds *ds, struct call *call)
{
        ctl_remove_args args = { 0 };
        ctl_status status = CTL_OK;
        ctl_statuses res = { .statuses.statuses_len = 1, .statuses.statuses_val = &status };

        ds->removes++;
        ctl_lab_args(call, (xdrproc_t)xdr_ctl_remove_args, &args);
        CHECK(args.objects.objects_len == 1);
        lab_ds_object(ds, args.objects.objects_val[0].fileid)->there = false;
        xdr_free((xdrproc_t)xdr_ctl_remove_args, &args);
        put_result(call, (xdrproc_t)xdr_ctl_statuses, &res);
}

static void serve_fence(struct lab_ds *ds, struct call *call)
{
        ctl_fence_args args = { 0 };
        ctl_result res = { .status = CTL_OK };

        ctl_lab_args(call, (xdrproc_t)xdr_ctl_fence_args, &args);
        ds->fences += args.fences.fences_len;
        ds->fence_messages += args.fences.fences_len > 0;
        if (args.fences.fences_len > 0) {
                ds->last_fence_count = args.fences.fences_len;
                ds->last_fence = args.fences.fences_val[args.fences.fences_len - 1];
        }
        xdr_free((xdrproc_t)xdr_ctl_fence_args, &args);
        put_result(call, (xdrproc_t)xdr_ctl_result, &res);
}

static void serve_space(struct lab_ds *ds, struct call *call)
{
        ctl_range_args args = { 0 };
        ctl_used_res res = { .status = ds->broken ? CTL_IO : CTL_OK };

        ctl_lab_args(call, (xdrproc_t)xdr_ctl_range_args, &args);
        if (!ds->broken)
                res.ctl_used_res_u.used = lab_ds_object(ds, args.object.fileid)->used;
        put_result(call, (xdrproc_t)xdr_ctl_used_res, &res);
}

/* What it has is data from the first byte on, and ends where the file does. */
static void serve_seek(struct lab_ds *ds, struct call *call)
{
        ctl_seek_args args = { 0 };
        ctl_seek_res res = { .status = ds->broken ? CTL_IO : CTL_OK };
        uint64_t size;

        ctl_lab_args(call, (xdrproc_t)xdr_ctl_seek_args, &args);
        size = lab_ds_object(ds, args.object.fileid)->size;
        if (!ds->broken && !args.hole && args.offset >= size)
                res.status = CTL_NOENT;
        else
                res.ctl_seek_res_u.offset = args.hole && size > args.offset ? size : args.offset;
        put_result(call, (xdrproc_t)xdr_ctl_seek_res, &res);
}

static void serve_release(struct lab_ds *ds, struct call *call)
{
        ctl_release_args args = { 0 };
        ctl_release_res res = { .status = ds->broken ? CTL_IO : ds->release_status };
        struct lab_object *o;

        ds->releases++;
        ctl_lab_args(call, (xdrproc_t)xdr_ctl_release_args, &args);
        ds->release_epoch = args.epoch;
        o = lab_ds_object(ds, args.object.fileid);
        if (res.status == CTL_OK) {
                res.ctl_release_res_u.freed = o->used;
                o->size = o->used = 0;
        }
        put_result(call, (xdrproc_t)xdr_ctl_release_res, &res);
}

/* False: it does not answer. */
static bool serve_upload(struct lab_ds *ds, struct call *call)
{
        static char none[] = "";
        ctl_upload_args args = { 0 };
        ctl_upload_res res = {
                .status = CTL_IO, .etag = none, .version_id = none, .error = none, .message = none
        };
        bool answered;

        ctl_lab_args(call, (xdrproc_t)xdr_ctl_upload_args, &args);
        answered = !ds->upload || ds->upload(ds->upload_arg, &args, &res);
        put_result(call, (xdrproc_t)xdr_ctl_upload_res, &res);
        xdr_free((xdrproc_t)xdr_ctl_upload_args, (char *)&args);
        return answered;
}

static void serve(void *service, struct call *call)
{
        struct lab_ds *ds = service;
        bool answers = call->header.proc != ds->deaf;

        switch (call->header.proc) {
        case CTL_GETSIZES: serve_getsizes(ds, call); break;
        case CTL_TRUNCATE: serve_truncate(ds, call); break;
        case CTL_REMOVE: serve_remove(ds, call); break;
        case CTL_ALLOCATE:
        case CTL_DEALLOCATE: serve_space(ds, call); break;
        case CTL_SEEK: serve_seek(ds, call); break;
        case CTL_RELEASE: serve_release(ds, call); break;
        case CTL_UPLOAD: answers &= serve_upload(ds, call); break;
        default: serve_fence(ds, call);
        }
        if (!answers)
                ds->unanswered[ds->unanswered_count++] = call;
        else
                call_reply(call);
}

static void ds_gone(void *arg, struct conn *conn)
{
        struct server *server = arg;

        (void)conn;
        server->conn = NULL;
}

void lab_ds_connect(struct lab_ds *ds)
{
        struct mds_lab *lab = ds->lab;
        struct stream_pair_conf conf = { .seed = 100 + (uint64_t)(ds - lab->ds) };
        struct stream *ends[2];

        stream_pair_new(&lab->v.env, &conf, ends);
        rpc_server_accept(ds->rpc, ends[0]);
        ds->server->conn = rpc_server_adopt(lab->dialler, ends[1]);
        conn_on_close(ds->server->conn, ds_gone, ds->server);
}

static void start_ds(struct mds_lab *lab, int i)
{
        struct lab_ds *ds = &lab->ds[i];
        uint8_t uuid[16] = { 1, (uint8_t)i };
        char name[16];

        snprintf(name, sizeof(name), "ds%d", i);
        ds->lab = lab;
        ds->programs[0] = (struct rpc_program){ .prog = NACRE_CTL_DS,
                                                .vers = NACRE_CTL_DS_V1,
                                                .call_bytes = sizeof(struct call),
                                                .dispatch = serve,
                                                .service = ds };
        ds->rpc = rpc_server_new(&lab->v.env, lab->pool, ds->programs, &limits);
        ds->server = fleet_by_uuid(lab->mds.fleet, uuid);
        if (!ds->server)
                ds->server = fleet_add(lab->mds.fleet, name, uuid);
        lab_ds_connect(ds);
        ds->server->up = true;
        ds->server->space_total = 1000000;
        ds->server->space_free = 600000;
        ds->server->trusted_until_ns = UINT64_MAX;
        fleet_changed(lab->mds.fleet, ds->server);
}

/* --- the MDS, as mds/mds.c starts it */

static void start_engine(struct mds_lab *lab)
{
        struct nfs4_server *s = &lab->mds.nfs;

        *s = (struct nfs4_server){ .env = lab->mds.env,
                                   .pool = lab->pool,
                                   .hooks = &mds_hooks,
                                   .ops = mds_ops,
                                   .role = &lab->mds,
                                   .role_flags = EXCHGID4_FLAG_USE_PNFS_MDS,
                                   .back_channel = true,
                                   .probe_back_channel = lab->conf.delegations,
                                   .owner_major = "lab",
                                   .scope = "lab",
                                   .boot = meta_boot(lab->mds.meta),
                                   .lease_seconds = LAB_LEASE_SECONDS };
        CHECK(nfs4_server_init(s, &lab->mds.metrics) == 0);
}

static void load_exports(struct mds *mds, const char *text)
{
        char error[512];

        if (exports_load_text("exports", text, strlen(text), &mds->exports, error, sizeof(error)) < 0) {
                fprintf(stderr, "%s\n", error);
                abort();
        }
}

void mds_lab_export(struct mds_lab *lab, const char *exports)
{
        struct exports *old = lab->mds.exports;

        load_exports(&lab->mds, exports);
        CHECK(exports_prepare(&lab->mds) == 0);
        exports_free(old);
        recall_unexported(lab->mds.recalls);
        delegations_unexported(lab->mds.delegations);
        mds_lab_run_ms(lab, 1);
}

static void start_mds(struct mds_lab *lab)
{
        struct mds *mds = &lab->mds;
        char error[512];

        *mds = (struct mds){ .env = &lab->v.env,
                             .conf = &lab->conf,
                             .store = lab->store,
                             .pool = lab->pool,
                             .started_ns = env_now(&lab->v.env) };
        durable_init(mds);
        list_init(&mds->emptying);
        mds->meta = meta_open(mds->env, mds->store, 4096, error, sizeof(error));
        CHECK(mds->meta != NULL);
        load_exports(mds, lab->exports);
        start_engine(lab);
        CHECK((mds->fleet = fleet_new(mds)) && (mds->opens = opens_new(mds)) &&
              (mds->locks = locks_new(mds)) && (mds->returned = returned_new(mds)) &&
              (mds->layouts = layouts_new(mds)) && (mds->recalls = recalls_new(mds)) &&
              (mds->devices = devices_new(mds)) && (mds->reports = reports_new(mds)) &&
              (mds->recovery = recovery_new(mds)) && (mds->courtesy = courtesy_new(mds)) &&
              (mds->revocations = revocations_new()));
        CHECK((mds->delegations = delegations_new(mds)) && (mds->offloads = offloads_new(mds)) &&
              (mds->sizes = sizes_new(mds)) && (mds->proxy = proxy_new(mds)) &&
              (mds->reaper = reaper_new(mds)) && (mds->tier = tier_new(mds)));
        CHECK(orphans_recover(mds) == 0 && exports_prepare(mds) == 0);
        if (lab->with_tier)
                lab->with_tier(lab);
        lab->programs[0] = nfs4_rpc_program(&mds->nfs);
        lab->server = rpc_server_new(mds->env, lab->pool, lab->programs, &limits);
        lab->cb_programs[0] = (struct rpc_program){ .prog = NFS4_CB_PROGRAM_LINUX,
                                                    .vers = 1,
                                                    .call_bytes = sizeof(struct call),
                                                    .dispatch = user_serve_callback,
                                                    .service = lab };
        lab->dialler = rpc_server_new(mds->env, lab->pool, lab->cb_programs, &limits);
        CHECK(lab->server && lab->dialler);
        mds->rpc = lab->server;
        if (lab->conf.control.family != 0)
                CHECK((mds->ctl = ctl_server_new(mds)) != NULL);
        for (int i = 0; i < LAB_DATA_SERVERS; i++)
                start_ds(lab, i);
        sizes_recover(mds->sizes);
        mds_lab_run_ms(lab, 1);
}

static void close_conn(void *arg, struct conn *conn)
{
        (void)arg;
        conn_close(conn);
}

static void stop_mds(struct mds_lab *lab)
{
        struct mds *mds = &lab->mds;

        mds->stopping = true;
        if (mds->ctl)
                ctl_server_close(mds->ctl);
        rpc_server_each_conn(lab->server, close_conn, NULL);
        rpc_server_each_conn(lab->dialler, close_conn, NULL);
        mds_lab_run_ms(lab, 1);
        proxy_free(mds->proxy);
        mds->proxy = NULL;
        tier_stop(mds->tier);
        delegations_give_up(mds->delegations);
        fences_give_up(mds->fleet);
        while (!list_empty(&mds->committing)) /* their replies go nowhere */
                compound_committed(CONTAINER(list_pop(&mds->committing), struct compound, commit_node));
        for (struct list *node; (node = list_pop(&mds->durable_waits));)
                CONTAINER(node, struct durable_wait, node)->done(CONTAINER(node, struct durable_wait, node));
        ctl_server_free(mds->ctl);
        rpc_server_free(lab->dialler);
        rpc_server_free(lab->server);
        for (int i = 0; i < LAB_DATA_SERVERS; i++) {
                while (lab->ds[i].unanswered_count > 0)
                        call_reply(lab->ds[i].unanswered[--lab->ds[i].unanswered_count]);
                rpc_server_free(lab->ds[i].rpc);
        }
        nfs4_server_destroy(&mds->nfs);
        tier_free(mds->tier);
        reaper_free(mds->reaper);
        sizes_free(mds->sizes);
        layouts_free(mds->layouts);
        returned_free(mds->returned);
        delegations_free(mds->delegations);
        offloads_free(mds->offloads);
        recalls_free(mds->recalls);
        devices_free(mds->devices);
        reports_free(mds->reports);
        opens_free(mds->opens);
        locks_free(mds->locks);
        recovery_free(mds->recovery);
        courtesy_free(mds->courtesy);
        revocations_free(mds->revocations);
        fleet_free(mds->fleet);
        exports_free(mds->exports);
        list_remove(&mds->durable_task.node);
        meta_close(mds->meta);
}

void mds_lab_start(struct mds_lab *lab, const char *exports)
{
        *lab = (struct mds_lab){
                .exports = exports ? exports : open_to_all,
                .conf = { .stripe_unit = 1 << 20, .cache_inodes = 4096, .lease_seconds = LAB_LEASE_SECONDS }
        };
        log_open("lab", getenv("LAB_LOG") ? LOG_DEBUG : LOG_ERROR);
        virtual_env_init(&lab->v, 1);
        lab->store = store_memory_new(&lab->v.env);
        lab->pool = bufpool_new(256 << 20);
        CHECK(lab->store && lab->pool);
        start_mds(lab);
}

void mds_lab_listen(struct mds_lab *lab)
{
        lab->conf.control = (struct netaddr){ .family = 4, .port = 2050, .bytes = { 192, 0, 2, 10 } };
        CHECK((lab->mds.ctl = ctl_server_new(&lab->mds)) != NULL);
}

void mds_lab_run_ms(struct mds_lab *lab, uint64_t ms)
{
        virtual_env_run(&lab->v, ms * 1000000);
}

void mds_lab_restart(struct mds_lab *lab, bool crash)
{
        if (!crash)
                CHECK(lab->store->ops->sync_now(lab->store) == 0);
        stop_mds(lab);
        store_memory_crash(lab->store, crash ? 0 : UINT64_MAX);
        start_mds(lab);
}

void mds_lab_stop(struct mds_lab *lab)
{
        struct fsck_report report;

        mds_lab_run_ms(lab, 1000); /* what is deferred, the reaper */
        stop_mds(lab);
        CHECK(fsck_run(lab->store, stderr, &report) == 0 && report.problems == 0);
        lab->store->ops->close(lab->store);
        CHECK(bufpool_in_use_bytes(lab->pool) == 0);
        bufpool_free(lab->pool);
        virtual_env_destroy(&lab->v);
}
