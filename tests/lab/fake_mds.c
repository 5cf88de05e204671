/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/fake_mds.h"

#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"

enum { POOL_BYTES = 64 * 1024 * 1024 };

struct fake_request {
        struct call call; /* first */
        struct list held;
        uint32_t proc;
        union {
                ctl_push_args push;
                ctl_eof_args eof;
        } args;
        struct fake_mds *mds;
        struct fake_call ask;
        ctl_getsizes_res sizes;
};

struct fake_file *fake_file(struct fake_mds *m, uint64_t fileid)
{
        for (uint32_t i = 0; i < m->file_count; i++)
                if (m->files[i].fileid == fileid)
                        return &m->files[i];
        CHECK(m->file_count < FAKE_FILES);
        m->files[m->file_count].fileid = fileid;
        return &m->files[m->file_count++];
}

uint32_t fake_pushes(const struct fake_mds *m, uint64_t fileid, const ctl_push **ret_last)
{
        uint32_t count = 0;

        if (ret_last)
                *ret_last = NULL;
        for (uint32_t i = 0; i < m->push_count; i++) {
                if (m->pushes[i].fileid != fileid)
                        continue;
                count++;
                if (ret_last)
                        *ret_last = &m->pushes[i];
        }
        return count;
}

static void answer_hello(struct fake_mds *m, struct call *call)
{
        ctl_hello_args args = { 0 };
        ctl_hello_res res = { .status = m->hello_status };

        ctl_lab_args(call, (xdrproc_t)xdr_ctl_hello_args, &args);
        m->hellos++;
        memcpy(m->uuid, args.uuid, sizeof(m->uuid));
        memcpy(m->boot, args.boot, sizeof(m->boot));
        snprintf(m->name, sizeof(m->name), "%s", args.name);
        m->addr_count = args.addrs.addrs_len;
        m->space = args.space;
        if (m->hello_status == CTL_OK) {
                m->conn = call->conn;
                m->hello.pools.pools_val = m->pools;
                m->hello.fences.fences_val = m->fences;
                res.ctl_hello_res_u.ok = m->hello;
        }
        xdr_free((xdrproc_t)xdr_ctl_hello_args, (char *)&args);
        ctl_lab_answer(call, (xdrproc_t)xdr_ctl_hello_res, &res);
}

static void answer_heartbeat(struct fake_mds *m, struct call *call)
{
        ctl_heartbeat_args args = { .flags = 0 };
        bool known = m->conn == call->conn || m->other == call->conn;
        ctl_result res = { .status = known ? CTL_OK : CTL_UNKNOWN };

        ctl_lab_args(call, (xdrproc_t)xdr_ctl_heartbeat_args, &args);
        m->heartbeats++;
        m->flags = args.flags;
        m->space = args.space;
        if (m->mute)
                call_reply_error(call, RPC_SYSTEM_ERR);
        else
                ctl_lab_answer(call, (xdrproc_t)xdr_ctl_result, &res);
}

static void answer_push(struct fake_mds *m, struct fake_request *r)
{
        ctl_status statuses[CTL_MAX_FILES];
        ctl_push_res res = { .statuses.statuses_len = r->args.push.files.files_len,
                             .statuses.statuses_val = statuses };

        for (u_int i = 0; i < r->args.push.files.files_len; i++) {
                const ctl_push *p = &r->args.push.files.files_val[i];
                struct fake_file *f = fake_file(m, m->quiet ? 0 : p->fileid);

                statuses[i] = CTL_OK;
                if (m->quiet)
                        continue;
                CHECK(m->quiet_log || m->push_count < FAKE_PUSHES);
                if (!m->quiet_log)
                        m->pushes[m->push_count++] = *p;
                statuses[i] = f->gone ? CTL_NOENT : m->push_status;
                f->dirty |= p->dirty;
                if (p->size > f->size)
                        f->size = p->size;
        }
        xdr_free((xdrproc_t)xdr_ctl_push_args, (char *)&r->args.push);
        ctl_lab_answer(&r->call, (xdrproc_t)xdr_ctl_push_res, &res);
}

