/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/nfs4_lab.h"

#include <errno.h>
#include <stdlib.h>

struct rpc_cred lab_cred = { .flavor = RPC_AUTH_SYS, .uid = 0, .gid = 0 };
const struct channel_attrs lab_fore = { 0, 1049620, 1049480, 7584, 64, 64 };
const struct channel_attrs lab_back = { 0, 4096, 4096, 0, 2, 16 };

static const struct rpc_limits limits = {
        .max_connections = 64,
        .max_calls = 512,
        .max_calls_per_conn = 512,
        .max_record = 1024 * 1024 + 4096,
        .stall_ms = 1000000,
        .max_reply_bytes = 16 * 1024 * 1024,
};

static struct nfs4_lab *lab_of(const struct compound *c)
{
        return c->server->role;
}

/* --- hooks */

static enum nfsstat4 resolve_fh(struct compound *c, struct slice bytes, struct fh *ret)
{
        return fh_decode(bytes.data, bytes.length, c->server->key, ret) ? NFS4_OK : NFS4ERR_BADHANDLE;
}

static enum nfsstat4 root_fh(struct compound *c, struct fh *ret)
{
        (void)c;
        *ret = (struct fh){ .kind = FH_MDS, .fileid = 1, .generation = 1 };
        return NFS4_OK;
}

static bool commit(struct compound *c)
{
        if (!lab_of(c)->hold_commits)
                return true;
        list_push(&lab_of(c)->uncommitted, &c->commit_node);
        return false;
}

static enum nfsstat4 client_confirm(struct compound *c, struct client *client, struct client *old)
{
        (void)client, (void)old;
        lab_of(c)->confirmed++;
        return NFS4_OK;
}

static void client_gone(struct nfs4_server *s, struct client *client)
{
        (void)client;
        ((struct nfs4_lab *)s->role)->gone++;
}

static bool client_has_state(struct nfs4_server *s, const struct client *client)
{
        (void)client;
        return ((struct nfs4_lab *)s->role)->has_state;
}

static bool client_expired(struct nfs4_server *s, struct client *client)
{
        (void)client;
        return ((struct nfs4_lab *)s->role)->courtesy;
}

static const struct nfs4_hooks lab_hooks = {
        .resolve_fh = resolve_fh,
        .root_fh = root_fh,
        .commit = commit,
        .client_confirm = client_confirm,
        .client_gone = client_gone,
        .client_has_state = client_has_state,
        .client_expired = client_expired,
};

/* --- the lab */

static int lab_connect(struct env *env, const struct netaddr *addr, struct stream **ret)
{
        struct nfs4_lab *lab = CONTAINER(env, struct nfs4_lab, v.env);
        struct stream *ends[2];

        (void)addr;
        lab->connects++;
        if (lab->unreachable)
                return -ECONNREFUSED;
        stream_pair_new(env, &lab->streams, ends);
        rpc_server_accept(lab->server, ends[1]);
        *ret = ends[0];
        return 0;
}

static void start_server(struct nfs4_lab *lab, uint32_t boot)
{
        lab->metrics = (struct metrics){ 0 };
        lab->nfs = (struct nfs4_server){ .env = &lab->v.env,
                                         .pool = lab->pool,
                                         .hooks = &lab->hooks,
                                         .ops = lab->ops,
                                         .role = lab,
                                         .role_flags = EXCHGID4_FLAG_USE_PNFS_MDS,
                                         .back_channel = true,
                                         .owner_major = "lab",
                                         .scope = "lab",
                                         .boot = boot,
                                         .lease_seconds = 90 };
        CHECK(nfs4_server_init(&lab->nfs, &lab->metrics) == 0);
        lab->programs[0] = nfs4_rpc_program(&lab->nfs);
}

static void serve_callback(void *service, struct call *call)
{
        struct nfs4_lab *lab = service;

        if (lab->on_callback)
                lab->on_callback(lab, call);
        else
                call_reply_error(call, RPC_PROC_UNAVAIL);
}

void nfs4_lab_start(struct nfs4_lab *lab)
{
        *lab = (struct nfs4_lab){ .streams.seed = 1, .hooks = lab_hooks };
        virtual_env_init(&lab->v, 1);
        lab->env_ops = *lab->v.env.ops;
        lab->env_ops.connect = lab_connect;
        lab->v.env.ops = &lab->env_ops;
        list_init(&lab->held);
        list_init(&lab->uncommitted);
        nfs4_lab_ops(lab->ops);
        lab->pool = bufpool_new(256 << 20);
        start_server(lab, 1);
        lab->cb_programs[0] = (struct rpc_program){ .prog = NFS4_CB_PROGRAM_LINUX,
                                                    .vers = 1,
                                                    .call_bytes = sizeof(struct call),
                                                    .dispatch = serve_callback,
                                                    .service = lab };
        lab->server = rpc_server_new(&lab->v.env, lab->pool, lab->programs, &limits);
        lab->dialler = rpc_server_new(&lab->v.env, lab->pool, lab->cb_programs, &limits);
        CHECK(lab->pool && lab->server && lab->dialler);
}

void nfs4_lab_commit(struct nfs4_lab *lab)
{
        for (struct list *node; (node = list_pop(&lab->uncommitted));)
                compound_committed(CONTAINER(node, struct compound, commit_node));
}

static void close_conn(void *arg, struct conn *conn)
{
        (void)arg;
        conn_close(conn);
}

void nfs4_lab_close_conns(struct nfs4_lab *lab)
{
        rpc_server_each_conn(lab->server, close_conn, NULL);
}

static void finish_calls(struct nfs4_lab *lab)
{
        lab->hold_commits = false;
        while (nfs4_lab_release(lab))
                ;
        nfs4_lab_commit(lab);
}

void nfs4_lab_restart(struct nfs4_lab *lab)
{
        uint32_t boot = lab->nfs.boot + 1;

        nfs4_lab_close_conns(lab);
        finish_calls(lab);
        nfs4_server_destroy(&lab->nfs);
        start_server(lab, boot);
}

void nfs4_lab_stop(struct nfs4_lab *lab)
{
        rpc_server_free(lab->dialler);
        nfs4_lab_close_conns(lab);
        finish_calls(lab);
        rpc_server_free(lab->server);
        nfs4_server_destroy(&lab->nfs);
        CHECK(bufpool_in_use_bytes(lab->pool) == 0);
        bufpool_free(lab->pool);
        virtual_env_destroy(&lab->v);
}

void nfs4_lab_run_ms(struct nfs4_lab *lab, uint64_t ms)
{
        virtual_env_run(&lab->v, ms * 1000000);
}

struct conn *nfs4_lab_dial(struct nfs4_lab *lab)
{
        struct stream *stream;
        struct netaddr nowhere = { 0 };

        CHECK(lab_connect(&lab->v.env, &nowhere, &stream) == 0);
        return rpc_server_adopt(lab->dialler, stream);
}