static void sizes_known(struct rpc_req *rpc, enum rpc_result result, struct xdr_in *x)
{
        struct fake_request *r = CONTAINER(rpc, struct fake_request, ask.rpc);
        struct fake_file *f = fake_file(r->mds, r->args.eof.fileid);
        ctl_eof_res res = { .status = CTL_IO };
        XDR xdr;

        if (result == RPC_DONE) {
                xdrmem_create(&xdr, (char *)(uintptr_t)x->p, xdr_left(x), XDR_DECODE);
                CHECK(xdr_ctl_getsizes_res(&xdr, &r->sizes) && r->sizes.sizes.sizes_len == 1);
                if (r->sizes.sizes.sizes_val[0].size > f->size)
                        f->size = r->sizes.sizes.sizes_val[0].size;
                if (r->sizes.sizes.sizes_val[0].settled)
                        f->dirty = false;
                res = (ctl_eof_res){ .status = CTL_OK, .size = f->size };
        }
        xdr_free((xdrproc_t)xdr_ctl_getsizes_res, (char *)&r->sizes);
        ctl_lab_answer(&r->call, (xdrproc_t)xdr_ctl_eof_res, &res);
}

static void ask_then_answer(struct fake_mds *m, struct fake_request *r)
{
        ctl_object object = m->object;
        ctl_getsizes_args args = { .objects.objects_len = 1, .objects.objects_val = &object };

        object.fileid = r->args.eof.fileid;
        r->mds = m;
        memset(&r->sizes, 0, sizeof(r->sizes));
        fake_mds_call(m, &r->ask, CTL_GETSIZES, (xdrproc_t)xdr_ctl_getsizes_args, &args,
                      (xdrproc_t)xdr_ctl_getsizes_res, &r->sizes);
        r->ask.rpc.done = sizes_known;
}

static void answer_eof(struct fake_mds *m, struct fake_request *r)
{
        const struct fake_file *f = fake_file(m, r->args.eof.fileid);
        ctl_eof_res res = { .status = f->gone ? CTL_NOENT : m->eof_status, .size = f->size };

        if (m->asks && f->dirty && m->conn) {
                ask_then_answer(m, r);
                return;
        }
        ctl_lab_answer(&r->call, (xdrproc_t)xdr_ctl_eof_res, &res);
}

void fake_mds_release(struct fake_mds *m)
{
        struct list held = LIST_INIT(held);

        list_splice(&held, &m->held);
        for (struct list *node; (node = list_pop(&held));) {
                struct fake_request *r = CONTAINER(node, struct fake_request, held);

                if (r->proc == CTL_PUSH)
                        answer_push(m, r);
                else
                        answer_eof(m, r);
        }
}

/* --- the S3 tier */

static void answer_source(struct fake_mds *m, struct call *call)
{
        ctl_file args = { 0 };
        struct fake_file *f;
        ctl_source_res res = { .status = m->source_status };

        ctl_lab_args(call, (xdrproc_t)xdr_ctl_file, &args);
        f = fake_file(m, args.fileid);
        f->sources++;
        if (res.status == CTL_OK && !f->key)
                res.status = CTL_NOENT;
        if (res.status == CTL_OK)
                res.ctl_source_res_u.source =
                        (ctl_source){ .repo = 1,
                                      .revision = m->repo.revision,
                                      .key = (char *)(uintptr_t)f->key,
                                      .etag = (char *)(uintptr_t)f->etag,
                                      .version_id = (char *)(uintptr_t)(f->version ? f->version : ""),
                                      .size = f->source_size,
                                      .valid = f->valid };
        ctl_lab_answer(call, (xdrproc_t)xdr_ctl_source_res, &res);
}

static void answer_repo(struct fake_mds *m, struct call *call)
{
        ctl_repo_res res = { .status = m->repo_status };

        m->repos++;
        if (res.status == CTL_OK)
                res.ctl_repo_res_u.repo = m->repo;
        ctl_lab_answer(call, (xdrproc_t)xdr_ctl_repo_res, &res);
}

static void answer_resident(struct fake_mds *m, struct call *call)
{
        ctl_resident_args args = { 0 };
        ctl_result res = { .status = CTL_OK };

        ctl_lab_args(call, (xdrproc_t)xdr_ctl_resident_args, &args);
        fake_file(m, args.file.fileid)->residents++;
        xdr_free((xdrproc_t)xdr_ctl_resident_args, (char *)&args);
        ctl_lab_answer(call, (xdrproc_t)xdr_ctl_result, &res);
}

static void answer_same(struct fake_mds *m, struct call *call)
{
        ctl_same_args args = { 0 };
        ctl_result res;

        ctl_lab_args(call, (xdrproc_t)xdr_ctl_same_args, &args);
        res.status = fake_file(m, args.file.fileid)->changed ? CTL_CHANGED : CTL_OK;
        xdr_free((xdrproc_t)xdr_ctl_same_args, (char *)&args);
        ctl_lab_answer(call, (xdrproc_t)xdr_ctl_result, &res);
}

static void dispatch(void *service, struct call *call)
{
        struct fake_mds *m = service;
        struct fake_request *r = CONTAINER(call, struct fake_request, call);

        if (m->intercept && m->intercept(m->intercept_arg, call))
                return;
        r->proc = call->header.proc;
        memset(&r->args, 0, sizeof(r->args));
        switch (r->proc) {
        case CTL_HELLO: answer_hello(m, call); return;
        case CTL_HEARTBEAT: answer_heartbeat(m, call); return;
        case CTL_PUSH:
                m->push_calls++;
                ctl_lab_args(call, (xdrproc_t)xdr_ctl_push_args, &r->args.push);
                if (m->hold_push)
                        list_push(&m->held, &r->held);
                else
                        answer_push(m, r);
                return;
        case CTL_EOF:
                m->eofs++;
                ctl_lab_args(call, (xdrproc_t)xdr_ctl_eof_args, &r->args.eof);
                if (m->hold_eof)
                        list_push(&m->held, &r->held);
                else
                        answer_eof(m, r);
                return;
        case CTL_SOURCE: answer_source(m, call); return;
        case CTL_REPO: answer_repo(m, call); return;
        case CTL_RESIDENT: answer_resident(m, call); return;
        case CTL_SAME: answer_same(m, call); return;
        default: call_reply(call);
        }
}

static void conn_closed(void *service, struct conn *conn)
{
        struct fake_mds *m = service;

        if (m->other == conn)
                m->other = NULL;
        if (m->conn != conn)
                return;
        m->conn = NULL;
        m->losses++;
}

void fake_mds_hang_up(struct fake_mds *m)
{
        if (m->conn)
                conn_close(m->conn);
}

static struct stream *wrap(void *arg, struct stream *stream)
{
        struct fake_mds *m = arg;

        return tls_stream_new(m->tls, stream, true);
}

void fake_mds_start(struct fake_mds *m, struct env *env, const struct netaddr *addr,
                    const uint8_t cluster_key[32])
{
        const struct rpc_limits limits = { .max_connections = 16,
                                           .max_calls = 4096,
                                           .max_calls_per_conn = 2048,
                                           .max_record = 512 * 1024,
                                           .stall_ms = 30000,
                                           .max_reply_bytes = POOL_BYTES };
        uint8_t key[32];

        m->env = env;
        list_init(&m->held);
        key_derive(cluster_key, "ctl", key, sizeof(key));
        m->tls = tls_context_new(env, key);
        m->pool = bufpool_new(POOL_BYTES);
        m->programs[0] = (struct rpc_program){ .prog = NACRE_CTL_MDS,
                                               .vers = NACRE_CTL_MDS_V1,
                                               .call_bytes = sizeof(struct fake_request),
                                               .dispatch = dispatch,
                                               .conn_closed = conn_closed,
                                               .service = m };
        m->rpc = rpc_server_new(env, m->pool, m->programs, &limits);
        CHECK(m->tls && m->pool && m->rpc);
        rpc_server_wrap(m->rpc, wrap, m);
        CHECK(rpc_server_listen(m->rpc, addr) == 0);
        if (m->hello.server_id != 0)
                return; /* started again: the test has set it up */
        memcpy(m->hello.fsid, "the file system!", 16);
        m->hello.server_id = 1;
        m->hello.mds_boot = 1;
        m->hello.lease_seconds = 30;
        m->hello.trust_ms = 4000;
        m->hello.heartbeat_ms = 100;
        m->hello.floor = 1;
        m->pools[0] = (ctl_pool){ .generation = 1, .position = 0, .size = 1 };
        m->hello.pools.pools_len = 1;
        m->repo = (ctl_repo){ .endpoint = "http://s3.test",
                              .bucket = "bucket",
                              .prefix = "",
                              .region = "",
                              .access_key = "key",
                              .secret_key = "secret",
                              .session_token = "",
                              .ca = "" };
}

void fake_mds_stop(struct fake_mds *m)
{
        m->push_status = m->eof_status = CTL_OK;
        fake_mds_release(m);
        rpc_server_free(m->rpc);
        tls_context_free(m->tls);
        bufpool_free(m->pool);
        m->rpc = NULL;
}

void fake_mds_call(struct fake_mds *m, struct fake_call *call, uint32_t proc, xdrproc_t args_xdr, void *args,
                   xdrproc_t result_xdr, void *result)
{
        CHECK(m->conn != NULL);
        ctl_lab_call(m->conn, call, NACRE_CTL_DS, proc, args_xdr, args, result_xdr, result);
}
